"""Moves against active alerts: on the tag itself, in its area, or pushing a tag in alarm further."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestrator.plant.envelope import Envelope
from orchestrator.plant.write_facts import SEVERITIES, ActiveAlert
from orchestrator.plant.write_rules import Finding

_WAIT = "clear the alert first, or leave this tag where it is"
_SERIOUS = SEVERITIES.index("high")
_LISTED = 5
"""Tags of an alert that are named."""
_SHARE_OF_SPAN = 1e-3
"""A change below this share of a tag's normal range is no push."""


def alert_conflicts(
    changes_of_handles: Mapping[str, float],
    alerts: tuple[ActiveAlert, ...],
    envelope: Envelope,
    responses: Mapping[str, float],
    *,
    answered_for: bool,
) -> Iterator[Finding]:
    """What active alerts hold against moves.

    An alert that is explained is told, and holds nothing where a person answers for the moves.

    Args:
        changes_of_handles: Tag -> its whole change, in its unit.
        alerts: Active alerts.
        envelope: Its plant file tells areas and spans; its settings, which alerts hold which tags.
        responses: Tag -> expected change of the whole proposal, in its unit; what is not there is unknown.
        answered_for: Whether a person approves or has approved the moves, rather than a grant.
    """
    for alert in alerts:
        found = _against(alert, changes_of_handles, envelope, responses)
        if not (alert.explained and answered_for):
            yield from found
            continue
        told = next(found, None)
        if told is not None:
            text = f"there is {_shown(alert)}; {alert.explained}"
            yield Finding("alert-explained", text, tag=told.tag, weight="warning")


def _against(
    alert: ActiveAlert,
    changes_of_handles: Mapping[str, float],
    envelope: Envelope,
    responses: Mapping[str, float],
) -> Iterator[Finding]:
    relieved = _relieves(alert, changes_of_handles, responses)
    for tag in changes_of_handles:
        finding = _on_handle(tag, alert, envelope, relieved)
        if finding is not None:
            yield finding
    if not relieved:
        yield from _pushed(alert, envelope, responses)


def _relieves(
    alert: ActiveAlert, changes: Mapping[str, float], responses: Mapping[str, float]
) -> bool:
    """Whether every tag of the alert is expected to move back inside."""
    if alert.side is None or not alert.tags:
        return False
    inward = -1.0 if alert.side == "high" else 1.0
    return all(inward * (changes.get(t) or responses.get(t) or 0.0) > 0 for t in alert.tags)


def _on_handle(tag: str, alert: ActiveAlert, envelope: Envelope, relieved: bool) -> Finding | None:
    own = envelope.tag(tag)
    shown = _shown(alert)
    if relieved:
        return None
    if tag in alert.tags:
        return Finding("alert-on-tag", f"{tag} is to be moved and has {shown}", _WAIT, tag)
    if own is not None and not set(own.conflicts).isdisjoint(alert.tags):
        return Finding("alert-conflict", f"{tag} is not moved while there is {shown}", _WAIT, tag)
    least = envelope.settings.area_severity
    moved = envelope.plant.by_name.get(tag)
    area = moved.area if moved is not None else ""
    if least == "never" or not area or alert.rank < SEVERITIES.index(least):
        return None
    areas = {found.area for t in alert.tags if (found := envelope.plant.by_name.get(t))}
    if area in areas:
        return Finding("alert-in-area", f"{tag} is in area {area}, which has {shown}", _WAIT, tag)
    return None


def _pushed(
    alert: ActiveAlert, envelope: Envelope, responses: Mapping[str, float]
) -> Iterator[Finding]:
    for tag in alert.tags:
        change = responses.get(tag, 0.0)
        known = envelope.plant.by_name.get(tag)
        span = known.normal[1] - known.normal[0] if known and known.normal else 0.0
        if abs(change) <= _SHARE_OF_SPAN * span or change == 0.0:
            continue
        if alert.side is None:
            yield Finding(
                "alert-touched",
                f"{tag} would change by {change:+.3g} and has {_shown(alert)}; which way is worse is not known",
                _WAIT,
                tag,
                change,
                weight="veto" if alert.rank >= _SERIOUS else "warning",
            )
        elif (change > 0) == (alert.side == "high"):
            yield Finding(
                "alert-pushed",
                f"{tag} would be pushed further by {change:+.3g} and has {_shown(alert)}",
                _WAIT,
                tag,
                change,
            )


def _shown(alert: ActiveAlert) -> str:
    severity = alert.severity or "unrated"
    side = f" {alert.side}" if alert.side else ""
    tags = ", ".join(alert.tags[:_LISTED]) or "the plant"
    more = f" and {len(alert.tags) - _LISTED} more" if len(alert.tags) > _LISTED else ""
    return f"an active {severity} {alert.kind}{side} alert on {tags}{more}"
