"""The number of a refinery model that a path or words name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization.refinery.model import RefineryModel
from orchestrator.modules.optimization.refinery.numbers import DEFAULT

Path = tuple[str | int, ...]

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
        value = number_at(document, exact.path)
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


def number_at(document: Any, path: Path) -> Any:
    """What stands at a path of a document."""
    for key in path:
        document = document[key]
    return document


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
    # A stream that bears its product's name is not what is meant by the name said once.
    again = len(names) - len(set(map(frozenset, names)))
    return 10 * unsaid + int(bare) + further + steps + again


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
