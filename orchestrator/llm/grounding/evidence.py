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
from typing import Any

from orchestrator.clock import iso
from orchestrator.llm.grounding.facts import (
    CHANGES,
    DIMENSIONLESS,
    FIELD_UNITS,
    LIMITS,
    SHARES,
    Fact,
    Role,
)
from orchestrator.llm.grounding.plant_names import bare_name, shaped_names
from orchestrator.llm.grounding.quantities import quantities
from orchestrator.llm.grounding.unit_words import pint_unit
from orchestrator.plant.samples import Sample
from orchestrator.plant.tags import Tag

_NAMES = (
    "tag",
    "id",
    "name",
    "target",
    "equipment",
    "product",
    "series",
    "grade",
    "crude",
    "unit_name",
    "stream",
    "balance",
)
_STOP = frozenset(
    [
        "the",
        "a",
        "an",
        "of",
        "in",
        "at",
        "on",
        "to",
        "for",
        "and",
        "or",
        "by",
        "from",
        "with",
        "is",
        "are",
        "was",
        "were",
        "be",
        "it",
        "its",
        "value",
        "values",
        "result",
        "results",
        "data",
        "field",
        "number",
        "usd",
        "per",
        "bbl",
        "pct",
        "percent",
        "change",
        "minutes",
        "seconds",
        "hours",
        "days",
        "day",
        "last",
        "new",
        "time",
        "times",
        "score",
        "mean",
        "now",
        "current",
        "present",
        "this",
        "that",
        "forecast",
        "flow",
        "temperature",
        "pressure",
        "level",
        "total",
    ]
)
_SUPPOSES = re.compile(
    r"\b(?:if|suppos\w*|assum\w*|by|chang\w*|rais\w*|lower\w*|increas\w*|reduc\w*|cut)\b",
    re.IGNORECASE,
)
_SPANS = re.compile(r"horizon|period|hours|days|minutes")
MOST_NUMBERS = 20_000


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
        self._tags: dict[str, Tag] = {}
        self._read: set[str] = set()

    def knows(self, name: str) -> bool:
        """Whether a name of the shape of a tag or piece of equipment stands anywhere in the evidence."""
        known = self._read | {bare_name(key) for key in self.subjects}
        return bare_name(name) in known or bare_name(re.split(r"[._]", name)[0]) in known

    def _take_names(self, text: str) -> None:
        self._read.update(bare_name(name) for _, name in shaped_names(text))

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
                    self._take_names(phrase)
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

    def add_result(
        self, operation: str, result: Any, parameters: Mapping[str, Any] | None = None
    ) -> None:
        """An operation's result and the parameters that it was run with."""
        self._walk(result, operation, "", (), None)
        # What a model makes up as a parameter must not become evidence for it; spans of time are its to choose.
        spans = {n: v for n, v in (parameters or {}).items() if _SPANS.search(n) or n == "changes"}
        if spans:
            self._walk(spans, f"parameters of {operation}", "", (), None)

    def add_passage(self, source: str, text: str) -> None:
        """A passage of a document: its numbers count as the document's."""
        self._take_names(text)
        for item in quantities(text, self.names):
            words = frozenset(_words(text[max(0, item.start - 80) : item.start]))
            self._add(item.value, pint_unit(item.unit), "", words, "passage", source)

    def add_told(self, source: str, text: str, subject: str = "") -> None:
        """A sentence of the program itself: each number belongs to the tag last named before it.

        Args:
            source: Who says it.
            text: What is said.
            subject: What it is about where it names no tag.
        """
        about = self._subject(subject).key if subject else ""
        for found in quantities(text, self.names):
            words = frozenset(_words(text[max(0, found.start - 80) : found.start]))
            key = self._named_in(text[: found.start]) or about
            self._add(found.value, pint_unit(found.unit), key, words, "passage", source)

    def add_fact(self, subject: str, what: str, value: float, unit: str, source: str) -> None:
        """One number: of ``subject`` (a tag, a product; empty for none), in ``unit`` (empty if unknown)."""
        key = self._subject(subject).key if subject else ""
        words = frozenset(_words(what))
        name = "_".join(sorted(words))
        role: Role = "limit" if "limit" in words else "change" if CHANGES.search(name) else "value"
        share = bool(SHARES.search(what.strip().lower())) and 0 <= value <= 1
        self._add(value, pint_unit(unit), key, words, role, source, share=share)

    def add_words(self, text: str) -> None:
        """The words of the question: an answer may repeat its spans of time, and what it supposes.

        What the question claims to be so is no evidence.
        """
        supposes = _SUPPOSES.search(text) is not None
        for item in quantities(text, self.names):
            if not (supposes or item.unit in ("s", "min", "h", "day", "week", "month", "year")):
                continue
            key = self._named_in(text[: item.start])
            words = frozenset(_words(text))
            self._add(item.value, pint_unit(item.unit), key, words, "passage", "the question")

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
        if isinstance(value, str):
            self._take_names(value)
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
                self._take_names(str(name))
                inner, own = subject, None
                if (
                    named is None
                    and isinstance(item, Mapping | list | tuple)
                    and self._is_name(name)
                ) or (named is None and isinstance(item, int | float) and self._is_name(name)):
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
        elif (
            isinstance(value, str)
            and " " in value
            and path
            and path[-1]
            in (
                "summary",
                "warnings",
                "reason",
                "text",
                "because",
                "message",
                "explanation",
                "note",
            )
        ):
            self.add_told(source, value)

    def _number(
        self, value: float, source: str, subject: str, path: tuple[str, ...], unit: str | None
    ) -> None:
        if value != value or value in (float("inf"), float("-inf")) or not path:
            return
        name = path[-1].lower()
        for suffix, own in FIELD_UNITS:
            if name.endswith(suffix):
                unit, name = own, name.removesuffix(suffix)
                break
        else:
            timed = re.match(r"(hours|minutes|seconds|days)_", name)
            if timed:
                unit = {"hours": "h", "minutes": "min", "seconds": "s", "days": "day"}[timed[1]]
            elif DIMENSIONLESS.search(name):
                unit = "1"
        role: Role = "value"
        if LIMITS.search(name):
            role = "limit"
        elif CHANGES.search("_".join(path[-2:]).lower()):
            role = "change"
        elif (
            unit == "1"
            and value == int(value)
            and re.search(r"count|tags|rows|samples|number|depth|in_flight", name)
        ):
            role = "count"
        words = frozenset(word for part in path[-2:] for word in _words(part))
        share = bool(SHARES.search(name)) and 0 <= value <= 1
        if subject in ("", "situation"):
            parent = path[-2] if len(path) > 1 else ""
            key = f"field:{parent}.{name}" if parent else f"field:{name}"
            phrases = _field_phrases(name) or _field_phrases(parent)
            self.subjects.setdefault(key, Subject(key)).phrases.update(phrases)
            subject = key
        self._add(
            value,
            pint_unit(unit or "") if unit != "1" else "1",
            subject,
            words,
            role,
            source,
            share=share,
        )

    def _counts(self, what: str, items: Sequence[Any], by: str, source: str) -> None:
        counts: dict[str, int] = {}
        for item in items:
            kind = (
                item.get(by, "medium" if by == "severity" else "")
                if isinstance(item, Mapping)
                else ""
            )
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
        return text.casefold() in self._tags or bool(
            re.fullmatch(r"\d*[A-Z][A-Z_]*[-_]?\d[\w.-]*", text)
        )

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
