"""Parameters and results of the optimization operations, but for the plan's own model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestrator.modules.base import DataInput, OperationInput, OperationResult, PlantTagNames

SolveStatus = Literal["optimal", "feasible", "infeasible", "unbounded", "time_limit", "error"]
Status = Literal[
    "optimal", "feasible", "infeasible", "unbounded", "time_limit", "error", "no_model"
]


class Part(BaseModel):
    """Base of the parts of a result."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null", serialize_by_alias=True)


class Move(Part):
    """A handle and where to move it, in the tag's unit."""

    model_config = ConfigDict(populate_by_name=True)

    tag: str
    from_: float = Field(alias="from", description="Present value.")
    to: float
    unit: str = ""


class Response(Part):
    """A dependent tag and what it is expected to become, in the tag's unit."""

    model_config = ConfigDict(populate_by_name=True)

    from_: float = Field(alias="from", description="Present value.")
    to: float
    unit: str = ""


class BindingLimit(Part):
    """A limit that holds the optimum back.

    Attributes:
        limit: Tag, expression, product or unit that is limited.
        kind: What sort of limit: ``tag``, ``handle``, ``move`` (rate), ``constraint``.
        side: ``max`` or ``min``.
        bound: The limit.
        unit: Its unit.
        shadow_price: Change of the objective for one more unit of the bound, USD per day.
        text: The same in words.
    """

    limit: str
    kind: Literal["tag", "handle", "move", "constraint"]
    side: Literal["min", "max"]
    bound: float
    unit: str = ""
    shadow_price: float
    text: str


class Conflict(Part):
    """A limit that cannot be kept together with the others, and the least by which it must give way.

    ``key`` is where the number stands in a refinery model, ``period`` the period of the plan; both are
    empty for set points.
    """

    limit: str
    key: str = ""
    period: str = ""
    side: Literal["min", "max"]
    bound: float
    relax_by: float
    unit: str = ""
    text: str


class SetpointsInput(DataInput):
    """Parameters of ``optimization.setpoints``."""

    restore: PlantTagNames = Field(
        default=(),
        description="Tags to bring back inside their alarm limits (less the dead band) before any "
        "money is made; tags that are outside now are restored without being named.",
    )
    equipment: tuple[str, ...] = Field(
        default=(),
        description="Failing equipment: the limits of the tags of its health are restored as well.",
    )
    current: dict[str, float] = Field(
        default_factory=dict,
        description="Present values that replace those of the data, in each tag's unit.",
    )
    hold: PlantTagNames = Field(default=(), description="Handles that stay where they are.")
    limits: dict[str, tuple[float | None, float | None]] = Field(
        default_factory=dict,
        description="Tighter limits for this run: tag -> [low, high]; never wider than the plant's.",
    )
    move_minutes: float = Field(
        default=60.0,
        gt=0,
        le=1440,
        description="Time for the moves; each handle moves at most its rate limit times this.",
    )
    average_minutes: float = Field(
        default=15.0, gt=0, description="The present value is the mean over this last time."
    )
    starts: int = Field(
        default=6, ge=1, le=50, description="Starting points where the model is nonlinear."
    )
    time_limit_seconds: float = Field(default=30.0, gt=0, description="Longest search, s.")


class SetpointsResult(OperationResult):
    """Result of ``optimization.setpoints``.

    Attributes:
        status: ``optimal`` (verified against every limit; of a nonlinear model the best of several
            local optima), ``feasible``, ``infeasible`` (limits cannot all be kept; the moves come as
            near as possible), ``no_model``, or as the solver ended.
        moves: What to move; empty where nothing is worth moving.
        worth_usd_per_day: Gain over present operation; negative where limits cost money.
        objective_usd_per_hour: Objective after the moves; its absolute level depends on the model.
        binding: Limits that hold the optimum back, dearest first.
        expected: Dependent tags after the moves.
        outside_before: Limits that present values break.
        conflicts: Limits that cannot be kept together, with the least relaxation.
        method: Solver used.
        configure: What to configure where there is no model.
    """

    status: Status
    moves: tuple[Move, ...] = ()
    worth_usd_per_day: float | None = None
    objective_usd_per_hour: float | None = None
    binding: tuple[BindingLimit, ...] = ()
    expected: dict[str, Response] = Field(default_factory=dict)
    outside_before: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    method: str = ""
    configure: str | None = None


class ChangeOf(OperationInput):
    """One supposed change.

    Attributes:
        what: For a plan a path into its model (``crudes.light.price``, ``units.cdu.capacity``,
            ``products.diesel.max``) or the name of a crude, unit or product (price, capacity, price);
            for set points a tag.
        by: Amount to add, or percent of the present value with ``unit`` percent.
        to: The new value, instead of ``by``.
        unit: ``percent`` or ``%`` for a relative change; else the value's own unit.
    """

    what: str
    by: float | None = None
    to: float | None = None
    unit: str | None = None

    @model_validator(mode="after")
    def _by_or_to(self) -> ChangeOf:
        if (self.by is None) == (self.to is None):
            raise ValueError("give either by or to")
        return self
