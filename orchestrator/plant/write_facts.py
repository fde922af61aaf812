"""What must be known of the plant before anything is moved. What is absent is unknown, never fine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from orchestrator.plant.samples import Quality

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from orchestrator.plant.tags import PlantMode
    from orchestrator.write_records import Stop

Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True)
class TagValue:
    """A value of a tag in its unit, its quality, and when the plant measured it."""

    value: float | None
    quality: Quality
    time: datetime


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """An alert that is active now, acknowledged or not.

    Attributes:
        tags: What it is about.
        kind: ``limit``, ``anomaly`` and so on.
        severity: Unknown counts as critical.
        side: Which way its tag is off; None where that is not known.
        id: Of the alert.
        since: When it began; None where that is not known.
        explained: What explains it, in words, where it only says that the plant is not where it was when
            its normal operation was learned; empty where nothing does.
    """

    tags: tuple[str, ...]
    kind: str
    severity: Severity | None = None
    side: Literal["high", "low"] | None = None
    id: str = ""
    since: datetime | None = None
    explained: str = ""

    @property
    def rank(self) -> int:
        """Position of the severity, low to critical."""
        return SEVERITIES.index(self.severity or "critical")


@dataclass(frozen=True, slots=True)
class PastMove:
    """A move that a tag has made: by a write of ours (``write_id``) or as seen in the data.

    ``travel`` is how far, without sign, in the tag's unit.
    """

    tag: str
    at: datetime
    travel: float
    write_id: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """The plant at one instant, as the safety agent and the writer look at it.

    Attributes:
        at: The instant, UTC.
        values: Latest value of each tag.
        plant_mode: None where it is not known.
        data_quality: Score of the data, 0 to 1; None where it is not known.
        alerts: Alerts active now; None where the monitor does not run.
        moves: Moves of the past, those of the write journal and manual ones seen in data.
        situation_digest: Digest of the situation as it is now, comparable with that of a proposal.
        stop: The stop that is on, if any.
        locked: Tags with a write whose end is not known.
        write_enabled: ``plant.write_enabled``.
    """

    at: datetime
    values: Mapping[str, TagValue] = field(default_factory=dict)
    plant_mode: PlantMode | None = None
    data_quality: float | None = None
    alerts: tuple[ActiveAlert, ...] | None = None
    moves: tuple[PastMove, ...] = ()
    situation_digest: str | None = None
    stop: Stop | None = None
    locked: frozenset[str] = frozenset()
    write_enabled: bool = False


def moves_seen(
    tag: str, times: Sequence[datetime], values: NDArray[np.float64], *, tolerance: float
) -> tuple[PastMove, ...]:
    """Moves of a set point that its recorded values show, by whomever they were made.

    A change of more than ``tolerance`` against the value after the last move counts, so that noise
    does not and a slow drift does. Moves of the write journal are among them: leave out those.

    Args:
        tag: The set point.
        times: Times of its values, ascending, ``(n,)``.
        values: Its values in its unit, NaN where there is none, ``(n,)``.
        tolerance: Greatest change that is noise, in its unit.
    """
    found: list[PastMove] = []
    held: float | None = None
    for at, value in zip(times, values.tolist(), strict=True):
        if value != value:
            continue
        if held is None:
            held = value
        elif abs(value - held) > tolerance:
            found.append(PastMove(tag, at, abs(value - held)))
            held = value
    return tuple(found)
