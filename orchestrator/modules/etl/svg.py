"""Small plots as SVG text: points, lines and bars over time, readable in light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from html import escape

WIDTH = 960
BREAK = timedelta(days=5)
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 12, 30


@dataclass
class Plot:
    """A plot over days; series are added, then :meth:`text` gives the element.

    Attributes:
        start, end: First and last day.
        low, high: Range of the ordinate; what lies outside is drawn at the edge, hollow.
        unit: Written on the ordinate.
        width, height: In units of the picture, which the page scales.
    """

    start: date
    end: date
    low: float
    high: float
    unit: str
    height: int = 260
    title: str = ""
    width: int = WIDTH
    _parts: list[str] = field(default_factory=list)

    def _x(self, day: date) -> float:
        span = max(1, (self.end - self.start).days)
        return LEFT + (self.width - LEFT - RIGHT) * (day - self.start).days / span

    def _y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.height - BOTTOM - (self.height - TOP - BOTTOM) * share

    def points(
        self,
        days: Sequence[date],
        values: Sequence[float],
        kind: str,
        texts: Sequence[str],
        radius: float = 3.2,
    ) -> None:
        """One dot a day with a text that shows when pointed at."""
        for day, value, text in zip(days, values, texts, strict=True):
            hollow = " edge" if not self.low <= value <= self.high else ""
            self._parts.append(
                f'<circle class="{kind}{hollow}" cx="{self._x(day):.1f}" cy="{self._y(value):.1f}" '
                f'r="{radius:g}"><title>{escape(text)}</title></circle>'
            )

    def line(self, days: Sequence[date], values: Sequence[float | None], kind: str) -> None:
        """A line that is broken where a value or a stretch of days is missing."""
        run: list[str] = []
        last: date | None = None
        for day, value in zip(days, values, strict=True):
            broken = value is None or (last is not None and day - last > BREAK)
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

    def ribbon(
        self, days: Sequence[date], lows: Sequence[float], highs: Sequence[float], kind: str
    ) -> None:
        """A band about a line, broken where a stretch of days is missing."""
        first = 0
        for k in range(1, len(days) + 1):
            if k < len(days) and days[k] - days[k - 1] <= BREAK:
                continue
            upper = [(days[i], highs[i]) for i in range(first, k)]
            lower = [(days[i], lows[i]) for i in range(k - 1, first - 1, -1)]
            at = " ".join(f"{self._x(d):.1f},{self._y(v):.1f}" for d, v in upper + lower)
            self._parts.append(f'<polygon class="{kind}" points="{at}"/>')
            first = k

    def stem(self, day: date, first: float, second: float, kind: str) -> None:
        """A vertical line on one day."""
        x = self._x(day)
        self._parts.append(
            f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{self._y(first):.1f}" '
            f'y2="{self._y(second):.1f}"/>'
        )

    def level(self, value: float, kind: str) -> None:
        """A horizontal line over all days."""
        self.line([self.start], [value], kind)
        y = self._y(value)
        self._parts.append(
            f'<line class="{kind}" x1="{LEFT}" x2="{self.width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
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
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(self.title)}">'
            f"{self._axes()}{''.join(self._parts)}</svg>"
        )

    def _axes(self) -> str:
        parts = []
        for value in ticks(self.low, self.high):
            y = self._y(value)
            parts.append(
                f'<line class="grid" x1="{LEFT}" x2="{self.width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
                f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,.10g}</text>'
            )
        for day in _months(self.start, self.end, most=max(2, self.width // 74)):
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


def _months(start: date, end: date, most: int) -> list[date]:
    """First days of months, thinned so that their names do not overlap."""
    found = []
    day = date(start.year, start.month, 1)
    while day <= end:
        if day >= start:
            found.append(day)
        day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return found[:: max(1, math.ceil(len(found) / most))]
