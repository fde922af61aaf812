"""Small plots as SVG text: points, lines and bars over time, readable in light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from html import escape

WIDTH = 960
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 12, 30


@dataclass
class Plot:
    """A plot over days; series are added, then :meth:`text` gives the element.

    Attributes:
        start, end: First and last day.
        low, high: Range of the ordinate; what lies outside is drawn at the edge, hollow.
        unit: Written on the ordinate.
    """

    start: date
    end: date
    low: float
    high: float
    unit: str
    height: int = 260
    title: str = ""
    _parts: list[str] = field(default_factory=list)

    def _x(self, day: date) -> float:
        span = max(1, (self.end - self.start).days)
        return LEFT + (WIDTH - LEFT - RIGHT) * (day - self.start).days / span

    def _y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.height - BOTTOM - (self.height - TOP - BOTTOM) * share

    def points(
        self, days: Sequence[date], values: Sequence[float], kind: str, texts: Sequence[str]
    ) -> None:
        """One dot a day with a text that shows when pointed at."""
        for day, value, text in zip(days, values, texts, strict=True):
            hollow = " edge" if not self.low <= value <= self.high else ""
            self._parts.append(
                f'<circle class="{kind}{hollow}" cx="{self._x(day):.1f}" cy="{self._y(value):.1f}" '
                f'r="3.2"><title>{escape(text)}</title></circle>'
            )

    def line(self, days: Sequence[date], values: Sequence[float | None], kind: str) -> None:
        """A line that is broken where a value or a stretch of days is missing."""
        run: list[str] = []
        last: date | None = None
        for day, value in zip(days, values, strict=True):
            broken = value is None or (last is not None and day - last > timedelta(days=5))
            if broken and run:
                self._polyline(run, kind)
                run = []
            if value is not None:
                run.append(f"{self._x(day):.1f},{self._y(value):.1f}")
                last = day
        if run:
            self._polyline(run, kind)

    def _polyline(self, run: list[str], kind: str) -> None:
        self._parts.append(f'<polyline class="{kind}" points="{" ".join(run)}"/>')

    def level(self, value: float, kind: str) -> None:
        """A horizontal line over all days."""
        self.line([self.start], [value], kind)
        y = self._y(value)
        self._parts.append(
            f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )

    def band(self, first: date, last: date, low: float, high: float, kind: str, text: str) -> None:
        """A rectangle with a text that shows when pointed at."""
        x, y = self._x(first), self._y(high)
        wide, tall = max(1.0, self._x(last) - x), max(1.0, self._y(low) - y)
        self._parts.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}">'
            f"<title>{escape(text)}</title></rect>"
        )

    def text(self) -> str:
        """The SVG element."""
        return (
            f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{escape(self.title)}">'
            f"{self._axes()}{''.join(self._parts)}</svg>"
        )

    def _axes(self) -> str:
        parts = []
        for value in ticks(self.low, self.high):
            y = self._y(value)
            parts.append(
                f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
                f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
            )
        for day in _months(self.start, self.end):
            x = self._x(day)
            parts.append(
                f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{self.height - BOTTOM}"/>'
                f'<text x="{x + 3:.1f}" y="{self.height - BOTTOM + 18}">{day:%Y-%m}</text>'
            )
        middle = (TOP + self.height - BOTTOM) / 2
        parts.append(
            f'<text x="14" y="{middle:.0f}" text-anchor="middle" '
            f'transform="rotate(-90 14 {middle:.0f})">{escape(self.unit)}</text>'
        )
        return "".join(parts)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values between ``low`` and ``high``."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def _months(start: date, end: date) -> list[date]:
    """First days of months, thinned so that their names do not overlap."""
    found = []
    day = date(start.year, start.month, 1)
    while day <= end:
        if day >= start:
            found.append(day)
        day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return found[:: max(1, math.ceil(len(found) / 13))]
