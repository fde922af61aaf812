"""The evidence that an answer may rest on: numbers with unit, subject and source.

Numbers come from the situation, from tags with their limits, from the results of operations and from
passages of documents. A number belongs to a *subject*: a tag, a piece of equipment, a product, or the name
of the field that holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from orchestrator.clock import iso
from orchestrator.llm.grounding.quantities import pint_unit, quantities
from orchestrator.plant.samples import Sample
from orchestrator.plant.tags import Tag

Role = Literal["value", "limit", "change", "count", "passage"]

_SUFFIXES = (
    ("_usd_per_bbl", "USD/bbl"),
    ("_usd_per_hour", "USD/h"),
    ("_usd_per_h", "USD/h"),
    ("_usd_per_day", "USD/day"),
    ("_usd_per_t", "USD/t"),
    ("_usd", "USD"),
    ("_pct_per_hour", "percent/h"),
    ("_pct", "percent"),
    ("_percent", "percent"),
    ("_minutes", "min"),
    ("_seconds", "s"),
    ("_hours", "h"),
    ("_days", "day"),
    ("_degc", "degC"),
    ("_bar", "bar"),
    ("_t_per_h", "t/h"),
    ("_m3_per_h", "meter**3/h"),
    ("_bpd", "bbl/day"),
    ("_kbd", "kbbl/day"),
)
_DIMENSIONLESS = re.compile(
    r"(?:score|share|health|probability|confidence|ratio|zscore|index|rate|count|tags|rows|samples|number|factor|coverage|r2|depth)$"
)
_SHARES = re.compile(r"(?:score|share|health|probability|confidence|rate|coverage|fraction)$")
_CHANGES = re.compile(r"change|trend|deviation|delta|gain|saving|drift|error|slope|shift|move_by|bias")
_LIMITS = re.compile(r"limit|low_low|high_high|^low$|^high$|threshold|bound|min_allowed|max_allowed|target|spec")
_NAMES = ("tag", "id", "name", "target", "equipment", "product", "series", "grade", "crude", "unit_name", "stream", "balance")
_STOP = frozenset(
    "the a an of in at on to for and or by from with is are was were be it its value values result results data "
    "field number usd per bbl pct percent change minutes seconds hours days day last new time times score mean "
    "now current present this that forecast flow temperature pressure level total".split()
)
MOST_NUMBERS = 20_000


@dataclass(frozen=True, slots=True)
class Fact:
    """One number that is known.

    Attributes:
        value: In ``unit``.
        unit: As ``plant.units`` reads it; ``"1"`` where it has none, empty where that is not known.
        subject: Key of what it is about.
        words: Names of its fields, in lower case.
        role: What sort of number it is.
        source: Where it comes from: ``situation``, ``tag X at time``, ``forecasting.forecast``, a document.
        share: Whether it is a share of one, which may be said in percent.
        number: Of the source, as an answer cites it; 0 for none.
    """

    value: float
    unit: str
    subject: str
    words: frozenset[str]
    role: Role
    source: str
    share: bool = False


@dataclass
class Subject:
    """What facts are about, and how an answer may name it."""

    key: str
    phrases: set[str] = field(default_factory=set)


class Evidence:
    """All that an answer may rest on. Add to it, then hand it to the check."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.subjects: dict[str, Subject] = {}
        self.situation: Mapping[str, Any] = {}
        self.texts: list[str] = []
        self._tags: dict[str, Tag] = {}

    @property
    def names(self) -> set[str]:
        """Names that may hold digits without claiming a number."""
        return {phrase for subject in self.subjects.values() for phrase in subject.phrases}

    def tag(self, key: str) -> Tag | None:
        """The tag of a subject, where it is one."""
        return self._tags.get(key)

    def describe(self, tags: Iterable[Tag]) -> None:
        """Tell which names and descriptions the plant's tags have, and their limits and normal ranges."""
        for tag in tags:
            subject = self._subject(tag.name)
            self._tags[subject.key] = tag
            for phrase in (tag.description, *tag.aliases):
                if phrase:
                    subject.phrases.add(_folded(phrase))
            unit = pint_unit(tag.unit)
            source = f"limits of {tag.name}"
            for name in ("low_low", "low", "high", "high_high"):
                bound = getattr(tag.limits, name)
                if bound is not None:
                    words = frozenset(name.split("_")) | {"limit"}
                    self._add(bound, unit, subject.key, words, "limit", source)
            for bound in tag.normal or ():
                self._add(bound, unit, subject.key, frozenset({"normal", "range"}), "limit", source)

    def add_samples(self, samples: Mapping[str, Sample], now: datetime | None = None) -> None:
        """Newest values of tags; their ages count as known too."""
        for name, sample in samples.items():
            subject = self._subject(name)
            tag = self._tags.get(subject.key)
            unit = pint_unit(tag.unit) if tag is not None else ""
            source = f"{name} at {iso(sample.source_time)}"
            if sample.value is not None:
                self._add(sample.value, unit, subject.key, frozenset({"value"}), "value", source)
            if now is not None:
                age = (now - sample.source_time).total_seconds()
                self._add(age, "s", subject.key, frozenset({"age", "old"}), "value", source)

    def add_situation(self, facts: Mapping[str, Any]) -> None:
        """The facts of a situation."""
        self.situation = facts
        self._walk(facts, "situation", "situation", (), None)
        alerts = facts.get("alerts")
        if isinstance(alerts, Sequence):
            self._counts("alert", alerts, "severity", "situation")
            self._counts("alert", alerts, "kind", "situation")

    def add_result(self, operation: str, result: Any, parameters: Mapping[str, Any] | None = None) -> None:
        """An operation's result and the parameters that it was run with."""
        self._walk(result, operation, "", (), None)
        if parameters:
            self._walk(parameters, f"parameters of {operation}", "", (), None)

    def add_passage(self, source: str, text: str) -> None:
        """A passage of a document: its numbers count as the document's."""
        self.texts.append(text)
        for item in quantities(text, self.names):
            words = frozenset(_words(text[max(0, item.start - 80) : item.start]))
            self._add(item.value, pint_unit(item.unit), "", words, "passage", source)

    # -- reading documents ----------------------------------------------------------------------

    def _walk(
        self,
        value: Any,
        source: str,
        subject: str,
        path: tuple[str, ...],
        unit: str | None,
    ) -> None:
        if len(self.facts) > MOST_NUMBERS:
            return
        if isinstance(value, Mapping):
            named = _name_of(value)
            if named is not None:
                subject = self._subject(named).key
                for other in ("description", "kind"):
                    text = value.get(other)
                    if other == "description" and isinstance(text, str) and text:
                        self.subjects[subject].phrases.add(_folded(text))
            given = value.get("unit")
            unit = given if isinstance(given, str) else unit
            for name, item in value.items():
                inner, own = subject, None
                if named is None and isinstance(item, Mapping | list | tuple) and self._is_name(name):
                    inner = self._subject(str(name)).key
                elif named is None and isinstance(item, int | float) and self._is_name(name):
                    inner = self._subject(str(name)).key
                self._walk(item, source, inner, (*path, str(name)), own or unit)
        elif isinstance(value, list | tuple):
            if value and path:
                words = frozenset(_words(path[-1]))
                self._add(len(value), "1", subject, words | {"count"}, "count", source)
            for item in value:
                self._walk(item, source, subject, path, unit)
        elif isinstance(value, bool) or value is None:
            return
        elif isinstance(value, int | float):
            self._number(float(value), source, subject, path, unit)
        elif isinstance(value, str) and " " in value and path and path[-1] in (
            "summary", "warnings", "reason", "text", "because", "message", "explanation", "note",
        ):
            self.texts.append(value)
            for found in quantities(value, self.names):
                words = frozenset(_words(value[max(0, found.start - 80) : found.start]))
                key = self._named_in(value[: found.start])
                role: Role = "count" if found.counted else "passage"
                self._add(found.value, pint_unit(found.unit), key, words, role, source)

    def _number(
        self, value: float, source: str, subject: str, path: tuple[str, ...], unit: str | None
    ) -> None:
        if value != value or value in (float("inf"), float("-inf")) or not path:
            return
        name = path[-1].lower()
        for suffix, own in _SUFFIXES:
            if name.endswith(suffix):
                unit, name = own, name.removesuffix(suffix)
                break
        else:
            if _DIMENSIONLESS.search(name):
                unit = "1"
        role: Role = "value"
        if _LIMITS.search(name):
            role = "limit"
        elif _CHANGES.search("_".join(path[-2:]).lower()):
            role = "change"
        elif unit == "1" and value == int(value) and re.search(r"count|tags|rows|samples|number|depth|in_flight", name):
            role = "count"
        words = frozenset(word for part in path[-2:] for word in _words(part))
        share = bool(_SHARES.search(name)) and 0 <= value <= 1
        if subject in ("", "situation"):
            key = f"field:{name}"
            self.subjects.setdefault(key, Subject(key)).phrases.update(_field_phrases(name))
            subject = key
        self._add(value, pint_unit(unit or "") if unit != "1" else "1", subject, words, role, source, share=share)

    def _counts(self, what: str, items: Sequence[Any], by: str, source: str) -> None:
        counts: dict[str, int] = {}
        for item in items:
            kind = item.get(by, "medium" if by == "severity" else "") if isinstance(item, Mapping) else ""
            counts[kind] = counts.get(kind, 0) + 1
        for kind, count in counts.items():
            self._add(count, "1", "", frozenset({what, what + "s", kind}), "count", source)

    def _add(
        self,
        value: float,
        unit: str,
        subject: str,
        words: frozenset[str],
        role: Role,
        source: str,
        *,
        share: bool = False,
    ) -> None:
        self.facts.append(Fact(float(value), unit, subject, words, role, source, share))

    def _subject(self, name: str) -> Subject:
        key = name.casefold()
        subject = self.subjects.setdefault(key, Subject(key))
        subject.phrases.add(_folded(name))
        return subject

    def _is_name(self, name: object) -> bool:
        """Whether a key of a mapping names a tag, equipment or product rather than a field."""
        text = str(name)
        return text.casefold() in self._tags or bool(re.fullmatch(r"\d*[A-Z][A-Z_]*[-_]?\d[\w.-]*", text))

    def _named_in(self, text: str) -> str:
        """The last tag that is named in a text by its own name."""
        folded = _folded(text)
        best, where = "", -1
        for key in self._tags:
            at = folded.rfind(key)
            if at > where:
                best, where = key, at
        return best


def _name_of(value: Mapping[str, Any]) -> str | None:
    for name in _NAMES:
        found = value.get(name)
        if isinstance(found, str) and 0 < len(found) <= 80:
            return found
    return None


def _field_phrases(name: str) -> set[str]:
    words = [word for word in re.split(r"[_\W]+", name) if word and word not in _STOP]
    return {" ".join(words)} if words else set()


def _words(text: str) -> Iterator[str]:
    for word in re.split(r"[^A-Za-z0-9]+", text.lower()):
        if len(word) > 2:
            yield word


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
