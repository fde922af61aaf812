"""T² and SPE as one alert: from the first row over a limit, with contributions and a diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.monitoring.change_points import WINDOW, ChangePoints
from orchestrator.monitoring.delays import BoolArray, Delay, FloatArray, IntArray, Trail
from orchestrator.monitoring.detectors import PrincipalComponents
from orchestrator.monitoring.diagnosis import diagnose, directions
from orchestrator.monitoring.dynamic import DynamicDetector, DynamicScores
from orchestrator.monitoring.life_cycle import Change, Contribution
from orchestrator.monitoring.samples import moment
from orchestrator.plant.signatures import Signature
from orchestrator.plant.tags import Tag

WHOLE_PLANT = "plant"
MAIN_SHARE = 0.8
"""The main contributors are those that make up this share together,"""
MOST_TAGS = 8
"""and at most so many."""
SEVERE = 5.0
"""Mean of T² or SPE over its limit, over the on-delay, from which the alert is of high severity."""
FAR = 1e3
"""Deviations are cut off here, in standard deviations, so that squares stay finite."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the models say of rows, each array of shape ``(n_rows, …)`` over the scored rows only.

    Attributes:
        rows: Which rows of the block were scored: those that miss too many tags are not.
        t2: T² of the states (of the components where there is no dynamic model) over its limit.
        spe: Largest of the statistics of the residual, each over its limit.
        static: T² and SPE of the principal components over their limits, shape ``(n_rows, 2)``.
        dynamic: Statistics of the dynamic detector, null where there is none.
    """

    rows: IntArray
    t2: FloatArray
    spe: FloatArray
    static: FloatArray
    dynamic: DynamicScores | None

    @property
    def over(self) -> BoolArray:
        """Whether T² or SPE is over its limit."""
        return (self.t2 > 1.0) | (self.spe > 1.0)


class MultivariateModel:
    """Principal components, and the dynamic detector where the training rows are enough for one.

    The components fill in what is missing, name the tags of a large upset, and decide alone where
    there is no dynamic detector.

    Args:
        components: The fitted principal components.
        dynamic: The fitted dynamic detector, over rows as the components complete them.
    """

    def __init__(self, components: PrincipalComponents, dynamic: DynamicDetector | None) -> None:
        self.components = components
        self.dynamic = dynamic

    def judge(self, times: IntArray, z: FloatArray) -> Judged:
        """Score rows, in order of time.

        Args:
            times: µs since the epoch.
            z: Scaled rows of the model's tags; missing values are NaN.
        """
        z = np.clip(z, -FAR, FAR)
        scores = self.components.score(z)
        rows = np.flatnonzero(np.isfinite(scores.spe))
        static = np.column_stack([scores.t2[rows], scores.spe[rows]])
        if self.dynamic is None or not len(rows):
            return Judged(rows, static[:, 0], static[:, 1], static, None)
        dynamic = self.dynamic.step(self.components.centred(z[rows]), times[rows])
        ratios = dynamic.ratios
        return Judged(rows, ratios[:, 0], ratios[:, 1:].max(axis=1), static, dynamic)


class AnomalyWatch:
    """Alerts of kind ``anomaly``.

    Args:
        tags: Tags of the model, in the order of its columns.
        model: The fitted model.
        on_delay: Scored rows over a limit in succession that raise the alert.
        off_delay: Scored rows under both limits that end it.
        part: Part of the plant that the model covers.
        signatures: Fault signatures of the plant.
        also_static: Whether T² or SPE of the principal components raises the alert, too.
        levels: Dates and sizes the changes of level of the main tags.
    """

    def __init__(
        self,
        tags: Sequence[Tag],
        model: MultivariateModel,
        on_delay: int,
        off_delay: int,
        *,
        part: str = WHOLE_PLANT,
        signatures: Sequence[Signature] = (),
        also_static: bool = False,
        levels: ChangePoints | None = None,
    ) -> None:
        self._tags = tags
        self._names = [tag.name for tag in tags]
        self._part = part
        self.key = f"anomaly:{part}"
        self._signatures = signatures
        self._also_static = also_static
        self._levels = levels
        self._model = model
        self._delay = Delay(1, on_delay, off_delay)
        self._leaders: list[tuple[int, str | None]] = []
        past = max(on_delay, off_delay) - 1
        width = 0 if model.dynamic is None else model.dynamic.model.whiten.shape[0]
        statistics = 2 if model.dynamic is None else 6
        looked_through = max(past, WINDOW - 1)
        self._times = Trail(looked_through, np.zeros(0, dtype=np.int64))
        self._rows = Trail(looked_through, np.zeros((0, len(tags))))
        self._sizes = Trail(on_delay - 1, np.zeros((0, statistics)))
        self._pasts = Trail(on_delay - 1, np.zeros((0, 2 * width)))

    def step(self, times: IntArray, z: FloatArray) -> tuple[list[tuple[int, Change]], BoolArray]:
        """Take in scaled rows of the model's tags.

        Returns:
            (row, change) in order of rows, and whether the alert is open after each row.
        """
        return self.follow(times, z, self._model.judge(times, z))

    def follow(
        self, times: IntArray, z: FloatArray, judged: Judged
    ) -> tuple[list[tuple[int, Change]], BoolArray]:
        """The same for rows that :meth:`MultivariateModel.judge` has judged already."""
        self._leaders = [(-1, leader) for _, leader in self._leaders[-1:]]
        scored = judged.rows
        open_after: BoolArray = np.full(len(z), bool(self._delay.state[0]))
        if not len(scored):
            return [], open_after
        joined_times, past = self._times.join(times[scored])
        joined_rows, past_rows = self._rows.join(np.clip(z[scored], -FAR, FAR))
        sizes, pasts = judged.static, np.zeros((len(scored), 0))
        if judged.dynamic is not None:
            sizes = np.column_stack([sizes, judged.dynamic.ratios])
            pasts = np.column_stack([judged.dynamic.q, judged.dynamic.average])
        joined_sizes, past_sizes = self._sizes.join(sizes)
        joined_pasts, _ = self._pasts.join(pasts)
        over = judged.over
        if self._also_static:
            over = over | (judged.static.max(axis=1) > 1.0)
        switches = self._delay.step(over[:, None])
        changes = []
        for position, on in zip(switches.rows, switches.on, strict=True):
            back = (self._delay.on if on else self._delay.off) - 1
            row = int(scored[position])
            open_after[row:] = on
            since = joined_times[max(past + position - back, 0)]
            last = past_rows + position + 1
            window = slice(max(last - self._delay.on, 0), last)
            scored_last = past_sizes + position + 1
            scores = slice(max(scored_last - self._delay.on, 0), scored_last)
            longer = slice(max(last - WINDOW, 0), last)
            change = (
                self._begun(
                    times[row],
                    since,
                    joined_rows[window],
                    joined_sizes[scores],
                    joined_pasts[scores],
                    (joined_times[longer], joined_rows[longer]),
                )
                if on
                else Change(
                    at=moment(times[row]),
                    since=moment(since),
                    key=self.key,
                    kind="anomaly",
                    active=False,
                )
            )
            changes.append((row, change))
            if on:
                small = joined_sizes[scores, :2].mean(axis=0).max() <= 1.0
                self._leaders.append((row, change.tags[0] if small else None))
        return changes, open_after

    def leader_at(self, row: int) -> str | None:
        """First tag of the alert that was the last to begin by a row of the last block.

        Null where the alert began with an upset large enough for the principal components to see:
        then it is no drift.
        """
        return next((leader for at, leader in reversed(self._leaders) if at <= row), None)

    def _begun(
        self,
        at: np.int64,
        since: np.int64,
        z: FloatArray,
        sizes: FloatArray,
        pasts: FloatArray,
        recent: tuple[IntArray, FloatArray],
    ) -> Change:
        mean = sizes.mean(axis=0)
        t2, spe = float(mean[0]), float(mean[1])
        dynamic = self._model.dynamic
        # Components tell the tags of a row at once; the dynamic statistics those of a small shift.
        if dynamic is None or max(t2, spe) > 1.0:
            shares = self._model.components.contributions(z)
        else:
            half = pasts.shape[1] // 2
            scores = DynamicScores(sizes[:, 2:], pasts[:, :half], pasts[:, half:])
            shares = dynamic.contributions(scores)
        if dynamic is not None:
            t2, spe = float(mean[2]), float(mean[3:].max())
        order = np.argsort(-shares, kind="stable")
        total = np.cumsum(shares[order])
        main = order[: min(int(np.searchsorted(total, MAIN_SHARE)) + 1, MOST_TAGS)]
        found = diagnose(self._tags, shares, directions(z), self._signatures)
        levels = [] if self._levels is None else self._levels.latest(*recent, main[:3].tolist())
        what = "the plant" if self._part == WHOLE_PLANT else self._part
        return Change(
            at=moment(at),
            since=moment(since),
            key=self.key,
            kind="anomaly",
            active=True,
            severity="high" if max(t2, spe) >= SEVERE else "medium",
            tags=tuple(self._names[j] for j in main),
            message=(
                f"{what} leaves normal operation: T² {t2:.1f} and SPE {spe:.1f} times the limit; "
                + ", ".join(f"{self._names[j]} {shares[j]:.0%}" for j in main[:3])
            ),
            contributions=_rounded(self._names, shares, order),
            diagnosis=found.text,
            levels=tuple(levels),
        )


def _rounded(names: Sequence[str], shares: FloatArray, order: IntArray) -> tuple[Contribution, ...]:
    """All shares, largest first, to six decimals; the largest takes up the rounding."""
    rounded = np.round(shares, 6)
    rounded[order[0]] += 1.0 - rounded.sum()
    return tuple(Contribution(tag=names[j], share=round(float(rounded[j]), 6)) for j in order)
