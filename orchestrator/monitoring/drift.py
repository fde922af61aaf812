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

from orchestrator.monitoring.delays import BoolArray, Delay, FloatArray
from orchestrator.monitoring.detectors import PrincipalComponents
from orchestrator.monitoring.life_cycle import Change
from orchestrator.monitoring.quantiles import normal_above
from orchestrator.monitoring.samples import moment
from orchestrator.plant.tags import Tag

MEMORY = 0.2
"""Weight of the newest bin."""
REDUNDANCY = 0.5
"""Least share of a tag's variance that the other tags explain."""
LEAD = 2.0
"""How much more of SPE the tag explains than the next one does, as a ratio; two tags that carry the
same information cannot be told apart, and no drift is told then."""
LEAST = 0.3
"""Smallest offset, in normal standard deviations, that is told."""
LEAST_BINS = 5
ON_BINS = 2
OFF_BINS = 4
MOVED_ON_PURPOSE = frozenset({"valve", "state", "price", "lab", "computed"})


class DriftWatch:
    """Alerts of kind ``drift``.

    Args:
        tags: Tags of the model, in the order of its columns.
        model: The fitted model.
        rows: Scaled training values, shape ``(n_rows, n_tags)``; NaN where missing or left out.
        bins: Their bin means, shape ``(n_bins, n_tags)``.
        false_alarm_rate: Share of normal bins that may be over a limit, over all tags.
    """

    def __init__(
        self,
        tags: Sequence[Tag],
        model: PrincipalComponents,
        rows: FloatArray,
        bins: FloatArray,
        false_alarm_rate: float,
    ) -> None:
        self._tags = tags
        self._model = model
        residual = model.residual_model()
        self._residual = np.nan_to_num(residual)
        # Reconstructing along a tag takes its squared residual over its own entry from SPE.
        self._weight = 1.0 / np.maximum((self._residual**2).sum(axis=1), 1e-12)
        self._score = model.components.loadings / np.sqrt(model.components.variances)
        movable = np.array(
            [tag.controllable or tag.kind in MOVED_ON_PURPOSE for tag in tags], dtype=np.bool_
        )
        known = np.isfinite(rows).any(axis=1)
        spread = (model.complete(rows[known]) @ self._residual.T).var(axis=0)
        modelled = np.isfinite(residual).all(axis=1)
        self._watched: BoolArray = modelled & (spread <= 1 - REDUNDANCY) & ~movable
        self._limit = self._learn(bins, false_alarm_rate / (2 * len(tags)))
        self._level: FloatArray = np.zeros(len(tags))
        self._delay = Delay(len(tags), ON_BINS, OFF_BINS)
        self._times: list[int] = []

    def _learn(self, bins: FloatArray, rate: float) -> FloatArray:
        """Limit of each average residual from training; infinite where there are too few bins."""
        level = np.zeros(len(self._tags))
        averages = []
        for mean in bins[np.isfinite(bins).any(axis=1)]:
            level = MEMORY * self._model.complete(mean[None])[0] + (1 - MEMORY) * level
            averages.append(self._residual @ level)
        if len(averages) < LEAST_BINS:
            return np.full(len(self._tags), np.inf)
        found = np.array(averages)
        by_spread = found.std(axis=0) * normal_above(rate)
        limit: FloatArray = np.maximum(by_spread, 1.2 * np.abs(found).max(axis=0))
        return np.maximum(limit, LEAST)

    def step(
        self, at: int, mean: FloatArray, explained: bool, leader: str | None = None
    ) -> list[Change]:
        """Take in a bin.

        Args:
            at: Time of the row that closed it, µs since the epoch.
            mean: Scaled means.
            explained: Whether a multivariate alert is open.
            leader: The first tag of that alert; a drift of this very tag is told all the same.
        """
        self._times = [*self._times[-(OFF_BINS - 1) :], at]
        if not np.isfinite(mean).any():
            return []
        complete = self._model.complete(mean[None])[0]
        self._level = MEMORY * complete + (1 - MEMORY) * self._level
        average = self._residual @ self._level
        # Away from where it was learned the model is less sure, as the leverage of a regression says.
        leverage = float(((self._level @ self._score) ** 2).sum())
        size = np.abs(average) / (self._limit * np.sqrt(1.0 + leverage))
        over = np.zeros(len(size), dtype=np.bool_)
        if len(size) > 1:
            explains = average**2 * self._weight
            first = int(np.argmax(explains))
            alone = explains[first] >= LEAD * float(np.partition(explains, -2)[-2])
            told = alone and self._watched[first] and np.isfinite(mean[first])
            told = told and (not explained or self._tags[first].name == leader)
            over[first] = told and size[first] > 1.0
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
                        f"{name} reads {average[j]:+.2g} normal standard deviations off "
                        "what the other tags say"
                    ),
                )
            )
        return changes
