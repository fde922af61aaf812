"""The steady-state model of the running unit, as expressions of a plant file or of a request.

handles: {FB: [3, 6], TR: [70, 100]}
parameters: {FA: 1.8275, k0: {value: 1.66e6, low: 1e6, high: 3e6, sd: 2e5}}
definitions: {F: FA + FB, r: k0 * exp(-6667 / (TR + 273.15)) * XA * XB}
unknowns: {XA: {start: 0.1, low: 0, high: 1}, XB: {start: 0.4, low: 0, high: 1}}
equations: ["FA - F * XA - r = 0", "FB - F * XB - r = 0"]
measured: {XA: 0.001, XB: 0.004}
objective: 100 * F * (1 - XA - XB) - 12 * FB
constraints: ["XA <= 0.12"]
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from orchestrator.plant.part import PlantPart

Bounds = tuple[float | None, float | None]
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_INEQUALITY = re.compile(rf"^(?P<left>.+?)\s*(?P<sign><=|>=)\s*(?P<bound>{_NUMBER})\s*$")


class Unknown(PlantPart):
    """A quantity that the equations determine: where to start, and between which bounds it lies."""

    start: float
    low: float | None = None
    high: float | None = None

    @model_validator(mode="after")
    def _inside(self) -> Self:
        low = -float("inf") if self.low is None else self.low
        high = float("inf") if self.high is None else self.high
        if not low <= self.start <= high or low == high:
            raise ValueError(
                f"start {self.start:g} must lie between low and high, which must differ"
            )
        return self


class ModelParameter(PlantPart):
    """A number of the model.

    Attributes:
        value: Its nominal value.
        low: Least value that makes sense.
        high: Greatest value that makes sense.
        sd: Standard deviation of what is known of it; given, it is estimated from plant data.
    """

    value: float
    low: float | None = None
    high: float | None = None
    sd: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if (self.low is not None and self.value < self.low) or (
            self.high is not None and self.value > self.high
        ):
            raise ValueError(f"value {self.value:g} must lie between low and high")
        return self


def _parameter(value: Any) -> Any:
    return {"value": value} if isinstance(value, int | float) else value


class EconomicModel(PlantPart):
    """Steady-state model of the running unit for the optimizer.

    Attributes:
        handles: Tags that may be moved, each with optional bounds beside its limits.
        definitions: Intermediate results: name -> expression over everything else.
        unknowns: What the equations determine.
        equations: As many as unknowns, each ``left = right``.
        parameters: Numbers of the model: plain, or with what is known of them.
        responses: Dependent tag -> expression over handles, disturbances, unknowns and definitions.
            Deviations from the present value, so that the model need not be unbiased.
        measured: Unknowns, definitions and responses that are measured, with the standard deviation of
            one steady value, in its unit (null where that is not known). Responses that are tags need
            not be listed.
        objective: Expression to maximise over all of these.
        objective_per: Time to which the objective's money belongs.
        constraints: Expressions that must stay within bounds: expression -> [low, high], or a list of
            texts such as ``XA <= 0.12``.
        rates: Largest move of a handle per minute, where its tag does not say.
        units: Units of handles and responses that are no tags.
    """

    handles: dict[str, Bounds] = Field(min_length=1)
    definitions: dict[str, str] = Field(default_factory=dict)
    unknowns: dict[str, Unknown] = Field(default_factory=dict)
    equations: tuple[str, ...] = ()
    parameters: dict[str, Annotated[ModelParameter, BeforeValidator(_parameter)]] = Field(
        default_factory=dict
    )
    responses: dict[str, str] = Field(default_factory=dict)
    measured: dict[str, Annotated[float, Field(gt=0)] | None] = Field(default_factory=dict)
    objective: str
    objective_per: Literal["second", "hour", "day"] = "hour"
    constraints: dict[str, Bounds] = Field(default_factory=dict)
    rates: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    units: dict[str, str] = Field(default_factory=dict)

    @field_validator("constraints", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        found: dict[str, list[float | None]] = {}
        for text in value:
            match = _INEQUALITY.match(text) if isinstance(text, str) else None
            if match is None:
                raise ValueError(f"{text!r} is no constraint; write expression <= number, or >=")
            side = 1 if match["sign"] == "<=" else 0
            found.setdefault(match["left"].strip(), [None, None])[side] = float(match["bound"])
        return found

    @field_validator("equations")
    @classmethod
    def _sides(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if len(re.split(r"(?<![<>=!])=(?!=)", text)) != 2:
                raise ValueError(f"{text!r} is no equation; write left = right")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.equations) != len(self.unknowns):
            raise ValueError(
                f"{len(self.equations)} equations cannot determine {len(self.unknowns)} unknowns; "
                "give as many equations as unknowns"
            )
        kinds = ("handles", "definitions", "unknowns", "parameters", "responses")
        seen: dict[str, str] = {}
        for kind in kinds:
            for name in getattr(self, kind):
                if name in seen:
                    raise ValueError(f"{name!r} stands in both {seen[name]} and {kind}")
                seen[name] = kind
        for name in self.measured:
            if seen.get(name) not in ("definitions", "unknowns", "responses"):
                raise ValueError(f"measured {name!r} is no unknown, definition or response")
        for name in self.rates:
            if name not in self.handles:
                raise ValueError(f"rates names {name!r}, which is no handle")
        return self
