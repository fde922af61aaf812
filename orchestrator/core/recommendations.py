"""Turns proposed set points into recommendations: moves, worth, evidence, limits, risk and expiry."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from orchestrator.clock import iso
from orchestrator.state.records import OutcomeRecord, RecommendationRecord

VALID_FOR = timedelta(hours=4)
PROPOSING_OPERATIONS = frozenset({"setpoints"})


def recommendation_from(
    outcome: OutcomeRecord, situation_digest: str | None, at: datetime
) -> RecommendationRecord | None:
    """The recommendation that an outcome contains, or ``None`` where nothing is to be moved.

    Its digest is the SHA-256 of the canonical content together with the digest of the situation that
    it was made for, so that an approval is void when either has changed.
    """
    result = outcome.result or {}
    moves = result.get("moves") or []
    proposes = outcome.module == "optimization" and outcome.operation in PROPOSING_OPERATIONS
    if not proposes or outcome.status != "succeeded" or not moves:
        return None
    document: dict[str, Any] = {
        "moves": moves,
        "worth_usd_per_day": result.get("worth_usd_per_day"),
        "limits_touched": result.get("binding", []),
        "expected_response": result.get("expected", {}),
        "status": result.get("status"),
        "summary": result.get("summary"),
        "warnings": list(result.get("warnings", ())),
        "evidence": [
            {
                "source": f"{outcome.module}.{outcome.operation}",
                "job_id": outcome.job_id,
                "decision_id": outcome.decision_id,
                "time": iso(outcome.ended_at),
            }
        ],
        "risk": "advisory: the plant is not written; check the moves against the unit before use",
        "situation_digest": situation_digest,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)
    return RecommendationRecord(
        id=uuid4().hex,
        job_id=outcome.job_id,
        created_at=at,
        expires_at=at + VALID_FOR,
        state="proposed",
        digest=hashlib.sha256(text.encode()).hexdigest(),
        document=document,
    )
