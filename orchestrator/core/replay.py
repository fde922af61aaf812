"""Runs recorded plant data through the whole loop, and reports what happened as one document."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator.clock import iso
from orchestrator.config import Settings, StateSettings
from orchestrator.core.orchestrator import Orchestrator
from orchestrator.plant.sources.base import Source
from orchestrator.plant.sources.replay import ReplaySource
from orchestrator.plant.tags import Plant
from orchestrator.state.records import AlertRecord, DecisionRecord, JobRecord, OutcomeRecord

PAGE = 500
LEAST_TRAINING_ROWS = 20
OnProgress = Callable[[int, datetime | None], None]


async def replay(
    settings: Settings,
    path: Path,
    *,
    train: Path | None = None,
    plant: Plant | None = None,
    time_column: str | None = None,
    speed: float = 0.0,
    home: Path | None = None,
    on_orchestrator: Callable[[Orchestrator], None] | None = None,
) -> dict[str, Any]:
    """Replay a file of plant data and return the document of :func:`report`.

    The run has a home of its own, which is removed afterwards unless ``home`` is given, so that a
    replay neither sees nor changes the live plant's state. At full speed (``speed`` 0) plant time
    stands still while an action runs, and two replays of one file give the same document but for
    ids and seconds.

    Args:
        settings: The configuration.
        path: CSV or Parquet file, wide or long.
        train: Normal operation for the monitor; else the first rows of ``path`` are used.
        plant: The plant file; else one is inferred from the data.
        time_column: Name of the time column; else the first that parses as time.
        speed: Times real time, 0 for as fast as possible.
        home: Keep the run's state in this folder.
        on_orchestrator: Called once the orchestrator is open, for progress and events.

    Raises:
        DataError: the file cannot be read as plant data.
        UnknownTagError: the plant file names none of its columns.
    """
    source = ReplaySource(path, plant=plant, time_column=time_column)
    training: Source | None = None
    notes: list[str] = []
    if train is not None:
        training = ReplaySource(train, plant=plant, time_column=time_column)
    else:
        settings, first = _trained_on_first_rows(settings, source.rows)
        notes.append(
            f"the monitor was trained on the first {first} rows: no anomaly can be found in them"
            if first < source.rows
            else f"the file has {source.rows} rows, too few to train the monitor on and find an "
            "anomaly in the rest: give normal operation with --train"
        )
    with tempfile.TemporaryDirectory(prefix="dan-g-replay-") as scratch:
        place = home or Path(scratch)
        own = settings.model_copy(update={"state": StateSettings(home=place)})
        async with await Orchestrator.open(
            own, home=place, source=source, train=training, lockstep=speed == 0
        ) as orchestrator:
            if on_orchestrator is not None:
                on_orchestrator(orchestrator)
            await orchestrator.run()
            await orchestrator.settle()
            return await report(orchestrator, notes)


def _trained_on_first_rows(settings: Settings, rows: int) -> tuple[Settings, int]:
    """Settings that train on a quarter of the file, or on the configured number of rows if fewer."""
    monitoring = settings.monitoring
    first = max(LEAST_TRAINING_ROWS, min(monitoring.training_rows, rows // 4))
    changed = monitoring.model_copy(update={"training_rows": first})
    return settings.model_copy(update={"monitoring": changed}), first


async def report(orchestrator: Orchestrator, notes: Sequence[str] = ()) -> dict[str, Any]:
    """What happened: samples, alerts, decisions and results, times in the data's own UTC."""
    loop, source = orchestrator.loop, orchestrator.source
    assert loop is not None
    assert source is not None
    alerts = await _all(orchestrator.store.alerts.list)
    decisions = await _all(orchestrator.store.decisions.list)
    jobs = await _all(orchestrator.store.jobs.list)
    outcomes = {job.id: await orchestrator.store.outcomes.get(job.id) for job in jobs}
    order = {record.id: number for number, record in enumerate(decisions, start=1)}
    return {
        "source": source.name,
        "simulated": source.simulated,
        "samples": loop.rows,
        "tag_samples": loop.tag_samples,
        "tags": len(source.plant.tags),
        "start": _iso(loop.started_at),
        "end": _iso(loop.ended_at),
        "notes": [*getattr(source, "notes", []), *notes],
        "alerts": [_alert(record) for record in alerts],
        "decisions": [_decision(record) for record in decisions],
        "results": [
            _result(job, outcomes[job.id])
            for job in sorted(jobs, key=lambda job: _order(job, order))
        ],
    }


def _order(job: JobRecord, decisions: dict[str, int]) -> tuple[Any, ...]:
    """Order of the results, the same in every replay of a file."""
    return job.accepted_at, decisions.get(job.decision_id or "", 0), job.module, job.operation


async def _all(page_of: Callable[..., Any]) -> list[Any]:
    """Every record of a listing, oldest first."""
    records: list[Any] = []
    cursor: str | None = None
    while True:
        page = await page_of(cursor=cursor, limit=PAGE)
        records.extend(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return records[::-1]


def _iso(time: datetime | None) -> str | None:
    return None if time is None else iso(time)


def _alert(record: AlertRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "start": _iso(record.started_at),
        "end": _iso(record.ended_at),
        "kind": record.kind,
        "severity": record.severity,
        "state": record.state,
        "tags": list(record.tags),
        "contributions": record.document.get("contributions", []),
        "levels": record.document.get("levels", []),
        "message": record.document.get("message", ""),
    }


def _decision(record: DecisionRecord) -> dict[str, Any]:
    document = record.document
    return {
        "id": record.id,
        "time": _iso(record.created_at),
        "triggers": document["triggers"],
        "actions": document["actions"],
        "rationale": document["rationale"],
        "confidence": document["confidence"],
    }


def _result(job: JobRecord, outcome: OutcomeRecord | None) -> dict[str, Any]:
    result = (outcome.result or {}) if outcome else {}
    error = (outcome.error or {}) if outcome else {}
    return {
        "decision_id": job.decision_id,
        "job_id": job.id,
        "time": _iso(job.accepted_at),
        "module": job.module,
        "operation": job.operation,
        "status": outcome.status if outcome else job.status,
        "seconds": round(outcome.seconds, 3) if outcome else None,
        "summary": result.get("summary") or error.get("detail") or "",
    }
