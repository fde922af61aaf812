"""Numbers and lines as the pages of the analysis show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.analysis.words import day_of
from orchestrator.modules.report_page import Trace

if TYPE_CHECKING:
    from orchestrator.modules.analysis.series import Series

SHOWN_YEARS = 2
MOST_POINTS = 1500
MOST_LINES = 5


def line(series: Series, label: str, years: float = SHOWN_YEARS) -> Trace:
    """The last years of a series, thinned where there are very many values."""
    since = series.times[-1] - np.timedelta64(round(years * 365.25), "D")
    kept = series.times >= since
    step = max(1, int(kept.sum()) // MOST_POINTS)
    times, values = series.times[kept][::step], series.values[kept][::step]
    return Trace(label, [day_of(time) for time in times], [float(value) for value in values])


def signed(value: float | None, places: int) -> str:
    """A change for a cell, with its sign; empty for none."""
    return "" if value is None else f"{value:+,.{places}f}"
