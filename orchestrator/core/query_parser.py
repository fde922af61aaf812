"""Reads requests in words: which operations they want, with which slots.

A trained reader of clauses beside a grammar of names, times, negations and orders; no language model.
Text is data: it can name operations and nothing else. What orders a write, approves, or tells the system
to forget its rules is never more than refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.core.plan import rank
from orchestrator.core.query_patterns import ANSWERS
from orchestrator.core.slots import fold
from orchestrator.core.understanding.clauses import MOVES, Clause, Clauses, take_apart
from orchestrator.core.understanding.concepts import concepts_of
from orchestrator.core.understanding.follow_ups import (
    FOLLOW_UP,
    HISTORY,
    asks_past_of,
    asks_quality,
    asks_value,
    content,
    is_bare_name,
    is_courtesy,
    is_why,
    leans,
    same_again,
)
from orchestrator.core.understanding.lexicon import lines_with
from orchestrator.core.understanding.oversteps import CONSTRAINED, GO_AHEAD, OWN_DOINGS
from orchestrator.core.understanding.questions import candidates, question
from orchestrator.core.understanding.spoken_slots import (
    SUBJECTS,
    bare_change,
    refers,
    replaced,
    spoken_slots,
)

CERTAIN, LEANING, ASKING = 0.95, 0.88, 0.9
"""Confidence of an answer without an operation, of a follow-up, and of a question back."""
ASK_BELOW = 0.2
"""Probability under which an operation is not guessed."""
HINT = 0.12
"""Probability from which short words after another turn are taken to name an operation."""
FAVOUR = 3.0
"""How many times likelier the operation of the turn before is where the words lean on it."""
SURELY_OUTSIDE = 0.6
SURELY_OURS, HALF, LIKELY_OUTSIDE = 0.7, 0.5, 0.2
SAID_BY_NAME = frozenset({"injection", "order", "system", "history", "greeting"})
LEAST_RIVAL = 0.05
BARE_WHY = 4
"""Words of a ``why`` up to which it asks the reason of what was stated before, and that itself is no want."""
MOST_RIVALS = 3
MOST_NAMED = 8
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
NO_OPERATION = ("injection", "order", "system", "history", "greeting", "outside")
"""Kinds of words that run nothing, those first that an answer names first."""
ANSWER_OF = {
    "injection": "injection",
    "order": "operator",
    "system": "system",
    "history": "history",
    "greeting": "greeting",
    "outside": "field",
}


class Turn(BaseModel):
    """What is known of a session after its last turn; an ``Interpretation`` serves as one."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)

    operations: tuple[str, ...] = ()
    slots: dict[str, Any] = Field(default_factory=dict)
    clarify: str | None = None
    answer: str | None = None
    topic: tuple[str, ...] = ()
    pending: dict[str, Any] = Field(default_factory=dict)
    named: tuple[str, ...] = ()

    @property
    def about(self) -> tuple[str, ...]:
        """The operations that a follow-up refers to."""
        return self.topic or self.operations

    @property
    def of_history(self) -> bool:
        """Whether the turn asked for a present or past value."""
        return bool(self.answer) and not self.operations and HISTORY in self.pending.get("kind", ())

    @property
    def open_slots(self) -> dict[str, Any]:
        """What a turn said that ran nothing, and that the next one may complete."""
        return {name: value for name, value in self.pending.items() if name != "kind"}


@dataclass(frozen=True)
class QueryRequest:
    """Words, the turn before them where there is one, and how they were read where they have been."""

    text: str
    previous: Turn | Mapping[str, Any] | Any | None = None
    reading: Reading | None = None


@dataclass(frozen=True)
class Reading:
    """How the words are read.

    Attributes:
        operations: What they want, in the order of dependency.
        slots: What they, or the turns before, say.
        clarify: The one question to ask back, or ``None``.
        answer: What the system says itself where no operation runs for a part of the words.
        topic: Operations to which a follow-up refers.
        pending: Slots of a turn that asked back or asked for a value.
        confidence: How sure the reading is, 0 to 1.
        rivals: Operations that the words may mean instead, with their probabilities.
        named: Tags named so far, in the order of their first mention.
    """

    operations: tuple[str, ...] = ()
    slots: dict[str, Any] = field(default_factory=dict)
    clarify: str | None = None
    answer: str | None = None
    topic: tuple[str, ...] = ()
    pending: dict[str, Any] = field(default_factory=dict)
    confidence: float = CERTAIN
    rivals: tuple[tuple[str, float], ...] = ()
    named: tuple[str, ...] = ()


def read_query(request: QueryRequest) -> Reading:
    """Read a request, in the light of the turn before."""
    text = fold(request.text[:LONGEST_TEXT])
    turn = _turn(request.previous)
    return _Reader(text, turn).read()


def _turn(previous: Any) -> Turn | None:
    if previous is None or isinstance(previous, Turn):
        return previous
    return Turn.model_validate(previous)


class _Reader:
    """One request under one turn."""

    def __init__(self, text: str, turn: Turn | None) -> None:
        self._text = text
        self._turn = turn
        self._before: dict[str, Any] = dict(turn.slots) if turn else {}
        self._about: tuple[str, ...] = turn.about if turn else ()
        if turn is not None and turn.of_history:
            self._about = (HISTORY,)
        self._apart: Clauses = take_apart(text)
        self._rivals = _rivals(self._apart)

    def read(self) -> Reading:
        """The reading."""
        overstep = next((clause.overstep for clause in self._apart.wanted if clause.overstep), None)
        wanted = self._wanted()
        if overstep is None and self._turn is not None:
            followed = self._followed(wanted)
            if followed is not None:
                return followed
        if is_bare_name(self._text):
            return self._ask()
        if wanted:
            kind = overstep or self._kind(("injection", "order"))
            return self._run(wanted, answer=ANSWERS[ANSWER_OF[kind]] if kind else None)
        if self._apart.ruled_out and not any(
            c.opinion.label in NO_OPERATION for c in self._apart.wanted
        ):
            return self._nothing("What you rule out is not run, and nothing else is asked for.")
        kind = overstep or self._kind(NO_OPERATION)
        if kind is None and any(_rather_outside(clause) for clause in self._apart.wanted):
            kind = "outside"
        if kind == "outside" and any(_names_ours(clause) for clause in self._apart.wanted):
            kind = None
        return self._ask() if kind is None else self._answered(kind)

    def _wanted(self) -> dict[str, float]:
        """Operations that the clauses want, with their probabilities."""
        found: dict[str, float] = {}
        clauses = [clause for clause in self._apart.wanted if clause.overstep is None]
        for number, clause in enumerate(clauses):
            name, share = self._favoured(clause)
            if is_why(clause.text) and (
                any(op.startswith("forecasting.") for op in found)
                or (number and _tells_a_forecast(clauses[number - 1].text))
            ):
                name = "forecasting.explain"
                if len(clause.text.split()) <= BARE_WHY:
                    found.clear()
            if "." not in name or share < ASK_BELOW or self._is_ruled_out(name):
                continue
            if number and clauses[number - 1].opinion.label == "outside" and _leans(clause.text):
                continue
            if _rather_outside(clause):
                continue
            found[name] = max(share, found.get(name, 0.0))
        if not found:
            found = self._next_best(clauses)
        return found

    def _favoured(self, clause: Clause) -> tuple[str, float]:
        """What a clause is most likely of; words that lean on the turn before rather mean the same."""
        name, share = _kind_of(clause), clause.opinion.share
        leaning = self._turn is not None and FOLLOW_UP.search(clause.text) is not None
        if not leaning or name != clause.opinion.label or name in SAID_BY_NAME:
            return name, share
        again = [
            (other, FAVOUR * chance)
            for other, chance in clause.opinion.ranked
            if other in self._about
        ]
        best = max(again, key=lambda item: item[1], default=(name, 0.0))
        return (best[0], min(best[1], LEANING)) if best[1] > share else (name, share)

    def _next_best(self, clauses: Sequence[Clause]) -> dict[str, float]:
        """The best operation that is not ruled out, where the most likely one is."""
        for clause in clauses:
            if not self._is_ruled_out(clause.opinion.label):
                continue
            for name, share in clause.opinion.ranked[1:]:
                if "." in name and share >= HINT and not self._is_ruled_out(name):
                    return {name: share}
        return {}

    def _is_ruled_out(self, name: str) -> bool:
        return name in self._apart.ruled_out

    def _kind(self, kinds: Sequence[str]) -> str | None:
        """The first of ``kinds`` that a clause is most likely of."""
        labels = {_kind_of(clause) for clause in self._apart.wanted}
        return next((kind for kind in kinds if kind in labels), None)

    def _followed(self, wanted: Mapping[str, float]) -> Reading | None:
        """The reading of words that lean on the turn before; ``None`` where they stand for themselves."""
        about = self._about
        if is_why(self._text):
            if any(name.startswith("forecasting.") for name in about):
                return self._run({"forecasting.explain": LEANING})
            if not wanted or len(self._text.split()) <= 2:
                return self._answered("system")
        if GO_AHEAD.match(self._text) and any(name.startswith("optimization.") for name in about):
            return self._answered("order")
        if about and asks_past_of(self._text, about):
            return self._answered(HISTORY)
        if CONSTRAINED.match(self._text) and about and set(about) <= MOVES:
            return self._run(dict.fromkeys(about, LEANING))
        if asks_quality(self._text, about):
            return self._run({"etl.validate": LEANING})
        if about and not content(self._text) and leans(self._text):
            again = tuple(
                name for name in same_again(self._text, about) if not self._is_ruled_out(name)
            )
            if again:
                return self._run(dict.fromkeys(again, LEANING), bare=True)
        if wanted:
            return None
        return self._hinted()

    def _hinted(self) -> Reading | None:
        """Short or vague words after another turn that yet name an operation, or the same once more."""
        best: tuple[str, float] = ("", 0.0)
        for clause in self._apart.wanted:
            label, share = clause.opinion.label, clause.opinion.share
            elsewhere = label == "outside" and share >= SURELY_OUTSIDE
            if elsewhere or label in SAID_BY_NAME or _of_leisure(clause.text):
                continue
            for name, share in clause.opinion.ranked:
                if "." in name and share > best[1] and not self._is_ruled_out(name):
                    best = (name, share)
        if best[1] >= HINT and content(self._text):
            return self._run({best[0]: best[1]})
        return None

    def _run(
        self, wanted: Mapping[str, float], *, answer: str | None = None, bare: bool = False
    ) -> Reading:
        operations = tuple(sorted(wanted, key=rank))
        said = spoken_slots(self._text, operations, self._before, self._about)
        if self._turn is not None:
            if "tags" not in said and (tags := refers(self._text, self._turn.named)):
                said["tags"] = tags
            if bare and not {"horizon_hours", "period_days"} & set(said):
                said |= bare_change(self._text, self._before, operations)
        slots = self._merged(said, operations)
        return Reading(
            operations,
            slots,
            answer=answer,
            topic=operations,
            confidence=round(min(wanted.values()), 4),
            rivals=tuple((name, share) for name, share in self._rivals if name not in wanted),
            named=self._named(said),
        )

    def _merged(self, said: dict[str, Any], operations: Sequence[str]) -> dict[str, Any]:
        """The slots after this turn: what it says, and of the turns before what it does not change."""
        turn = self._turn
        if turn is None:
            return said
        names_subject = any(name in said for name in SUBJECTS)
        follows = (
            FOLLOW_UP.search(self._text) is not None
            or turn.clarify is not None
            or bool(refers(self._text, turn.named))
        )
        same_topic = bool(set(operations) & set(self._about))
        leans_on_turn = not names_subject and not set(operations) <= STANDS_ALONE
        if not (follows or same_topic or leans_on_turn):
            return said
        carried = {**turn.slots, **(turn.open_slots if turn.clarify or turn.of_history else {})}
        carried.pop("changes", None)
        return replaced(carried, said)

    def _answered(self, kind: str) -> Reading:
        said = spoken_slots(
            self._text, (HISTORY,) if kind == HISTORY else (), self._before, self._about
        )
        reading = self._nothing(ANSWERS[ANSWER_OF[kind]], said)
        if kind != HISTORY:
            return reading
        return Reading(**{**reading.__dict__, "pending": {**said, "kind": (HISTORY,)}})

    def _nothing(self, answer: str, said: dict[str, Any] | None = None) -> Reading:
        """Nothing runs; in a session the slots stay as they were."""
        said = spoken_slots(self._text, (), self._before, self._about) if said is None else said
        turn = self._turn
        shares = [clause.opinion.share for clause in self._apart.wanted]
        return Reading(
            slots=said if turn is None else turn.slots,
            answer=answer,
            topic=turn.about if turn else (),
            pending=turn.pending if turn else {},
            confidence=round(max(shares, default=CERTAIN), 4),
            rivals=self._rivals,
            named=self._named(said),
        )

    def _ask(self) -> Reading:
        said = spoken_slots(self._text, (), self._before, self._about)
        turn = self._turn
        names = candidates(self._text, said, [name for name, _ in self._rivals])
        return Reading(
            slots=said if turn is None else turn.slots,
            clarify=question(names, said),
            topic=turn.about if turn else (),
            pending=said,
            confidence=ASKING,
            rivals=self._rivals,
            named=self._named(said),
        )

    def _named(self, said: Mapping[str, Any]) -> tuple[str, ...]:
        earlier = self._turn.named if self._turn else ()
        tags = said.get("tags", [])
        if len(tags) > 1:
            return tuple(tags)[:MOST_NAMED]
        return tuple(dict.fromkeys((*earlier, *tags)))[-MOST_NAMED:]


def _kind_of(clause: Clause) -> str:
    """What a clause wants, or of which kind it is."""
    if OWN_DOINGS.search(clause.text):
        return "system"
    if is_courtesy(clause.text):
        return "greeting"
    return HISTORY if asks_value(clause.text) else clause.opinion.label


def _of_leisure(text: str) -> bool:
    """Whether a clause speaks of weather, sports and the like."""
    return any("LEISURE" in concepts_of(word) for word in content(text))


def _tells_a_forecast(text: str) -> bool:
    """Whether a clause states what was forecast."""
    return any("FORECAST" in concepts_of(word) for word in content(text))


def _rather_outside(clause: Clause) -> bool:
    """Whether an unsure clause that names nothing of the plant or market is likely not of the field."""
    if clause.opinion.share >= SURELY_OURS or spoken_slots(clause.text, (), {}, ()):
        return False
    elsewhere = sum(
        share for name, share in clause.opinion.ranked if name in ("outside", "injection")
    )
    words = content(clause.text)
    strange = [word for word in words if not lines_with(word) and not concepts_of(word)]
    if _of_leisure(clause.text):
        return True
    unknown = clause.opinion.share < HALF and 2 * len(strange) >= len(words) > 0
    return elsewhere >= LIKELY_OUTSIDE or unknown


def _names_ours(clause: Clause) -> bool:
    """Whether a clause that is not surely outside names something of the plant or the market."""
    named = spoken_slots(clause.text, (), {}, ()).keys() & set(SUBJECTS)
    return bool(named) and clause.opinion.share < CERTAIN and not _of_leisure(clause.text)


def _leans(text: str) -> bool:
    """Whether a clause names nothing itself and refers to the one before."""
    return FOLLOW_UP.search(text) is not None and not spoken_slots(text, (), {}, ())


def _rivals(apart: Clauses) -> tuple[tuple[str, float], ...]:
    """Operations that any clause may mean, with their probabilities, the most likely first."""
    found: dict[str, float] = {}
    for clause in apart.wanted:
        for name, share in clause.opinion.ranked[: MOST_RIVALS + 1]:
            if "." in name and share >= LEAST_RIVAL:
                found[name] = round(max(share, found.get(name, 0.0)), 4)
    return tuple(sorted(found.items(), key=lambda item: -item[1]))[:MOST_RIVALS]
