"""The alert book: alerts without duplicates, their life cycle, and the journal of every step."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from orchestrator.clock import iso
from orchestrator.errors import ConflictError, NotFoundError, ParameterError
from orchestrator.monitoring.alarm_rates import FLOOD, PERIOD
from orchestrator.monitoring.life_cycle import (
    ANNUNCIATED,
    SEVERITIES,
    WITHHELD,
    Alert,
    AlertEvent,
    Change,
    Severity,
    Transition,
    alert_id,
    next_state,
)
from orchestrator.state.records import AlarmState

WITHHELD_IN_FLOOD: frozenset[Severity] = frozenset({"low", "medium"})
NOT_SEEN = "not seen again since the restart"
KEPT_ALERTS = 5_000
KEPT_EVENTS = 20_000


@dataclass(frozen=True, slots=True)
class _Withholding:
    """Why a key is not annunciated, and until when (null: until somebody ends it)."""

    state: AlarmState
    reason: str
    until: datetime | None


class AlertBook:
    """All alerts of one plant. Not thread-safe: one owner calls it, as the monitor does.

    A key that begins again after it had returned is a new alert; the older one, if nobody had
    acknowledged it, is superseded, so that the list shows one line for one condition. Shelving
    holds for the key: new occurrences before the expiry are recorded and not annunciated.
    """

    def __init__(self) -> None:
        self._alerts: dict[str, Alert] = {}
        self._latest: dict[str, str] = {}
        self._withheld: dict[str, _Withholding] = {}
        self._unseen: set[str] = set()
        self._journal: deque[AlertEvent] = deque(maxlen=KEPT_EVENTS)
        self._recent: deque[datetime] = deque(maxlen=FLOOD)

    def open(self) -> list[Alert]:
        """Active alerts that are annunciated (not withheld), oldest first."""
        return [
            alert
            for alert in self._alerts.values()
            if alert.end is None and alert.state in ANNUNCIATED
        ]

    def all(self) -> list[Alert]:
        """Every alert still kept, oldest first; the last 5 000 that are over, and all others."""
        return list(self._alerts.values())

    def journal(self) -> list[AlertEvent]:
        """The last transitions, oldest first."""
        return list(self._journal)

    def get(self, id_: str) -> Alert:
        """The alert ``id_``.

        Raises:
            NotFoundError: no such alert.
        """
        try:
            return self._alerts[id_]
        except KeyError:
            raise NotFoundError(
                f"no alert {id_!r}", remedy="list the alerts with: dan-g alerts"
            ) from None

    def restore(self, alerts: Iterable[Alert]) -> None:
        """Take over alerts of an earlier run, as they were stored; nothing is annunciated.

        What may have ended in between counts as active until :meth:`end_unseen`.
        """
        for alert in sorted(alerts, key=lambda item: item.start):
            self._alerts[alert.id] = alert
            self._latest[alert.key] = alert.id
            if alert.active:
                self._unseen.add(alert.key)
            if alert.state in WITHHELD:
                self._withheld[alert.key] = _Withholding(
                    alert.state, alert.withheld_reason or "", alert.shelved_until
                )

    @property
    def has_unseen(self) -> bool:
        """Whether an alert was taken over of which no detector has told since."""
        return bool(self._unseen)

    def end_unseen(self, kind: str, at: datetime) -> list[AlertEvent]:
        """End the alerts of a kind that were taken over and of which no detector has told since."""
        events = []
        for key in sorted(self._unseen):
            current = self._current(key)
            if current is not None and current.active and current.kind == kind:
                self._unseen.discard(key)
                events.append(self._step(current, "return", at, reason=NOT_SEEN, end=at))
        return events

    def apply(self, change: Change) -> list[AlertEvent]:
        """Take in what a detector says; returns the transitions it causes (none for a duplicate)."""
        events = self.tick(change.at)
        self._unseen.discard(change.key)
        current = self._current(change.key)
        if not change.active:
            if current is not None and current.active:
                events.append(self._step(current, "return", change.at, end=change.since))
            return events
        if current is not None and current.active:
            if SEVERITIES.index(change.severity) > SEVERITIES.index(current.severity):
                events.append(
                    self._step(
                        current,
                        "escalate",
                        change.at,
                        severity=change.severity,
                        message=change.message,
                    )
                )
            return events
        if current is not None and current.state != "normal":
            events.append(
                self._step(
                    current, "supersede", change.at, shelved_until=None, withheld_reason=None
                )
            )
        events.extend(self._withhold_in_flood(change))
        event = self._raise(change)
        if event.alert.state in ANNUNCIATED:
            self._recent.append(change.at)
        events.append(event)
        return events

    def _withhold_in_flood(self, change: Change) -> list[AlertEvent]:
        """In a flood the less urgent is withheld for ten minutes; what still holds then is annunciated."""
        flood = len(self._recent) == FLOOD and change.at - self._recent[0] < PERIOD
        if not flood or change.severity not in WITHHELD_IN_FLOOD:
            return []
        reason = f"alarm flood: {FLOOD} alerts in {PERIOD.total_seconds() / 60:.0f} minutes"
        return self.suppress(change.key, reason, change.at, until=change.at + PERIOD)

    def acknowledge(self, id_: str, by: str, at: datetime) -> AlertEvent:
        """Somebody has seen the alert.

        Raises:
            NotFoundError: no such alert.
            ConflictError: it is not waiting for an acknowledgement.
        """
        return self._step(
            self.get(id_), "acknowledge", at, by, acknowledged_by=by, acknowledged_at=at
        )

    def shelve(self, id_: str, until: datetime, reason: str, by: str, at: datetime) -> AlertEvent:
        """Put the alert, and new occurrences of its key, aside until a time.

        Raises:
            NotFoundError: no such alert.
            ParameterError: no reason, or ``until`` is not after ``at``.
            ConflictError: the alert is over, suppressed or out of service.
        """
        _checked_withholding(reason, until, at)
        alert = self.get(id_)
        event = self._step(
            alert, "shelve", at, by, reason, shelved_until=until, withheld_reason=reason
        )
        self._withheld[alert.key] = _Withholding("shelved", reason, until)
        return event

    def unshelve(self, id_: str, by: str, at: datetime) -> AlertEvent:
        """Take the alert off the shelf; whoever does has seen it, so it counts as acknowledged.

        Raises:
            NotFoundError: no such alert.
            ConflictError: it is not shelved.
        """
        return self._release(
            self.get(id_), "unshelve", at, by, acknowledged_by=by, acknowledged_at=at
        )

    def withhold(
        self,
        id_: str,
        how: Literal["suppress", "remove_from_service"],
        reason: str,
        by: str,
        at: datetime,
        *,
        until: datetime | None = None,
    ) -> AlertEvent:
        """Suppress an alert by design or take it out of service, and new occurrences of its key.

        Args:
            id_: The alert.
            how: What a person does.
            reason: Why.
            by: Who.
            at: When.
            until: When a suppression ends by itself; null where somebody ends it.

        Raises:
            NotFoundError: no such alert.
            ParameterError: no reason, or ``until`` is not after ``at``.
            ConflictError: its state does not allow it, or a later alert of the key is there.
        """
        _checked_withholding(reason, until, at)
        alert = self._newest(id_)
        event = self._step(alert, how, at, by, reason, withheld_reason=reason, shelved_until=until)
        self._withheld[alert.key] = _Withholding(event.alert.state, reason, until)
        return event

    def give_back(
        self, id_: str, how: Literal["unsuppress", "return_to_service"], by: str, at: datetime
    ) -> AlertEvent:
        """End :meth:`withhold`; what still holds is annunciated.

        Raises:
            NotFoundError: no such alert.
            ConflictError: it is not withheld in that way, or a later alert of the key is there.
        """
        return self._release(self._newest(id_), how, at, by)

    def _newest(self, id_: str) -> Alert:
        alert = self.get(id_)
        newest = self._latest.get(alert.key)
        if newest not in (None, id_):
            raise ConflictError(
                f"alert {id_!r} is an earlier one of its condition",
                where=alert.key,
                remedy=f"name the newest: {newest}",
            )
        return alert

    def suppress(
        self,
        key: str,
        reason: str,
        at: datetime,
        by: str = "system",
        *,
        until: datetime | None = None,
    ) -> list[AlertEvent]:
        """Withhold a key by design (for example low flow of a pump that is stopped).

        Where it ends by itself, at ``until``, what is still active then is annunciated. A key that a
        person has shelved or taken out of service stays as it is.
        """
        held = self._withheld.get(key)
        if held is not None and held.state != "suppressed_by_design" and until is not None:
            return []
        _checked_withholding(reason, None, at)
        current = self._current(key)
        events = []
        if current is not None and current.state not in {"normal", "suppressed_by_design"}:
            changes = {"withheld_reason": reason, "shelved_until": None}
            events.append(self._step(current, "suppress", at, by, reason, **changes))
        self._withheld[key] = _Withholding("suppressed_by_design", reason, until)
        return events

    def tick(self, at: datetime) -> list[AlertEvent]:
        """Let shelves and suppressions run out that end by ``at``; each event has the time of that end."""
        if not self._withheld:
            return []
        due = sorted(
            (held.until, key)
            for key, held in self._withheld.items()
            if held.until is not None and held.until <= at
        )
        events = []
        for until, key in due:
            current, state = self._current(key), self._withheld[key].state
            if current is None or current.state != state:
                del self._withheld[key]
            else:
                over: Transition = "shelve_expired" if state == "shelved" else "unsuppress"
                events.append(self._release(current, over, until, "system"))
        return events

    def _current(self, key: str) -> Alert | None:
        latest = self._latest.get(key)
        return None if latest is None else self._alerts[latest]

    def _raise(self, change: Change) -> AlertEvent:
        held = self._withheld.get(change.key)
        alert = Alert(
            id=alert_id(change.key, change.since),
            key=change.key,
            kind=change.kind,
            severity=change.severity,
            state="unacknowledged" if held is None else held.state,
            tag=change.tags[0] if change.tags else None,
            tags=change.tags,
            start=change.since,
            message=change.message,
            contributions=change.contributions,
            diagnosis=change.diagnosis,
            levels=change.levels,
            cause=self._cause(change),
            shelved_until=None if held is None else held.until,
            withheld_reason=None if held is None else held.reason,
        )
        self._alerts.pop(alert.id, None)
        self._latest[alert.key] = alert.id
        return self._keep(alert, "raise", "normal", change.at)

    def _cause(self, change: Change) -> str | None:
        """The open multivariate alert that names the tag."""
        if change.kind == "anomaly":
            return None
        named = (
            alert
            for key, id_ in self._latest.items()
            if key.startswith("anomaly:")
            and (alert := self._alerts[id_]).active
            and set(change.tags) & set(alert.tags)
        )
        return next((alert.id for alert in named), None)

    def _release(
        self, alert: Alert, transition: Transition, at: datetime, by: str, **changes: Any
    ) -> AlertEvent:
        event = self._step(
            alert, transition, at, by, shelved_until=None, withheld_reason=None, **changes
        )
        self._withheld.pop(alert.key, None)
        return event

    def _step(
        self,
        alert: Alert,
        transition: Transition,
        at: datetime,
        by: str = "system",
        reason: str | None = None,
        **changes: Any,
    ) -> AlertEvent:
        changed = alert.model_copy(update=changes)
        state = next_state(alert.state, transition, changed.active)
        if state is None:
            raise ConflictError(
                f"alert {alert.id!r} is {alert.state.replace('_', ' ')}; "
                f"it cannot {transition.replace('_', ' ')} now",
                where=alert.key,
            )
        changed = changed.model_copy(update={"state": state})
        return self._keep(changed, transition, alert.state, at, by, reason)

    def _keep(
        self,
        alert: Alert,
        transition: Transition,
        previous: AlarmState,
        at: datetime,
        by: str = "system",
        reason: str | None = None,
    ) -> AlertEvent:
        self._alerts[alert.id] = alert
        event = AlertEvent(
            alert=alert, transition=transition, previous=previous, at=at, by=by, reason=reason
        )
        self._journal.append(event)
        if len(self._alerts) > KEPT_ALERTS:
            self._forget()
        return event

    def _forget(self) -> None:
        """Drop the oldest tenth of the alerts that are over, and that no shelf refers to."""
        over = [
            alert
            for alert in self._alerts.values()
            if not alert.active and alert.state not in WITHHELD
        ]
        for alert in over[: KEPT_ALERTS // 10]:
            del self._alerts[alert.id]
            if self._latest.get(alert.key) == alert.id:
                del self._latest[alert.key]


def _checked_withholding(reason: str, until: datetime | None, at: datetime) -> None:
    if not reason.strip():
        raise ParameterError("what is withheld needs a reason", where="reason")
    if until is not None and (until.tzinfo is None or until <= at):
        raise ParameterError(
            f"it must end after {iso(at)}, got {iso(until)}",
            where="until",
            remedy="give a later time with a time zone",
        )
