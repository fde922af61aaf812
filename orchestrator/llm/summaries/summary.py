"""A summary of a shift or a day, made from records alone; a section with nothing on record says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from orchestrator.errors import ParameterError
from orchestrator.llm.answers.draft import Draft, Evidence
from orchestrator.llm.summaries import events, measured
from orchestrator.llm.summaries.windows import Span, Window, window_of

if TYPE_CHECKING:
    from orchestrator.core.orchestrator import Orchestrator


class Statement(BaseModel):
    """A sentence and what it rests on."""

    model_config = ConfigDict(frozen=True)

    text: str
    evidence: tuple[Evidence, ...]


class SummarySection(BaseModel):
    """One part of a summary; ``empty`` where nothing is on record."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    empty: bool
    statements: tuple[Statement, ...]


class Summary(BaseModel):
    """What is on record from ``start`` to ``end`` (plant time); ``complete`` once that time is over."""

    model_config = ConfigDict(frozen=True)

    span: Span
    start: datetime
    end: datetime
    made_at: datetime
    complete: bool
    plant: str
    simulated: bool
    sections: tuple[SummarySection, ...]


SECTIONS: tuple[tuple[str, str], ...] = (
    ("raised", "Alerts raised"),
    ("standing", "Alerts still active"),
    ("withheld", "Alerts shelved or withheld"),
    ("decisions", "Decisions and results"),
    ("recommendations", "Recommendations"),
    ("writes", "Writes to the plant"),
    ("quality", "Data quality"),
    ("forecasts", "Forecasts against what came"),
    ("market", "Market"),
)


class Summaries:
    """Makes summaries from the records of one orchestrator."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator

    async def make(
        self, span: Span, at: datetime | None = None, *, previous: bool = False
    ) -> Summary:
        """The summary of the shift or the day that ``at`` (plant time; null: now) lies in.

        Raises:
            ParameterError: ``at`` lies in the future.
        """
        now = self._orchestrator.clock.now()
        if at is not None and at > now:
            raise ParameterError.of_field(
                "at", f"lies after the plant's present time {now:%Y-%m-%d %H:%MZ}", where="summary"
            )
        window = window_of(span, at or now, self._orchestrator.settings.chat, previous=previous)
        until = min(window.end, now) if window.start <= now else window.end
        told = Window(span, window.start, until)
        sections = []
        for name, title in SECTIONS:
            drafts = await self._section(name, told)
            statements = [
                Statement(text=draft.text, evidence=tuple(draft.evidence)) for draft in drafts
            ]
            empty = not any(draft.evidence for draft in drafts)
            sections.append(
                SummarySection(name=name, title=title, empty=empty, statements=tuple(statements))
            )
        return Summary(
            span=span,
            start=window.start,
            end=until,
            made_at=now,
            complete=window.end <= now,
            plant=self._orchestrator.plant.name,
            simulated=self._orchestrator.plant.simulated,
            sections=tuple(sections),
        )

    async def _section(self, name: str, window: Window) -> list[Draft]:
        store = self._orchestrator.store
        recorded: dict[str, Callable[[], Awaitable[list[Draft]]]] = {
            "raised": lambda: events.raised(store, window),
            "standing": lambda: events.standing(store, window),
            "withheld": lambda: events.withheld(store),
            "decisions": lambda: events.decisions(store, window),
            "recommendations": lambda: events.recommendations(store, window),
            "writes": lambda: events.writes(store, window),
            "quality": lambda: measured.quality(store, window),
            "forecasts": self._forecasts(window),
            "market": self._market(window),
        }
        return await recorded[name]()

    def _forecasts(self, window: Window) -> Callable[[], Awaitable[list[Draft]]]:
        async def told() -> list[Draft]:
            made = await measured.forecasts_for(self._orchestrator.store, window)
            return await asyncio.to_thread(
                measured.against_actuals, made, self._orchestrator.historian, window
            )

        return told

    def _market(self, window: Window) -> Callable[[], Awaitable[list[Draft]]]:
        async def told() -> list[Draft]:
            plant, historian = self._orchestrator.plant, self._orchestrator.historian
            return await asyncio.to_thread(measured.market, plant, historian, window)

        return told
