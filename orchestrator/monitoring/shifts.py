"""EWMA and CUSUM charts of the tags that no multivariate model covers: sampled analysers above all.

Each new sample z (in normal standard deviations; a repeated value is no new sample) goes into

* an EWMA, e = λ z + (1 − λ) e with λ = 0.2 (Roberts 1959), and
* a two-sided CUSUM, c⁺ = max(0, c⁺ + z − k), c⁻ = max(0, c⁻ − z − k) with k = 1.5 (Page 1954).

Textbook charts (k = 0.5, three-sigma limits) find shifts of one deviation and give a false alarm in
some 500 samples of one tag without memory: several a day for dozens of tags, and many more where
compositions wander by a deviation for hours in normal operation, as they do under closed loops. So
these charts look for shifts of three deviations: the EWMA must leave ±2.5, or the CUSUM pass 10;
both limits are widened for the memory of the samples by that of an AR(1) process, √((1+ρ)/(1−ρ)), and
none is below 1.5 times the farthest that its chart went in training.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrator.monitoring.baseline import Baseline
from orchestrator.monitoring.delays import BoolArray, FloatArray, IntArray
from orchestrator.monitoring.life_cycle import Change
from orchestrator.monitoring.samples import moment
from orchestrator.plant.tags import Tag

WEIGHT = 0.2
SLACK = 1.5
EWMA_LIMIT = 2.5
CUSUM_LIMIT = 10.0
MARGIN = 1.5
LEAST_SAMPLES = 30
"""Training samples of a tag whose chart is drawn."""
FAR = 4.0
"""Samples are cut off here, so that one wild sample moves no chart over its limit for long."""
IN_SUCCESSION = 2
"""Samples over a limit that raise the alert, and under half of both that end it."""
LEFT_OUT = frozenset({"price", "state", "computed"})


class _Chart:
    """EWMA and CUSUM of one tag."""

    __slots__ = ("active", "cusum_limit", "ewma_limit", "high", "level", "low", "since", "streak")

    def __init__(self, training: FloatArray) -> None:
        self.ewma_limit = self.cusum_limit = float("inf")
        self._begin()
        farthest_level = farthest_sum = 0.0
        for z in training.tolist():
            self._advance(z)
            farthest_level = max(farthest_level, abs(self.level))
            farthest_sum = max(farthest_sum, self.high, self.low)
        memory = _memory(training)
        self.ewma_limit = max(EWMA_LIMIT * memory, MARGIN * farthest_level)
        self.cusum_limit = max(CUSUM_LIMIT * memory, MARGIN * farthest_sum)
        self._begin()

    def _begin(self) -> None:
        self.level = self.high = self.low = 0.0
        self.active = False
        self.streak = 0
        self.since = 0

    def _advance(self, z: float) -> None:
        z = min(max(z, -FAR), FAR)
        self.level = WEIGHT * z + (1 - WEIGHT) * self.level
        self.high = min(max(0.0, self.high + z - SLACK), 2 * self.cusum_limit)
        self.low = min(max(0.0, self.low - z - SLACK), 2 * self.cusum_limit)

    def step(self, time: int, z: float) -> bool | None:
        """Take in a sample; whether the alert begins (true) or ends (false), null for neither."""
        self._advance(z)
        level, largest = abs(self.level), max(self.high, self.low)
        if self.active:
            turned = level < 0.5 * self.ewma_limit
        else:
            turned = level > self.ewma_limit or largest > self.cusum_limit
        if not turned:
            self.streak = 0
            return None
        if self.streak == 0:
            self.since = time
        self.streak += 1
        if self.streak < IN_SUCCESSION:
            return None
        self.active, self.streak = not self.active, 0
        if not self.active:
            self.high = self.low = 0.0
        return self.active


def _memory(samples: FloatArray) -> float:
    """By how much sums of these samples spread more than those of samples without memory."""
    deviation = samples - samples.mean()
    rho = float((deviation[1:] * deviation[:-1]).sum() / max(float((deviation**2).sum()), 1e-12))
    rho = min(max(rho, 0.0), 0.9)
    return float(np.sqrt((1 + rho) / (1 - rho)))


class ShiftWatch:
    """Alerts of kind ``anomaly``, one a tag.

    Args:
        tags: The tags, in column order.
        baseline: Their normal operation.
        modelled: Columns that a multivariate model covers.
        values: Training rows, shape ``(n_rows, n_tags)``, NaN where there is no sample.
    """

    def __init__(
        self, tags: Sequence[Tag], baseline: Baseline, modelled: Sequence[int], values: FloatArray
    ) -> None:
        self._tags = tags
        self._charts: dict[int, _Chart] = {}
        covered = set(modelled)
        for j, tag in enumerate(tags):
            if j in covered or not baseline.varies[j] or tag.controllable or tag.kind in LEFT_OUT:
                continue
            known = values[np.isfinite(values[:, j]), j]
            fresh = known[np.concatenate([[True], np.diff(known) != 0])]
            if len(fresh) >= LEAST_SAMPLES:
                z = (fresh - baseline.mean[j]) / baseline.sd[j]
                self._charts[j] = _Chart(z)

    def step(
        self, times: IntArray, z: FloatArray, fresh: BoolArray, explained: BoolArray
    ) -> list[tuple[int, Change]]:
        """Take in rows.

        Args:
            times: µs since the epoch.
            z: Scaled values of all tags.
            fresh: Whether each is a new sample.
            explained: Whether a multivariate alert is open after each row: it tells of the same cause.

        Returns:
            (row, change) in order of tags.
        """
        changes = []
        for j, chart in self._charts.items():
            for row in np.flatnonzero(fresh[:, j]).tolist():
                if explained[row] and not chart.active:
                    chart.streak = 0
                    continue
                turned = chart.step(int(times[row]), float(z[row, j]))
                if turned is not None:
                    changes.append((row, self._change(j, chart, int(times[row]), on=turned)))
        return changes

    def _change(self, j: int, chart: _Chart, at: int, *, on: bool) -> Change:
        name = self._tags[j].name
        return Change(
            at=moment(at),
            since=moment(chart.since),
            key=f"shift:{name}",
            kind="anomaly",
            active=on,
            severity="medium",
            tags=(name,),
            message=(
                f"{name} has shifted: its moving average is {chart.level:+.2g} normal standard "
                f"deviations off, beyond {chart.ewma_limit:.2g}, or its CUSUM beyond "
                f"{chart.cusum_limit:.2g}"
            ),
        )
