"""Tags that stood still in all of normal operation and then move: no model can have learned them.

A pump that was never stopped, a by-pass that was always shut: the first time it is not so is news, however
small the value. A handle that is set anew is a planned move, and a valve is moved by what it serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class _Moved:
    """Tags (by channel) that moved together, what was said of them, and which are not back yet."""

    channels: tuple[int, ...]
    message: str
    away: set[int]


class ConstantWatch:
    """Alerts of kind ``anomaly``; tags that first move in the same row have one cause and one alert.

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
        self._open: list[_Moved] = []

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
        switched: dict[int, tuple[list[int], list[int]]] = {}
        for row, channel, on in zip(
            switches.rows.tolist(), switches.channels.tolist(), switches.on, strict=True
        ):
            switched.setdefault(row, ([], []))[0 if on else 1].append(channel)
        changes = []
        for row, (off, back) in sorted(switched.items()):
            at = int(times[row])
            if back:
                since = int(known[max(before + row - OFF_ROWS + 1, 0)])
                changes += [(row, change) for change in self._returned(back, at, since)]
            if off := self._news(off):
                since = int(known[max(before + row - ON_ROWS + 1, 0)])
                moved = _Moved(tuple(off), self._message(off, own[row]), set(off))
                self._open.append(moved)
                changes.append((row, self._change(moved, at, since, on=True)))
        return changes

    def _news(self, channels: Sequence[int]) -> list[int]:
        """Those that no open alert tells of; the others have left again."""
        told = {j: moved for moved in self._open for j in moved.channels}
        for j in channels:
            if j in told:
                told[j].away.add(j)
        return [j for j in channels if j not in told]

    def _returned(self, channels: Sequence[int], at: int, since: int) -> list[Change]:
        """Ends of the alerts of which the last tag is back."""
        for moved in self._open:
            moved.away.difference_update(channels)
        ended = [moved for moved in self._open if not moved.away]
        self._open = [moved for moved in self._open if moved.away]
        return [self._change(moved, at, since, on=False) for moved in ended]

    def _change(self, moved: _Moved, at: int, since: int, *, on: bool) -> Change:
        names = tuple(self._names[j] for j in moved.channels)
        return Change(
            at=moment(at),
            since=moment(since),
            key=f"constant:{names[0]}",
            kind="anomaly",
            active=on,
            severity="medium",
            tags=names,
            message=moved.message,
        )

    def _message(self, channels: Sequence[int], values: FloatArray) -> str:
        first = channels[0]
        text = (
            f"{self._names[first]} stood at {self._level[first]:.5g} in all of normal operation, "
            f"and is {values[first]:.5g}"
        )
        others = len(channels) - 1
        return f"{text}; {others} more left their level with it" if others else text
