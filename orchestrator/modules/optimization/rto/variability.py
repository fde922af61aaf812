"""How much each tag varies about its level: what a limit must be kept from, and how sure a mean is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.etl.steadiness import independent, moved
from orchestrator.modules.frames import read_frame

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext

LEAST_ROWS = 9


@dataclass(frozen=True, slots=True)
class Variability:
    """Of one tag over the recent past, in its unit.

    Attributes:
        sd: Standard deviation of one value about the tag's own trend: the variance that the control
            loops leave.
        sd_of_mean: That of the mean over the averaging time, slow noise accounted for.
    """

    sd: float
    sd_of_mean: float


def variability(
    context: OperationContext, minutes: float, names: frozenset[str]
) -> tuple[dict[str, Variability], list[str]]:
    """Variability of tags over the data, and those that are not steady over it.

    Args:
        context: Holds the data; without any, nothing is known.
        minutes: Averaging time of present values.
        names: Tags that are wanted.
    """
    if context.data_file is None or (table := context.table()).num_rows < LEAST_ROWS:
        return {}, []
    frame = read_frame(table).in_order()
    recent = frame.times >= frame.times[-1] - np.timedelta64(int(minutes * 60e6), "us")
    columns = {n: frame.values[:, i] for i, n in enumerate(frame.names) if n in names}
    found: dict[str, Variability] = {}
    for name, column in columns.items():
        known = np.flatnonzero(np.isfinite(column))
        if len(known) < LEAST_ROWS:
            continue
        trend = np.polynomial.Polynomial.fit(known.astype(float), column[known], 1)
        rest = column[known] - trend(known)
        sd = float(np.std(rest, ddof=2))
        share = float(np.isfinite(column[recent]).sum()) / len(known)
        worth = max(1.0, share * independent(rest))
        found[name] = Variability(sd, sd / worth**0.5)
    return found, moved(columns, {n: item.sd_of_mean for n, item in found.items()})
