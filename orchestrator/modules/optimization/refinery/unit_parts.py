"""Process units of a refinery model: feeds with yields, cuts, modes, severity, on and off, maintenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from orchestrator.modules.optimization.refinery.numbers import (
    Cost,
    Plain,
    PlainLeastZero,
    PlainPositive,
    Quality,
    Rate,
    every,
)
from orchestrator.modules.optimization.refinery.parts import ModelPart, by_name


class Load(ModelPart):
    """What running a feed, a mode or a unit takes, per unit of feed."""

    cost: Cost = Field(default=0.0, description="Money per unit of feed.")
    utilities: dict[str, Plain] = Field(
        default_factory=dict,
        description="Utility -> use per unit of feed; negative where it is made.",
    )
    emissions: dict[str, Plain] = Field(
        default_factory=dict, description="Emission -> amount per unit of feed."
    )


class Feed(Load):
    """What one feed becomes in a unit."""

    yields: dict[str, Plain] = Field(
        default_factory=dict,
        description="Stream -> amount per unit of feed; negative for what is used up beside it.",
    )
    use: PlainPositive = Field(default=1.0, description="Capacity taken by one unit of feed.")
    properties: dict[str, dict[str, Quality]] = Field(
        default_factory=dict, description="Stream that is made -> its properties."
    )
    base: dict[str, float] = Field(
        default_factory=dict, description="Properties of the feed for which the yields hold."
    )
    deltas: dict[str, dict[str, float]] = Field(
        default_factory=dict,
        description="Property of the feed -> stream -> change of its yield for one more unit.",
    )

    @model_validator(mode="after")
    def _deltas_have_a_base(self) -> Self:
        for name in self.deltas.keys() - self.base.keys():
            raise ValueError(f"deltas names {name!r}, and base has no {name!r} to start from")
        return self


class Running(Load):
    """Feeds with their yields, or with the cuts of each crude's assay.

    A mode or an end of severity without feeds runs those of its unit.
    """

    feeds: dict[str, Feed] = Field(
        default_factory=dict, description="Feed -> what it becomes; or a list of feeds."
    )
    yields: dict[str, Plain] = Field(
        default_factory=dict, description="Yields of every feed that says nothing else of a stream."
    )
    properties: dict[str, dict[str, Quality]] = Field(
        default_factory=dict, description="Stream that is made -> its properties, from every feed."
    )
    cuts: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Stream -> cuts of the assay of each feed that it gathers; a list for equal names.",
    )
    mixed: tuple[str, ...] = Field(
        default=(), description="Streams that are not kept apart where segregate is given."
    )

    @field_validator("feeds", mode="before")
    @classmethod
    def _list_of_feeds(cls, value: Any) -> Any:
        return by_name(value)

    @field_validator("cuts", mode="before")
    @classmethod
    def _list_of_cuts(cls, value: Any) -> Any:
        if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
            return {name: (name,) for name in value}
        if isinstance(value, Mapping):
            return {
                name: (item,) if isinstance(item, str) else item for name, item in value.items()
            }
        return value


class Mode(Running):
    """A way to run a unit: its own feeds and yields, cost and use of capacity."""

    use: PlainPositive = Field(default=1.0, description="Capacity taken by one unit of feed.")
    max: Rate | None = Field(default=None, description="Largest throughput in this mode, per day.")


class SeverityEnd(Running):
    """One end of a unit's severity."""

    value: float = Field(description="The severity, in the unit's own measure.")


class Severity(ModelPart):
    """A unit run anywhere between two ends; yields, cost and yield × property are linear between them.

    Streams whose properties differ between the ends are kept apart as ``stream@low`` and ``stream@high``;
    mixed again in one place they are what the severity between makes.
    """

    low: SeverityEnd
    high: SeverityEnd

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low.value >= self.high.value:
            raise ValueError(f"low ({self.low.value:g}) must be below high ({self.high.value:g})")
        return self


class Outage(ModelPart):
    """Days of a period in which a unit has only a share of its capacity."""

    days: float = Field(ge=0)
    capacity: float = Field(
        default=0.0, ge=0, le=1, description="Share of the capacity that is left."
    )


class Unit(Running):
    """A process unit: feeds with yields, or modes, or a severity between two ends."""

    capacity: Rate | None = Field(default=None, description="Largest throughput, per day.")
    minimum: Rate = Field(default=0.0, description="Least throughput (turndown), per day.")
    modes: dict[str, Mode] = Field(default_factory=dict)
    one_mode: bool = Field(default=False, description="Whether a period has one mode alone.")
    severity: Severity | None = None
    segregate: Literal["no", "crude", "mode"] = Field(
        default="no",
        description="Keep what is made apart by crude (stream@crude) or by mode (stream@mode).",
    )
    on_off: bool = Field(
        default=False, description="Whether it may be off, else between minimum and capacity."
    )
    on_before: bool = Field(default=True, description="Whether it ran before the first period.")
    fixed_cost: PlainLeastZero = Field(default=0.0, description="Money a day that it is on.")
    startup_cost: PlainLeastZero = Field(default=0.0, description="Money for each start.")
    maintenance: dict[str, Outage] = Field(
        default_factory=dict, description="Period -> days out, or days and the share that is left."
    )

    @field_validator("segregate", mode="before")
    @classmethod
    def _yes_is_by_crude(cls, value: Any) -> Any:
        return {True: "crude", False: "no"}.get(value, value) if isinstance(value, bool) else value

    @field_validator("maintenance", mode="before")
    @classmethod
    def _days_alone(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {
            name: {"days": item} if isinstance(item, int | float) else item
            for name, item in value.items()
        }

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.modes and self.severity:
            raise ValueError("has modes and severity; give one of them")
        if not (self.feeds or self.modes or self.severity):
            raise ValueError("has nothing to run; give feeds, modes or severity")
        if self.feeds and all(
            running is not self and running.feeds for running in self.ways.values()
        ):
            raise ValueError("has feeds that no mode runs, as each has its own; give one of them")
        if self.one_mode and not self.modes:
            raise ValueError("has one_mode, and no modes to choose from")
        if (self.on_off or self.one_mode) and self.capacity is None:
            word = "on_off" if self.on_off else "one_mode"
            raise ValueError(f"has {word} without capacity, which says how much it can run when on")
        if not self.on_off and any(every(self.startup_cost)):
            raise ValueError("has startup_cost without on_off: it is always on")
        return self

    @property
    def ways(self) -> dict[str, Running]:
        """The ways in which it can run: the modes, the ends of severity, or itself under no name."""
        if self.modes:
            return dict(self.modes)
        if self.severity is not None:
            return {"low": self.severity.low, "high": self.severity.high}
        return {"": self}

    def fed(self, running: Running) -> dict[str, Feed]:
        """The feeds of a way of running: its own, else those of the unit."""
        return running.feeds or self.feeds
