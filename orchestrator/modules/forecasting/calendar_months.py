"""Data by the month, quarter or year: steps of the calendar, which have no fixed length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MONTH_SECONDS = 365.2425 * 86_400 / 12
STEPS = (1, 2, 3, 4, 6, 12)


def months_apart(times: NDArray[np.datetime64]) -> int:
    """Months from one value to the next, 0 where the times are not those of calendar months.

    They are where each falls on the same day of its month, or each on the last one.
    """
    if len(times) < 3:
        return 0
    months = times.astype("datetime64[M]")
    day = (times.astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    left = ((months + 1).astype("datetime64[D]") - times.astype("datetime64[D]")).astype(np.int64)
    if np.ptp(day) != 0 and np.ptp(left) != 0:
        return 0
    steps = np.diff(months_since(times, times[0])).view(np.int64)
    usual = int(np.median(steps))
    return usual if usual in STEPS and steps.min() > 0 and not (steps % usual).any() else 0


def months_since(times: NDArray[np.datetime64], first: np.datetime64) -> NDArray[np.int64]:
    """Whole calendar months from ``first`` to each time."""
    start = first.astype("datetime64[M]").astype(np.int64)
    since: NDArray[np.int64] = times.astype("datetime64[M]").astype(np.int64) - start
    return since


def add_months(time: np.datetime64, months: NDArray[np.int64]) -> NDArray[np.datetime64]:
    """The same day of other months; the last day stays the last, and a shorter month ends sooner."""
    start = time.astype("datetime64[M]")
    day = (time.astype("datetime64[D]") - start.astype("datetime64[D]")).astype(np.int64)
    last = (start + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    within = time - time.astype("datetime64[D]").astype("datetime64[us]")
    begins = (start + months).astype("datetime64[D]")
    lengths = ((start + months + 1).astype("datetime64[D]") - begins).astype(np.int64)
    wanted = (
        np.full(len(months), 99)
        if time.astype("datetime64[D]") == last
        else np.full(len(months), day)
    )
    days = begins + np.minimum(wanted, lengths - 1).astype("timedelta64[D]")
    found: NDArray[np.datetime64] = days.astype("datetime64[us]") + within
    return found
