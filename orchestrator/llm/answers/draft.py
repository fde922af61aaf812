"""What an answer is made of: sentences, the evidence under them, and the things that they list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from orchestrator.errors import as_sentence as capitalised

Source = Literal[
    "operation", "historian", "alert", "decision", "recommendation", "write", "status", "document"
]


class Evidence(BaseModel):
    """One fact that an answer rests on.

    Attributes:
        source: What kind of record says it.
        ref: Which record: id of the job, alert, decision or recommendation, or the tag.
        subject: Tag, product, limit or operation that it is about.
        what: What is said of it.
        value: Number in ``unit``, or words; null where there is none.
        time: ISO 8601, UTC: of the sample, the forecast value or the event.
        quality: Of a sample: good, uncertain or bad.
    """

    model_config = ConfigDict(frozen=True)

    source: Source
    ref: str
    subject: str = ""
    what: str = ""
    value: float | str | None = None
    unit: str = ""
    time: str | None = None
    quality: str | None = None


class Listed(BaseModel):
    """A thing that an answer lists, so that a later turn may mean "the second one"."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["tag", "equipment", "alert", "decision", "recommendation", "operation", "series"]
    label: str
    ref: str = ""
    text: str = ""


@dataclass(slots=True)
class Draft:
    """An answer in the making.

    Attributes:
        source: Kind of the record that is told.
        ref: Its id.
        sentences: What is said, one paragraph each.
        evidence: What it rests on, most important first.
        items: What it lists, in its order.
        notes: What limits it.
    """

    source: Source
    ref: str
    sentences: list[str] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    items: list[Listed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Add a paragraph."""
        if text.strip():
            self.sentences.append(text.strip())

    def cite(
        self,
        subject: str,
        what: str,
        value: float | str | None,
        unit: str | None = "",
        *,
        time: str | None = None,
        quality: str | None = None,
    ) -> None:
        """Add a fact."""
        self.evidence.append(
            Evidence(
                source=self.source,
                ref=self.ref,
                subject=subject,
                what=what,
                value=value,
                unit=unit or "",
                time=time,
                quality=quality,
            )
        )

    def list(self, kind: Any, label: str, text: str = "", ref: str = "") -> None:
        """Add a thing that is listed."""
        self.items.append(Listed(kind=kind, label=label, text=text, ref=ref or self.ref))

    @property
    def text(self) -> str:
        """The paragraphs, and what limits them."""
        return "\n".join([*self.sentences, *(f"Note: {as_sentence(n)}" for n in self.notes)])


def number(value: float | None, unit: str | None = "") -> str:
    """A number as people read it: four digits, thousands set apart, its unit behind it."""
    if value is None:
        return "unknown"
    size = abs(value)
    text = f"{value:,.0f}" if size >= 1000 else f"{value:.4g}"
    return f"{text} {unit}".strip()


def clock(text: str | None) -> str:
    """An ISO 8601 time to the minute, in UTC."""
    return "an unknown time" if not text else f"{text[:16].replace('T', ' ')}Z"


def joined(parts: Iterable[str], most: int = 6) -> str:
    """``parts`` as a list in one sentence; where there are many, the first ``most`` and how many more."""
    every = [part for part in parts if part]
    shown = every[:most]
    if len(every) > most:
        return f"{', '.join(shown)} and {len(every) - most} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def as_sentence(text: str) -> str:
    """``text`` with a capital and a full stop."""
    text = text.strip().rstrip(".")
    return f"{capitalised(text)}." if text else ""
