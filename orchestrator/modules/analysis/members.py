"""The forecasts that are combined: seasonal changes, and regressions of what departs from them.

All forecast the change over ``steps`` rows, from any row, with what was known there. They are few, simple
and fixed beforehand; their mean is taken (see :mod:`orchestrator.modules.analysis.outlook`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.analysis import season
from orchestrator.modules.analysis.regression import Moments, moments, predict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orchestrator.modules.analysis.panel import Panel

    Array = NDArray[np.float64]

HALF_LIFE_YEARS = 5.0
"""After which a year counts half, in recent seasons and in regressions."""
CLIP = 3.0
OWN_WEIGHT = 3.0
"""Weight of the series itself among series alike, where one regression is fitted on all of them."""
MOST_ALIKE = 12


class Members:
    """Forecasts of one panel.

    Attributes:
        origins: Rows from which is forecast, ``(n,)``.
    """

    def __init__(self, panel: Panel, origins: NDArray[np.intp]) -> None:
        self._panel = panel
        self._year = panel.per_year
        self.origins = origins
        self._own = {name: self._features(name) for name in self._pool()}
        beside = [self._beside(name) for name in panel.beside]
        flows = [self._flow(name) for name in panel.flows]
        own = self._own[panel.target.name]
        self._sets = {"own": own}
        if beside:
            self._sets["other_stocks"] = np.column_stack([own, *beside])
        if flows:
            self._sets["flows"] = np.column_stack([own, *flows])
        if beside and flows:
            self._sets["all"] = np.column_stack([own, *beside, *flows])

    def forecasts(self, steps: int) -> dict[str, Array]:
        """Name -> forecast change from each origin over ``steps`` rows, ``(n,)``."""
        name = self._panel.target.name
        changes = season.change(self._panel.values[name], steps)
        long = season.usual_change(changes, self._year, np.inf, steps)
        recent = season.usual_change(changes, self._year, HALF_LIFE_YEARS, steps)
        base = (long + recent) / 2
        found = {"season_long": long[self.origins], "season_recent": recent[self.origins]}
        rest = season.clipped(changes - base, np.zeros(len(base)), CLIP)
        first = 2 * round(self._year)
        for kind, features in self._sets.items():
            sums = moments(features, rest, first, HALF_LIFE_YEARS * self._year)
            found[f"regression_{kind}"] = base[self.origins] + predict(
                sums, features, self.origins, steps
            )
        if len(self._own) > 1:
            found["regression_pooled"] = base[self.origins] + self._pooled(rest, steps, first)
        return found

    def baselines(self, steps: int) -> dict[str, Array]:
        """The two plain forecasts: no change, and the average change of the season."""
        changes = season.change(self._panel.values[self._panel.target.name], steps)
        average = season.average_change(changes, self._year, steps)
        return {
            "last_value": np.zeros(len(self.origins)),
            "season_average": average[self.origins],
        }

    def _pool(self) -> Sequence[str]:
        return (self._panel.target.name, *self._panel.alike[:MOST_ALIKE])

    def _surprise(self, name: str) -> Array:
        """Change up to each row less what the season let expect, from history before it."""
        changes = season.change(self._panel.values[name], 1)
        usual = season.usual_change(changes, self._year, HALF_LIFE_YEARS, 1)
        return season.lagged(changes - usual, 1)

    def _features(self, name: str) -> Array:
        """What a series says of itself: late surprises, and its level against other levels."""
        values, surprise = self._panel.values[name], self._surprise(name)
        years = [season.lagged(values, round(k * self._year)) for k in range(1, 6)]
        quarter, year = round(self._year / 4), round(self._year)
        return np.column_stack(
            [
                surprise,
                *(season.lagged(surprise, k) for k in (1, 2, 3)),
                running_mean(surprise, quarter),
                values - mean_of_known(np.stack(years)),
                values - running_mean(values, year),
                values - running_mean(values, 4),
            ]
        )

    def _beside(self, name: str) -> Array:
        surprise = self._surprise(name)
        return np.column_stack([surprise, running_mean(surprise, 4)])

    def _flow(self, name: str) -> Array:
        """A flow against its mean of a year and against what is usual in the season."""
        values = self._panel.values[name]
        apart = values - running_mean(values, round(self._year))
        usual = season.usual_change(apart, self._year, HALF_LIFE_YEARS, 0)
        return np.column_stack([apart - usual, running_mean(apart - usual, 4)])

    def _pooled(self, rest: Array, steps: int, first: int) -> Array:
        """One regression for all series alike, each in units of its own usual change."""
        total: Moments | None = None
        own = self._panel.target.name
        for name in self._pool():
            scale = season.running_scale(
                season.lagged(season.change(self._panel.values[name], 1), 1)
            )
            if name == own:
                apart, own_scale = rest, scale
            else:
                changes = season.change(self._panel.values[name], steps)
                usual = season.usual_change(changes, self._year, HALF_LIFE_YEARS, steps)
                apart = season.clipped(changes - usual, np.zeros(len(usual)), CLIP)
            sums = moments(
                self._own[name] / scale[:, None],
                apart / scale,
                first,
                HALF_LIFE_YEARS * self._year,
            )
            weight = OWN_WEIGHT if name == own else 1.0
            total = total.add(sums, weight) if total else sums.add(sums, weight - 1.0)
        assert total is not None
        features = self._own[own] / own_scale[:, None]
        found = predict(total, features, self.origins, steps) * own_scale[self.origins]
        known: Array = np.where(np.isfinite(found), found, 0.0)
        return known


def running_mean(values: Array, width: int) -> Array:
    """Mean of the known ones of the last ``width`` values; NaN with under a third of them known."""
    known = np.isfinite(values)
    sums = np.cumsum(np.r_[0.0, np.where(known, values, 0.0)])
    counts = np.cumsum(np.r_[0, known])
    start = np.maximum(np.arange(len(values)) + 1 - width, 0)
    end = np.arange(len(values)) + 1
    count = counts[end] - counts[start]
    enough = count >= max(1, width / 3)
    found = np.full(len(values), np.nan)
    found[enough] = (sums[end] - sums[start])[enough] / count[enough]
    return found


def mean_of_known(rows: Array) -> Array:
    """Mean down the first axis of what is known; NaN where nothing is."""
    known = np.isfinite(rows)
    count = known.sum(axis=0)
    total = np.where(known, rows, 0.0).sum(axis=0)
    found: Array = np.divide(total, count, out=np.full(rows.shape[1], np.nan), where=count > 0)
    return found
