"""A scenario of the simulated unit: how long, which crude, and what goes wrong when.

Scenarios are YAML files; those shipped lie in ``plant/twin/scenarios`` and explain every key.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from orchestrator.config import unreadable
from orchestrator.errors import ConfigurationError
from orchestrator.field_errors import field_errors, json_text
from orchestrator.plant.twin import SCENARIOS

FaultKind = Literal[
    "meter_bias",
    "frozen_signal",
    "missing_signal",
    "exchanger_fouling",
    "pump_trip",
    "crude_switch",
    "price_shock",
    "burner_fault",
]
CrudeName = Literal["light", "medium", "heavy"]
_TARGETS: dict[str, tuple[str, ...]] = {
    "exchanger_fouling": ("E-101",),
    "pump_trip": ("P-101", "P-102"),
    "crude_switch": ("light", "medium", "heavy"),
    "burner_fault": ("H-101",),
}
_SHARES = frozenset({"exchanger_fouling", "pump_trip", "crude_switch"})


class Part(BaseModel):
    """Base of a scenario's parts: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Fault(Part):
    """Something that goes wrong.

    Attributes:
        name: Shown in reports.
        kind: What happens. ``meter_bias`` adds ``magnitude`` (unit of the tag) to a signal;
            ``frozen_signal`` repeats its last value; ``missing_signal`` takes it away;
            ``exchanger_fouling`` takes the share ``magnitude`` of E-101's heat transfer;
            ``pump_trip`` takes the share ``magnitude`` of the charge (P-101) or pumparound (P-102)
            flow; ``crude_switch`` replaces the share ``magnitude`` of the crude; ``price_shock``
            adds ``magnitude`` USD/bbl to a price; ``burner_fault`` adds ``magnitude`` % oxygen to
            the flue gas.
        target: A tag, a piece of equipment or a crude, as the kind asks.
        magnitude: Size at full strength.
        onset_minutes: Start, min after the paced part begins.
        shape: ``step`` is at full strength at once, ``ramp`` reaches it evenly over
            ``rise_minutes``, ``exponential`` reaches 95 % of it in that time.
        rise_minutes: Time to full strength, min.
        duration_minutes: How long it lasts, min; null is for ever.
        repeat_minutes: Time between two starts, min; null is once.
    """

    name: str = Field(min_length=1)
    kind: FaultKind
    target: str
    magnitude: float = 1.0
    onset_minutes: float = Field(ge=0)
    shape: Literal["step", "ramp", "exponential"] = "step"
    rise_minutes: float = Field(default=30.0, gt=0)
    duration_minutes: float | None = Field(default=None, gt=0)
    repeat_minutes: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        accepted = _TARGETS.get(self.kind)
        if accepted and self.target not in accepted:
            raise ValueError(
                f"target {self.target!r} does not fit {self.kind}; one of {', '.join(accepted)}"
            )
        if self.kind == "price_shock" and not self.target.startswith("PR_"):
            raise ValueError(f"target {self.target!r} of price_shock must be a price tag (PR_…)")
        if self.kind in _SHARES and not 0 < self.magnitude <= 1:
            raise ValueError(
                f"magnitude of {self.kind} is a share over 0 and up to 1, got {self.magnitude}"
            )
        if self.repeat_minutes is not None and (
            self.duration_minutes is None or self.duration_minutes >= self.repeat_minutes
        ):
            raise ValueError("a repeated fault needs duration_minutes below repeat_minutes")
        return self


class Scenario(Part):
    """One run of the simulated unit.

    Attributes:
        name: Shown to people.
        description: What it shows.
        start: When the paced part begins; the warm-up lies before it.
        period_seconds: Sampling period, s.
        warm_up_hours: Normal operation handed out as history before the paced part, h.
        price_history_days: Days of one price a day before the warm-up, for market baselines.
        crude: Crude at the start.
        noise: Scale of measurement noise; 0 is none, 1 as in an ordinary plant.
        disturbance: Scale of weather, crude and market variation; 0 is none.
        set_points: Set points at the start that differ from design.
        faults: What goes wrong.
    """

    name: str = Field(min_length=1)
    description: str = ""
    start: AwareDatetime = datetime(2026, 3, 3, tzinfo=UTC)
    period_seconds: int = Field(default=60, ge=1, le=3600)
    warm_up_hours: float = Field(default=192.0, ge=0, le=24 * 60)
    price_history_days: int = Field(default=90, ge=0, le=2000)
    crude: CrudeName = "medium"
    noise: float = Field(default=1.0, ge=0, le=10)
    disturbance: float = Field(default=1.0, ge=0, le=10)
    set_points: dict[str, float] = Field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    @field_validator("start")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        return value.astimezone(UTC)

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
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        said = unreadable(error, file)
        shipped_ones = f"{said.remedy}; shipped scenarios: {', '.join(shipped())}"
        raise ConfigurationError(said.what, where=said.where, remedy=shipped_ones) from error
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
        model = Fault if key.startswith("faults.") else Scenario
        return f"unknown key {key!r}; accepted: {', '.join(model.model_fields)}"
    return f"{key}: {item['message']}"
