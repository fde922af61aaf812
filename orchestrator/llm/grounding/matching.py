"""Whether a claimed number is a known one: rounded, converted, or computed from known ones where that is said."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from orchestrator.llm.grounding.facts import Fact
from orchestrator.llm.grounding.quantities import Quantity
from orchestrator.llm.grounding.unit_words import pint_unit
from orchestrator.plant.units import conversion

ROUGH = 0.05
"""Relative distance that a word such as "about" allows, at most."""
ROUND_DIGITS = 3
MOST_OPERANDS = 40

_DIFFERENCE = re.compile(
    r"\b(?:differ\w*|gap|margin to|headroom|away|short of|below|above|over|under|beyond|past|higher|lower\w*|more|less|"
    r"warmer|colder|hotter|cooler|greater|fewer|increas\w*|decreas\w*|declin\w*|drop\w*|fall\w*|fell|ris\w*|rose|gain\w*|lost|loss|"
    r"climb\w*|chang\w*|up|down|widen\w*|narrow\w*|spread|distance|left|remaining|exceed\w*|ahead|behind|within|from|clos\w*|rais\w*|mov\w*|off|leav\w*|reduc\w*)\b",
    re.IGNORECASE,
)
_RATIO = re.compile(
    r"\b(?:times|ratio|twice|double|factor|-?fold|multiple)\b|×|\bx\b", re.IGNORECASE
)
_BY_PART = re.compile(
    r"\b(?:third|quarter|fifth|tenth)s? (?:lower|less|higher|more)\b", re.IGNORECASE
)
_TOTAL = re.compile(
    r"\b(?:total\w*|sum\w*|together|combined|altogether|in all|overall|add\w* up)\b", re.IGNORECASE
)
_MEAN = re.compile(r"\b(?:average\w*|mean|midpoint|middle|centre|half ?way)\b", re.IGNORECASE)
_HALF_WIDTH = re.compile(r"±|\+/-|plus or minus|plus/minus", re.IGNORECASE)
_SHARE = re.compile(
    r"\bshare\b|\bfraction\b|\bproportion\b|%\s+of\b|\bper ?cent of\b", re.IGNORECASE
)
_LEVEL = re.compile(
    r"(?:\b(?:is|are|was|were|at|reads?|stands?|runs?|shows?|reach\w*|to|of)|[=:|])\s*(?:now |currently |about |around )?$",
    re.IGNORECASE,
)
_NAMED_DIFFERENCE = re.compile(
    r"\b(?:difference|gap|distance|headroom|change|increase|decrease|rise|fall|drop|gain|loss|reduction|spread|margin to)\b[^,;]*$",
    re.IGNORECASE,
)
_DELTA = re.compile(r"K$|delta|^deg|degC|degF")


@dataclass(frozen=True, slots=True)
class Support:
    """What a claim rests on.

    Attributes:
        facts: The facts it is, or is computed from.
        how: ``equal``, ``rounded``, ``converted``, or the computation.
        value: The known value in the claim's unit, with its sign.
    """

    facts: tuple[Fact, ...]
    how: str
    value: float


def direct(claim: Quantity, fact: Fact) -> Support | None:
    """Support by one fact: its size is the claim's, after rounding and conversion; signs are not looked at."""
    claimed = abs(claim.value)
    if claim.ratio:
        return None  # two facts make one
    if fact.role == "count" and (claim.unit or claim.step < 1):
        return None
    if claim.counted and fact.role not in ("count", "passage", "value"):
        return None
    for value, how in readings(claim, fact):
        if _same(claim, claimed, abs(value)):
            kind = how or ("equal" if claimed == abs(value) else "rounded")
            return Support((fact,), kind, value)
    return None


def readings(claim: Quantity, fact: Fact) -> Iterable[tuple[float, str]]:
    """The fact's value in the claim's unit, in each way that it may be said."""
    if not claim.unit:
        yield fact.value, ""
        return
    if fact.unit == "1":
        if claim.unit == "percent" and fact.share:
            yield fact.value * 100, "converted"
        return
    if not fact.unit:
        yield fact.value, ""
        if claim.unit == "percent" and fact.share:
            yield fact.value * 100, "converted"
        return
    if claim.unit == fact.unit:
        yield fact.value, ""
        return
    found = _conversion(fact.unit, claim.unit)
    if found is not None:
        scale, offset = found
        how = "" if (scale, offset) == (1.0, 0.0) else "converted"
        if fact.role == "change" and offset:
            offset = 0.0
        yield fact.value * scale + offset, how
    if fact.role == "change" and claim.unit == "percent" and fact.unit.startswith("percent/"):
        yield fact.value, ""


@cache
def _conversion(given: str, wanted: str) -> tuple[float, float] | None:
    return conversion(given, pint_unit(wanted))


def _same(claim: Quantity, claimed: float, value: float) -> bool:
    """Whether ``value``, rounded to the claim's precision, is what is claimed."""
    distance = abs(claimed - value)
    if distance <= 0.5 * claim.step * (1 + 1e-9) + 1e-12 * abs(value):
        return not (claim.step >= 1 and claimed == 0 and value != 0)
    if claim.hedged:
        return distance <= min(ROUGH * abs(value), 0.5 * _last_place(claimed))
    if claimed >= 1000 and value and claim.step >= 1:
        place = 10.0 ** (math.floor(math.log10(value)) - ROUND_DIGITS + 1)
        return math.isclose(round(value / place) * place, claimed, rel_tol=1e-9)
    return False


def _last_place(value: float) -> float:
    """The place of the last digit that is not zero: 600 -> 100, 42 -> 1, 7.1 -> 0.1."""
    if value == 0:
        return 1.0
    text = f"{value:.10g}"
    if "e" in text:
        return abs(value)
    if "." in text:
        return 10.0 ** -len(text.partition(".")[2])
    return 10.0 ** (len(text) - len(text.rstrip("0")))


def derived(
    claim: Quantity, sentence: str, local: tuple[str, str], pool: Sequence[Fact]
) -> Support | None:
    """Support by a computation that the sentence states, over the facts that it speaks of.

    Differences, changes in percent, shares, ratios, sums and means of two facts, and sums and means of all
    facts that the text gives before.

    Args:
        claim: The number.
        sentence: Holds the word for the computation.
        local: What stands just before and just after the number; the word for a difference is in it.
        pool: Facts that may be computed with, those that the sentence gives first.
    """
    before, after = local
    level = _LEVEL.search(before) is not None and not (
        _DIFFERENCE.match(after.lstrip(" ")) or _NAMED_DIFFERENCE.search(before)
    )
    difference = not level and _DIFFERENCE.search(before + " " + after) is not None
    claimed = abs(claim.value)
    for one, other in itertools.permutations(pool[:MOST_OPERANDS], 2):
        for name, value, unit in _of_two(claim, one, other, sentence, difference):
            size = _in_claimed_unit(claim, value, unit)
            if size is not None and _same(claim, claimed, abs(size)):
                if name == "ratio" and not claim.ratio and pool.index(one) > pool.index(other):
                    continue
                return Support((one, other), name, size)
    return None


def _of_two(
    claim: Quantity, one: Fact, other: Fact, sentence: str, difference: bool
) -> Iterable[tuple[str, float, str]]:
    second = _as(other, one.unit)
    if second is None:
        return
    if claim.ratio:
        # "a third lower" leaves two thirds.
        if second and one.role != "limit" and (one.subject != other.subject or one.role == "value"):
            ratio = one.value / second
            yield "ratio", ratio, "1"
            if _BY_PART.search(sentence):
                yield "change", abs(ratio - 1), "1"
        return
    if difference and claim.unit != "percent":
        yield "difference", one.value - second, one.unit
    if difference and claim.unit == "percent":
        if one.unit in ("percent", "1", ""):
            yield "difference", one.value - second, "percent"
        if second:
            yield "change in percent", (one.value - second) / abs(second) * 100, "percent"
    if claim.unit == "percent" and second and _SHARE.search(sentence):
        yield "share", one.value / second * 100, "percent"
    if not claim.unit and second and _RATIO.search(sentence):
        yield "ratio", one.value / second, "1"
    if _TOTAL.search(sentence):
        yield "sum", one.value + second, one.unit
    if _MEAN.search(sentence):
        yield "mean", (one.value + second) / 2, one.unit
    if _HALF_WIDTH.search(sentence):
        yield "half width", abs(one.value - second) / 2, one.unit


def totals(claim: Quantity, sentence: str, stated: Sequence[Fact]) -> Support | None:
    """Support by the sum or mean of all that the text itself gives in one unit."""
    groups: dict[str, list[Fact]] = {}
    for fact in dict.fromkeys(stated):
        groups.setdefault(fact.unit, []).append(fact)
    for unit, facts in groups.items():
        if len(facts) < 2:
            continue
        total = sum(fact.value for fact in facts)
        wanted = []
        if _TOTAL.search(sentence):
            wanted.append(("sum", total))
        if _MEAN.search(sentence):
            wanted.append(("mean", total / len(facts)))
        for name, value in wanted:
            size = _in_claimed_unit(claim, value, unit)
            if size is not None and _same(claim, abs(claim.value), abs(size)):
                return Support(tuple(facts), name, size)
    return None


def _as(fact: Fact, unit: str) -> float | None:
    if fact.unit == unit:
        return fact.value
    if not fact.unit or not unit or "1" in (fact.unit, unit):
        return None
    found = _conversion(fact.unit, unit)
    return None if found is None else fact.value * found[0] + found[1]


def _in_claimed_unit(claim: Quantity, value: float, unit: str) -> float | None:
    """A difference in the claim's unit: scaled, without the offset of temperatures."""
    if (
        not claim.unit
        or claim.unit == unit
        or not unit
        or (unit == "1" and claim.unit == "percent")
    ):
        return value
    if unit == "1":
        return None
    if claim.unit == "K" and unit == "degC":
        return value
    found = _conversion(unit, claim.unit)
    return None if found is None else value * found[0]
