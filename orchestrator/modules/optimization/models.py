"""Parameters and results of the optimization operations, but for the plan's own model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestrator.modules.base import DataInput, OperationInput, OperationResult, PlantTagNames
from orchestrator.plant.economic_model import EconomicModel

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
    """A dependent tag and what it is expected to become, in the tag's unit.

    Attributes:
        by_moves: What each move changes it by on its own, without signs and added up: moves against each
            other leave little change and all of the model's error. Null where it is not known.
    """

    model_config = ConfigDict(populate_by_name=True)

    from_: float = Field(alias="from", description="Present value.")
    to: float
    unit: str = ""
    by_moves: float | None = None


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


class SimulatedPlant(OperationInput):
    """A plant to run the optimizer on, in place of the real one. Everything it gives is simulated."""

    plant: EconomicModel = Field(
        description="Equations that are the truth of this plant; handles, limits and objective are "
        "those of the model."
    )
    iterations: int = Field(
        default=15, ge=1, le=200, description="Steady states of the plant, the first included."
    )
    noise_percent: float = Field(
        default=0.0, ge=0, le=50, description="Standard deviation of one reading, % of the value."
    )
    readings: int = Field(
        default=1, ge=1, le=10_000, description="Readings of which each steady value is the mean."
    )
    seed: int = Field(default=0, ge=0, description="Seed of the noise.")


class PathStep(Part):
    """A handle and its value from a minute on, counted from the first move."""

    at_minutes: float
    tag: str
    value: float
    unit: str = ""


class Modifier(Part):
    """What corrects the model in one measured quantity at the present point.

    Attributes:
        zeroth: Plant less model, in the quantity's unit.
        sd: Its standard deviation.
        first: The same for its slope along each handle.
    """

    zeroth: float
    sd: float
    first: dict[str, float]


class Estimated(Part):
    """A parameter of the model: its value now, and whether the data told it.

    Attributes:
        sd: Standard deviation after the data; null where it is held.
        held: Whether it is held at its nominal value, because the data does not tell it.
    """

    value: float
    nominal: float
    sd: float | None
    held: bool


class BackOff(Part):
    """How far a limit is kept from, and why.

    Attributes:
        limit: What is limited.
        side: Which limit.
        bound: The limit itself.
        by: Distance kept, in the tag's unit.
        sd: Measured standard deviation of the tag.
        chance: Chance that a value taken at any time is inside, the variation being normal.
    """

    limit: str
    side: Literal["min", "max"]
    bound: float
    by: float
    sd: float
    chance: float
    unit: str = ""


class Iterate(Part):
    """One steady state of a run on a plant.

    Attributes:
        number: Which steady state of the plant, from 1.
        kind: ``start``, ``step`` (for money) or ``probe`` (to learn).
        inputs: Handles.
        measured: What was measured there, with noise.
        objective: Objective from what was measured, in the model's unit.
        true_objective: Objective without noise, which the optimizer does not see; None where the plant
            does not tell it.
        excess: Where the plant tells it, how far each limit is truly broken, in its unit; negative is room.
        modifiers: What corrects the model, after this point.
    """

    number: int
    kind: Literal["start", "step", "probe", "stay"]
    inputs: dict[str, float]
    measured: dict[str, float]
    objective: float
    true_objective: float | None = None
    excess: dict[str, float] = Field(default_factory=dict)
    modifiers: dict[str, Modifier] = Field(default_factory=dict)


class SetpointsInput(DataInput):
    """Parameters of ``optimization.setpoints``."""

    economics: EconomicModel | None = Field(
        default=None,
        description="Model of the unit; that of the plant file (section economics) when left out.",
    )
    simulate: SimulatedPlant | None = Field(
        default=None,
        description="Run the optimizer step by step on this simulated plant, from current.",
    )
    adapt: bool = Field(
        default=True, description="Learn from the operating points of earlier calls."
    )
    probing: bool | None = Field(
        default=None,
        description="Allow moves that are made to learn, where that is worth it; by default only on "
        "simulated plants.",
    )
    first_step: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="First trust region, as a share of each handle's range; by default 0.25 on "
        "simulated plants and where probing is allowed, and the whole range elsewhere.",
    )
    filter_gain: float = Field(
        default=1.0, gt=0, le=1, description="Share of each step that is made (exponential filter)."
    )
    limit_chance: float = Field(
        default=0.95,
        ge=0.5,
        lt=1,
        description="Chance with which a limit is to hold at any time: limits are kept from by the "
        "measured variation of their tags.",
    )
    caution: float = Field(
        default=0.0,
        ge=0,
        le=5,
        description="Standard deviations of the model's own uncertainty that limits are kept from.",
    )
    step_minutes: float = Field(
        default=5.0,
        gt=0,
        le=240,
        description="Time between the steps of the way to new set points.",
    )
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
        kind: ``step`` for money, ``probe`` to learn of the plant, ``stay``.
        path: The way there: handle by handle, with the minute of each step.
        path_minutes: When the last step is made.
        worth_interval: 90 % interval of the worth, USD a day, from what is not known of the plant.
        chance_of_gain: Chance that the moves gain at all.
        parameters: Parameters estimated from the data.
        modifiers: What corrects the model, by measured quantity.
        back_offs: How far limits are kept from.
        points: Operating points that the model is corrected by.
        trust_region: Share of each handle's range within which the model is trusted.
        simulated: Whether the plant is simulated.
        converged: Whether neither a step nor a probing move is worth it.
        iterates: Of a run on a simulated plant, every steady state of it.
        best_iterate: Number of the best of them, limits kept.
        true_objective: True objective of the simulated plant at the proposed set points, in the
            model's unit; found for this report, and no iteration.
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
    kind: Literal["step", "probe", "stay"] = "stay"
    path: tuple[PathStep, ...] = ()
    path_minutes: float = 0.0
    worth_interval: tuple[float, float] | None = None
    chance_of_gain: float | None = None
    parameters: dict[str, Estimated] = Field(default_factory=dict)
    modifiers: dict[str, Modifier] = Field(default_factory=dict)
    back_offs: tuple[BackOff, ...] = ()
    points: int = 0
    trust_region: float | None = None
    simulated: bool = False
    converged: bool = False
    iterates: tuple[Iterate, ...] = ()
    best_iterate: int | None = None
    true_objective: float | None = None


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
