"""Which series still go on beside the newest of the data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.analysis.series import DAY, Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_DAYS = 10.0
"""A long holiday closes a market for less."""
PERIODS = 2.5
"""Monthly means bear the first of their month and come in the next one."""
SHOWN = 5


def newest(series: Iterable[Series]) -> np.datetime64 | None:
    """Time of the newest value of all; ``None`` without any."""
    return max((item.times[-1] for item in series), default=None)


def ended(series: Series, latest: np.datetime64 | None) -> bool:
    """Whether its last value lies so far before ``latest`` that another was due in between."""
    if latest is None:
        return False
    allowed = max(LEAST_DAYS, PERIODS * 365.25 / series.per_year)
    return float((latest - series.times[-1]) / DAY) > allowed


def living_first(series: Sequence[Series]) -> list[Series]:
    """The same, with those that ended after those that go on."""
    latest = newest(series)
    return sorted(series, key=lambda item: ended(item, latest))


def ended_words(series: Sequence[Series]) -> list[str]:
    """A warning that names the series which ended before the newest of them."""
    latest = newest(series)
    gone = [item for item in series if ended(item, latest)]
    if not gone:
        return []
    named = [f"{item.label} on {_day(item.times)}" for item in gone[:SHOWN]]
    more = f" and {len(gone) - SHOWN} more" if len(gone) > SHOWN else ""
    return [f"ended before the newest value of the data: {', '.join(named)}{more}"]


def _day(times: NDArray[np.datetime64]) -> str:
    return str(times[-1].astype("datetime64[D]"))
