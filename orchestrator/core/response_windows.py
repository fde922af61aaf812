"""What tags did between two windows of time, and how much they do so by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from orchestrator.modules.optimization.operator.response import Measured
from orchestrator.plant.historian import Historian

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_CHANGES = 30


def measured(
    historian: Historian,
    tags: Sequence[str],
    begin: datetime,
    end: datetime,
    *,
    window: timedelta,
    past: timedelta,
) -> dict[str, Measured]:
    """What tags did from the window before ``begin`` to the one before ``end``; without samples, nothing.

    The spread is that of the changes between two windows as far apart in the time ``past`` before
    ``begin``: 1.4826 times the median absolute deviation, which a few planned moves do not widen.

    Args:
        historian: Where the samples are.
        tags: Tags; one without samples in either window is left out.
        begin: When the moves began.
        end: When the answer is looked at.
        window: Length of both windows.
        past: Time before ``begin`` in which it is measured what tags do by themselves.
    """
    import numpy as np

    held = set(historian.tags())
    found: dict[str, Measured] = {}
    # Whole minutes: samples of any period become means on one grid.
    rows = max(1, round(window.total_seconds() / 60))
    lag = max(1, round((end - begin).total_seconds() / 60))
    for tag in tags:
        if tag not in held:
            continue
        table = historian.read([tag], begin - past, end, 60.0)
        times = table.column("time").to_numpy().astype("datetime64[us]")
        values = table.column(tag).to_numpy(zero_copy_only=False).astype(np.float64)
        known = np.isfinite(values)
        times, values = times[known], values[known]
        edge = np.datetime64(begin.replace(tzinfo=None), "us")
        width = np.timedelta64(rows * 60, "s")
        last = np.datetime64(end.replace(tzinfo=None), "us")
        before = values[(times >= edge - width) & (times < edge)]
        after = values[(times > last - width) & (times <= last)]
        earlier = values[times < edge]
        if not len(before) or not len(after):
            continue
        found[tag] = Measured(
            float(before.mean()), float(after.mean()), _spread(earlier, rows, lag)
        )
    return found


def _spread(values: NDArray[np.float64], rows: int, lag: int) -> float:
    """Standard deviation of the change between means of ``rows`` values that are ``lag`` rows apart."""
    import numpy as np

    if len(values) < 2:
        return 0.0
    if len(values) < rows + lag + LEAST_CHANGES:
        # Too short to look so far apart: what single values do is the wider of the two.
        return float(np.std(values) * np.sqrt(2.0))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means = (sums[rows:] - sums[:-rows]) / rows
    changes = means[lag:] - means[:-lag]
    return float(1.4826 * np.median(np.abs(changes)))
