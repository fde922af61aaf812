"""Statistics of decisions over a time window, counted by the database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Integer, and_, case, cast, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.state.repositories.ranks import ranked_seconds
from orchestrator.state.tables import (
    decision_actions,
    decision_triggers,
    decisions,
    feedback,
    outcomes,
)

CONFIDENCE_BINS = 10


async def decision_analytics(
    connection: AsyncConnection, since: datetime | None, until: datetime | None
) -> dict[str, Any]:
    """Statistics from ``since`` (included) until before ``until``; null leaves a side open.

    Keys: ``decisions`` (count), ``dry_runs``, ``without_action``, ``mean_confidence`` (null when
    there are none), ``by_decided_by``, ``by_trigger``, ``by_operation`` (name to count),
    ``confidence`` (ten bins ``{"from", "to", "count"}``, the last includes 1), ``outcomes`` by
    operation (``count``, counts by status, ``success_rate`` over those not cancelled, ``median_seconds``
    and ``p95_seconds`` of the successful, all or those that are unknown null), and ``feedback``
    (count by verdict, ``benefit_usd`` as a sum, null when no one stated any). Decisions, triggers and
    operations are of decisions made in the window; outcomes and feedback are of those that
    came in the window.
    """
    within = _window(decisions.c.created_at, since, until)
    head = (
        await connection.execute(
            select(
                func.count(),
                func.coalesce(func.sum(case((decisions.c.dry_run, 1), else_=0)), 0),
                func.avg(decisions.c.confidence),
            ).where(within)
        )
    ).one()
    acted = select(func.count(func.distinct(decision_actions.c.decision_id))).where(
        _window(decision_actions.c.created_at, since, until)
    )
    return {
        "decisions": head[0],
        "dry_runs": int(head[1]),
        "without_action": head[0] - ((await connection.execute(acted)).scalar() or 0),
        "mean_confidence": None if head[2] is None else float(head[2]),
        "by_decided_by": await _counts(connection, within, decisions.c.decided_by),
        "by_trigger": await _counts(
            connection,
            _window(decision_triggers.c.created_at, since, until),
            decision_triggers.c.name,
        ),
        "by_operation": await _counts(
            connection,
            _window(decision_actions.c.created_at, since, until),
            decision_actions.c.module,
            decision_actions.c.operation,
        ),
        "confidence": await _confidence(connection, within),
        "outcomes": await _outcomes(connection, _window(outcomes.c.ended_at, since, until)),
        "feedback": await _feedback(connection, _window(feedback.c.created_at, since, until)),
    }


def _window(
    time: Column[Any], since: datetime | None, until: datetime | None
) -> ColumnElement[bool]:
    bounds = [] if since is None else [time >= since]
    return and_(true(), *bounds, *([] if until is None else [time < until]))


async def _counts(
    connection: AsyncConnection, where: ColumnElement[bool], *names: Column[Any]
) -> dict[str, int]:
    amount = func.count().label("amount")
    query = select(*names, amount).where(where).group_by(*names).order_by(amount.desc(), *names)
    rows: Any = await connection.execute(query)
    return {".".join(row[:-1]): row[-1] for row in rows}


async def _confidence(
    connection: AsyncConnection, where: ColumnElement[bool]
) -> list[dict[str, float]]:
    # The cast of PostgreSQL rounds and that of SQLite cuts off; floor() is not in every SQLite.
    scaled = decisions.c.confidence * CONFIDENCE_BINS
    nearest = cast(scaled, Integer)
    cut = nearest - case((nearest > scaled, 1), else_=0)
    chosen = case((cut >= CONFIDENCE_BINS, CONFIDENCE_BINS - 1), else_=cut).label("bin")
    binned = select(chosen).where(where).subquery()
    query = select(binned.c.bin, func.count()).group_by(binned.c.bin)
    rows: Any = await connection.execute(query)
    counts = {row[0]: row[1] for row in rows}
    return [
        {
            "from": number / CONFIDENCE_BINS,
            "to": (number + 1) / CONFIDENCE_BINS,
            "count": counts.get(number, 0),
        }
        for number in range(CONFIDENCE_BINS)
    ]


async def _outcomes(connection: AsyncConnection, where: ColumnElement[bool]) -> dict[str, Any]:
    columns = outcomes.c
    query = (
        select(columns.module, columns.operation, columns.status, func.count())
        .where(where)
        .group_by(columns.module, columns.operation, columns.status)
        .order_by(columns.module, columns.operation)
    )
    rows: Any = await connection.execute(query)
    by_status: dict[tuple[str, str], dict[str, int]] = {}
    for module, operation, status, count in rows:
        by_status.setdefault((module, operation), {})[status] = count
    seconds = await ranked_seconds(
        connection, and_(where, columns.status == "succeeded"), {"median": 0.5, "p95": 0.95}
    )
    found = {}
    for key, counts in by_status.items():
        count = sum(counts.values())
        finished = count - counts.get("cancelled", 0)
        found[".".join(key)] = {
            "count": count,
            **{
                status: counts.get(status, 0)
                for status in ("succeeded", "failed", "timed_out", "cancelled")
            },
            "success_rate": counts.get("succeeded", 0) / finished if finished else None,
            "median_seconds": seconds.get(key, {}).get("median"),
            "p95_seconds": seconds.get(key, {}).get("p95"),
        }
    return found


async def _feedback(connection: AsyncConnection, where: ColumnElement[bool]) -> dict[str, Any]:
    query = select(
        feedback.c.verdict, func.count(), func.sum(feedback.c.benefit_usd).label("benefit")
    )
    rows: Any = await connection.execute(query.where(where).group_by(feedback.c.verdict))
    verdicts: dict[str, Any] = {"right": 0, "wrong": 0, "unclear": 0}
    benefits = []
    for verdict, count, benefit in rows:
        verdicts[verdict] = count
        benefits += [] if benefit is None else [float(benefit)]
    return {**verdicts, "benefit_usd": sum(benefits) if benefits else None}
