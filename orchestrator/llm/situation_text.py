"""The situation as a model reads it: what matters first, limits beside values, age and zone with every time.

Each line is a fact with its unit inside the number. Lines have a rank; where not all fit into the budget of
tokens the least important are left out, and it is said how many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from orchestrator.clock import iso
from orchestrator.config import DecisionEngineSettings
from orchestrator.core.policy import policy_of
from orchestrator.core.situation import Situation
from orchestrator.core.triggers import RuleBook
from orchestrator.llm.fence import fenced, one_line
from orchestrator.plant.samples import Quality, Sample
from orchestrator.plant.tags import Plant, Tag

TOKENS = 2000
CHARACTERS_A_TOKEN = 3.0
"""English technical text with numbers has 3 to 4 characters a token in the common vocabularies."""
SEVERITIES = ("critical", "high", "medium", "low")
UNITS = {
    "margin_usd_per_bbl": "USD/bbl",
    "energy_index": "(index)",
    "age_minutes": "min",
    "trend_per_day": "a day",
    "window_starts_in_minutes": "min",
    "last_success_minutes": "min",
    "p95_seconds": "s",
}
"""Units of the situation's fields whose names do not end in one."""

Limits = Mapping[tuple[str, ...], str]


@dataclass(frozen=True, slots=True)
class Line:
    """A fact; a lower rank is more important."""

    rank: float
    text: str


def rule_limits(settings: DecisionEngineSettings) -> dict[tuple[str, ...], str]:
    """For each field that rules compare, the thresholds in words (``rules act at <= -2``)."""
    policy = policy_of(settings)
    book = RuleBook(policy.triggers, policy.where)
    told: dict[tuple[str, ...], list[str]] = {}
    for compared in (book.compared, book.compared_in):
        for comparisons in compared.values():
            for item in comparisons:
                size = "size " if item.absolute else ""
                told.setdefault(item.path, []).append(f"{size}{item.op} {item.threshold:g}")
    limits = {
        path: f"rules act at {' or '.join(dict.fromkeys(texts))}" for path, texts in told.items()
    }
    for module, least in sorted(policy.gates.min_quality.items()):
        where = ("data_quality", "score")
        before = f"{limits[where]}, " if where in limits else ""
        limits[where] = f"{before}{module} needs >= {least:g}"
    return limits


def situation_text(
    situation: Situation,
    *,
    now: datetime,
    plant: Plant | None = None,
    samples: Mapping[str, Sample] | None = None,
    limits: Limits | None = None,
    zone: tzinfo = UTC,
    tokens: int = TOKENS,
) -> str:
    """The situation and the newest values as text of at most about ``tokens`` tokens.

    Args:
        situation: What is known.
        now: The present, in the same time as the samples.
        plant: Tags with descriptions, units and limits.
        samples: Newest sample of each tag that may be shown.
        limits: What to say beside a field of the situation, by its path.
        zone: Zone in which people of the plant read the clock.
        tokens: Budget.
    """
    head = f"Now: {iso(now)}"
    if zone is not UTC:
        head += f" ({now.astimezone(zone).strftime('%Y-%m-%d %H:%M')} plant time, {zone})"
    lines = [Line(0, head + ". Every time is UTC with Z unless it says otherwise.")]
    facts = situation.facts()
    lines += _of_the_whole(facts, limits or {}, now)
    lines += _alerts(facts.get("alerts", ()))
    lines += _equipment(facts.get("equipment", ()), limits or {})
    if plant is not None and samples:
        lines += _values(plant, samples, facts, now)
    return _within(lines, tokens)


def _of_the_whole(facts: Mapping[str, Any], limits: Limits, now: datetime) -> Iterator[Line]:
    at = facts.get("timestamp")
    if at is not None:
        age = (now - datetime.fromisoformat(at)).total_seconds()
        yield Line(0.1, f"Situation of {at}, {_age(age)} old.")
    yield Line(0.2, f"Plant mode: {facts.get('plant_mode', 'unknown')}.")
    for rank, part, title in (
        (1.0, "data_quality", "Data quality"),
        (1.1, "kpis", "KPI"),
        (3.0, "market", "Market"),
        (3.2, "maintenance", "Maintenance"),
        (4.0, "resources", "Machine"),
    ):
        for name, value in facts.get(part, {}).items():
            if isinstance(value, bool | int | float):
                beside = limits.get((part, name))
                yield Line(
                    rank,
                    f"{title}: {_words(name)} {_number(name, value)}{f' [{beside}]' if beside else ''}.",
                )
            elif isinstance(value, str):
                yield Line(rank + 2, f"{title}: {_words(name)} {one_line(value)}.")
    for module, fact in facts.get("modules", {}).items():
        told = ", ".join(
            f"{_words(name)} {_number(name, value)}"
            for name, value in fact.items()
            if isinstance(value, bool | int | float)
        )
        yield Line(4.1, f"Module {one_line(module, 40)}: {told}.")


def _alerts(alerts: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    for alert in alerts:
        severity = alert.get("severity", "medium")
        rank = 0.5 + SEVERITIES.index(severity) * 0.5 if severity in SEVERITIES else 2.5
        age = alert.get("age_minutes")
        since = f", {age:g} min old" if isinstance(age, int | float) else ", age unknown"
        kind = alert.get("kind", "unknown kind")
        yield Line(
            rank,
            f"Alert on {one_line(str(alert.get('tag', 'unknown tag')), 60)}: {kind}, {severity}{since}.",
        )
    if not alerts:
        yield Line(2.5, "Alerts: none known.")


def _equipment(equipment: Sequence[Mapping[str, Any]], limits: Limits) -> Iterator[Line]:
    for item in equipment:
        health, trend = item.get("health"), item.get("trend_per_day")
        parts = []
        if isinstance(health, int | float):
            beside = limits.get(("health",))
            parts.append(f"health {health:g} of 1{f' [{beside}]' if beside else ''}")
        if isinstance(trend, int | float):
            beside = limits.get(("trend_per_day",))
            parts.append(f"trend {trend:+g} a day{f' [{beside}]' if beside else ''}")
        rank = 1.5 + (health if isinstance(health, int | float) else 1.0)
        name = one_line(str(item.get("id", "unnamed")), 40)
        yield Line(rank, f"Equipment {name}: {', '.join(parts) or 'health unknown'}.")


def _values(
    plant: Plant, samples: Mapping[str, Sample], facts: Mapping[str, Any], now: datetime
) -> Iterator[Line]:
    """The newest values: those with an alert or past a limit first, then handles, then the rest."""
    alerted = {alert.get("tag") for alert in facts.get("alerts", ())}
    for tag in plant.tags:
        sample = samples.get(tag.name)
        if sample is None:
            continue
        outside = _past(tag, sample.value)
        rank = 1.2 if outside else 1.4 if tag.name in alerted else 3.5 if tag.controllable else 5.0
        yield Line(rank, value_line(tag, sample, now))


def value_line(tag: Tag, sample: Sample, now: datetime) -> str:
    """A tag's newest value with unit, limits, quality and age; its description is quoted as data."""
    about = f" {one_line(tag.description)}" if tag.description else ""
    unit = _unit(tag.unit)
    value = "no number" if sample.value is None else f"{sample.value:.6g}{unit}"
    names = ("low_low", "low", "high", "high_high")
    bounds = [
        f"{name.replace('_', '-')} {bound:g}{unit}"
        for name in names
        if (bound := getattr(tag.limits, name)) is not None
    ]
    if tag.normal is not None:
        bounds.append(f"normal {tag.normal[0]:g} to {tag.normal[1]:g}{unit}")
    beside = f" [{', '.join(bounds)}]" if bounds else ""
    outside = _past(tag, sample.value)
    quality = Quality(sample.quality).name.lower()
    age = _age((now - sample.source_time).total_seconds())
    return (
        f"{tag.name}{about} = {value}{beside}{f', {outside}' if outside else ''}, "
        f"quality {quality}, {iso(sample.source_time)} ({age} old)"
    )


def _past(tag: Tag, value: float | None) -> str | None:
    if value is None:
        return None
    low, high = tag.limits.operating
    if high is not None and value > high:
        return "OVER its high limit"
    if low is not None and value < low:
        return "UNDER its low limit"
    return None


def _within(lines: Iterable[Line], tokens: int) -> str:
    """The most important lines that fit, in order of importance, and how many do not."""
    room = tokens * CHARACTERS_A_TOKEN
    kept: list[str] = []
    dropped = 0
    for line in sorted(lines, key=lambda line: line.rank):
        cost = len(line.text) + 3 + 2 * sum(ord(character) > 127 for character in line.text)
        if cost > room and kept:
            dropped += 1
            continue
        room -= cost
        kept.append(f"- {line.text}")
    if dropped:
        kept.append(f"- {dropped} less important facts are left out here.")
    return "\n".join(kept)


def plant_text(plant: Plant) -> str:
    """What the plant is, as fenced data: name, areas and number of tags."""
    areas = ", ".join(sorted({tag.area for tag in plant.tags if tag.area})[:20])
    told = f"{plant.name or 'A refinery'}: {len(plant.tags)} tags" + (
        f" in {areas}" if areas else ""
    )
    return fenced(told, "plant file", longest=1000)


def _number(name: str, value: float | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    unit = "%" if name.endswith("_pct") else UNITS.get(name, "")
    return f"{value:g}{f' {unit}' if unit else ''}"


def _words(name: str) -> str:
    for ending in ("_usd_per_bbl", "_pct", "_minutes", "_seconds"):
        name = name.removesuffix(ending)
    return name.replace("_", " ")


def _unit(unit: str) -> str:
    shown = unit.replace("**", "").replace("degC", "°C").replace("percent", "%")
    return f" {shown}" if shown else ""


def _age(seconds: float) -> str:
    if seconds < -1:
        return f"{-seconds:.0f} s in the future, not"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
