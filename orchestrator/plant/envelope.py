"""The envelope: which tags may be written at all, how far and how fast, and what a grant may narrow.

The site's settings (``plant.write``) are laid over the plant file. They may be tighter than it, never
wider: a wider one is an error of the configuration, not a matter of which goes first.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Self

from orchestrator.errors import ConfigurationError, ParameterError
from orchestrator.plant.interlocks import CompiledInterlock, compile_interlock
from orchestrator.write_settings import TagEnvelope, WriteSettings

if TYPE_CHECKING:
    from orchestrator.plant.tags import Plant, Tag

_HUGE = sys.float_info.max / 4


@dataclass(frozen=True, slots=True)
class GrantedTag:
    """How far and how fast a grant lets one tag be moved, in its unit."""

    low: float
    high: float
    max_rate: float
    max_move: float


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to move tags without an approval by name, within an envelope of its own.

    Attributes:
        id: Its own.
        granted_by: The person who gave it.
        starts: From when, included.
        ends: Until when, not included.
        tags: What it covers.
        max_moves: Writes that it allows in all.
        revoked_at: When it was taken back.
    """

    id: str
    granted_by: str
    starts: datetime
    ends: datetime
    tags: Mapping[str, GrantedTag]
    max_moves: int
    revoked_at: datetime | None = None

    def valid_at(self, at: datetime) -> bool:
        """Whether it is in force at an instant."""
        return self.starts <= at < self.ends and (self.revoked_at is None or at < self.revoked_at)


@dataclass(frozen=True)
class Envelope:
    """The write list with its limits and interlocks, proven to lie inside the plant file's.

    Attributes:
        plant: The plant.
        settings: The site's settings.
        interlocks: Compiled.
    """

    plant: Plant
    settings: WriteSettings
    interlocks: tuple[CompiledInterlock, ...]

    @classmethod
    def of(cls, settings: WriteSettings, plant: Plant) -> Self:
        """The envelope of a plant.

        Raises:
            ConfigurationError: a tag is not a handle of the plant, a limit is wider than the plant
                file's, or an interlock cannot be used; the text names all that is wrong.
        """
        faults = [fault for tag, own in settings.tags.items() for fault in _faults(tag, own, plant)]
        if faults:
            raise ConfigurationError(
                "; ".join(faults),
                where="plant.write.tags",
                why="what may be written is never more than the plant file allows",
                remedy="tighten these, or change the plant file after a review of the limits",
                context={"faults": faults},
            )
        known = frozenset(plant.tag_names)
        return cls(
            plant, settings, tuple(compile_interlock(item, known) for item in settings.interlocks)
        )

    def tag(self, name: str) -> TagEnvelope | None:
        """Limits of a tag; None where it is not on the write list."""
        return self.settings.tags.get(name)

    def by_plant_file(self, name: str) -> TagEnvelope | None:
        """Limits for advice on a tag that is not on the write list; None where it is no tag.

        Where the plant file says nothing, there is no limit.

        Raises:
            ConfigurationError: the plant file's limits leave the tag no room.
        """
        tag = self.plant.by_name.get(name)
        if tag is None:
            return None
        low, high = outer_range(tag, self.plant)
        if low >= high:
            raise ConfigurationError(
                f"the limits of {name} leave no room ({low:g} to {high:g})",
                where=self.plant.name,
                remedy="correct limits, normal range and economics.handles of the plant file",
            )
        span = tag.normal[1] - tag.normal[0] if tag.normal else 0.0
        return TagEnvelope(
            hard=(max(low, -_HUGE), min(high, _HUGE)),
            max_rate=tag.rate_limit or _HUGE,
            max_move=_HUGE,
            max_cumulative=_HUGE,
            tolerance=tag.dead_band or span / 200 or _HUGE,
        )

    def tags_read(self, name: str) -> frozenset[str]:
        """Tags besides ``name`` that must be good and fresh before it is moved."""
        own = self.settings.tags.get(name)
        read = frozenset(own.reads) if own is not None else frozenset()
        return read.union(*(item.tags for item in self.interlocks if item.guards(name)))

    def check_grant(self, grant: Grant) -> None:
        """Refuse a grant that is wider than one person may act, or that names nobody.

        Raises:
            ParameterError: what is wrong with it.
        """
        if not grant.granted_by.strip():
            raise ParameterError("a grant needs the name of who gives it", where="granted_by")
        if grant.starts >= grant.ends:
            raise ParameterError("a grant ends after it starts", where="ends")
        if grant.max_moves < 1 or not grant.tags:
            raise ParameterError("a grant names tags and at least one move", where="max_moves")
        for name, granted in grant.tags.items():
            own = self.tag(name)
            if own is None:
                raise ParameterError(
                    f"{name!r} is not on the write list",
                    where="tags",
                    remedy=f"one of: {', '.join(self.settings.tags) or '(it is empty)'}",
                )
            if own.two_person:
                raise ParameterError(
                    f"{name} needs two persons for each move, so no grant covers it", where="tags"
                )
            low, high = own.usual
            for what, value, fits in (
                ("low", granted.low, granted.low >= low),
                ("high", granted.high, granted.low < granted.high <= high),
                ("max_rate", granted.max_rate, 0 < granted.max_rate <= own.max_rate),
                ("max_move", granted.max_move, 0 < granted.max_move <= own.max_move),
            ):
                if not (math.isfinite(value) and fits):
                    raise ParameterError(
                        f"{what} = {value:g} of {name} is wider than the envelope",
                        where="tags",
                        remedy=f"range {low:g} to {high:g}, max_rate {own.max_rate:g}, "
                        f"max_move {own.max_move:g}",
                    )


def outer_range(tag: Tag, plant: Plant) -> tuple[float, float]:
    """The widest range that the plant file allows a tag, in its unit; infinite where it says nothing.

    The tightest of its limits and of its bounds as a handle; where it has no limit on a side, its
    normal range counts.
    """
    least, most = tag.settable
    lows, highs = [least], [most]
    if plant.economics is not None and tag.name in plant.economics.handles:
        low, high = plant.economics.handles[tag.name]
        lows += [] if low is None else [low]
        highs += [] if high is None else [high]
    return max(lows), min(highs)


def _faults(name: str, own: TagEnvelope, plant: Plant) -> Iterator[str]:
    tag = plant.by_name.get(name)
    if tag is None:
        yield f"{name} is no tag of the plant"
        return
    if tag.expression is not None or not tag.controllable:
        yield f"{name} is not controllable in the plant file"
    low, high = outer_range(tag, plant)
    if own.hard[0] < low:
        yield f"{name}: hard low {own.hard[0]:g} is below the plant file's {low:g} {tag.unit}".rstrip()
    if own.hard[1] > high:
        yield f"{name}: hard high {own.hard[1]:g} is above the plant file's {high:g} {tag.unit}".rstrip()
    if tag.rate_limit is not None and own.max_rate > tag.rate_limit:
        yield (
            f"{name}: max_rate {own.max_rate:g} is above the plant file's rate_limit "
            f"{tag.rate_limit:g} {tag.unit}/min"
        )
    for field in ("reads", "conflicts"):
        for other in getattr(own, field):
            if other not in plant.by_name:
                yield f"{name}: {field} names {other!r}, which is no tag of the plant"
