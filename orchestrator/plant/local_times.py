"""Local times to UTC, through the hours that clocks skip and the hours that come twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from orchestrator.plant.reading import Ambiguous, Nonexistent

# Zones change their offset on a quarter of an hour.
_QUARTER = 900_000_000
_DAY = 86_400_000_000
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  a wall clock has no zone


class LocalTimes:
    """Turns the local times of one file, taken in the order of its rows, into UTC.

    Where clocks go back an hour of local times comes twice. With ``ambiguous="order"`` the rows of
    such an hour count as the first pass until time runs backwards, or, where it never does, until a
    time comes again for the same key; from there on they count as the second. Where neither happens
    the first is assumed, and counted in :attr:`assumed`.

    Attributes:
        first, second: Rows in an hour that comes twice, by how they were read.
        skipped: Rows with a local time that does not exist.
    """

    def __init__(self, zone: str, ambiguous: Ambiguous, nonexistent: Nonexistent) -> None:
        self.zone = zone
        self._zone = ZoneInfo(zone)
        self._ambiguous = ambiguous
        self._nonexistent = nonexistent
        self._known: dict[int, tuple[int, int]] = {}
        self._run_times = np.zeros(0, dtype=np.int64)
        self._run_keys = np.zeros(0, dtype=np.int64)
        self._switched = False
        self._settled = 0
        self.first = self.second = self.skipped = 0

    @property
    def assumed(self) -> int:
        """Rows in an hour that comes twice of which nothing tells which pass is meant."""
        open_run = 0 if self._switched else len(self._run_times)
        return self._settled + open_run

    def notes(self) -> list[str]:
        """What was done with local times that come twice or not at all, in words."""
        said = []
        if self.first or self.second:
            said.append(
                f"{self.first + self.second} rows lie in an hour that comes twice in {self.zone}: "
                f"{self.first} were read as its first pass and {self.second} as its second"
            )
            if self.assumed:
                said[-1] += (
                    f"; of {self.assumed} the order of the rows does not tell, the first is assumed"
                )
        if self.skipped:
            done = "left out" if self._nonexistent == "reject" else "read an hour later"
            said.append(
                f"{self.skipped} rows have a local time that does not exist in {self.zone}, where "
                f"clocks go forward; they were {done}"
            )
        return said

    def utc(
        self, local: NDArray[np.int64], keys: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Microseconds since 1970 in UTC of the next rows, and which rows are to be kept.

        Args:
            local: Microseconds since 1970 on the local clock, shape ``(n,)``.
            keys: What may come only once at one time: the tag's code in a long file.
        """
        early, late = self._offsets(local)
        utc = local - early
        gap = early < late
        self.skipped += int(gap.sum())
        twice = early > late
        if twice.any():
            fold = self._folds(
                local, np.zeros(len(local), np.int64) if keys is None else keys, twice
            )
            utc[fold] = local[fold] - late[fold]
            self.second += int(fold.sum())
            self.first += int(twice.sum() - fold.sum())
        elif len(self._run_times):
            self._end_run()
        keep = ~gap if self._nonexistent == "reject" else np.ones(len(local), dtype=np.bool_)
        return utc, keep

    def _offsets(self, local: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Offsets from UTC before and after any change nearby, microseconds; equal where there is none."""
        quarters, where = np.unique(local // _QUARTER, return_inverse=True)
        pairs = np.array([self._offset(int(quarter)) for quarter in quarters], dtype=np.int64)
        found: NDArray[np.int64] = pairs.reshape(-1, 2)[where]
        return found[:, 0], found[:, 1]

    def _offset(self, quarter: int) -> tuple[int, int]:
        if quarter not in self._known:
            wall = _EPOCH + timedelta(microseconds=quarter * _QUARTER)
            both = [
                wall.replace(tzinfo=self._zone, fold=fold).utcoffset() or timedelta()
                for fold in (0, 1)
            ]
            micros = [offset // timedelta(microseconds=1) for offset in both]
            self._known[quarter] = (micros[0], micros[1])
        return self._known[quarter]

    def _folds(
        self, local: NDArray[np.int64], keys: NDArray[np.int64], twice: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Which of the rows whose local time comes twice are of the second pass."""
        if self._ambiguous != "order":
            return twice if self._ambiguous == "second" else np.zeros(len(local), dtype=np.bool_)
        fold = np.zeros(len(local), dtype=np.bool_)
        rows = np.flatnonzero(twice)
        far = np.abs(np.diff(local[rows])) > _DAY
        for run in np.split(rows, np.flatnonzero((np.diff(rows) > 1) | far) + 1):
            carried = len(self._run_times)
            apart = carried and abs(int(local[run[0]]) - int(self._run_times[-1])) > _DAY
            if run[0] > 0 or apart:
                self._end_run()
                carried = 0
            times = np.concatenate([self._run_times, local[run]])
            names = np.concatenate([self._run_keys, keys[run]])
            if self._switched:
                fold[run] = True
            else:
                begin = _second_pass(times, names)
                if begin is not None:
                    self._switched = True
                    fold[run[max(0, begin - carried) :]] = True
            self._run_times, self._run_keys = times, names
        if rows[-1] < len(local) - 1:
            self._end_run()
        return fold

    def _end_run(self) -> None:
        if not self._switched:
            self._settled += len(self._run_times)
        self._switched = False
        self._run_times = self._run_keys = np.zeros(0, dtype=np.int64)


def _second_pass(times: NDArray[np.int64], keys: NDArray[np.int64]) -> int | None:
    """Where the clock is seen to have gone back; None where it is not seen."""
    back = np.flatnonzero(np.diff(times) < 0)
    if len(back):
        return int(back[0]) + 1
    pairs = np.stack([times, keys], axis=1)
    _, first = np.unique(pairs, axis=0, return_index=True)
    if len(first) == len(times):
        return None
    again = np.ones(len(times), dtype=np.bool_)
    again[first] = False
    return int(np.argmax(again))
