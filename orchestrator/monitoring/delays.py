"""On-delay and off-delay over many channels at once, the same however the rows are cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Switches:
    """Where channels switched, in order of rows, then channels.

    Attributes:
        rows: Row of each switch within the block.
        channels: Channel of each switch.
        on: Whether it switched on.
    """

    rows: IntArray
    channels: IntArray
    on: BoolArray

    def __len__(self) -> int:
        return len(self.rows)


_NOTHING = np.zeros(0, dtype=np.int64)
NO_SWITCHES = Switches(_NOTHING, _NOTHING, np.zeros(0, dtype=np.bool_))


class Delay:
    """Switches a channel on after ``on`` rows over in succession, and off after ``off`` rows under.

    Args:
        channels: Number of channels.
        on: Rows over the limit that switch on, at least 1.
        off: Rows under the limit that switch off, at least 1.
    """

    def __init__(self, channels: int, on: int, off: int) -> None:
        self.on = on
        self.off = off
        self.state: BoolArray = np.zeros(channels, dtype=np.bool_)
        self._over: IntArray = np.zeros(channels, dtype=np.int64)
        self._under: IntArray = np.zeros(channels, dtype=np.int64)
        self._idle = True

    def step(self, over: BoolArray) -> Switches:
        """Take in rows, shape ``(n_rows, n_channels)``, and tell where channels switched."""
        quiet = not over.any()
        if quiet and self._idle:
            return NO_SWITCHES
        touched = self.state | (self._over > 0)
        if not quiet:
            touched |= over.any(axis=0)
        columns = np.flatnonzero(touched)
        switches = self._switch(over[:, columns], columns)
        self._idle = not (self.state.any() or self._over.any())
        return switches

    def _switch(self, over: BoolArray, columns: IntArray) -> Switches:
        rows = over.shape[0]
        row = np.arange(rows)[:, None]
        last_under = np.maximum.accumulate(np.where(over, -1 - self._over[columns], row), axis=0)
        last_over = np.maximum.accumulate(np.where(over, row, -1 - self._under[columns]), axis=0)
        over_for, under_for = row - last_under, row - last_over
        # Between the two delays the state of the last row that decided it holds.
        decided = (over_for >= self.on) | (under_for >= self.off)
        decider = np.maximum.accumulate(np.where(decided, row, -1), axis=0)
        state = np.where(
            decider >= 0,
            np.take_along_axis(over, np.maximum(decider, 0), axis=0),
            self.state[columns],
        )
        before = np.vstack([self.state[columns][None, :], state[:-1]])
        at, channel = np.nonzero(state != before)
        self.state[columns] = state[-1]
        self._over[columns] = over_for[-1]
        self._under[columns] = under_for[-1]
        return Switches(at, columns[channel], state[at, channel])


class Trail(Generic[Scalar]):
    """The last rows before a block, so that what begins in one block can be dated in another.

    Args:
        length: Rows to remember.
        like: An array of the type and the width of the rows.
    """

    def __init__(self, length: int, like: NDArray[Scalar]) -> None:
        self._length = length
        self._rows = like[:0]

    def join(self, rows: NDArray[Scalar]) -> tuple[NDArray[Scalar], int]:
        """``rows`` with the remembered ones before them, and how many those are; remembers the last."""
        joined = np.concatenate([self._rows, rows])
        before = len(self._rows)
        self._rows = joined[max(len(joined) - self._length, 0) :].copy()
        return joined, before
