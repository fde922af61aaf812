"""Sections of a summary that tell what happened: alerts, decisions, recommendations, writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

from orchestrator.clock import iso
from orchestrator.llm.answers.draft import Draft, as_sentence, clock, joined, number
from orchestrator.llm.summaries.windows import Window
from orchestrator.state.records import AlertRecord, DecisionRecord, JobRecord, OutcomeRecord
from orchestrator.state.repositories import Store

SEVERITIES = ("critical", "high", "medium", "low")
WITHHELD = ("shelved", "suppressed_by_design", "out_of_service")
MOST = 10
MOST_RECORDS = 5000
LONGEST_LIFE = timedelta(days=3)
"""Age up to which a recommendation may still change."""


async def raised(store: Store, window: Window) -> list[Draft]:
    """Alerts that began in the window, the most severe first."""
    found = [alert async for alert in _all(store.alerts.list, since=window.start, until=window.end)]
    if not found:
        return _none("No alert was raised.")
    count = Counter(alert.severity for alert in found)
    head = Draft("alert", "alerts")
    told = joined(f"{count[severity]} {severity}" for severity in SEVERITIES if count[severity])
    head.say(f"{len(found)} raised: {told}.")
    head.cite("alerts", "raised", len(found))
    for severity in SEVERITIES:
        if count[severity]:
            head.cite("alerts", f"raised, {severity}", count[severity])
    return [head, *_alerts(found)]


async def standing(store: Store, window: Window) -> list[Draft]:
    """Alerts that were active at the window's end and are not withheld."""
    found = [
        alert
        async for alert in _all(store.alerts.list, until=window.end)
        if (alert.ended_at is None or alert.ended_at >= window.end) and alert.state not in WITHHELD
    ]
    return _alerts(found) or _none("No alert was active at the end.")


async def withheld(store: Store) -> list[Draft]:
    """Alerts that are shelved, suppressed or out of service now."""
    drafts = []
    async for alert in _all(store.alerts.list, state=WITHHELD):
        draft = _alert(alert)
        until = clock(iso(alert.shelved_until)) if alert.shelved_until else "further notice"
        why = f": {alert.shelve_reason}" if alert.shelve_reason else ""
        draft.sentences = [
            f"{alert.state.replace('_', ' ').capitalize()} until {until}{why}. {_message(alert)}"
        ]
        drafts.append(draft)
    return drafts or _none("No alert is shelved or withheld.")


async def decisions(store: Store, window: Window) -> list[Draft]:
    """What was run and what came of it: one statement an operation, failures apart."""
    made = [
        record
        async for record in _all(store.decisions.list, since=window.start, until=window.end)
        if not record.dry_run and record.document["actions"]
    ]
    held = Counter(
        (item["operation"], item["reason"])
        for record in made
        for item in record.document.get("refused", ())
    )
    runs: dict[str, list[tuple[JobRecord, OutcomeRecord]]] = {}
    async for job in _all(store.jobs.list, since=window.start, until=window.end):
        outcome = await store.outcomes.get(job.id)
        if outcome is not None:
            runs.setdefault(f"{job.module}.{job.operation}", []).append((job, outcome))
    if not made and not runs:
        return _none("Nothing was decided that ran anything.")
    drafts = [_head(made)] if made else []
    for name, ended in sorted(runs.items()):
        good = [outcome for _, outcome in ended if outcome.status == "succeeded"]
        bad = [outcome for _, outcome in ended if outcome.status != "succeeded"]
        if good:
            drafts.append(_result(name, good))
        if bad:
            drafts.append(_failure(name, bad))
    for (operation, reason), times in held.most_common(MOST):
        draft = Draft("decision", "refused")
        draft.say(f"{operation} was held {times} times: {as_sentence(reason)}")
        draft.cite(operation, "held", times)
        drafts.append(draft)
    return drafts


async def recommendations(store: Store, window: Window) -> list[Draft]:
    """Recommendations that were made in the window or changed in it, and where each of them is now."""
    drafts = []
    begin = window.start - LONGEST_LIFE
    async for record in _all(store.recommendations.list, since=begin, until=window.end):
        draft = Draft("recommendation", record.id)
        at = iso(record.created_at)
        trail = await store.recommendations.trail(record.id)
        times = [record.created_at, *(step.at for step in trail)]
        if not any(window.start <= time < window.end for time in times):
            continue
        fate = record.state.replace("_", " ")
        if trail:
            last = trail[-1]
            fate += f" since {clock(iso(last.at))}, by {last.by}"
            fate += f" ({last.reason.rstrip('.')})" if last.reason else ""
        draft.say(f"{clock(at)}: {record.document.get('summary') or 'moves'}")
        draft.say(f"Now {fate}.")
        draft.cite(
            "recommendation", "worth", record.document.get("worth_usd_per_day"), "USD/d", time=at
        )
        for step in trail:
            draft.cite("recommendation", step.event, step.to_state, time=iso(step.at))
        if not draft.evidence:
            draft.cite("recommendation", "state", record.state, time=at)
        drafts.append(draft)
    return drafts or _none("No recommendation was made or changed.")


async def writes(store: Store, window: Window) -> list[Draft]:
    """Everything that was written, or refused to be written, to the plant."""
    drafts = []
    async for write in _all(store.writes.list, since=window.start, until=window.end):
        draft = Draft("write", write.id)
        at = iso(write.intended_at)
        who = joined(write.approvers) or (f"grant {write.grant_id}" if write.grant_id else "nobody")
        before = f"from {number(write.before)} " if write.before is not None else ""
        why = f": {write.text}" if write.text else ""
        draft.say(
            f"{clock(at)}: {write.tag} {before}to {number(write.value)}, "
            f"{write.state.replace('_', ' ')}, approved by {who}{why}"
        )
        draft.cite(write.tag, f"written, {write.state}", write.value, time=at)
        draft.cite(write.tag, "before", write.before, time=at)
        drafts.append(draft)
    return drafts or _none("Nothing was written to the plant.")


def _head(made: list[DecisionRecord]) -> Draft:
    by = Counter(record.decided_by for record in made)
    draft = Draft("decision", made[0].id)
    told = joined(f"{count} by {who}" for who, count in by.most_common())
    draft.say(f"{len(made)} decisions ran something ({told}).")
    draft.cite("decisions", "that ran something", len(made))
    because = Counter(
        trigger["because"] for record in made for trigger in record.document["triggers"]
    )
    if because:
        told = joined((f"{why} ({times})" for why, times in because.most_common(5)), 5)
        draft.say(f"Most often because: {told}.")
    return draft


def _result(name: str, good: list[OutcomeRecord]) -> Draft:
    last = max(good, key=lambda outcome: outcome.ended_at)
    draft = Draft("operation", last.job_id)
    times = "" if len(good) == 1 else f" ({len(good)} runs, the last of them)"
    summary = str((last.result or {}).get("summary") or "ended")
    draft.say(f"{name}{times}, {clock(iso(last.ended_at))}: {summary}")
    draft.cite(name, "result", summary, time=iso(last.ended_at))
    draft.cite(name, "runs that succeeded", len(good))
    return draft


def _failure(name: str, bad: list[OutcomeRecord]) -> Draft:
    last = max(bad, key=lambda outcome: outcome.ended_at)
    draft = Draft("operation", last.job_id)
    why = str((last.error or {}).get("detail") or last.status.replace("_", " "))
    times = "" if len(bad) == 1 else f", {len(bad)} times"
    draft.say(f"{name} did not succeed{times}: {as_sentence(why)}")
    draft.cite(name, last.status, why, time=iso(last.ended_at))
    draft.cite(name, "runs that did not succeed", len(bad))
    return draft


def _alerts(found: list[AlertRecord]) -> list[Draft]:
    found.sort(key=lambda alert: (SEVERITIES.index(alert.severity), alert.started_at))
    drafts = [_alert(alert) for alert in found[:MOST]]
    if len(found) > MOST:
        more = Draft("alert", "alerts")
        more.say(f"{len(found) - MOST} more of lower severity.")
        more.cite("alerts", "not listed", len(found) - MOST)
        drafts.append(more)
    return drafts


def _alert(alert: AlertRecord) -> Draft:
    draft = Draft("alert", alert.id)
    at = iso(alert.started_at)
    ended = f", ended {clock(iso(alert.ended_at))}" if alert.ended_at else ""
    who = f", acknowledged by {alert.acknowledged_by}" if alert.acknowledged_by else ""
    state = alert.state.replace("_", " ")
    draft.say(
        f"{alert.severity} {alert.kind}, since {clock(at)}{ended} ({state}{who}): {_message(alert)}"
    )
    draft.cite(", ".join(alert.tags), alert.kind, _message(alert), time=at)
    return draft


def _message(alert: AlertRecord) -> str:
    return as_sentence(str(alert.document.get("message") or alert.key))


def _none(text: str) -> list[Draft]:
    draft = Draft("status", "none")
    draft.say(text)
    return [draft]


async def _all(list_page: Callable[..., Any], **filters: Any) -> AsyncIterator[Any]:
    """All records of a list, page by page; at most ``MOST_RECORDS``."""
    cursor, count = None, 0
    while count < MOST_RECORDS:
        page = await list_page(**filters, cursor=cursor, limit=500)
        for item in page.items:
            yield item
        count += len(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return
