"""What may be written to the plant, as a site configures it. Nothing is, until a tag is named here."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from orchestrator.sections import Section

Range = tuple[float, float]


_FINITE = ConfigDict(allow_inf_nan=False)
"""An infinite limit or age would be a rule that never holds anything back."""


class TagEnvelope(Section):
    """How far and how fast one tag may be moved, in the tag's unit.

    It may be tighter than the plant file (``limits``, ``normal``, ``rate_limit``,
    ``economics.handles``) and never wider: :class:`orchestrator.plant.envelope.Envelope` refuses that.
    """

    model_config = _FINITE

    hard: Range
    """Lowest and highest value that may ever be written."""
    soft: Range | None = None
    """Values beyond it, inside ``hard``, need a second person; null: as ``hard``."""
    max_rate: float = Field(gt=0)
    """Most that the tag is moved in any minute, both ways added, unit per minute."""
    max_move: float = Field(gt=0)
    """Largest move of the tag by one recommendation, unit."""
    max_cumulative: float = Field(gt=0)
    """Most that the tag is moved within ``cumulative_minutes``, both ways added, by whomever, unit."""
    cumulative_minutes: float = Field(default=480.0, gt=0)
    """Length of the window of ``max_cumulative``, min."""
    min_interval: float = Field(default=0.0, ge=0)
    """Least time between two writes, s."""
    two_person: bool = False
    """Whether each move of it needs two persons."""
    tolerance: float = Field(gt=0)
    """How near to the value written the value read back must be, unit."""
    readback_timeout: float = Field(default=30.0, gt=0)
    """How long the new value is waited for after a write, s. A write without an answer whose value is not
    there by then is left to a person to verify."""
    reads: tuple[str, ...] = ()
    """Tags that must be fresh and good besides the tag itself before it is moved."""
    conflicts: tuple[str, ...] = ()
    """Tags whose active alert holds each move of it."""

    @field_validator("hard", "soft")
    @classmethod
    def _range(cls, value: Range | None) -> Range | None:
        if value is not None and not value[0] < value[1]:
            raise ValueError(f"expected [low, high] with low < high, got {list(value)}")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        low, high = self.hard
        if self.soft is not None and not (low <= self.soft[0] and self.soft[1] <= high):
            raise ValueError(
                f"soft {list(self.soft)} must lie inside hard {list(self.hard)}: values outside it are "
                "never written"
            )
        return self

    @property
    def usual(self) -> Range:
        """The range that one person may use."""
        return self.soft or self.hard


class Interlock(Section):
    """A condition that must hold for a write, over tag values: ``TI131 < 540``.

    It is written in the Common Expression Language; a tag that is no identifier stands in backticks.
    A tag without a good and fresh value makes it not hold.
    """

    name: str = Field(min_length=1)
    when: str
    """The condition."""
    tags: tuple[str, ...] = ()
    """Writable tags that it guards; empty: all."""
    says: str = ""
    """Why, in words."""


class WriteSettings(Section):
    """The write list, its envelope, and what must be so before anything is written."""

    model_config = _FINITE

    tags: dict[str, TagEnvelope] = Field(default_factory=dict)
    """The write list: tag -> how far and how fast."""
    interlocks: tuple[Interlock, ...] = ()
    modes_under_way: tuple[Literal["steady", "transient"], ...] = ("steady",)
    """Plant modes in which the later steps of a recommendation go on; the first one needs ``steady``."""
    min_data_quality: float = Field(default=0.85, ge=0, le=1)
    """Least data-quality score."""
    max_age: float = Field(default=300.0, gt=0)
    """Greatest age of what is known of the plant, s."""
    clock_tolerance: float = Field(default=10.0, gt=0)
    """Most by which our clock and the plant's may differ, s."""
    call_timeout: float = Field(default=10.0, gt=0)
    """Longest wait for the answer to one read or write, s."""
    permit_seconds: float = Field(default=120.0, gt=0)
    """How long a permit for one step is valid, s."""
    area_severity: Literal["low", "medium", "high", "critical", "never"] = "high"
    """Alerts from this severity on hold moves in their whole area, except moves that relieve them."""
    without_rehearsal: Literal["refuse", "warn"] = "refuse"
    """What becomes of a proposal whose moves cannot be simulated beforehand."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        seen: set[str] = set()
        for interlock in self.interlocks:
            if interlock.name in seen:
                raise ValueError(f"interlock {interlock.name!r} is defined twice")
            seen.add(interlock.name)
            stray = [tag for tag in interlock.tags if tag not in self.tags]
            if stray:
                raise ValueError(
                    f"interlock {interlock.name!r} guards {stray[0]!r}, which is not on the write list"
                )
        return self
