"""Sensor drift: one tag slowly leaves what the other tags say it should read.

The residual of a tag is its value less its reconstruction from the others by the principal
components. Bin means of the residual go through an exponentially weighted moving average (Roberts
1959). A drift is told when the average of a tag leaves its limits, the plant as a whole is normal
(no multivariate alert is open), and that tag alone leads: a process change moves several residuals.
Only measured tags are watched whose reconstruction explains at least half of their variance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from orchestrator.monitoring.delays import BoolArray, Delay, FloatArray
from orchestrator.monitoring.life_cycle import Change
from orchestrator.monitoring.samples import moment
from orchestrator.plant.tags import Tag

MEMORY = 0.2
"""Weight of the newest bin."""
REDUNDANCY = 0.5
"""Least share of a tag's variance that the other tags explain."""
LEAD = 2.0
"""The tag's deviation against that of the next tag, both over their limits' scale."""
ON_BINS = 2
OFF_BINS = 4
MOVED_ON_PURPOSE = frozenset({"valve", "state", "price", "lab", "computed"})


class DriftWatch:
    """Alerts of kind ``drift``.

    Args:
        tags: Tags of the model, in the order of its columns.
        residual: Matrix that takes scaled values to residuals, shape ``(n_tags, n_tags)``.
        training_bins: Bin means of scaled training values, shape ``(n_bins, n_tags)``.
        false_alarm_rate: Share of normal bins that may be over a limit, over all tags.
    """

    def __init__(
        self,
        tags: Sequence[Tag],
        residual: FloatArray,
        training_rows: FloatArray,
        training_bins: FloatArray,
        false_alarm_rate: float,
    ) -> None:
        self._tags = tags
        self._residual = np.nan_to_num(residual)
        rows = np.nan_to_num(training_rows) @ self._residual.T
        movable = np.array(
            [tag.controllable or tag.kind in MOVED_ON_PURPOSE for tag in tags], dtype=np.bool_
        )
        modelled = np.isfinite(residual).all(axis=1)
        self._watched: BoolArray = modelled & (rows.var(axis=0) <= 1 - REDUNDANCY) & ~movable
        average = np.zeros(len(tags))
        averages = []
        for bin_mean in np.nan_to_num(training_bins):
            average = self._next(average, bin_mean)
            averages.append(average)
        spread = np.array(averages).std(axis=0) if len(averages) > 2 else np.full(len(tags), np.inf)
        self._limit = np.maximum(
            spread * float(stats.norm.isf(false_alarm_rate / (2 * len(tags)))),
            1.2 * np.abs(averages).max(axis=0) if averages else np.inf,
        )
        self._limit = np.maximum(self._limit, 1e-9)
        self._average: FloatArray = np.zeros(len(tags))
        self._delay = Delay(len(tags), ON_BINS, OFF_BINS)
        self._times: list[int] = []

    def step(self, at: int, mean: FloatArray, explained: bool) -> list[Change]:
        """Take in a bin: time of the row that closed it (µs), scaled means, multivariate alert open."""
        self._times = [*self._times[-(OFF_BINS - 1) :], at]
        if not np.isfinite(mean).any():
            return []
        self._average = self._next(self._average, np.nan_to_num(mean))
        size = np.abs(self._average) / self._limit
        over = np.zeros(len(size), dtype=np.bool_)
        if len(size) > 1:
            leader = int(np.argmax(size))
            second = float(np.partition(size, -2)[-2])
            alone = size[leader] > 1.0 and size[leader] >= LEAD * second
            over[leader] = alone and bool(self._watched[leader]) and not explained
            # A drift once told holds until its tag is back, whatever else happens.
            over |= self._delay.state & (size > 1.0)
        switches = self._delay.step(over[None])
        changes = []
        for j, on in zip(switches.channels, switches.on, strict=True):
            back = (ON_BINS if on else OFF_BINS) - 1
            since = self._times[max(len(self._times) - 1 - back, 0)]
            name = self._tags[j].name
            changes.append(
                Change(
                    at=moment(at),
                    since=moment(since),
                    key=f"drift:{name}",
                    kind="drift",
                    active=bool(on),
                    severity="medium",
                    tags=(name,),
                    message=(
                        f"{name} reads {self._average[j]:+.2g} normal standard deviations off "
                        "what the other tags say"
                    ),
                )
            )
        return changes

    def _next(self, average: FloatArray, mean: FloatArray) -> FloatArray:
        moved: FloatArray = MEMORY * (self._residual @ mean) + (1 - MEMORY) * average
        return moved
