"""T² and SPE as one alert: from the first row over a limit, with the contributions of its tags."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrator.monitoring.delays import BoolArray, Delay, FloatArray, IntArray, Trail
from orchestrator.monitoring.detectors import PrincipalComponents
from orchestrator.monitoring.life_cycle import Change, Contribution
from orchestrator.monitoring.samples import moment

KEY = "anomaly:plant"
MAIN_SHARE = 0.8
"""The main contributors are those that make up this share together,"""
MOST_TAGS = 8
"""and at most so many."""
SEVERE = 5.0
"""Mean of T² or SPE over its limit, over the on-delay, from which the alert is of high severity."""
FAR = 1e3
"""Deviations are cut off here, in standard deviations, so that squares stay finite."""


class AnomalyWatch:
    """Alerts of kind ``anomaly``.

    Args:
        names: Tags of the model, in the order of its columns.
        model: The fitted model.
        on_delay: Scored rows over a limit in succession that raise the alert.
        off_delay: Scored rows under both limits that end it.
    """

    def __init__(
        self, names: Sequence[str], model: PrincipalComponents, on_delay: int, off_delay: int
    ) -> None:
        self._names = names
        self._model = model
        self._delay = Delay(1, on_delay, off_delay)
        past = max(on_delay, off_delay) - 1
        self._times = Trail(past, np.zeros(0, dtype=np.int64))
        self._rows = Trail(on_delay - 1, np.zeros((0, len(names))))
        self._sizes = Trail(on_delay - 1, np.zeros((0, 2)))

    def step(self, times: IntArray, z: FloatArray) -> tuple[list[tuple[int, Change]], BoolArray]:
        """Take in scaled rows of the model's tags.

        Returns:
            (row, change) in order of rows, and whether the alert is open after each row.
        """
        z = np.clip(z, -FAR, FAR)
        scores = self._model.score(z)
        scored = np.flatnonzero(np.isfinite(scores.spe))
        before = bool(self._delay.state[0])
        open_after: BoolArray = np.full(len(z), before)
        if not len(scored):
            return [], open_after
        joined_times, past = self._times.join(times[scored])
        joined_rows, past_rows = self._rows.join(z[scored])
        sizes = np.column_stack([scores.t2[scored], scores.spe[scored]])
        joined_sizes, _ = self._sizes.join(sizes)
        switches = self._delay.step(scores.over[scored][:, None])
        changes = []
        for position, on in zip(switches.rows, switches.on, strict=True):
            back = (self._delay.on if on else self._delay.off) - 1
            row = int(scored[position])
            open_after[row:] = on
            since = joined_times[max(past + position - back, 0)]
            last = past_rows + position + 1
            window = slice(max(last - self._delay.on, 0), last)
            change = (
                self._begun(times[row], since, joined_rows[window], joined_sizes[window])
                if on
                else _ended(times[row], since)
            )
            changes.append((row, change))
        return changes, open_after

    def _begun(self, at: np.int64, since: np.int64, z: FloatArray, sizes: FloatArray) -> Change:
        shares = self._model.contributions(z)
        order = np.argsort(-shares, kind="stable")
        total = np.cumsum(shares[order])
        main = order[: min(int(np.searchsorted(total, MAIN_SHARE)) + 1, MOST_TAGS)]
        t2, spe = sizes.mean(axis=0)
        return Change(
            at=moment(at),
            since=moment(since),
            key=KEY,
            kind="anomaly",
            active=True,
            severity="high" if max(t2, spe) >= SEVERE else "medium",
            tags=tuple(self._names[j] for j in main),
            message=(
                f"the plant leaves normal operation: T² {t2:.1f} and SPE {spe:.1f} times the limit; "
                + ", ".join(f"{self._names[j]} {shares[j]:.0%}" for j in main[:3])
            ),
            contributions=_rounded(self._names, shares, order),
        )


def _ended(at: np.int64, since: np.int64) -> Change:
    return Change(at=moment(at), since=moment(since), key=KEY, kind="anomaly", active=False)


def _rounded(names: Sequence[str], shares: FloatArray, order: IntArray) -> tuple[Contribution, ...]:
    """All shares, largest first, to six decimals; the largest takes up the rounding."""
    rounded = np.round(shares, 6)
    rounded[order[0]] += 1.0 - rounded.sum()
    return tuple(Contribution(tag=names[j], share=round(float(rounded[j]), 6)) for j in order)
