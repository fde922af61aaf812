"""Evaluates the rules of the policy over a situation.

The situation is normalised first: null counts as absent, and an alert without severity as medium.
Plain conditions are functions of the facts. For the others one ``cel.Context`` is filled for the
decision, with the fields that they read and nothing else, because handing values to CEL costs more
than evaluating does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cel

from orchestrator.config import TriggerRule
from orchestrator.core.expression import (
    FUNCTIONS,
    Comparison,
    Condition,
    Quantifier,
    compile_condition,
    holds,
    look_up,
    project,
    shape_of,
)
from orchestrator.core.predicates import Path, Reader, reader

LABELS: dict[Path, tuple[str, str]] = {
    ("kpis", "margin_change_pct"): ("margin change", " %"),
    ("kpis", "energy_index_change_pct"): ("energy index change", " %"),
    ("kpis", "yield_deviation_pct"): ("yield deviation", " %"),
    ("market", "crude_change_pct"): ("crude price change", " %"),
    ("market", "crack_spread_change_pct"): ("crack spread change", " %"),
    ("market", "product_stock_zscore"): ("product stocks, z-score", ""),
    ("market", "new_report"): ("a new market report", ""),
    ("maintenance", "window_active"): ("a maintenance window is active", ""),
    ("maintenance", "window_starts_in_minutes"): ("maintenance window starts in", " min"),
    ("modules", "forecasting", "last_success_minutes"): ("last good forecast", " min ago"),
    ("data_quality", "balance_error_pct"): ("balance error", " %"),
}
MOST_NAMED = 5
MOST_CONTEXTS = 1000
"""Contexts of list elements that are kept; alerts have few combinations of kind and severity."""

_Key = tuple[Path, str]
_Group = tuple[cel.Context, list[Any]]


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that holds.

    Attributes:
        rule: The rule.
        because: The facts that made it hold, in words.
        elements: The alerts, equipment and the like for which a quantified part held, by list.
    """

    rule: TriggerRule
    because: str
    elements: Mapping[str, tuple[Mapping[str, Any], ...]]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Tags and equipment that the rule is about; empty for a rule over the whole plant."""
        if not self.elements:
            return ()
        return tuple(dict.fromkeys([name_of(e) for part in self.elements.values() for e in part]))


class RuleBook:
    """Rules, compiled once.

    Raises:
        ConfigurationError: a condition is not a valid expression; the text names rule and place.
    """

    def __init__(self, rules: Sequence[TriggerRule], where: str) -> None:
        compiled = [
            (rule, compile_condition(rule.when, f"{where}, rule {rule.name!r}")) for rule in rules
        ]
        conditions = [condition for _, condition in compiled]
        quantifiers = [quantifier for c in conditions for quantifier in c.quantifiers]
        self._paths = {path for condition in conditions for path in condition.paths}
        self._listed = {(*q.source, *field) for q in quantifiers for field in q.fields}
        self._in_language = _InLanguage(conditions)
        self._prepared = [(rule, _elements_of(c), _Reasons(c)) for rule, c in compiled]
        self.compared: dict[Path, list[Comparison]] = {}
        self.compared_in: dict[Path, list[Comparison]] = {}
        for condition in conditions:
            for comparison in condition.comparisons:
                self.compared.setdefault(comparison.path, []).append(comparison)
        for quantifier in quantifiers:
            self.compared_in.setdefault(quantifier.source, []).extend(quantifier.comparisons)

    @property
    def read_fields(self) -> frozenset[Path]:
        """Every field that some rule reads; those of list elements under the list's own path."""
        return frozenset(self._paths | self._listed)

    def fired(self, facts: Mapping[str, Any]) -> list[Fired]:
        """The rules that hold on normalised facts, in the order of the policy."""
        scene = _Scene(self._in_language, facts)
        found: list[Fired] = []
        for rule, elements_of, reasons in self._prepared:
            elements = elements_of(scene)
            if elements is not None:
                because = "; ".join(reasons.told(facts, elements)) or rule.says or rule.when
                found.append(Fired(rule, because, elements))
        return found


class _InLanguage:
    """What the conditions and predicates that are not plain read, prepared once for all decisions."""

    def __init__(self, conditions: Iterable[Condition]) -> None:
        conditions = list(conditions)
        self.shape = shape_of(p for c in conditions if c.plain is None for p in c.paths)
        self.fields: dict[_Key, list[Path]] = {}
        outer: set[str] = set()
        for quantifier in (q for c in conditions for q in c.quantifiers if q.plain is None):
            known = self.fields.setdefault((quantifier.source, quantifier.variable), [])
            known.extend(path for path in quantifier.fields if path not in known)
            outer.update(quantifier.outer)
        self.outer = tuple(sorted(outer))
        self.contexts: dict[_Key, dict[Any, cel.Context]] = {key: {} for key in self.fields}


_Elements = Mapping[str, tuple[Any, ...]]
_NONE: _Elements = {}


def _elements_of(condition: Condition) -> Callable[[_Scene], _Elements | None]:
    """A function that gives, of a scene in which the condition holds, the elements that made it hold.

    Most rules compare one field, or ask for one element of a list: those take the shortest way.
    """
    plain = condition.plain
    if not condition.quantifiers:

        def of_facts(scene: _Scene) -> _Elements | None:
            value = plain(scene.facts) if plain is not None else scene.in_language(condition, {})
            return _NONE if value else None

        return of_facts
    first = condition.quantifiers[0]
    if condition.bare and not first.every and first.plain is not None:
        name, read, wanted = ".".join(first.source), reader(first.source), first.plain

        def of_list(scene: _Scene) -> _Elements | None:
            values = read(scene.facts)
            if not values or type(values) is not list:
                return None
            matching = [element for element in values if wanted(element)]
            return {name: tuple(matching)} if matching else None

        return of_list
    return lambda scene: scene.quantified(condition)


class _Scene:
    """One situation: its facts, and what of them the language has been given so far."""

    def __init__(self, prepared: _InLanguage, facts: Mapping[str, Any]) -> None:
        self._prepared = prepared
        self.facts = facts
        self._groups: dict[_Key, list[_Group]] = {}

    @cached_property
    def _known(self) -> dict[str, Any]:
        known: dict[str, Any] = project(self.facts, self._prepared.shape)
        return known

    @cached_property
    def _context(self) -> cel.Context:
        return cel.Context(self._known, FUNCTIONS)

    def in_language(self, condition: Condition, slots: Mapping[str, bool]) -> bool | None:
        """The value of a condition as the language gives it; ``slots`` stand for its quantifiers."""
        if slots:
            return holds(condition.program, cel.Context({**self._known, **slots}, FUNCTIONS))
        return holds(condition.program, self._context)

    def quantified(self, condition: Condition) -> dict[str, tuple[Any, ...]] | None:
        """The elements that made a condition with quantifiers hold, by list; else ``None``."""
        elements: dict[str, tuple[Any, ...]] = {}
        slots: dict[str, bool] = {}
        value: bool | None = None
        for quantifier in condition.quantifiers:
            value, matching = self._truth(quantifier)
            if value is not None:
                slots[quantifier.slot] = value
            if matching:
                elements[".".join(quantifier.source)] = tuple(matching)
        if not condition.bare:
            if condition.plain is not None:
                value = condition.plain({**self.facts, **slots})
            else:
                value = self.in_language(condition, slots)
        return elements if value else None

    def _truth(self, quantifier: Quantifier) -> tuple[bool | None, list[Any]]:
        """The value of the quantifier, and the elements for which its predicate holds."""
        values = look_up(self.facts, quantifier.source)
        if not isinstance(values, list):
            return None, []
        plain = quantifier.plain
        if plain is not None:
            truths = [plain(element) for element in values]
            matching = [e for value, e in zip(truths, values, strict=True) if value]
        else:
            groups = self._grouped(quantifier, values)
            truths = [holds(quantifier.predicate, context) for context, _ in groups]
            matching = [
                element
                for value, (_, elements) in zip(truths, groups, strict=True)
                if value
                for element in elements
            ]
        if quantifier.every:
            return (False if False in truths else None if None in truths else True), matching
        return (True if matching else None if None in truths else False), matching

    def _grouped(self, quantifier: Quantifier, values: list[Any]) -> list[_Group]:
        key = (quantifier.source, quantifier.variable)
        if key not in self._groups:
            prepared = self._prepared
            outer = {name: self.facts[name] for name in prepared.outer if name in self.facts}
            self._groups[key] = _grouped(
                values, quantifier.variable, prepared.fields[key], outer, prepared.contexts[key]
            )
        return self._groups[key]


def _grouped(
    values: list[Any],
    variable: str,
    fields: list[Path],
    outer: Mapping[str, Any],
    contexts: dict[Any, cel.Context],
) -> list[_Group]:
    """The elements of one list, those that are equal in the fields that are read in one group."""
    groups: list[_Group] = []
    by_content: dict[Any, list[Any]] = {}
    names = [path[0] for path in fields if len(path) == 1]
    flat = len(names) == len(fields)
    shape = shape_of(fields)
    for element in values:
        same: list[Any] = []
        content: Any = None
        if flat and isinstance(element, dict):
            read = tuple(map(element.get, names))
            try:
                content = (read, tuple(map(type, read)))
                same = by_content.setdefault(content, same)
            except TypeError:  # a site's own field holds a list or an object
                content = None
        same.append(element)
        if len(same) > 1:
            continue
        context = contexts.get(content) if content and not outer else None
        if context is None:
            context = cel.Context({**outer, variable: project(element, shape)}, FUNCTIONS)
            if content and not outer and len(contexts) < MOST_CONTEXTS:
                contexts[content] = context
        groups.append((context, same))
    return groups


def normalise(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts as the rules read them: an alert without severity counts as medium."""
    alerts = facts.get("alerts")
    if not alerts or all("severity" in alert for alert in alerts):
        return facts
    return {**facts, "alerts": [{"severity": "medium", **alert} for alert in alerts]}


class _Reasons:
    """Says why a condition holds, with the numbers; what does not depend on them is made once."""

    def __init__(self, condition: Condition) -> None:
        self._numbers: list[tuple[Reader, Callable[[float], bool], str, str, str, Path]] = []
        for comparison in condition.comparisons:
            label, unit = _label(comparison.path)
            limit = f"{comparison.op} {comparison.threshold:g}{unit.removesuffix(' ago')}"
            if comparison.absolute:
                limit = f"size {limit}"
            read = reader(comparison.path)
            self._numbers.append((read, comparison.holds, label, unit, limit, comparison.path))
        self._flags = [
            (reader(path), _label(path)[0], path) for path in dict.fromkeys(condition.paths)
        ]

    def told(
        self, facts: Mapping[str, Any], elements: Mapping[str, Sequence[Any]]
    ) -> Iterator[str]:
        """The reasons, one after the other."""
        told: set[Path] = set()
        for read, within, label, unit, limit, path in self._numbers:
            value = read(facts)
            if isinstance(value, int | float) and within(value):
                yield limit if path in told else f"{label} {value:.4g}{unit} ({limit})"
                told.add(path)
        for read, label, path in self._flags:
            if path not in told and read(facts) is True:
                yield label
        for name, matching in elements.items():
            shown = ", ".join(map(_describe, matching[:MOST_NAMED]))
            more = len(matching) - MOST_NAMED
            yield f"{name}: {shown}" + (f" and {more} more" if more > 0 else "")


def _label(path: Path) -> tuple[str, str]:
    """How a person calls a field, and its unit."""
    return LABELS.get(path, (".".join(path), ""))


def name_of(element: Any) -> str:
    """Tag, id or name of an alert, piece of equipment or the like."""
    if isinstance(element, dict):
        return str(element.get("tag") or element.get("id") or element.get("name") or "unnamed")
    return "unnamed"


def _describe(element: Any) -> str:
    if not isinstance(element, dict):
        return str(element)
    facts = " ".join(_words(element))
    return f"{name_of(element)} ({facts})" if facts else name_of(element)


def _words(element: Mapping[str, Any]) -> Iterable[str]:
    for field in ("kind", "severity"):
        if field in element:
            yield str(element[field]).replace("_", " ")
    if "health" in element:
        yield f"health {element['health']:.3g}"
    if "trend_per_day" in element:
        yield f"trend {element['trend_per_day']:+.2g} a day"
