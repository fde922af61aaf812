"""A series and its companions on one regular grid of days, weeks, fortnights or months."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.analysis.series import DAY, Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

STEP_DAYS = {"day": 1, "week": 7, "fortnight": 14}
LEAST_SHARE = 0.9
RECENT_YEARS = 8


@dataclass(frozen=True, slots=True)
class Panel:
    """Columns on a common grid that ends at the last value of ``target``.

    Attributes:
        target: The series to forecast.
        values: Name -> values, ``(rows,)``, NaN where there is none.
        alike: Series of the same kind and region, for what such series have in common.
        beside: Those of ``alike`` that are of the main products, read as predictors.
        flows: What fills and empties the stock (runs, output, imports, exports, demand).
        per_year: Rows in a year.
    """

    target: Series
    values: dict[str, Array]
    alike: tuple[str, ...]
    beside: tuple[str, ...]
    flows: tuple[str, ...]
    per_year: float

    def time(self, row: int) -> np.datetime64:
        """Time of a row up to the last; of a month its first day."""
        first: np.datetime64 = self.target.times[0]
        if self.target.period == "month":
            found: np.datetime64 = (first.astype("datetime64[M]") + row).astype("datetime64[us]")
        else:
            found = first + row * STEP_DAYS[self.target.period] * DAY
        return found

    def ahead(self, steps: int) -> list[np.datetime64]:
        """Times of the next ``steps`` rows."""
        last = self.target.times[-1]
        if self.target.period != "month":
            return [last + i * STEP_DAYS[self.target.period] * DAY for i in range(1, steps + 1)]
        month = last.astype("datetime64[M]")
        # A month keeps its day: the first stays the first, the last stays the last.
        end = (month + 1).astype("datetime64[D]") == last.astype("datetime64[D]") + 1
        within = last - month.astype("datetime64[us]")
        found = []
        for i in range(1, steps + 1):
            following = (month + i + 1).astype("datetime64[us]")
            start = (month + i).astype("datetime64[us]")
            found.append(following - DAY if end else min(start + within, following - DAY))
        return found


def has_grid(series: Series) -> bool:
    """Whether :func:`panel` can lay the series on a grid: by quarters and years a season is too coarse."""
    return series.period == "month" or series.period in STEP_DAYS


def panel(target: Series, others: Sequence[Series]) -> Panel:
    """The target with those of ``others`` that tell something of it.

    Of another series a row holds the value dated last in the period that ends at the row: nothing of
    after it. A companion counts where it has nearly all values of the last years and of the last row.
    """
    first = target.times[0]
    rows = _row(target.times[-1:], first, target.period)[0] + 1
    values = {target.name: _on_grid(target, first, rows)}
    recent = slice(max(0, rows - round(RECENT_YEARS * _per_year(target))), rows)
    needed = np.isfinite(values[target.name][recent]).sum()
    for other in others:
        if other.name == target.name or other.period != target.period:
            continue
        if other.region != target.region or other.role not in (target.role, "flow", "demand"):
            continue
        found = _on_grid(other, first, rows)
        known = np.isfinite(found[recent]).sum()
        if np.isfinite(found[-1]) and known >= LEAST_SHARE * needed:
            values[other.name] = found
    roles = {other.name: other for other in others if other.name in values}
    alike = tuple(n for n, s in roles.items() if s.role == target.role and n != target.name)
    main = ("crude", "gasoline", "diesel")
    return Panel(
        target=target,
        values=values,
        alike=alike,
        beside=tuple(n for n in alike if roles[n].product in main),
        flows=tuple(
            n for n, s in roles.items() if s.role in ("flow", "demand") and _moves(s, target)
        ),
        per_year=_per_year(target),
    )


def _moves(flow: Series, target: Series) -> bool:
    """Whether a flow fills or empties what ``target`` measures; runs of crude matter to all."""
    return flow.name != target.name and (
        flow.product == target.product or (flow.role == "flow" and flow.product is None)
    )


def _per_year(target: Series) -> float:
    return 12.0 if target.period == "month" else 365.25 / STEP_DAYS[target.period]


def _on_grid(series: Series, first: np.datetime64, rows: int) -> Array:
    found = np.full(rows, np.nan)
    row = _row(series.times, first, series.period)
    inside = (row >= 0) & (row < rows)
    found[row[inside]] = series.values[inside]
    return found


def _row(times: NDArray[np.datetime64], first: np.datetime64, period: str) -> NDArray[np.intp]:
    if period == "month":
        apart = (times.astype("datetime64[M]") - first.astype("datetime64[M]")).astype(np.float64)
    else:
        apart = (times - first) / (STEP_DAYS[period] * DAY)
    found: NDArray[np.intp] = np.ceil(apart - 1e-9).astype(np.intp)
    return found
