"""Supposed changes of a refinery model: which number is meant, by path or in words, and its new value."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization.models import ChangeOf
from orchestrator.modules.optimization.refinery.loading import validated
from orchestrator.modules.optimization.refinery.model import RefineryModel
from orchestrator.modules.optimization.refinery.numbers import DEFAULT

Path = tuple[str | int, ...]
PriceOf = Callable[[float | str], float]
Planned = Callable[[str, str], float]
"""Amount of a path (``units.cdu``) in a period of the present plan, per day."""

_PATHS = (
    "crudes.NAME.price, crudes.NAME.max (availability), units.NAME.capacity, "
    "units.NAME.feeds.FEED.yields.STREAM, products.NAME.max (demand) or products.NAME.price, with "
    ".PERIOD behind it for one period alone"
)
_MAIN = {
    "crudes": "price", "purchases": "price", "units": "capacity", "products": "price",
    "utilities": "price", "emissions": "price",
}  # fmt: skip
# What people call a number, by the last words of its path.
_WORDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("crudes", "price"): ("price", "cost"),
    ("crudes", "max"): ("availability", "available", "supply"),
    ("crudes", "min"): ("commitment", "least"),
    ("purchases", "price"): ("price", "cost"),
    ("purchases", "max"): ("availability", "available", "supply"),
    ("purchases", "min"): ("commitment", "least"),
    ("products", "max"): ("demand", "market"),
    ("products", "min"): ("contract", "least"),
    ("units", "minimum"): ("turndown", "least", "load"),
    ("units", "capacity"): ("limit",),
    ("tanks", "opening"): ("stock",),
    ("tanks", "closing"): ("stock",),
    ("emissions", "price"): ("tax",),
    ("emissions", "cap"): ("limit",),
    ("utilities", "max"): ("availability", "supply"),
}
_SECTION_WORDS = {
    "crudes": "crude", "purchases": "purchase", "units": "unit", "products": "product",
    "tanks": "tank", "utilities": "utility", "emissions": "emission", "limits": "limit",
    "streams": "stream", "yields": "yield", "specs": "spec", "properties": "property",
    "modes": "mode", "feeds": "feed", "components": "component",
}  # fmt: skip
# No number of the model, but a quantity of the plan that a change can fix.
_AMOUNTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "crudes": ("amount", ("amount", "purchase", "bought")),
    "purchases": ("amount", ("amount", "purchase", "bought")),
    "units": ("throughput", ("throughput", "feed", "rate", "run")),
    "products": ("amount", ("amount", "sale", "sales", "production", "sold")),
}
_STOP = frozenset({"of", "in", "on", "the", "for", "from", "at", "a", "an", "to", "into", "with"})
# Below these a document has names that the file's writer chose.
_NAMED = frozenset(_SECTION_WORDS) | {"pools", "cuts", "recipe", "deltas", "base", "maintenance",
                                      "terms", "emissions", "utilities", "from"}  # fmt: skip
_MOST_CHOICES = 5


@dataclass(frozen=True, slots=True)
class Place:
    """A number of a model: its path and, for one period alone, the period."""

    path: Path
    period: str = ""

    @property
    def amount(self) -> str:
        """What is fixed, where the place is no number but a quantity of the plan; else empty."""
        section, last = str(self.path[0]), str(self.path[-1])
        fixes = len(self.path) == 3 and _AMOUNTS.get(section, ("",))[0] == last
        return f"{section}.{self.path[1]}" if fixes else ""

    @property
    def words(self) -> str:
        """As it is written in a change."""
        return ".".join(map(str, (*self.path, *([self.period] if self.period else []))))


def apply(
    model: RefineryModel,
    changes: Sequence[ChangeOf],
    price: PriceOf,
    where: str = "changes",
    planned: Planned | None = None,
) -> RefineryModel:
    """The model with all changes, in their order.

    Args:
        model: The model as it is.
        changes: What is supposed.
        price: Money for a price of the model.
        where: The field of the request, for errors.
        planned: The present plan, from which a change ``by`` of an amount or throughput goes.

    Raises:
        ParameterError: a change names nothing that the model has, or more than one thing.
        ConfigurationError: the changed model is wrong.
    """
    document = model.model_dump(by_alias=True)
    for change in changes:
        place = find(change.what, model, where)
        periods = [span.name for span in model.periods]
        if place.amount:
            document["limits"].update(_fixed(place, change, periods or [""], where, planned))
        else:
            _put(document, place, change, price, periods, where)
    # Numbers that a change leaves alone must not follow one that it moves.
    return validated(copy.deepcopy(document), "the changed model")


def find(what: str, model: RefineryModel, where: str = "changes") -> Place:
    """The number that a path or words name.

    A path names keys of the model, a period behind them if one is meant alone. In words, a bare name of a
    crude, unit or product stands for its price, capacity or price; otherwise every word must belong to
    the number: ``diesel demand``, ``yield of naphtha from light``, ``sulphur of diesel``.

    Raises:
        ParameterError: there is no such number, or the words fit more than one.
    """
    document = model.model_dump(by_alias=True)
    periods = [span.name for span in model.periods]
    exact = _amount(what.strip(), document, periods) or _by_path(what.strip(), document, periods)
    if exact is not None and exact.amount:
        return exact
    if exact is not None:
        value = _at(document, exact.path)
        if isinstance(value, Mapping | tuple | list) and not _by_period(value, periods):
            children = _children(exact.path, value, periods)
            named = f"; name one of its numbers: {', '.join(children)}" if children else ""
            raise ParameterError(
                f"{what!r} is not a number of the plan's model{named}",
                where=where,
                remedy=f"write a path such as {_PATHS}",
            )
        return exact
    found = _by_words(what, document, periods)
    if not found:
        raise ParameterError(
            f"the plan's model has no {what!r}",
            where=where,
            remedy=f"write a path such as {_PATHS}",
        )
    if len(found) > 1:
        choices = " or ".join(place.words for place in found[:_MOST_CHOICES])
        raise ParameterError(f"{what!r} is not one thing", where=where, remedy=f"write {choices}")
    return found[0]


def value_at(model: RefineryModel, place: Place, price: PriceOf) -> float | None:
    """The present number; ``None`` where there is none, or where it differs by period."""
    value = _at(model.model_dump(by_alias=True), place.path)
    if isinstance(value, Mapping):
        if place.period:
            value = value.get(place.period, value.get(DEFAULT))
        else:
            different = set(value.values())
            value = different.pop() if len(different) == 1 else None
    return price(value) if isinstance(value, str) else value


def _fixed(
    place: Place, change: ChangeOf, periods: Sequence[str], where: str, planned: Planned | None
) -> dict[str, Any]:
    """Side limits that hold an amount of the plan at a value, in one period or in all."""
    values = {}
    for period in [place.period] if place.period else periods:
        present = None if planned is None else planned(place.amount, period)
        values[period] = changed_number(change, present, place.words, where)
    name = f"supposed {place.words}"
    if len(values) == 1 and "" in values:
        return {name: {"terms": {place.amount: 1.0}, "min": values[""], "max": values[""]}}
    if set(values) == set(periods):
        return {name: {"terms": {place.amount: 1.0}, "min": values, "max": values}}
    # In the other periods the limit says nothing: its only term has no weight.
    terms = {place.amount: {DEFAULT: 0.0} | dict.fromkeys(values, 1.0)}
    bound = {DEFAULT: 0.0} | values
    return {name: {"terms": terms, "min": bound, "max": bound}}


def _put(
    document: Any,
    place: Place,
    change: ChangeOf,
    price: PriceOf,
    periods: Sequence[str],
    where: str,
) -> None:
    *parents, last = place.path
    holder = _at(document, tuple(parents))
    if isinstance(holder, tuple):
        holder = list(holder)
        _set(document, tuple(parents), holder)
    present = holder[last]
    if last == "price" and present is None and holder.get("tiers"):
        _put_steps(document, tuple(parents), place, change, price, periods, where)
    elif place.period:
        by_period = (
            dict(present) if isinstance(present, Mapping) else dict.fromkeys(periods, present)
        )
        one = by_period.get(place.period, by_period.get(DEFAULT))
        by_period[place.period] = _changed(change, one, price, place.words, where)
        holder[last] = {name: value for name, value in by_period.items() if value is not None}
        if any(value is None for value in by_period.values()):
            raise ParameterError(
                f"{place.words} has no number in the other periods",
                where=where,
                remedy="give one for all periods first",
            )
    elif isinstance(present, Mapping):
        holder[last] = {
            name: _changed(change, value, price, place.words, where)
            for name, value in present.items()
        }
    else:
        holder[last] = _changed(change, present, price, place.words, where)


def _put_steps(
    document: Any,
    holder: Path,
    place: Place,
    change: ChangeOf,
    price: PriceOf,
    periods: Sequence[str],
    where: str,
) -> None:
    """Move each step of a price."""
    if change.to is not None:
        raise ParameterError(
            f"{place.words} goes by steps and cannot be set to one value",
            where=where,
            remedy=f"move it by an amount, or name a step such as {'.'.join(map(str, holder))}.tiers.0.price",
        )
    for number in range(len(_at(document, holder)["tiers"])):
        step = Place((*holder, "tiers", number, "price"), place.period)
        _put(document, step, change, price, periods, where)


def _changed(change: ChangeOf, present: Any, price: PriceOf, what: str, where: str) -> float:
    value = price(present) if isinstance(present, str) else present
    return changed_number(change, value, what, where)


def changed_number(change: ChangeOf, present: float | None, what: str, where: str) -> float:
    """The new value of a number.

    Raises:
        ParameterError: it has no present value from which to go.
    """
    if change.to is not None:
        return change.to
    assert change.by is not None
    if present is None:
        raise ParameterError(
            f"{what} has no present value to change by {change.by:g}",
            where=where,
            remedy="give its new value as to",
        )
    if change.unit in ("%", "percent"):
        return present * (1.0 + change.by / 100.0)
    return present + change.by


def _by_path(what: str, document: Any, periods: Sequence[str]) -> Place | None:
    """A path of keys, with a period behind them where one is meant alone."""
    path: Path = ()
    value = document
    parts = what.split(".")
    for number, part in enumerate(parts):
        if isinstance(value, Mapping) and not _by_period(value, periods) and part in value:
            path, value = (*path, part), value[part]
        elif isinstance(value, tuple | list) and part.isdigit() and int(part) < len(value):
            path, value = (*path, int(part)), value[int(part)]
        elif part in periods and path and number == len(parts) - 1 and _is_leaf(value, periods):
            return Place(path, part)
        else:
            return None
    return Place(path)


def _is_leaf(value: Any, periods: Sequence[str]) -> bool:
    return not isinstance(value, Mapping | tuple | list) or _by_period(value, periods)


def _amount(what: str, document: Any, periods: Sequence[str]) -> Place | None:
    """A path of an amount that the plan decides."""
    for section, (last, _) in _AMOUNTS.items():
        for name in document[section]:
            path = f"{section}.{name}.{last}"
            if what == path:
                return Place((section, name, last))
            if what.startswith(f"{path}.") and what.removeprefix(f"{path}.") in periods:
                return Place((section, name, last), what.removeprefix(f"{path}."))
    return None


def _by_words(what: str, document: Any, periods: Sequence[str]) -> list[Place]:
    tokens = _tokens(what)
    if not tokens:
        return []
    folded = {name.casefold(): name for name in periods}
    period = next((folded[token] for token in tokens if token in folded), "")
    tokens = [token for token in tokens if token not in folded and token not in _STOP]
    ranked: list[tuple[int, int, Path]] = []
    amounts = [
        ((section, name, last), 0.0)
        for section, (last, _) in _AMOUNTS.items()
        for name in document[section]
    ]
    for path, value in (*_leaves(document, (), periods), *amounts):
        rank = _fits(tokens, path)
        if rank is not None:
            ranked.append((rank, value is None, path))
    if not ranked:
        return []
    best = min(ranked)[:2]
    return [Place(path, period) for *rank, path in ranked if tuple(rank) == best]


def _fits(tokens: Sequence[str], path: Path) -> int | None:
    """How many of the path's own names the words leave out; ``None`` where a word does not belong."""
    names: list[set[str]] = []
    sections: set[str] = set()
    fields: set[str] = set()
    for number, part in enumerate(path):
        text = str(part)
        if number > 0 and str(path[number - 1]) in _NAMED:
            names.append(set(_tokens(text)))
        elif text in _SECTION_WORDS:
            sections |= {*_tokens(text), _SECTION_WORDS[text]}
        else:
            fields |= set(_tokens(text))
    section, last = str(path[0]), str(path[-1])
    fields |= set(_WORDS.get((section, last), ()))
    fields |= {"yield", "yields"} if "yields" in path else set()
    if len(path) == 3 and _AMOUNTS.get(section, ("",))[0] == last:
        fields |= set(_AMOUNTS[section][1])
    said, of_names = set(tokens), set[str]().union(*names)
    if not said <= sections | fields | of_names or not said & of_names:
        return None
    # A name counts as said only as a whole: "light" is not "light naphtha".
    unsaid = sum(not name <= said for name in names)
    bare = not (said - of_names) & fields and not (len(path) == 3 and last == _MAIN.get(section))
    # "price" is the price, rather than the closing price or that of a step.
    own = set(_tokens(last))
    further = len(own - said) if own & said else 0
    steps = sum(isinstance(part, int) for part in path)
    return 10 * unsaid + int(bare) + further + steps


def _leaves(value: Any, path: Path, periods: Sequence[str]) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping) and not (path and _by_period(value, periods)):
        for key, item in value.items():
            if key == "price" and item is None and value.get("tiers"):
                # A price by steps moves as a whole.
                yield (*path, key), 0.0
                continue
            yield from _leaves(item, (*path, key), periods)
    elif isinstance(value, tuple | list):
        for key, item in enumerate(value):
            if not isinstance(item, str):
                yield from _leaves(item, (*path, key), periods)
    elif len(path) > 2 and not isinstance(value, bool) and _is_number(path, value):
        yield path, value


def _is_number(path: Path, value: Any) -> bool:
    if isinstance(value, str):
        # A price may be an expression; any other text is no number.
        return "price" in str(path[-1])
    if value is None:
        return str(path[-1]) in ("max", "min", "capacity", "cap", "cap_total")
    return True


def _by_period(value: Any, periods: Sequence[str]) -> bool:
    """Whether a mapping gives one number for each period."""
    return (
        isinstance(value, Mapping)
        and bool(value)
        and value.keys() <= {*periods, DEFAULT}
        and not any(isinstance(item, Mapping) for item in value.values())
    )


def _children(path: Path, value: Any, periods: Sequence[str]) -> list[str]:
    return [Place(leaf).words for leaf, _ in _leaves(value, path, periods)][:_MOST_CHOICES]


def _tokens(text: str) -> list[str]:
    return [token for token in re.split(r"[\W_]+", text.casefold()) if token]


def _at(document: Any, path: Path) -> Any:
    for key in path:
        document = document[key]
    return document


def _set(document: Any, path: Path, value: Any) -> None:
    _at(document, path[:-1])[path[-1]] = value
