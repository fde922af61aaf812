"""A scenario of the simulated unit: how long, which crude, and what goes wrong when.

Scenarios are YAML files; those shipped lie in ``plant/twin/scenarios`` and explain every key.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from orchestrator.errors import ConfigurationError
from orchestrator.field_errors import field_errors, json_text
from orchestrator.plant.twin import SCENARIOS
from orchestrator.plant.twin.catalogue import CRUDE_NAMES, KINDS, UNIT, FaultKind
from orchestrator.yaml_files import read_yaml

CrudeName = Literal["condensate", "light", "medium", "sour", "heavy", "bitumen"]


class Part(BaseModel):
    """Base of a scenario's parts: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Fault(Part):
    """Something that goes wrong, or is done to the unit.

    Attributes:
        name: Shown in reports.
        kind: What happens; ``catalogue.KINDS`` and ``docs/twin.md`` list them.
        target: A tag, an area, a piece of equipment, a crude or ``unit``, as the kind asks.
        magnitude: Size at full strength, in what the kind says.
        onset_minutes: Start, min after the paced part begins.
        shape: ``step`` is at full strength at once, ``ramp`` reaches it evenly over
            ``rise_minutes``, ``exponential`` reaches 95 % of it in that time.
        rise_minutes: Time to full strength, min.
        duration_minutes: How long it lasts, min; null is for ever.
        repeat_minutes: Time between two starts, min; null is once.
    """

    name: str = Field(min_length=1)
    kind: FaultKind
    target: str = UNIT
    magnitude: float = 1.0
    onset_minutes: float = Field(ge=0)
    shape: Literal["step", "ramp", "exponential"] = "step"
    rise_minutes: float = Field(default=30.0, gt=0)
    duration_minutes: float | None = Field(default=None, gt=0)
    repeat_minutes: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        known = KINDS[self.kind]
        if known.targets and self.target not in known.targets:
            raise ValueError(
                f"target {self.target!r} does not fit {self.kind}; one of {', '.join(known.targets)}"
            )
        if not known.least <= self.magnitude <= known.most:
            raise ValueError(
                f"magnitude of {self.kind} is {known.meaning}, from {known.least:g} to "
                f"{known.most:g}; got {self.magnitude:g}"
            )
        if self.repeat_minutes is not None and (
            self.duration_minutes is None or self.duration_minutes >= self.repeat_minutes
        ):
            raise ValueError("a repeated fault needs duration_minutes below repeat_minutes")
        return self


class Move(Part):
    """A planned move of a set point.

    Attributes:
        tag: The set point.
        to: Its new value, within the tag's normal range.
        at_minutes: When, min after the paced part begins; it then moves at the tag's rate limit.
    """

    tag: str
    to: float
    at_minutes: float = Field(ge=0)


class Scenario(Part):
    """One run of the simulated unit.

    Attributes:
        name: Shown to people.
        description: What it shows.
        start: When the paced part begins; the warm-up lies before it.
        hours: How long ``dan-g twin run`` runs the paced part, h; a source never ends.
        period_seconds: Sampling period, s.
        warm_up_hours: Normal operation handed out as history before the paced part, h.
        price_history_days: Days of one price a day before the warm-up, for market baselines; with
            any, weekly stock reports of the last three years come before it too.
        crude: Crude at the start: a name, or shares by name that add up to 1.
        noise: Scale of measurement noise; 0 is none, 1 as in an ordinary plant.
        disturbance: Scale of weather, crude and market variation; 0 is none.
        fouling_per_day: Fouling resistance that every exchanger gains a day, over its clean resistance.
        set_points: Set points at the start that differ from design.
        moves: Planned moves of set points.
        faults: What goes wrong.
    """

    name: str = Field(min_length=1)
    description: str = ""
    start: AwareDatetime = datetime(2026, 3, 3, tzinfo=UTC)
    hours: float = Field(default=24.0, gt=0)
    period_seconds: int = Field(default=60, ge=1, le=3600)
    warm_up_hours: float = Field(default=192.0, ge=0, le=24 * 60)
    price_history_days: int = Field(default=90, ge=0, le=2000)
    crude: CrudeName | dict[CrudeName, float] = "medium"
    noise: float = Field(default=1.0, ge=0, le=10)
    disturbance: float = Field(default=1.0, ge=0, le=10)
    fouling_per_day: float = Field(default=0.0, ge=0, le=1)
    set_points: dict[str, float] = Field(default_factory=dict)
    moves: tuple[Move, ...] = ()
    faults: tuple[Fault, ...] = ()

    @field_validator("start")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        return value.astimezone(UTC)

    @field_validator("crude")
    @classmethod
    def _whole(cls, value: str | dict[str, float]) -> str | dict[str, float]:
        if isinstance(value, dict) and (
            min(value.values(), default=-1.0) < 0 or abs(sum(value.values()) - 1.0) > 1e-6
        ):
            raise ValueError("shares of crudes must be 0 or more and add up to 1")
        return value

    @property
    def shares(self) -> dict[str, float]:
        """Share of every crude at the start."""
        if isinstance(self.crude, str):
            return {name: float(name == self.crude) for name in CRUDE_NAMES}
        given: dict[str, float] = {str(name): share for name, share in self.crude.items()}
        return {name: given.get(name, 0.0) for name in CRUDE_NAMES}

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [fault.name for fault in self.faults]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two faults are called {twice[0]!r}")
        return self


def load_scenario(path: Path | None = None) -> Scenario:
    """Read a scenario: a file, the name of a shipped one (``demo``), or the demo.

    Raises:
        ConfigurationError: the file cannot be read or a key in it is wrong; the text names file,
            key and what is accepted.
    """
    file = _find(path)
    try:
        document = read_yaml(file)
    except ConfigurationError as said:
        shipped_ones = f"{said.remedy}; shipped scenarios: {', '.join(shipped())}"
        raise ConfigurationError(said.what, where=said.where, remedy=shipped_ones) from said
    if not isinstance(document, dict):
        raise ConfigurationError(
            f"a scenario has named fields, got {json_text(document)}",
            where=str(file),
            remedy=f"compare with {SCENARIOS / 'demo.yaml'}",
        )
    try:
        return Scenario.model_validate(document)
    except ValidationError as error:
        raise ConfigurationError(
            "; ".join(map(_described, found := field_errors(error.errors(), document))),
            where=str(file),
            remedy=f"compare with {SCENARIOS / 'demo.yaml'}",
            context={"errors": found},
        ) from error


def shipped() -> list[str]:
    """Names of the scenarios that come with the package."""
    return sorted(file.stem for file in SCENARIOS.glob("*.yaml"))


def _find(path: Path | None) -> Path:
    if path is None:
        return SCENARIOS / "demo.yaml"
    named = SCENARIOS / f"{path}.yaml"
    return named if not path.exists() and path.name == str(path) and named.exists() else path


def _described(item: Mapping[str, str]) -> str:
    key = item["field"]
    if item["type"] == "extra_forbidden":
        parts: dict[str, type[Part]] = {"faults": Fault, "moves": Move}
        model = parts.get(key.partition(".")[0], Scenario)
        return f"unknown key {key!r}; accepted: {', '.join(model.model_fields)}"
    return f"{key}: {item['message']}"
