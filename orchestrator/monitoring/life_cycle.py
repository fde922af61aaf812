"""What an alert is, and the alarm states and transitions of ISA-18.2 that it goes through.

================================  =============================================================
state                             meaning
================================  =============================================================
``normal``                        returned and seen, or superseded by a newer occurrence
``unacknowledged``                active, nobody has seen it
``acknowledged``                  active, somebody has seen it
``returned_unacknowledged``       over before anybody had seen it
``shelved``                       put aside by a person, with a reason, until a time
``suppressed_by_design``          withheld by the logic of the plant or of the configuration
``out_of_service``                withheld until somebody returns it to service
================================  =============================================================
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from orchestrator.monitoring.change_points import LevelChange
from orchestrator.state.records import AlarmState, AlertRecord

AlertKind = Literal["anomaly", "limit", "trend", "drift", "frozen", "predicted_limit", "write"]
"""``write`` is the operator agent's own: a write that was not made, or moves that await a person."""
Severity = Literal["low", "medium", "high", "critical"]
Transition = Literal[
    "raise",
    "escalate",
    "acknowledge",
    "return",
    "supersede",
    "shelve",
    "unshelve",
    "shelve_expired",
    "suppress",
    "unsuppress",
    "remove_from_service",
    "return_to_service",
]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
ANNUNCIATED: frozenset[AlarmState] = frozenset({"unacknowledged", "acknowledged"})
WITHHELD: frozenset[AlarmState] = frozenset({"shelved", "suppressed_by_design", "out_of_service"})


class Contribution(BaseModel):
    """Share of one tag in an alert; the shares of an alert sum to 1."""

    model_config = ConfigDict(frozen=True)

    tag: str
    share: float


class Alert(BaseModel):
    """One occurrence of a condition.

    Attributes:
        id: Hash of key and start, so that two replays of the same data name it alike.
        key: Names the condition; one key has at most one active alert.
        start: Source time of the first row of the excursion that was then confirmed (the on-delay
            is over ``on_delay - 1`` rows later, which is when the alert is raised).
        end: Source time of the first row back to normal, null while the condition holds.
        tag: The tag to look at first, null where the alert concerns no tag.
        tags: All tags concerned, the most important first.
        contributions: For multivariate alerts, shares averaged over the rows of the on-delay,
            largest first.
        diagnosis: For multivariate alerts, where the cause is and what it may be, in words.
        levels: For multivariate alerts, which of the first three tags changed their mean, and when.
        cause: Id of the multivariate alert that was open on this tag when it began: one cause.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    key: str
    kind: AlertKind
    severity: Severity
    state: AlarmState
    tag: str | None
    tags: tuple[str, ...]
    start: datetime
    end: datetime | None = None
    message: str
    contributions: tuple[Contribution, ...] = ()
    diagnosis: str = ""
    levels: tuple[LevelChange, ...] = ()
    cause: str | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    shelved_until: datetime | None = None
    withheld_reason: str | None = None

    @property
    def active(self) -> bool:
        """Whether the condition holds now."""
        return self.end is None

    def record(self) -> AlertRecord:
        """The alert as the state database keeps it."""
        return AlertRecord(
            id=self.id,
            key=self.key,
            kind=self.kind,
            severity=self.severity,
            state=self.state,
            started_at=self.start,
            ended_at=self.end,
            tags=self.tags,
            document=self.model_dump(mode="json"),
            shelved_until=self.shelved_until,
            shelve_reason=self.withheld_reason,
            acknowledged_by=self.acknowledged_by,
            acknowledged_at=self.acknowledged_at,
        )


class AlertEvent(BaseModel):
    """One transition of one alert; ``alert`` is the alert after it."""

    model_config = ConfigDict(frozen=True)

    alert: Alert
    transition: Transition
    previous: AlarmState
    at: datetime
    by: str = "system"
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A detector says that a condition, delays included, began or returned to normal.

    ``at`` is the row that settled it and ``since`` the first row of the excursion or of the return.
    """

    at: datetime
    since: datetime
    key: str
    kind: AlertKind
    active: bool
    severity: Severity = "medium"
    tags: tuple[str, ...] = ()
    message: str = ""
    contributions: tuple[Contribution, ...] = ()
    diagnosis: str = ""
    levels: tuple[LevelChange, ...] = ()


def alert_id(key: str, start: datetime) -> str:
    """Deterministic identity of the occurrence of ``key`` that began at ``start``."""
    return hashlib.sha256(f"{key}|{start.isoformat()}".encode()).hexdigest()[:12]


def _table() -> dict[tuple[AlarmState, Transition], tuple[AlarmState, AlarmState]]:
    """(state, transition) -> (state while the condition holds, state once it has returned)."""
    table: dict[tuple[AlarmState, Transition], tuple[AlarmState, AlarmState]] = {
        ("normal", "raise"): ("unacknowledged", "returned_unacknowledged"),
        ("unacknowledged", "escalate"): ("unacknowledged", "unacknowledged"),
        ("acknowledged", "escalate"): ("unacknowledged", "unacknowledged"),
        ("unacknowledged", "acknowledge"): ("acknowledged", "normal"),
        ("returned_unacknowledged", "acknowledge"): ("normal", "normal"),
        ("unacknowledged", "return"): ("unacknowledged", "returned_unacknowledged"),
        ("acknowledged", "return"): ("acknowledged", "normal"),
        ("returned_unacknowledged", "supersede"): ("normal", "normal"),
        # Whoever unshelves has seen the alarm; a shelf that runs out annunciates it anew.
        ("shelved", "unshelve"): ("acknowledged", "normal"),
        ("shelved", "shelve_expired"): ("unacknowledged", "normal"),
        ("suppressed_by_design", "unsuppress"): ("unacknowledged", "normal"),
        ("out_of_service", "return_to_service"): ("unacknowledged", "normal"),
    }
    withheld: tuple[AlarmState, ...] = ("shelved", "suppressed_by_design", "out_of_service")
    for state in withheld:
        table[state, "return"] = (state, state)
        table[state, "escalate"] = (state, state)
        table[state, "supersede"] = ("normal", "normal")
    shown: tuple[AlarmState, ...] = ("unacknowledged", "acknowledged", "returned_unacknowledged")
    for state in ("normal", *shown, "shelved"):
        table[state, "shelve"] = ("shelved", "shelved")
        table[state, "suppress"] = ("suppressed_by_design", "suppressed_by_design")
        table[state, "remove_from_service"] = ("out_of_service", "out_of_service")
    table["suppressed_by_design", "remove_from_service"] = ("out_of_service", "out_of_service")
    for state in ("normal", "returned_unacknowledged"):
        del table[state, "shelve"]
    return table


_NEXT = _table()


def next_state(state: AlarmState, transition: Transition, active: bool) -> AlarmState | None:
    """State after ``transition``; null where ISA-18.2 does not know that step.

    Args:
        active: Whether the condition holds after the transition.
    """
    found = _NEXT.get((state, transition))
    return None if found is None else found[0 if active else 1]
