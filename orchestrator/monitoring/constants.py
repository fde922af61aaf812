"""Tags that stood still in all of normal operation and then move: no model can have learned them.

A pump that was never stopped, a by-pass that was always shut: the first time it is not so is news, however
small the value. A handle that is set anew is a planned move, and a valve is moved by what it serves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrator.monitoring.baseline import Baseline
from orchestrator.monitoring.delays import Delay, FloatArray, IntArray
from orchestrator.monitoring.life_cycle import Change
from orchestrator.monitoring.samples import moment
from orchestrator.plant.tags import Tag

STILL = 1e-3
"""A move is larger than this share of the value, or of the normal range where it is known."""
LEAST = 1e-6
"""The least move of what stood at zero."""
LEAST_SAMPLES = 20
ON_ROWS = 3
OFF_ROWS = 3
LEFT_OUT = frozenset({"price", "state", "computed", "lab", "valve"})


class ConstantWatch:
    """Alerts of kind ``anomaly``, one a tag.

    Args:
        tags: The tags, in column order.
        baseline: Their normal operation.
    """

    def __init__(self, tags: Sequence[Tag], baseline: Baseline) -> None:
        still = ~baseline.varies & (baseline.seen >= LEAST_SAMPLES)
        self._columns = np.array(
            [
                j
                for j in np.flatnonzero(still).tolist()
                if not tags[j].controllable and tags[j].kind not in LEFT_OUT
            ],
            np.int64,
        )
        chosen = [tags[int(j)] for j in self._columns]
        self._names = [tag.name for tag in chosen]
        self._level: FloatArray = baseline.mean[self._columns]
        span = np.array([tag.normal[1] - tag.normal[0] if tag.normal else 0.0 for tag in chosen])
        self._least: FloatArray = np.maximum(STILL * np.maximum(np.abs(self._level), span), LEAST)
        self._delay = Delay(len(chosen), ON_ROWS, OFF_ROWS)
        self._times: IntArray = np.zeros(0, dtype=np.int64)

    def step(self, times: IntArray, held: FloatArray) -> list[tuple[int, Change]]:
        """Take in rows of all tags.

        Args:
            times: µs since the epoch, shape ``(n_rows,)``.
            held: Values that still count, shape ``(n_rows, n_tags)``, NaN where there is none.

        Returns:
            (row, change), in order of rows.
        """
        if not len(self._columns):
            return []
        own = held[:, self._columns]
        with np.errstate(invalid="ignore"):
            switches = self._delay.step(np.abs(own - self._level) > self._least)
        known = np.concatenate([self._times, times])
        before = len(self._times)
        self._times = known[-max(ON_ROWS, OFF_ROWS) :]
        changes = []
        for row, channel, on in zip(
            switches.rows.tolist(), switches.channels.tolist(), switches.on, strict=True
        ):
            back = (ON_ROWS if on else OFF_ROWS) - 1
            name = self._names[channel]
            changes.append(
                (
                    row,
                    Change(
                        at=moment(int(times[row])),
                        since=moment(int(known[max(before + row - back, 0)])),
                        key=f"constant:{name}",
                        kind="anomaly",
                        active=bool(on),
                        severity="medium",
                        tags=(name,),
                        message=(
                            f"{name} stood at {self._level[channel]:.5g} in all of normal operation, "
                            f"and is {own[row, channel]:.5g}"
                        ),
                    ),
                )
            )
        return changes
