"""A first parser of requests in words: which operations they want, with which slots.

A grammar of cues, without a language model. Text is data: it can name operations and nothing else.
What orders a write, approves, or tells the system to forget its rules is never more than refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.core.plan import rank
from orchestrator.core.query_patterns import (
    ANSWERS,
    FOLLOW_UP,
    GREETING,
    HISTORY,
    INJECTION,
    NEGATED,
    OF_THE_FIELD,
    ORDER,
    ORDER_INSIDE,
    OWN_DOINGS,
    OWN_TANKS,
    PAST_PROPERTY,
    SPLIT,
    SYSTEM,
    VAGUE,
    WHY,
)
from orchestrator.core.slots import (
    DAYS_BACK,
    HOURS_AHEAD,
    find_changes,
    find_durations,
    find_product,
    find_property,
    find_tags,
    find_unit,
    fold,
    whole,
)
from orchestrator.core.vocabulary import ENOUGH, SURE, cues, groups

CONFIDENT, PLAIN, GUESSED, ASKING = 0.95, 0.88, 0.7, 0.9
LONGEST_TEXT = 1000
STANDS_ALONE = frozenset(
    {
        "analysis.market",
        "etl.ingest",
        "etl.reconcile",
        "optimization.plan",
        "optimization.sensitivity",
        "optimization.what_if",
    }
)
"""Operations that make sense without a tag or product, so that they are no sign of a follow-up."""


class Turn(BaseModel):
    """What is known of a session after its last turn; an ``Interpretation`` serves as one."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)

    operations: tuple[str, ...] = ()
    slots: dict[str, Any] = Field(default_factory=dict)
    clarify: str | None = None
    topic: tuple[str, ...] = ()
    pending: dict[str, Any] = Field(default_factory=dict)

    @property
    def about(self) -> tuple[str, ...]:
        """The operations that a follow-up refers to."""
        return self.topic or self.operations


@dataclass(frozen=True)
class QueryRequest:
    """Words, and the turn before them where there is one."""

    text: str
    previous: Turn | Mapping[str, Any] | Any | None = None


@dataclass(frozen=True)
class Reading:
    """How the words are read.

    Attributes:
        operations: What they want, in the order of dependency.
        slots: What they, or the turns before, say.
        clarify: The one question to ask back, or ``None``.
        answer: What the system says itself where no operation runs for a part of the words.
        topic: Operations to which a follow-up refers.
        pending: Slots of a turn that asked back.
        confidence: How sure the reading is, 0 to 1.
    """

    operations: tuple[str, ...] = ()
    slots: dict[str, Any] = field(default_factory=dict)
    clarify: str | None = None
    answer: str | None = None
    topic: tuple[str, ...] = ()
    pending: dict[str, Any] = field(default_factory=dict)
    confidence: float = CONFIDENT


def read_query(request: QueryRequest) -> Reading:
    """Read a request, in the light of the turn before."""
    text = fold(request.text[:LONGEST_TEXT])
    turn = _turn(request.previous)
    stripped, overstep = without_overstep(text)
    wanted, ruled_out = _wants(stripped)
    history_only = HISTORY.search(stripped) is not None
    slots = _slots(text, wanted, turn)
    if overstep and not wanted:
        return _nothing(ANSWERS[overstep], slots, turn)
    if not wanted and GREETING.match(text):
        return _nothing(ANSWERS["greeting"], {}, turn)
    if _is_system(stripped, wanted):
        return _nothing(ANSWERS["system"], slots, turn)
    if turn is not None and WHY.match(text):
        return _why(slots, turn)
    if not wanted or _vague(stripped, wanted):
        return _without_want(stripped, slots, turn, ruled_out=ruled_out, history=history_only)
    operations = tuple(sorted((op for op in wanted if op not in ruled_out), key=rank))
    if not operations:
        return _nothing("What you rule out is not run, and nothing else is asked for.", slots, turn)
    merged = _merged(text, slots, operations, turn)
    answer = ANSWERS[overstep] if overstep else None
    sure = CONFIDENT if min(wanted.values()) >= SURE else PLAIN
    return Reading(operations, merged, None, answer, operations, confidence=sure)


def _turn(previous: Any) -> Turn | None:
    if previous is None or isinstance(previous, Turn):
        return previous
    return Turn.model_validate(previous)


def without_overstep(text: str) -> tuple[str, str | None]:
    """The text less the clauses that try to overstep, and what they try."""
    kind: str | None = None
    kept: list[str] = []
    for clause in re.split(
        r"(?<=[.;!?])\s+|,? and then |, then | then |, (?=and )|(?<!=) and (?=\w+)", text
    ):
        if INJECTION.search(clause):
            kind = "injection"
        elif ORDER.match(clause) or ORDER_INSIDE.search(clause):
            kind = kind or "operator"
        else:
            kept.append(clause)
    return (text, None) if kind is None else (" and ".join(kept), kind)


def _wants(text: str) -> tuple[dict[str, float], set[str]]:
    """Operations that the words want, with their scores, and those that the words rule out."""
    ruled_out: set[str] = set()
    for negated in NEGATED.finditer(text):
        if negated[0].startswith("not "):
            continue
        ruled_out |= _ruled_out(negated[0])
    positive = NEGATED.sub(" ", text)
    wanted: dict[str, float] = {}
    for clause in _clauses(positive):
        best = best_want(clause)
        if best is not None:
            name, value = best
            wanted[name] = max(value, wanted.get(name, 0.0))
    if not wanted and (whole_text := best_want(positive)) is not None:
        wanted[whole_text[0]] = whole_text[1]
    clear = {name: value for name, value in wanted.items() if value > ENOUGH}
    return clear or wanted, ruled_out


def _ruled_out(text: str) -> set[str]:
    scores = _scores(text)
    if re.search(r"optimi|touch|mov|chang|recommend", text):
        scores |= {name: ENOUGH for name in cues() if name.startswith("optimization.")}
    return {name for name, value in scores.items() if value >= ENOUGH}


def _clauses(text: str) -> list[str]:
    """Parts that may each carry a want; a part that says too little stays with the one before."""
    kept = re.sub(r"\bbetween (.{1,40}?) and\b", r"between \1 &", text)
    parts = [part.strip() for part in SPLIT.split(kept) if part and part.strip()]
    joined: list[str] = []
    for part in parts:
        alone = best_want(part)
        if joined and (alone is None or best_want(joined[-1]) is None):
            together = best_want(f"{joined[-1]}, {part}")
            before = best_want(joined[-1])
            if (
                before is None
                or alone is None
                or together is None
                or together[0] in {before[0], alone[0]}
            ):
                joined[-1] = f"{joined[-1]}, {part}"
                continue
        joined.append(part)
    return joined


def _scores(clause: str) -> dict[str, float]:
    scores = {}
    for name, patterns in cues().items():
        value = sum(weight for pattern, weight in patterns if pattern.search(clause))
        if value:
            scores[name] = value
    return _weighed(clause, scores)


def _weighed(clause: str, scores: dict[str, float]) -> dict[str, float]:
    """Scores after the rules that tell neighbouring operations apart."""
    if PAST_PROPERTY.search(clause):
        scores.pop("forecasting.soft_sensor", None)
    own_tanks = OWN_TANKS.search(clause) is not None
    if own_tanks:
        for name in ("analysis.stocks", "etl.validate"):
            scores.pop(name, None)
    priced = re.search(rf"\b{groups()['priced']}\b", clause) and re.search(
        r"\b(?:price|cost|quote|futures|worth|trad)", clause
    )
    if (
        "forecasting.forecast" in scores
        and (priced or re.search(r"\b(?:brent|wti|dubai|urals)\b", clause))
        and "analysis.prices" in scores
    ):
        scores["analysis.prices"] += scores.pop("forecasting.forecast")
    if scores.get("optimization.blend", 0) <= ENOUGH < scores.get("forecasting.soft_sensor", 0):
        scores.pop("optimization.blend", None)
    for winner, loser in (
        ("analysis.stocks", "forecasting.forecast"),
        ("analysis.demand", "forecasting.forecast"),
        ("analysis.cracks", "forecasting.forecast"),
        ("analysis.cracks", "analysis.prices"),
        ("analysis.stocks", "analysis.market"),
        ("analysis.demand", "analysis.market"),
        ("analysis.cracks", "analysis.market"),
        ("analysis.prices", "analysis.market"),
        ("optimization.sensitivity", "analysis.prices"),
        ("optimization.sensitivity", "forecasting.soft_sensor"),
        ("optimization.what_if", "forecasting.forecast"),
        ("optimization.what_if", "optimization.setpoints"),
        ("optimization.blend", "forecasting.soft_sensor"),
        ("optimization.setpoints", "forecasting.soft_sensor"),
        ("forecasting.time_to_limit", "forecasting.forecast"),
        ("forecasting.backtest", "forecasting.forecast"),
        ("forecasting.explain", "forecasting.forecast"),
        ("forecasting.explain", "forecasting.backtest"),
        ("forecasting.forecast", "forecasting.soft_sensor"),
    ):
        if scores.get(winner, 0) >= ENOUGH and loser in scores:
            if winner == "forecasting.forecast" and scores[winner] < scores[loser]:
                continue
            scores[winner] = max(scores[winner], scores.pop(loser))
    return scores


def best_want(clause: str) -> tuple[str, float] | None:
    """The operation that a folded clause wants most, with its score; ``None`` where it wants none."""
    scores = _scores(clause)
    if not scores:
        return None
    name = max(scores, key=lambda key: (scores[key], key))
    return (name, scores[name]) if scores[name] >= ENOUGH else None


def _is_system(text: str, wanted: Mapping[str, float]) -> bool:
    if OWN_DOINGS.search(text):
        return True
    if not SYSTEM.search(text):
        return False
    asks_model = {"forecasting.explain", "forecasting.backtest", "forecasting.time_to_limit"} & set(
        wanted
    )
    return not asks_model and not any(value >= SURE for value in wanted.values())


def _vague(text: str, wanted: Mapping[str, float]) -> bool:
    return all(value < SURE for value in wanted.values()) and any(
        pattern.search(text) for pattern, _ in VAGUE[:2]
    )


def _without_want(
    text: str,
    slots: dict[str, Any],
    turn: Turn | None,
    *,
    ruled_out: set[str],
    history: bool,
) -> Reading:
    """Words that name no operation: a follow-up, a value of the past, something vague, or not our field."""
    if turn is not None and turn.about and (slots or FOLLOW_UP.search(text)) and not history:
        operations = tuple(op for op in turn.about if op not in ruled_out)
        if operations:
            merged = _merged(text, slots, operations, turn)
            return Reading(operations, merged, topic=operations, confidence=PLAIN)
    for pattern, question in VAGUE:
        if pattern.search(text):
            return _ask(question, slots, turn)
    if history:
        return _nothing(ANSWERS["history"], slots, turn)
    if slots and len(text.split()) <= 6:
        about = (
            slots.get("product")
            or slots.get("property")
            or slots.get("unit")
            or slots.get("tags", [""])[0]
        )
        question = f"What about {about}: a forecast, its data, its price, or its operation?"
        return _ask(question, slots, turn)
    if OF_THE_FIELD.search(text):
        return _ask(
            "Do you want a forecast, a check of the data, the market, or better operation?",
            slots,
            turn,
        )
    return _nothing(ANSWERS["field"], slots, turn)


def _why(slots: dict[str, Any], turn: Turn) -> Reading:
    if any(name.startswith("forecasting.") for name in turn.about):
        operations = ("forecasting.explain",)
        return Reading(operations, {**turn.slots, **slots}, topic=operations, confidence=PLAIN)
    return _nothing(ANSWERS["system"], slots, turn)


def _nothing(answer: str, slots: dict[str, Any], turn: Turn | None) -> Reading:
    """Nothing runs; in a session the slots stay as they were."""
    return Reading(
        slots=slots if turn is None else turn.slots,
        answer=answer,
        topic=turn.about if turn else (),
        pending=turn.pending if turn else {},
    )


def _ask(question: str, slots: dict[str, Any], turn: Turn | None) -> Reading:
    return Reading(
        slots=slots if turn is None else turn.slots,
        clarify=question,
        topic=turn.about if turn else (),
        pending=slots,
        confidence=ASKING,
    )


def _slots(text: str, wanted: Mapping[str, float], turn: Turn | None) -> dict[str, Any]:
    """What the words themselves say."""
    before = turn.slots if turn else {}
    found: dict[str, Any] = {
        "tags": find_tags(text),
        "product": find_product(NEGATED.sub(" ", text), before.get("product")),
        "property": find_property(text),
        "unit": find_unit(text),
    }
    back = set(wanted) and all(_looks_back(name) for name in wanted)
    if not wanted and turn is not None:
        only_back = DAYS_BACK in before and HOURS_AHEAD not in before
        back = only_back or all(map(_looks_back, turn.about))
    for hours, slot in find_durations(text):
        key = slot or (DAYS_BACK if back and not _adjective(text, wanted) else HOURS_AHEAD)
        if key == DAYS_BACK:
            found[DAYS_BACK] = whole(hours / 24)
        else:
            found[HOURS_AHEAD] = whole(hours)
    if "optimization.what_if" in wanted:
        found["changes"] = find_changes(text)
    return {name: value for name, value in found.items() if value not in (None, [])}


def _adjective(text: str, wanted: Mapping[str, float]) -> bool:
    """Whether a time describes the forecast (``the 12 h forecasts``), not the period looked at."""
    return bool(
        set(wanted) <= {"forecasting.backtest", "forecasting.explain"}
        and re.search(
            r"\d+ ?-?(?:h|hours?|d|days?)\b(?: \w+){0,3} (?:forecast|predict|ahead)", text
        )
    )


def _looks_back(operation: str) -> bool:
    return operation in {
        "forecasting.backtest",
        "etl.validate",
        "etl.reconcile",
        "etl.clean",
    } or operation.startswith("analysis.")


def _merged(
    text: str, slots: dict[str, Any], operations: Sequence[str], turn: Turn | None
) -> dict[str, Any]:
    """The slots after this turn: what it says, and of the turn before what it does not change."""
    if turn is None:
        return slots
    names_subject = any(name in slots for name in ("tags", "product", "property", "unit"))
    follows = FOLLOW_UP.search(text) is not None or turn.clarify is not None
    same_topic = bool(set(operations) & set(turn.about))
    leans_on_turn = not names_subject and not set(operations) <= STANDS_ALONE
    if not (follows or same_topic or leans_on_turn):
        return slots
    carried = {**turn.slots, **(turn.pending if turn.clarify else {})}
    carried.pop("changes", None)
    return {**carried, **slots}
