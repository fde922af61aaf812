"""Alerts that say no more than that the plant is where verified moves have brought it.

Anomalies, trends and drifts compare the plant with its normal operation as it was learned. After set
points have been moved for good they go on until normal operation is learned anew, hours later, and so
would hold every further move. Where the plant has answered to the moves as expected, what began since
their begin is explained by them. Limits and frozen instruments are never explained.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.monitoring.life_cycle import Alert
from orchestrator.monitoring.monitor import EXPECTED_AFTER_MOVE
from orchestrator.plant.write_facts import Facts


@dataclass(frozen=True, slots=True)
class VerifiedMoves:
    """Moves that the plant has answered to as expected.

    Attributes:
        recommendation_id: What they belong to.
        begun: When the first of them was made.
    """

    recommendation_id: str
    begun: datetime


def explanation(
    alert: Alert, verified: Sequence[VerifiedMoves], learned_until: datetime | None
) -> str:
    """What explains an alert, in words; empty where nothing does.

    Args:
        alert: An active alert.
        verified: Moves that the plant has answered to as expected, oldest first.
        learned_until: The newest row that normal operation was learned from. Moves before it are part of
            what is normal, and explain nothing.
    """
    if alert.kind not in EXPECTED_AFTER_MOVE or learned_until is None:
        return ""
    for moves in verified:
        if learned_until < moves.begun <= alert.start:
            return f"the plant was moved by recommendation {moves.recommendation_id} and answered as expected"
    return ""


def came_since(
    facts: Facts, begun: datetime, kinds: Collection[str] = EXPECTED_AFTER_MOVE
) -> Facts:
    """The facts for taking moves back: what came with the moves does not hold their being taken back.

    Args:
        facts: The plant now.
        begun: When the moves began.
        kinds: Kinds of alerts that moves bring by themselves.
    """
    if facts.alerts is None:
        return facts
    words = "it came with the moves that are taken back"
    alerts = tuple(
        replace(alert, explained=alert.explained or words)
        if alert.kind in kinds and alert.since is not None and alert.since >= begun
        else alert
        for alert in facts.alerts
    )
    return replace(facts, alerts=alerts)
