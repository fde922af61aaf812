"""What is kept of each write to the plant: one record from the intent to its proven end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

WriteState = Literal["intended", "done", "refused", "not_done", "unverified"]
"""``intended``: on its way, or its end was lost with the process. ``done``: read back. ``refused``:
never sent. ``not_done``: sent, and the plant holds the value from before. ``unverified``: nobody
knows; the tag is locked until a person has settled it."""
OPEN_STATES: frozenset[WriteState] = frozenset({"intended", "unverified"})
"""States in which a tag is locked for further writes."""
MOVED_STATES: frozenset[WriteState] = frozenset({"intended", "done", "unverified"})
"""States in which the tag has, or may have, been moved."""


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """One write.

    Attributes:
        id: Its own.
        permit_id: The permit that it used up; no other record has it.
        recommendation_id: What it belongs to.
        digest: SHA-256 of the content that was approved.
        step: Number of the step within the recommendation, from 0.
        tag: What was to be written.
        before: Value read from the plant immediately before, in the tag's unit; None where it could
            not be read.
        value: Value to be written, in the tag's unit.
        approvers: Who approved it.
        grant_id: The autonomous grant that it uses, where nobody approved it by name.
        state: How far it is.
        intended_at: When it was journalled, or refused.
        ended_at: When its end was known.
        read_back: Last value read from the plant.
        reasons: Stable codes of why it is refused, not done or unverified.
        text: The same in words.
        settled_by: Who settled it, where a person had to.
    """

    id: str
    permit_id: str
    recommendation_id: str
    digest: str
    step: int
    tag: str
    before: float | None
    value: float
    approvers: tuple[str, ...]
    grant_id: str | None
    state: WriteState
    intended_at: datetime
    ended_at: datetime | None = None
    read_back: float | None = None
    reasons: tuple[str, ...] = ()
    text: str = ""
    settled_by: str | None = None

    @property
    def travel(self) -> float:
        """How far the tag has, or may have, been moved, in its unit."""
        if self.state not in MOVED_STATES or self.before is None:
            return 0.0
        return abs(self.value - self.before)

    def document(self) -> dict[str, Any]:
        """The record as JSON shows it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class Travel:
    """How far a write has, or may have, moved a tag.

    Attributes:
        id: Of the write.
        tag: The tag.
        intended_at: When it was journalled.
        travel: How far, in the tag's unit.
    """

    id: str
    tag: str
    intended_at: datetime
    travel: float


@dataclass(frozen=True, slots=True)
class Stop:
    """The stop of all writing: who pressed it, when and why."""

    id: str
    by: str
    at: datetime
    why: str = ""
    released_by: str | None = None
    released_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What earlier writes mean for the next one.

    Attributes:
        travels: How far tags were moved, oldest first.
        locked: Tags with a write whose end is not known.
        stop: The stop that is on, if any.
    """

    travels: tuple[Travel, ...]
    locked: frozenset[str]
    stop: Stop | None
