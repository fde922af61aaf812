"""Planned moves: a handle that somebody sets anew is not a fault, and what follows from it is expected.

A handle (a tag that the plant file calls controllable) moves when its value leaves that of ten rows
ago by more than six standard deviations of its normal operation, or by half a percent of its normal
range where it stands still in normal operation. For the rows that the plant takes to settle after
that, alerts of the multivariate models, trends and drifts are suppressed by design, with the handle
in the reason; what has not returned by then is annunciated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.monitoring.baseline import Baseline
from orchestrator.monitoring.delays import FloatArray, IntArray
from orchestrator.plant.tags import Tag

BACK = 10
"""Rows over which a move is measured: set points are often ramped."""
FACTOR = 6.0
STILL_SHARE = 0.005


@dataclass(frozen=True, slots=True)
class Move:
    """A handle moved at a row.

    Attributes:
        row: The row in its block.
        time: Its time, µs since the epoch.
        began: Time of the first row of the move, which may take several.
        tag: The handle.
        before: Its value ten rows ago.
        after: Its value now.
    """

    row: int
    time: int
    began: int
    tag: str
    before: float
    after: float

    @property
    def words(self) -> str:
        """The move as a reason."""
        return f"planned move of {self.tag} from {self.before:.6g} to {self.after:.6g}"


class MoveWatch:
    """Finds moves of handles, rows of any cut.

    Args:
        tags: The tags, in column order.
        baseline: Their normal operation.
    """

    def __init__(self, tags: Sequence[Tag], baseline: Baseline) -> None:
        self._columns = np.array([j for j, tag in enumerate(tags) if tag.controllable], np.int64)
        self._names = [tags[j].name for j in self._columns]
        spans = []
        for j in self._columns:
            normal = tags[j].normal
            still = normal[1] - normal[0] if normal else abs(float(baseline.mean[j]))
            spans.append(FACTOR * baseline.sd[j] if baseline.varies[j] else STILL_SHARE * still)
        self._least: FloatArray = np.maximum(np.array(spans, dtype=np.float64), 1e-9)
        self._past: FloatArray = np.zeros((0, len(self._columns)))
        self._began: int | None = None

    def step(self, times: IntArray, held: FloatArray) -> list[Move]:
        """Take in rows of all tags; returns moves in order of rows, at most one a row."""
        if not len(self._columns):
            return []
        joined = np.concatenate([self._past, held[:, self._columns]])
        before = len(self._past)
        self._past = joined[max(len(joined) - BACK, 0) :].copy()
        row = np.arange(before, len(joined))
        earlier = joined[np.maximum(row - BACK, 0)]
        with np.errstate(invalid="ignore"):
            size = np.abs(joined[row] - earlier) / self._least
        size = np.nan_to_num(size)
        found = []
        moving = (size > 1.0).any(axis=1)
        for at in np.flatnonzero(moving).tolist():
            j = int(np.argmax(size[at]))
            if self._began is None or (at > 0 and not moving[at - 1]):
                self._began = int(times[at])
            found.append(
                Move(
                    at,
                    int(times[at]),
                    self._began,
                    self._names[j],
                    float(earlier[at, j]),
                    float(joined[before + at, j]),
                )
            )
        if not moving[-1]:
            self._began = None
        return found
