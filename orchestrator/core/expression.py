"""One rule's condition: compiled once, evaluated with three-valued logic.

A condition over absent fields is *unknown*, which is not true. The CEL library raises on an absent
field, and so gives that meaning to plain conditions by itself. Inside ``list.exists(x, ...)`` and
``list.all(x, ...)`` it gives up at the first element that lacks a field, so those are evaluated here
element by element: an element that lacks a field is unknown by itself and hides no other.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import cel

from orchestrator.core.predicates import NUMBERS, ORDERINGS, Path, Predicate, plain_predicate
from orchestrator.errors import ConfigurationError


def _absolute(value: Any) -> Any:
    if type(value) not in NUMBERS:
        raise TypeError(f"abs() takes a number, not {type(value).__name__}")
    return abs(value)


FUNCTIONS = {"abs": _absolute}
_NATIVE_FUNCTIONS = frozenset(
    (
        "size",
        "contains",
        "startsWith",
        "endsWith",
        "matches",
        "has",
        "int",
        "uint",
        "double",
        "string",
        "bytes",
        "bool",
        "dyn",
        "type",
        "timestamp",
        "duration",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getFullYear",
        "getHours",
        "getMilliseconds",
        "getMinutes",
        "getMonth",
        "getSeconds",
        "optional.of",
        "optional.none",
        "orValue",
        "hasValue",
    )
)
_OPERATORS = {**ORDERINGS, "==": operator.eq}
_UNKNOWN = (KeyError, RuntimeError, TypeError, ValueError, IndexError)
_STRING = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'')
_QUANTIFIER = re.compile(r"(?<![\w.])([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\.(exists|all)\(")
_VARIABLE = re.compile(r"\s*([A-Za-z_]\w*)\s*,")
_PATH = re.compile(r"(?<![\w.])([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(\s*\()?")
_COMPARISON = re.compile(
    r"(?<![\w.])(?P<abs>abs\(\s*)?(?P<path>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)\s*(?(abs)\))\s*"
    r"(?P<op><=|>=|==|<|>)\s*(?P<number>-?\d+(?:\.\d+)?)"
)

Shape = dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """``path op threshold``, with the absolute value of the field where ``absolute``."""

    path: Path
    absolute: bool
    op: str
    threshold: float

    def holds(self, value: float) -> bool:
        """Whether ``value`` satisfies it."""
        return bool(_OPERATORS[self.op](abs(value) if self.absolute else value, self.threshold))


@dataclass(frozen=True)
class Quantifier:
    """``list.exists(variable, predicate)`` or ``.all``; ``slot`` stands for it in the condition.

    ``plain`` is the predicate as a function of the element where it needs no expression language.
    """

    slot: str
    source: Path
    every: bool
    variable: str
    predicate: cel.Program
    fields: tuple[Path, ...]
    outer: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    plain: Predicate | None


@dataclass(frozen=True)
class Condition:
    """A compiled condition.

    Attributes:
        text: As written.
        program: The condition with each quantifier replaced by its slot.
        quantifiers: What the slots stand for.
        bare: Whether the program is nothing but one slot.
        paths: Fields that the program reads outside the quantifiers.
        comparisons: Comparisons of a field with a number, outside the quantifiers.
        plain: The program as a function of facts and slots where it needs no expression language.
    """

    text: str
    program: cel.Program
    quantifiers: tuple[Quantifier, ...]
    bare: bool
    paths: tuple[Path, ...]
    comparisons: tuple[Comparison, ...]
    plain: Predicate | None


def compile_condition(text: str, where: str) -> Condition:
    """Compile a condition.

    Raises:
        ConfigurationError: it is not a valid expression, or calls a function that is not there.
    """
    _checked(text, where)
    remaining = text
    quantifiers: list[Quantifier] = []
    while found := _next_quantifier(remaining):
        start, end, source, every, variable, predicate = found
        slot = f"quantifier_{len(quantifiers)}"
        program = _checked(predicate, where)
        paths = tuple(_paths(predicate))
        quantifiers.append(
            Quantifier(
                slot=slot,
                source=tuple(source.split(".")),
                every=every,
                variable=variable,
                predicate=program,
                fields=tuple(path[1:] for path in paths if path[0] == variable),
                outer=tuple(sorted({p[0] for p in paths} - {variable})),
                comparisons=tuple(_comparisons(predicate, variable)),
                plain=plain_predicate(predicate, variable),
            )
        )
        remaining = f"{remaining[:start]}{slot}{remaining[end:]}"
    slots = {quantifier.slot for quantifier in quantifiers}
    return Condition(
        text=text,
        program=_checked(remaining, where),
        quantifiers=tuple(quantifiers),
        bare=remaining.strip() in slots,
        paths=tuple(path for path in _paths(remaining) if path[0] not in slots),
        comparisons=tuple(_comparisons(remaining, None)),
        plain=plain_predicate(remaining),
    )


def holds(program: cel.Program, context: cel.Context) -> bool | None:
    """The value of a condition; ``None`` where it is unknown, or is not a truth value."""
    try:
        value = program.execute(context)
    except _UNKNOWN:
        return None
    return value if isinstance(value, bool) else None


def shape_of(paths: Iterable[Path]) -> Shape:
    """What :func:`project` keeps so that ``paths`` can be read; an empty path keeps everything."""
    below: dict[str, list[Path]] = {}
    for path in paths:
        if not path:
            return None
        below.setdefault(path[0], []).append(path[1:])
    return {name: shape_of(rest) for name, rest in below.items()}


def project(value: Any, shape: Shape) -> Any:
    """``value`` with only what ``shape`` keeps."""
    if shape is None or not isinstance(value, dict):
        return value
    return {name: project(value[name], below) for name, below in shape.items() if name in value}


def look_up(facts: Any, path: Path) -> Any:
    """The value at ``path``; ``None`` where there is none."""
    for name in path:
        if not isinstance(facts, dict) or name not in facts:
            return None
        facts = facts[name]
    return facts


def _checked(text: str, where: str) -> cel.Program:
    try:
        program = cel.compile(text)
    except (ValueError, RuntimeError, TypeError) as error:
        first = str(error).splitlines()[0] if str(error) else "it cannot be parsed"
        raise ConfigurationError(
            f"{text!r} is not a valid expression: {first}",
            where=where,
            remedy="write it in the Common Expression Language, for example: "
            "kpis.margin_change_pct <= -2.0",
        ) from error
    unknown = {
        name
        for name in program.functions()
        if name[0].isalpha() and name not in _NATIVE_FUNCTIONS and name not in FUNCTIONS
    }
    if unknown:
        raise ConfigurationError(
            f"{text!r} calls {', '.join(sorted(unknown))}(), which is not there",
            where=where,
            remedy=f"use {', '.join(sorted(FUNCTIONS))}() or a standard function of the language",
        )
    return program


def _masked(text: str) -> str:
    """``text`` with the inside of every string blanked, so that it is not taken for code."""
    return _STRING.sub(lambda match: '"' + " " * (len(match[0]) - 2) + '"', text)


def _next_quantifier(text: str) -> tuple[int, int, str, bool, str, str] | None:
    masked = _masked(text)
    found = _QUANTIFIER.search(masked)
    if found is None:
        return None
    variable = _VARIABLE.match(masked, found.end())
    end = _closing(masked, found.end() - 1)
    if variable is None or end is None:
        return None
    predicate = text[variable.end() : end]
    return found.start(), end + 1, found[1], found[2] == "all", variable[1], predicate


def _closing(text: str, opening: int) -> int | None:
    depth = 0
    for position in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return position
    return None


def _paths(text: str) -> Iterator[Path]:
    """Dotted names in ``text``; the last part of a called one is the function, not a field."""
    for found in _PATH.finditer(_masked(text)):
        parts = tuple(found[1].split("."))
        if found[2]:
            parts = parts[:-1]
        if parts and parts[0] not in {"true", "false", "null", "in"}:
            yield parts


def _comparisons(text: str, variable: str | None) -> Iterator[Comparison]:
    for found in _COMPARISON.finditer(_masked(text)):
        path = tuple(found["path"].split("."))
        if variable is not None:
            if path[0] != variable:
                continue
            path = path[1:]
        yield Comparison(path, bool(found["abs"]), found["op"], float(found["number"]))
