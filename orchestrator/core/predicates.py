"""The part of the expression language that policies are written in, as plain functions.

A policy asks for comparisons of a field with a constant, joined by ``&&``, ``||`` and ``!``. As Python
functions over the facts they cost a fraction of handing the facts to the language, and give the same
answer; whatever else a condition says stays with the language.

Three-valued logic (Kleene 1952): a field that is absent, or of a type that an operator does not take,
is unknown, ``None``; ``false && unknown`` is false and ``true || unknown`` is true.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Path = tuple[str, ...]
Reader = Callable[[Any], Any]
Predicate = Callable[[Any], bool | None]

NUMBERS = frozenset({int, float})
ORDERINGS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_MIRRORED = {"<=": ">=", ">=": "<=", "<": ">", ">": "<", "==": "==", "!=": "!="}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])"
    r"|(?P<string>\"[^\"\\]*\"|'[^'\\]*')"
    r"|(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)"
    r"|(?P<sign><=|>=|==|!=|&&|\|\||[<>!()\[\],]))"
)


class _NotPlainError(Exception):
    """The text says more than this part of the language can."""


class _Literal:
    def __init__(self, value: bool | float | str) -> None:
        self.value = value


class _Field:
    def __init__(self, read: Reader, *, absolute: bool = False) -> None:
        self.read = read
        self.absolute = absolute


def plain_predicate(text: str, variable: str | None = None) -> Predicate | None:
    """``text`` as a function, or ``None`` where only the language can evaluate it.

    Args:
        text: An expression that the language has accepted.
        variable: Name of the list element that the function gets; without one it gets the facts.
    """
    try:
        return _Parser(text, variable).whole()
    except _NotPlainError:
        return None


def reader(path: Path) -> Reader:
    """A function that reads the value at ``path``; ``None`` where there is none."""
    if len(path) == 1:
        (only,) = path
        return lambda facts: facts.get(only) if type(facts) is dict else None
    if len(path) == 2:
        part, field = path

        def of_part(facts: Any) -> Any:
            found = facts.get(part) if type(facts) is dict else None
            return found.get(field) if type(found) is dict else None

        return of_part

    def deep(facts: Any) -> Any:
        for name in path:
            facts = facts.get(name) if type(facts) is dict else None
        return facts

    return deep


class _Parser:
    """Recursive descent over the tokens, building the function as it goes."""

    def __init__(self, text: str, variable: str | None) -> None:
        self._tokens = _tokens(text)
        self._position = 0
        self._variable = variable

    def whole(self) -> Predicate:
        predicate = self._either()
        if self._position < len(self._tokens):
            raise _NotPlainError
        return predicate

    def _either(self) -> Predicate:
        parts = [self._both()]
        while self._take("||"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else _joined(parts, decisive=True)

    def _both(self) -> Predicate:
        parts = [self._negated()]
        while self._take("&&"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else _joined(parts, decisive=False)

    def _negated(self) -> Predicate:
        if self._take("!"):
            return _not(self._negated())
        if self._take("("):
            predicate = self._either()
            self._expect(")")
            if self._peek() in {*_MIRRORED, "in"}:
                raise _NotPlainError
            return predicate
        return self._relation()

    def _relation(self) -> Predicate:
        if self._peek() == "has":
            return self._has()
        left = self._operand()
        sign = self._peek()
        if sign == "in":
            self._position += 1
            return _among(left, self._list())
        if sign not in _MIRRORED:
            return _truth(left)
        self._position += 1
        right = self._operand()
        if self._peek() in _MIRRORED:
            raise _NotPlainError
        if isinstance(left, _Literal):
            left, right, sign = right, left, _MIRRORED[sign]
        if isinstance(left, _Literal) or isinstance(right, _Field):
            raise _NotPlainError
        return _compared(left, sign, right.value)

    def _operand(self) -> _Literal | _Field:
        kind, text = self._next()
        if kind == "number":
            return _Literal(float(text) if any(c in text for c in ".eE") else int(text))
        if kind == "string":
            return _Literal(text[1:-1])
        if text in ("true", "false"):
            return _Literal(text == "true")
        if kind != "name":
            raise _NotPlainError
        if text == "abs" and self._take("("):
            field = self._path(self._next())
            self._expect(")")
            return _Field(reader(field), absolute=True)
        return _Field(reader(self._path((kind, text))))

    def _list(self) -> list[Any]:
        self._expect("[")
        values: list[Any] = []
        while True:
            item = self._operand()
            if not isinstance(item, _Literal):
                raise _NotPlainError
            values.append(item.value)
            if self._take("]"):
                return values
            self._expect(",")

    def _has(self) -> Predicate:
        self._position += 1
        self._expect("(")
        path = self._path(self._next())
        self._expect(")")
        if len(path) < 2 and self._variable is None:
            raise _NotPlainError
        parent, last = reader(path[:-1]) if path[1:] else _itself, path[-1]

        def has(facts: Any) -> bool | None:
            found = parent(facts)
            return last in found if type(found) is dict else None

        return has

    def _path(self, token: tuple[str, str]) -> Path:
        kind, text = token
        path = tuple(text.split("."))
        if kind != "name" or self._peek() in ("(", "[") or path[0] in ("null", "true", "false"):
            raise _NotPlainError
        if self._variable is None:
            return path
        if path[0] != self._variable or len(path) == 1:
            raise _NotPlainError
        return path[1:]

    def _peek(self) -> str | None:
        return self._tokens[self._position][1] if self._position < len(self._tokens) else None

    def _next(self) -> tuple[str, str]:
        if self._position == len(self._tokens):
            raise _NotPlainError
        self._position += 1
        return self._tokens[self._position - 1]

    def _take(self, sign: str) -> bool:
        if self._peek() != sign:
            return False
        self._position += 1
        return True

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise _NotPlainError


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        token = _TOKEN.match(text, position)
        if token is None or token.lastgroup is None:
            raise _NotPlainError
        found.append((token.lastgroup, token[token.lastgroup]))
        position = token.end()
    return found


def _itself(facts: Any) -> Any:
    return facts


def _not(predicate: Predicate) -> Predicate:
    def negated(facts: Any) -> bool | None:
        value = predicate(facts)
        return None if value is None else not value

    return negated


def _joined(parts: Sequence[Predicate], *, decisive: bool) -> Predicate:
    """Kleene's disjunction (``decisive`` true) or conjunction (false) of ``parts``."""

    def joined(facts: Any) -> bool | None:
        unknown = False
        for part in parts:
            value = part(facts)
            if value is decisive:
                return decisive
            unknown = unknown or value is None
        return None if unknown else not decisive

    return joined


def _truth(operand: _Literal | _Field) -> Predicate:
    if isinstance(operand, _Literal) or operand.absolute:
        raise _NotPlainError
    read = operand.read

    def truth(facts: Any) -> bool | None:
        value = read(facts)
        return value if type(value) is bool else None

    return truth


def _among(operand: _Literal | _Field, values: Sequence[Any]) -> Predicate:
    if isinstance(operand, _Literal) or not all(type(value) is str for value in values):
        raise _NotPlainError
    if operand.absolute:
        raise _NotPlainError
    read, accepted = operand.read, frozenset(values)

    def among(facts: Any) -> bool | None:
        value = read(facts)
        return None if value is None else type(value) is str and value in accepted

    return among


def _compared(field: _Field, sign: str, constant: bool | float | str) -> Predicate:
    if sign in ("==", "!="):
        return _equal(field, sign == "==", constant)
    if type(constant) not in NUMBERS:
        raise _NotPlainError
    read, compare = field.read, ORDERINGS[sign]
    if field.absolute:

        def of_size(facts: Any) -> bool | None:
            value = read(facts)
            return compare(abs(value), constant) if type(value) in NUMBERS else None

        return of_size

    def ordered(facts: Any) -> bool | None:
        value = read(facts)
        return compare(value, constant) if type(value) in NUMBERS else None

    return ordered


def _equal(field: _Field, wanted: bool, constant: bool | float | str) -> Predicate:
    read, absolute = field.read, field.absolute
    alike = NUMBERS if type(constant) in NUMBERS else frozenset({type(constant)})

    def equal(facts: Any) -> bool | None:
        value = read(facts)
        if value is None or (absolute and type(value) not in NUMBERS):
            return None
        if absolute:
            value = abs(value)
        return (type(value) in alike and value == constant) is wanted

    return equal
