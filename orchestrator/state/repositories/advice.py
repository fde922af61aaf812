"""Advice: what came of it, for how far the next is believed."""

from __future__ import annotations

from sqlalchemy import case, func, select

from orchestrator.state.database import Database
from orchestrator.state.records import AdviceLabel
from orchestrator.state.tables import advice, feedback, outcomes

MOST_LABELS = 1000
WEIGHT_OF_AN_OUTCOME = 0.25


class AdviceLabels:
    """Reads advice beside the verdicts and outcomes of its decisions; it is stored with the decision."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def labels(self, model: str) -> list[AdviceLabel]:
        """What came of the newest advice of ``model`` that a decision followed or agreed with.

        The newest clear verdict counts; without one, whether all its operations succeeded, for less.
        """
        columns = advice.c
        newest = (
            select(columns.decision_id, columns.stated_confidence)
            .where(
                columns.model == model,
                columns.outcome.in_(("agreed", "taken")),
                columns.stated_confidence.is_not(None),
            )
            .order_by(columns.created_at.desc())
            .limit(MOST_LABELS)
            .subquery()
        )
        ran = (
            select(
                outcomes.c.decision_id,
                func.sum(case((outcomes.c.status == "succeeded", 0), else_=1)).label("failed"),
            )
            .where(outcomes.c.status != "cancelled")
            .where(outcomes.c.decision_id.in_(select(newest.c.decision_id)))
            .group_by(outcomes.c.decision_id)
        )
        said = (
            select(feedback.c.decision_id, feedback.c.verdict)
            .where(feedback.c.verdict.in_(("right", "wrong")))
            .where(feedback.c.decision_id.in_(select(newest.c.decision_id)))
            .order_by(feedback.c.created_at)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(select(newest))).all()
            failed = {row.decision_id: row.failed for row in await connection.execute(ran)}
            verdicts = {row.decision_id: row.verdict for row in await connection.execute(said)}
        found = []
        for row in rows:
            if row.decision_id in verdicts:
                right = verdicts[row.decision_id] == "right"
                found.append(AdviceLabel(row.stated_confidence, right))
            elif row.decision_id in failed:
                right = not failed[row.decision_id]
                found.append(AdviceLabel(row.stated_confidence, right, WEIGHT_OF_AN_OUTCOME))
        return found
