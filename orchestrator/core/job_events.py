"""How a job appears on the event bus."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from orchestrator.core.events import EventBus
from orchestrator.state.records import JobRecord, OutcomeRecord


def publish_job(
    events: EventBus, at: datetime, job: JobRecord, outcome: OutcomeRecord | None = None
) -> None:
    """Tell listeners about a job: accepted, started, progress, to be tried again, ended."""
    payload: dict[str, Any] = {
        "id": job.id,
        "decision_id": job.decision_id,
        "module": job.module,
        "operation": job.operation,
        "status": job.status,
        "progress": 1.0 if job.status == "succeeded" else job.progress,
        "message": job.message,
    }
    if outcome is not None:
        payload |= {
            "seconds": outcome.seconds,
            "summary": (outcome.result or {}).get("summary"),
            "error": outcome.error,
        }
    events.publish("job", at, payload)
