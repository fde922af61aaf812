"""Takes a sentence apart into the clauses that each want one thing."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.core.understanding.classifier import Opinion, opinion
from orchestrator.core.understanding.concepts import concepts_of
from orchestrator.core.understanding.follow_ups import content, is_why
from orchestrator.core.understanding.oversteps import (
    ALL_MOVES,
    MISNAMED,
    NEGATED_INSIDE,
    NEGATION,
    REFUSED_AFTER,
    WHAT_THEN,
    overstep_of,
)

MOST_ATOMS, LONGEST_CLAUSE = 9, 5
PRICE_OF_A_CLAUSE = 0.2
"""What one more clause costs, in units of log probability."""
LEAST_SHARE, SURELY_DATA = 1e-6, 0.9
COMMA = 0.6
"""How much less a comma parts two wants than a word or a full stop does."""
MOVES = frozenset({"optimization.setpoints", "optimization.plan", "optimization.blend"})
BY_CONCEPT = {
    "FORECAST": "forecasting.forecast",
    "WHY": "forecasting.explain",
    "BALANCE": "etl.reconcile",
    "CLEAN": "etl.clean",
    "LOAD": "etl.ingest",
    "PRICE": "analysis.prices",
    "CRACK": "analysis.cracks",
    "STOCK": "analysis.stocks",
    "DEMAND": "analysis.demand",
    "MARKET": "analysis.market",
    "PLAN": "optimization.plan",
    "BLEND": "optimization.blend",
    "SETPOINT": "optimization.setpoints",
}
"""Operations that a negated word rules out by itself."""
MOST_NEGATED = 4
"""Words of a negated clause up to which a single one rules out its operation."""
RULED_OUT_FROM = 0.25
"""A negated clause rules out each operation that it names with at least this probability."""

_SPLIT = re.compile(
    r"<!--|-->|[;.?!\n]+(?=\s|$)|:(?=\s)|,(?=\s)|\s(?:-|--)\s|(?<=[\u3400-\u9fff]),|"
    r"\b(?:and then|then also|and also|after that|while you(?:'re| are) at it|as well as|and|then|plus|also|but|"
    r"et|puis|ensuite|mais|und|dann|aber|sowie|luego|despues|pero|depois|mas|poi|anche|ve|sonra|ama|maar|daarna|затем|потом|а также|но|ثم)\b|"
    r"\bи\b|(?<= )y(?= )|(?<= )e(?= )|(?<= )و(?=ا)|然后|并且|再|以及"
)
_KEPT_TOGETHER = (
    re.compile(r"\bbetween (?:[^,.;]{1,40}?) and\b"),
    re.compile(
        r"\b(?:in|ins|feed|feeds|mass|supply|heat|receipts|gains|inputs?|up|high|meters|dual|wann?|builds?|draws?|mehr|more|t\d\d) (?:and|et|und|y|e|и|ve) "
        r"(?:out|outs|products?|energy|demand|heat|losses|outputs?|down|low|tanks|draws?|builds?|less|balance|t\d\d)\b"
    ),
    re.compile(r"\bthen\s*[?!.]*$|\b(?:more|less|now) then\b|\bif\b[^,.;]{1,60}\bthen\b"),
    re.compile(
        r"(?:^|[,.;] |\band |\bwhat )(?:if|when (?:you|we|i)|suppose|supposing|say (?:we|i)|assum\w+|imagine|given|wenn|et si|si|se|als)\b[^.;?!]{3,80}?, "
    ),
    re.compile(r"\b[\w-]*\d[\w-]* (?:and|et|und|y|e|ve) [\w-]*\d"),
    re.compile(
        r"\band (?:a half|how much of each|by how much|when|why not|so on|what is it worth)\b|\bmore and more\b"
    ),
)
_EITHER = re.compile(r"^\w+ or \w+\s*\??$")
"""``tight or ample?`` asks the clause before more closely."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a request that wants one thing.

    Attributes:
        text: Folded words.
        opinion: What it may want.
        overstep: ``order`` or ``injection`` where it is one.
    """

    text: str
    opinion: Opinion
    overstep: str | None = None


@dataclass(frozen=True, slots=True)
class Clauses:
    """A request taken apart.

    Attributes:
        wanted: Clauses, less those that rule something out.
        ruled_out: Operations that the request rules out.
    """

    wanted: tuple[Clause, ...]
    ruled_out: frozenset[str]


def take_apart(text: str) -> Clauses:
    """The clauses of folded text."""
    ruled_out: set[str] = set()
    text = MISNAMED.sub(lambda found: _blank(found[0], ruled_out, found["wrong"]), text)
    text = NEGATED_INSIDE.sub(lambda found: _blank(found[0], ruled_out), text)
    runs: list[list[Atom]] = [[]]
    done: list[Clause] = []
    atoms = _atoms(text)
    for number, atom in enumerate(atoms):
        negation = NEGATION.match(atom.text)
        if negation is not None and (
            _rules_out(atom.text[negation.end() :], ruled_out) or len(atoms) > 1
        ):
            runs.append([])
            continue
        if (refused := REFUSED_AFTER.match(atom.text)) and _rules_out(refused[1], ruled_out):
            runs.append([])
            continue
        kind = overstep_of(atom.text)
        following = atoms[number + 1].text if number + 1 < len(atoms) else ""
        if kind == "order" and (_of_data(atom.text) or _only_supposed(atom.text, following)):
            kind = None
        if kind is None:
            runs[-1].append(atom)
            continue
        done.append(Clause(atom.text, opinion(atom.text), kind))
        runs.append([])
    wanted = [clause for run in runs for clause in _joined(text, run)]
    return Clauses((*wanted, *done), frozenset(ruled_out))


class Atom(NamedTuple):
    """A smallest part that may want something, and where it stands."""

    start: int
    end: int
    text: str


def _atoms(text: str) -> list[Atom]:
    kept = [found.span() for pattern in _KEPT_TOGETHER for found in pattern.finditer(text)]
    atoms: list[Atom] = []
    start = 0
    for low, high, mark in [(m.start(), m.end(), m[0]) for m in _SPLIT.finditer(text)] + [
        (len(text), len(text), "")
    ]:
        if any(begin <= low < end for begin, end in kept):
            continue
        if len(atoms) == MOST_ATOMS - 1 and low < len(text):
            continue
        end = high if "?" in mark else low
        said = text[start:end].strip(" ,")
        if re.search(r"\w", said):
            atoms.append(Atom(start, end, said))
        start = high
    return atoms


def _of_data(order: str) -> bool:
    """Whether what looks like an order treats data, not the plant."""
    said = opinion(order)
    return said.label.startswith("etl.") and said.share >= SURELY_DATA


def _only_supposed(order: str, following: str) -> bool:
    """Whether what looks like an order only supposes a change whose effect is asked."""
    if opinion(order).label == "optimization.what_if" and order.endswith("?"):
        return True
    together = opinion(f"{order}, {following}") if following else None
    return (
        together is not None
        and WHAT_THEN.search(following) is not None
        and together.label == "optimization.what_if"
    )


def _blank(text: str, ruled_out: set[str], named: str | None = None) -> str:
    """As many blanks as ``text`` is long, where it names operations, which are then ruled out."""
    bare = re.sub(
        r"^(?:but |and )?(?:instead of|rather than|nothing (?:on|about|of)|except|leav(?:e|ing) out|not|no|without|minus the)\s+",
        "",
        text,
    )
    return " " * len(text) if _rules_out(named or bare, ruled_out) else text


def _rules_out(text: str, ruled_out: set[str]) -> bool:
    """Add the operations that a negated clause names; false where it names none."""
    found = {
        name for name, share in opinion(text).ranked[:4] if "." in name and share >= RULED_OUT_FROM
    }
    words = content(text)
    if len(words) <= MOST_NEGATED:
        found |= {BY_CONCEPT[c] for word in words for c in concepts_of(word) if c in BY_CONCEPT}
    if ALL_MOVES.search(text):
        found |= MOVES
    ruled_out |= found
    return bool(found)


def _joined(text: str, atoms: Sequence[Atom]) -> list[Clause]:
    """The most likely way to join neighbouring atoms into clauses."""

    def words(start: int, end: int) -> str:
        return text[atoms[start].start : atoms[end - 1].end].strip(" ,")

    def said(start: int, end: int) -> Opinion:
        return opinion(words(start, end))

    def joint(at: int) -> float:
        """How strongly the words before atom ``at`` part it from the one before."""
        if not text[: atoms[at].start].rstrip().endswith((",", ":")):
            return 1.0
        return COMMA if content(atoms[at].text) and content(atoms[at - 1].text) else 0.0

    def worth(start: int, end: int) -> float:
        """Log probability that atoms ``start`` to ``end`` want one thing."""
        several = max(
            (
                joint(at)
                * _differ(said(start, at), said(at, end), said(start, end), words(at, end))
                for at in range(start + 1, end)
            ),
            default=0.0,
        )
        whole = said(start, end)
        one = whole.share * (1 - several)
        return math.log(max(one, LEAST_SHARE)) - PRICE_OF_A_CLAUSE

    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(atoms) + 1):
        starts = range(max(0, end - LONGEST_CLAUSE), end)
        best.append(max((best[start][0] + worth(start, end), start) for start in starts))
    clauses: list[Clause] = []
    end = len(atoms)
    while end:
        start = best[end][1]
        clauses.append(Clause(words(start, end), said(start, end)))
        end = start
    return clauses[::-1]


def _differ(first: Opinion, second: Opinion, whole: Opinion, second_text: str) -> float:
    """Probability that two parts want something else than the whole is read as."""
    if first.label.startswith("forecasting.") and is_why(second_text):
        return first.share if whole.label != "forecasting.explain" else 0.0
    if _EITHER.match(second_text) or not (_wants(first) and _wants(second)):
        return 0.0
    agree = first.label == second.label
    return 0.0 if agree and whole.label == first.label else first.share * second.share


def _wants(said: Opinion) -> bool:
    return "." in said.label or said.label == "history"
