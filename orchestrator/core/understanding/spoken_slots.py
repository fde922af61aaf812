"""The slots that one turn's own words fill, and what they become beside those of the turns before."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from orchestrator.core.slots import (
    DAYS_BACK,
    HOURS_AHEAD,
    find_changes,
    find_product,
    find_property,
    find_tags,
    find_unit,
    whole,
)
from orchestrator.core.understanding.durations import Duration, find_durations

LOOKS_BACK = frozenset(
    {"forecasting.backtest", "etl.validate", "etl.reconcile", "etl.clean", "etl.ingest", "history"}
)
OF_FORECASTS = frozenset({"forecasting.backtest", "forecasting.explain"})
LONGEST_LEAD = 96.0
"""A time [h] up to which words as ``the 24 h forecast`` name the lead of the forecast."""
LEAST_IN_DAYS, MOST_DAYS = 72.0, 14.0
"""Whole days ahead [h] from which a bare number counts days, and the most days that it then means."""
SUBJECTS = ("tags", "product", "property", "unit")
_SPAN = re.compile(
    r"\b(?:over|for|during|in|across|within|from|sur|pendant|uber|auf|durante|su|op) (?:the |los |las |die |der )?$"
)
_OUTAGE = re.compile(r"\b(?:out|down|off|offline|stopped|shut|away|lost) for $")
"""Words before the length of a supposed outage, which is no horizon."""
_RULED_OUT = re.compile(r"\b(?:not|no|without|instead of|rather than|don't|dont|skip)\b[^,.;?!]*")
_BARE_NUMBER = re.compile(r"(?<![\w.,-])(\d+(?:[.,]\d+)?)(?![\w.,]|\d| ?%)")
_TIMES = ((re.compile(r"\b(?:double|doubled|twice|doble|doppelt\w*|le double|dobro|doppio)\b"), 2.0), (re.compile(r"\b(?:halve|half|halved|moitie|halb\w*|mitad|meta)\b"), 0.5))  # fmt: skip


def spoken_slots(
    text: str, operations: Collection[str], before: Mapping[str, Any], about: Sequence[str]
) -> dict[str, Any]:
    """What folded words say.

    Args:
        text: Folded words.
        operations: What they want; empty where they name nothing.
        before: The slots of the turn before.
        about: What the turn before was about.
    """
    wanted = frozenset(operations) or frozenset(about)
    product = find_product(_RULED_OUT.sub(" ", text), before.get("product"))
    found: dict[str, Any] = {
        "tags": find_tags(text),
        "product": product or find_product(text, before.get("product")),
        "property": find_property(text),
        "unit": find_unit(text),
    }
    only_back = not operations and DAYS_BACK in before and HOURS_AHEAD not in before
    for duration in find_durations(text):
        if "optimization.what_if" in operations and _OUTAGE.search(text[: duration.start]):
            continue
        if (
            only_back
            if duration.back is None and not operations and before
            else _is_back(text, duration, wanted)
        ):
            found[DAYS_BACK] = whole(duration.hours / 24)
        else:
            found[HOURS_AHEAD] = whole(duration.hours)
    if "optimization.what_if" in operations:
        found["changes"] = find_changes(text)
    return {name: value for name, value in found.items() if value not in (None, [])}


def _is_back(text: str, duration: Duration, wanted: frozenset[str]) -> bool:
    if duration.back is not None:
        return duration.back
    if wanted and wanted <= OF_FORECASTS:
        spans = _SPAN.search(text[: duration.start]) is not None
        return spans or duration.hours > LONGEST_LEAD
    return bool(wanted) and all(
        name in LOOKS_BACK or name.startswith("analysis.") for name in wanted
    )


def bare_change(
    text: str, before: Mapping[str, Any], operations: Collection[str]
) -> dict[str, Any]:
    """What a bare number (``make it 18``) or ``double that`` changes of the slots before."""
    number = _BARE_NUMBER.search(text)
    size = float(number[1].replace(",", ".")) if number else None
    factor = next((factor for pattern, factor in _TIMES if pattern.search(text)), None)
    if "optimization.what_if" in operations and before.get("changes"):
        last = dict(before["changes"][-1])
        if size is not None:
            last["by"] = whole(-size if last["by"] < 0 else size)
        elif factor is not None:
            last["by"] = whole(last["by"] * factor)
        return {"changes": [last]}
    looks_back = bool(operations) and all(
        name in LOOKS_BACK or name.startswith("analysis.") for name in operations
    )
    keys = (DAYS_BACK, HOURS_AHEAD) if looks_back else (HOURS_AHEAD, DAYS_BACK)
    key = next((key for key in keys if key in before), None)
    if key is None:
        return {}
    if size is not None:
        counted_in_days = (
            key == HOURS_AHEAD
            and before[key] >= LEAST_IN_DAYS
            and before[key] % 24 == 0
            and size <= MOST_DAYS
        )
        return {key: whole(size * 24 if counted_in_days else size)}
    return {} if factor is None else {key: whole(before[key] * factor)}


def refers(text: str, named: Sequence[str]) -> list[str]:
    """Tags of the turns before to which ``the second one`` or ``both`` refers."""
    if len(named) < 2:
        return []
    if re.search(r"\b(?:both|les deux|beide|ambos|ambas|entrambi)\b|两个", text):
        return list(named[-2:])
    if re.search(
        r"\b(?:second|latter|other|deuxieme|second[eoa]|zweite\w*|segund[oa]|tweede)(?: (?:one|tag|sensor))?\b|第二",
        text,
    ) and not re.search(r"\bseconds\b", text):
        return [named[1]]
    if re.search(
        r"\b(?:first|former|premier\w*|erste\w*|primer[oa]?|prim[oa]|eerste) (?:one|tag|sensor)\b|\bthe (?:former|first)(?= ?(?:$|[,.?!]| please| only| too| then))|第一",
        text,
    ):
        return [named[0]]
    if re.search(r"\b(?:third|troisieme|dritte\w*) (?:one|tag|sensor)\b", text) and len(named) > 2:
        return [named[2]]
    return []


def replaced(before: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Slots before, with those that the words say; a new subject takes the place of one of another kind."""
    kept = dict(before)
    if "tags" in said and "product" not in said:
        for name in ("product", "property", "unit"):
            kept.pop(name, None)
    if "product" in said and "tags" not in said:
        kept.pop("tags", None)
    return {**kept, **said}
