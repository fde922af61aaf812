"""Tags that stand still or send nothing, as alerts: one for each, or one for all where many do together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.monitoring.delays import BoolArray, Delay, IntArray
from orchestrator.monitoring.life_cycle import Change
from orchestrator.monitoring.samples import moment
from orchestrator.plant.tags import Tag

GROUP_LEAST = 5
GROUP_SHARE = 0.2
"""More tags than both at once have one cause: the source, not the instruments."""


@dataclass(frozen=True, slots=True)
class Wording:
    """How one kind of standstill is called.

    Attributes:
        key: Begins the keys of its alerts.
        one: Said of one tag.
        many: Said of many tags together, after their number.
        off_delay: Rows of normal behaviour that end it.
    """

    key: str
    one: str
    many: str
    off_delay: int


FROZEN = Wording(
    key="frozen",
    one="repeats one value for longer than it ever did",
    many="tags repeat their values: look at the source",
    off_delay=1,
)
LOST = Wording(
    key="lost",
    one="sends no usable value any more: look at its transmitter and its line",
    many="tags send no usable value any more: look at the source",
    off_delay=3,
)


class StandstillWatch:
    """Alerts of kind ``frozen``, of which a lost signal is the extreme: it shows what was, not what is.

    Args:
        tags: The tags, in column order.
        wording: Which standstill is watched.
    """

    def __init__(self, tags: Sequence[Tag], wording: Wording) -> None:
        self._tags = tags
        self._wording = wording
        # Channels: each tag, then the source as a whole. What is told has lasted long already.
        self._delay = Delay(len(tags) + 1, 1, wording.off_delay)

    def step(
        self, times: IntArray, standing: BoolArray, since: IntArray
    ) -> list[tuple[int, Change]]:
        """Take in rows.

        Args:
            times: µs since the epoch, shape ``(n_rows,)``.
            standing: Which tags stand still, shape ``(n_rows, n_tags)``.
            since: Since when, µs since the epoch, of the same shape.

        Returns:
            (row, change), in order of rows.
        """
        count = len(self._tags)
        if not standing.any() and not self._delay.state.any():
            return []
        together = standing.sum(axis=1) > max(GROUP_LEAST, GROUP_SHARE * count)
        over = np.concatenate([standing & ~together[:, None], together[:, None]], axis=1)
        switches = self._delay.step(over)
        return [
            (row, self._change(row, channel, bool(on), int(times[row]), standing, since))
            for row, channel, on in zip(
                switches.rows.tolist(), switches.channels.tolist(), switches.on, strict=True
            )
        ]

    def _change(
        self, row: int, channel: int, on: bool, at: int, standing: BoolArray, since: IntArray
    ) -> Change:
        whole = channel == len(self._tags)
        members = np.flatnonzero(standing[row]).tolist() if whole else [channel]
        names = tuple(self._tags[j].name for j in members)
        key, one, many = self._wording.key, self._wording.one, self._wording.many
        return Change(
            at=moment(at),
            since=moment(int(since[row, members].max()) if on else at),
            key=f"{key}:source" if whole else f"{key}:{names[0]}",
            kind="frozen",
            active=on,
            severity="high" if whole else "medium",
            tags=names,
            message=f"{len(names)} {many}" if whole else f"{names[0]} {one}",
        )
