"""Sections of a summary that rest on measured values: data quality, forecasts against actuals, the market."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from orchestrator.clock import iso
from orchestrator.llm.answers.draft import Draft, clock, number
from orchestrator.llm.summaries.windows import Window
from orchestrator.plant.tags import Plant
from orchestrator.state.records import OutcomeRecord
from orchestrator.state.repositories import Store

if TYPE_CHECKING:
    from orchestrator.plant.historian import Historian

LOOK_BACK = timedelta(days=3)
"""Age of the forecasts, at the window's begin, that may still speak of the window."""
MOST_FORECASTS = 5
MOST_TAGS = 8
MOMENT = timedelta(microseconds=1)
MARKET_REACH = timedelta(days=4)
"""How far before the window's begin a price may lie that still held then: over a weekend."""


async def quality(store: Store, window: Window) -> list[Draft]:
    """The worst and the last score among the situations that were decided on."""
    seen = []
    cursor = None
    while True:
        page = await store.decisions.list(
            since=window.start, until=window.end, cursor=cursor, limit=500
        )
        for record in page.items:
            facts = record.situation.get("data_quality") or {}
            if facts.get("score") is not None:
                seen.append((record, facts))
        cursor = page.next_cursor
        if cursor is None or len(seen) > 5000:
            break
    if not seen:
        return [_none("No data quality is on record: nothing was decided on a live situation.")]
    drafts = []
    last = max(seen, key=lambda item: item[0].created_at)
    worst = min(seen, key=lambda item: item[1]["score"])
    for what, (record, facts) in (("at the last decision", last), ("at its worst", worst)):
        draft = Draft("decision", record.id)
        at = iso(record.created_at)
        also = [
            f"{facts[name]:g} {words}"
            for name, words in (("stale_tags", "stale"), ("frozen_tags", "frozen"))
            if facts.get(name)
        ]
        more = f" ({', '.join(also)} tags)" if also else ""
        draft.say(f"{number(100 * facts['score'], '%')} {what}, {clock(at)}{more}.")
        draft.cite("plant data", "data quality", 100 * facts["score"], "%", time=at)
        for name in ("stale_tags", "frozen_tags", "balance_error_pct", "missing_share"):
            draft.cite("plant data", name.replace("_", " "), facts.get(name), time=at)
        drafts.append(draft)
        if last[0].id == worst[0].id:
            break
    return drafts


async def forecasts_for(store: Store, window: Window) -> list[OutcomeRecord]:
    """The newest forecasts that were made before the window's end and may speak of it."""
    page = await store.jobs.list(
        module="forecasting",
        operation="forecast",
        status="succeeded",
        since=window.start - LOOK_BACK,
        until=window.end,
        limit=50,
    )
    found = []
    for job in page.items:
        outcome = await store.outcomes.get(job.id)
        if outcome is not None and outcome.result is not None and _inside(outcome, window):
            found.append(outcome)
        if len(found) == MOST_FORECASTS:
            break
    return found


def against_actuals(
    made: Sequence[OutcomeRecord], historian: Historian, window: Window
) -> list[Draft]:
    """For each target: how far the forecasts were off the means that were then measured."""
    drafts = []
    done: set[str] = set()
    for outcome in made:
        result = outcome.result or {}
        period = timedelta(seconds=result["period_seconds"])
        targets = dict.fromkeys(point["target"] for point in result["forecasts"])
        for target in targets:
            if target in done or len(done) >= MOST_TAGS:
                continue
            points = [p for p in result["forecasts"] if p["target"] == target]
            draft = _compared(outcome, target, points, period, historian, window)
            if draft is not None:
                done.add(target)
                drafts.append(draft)
    return drafts or [_none("No forecast speaks of this time, or no value of it was measured.")]


def market(plant: Plant, historian: Historian, window: Window) -> list[Draft]:
    """How each price that the plant knows has moved."""
    drafts = []
    for tag in plant.tags:
        if tag.kind != "price":
            continue
        before = _last(historian, tag.name, window.start - MARKET_REACH, window.start)
        after = _last(historian, tag.name, window.start, window.end)
        if before is None or after is None or before[1] == 0:
            continue
        change = after[1] - before[1]
        draft = Draft("historian", tag.name)
        name = f"{tag.description} ({tag.name})" if tag.description else tag.name
        percent = 100 * change / abs(before[1])
        draft.say(
            f"{name}: {number(before[1])} to {number(after[1], tag.unit)} "
            f"({change:+.4g}, {percent:+.2g} %)."
        )
        draft.cite(tag.name, "before", before[1], tag.unit, time=iso(before[0]))
        draft.cite(tag.name, "after", after[1], tag.unit, time=iso(after[0]))
        draft.cite(tag.name, "change", change, tag.unit)
        draft.cite(tag.name, "change", percent, "%")
        drafts.append(draft)
    return drafts or [_none("No price was measured in this time.")]


def _inside(outcome: OutcomeRecord, window: Window) -> bool:
    points = (outcome.result or {}).get("forecasts") or ()
    return any(window.start <= _time(point) < window.end for point in points)


def _compared(
    outcome: OutcomeRecord,
    target: str,
    points: Sequence[dict[str, Any]],
    period: timedelta,
    historian: Historian,
    window: Window,
) -> Draft | None:
    if target not in historian.tags():
        return None
    pairs = []
    for point in points:
        at = _time(point)
        if not (window.start <= at and at + period <= window.end):
            continue
        # A forecast value is the mean over a step that begins at its time.
        values = historian.read([target], at, at + period - MOMENT).column(target).to_numpy()
        good = values[values == values]
        if len(good):
            pairs.append((point, float(good.mean())))
    if not pairs:
        return None
    misses = [abs(actual - point["mean"]) for point, actual in pairs]
    inside = [
        point["quantiles"]["0.1"] <= actual <= point["quantiles"]["0.9"]
        for point, actual in pairs
        if {"0.1", "0.9"} <= point["quantiles"].keys()
    ]
    unit = ((outcome.result or {})["models"].get(target) or {}).get("unit") or ""
    mean = sum(misses) / len(misses)
    point, actual = pairs[misses.index(max(misses))]
    draft = Draft("operation", outcome.job_id)
    share = f", {sum(inside)} of {len(inside)} inside the 80 % interval" if inside else ""
    draft.say(
        f"{target}: off by {number(mean, unit)} on average over {len(pairs)} values{share}; "
        f"farthest off at {clock(point['time'])}, {number(point['mean'])} forecast and "
        f"{number(actual, unit)} measured."
    )
    draft.cite(target, "mean absolute error", mean, unit)
    draft.cite(target, "values compared", len(pairs))
    if inside:
        draft.cite(target, "values inside the 80 % interval", sum(inside))
    draft.cite(target, "forecast", point["mean"], unit, time=point["time"])
    draft.cite(target, "measured", actual, unit, time=point["time"])
    return draft


def _last(
    historian: Historian, tag: str, start: datetime, end: datetime
) -> tuple[datetime, float] | None:
    if tag not in historian.tags():
        return None
    table = historian.read([tag], start, end)
    values = table.column(tag).to_numpy()
    good = (values == values).nonzero()[0]
    if not len(good):
        return None
    from orchestrator.plant.samples import to_datetime

    index = good[-1]
    return to_datetime(table.column("time").to_numpy()[index]), float(values[index])


def _time(point: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(point["time"])


def _none(text: str) -> Draft:
    draft = Draft("status", "none")
    draft.say(text)
    return draft
