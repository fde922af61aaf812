"""Says where a sentence without a number contradicts what is known: plant mode, limits, alerts, trends, quality."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.llm.grounding.directions import trend_of
from orchestrator.llm.grounding.evidence import Evidence
from orchestrator.llm.grounding.facts import Fact
from orchestrator.llm.grounding.subjects import Mention

_HYPOTHETICAL = re.compile(
    r"\b(?:if|unless|until|once|whether|would|could|should|might|may|must|needs? to|when(?:ever)?|before|after|in case|can|"
    r"only|requires?|as soon as|to be|assum\w+|suppose)\b",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"\b(?:not|no longer|isn't|wasn't|aren't|never|neither|hardly|far from|cannot|un)\b",
    re.IGNORECASE,
)
_MODES = {
    "steady": r"steady(?:[- ]state)?|stable operation|at steady state",
    "transient": r"transient|in transition|unsteady",
    "startup": r"start(?:ing)?[- ]?up",
    "shutdown": r"shut(?:ting)?[- ]?down",
    "emergency": r"emergency",
}
_PLANT = re.compile(
    r"\b(?:plant|unit|refinery|cdu|operation|process|column|mode|running|runs)\b", re.IGNORECASE
)
_WITHIN = re.compile(
    r"\b(?:within|inside|below|under|respects?|meets?|well within|does not exceed|doesn't exceed|not exceed(?:ing|ed)?|not (?:above|over|past|beyond)|"
    r"has not (?:exceeded|crossed|passed|reached)|not (?:crossed|passed|violated|broken))\b[^.]{0,40}\b(?:limits?|alarm|bounds?|range)\b|"
    r"\b(?:limits?|alarm)\b[^.]{0,30}\b(?:is|are|was|were|has|have)\s+(?:not|never)\s+(?:been\s+)?(?:exceeded|crossed|violated|passed|reached|broken)|"
    r"\bno\s+(?:\w+\s){0,3}limits?\b[^.]{0,30}\b(?:exceeded|violated|crossed|broken|passed)|\bno limit violations?\b|\bwithin (?:its |the )?normal\b",
    re.IGNORECASE,
)
_BEYOND = re.compile(
    r"\b(?:exceed(?:s|ed|ing)?|above|over|beyond|past|crossed|violat(?:es|ed|ing)|outside|has passed|broken?|breach(?:es|ed|ing)?)\b[^.]{0,40}\b(?:limits?|alarm|bounds?|range)\b|"
    r"\blimits?\b[^.]{0,20}\b(?:is|are|was|were|has been|have been)\s+(?:exceeded|crossed|violated|passed|broken|breached)",
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"\b(?:nothing|none|no (?:tag|value|measurement|sensor|variable)s?)\b(?!.*\b(?:except|but|other|apart|besides)\b)",
    re.IGNORECASE,
)
_BELOW_LOW = re.compile(
    r"\b(?:below|under)\b[^.]{0,20}\blow(?:-low|er)?\s+(?:alarm\s+)?limit", re.IGNORECASE
)
_NO_ALERTS = re.compile(
    r"\b(?:no|without any|zero|not any|no other)\s+(?:(?:open|active|current|standing|critical|high|medium|low|new|such|severe)[- ]?(?:severity)?\s+){0,2}(?:alerts?|alarms?)\b|"
    r"\b(?:alerts?|alarms?)\b[^.]{0,10}\b(?:none|absent)\b|\bnothing (?:is )?(?:in alarm|alarming)\b|\ball (?:is )?quiet\b",
    re.IGNORECASE,
)
_SOME_ALERTS = re.compile(
    r"\b(?:there (?:is|are)|we have|has|shows?)\b[^.]{0,20}\b(?:an?|several|many|multiple|some|active|open|critical)\s+(?:\w+\s)?(?:alerts?|alarms?)\b",
    re.IGNORECASE,
)
_SEVERITY = re.compile(
    r"\b(critical|high|medium|low)[- ]?(?:severity|priority)?\s+(?:alerts?|alarms?)\b",
    re.IGNORECASE,
)
_QUALITY = re.compile(
    r"\bdata(?:[- ]quality)?\b[^.]{0,30}\b(?:is|are|looks?|remains?)\s+(?:very |quite |fully )?(good|high|excellent|reliable|fine|trustworthy|poor|bad|low|unreliable)\b",
    re.IGNORECASE,
)
_FROZEN_FINE = re.compile(r"\bno (?:frozen|stale) (?:tags?|sensors?|values?)\b", re.IGNORECASE)
GOOD_QUALITY, POOR_QUALITY = 0.70, 0.85


def contradictions(
    sentence: str,
    mentions: Sequence[Mention],
    evidence: Evidence,
    facts_of: Mapping[str, Sequence[Fact]],
) -> Iterator[str]:
    """Each way in which a sentence contradicts what is known, in words.

    Args:
        sentence: One sentence.
        mentions: What it names.
        evidence: What is known.
        facts_of: Facts by subject.
    """
    for clause in re.split(
        r";|,\s+(?:but|while|and|although|whereas)\s+|\s+(?:but|while|whereas|although)\s+",
        sentence,
    ):
        if _HYPOTHETICAL.search(clause):
            continue
        at = sentence.find(clause)
        inside = [m for m in mentions if at <= m.start < at + len(clause)] or list(mentions)
        yield from _of_mode(clause, evidence.situation)
        yield from _of_limits(clause, inside, evidence, facts_of)
        yield from _of_alerts(clause, evidence.situation)
        yield from _of_trends(clause, inside, facts_of)
        yield from _of_quality(clause, evidence.situation)


def _of_mode(clause: str, situation: Mapping[str, Any]) -> Iterator[str]:
    known = situation.get("plant_mode")
    if known is None or not _PLANT.search(clause):
        return
    for mode, pattern in _MODES.items():
        found = re.search(
            rf"\b(?:is|was|are|remains?|stays?|runs?|running|mode(?: is)?|operates?|operating|in|at)\b(?P<between>[^.]{{0,25}}?)\b(?:{pattern})\b",
            clause,
            re.IGNORECASE,
        )
        if found is None or (
            mode == "steady"
            and re.search(
                r"un-?\s*steady|steady (?:fall|rise|decline|increase|stream)",
                found[0],
                re.IGNORECASE,
            )
        ):
            continue
        denied = (
            _NEGATED.search(found["between"]) is not None
            or _NEGATED.search(clause[: found.start()][-8:]) is not None
        )
        if (mode == known) == denied:
            yield f"the plant mode is {known}"


def _of_limits(
    clause: str,
    mentions: Sequence[Mention],
    evidence: Evidence,
    facts_of: Mapping[str, Sequence[Fact]],
) -> Iterator[str]:
    within, beyond = _WITHIN.search(clause), _BEYOND.search(clause)
    low = _BELOW_LOW.search(clause)
    if beyond and _NOTHING.search(clause):
        within, beyond = beyond, None
    if within and beyond and not low:
        beyond = None
    if not within and not beyond:
        return
    keys = dict.fromkeys(m.key for m in mentions if evidence.tag(m.key) is not None)
    everything = not keys and re.search(
        r"\b(?:no|all|every|any|nothing|none)\b", clause, re.IGNORECASE
    )
    for key in keys if not everything else [k for k in facts_of if evidence.tag(k) is not None]:
        tag = evidence.tag(key)
        value = next(
            (f.value for f in facts_of.get(key, ()) if f.role == "value" and "value" in f.words),
            None,
        )
        if tag is None or value is None:
            continue
        lower, upper = tag.limits.operating
        over = upper is not None and value > upper
        under = lower is not None and value < lower
        if lower is None and upper is None:
            continue
        if low:
            if not under:
                yield f"{tag.name} is not under its low limit"
        elif within and (over or under):
            yield f"{tag.name} is {'over its high' if over else 'under its low'} limit"
        elif beyond and not over and not under:
            yield f"{tag.name} is inside its limits"


def _of_alerts(clause: str, situation: Mapping[str, Any]) -> Iterator[str]:
    alerts = situation.get("alerts")
    if alerts is None:
        return
    severities = [alert.get("severity", "medium") for alert in alerts]
    none = _NO_ALERTS.search(clause)
    severity = _SEVERITY.search(clause)
    if none:
        of = severity[1].lower() if severity else None
        there = [s for s in severities if of is None or s == of]
        if there and "no other" not in none[0].lower():
            yield f"there are {len(there)} {f'{of} ' if of else ''}alerts"
    elif _SOME_ALERTS.search(clause) and not alerts:
        yield "no alert is known"
    elif severity and _SOME_ALERTS.search(clause) and severity[1].lower() not in severities:
        yield f"no {severity[1].lower()} alert is known"


def _of_trends(
    clause: str, mentions: Sequence[Mention], facts_of: Mapping[str, Sequence[Fact]]
) -> Iterator[str]:
    said = trend_of(clause)
    if not said:
        return
    for key in dict.fromkeys(m.key for m in mentions):
        changes = [f for f in facts_of.get(key, ()) if f.role == "change" and f.value]
        if (
            changes
            and all((f.value > 0) != (said > 0) for f in changes)
            and len({m.start for m in mentions}) == 1
        ):
            yield f"the change is {changes[0].value:+g}"


def _of_quality(clause: str, situation: Mapping[str, Any]) -> Iterator[str]:
    quality = situation.get("data_quality") or {}
    score = quality.get("score")
    found = _QUALITY.search(clause)
    if found and isinstance(score, int | float) and not _NEGATED.search(found[0]):
        good = found[1].lower() in ("good", "high", "excellent", "reliable", "fine", "trustworthy")
        if (good and score < GOOD_QUALITY) or (not good and score >= POOR_QUALITY):
            yield f"the data-quality score is {score:g}"
    frozen = quality.get("frozen_tags")
    if _FROZEN_FINE.search(clause) and "frozen" in clause.lower() and frozen:
        yield f"{frozen} tags are frozen"
