"""Checks an answer: every number in it traces to evidence, and nothing in it contradicts what is known."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from orchestrator.llm.grounding.contradictions import contradictions
from orchestrator.llm.grounding.directions import direction_of
from orchestrator.llm.grounding.evidence import Evidence
from orchestrator.llm.grounding.facts import Fact
from orchestrator.llm.grounding.matching import Support, derived, direct, readings, totals
from orchestrator.llm.grounding.plant_names import denies, shaped_names
from orchestrator.llm.grounding.quantities import COMPARED, Quantity, masked, quantities
from orchestrator.llm.grounding.report import Problem, Report, Traced
from orchestrator.llm.grounding.subjects import Mention, Mentions, subjects_of

_SENTENCE = re.compile(
    r"(?<=[.!?])(?<!\d\.)(?<!e\.g\.)(?<!i\.e\.)(?<!approx\.)(?<!ca\.)(?<!vs\.)(?<!no\.)\s+(?=[A-Z0-9\"'(*\-•–])|\n+"
)
_HORIZON = re.compile(
    r"\b(?:next|last|past|previous|coming|within|over|horizon|ahead|period|ago|old|window|every|in|for|after|of)\b[^.,;]{0,20}$",
    re.IGNORECASE,
)
_TIMES = frozenset({"s", "min", "h", "day", "week", "month", "year"})
_COUNTING = frozenset({"count", "number", "total", "open"})
_DOCUMENT = re.compile(
    r"\b(?:manual|procedures?|documents?|handbook|data ?sheet|instructions?|guidelines?|passage|specification sheet)\b",
    re.IGNORECASE,
)
_FROM_TO = re.compile(r"\s*(?:°?\w+\s)?to\s*(?:about |around )?")
_OF_LIMITS = re.compile(
    r"limit|alarm|normal|range|trip|bound|threshold|max|min|low|high|exceed|target|spec|between|above|over|under|within|inside|outside|envelope|allow",
    re.IGNORECASE,
)
_SIDE = re.compile(
    r"\b(low|lower|high|upper)\b[- ]?(?:low|high)?\s*(?:alarm\s|trip\s)?limit\s*(?:of \S+ )?(?:of|is|at|=|:)?\s*$",
    re.IGNORECASE,
)
_SIDE_NAMED = re.compile(
    r"\b(low|lower|high|upper)\b[- ]?(?:low|high)?\s*(?:alarm\s|trip\s)?limit", re.IGNORECASE
)
_SIDES = {"low": "low", "lower": "low", "high": "high", "upper": "high"}
_IS_A_LIMIT = re.compile(
    r"\b(?:limit|threshold|target|alarm)\s*(?:of \S+ )?(?:of|is|at|=|:|\()?\s*$", re.IGNORECASE
)
_NEAR_LIMIT = re.compile(
    r"\b(?:limit|threshold|target|alarm|maximum|minimum|normal|bound)\b", re.IGNORECASE
)
_LIMIT_IS = re.compile(
    r"\b(?:limit|threshold)(?:\s+(?:of|for|on)\s+(?:the\s+)?[\w.-]+(?:\s[\w.-]+){0,3}?)?\s*(?:\b(?:of|is|was|at|stands at)|=|:|\()?\s*$",
    re.IGNORECASE,
)
COMPARABLE = 0.25
"""How far, relatively, a bound in words ("more than 600") may lie from the value that it is true of."""


def check(answer: str, evidence: Evidence) -> Report:
    """Trace every number of ``answer`` to ``evidence``."""
    return _Check(answer, evidence).report()


class _Check:
    def __init__(self, answer: str, evidence: Evidence) -> None:
        self._answer = answer
        self._evidence = evidence
        self._sentences = sentences_of(answer)
        self._claims = quantities(answer, evidence.names)
        self._clean = masked(answer, evidence.names)
        self._mentions: list[Mention] = Mentions(evidence).of(answer)
        self._facts_of: dict[str, list[Fact]] = {}
        for fact in evidence.facts:
            self._facts_of.setdefault(fact.subject, []).append(fact)
        self._stated: list[tuple[int, Fact]] = []
        self._problems: list[Problem] = []
        self._traced: list[Traced] = []

    def report(self) -> Report:
        carried: set[str] = set()
        for number, bounds in enumerate(self._sentences):
            claims = [c for c in self._claims if bounds[0] <= c.start < bounds[1]]
            waiting: list[tuple[Quantity, set[str]]] = []
            for claim in claims:
                subjects = self._subjects(claim, bounds, claims, carried)
                support = self._supported(claim, number, bounds, subjects, computed=False)
                if support is None:
                    waiting.append((claim, subjects))
                else:
                    self._accept(claim, number, support)
            for claim, subjects in waiting:
                support = self._supported(claim, number, bounds, subjects, computed=True)
                if support is None:
                    self._refuse(claim, number, subjects)
                else:
                    self._accept(claim, number, support)
            self._from_to(claims, number, bounds)
            named = [m for m in self._mentions if bounds[0] <= m.start < bounds[1]]
            if named:
                last = max(m.start for m in named)
                carried = {m.key for m in named if m.start == last or len(named) <= 2}
            self._contradicted(number, bounds, named)
            self._invented(number, bounds, numbers=bool(claims))
        return Report(
            self._answer, tuple(self._sentences), tuple(self._problems), tuple(self._traced)
        )

    def _invented(self, number: int, bounds: tuple[int, int], *, numbers: bool) -> None:
        """A tag or piece of equipment that nothing names; one that is only denied claims nothing."""
        sentence = self._answer[bounds[0] : bounds[1]]
        if denies(sentence) and not numbers:
            return
        for _, name in shaped_names(sentence):
            if not self._evidence.knows(name):
                self._problems.append(
                    Problem(
                        "unsupported", name, number, "no tag or equipment of this name is known"
                    )
                )

    def _from_to(self, claims: Sequence[Quantity], number: int, bounds: tuple[int, int]) -> None:
        """``falls from 360 to 370`` contradicts itself."""
        for first, last in itertools.pairwise(claims):
            before = self._clean[bounds[0] : first.start]
            if not re.search(r"\bfrom\s*(?:about |around )?$", before, re.IGNORECASE):
                continue
            if not _FROM_TO.fullmatch(self._clean[first.end : last.start]):
                continue
            said = direction_of(re.sub(r"\bfrom\s*(?:about |around )?$", "by ", before), "")
            if said and (last.value - first.value) * said < 0:
                text = self._answer[first.start : last.end]
                self._problems.append(
                    Problem("sign", text, number, "the words say the other direction")
                )

    def _subjects(
        self,
        claim: Quantity,
        bounds: tuple[int, int],
        claims: Sequence[Quantity],
        carried: set[str],
    ) -> set[str]:
        found = subjects_of(
            self._answer,
            self._mentions,
            claim.start,
            claim.end,
            bounds,
            [item.start for item in claims],
        )
        return found or carried

    def _supported(
        self,
        claim: Quantity,
        number: int,
        bounds: tuple[int, int],
        subjects: set[str],
        *,
        computed: bool,
    ) -> Support | None:
        sentence = self._answer[bounds[0] : bounds[1]]
        if computed:
            return self._computed(claim, number, sentence, subjects) or self._bounded(
                claim, bounds, subjects
            )
        own = [fact for key in subjects for fact in self._facts_of.get(key, ())]
        free = self._free(claim, bounds, subjects, own)
        if claim.counted:
            return self._count(claim, bounds)
        candidates = self._ordered(claim, bounds, own) or []
        for fact in (*candidates, *free):
            support = direct(claim, fact)
            if support is not None and self._fits(claim, bounds, fact, support):
                return support
        return None

    def _free(
        self, claim: Quantity, bounds: tuple[int, int], subjects: set[str], own: Sequence[Fact]
    ) -> list[Fact]:
        """Facts of no subject that is named, which the claim may be all the same.

        A passage is open to a sentence that speaks of a document or shares a word with it. Facts of fields
        are open where the named subjects have nothing in the claim's unit; spans of time are open to
        words such as "in the next". Where nothing is named, everything is open.
        """
        sentence = self._answer[bounds[0] : bounds[1]]
        cites = _DOCUMENT.search(sentence) is not None
        passages = [
            fact for fact in self._evidence.facts if fact.role == "passage" and not fact.subject
        ]
        if cites and passages and not subjects:
            return passages
        if not subjects:
            return self._evidence.facts
        words = {word for word in re.findall(r"[a-z0-9]+", sentence.lower()) if len(word) > 3}
        free = [fact for fact in passages if cites or fact.words & words]
        alike = any(value is not None for value in (_converted(fact, claim) for fact in own))
        if not alike:
            free += [fact for fact in self._evidence.facts if fact.subject.startswith("field:")]
        before = self._clean[bounds[0] : claim.start]
        if claim.unit in _TIMES and _HORIZON.search(before):
            fields = [fact for fact in self._evidence.facts if fact.subject.startswith("field:")]
            free += [fact for fact in fields if fact.unit in _TIMES]
        return free

    def _ordered(self, claim: Quantity, bounds: tuple[int, int], own: Sequence[Fact]) -> list[Fact]:
        """Facts of the subject; beside the word "limit" a limit goes first."""
        before = self._clean[bounds[0] : claim.start][-30:]
        if _NEAR_LIMIT.search(before):
            return sorted(own, key=lambda fact: fact.role != "limit")
        return list(own)

    def _fits(self, claim: Quantity, bounds: tuple[int, int], fact: Fact, support: Support) -> bool:
        """Whether the words around a claim let it be this fact: its sign, and the word "limit"."""
        before = self._clean[bounds[0] : claim.start]
        after = self._clean[claim.end : bounds[1]]
        direction = direction_of(before, after)
        if _LIMIT_IS.search(before) and fact.role not in ("limit", "passage"):
            return False
        if fact.role == "limit" and not _OF_LIMITS.search(self._answer[bounds[0] : bounds[1]]):
            return False
        if fact.role == "limit" and fact.words & {"low", "high"}:
            side = _SIDE.search(before)
            if side and _SIDES[side[1].lower()] not in fact.words:
                return False
        known = support.value
        if fact.role == "change" or known < 0:
            if direction:
                return (known > 0) == (direction > 0) and not (claim.value < 0 < direction)
            if fact.role == "passage" and not claim.signed:
                return True
            return claim.value == 0 or (claim.value > 0) == (known > 0)
        if claim.value < 0 < known:
            return direction < 0 and fact.role == "passage"
        return not (
            direction < 0
            and claim.value > 0
            and fact.role == "value"
            and re.search(r"\bby\s*$", before)
        )

    def _count(self, claim: Quantity, bounds: tuple[int, int]) -> Support | None:
        """A count of things: where the evidence counts such things, it must be that count."""
        follow = self._answer[claim.end : claim.end + 60].lower()
        words = set(re.findall(r"[a-z]+", re.split(r"[.,;:(]", follow)[0])[:4])
        words |= {word.removesuffix("s") for word in words} | {f"{word}s" for word in words}
        free = [fact for fact in self._evidence.facts if fact.role in ("count", "passage")]
        best = [
            fact
            for fact in free
            if fact.words & words and (fact.role == "passage" or fact.words - _COUNTING <= words)
        ]
        passages = [fact for fact in free if fact.role == "passage"]
        for fact in (*(best or free), *passages):
            support = direct(claim, fact)
            if support is not None:
                return support
        sentence = self._answer[bounds[0] : bounds[1]]
        listed = [m for m in self._mentions if bounds[0] <= m.start < bounds[1]]
        if not best and len({m.key for m in listed}) == claim.value and sentence:
            return Support((), "counted in the sentence", claim.value)
        return None

    def _computed(
        self, claim: Quantity, number: int, sentence: str, subjects: set[str]
    ) -> Support | None:
        """From what the text gives in this sentence and the one before, and the subjects' own facts."""
        near = [fact for at, fact in self._stated if number - 1 <= at <= number]
        named = {m.key for m in self._mentions if self._in(m.start, number)}
        here = list(dict.fromkeys(fact for at, fact in self._stated if at == number))
        spoken = {fact.subject for fact in here if fact.subject}
        own = [
            fact
            for key in (subjects | named | spoken)
            for fact in self._facts_of.get(key, ())
            if fact.role in ("value", "limit") and "age" not in fact.words
        ]
        begin = self._sentences[number][0]
        local = (
            self._clean[max(begin, claim.start - 70) : claim.start],
            self._clean[claim.end :][:30],
        )
        if _IS_A_LIMIT.search(local[0]):
            return None
        side = _SIDE_NAMED.findall(sentence)
        if len(set(side)) == 1:
            own = [f for f in own if f.role != "limit" or _SIDES[side[0].lower()] in f.words]
        limits = [fact for fact in own if fact.role == "limit"] if "limit" in sentence else []
        alike = [
            fact
            for fact in here
            if not claim.unit
            or (
                fact.subject in subjects
                if claim.unit == "percent"
                else _converted(fact, claim) is not None
            )
        ]
        pool = [*here, *limits] if len(alike) >= 2 else list(dict.fromkeys([*near, *own]))
        support = derived(claim, sentence, local, pool) or totals(
            claim, sentence, [fact for _, fact in self._stated]
        )
        if support is None or support.how not in ("difference", "change in percent"):
            return support
        return support if self._ordered_right(claim, number, support) else None

    def _ordered_right(self, claim: Quantity, number: int, support: Support) -> bool:
        """Whether a difference has the direction that the sentence gives it.

        ``A is 12 above its limit`` needs A over the limit; ``fell from A to B`` needs B under A.
        """
        begin, end = self._sentences[number]
        before, after = self._clean[begin : claim.start], self._clean[claim.end : end]
        direction = direction_of(before, after)
        if not direction:
            return claim.value >= 0 or support.value < 0
        one, other = support.facts[0], support.facts[1]
        roles = {one.role, other.role}
        if roles == {"value", "limit"}:
            value, limit = (one, other) if one.role == "value" else (other, one)
            return (value.value > limit.value) == (direction > 0) or abs(value.value) < 1e-12
        stated = [fact for at, fact in self._stated if at == number]
        if one in stated and other in stated:
            from_to = re.search(r"\bfrom\b.*\bto\b", self._clean[begin:end], re.IGNORECASE)
            if from_to:
                first, last = sorted((one, other), key=stated.index)
                return (last.value > first.value) == (direction > 0)
        return True

    def _in(self, at: int, number: int) -> bool:
        begin, end = self._sentences[number]
        return begin <= at < end

    def _bounded(
        self, claim: Quantity, bounds: tuple[int, int], subjects: set[str]
    ) -> Support | None:
        """``more than 600``: true of the subject's value, near it, and no limit is meant."""
        before = self._answer[bounds[0] : claim.start]
        compared = COMPARED.search(before)
        if (
            compared is None
            or _NEAR_LIMIT.search(before[-40:])
            or _NEAR_LIMIT.search(self._answer[claim.end : claim.end + 12])
        ):
            return None
        more = compared["more"] is not None or compared["gt"] is not None
        facts = [f for key in subjects for f in self._facts_of.get(key, ())]
        if not subjects and claim.unit in _TIMES:
            facts = self._evidence.facts
        for fact in facts:
            if fact.role not in ("value", "change", "count"):
                continue
            known = _converted(fact, claim)
            if known is None or not known or abs(known - claim.value) > COMPARABLE * abs(known):
                continue
            if (known >= claim.value) if more else (known <= claim.value):
                return Support((fact,), "bound", known)
        return None

    def _accept(self, claim: Quantity, number: int, support: Support) -> None:
        self._traced.append(
            Traced(
                claim.text,
                number,
                support.how,
                tuple(dict.fromkeys(fact.source for fact in support.facts)),
            )
        )
        self._stated += [(number, fact) for fact in support.facts]

    def _refuse(self, claim: Quantity, number: int, subjects: set[str]) -> None:
        about = ", ".join(sorted(key.removeprefix("field:") for key in subjects))
        signed = any(
            direct(claim, fact) is not None
            for key in subjects
            for fact in self._facts_of.get(key, ())
        )
        why = (
            "its sign or direction is not that of the evidence"
            if signed
            else (f"no evidence gives it{f' for {about}' if about else ''}")
        )
        self._problems.append(Problem("sign" if signed else "unsupported", claim.text, number, why))

    def _contradicted(self, number: int, bounds: tuple[int, int], named: Sequence[Mention]) -> None:
        sentence = self._answer[bounds[0] : bounds[1]]
        moved = [Mention(m.key, m.start - bounds[0], m.end - bounds[0], m.weight) for m in named]
        for why in contradictions(sentence, moved, self._evidence, self._facts_of):
            self._problems.append(Problem("contradiction", sentence.strip(), number, why))


def _converted(fact: Fact, claim: Quantity) -> float | None:
    for value, _ in readings(claim, fact):
        return value
    return None


def sentences_of(text: str) -> list[tuple[int, int]]:
    """Begin and end of each sentence or line."""
    found: list[tuple[int, int]] = []
    begin = 0
    for match in _SENTENCE.finditer(text):
        if text[begin : match.start()].strip():
            found.append((begin, match.start()))
        begin = match.end()
    if text[begin:].strip():
        found.append((begin, len(text)))
    return found
