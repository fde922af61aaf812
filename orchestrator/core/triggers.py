"""Evaluates the rules of the policy over a situation.

The situation is normalised first: null counts as absent, and an alert without severity as medium.
Then one ``cel.Context`` is filled for the decision, with the fields that some rule reads and nothing
else, because handing values to CEL costs more than evaluating the rules does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cel

from orchestrator.config import TriggerRule
from orchestrator.core.expression import (
    FUNCTIONS,
    Comparison,
    Condition,
    Path,
    Quantifier,
    compile_condition,
    holds,
    look_up,
    project,
    shape_of,
)

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
        self._rules = [
            (rule, compile_condition(rule.when, f"{where}, rule {rule.name!r}")) for rule in rules
        ]
        conditions = [condition for _, condition in self._rules]
        self._paths = [path for condition in conditions for path in condition.paths]
        self._fields: dict[_Key, list[Path]] = {}
        outer: set[str] = set()
        for condition in conditions:
            for quantifier in condition.quantifiers:
                key = (quantifier.source, quantifier.variable)
                known = self._fields.setdefault(key, [])
                known.extend(path for path in quantifier.fields if path not in known)
                outer.update(quantifier.outer)
        self._outer = tuple(sorted(outer))
        self._shape = shape_of(self._paths)
        self._contexts: dict[_Key, dict[Any, cel.Context]] = {key: {} for key in self._fields}
        self._in_language = {
            (quantifier.source, quantifier.variable)
            for condition in conditions
            for quantifier in condition.quantifiers
            if quantifier.simple is None
        }
        self.compared: dict[Path, list[Comparison]] = {}
        self.compared_in: dict[Path, list[Comparison]] = {}
        for condition in conditions:
            for comparison in condition.comparisons:
                self.compared.setdefault(comparison.path, []).append(comparison)
            for quantifier in condition.quantifiers:
                self.compared_in.setdefault(quantifier.source, []).extend(quantifier.comparisons)

    @property
    def read_fields(self) -> frozenset[Path]:
        """Every field that some rule reads; those of list elements under the list's own path."""
        listed = {(*source, *f) for (source, _), fields in self._fields.items() for f in fields}
        return frozenset({*self._paths, *listed})

    def fired(self, facts: Mapping[str, Any]) -> list[Fired]:
        """The rules that hold on normalised facts, in the order of the policy."""
        context = cel.Context(project(facts, self._shape), FUNCTIONS)
        outer = {name: facts[name] for name in self._outer if name in facts}
        lists = {
            key: _Elements(
                look_up(facts, key[0]),
                key[1],
                fields,
                outer,
                self._contexts[key],
                group=key in self._in_language,
            )
            for key, fields in self._fields.items()
        }
        return [
            fired
            for rule, condition in self._rules
            if (fired := _evaluate(rule, condition, facts, context, lists)) is not None
        ]


class _Elements:
    """The elements of one list, with equal ones (in the fields that are read) evaluated once."""

    def __init__(
        self,
        values: Any,
        variable: str,
        fields: list[Path],
        outer: Mapping[str, Any],
        contexts: dict[Any, cel.Context],
        *,
        group: bool,
    ) -> None:
        self.values = values if isinstance(values, list) else None
        self.groups: list[tuple[cel.Context, list[Any]]] = []
        if group and self.values:
            self._group(self.values, variable, fields, outer, contexts)

    def _group(
        self,
        values: list[Any],
        variable: str,
        fields: list[Path],
        outer: Mapping[str, Any],
        contexts: dict[Any, cel.Context],
    ) -> None:
        by_content: dict[Any, list[Any]] = {}
        names = [path[0] for path in fields if len(path) == 1]
        plain = len(names) == len(fields)
        shape = shape_of(fields)
        for element in values:
            same: list[Any] = []
            content: Any = None
            if plain and isinstance(element, dict):
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
                seen = {**outer, variable: project(element, shape)}
                context = cel.Context(seen, FUNCTIONS)
                if content and not outer and len(contexts) < MOST_CONTEXTS:
                    contexts[content] = context
            self.groups.append((context, same))

    def truth(self, quantifier: Quantifier) -> tuple[bool | None, list[Any]]:
        """The value of the quantifier, and the elements for which its predicate holds."""
        if self.values is None:
            return None, []
        simple = quantifier.simple
        if simple is None:
            truths = [holds(quantifier.predicate, context) for context, _ in self.groups]
            matching = [
                element
                for value, (_, elements) in zip(truths, self.groups, strict=True)
                if value
                for element in elements
            ]
        else:
            truths = simple.truths(self._column(simple.path[0]))
            matching = [e for value, e in zip(truths, self.values, strict=True) if value]
        if quantifier.every:
            return (False if False in truths else None if None in truths else True), matching
        return (True if matching else None if None in truths else False), matching

    def _column(self, field: str) -> list[Any]:
        """A field of every element; ``None`` where it is absent."""
        return [
            element.get(field) if isinstance(element, dict) else None
            for element in self.values or ()
        ]


def normalise(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts as the rules read them: an alert without severity counts as medium."""
    alerts = facts.get("alerts")
    if not alerts or all("severity" in alert for alert in alerts):
        return facts
    return {**facts, "alerts": [{"severity": "medium", **alert} for alert in alerts]}


def _evaluate(
    rule: TriggerRule,
    condition: Condition,
    facts: Mapping[str, Any],
    context: cel.Context,
    lists: Mapping[_Key, _Elements],
) -> Fired | None:
    elements: dict[str, tuple[Any, ...]] = {}
    value: bool | None = None
    slots: dict[str, bool] = {}
    for quantifier in condition.quantifiers:
        value, matching = lists[quantifier.source, quantifier.variable].truth(quantifier)
        if value is not None:
            slots[quantifier.slot] = value
        if matching:
            elements[".".join(quantifier.source)] = tuple(matching)
    if condition.simple is not None:
        value = condition.simple.truths([look_up(facts, condition.simple.path)])[0]
    elif not condition.bare:
        if slots or condition.quantifiers:
            known = project(facts, shape_of(condition.paths))
            context = cel.Context({**known, **slots}, FUNCTIONS)
        value = holds(condition.program, context)
    if not value:
        return None
    return Fired(
        rule, "; ".join(_reasons(condition, facts, elements)) or rule.says or rule.when, elements
    )


def _reasons(
    condition: Condition, facts: Mapping[str, Any], elements: Mapping[str, Sequence[Any]]
) -> Iterator[str]:
    told: set[Path] = set()
    for comparison in condition.comparisons:
        value = look_up(facts, comparison.path)
        if isinstance(value, int | float) and comparison.holds(value):
            label, unit = LABELS.get(comparison.path, (".".join(comparison.path), ""))
            limit = f"{comparison.op} {comparison.threshold:g}{unit.removesuffix(' ago')}"
            size = "size " if comparison.absolute else ""
            if comparison.path in told:
                yield f"{size}{limit}"
            else:
                yield f"{label} {value:.4g}{unit} ({size}{limit})"
            told.add(comparison.path)
    for path in dict.fromkeys(condition.paths):
        if path not in told and look_up(facts, path) is True:
            yield LABELS.get(path, (".".join(path), ""))[0]
    for name, matching in elements.items():
        shown = ", ".join(_describe(element) for element in matching[:MOST_NAMED])
        more = len(matching) - MOST_NAMED
        yield f"{name}: {shown}" + (f" and {more} more" if more > 0 else "")


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
