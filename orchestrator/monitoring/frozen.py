"""Frozen tags as alerts: one for each tag, or one for all when many stand still together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrator.monitoring.delays import BoolArray, Delay
from orchestrator.monitoring.life_cycle import Change
from orchestrator.monitoring.samples import Rows, moment
from orchestrator.plant.tags import Tag

GROUP_LEAST = 5
GROUP_SHARE = 0.2
"""More tags than both frozen at once have one cause: the source, not the instruments."""


class FrozenWatch:
    """Alerts of kind ``frozen``.

    Args:
        tags: The tags, in column order.
    """

    def __init__(self, tags: Sequence[Tag]) -> None:
        self._tags = tags
        # Channels: each tag, then the source as a whole. The long run is the delay.
        self._delay = Delay(len(tags) + 1, 1, 1)

    def step(self, rows: Rows, frozen: BoolArray) -> list[tuple[int, Change]]:
        """Take in which tags are frozen, shape ``(n_rows, n_tags)``; returns (row, change)."""
        count = len(self._tags)
        if not frozen.any() and not self._delay.state.any():
            return []
        together = frozen.sum(axis=1) > max(GROUP_LEAST, GROUP_SHARE * count)
        over = np.concatenate([frozen & ~together[:, None], together[:, None]], axis=1)
        switches = self._delay.step(over)
        changes = []
        for row, channel, on in zip(
            switches.rows.tolist(), switches.channels.tolist(), switches.on, strict=True
        ):
            members = np.flatnonzero(frozen[row]).tolist() if channel == count else [channel]
            at = rows.times[row]
            since = rows.run_start[row, members].max() if on else at
            names = tuple(self._tags[j].name for j in members)
            changes.append(
                (
                    row,
                    Change(
                        at=moment(at),
                        since=moment(since),
                        key="frozen:source" if channel == count else f"frozen:{names[0]}",
                        kind="frozen",
                        active=bool(on),
                        severity="high" if channel == count else "medium",
                        tags=names,
                        message=(
                            f"{len(names)} tags repeat their values: look at the source"
                            if channel == count
                            else f"{names[0]} repeats one value for longer than it ever did"
                        ),
                    ),
                )
            )
        return changes
