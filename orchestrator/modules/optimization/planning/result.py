"""Parameters and results of plan."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from orchestrator.modules.base import DataInput, OperationResult
from orchestrator.modules.optimization.models import Conflict, Part, Status
from orchestrator.modules.optimization.planning.scenario_models import (
    AlternativePlan,
    AlternativesOf,
    CommonPlan,
    Latitude,
    ScenarioOf,
    ScenarioPlan,
    TwoStageOf,
)
from orchestrator.modules.optimization.refinery.model import RefineryModel
from orchestrator.modules.price_deck import PriceDeck


class PlanInput(DataInput):
    """Parameters of ``optimization.plan``."""

    model: RefineryModel | None = Field(
        default=None,
        description="The refinery to plan; the module's option plan_model when left out.",
    )
    time_limit_seconds: float = Field(default=60.0, gt=0, description="Longest search, s.")
    deck: PriceDeck | None = Field(
        default=None,
        description="Price scenarios, as analysis.market gives them: the plan is made by the base one, "
        "and made again by each other.",
    )
    scenarios: tuple[ScenarioOf, ...] = Field(
        default=(),
        description="Scenarios as changes of the model, instead of a deck: the plan is made by the model "
        "as it is, and made again by each.",
    )
    two_stage: TwoStageOf | None = Field(
        default=None,
        description="Also find one decision for all scenarios of the deck or of scenarios.",
    )
    alternatives: AlternativesOf = Field(
        default=AlternativesOf(), description="Other plans that are nearly as good."
    )
    compare_with: RefineryModel | None = Field(
        default=None, description="Another model: the report shows what became of its margin."
    )
    report: bool | Literal["markdown"] = Field(
        default=False, description="Also give a report with charts: HTML, or Markdown."
    )

    @model_validator(mode="after")
    def _scenarios_fit(self) -> Self:
        if self.deck is not None and self.scenarios:
            raise ValueError("give either deck or scenarios")
        if self.two_stage is not None and self.deck is None and len(self.scenarios) < 2:
            raise ValueError("two_stage needs a deck, or two scenarios at least")
        names = [scenario.name for scenario in self.scenarios]
        if len(set(names)) < len(names):
            raise ValueError(f"scenarios need different names, got {names}")
        stated = [s.probability for s in self.scenarios if s.probability is not None]
        if stated and len(stated) < len(self.scenarios):
            raise ValueError("give the probability of every scenario, or of none")
        if stated and not math.isclose(sum(stated), 1.0, abs_tol=1e-6):
            raise ValueError(f"the probabilities make {sum(stated):g}, not 1")
        return self


class PlanLimit(Part):
    """A limit of the plan and what it costs.

    Attributes:
        limit: What is limited, in words (``capacity of cdu``, ``demand of diesel``).
        path: What is limited, by its place in the model (``units.cdu``).
        key: Where the number stands in the model (``units.cdu.capacity``).
        period: The period; empty where there are none, or for all of them.
        side: ``max``, ``min`` or ``equal``.
        bound: The limit, per day.
        shadow_price: Change of the margin over all periods for one more unit of the bound.
        from_bound: Lowest value of the bound at which this price holds; null for no end.
        to_bound: Highest such value; null for no end.
        step: How much more of the bound ``text`` tells of: one, or of a quality or share about a hundredth
            to a tenth of it.
        text: The same in words.
    """

    limit: str
    path: str = ""
    key: str = ""
    period: str = ""
    side: Literal["min", "max", "equal"]
    bound: float
    shadow_price: float
    from_bound: float | None = None
    to_bound: float | None = None
    step: float = 1.0
    text: str


class NotDone(Part):
    """Something that the plan leaves out: what its price lacks to be worth doing, money per unit."""

    what: str
    period: str = ""
    lacks: float
    text: str


class Quality(Part):
    """A property of a product as it is blended.

    Attributes:
        value: The property, by its blending rule; null where nothing is made.
        min: Least value allowed.
        max: Largest value allowed.
        giveaway: How much better than the nearest limit it is, in the property's unit.
    """

    value: float | None = None
    min: float | None = None
    max: float | None = None
    giveaway: float | None = None


class PeriodPlan(Part):
    """The plan of one period; flows per day, money for the whole of the period.

    Attributes:
        name: The period; empty where the model has none.
        days: Its length.
        crudes: What to buy, per day.
        purchases: What else to buy, per day.
        units: Unit -> feed -> throughput, per day; ``mode: feed`` where the unit has modes.
        running: Unit -> whether it is on, for those that may be off.
        severity: Unit -> severity, for those that have one and run.
        products: What to sell, per day.
        blends: Product -> stream -> amount, per day.
        qualities: Product -> property -> value, limits and giveaway.
        pools: Pool -> stream -> amount, per day.
        pool_properties: Computed pool -> property -> value.
        stocks: Tank -> in store at the end of the period.
        surplus: Stream -> what is left over, per day.
        utilities: Utility -> bought, per day.
        burnt: Utility -> stream -> amount, per day.
        emissions: Emission -> amount, per day.
        stream_values: Worth of one more unit of each stream inside the refinery.
        margin: Account -> money over the period, costs negative.
    """

    name: str = ""
    days: float = 1.0
    crudes: dict[str, float] = Field(default_factory=dict)
    purchases: dict[str, float] = Field(default_factory=dict)
    units: dict[str, dict[str, float]] = Field(default_factory=dict)
    running: dict[str, bool] = Field(default_factory=dict)
    severity: dict[str, float] = Field(default_factory=dict)
    products: dict[str, float] = Field(default_factory=dict)
    blends: dict[str, dict[str, float]] = Field(default_factory=dict)
    qualities: dict[str, dict[str, Quality]] = Field(default_factory=dict)
    pools: dict[str, dict[str, float]] = Field(default_factory=dict)
    pool_properties: dict[str, dict[str, float]] = Field(default_factory=dict)
    stocks: dict[str, float] = Field(default_factory=dict)
    surplus: dict[str, float] = Field(default_factory=dict)
    utilities: dict[str, float] = Field(default_factory=dict)
    burnt: dict[str, dict[str, float]] = Field(default_factory=dict)
    emissions: dict[str, float] = Field(default_factory=dict)
    stream_values: dict[str, float] = Field(default_factory=dict)
    margin: dict[str, float] = Field(default_factory=dict)


class PlanResult(OperationResult):
    """Result of ``optimization.plan``.

    A model without periods is one day: amounts are per day in its unit, money per day. With periods the
    fields of the whole are sums over them, and ``periods`` has each one.

    Attributes:
        status: How the solver ended, or ``no_model``.
        objective: Margin, money over all periods.
        bound: Where there are decisions of yes or no, the margin that no plan can exceed.
        gap: Share by which the margin may still grow; null where there are no such decisions.
        days: Days of all periods.
        crudes: What to buy.
        purchases: What else to buy.
        units: Unit -> feed -> throughput.
        products: What to sell.
        blends: Product -> component -> amount.
        margin: Account -> money, costs negative; they add up to the margin.
        periods: The plan of each period.
        binding: Limits that hold the plan back, by price times size of the bound.
        not_done: What is left out, and by how much its price would have to change.
        stream_values: Worth of one more unit of each stream inside the refinery; empty where there are
            several periods, which have their own.
        conflicts: Where infeasible, the limits to relax, with the least relaxation.
        conflicting: Where infeasible, limits that cannot be kept together, none of which can be left out.
        unbounded: Where unbounded, the quantities that grow without end.
        configure: What to configure where there is no model.
        scenarios: The plan by each scenario.
        expected_objective: Mean of their margins by probability; null unless all are optimal.
        common: The decision for all scenarios, where ``two_stage`` asked for one.
        alternatives: Other plans that are nearly as good, those that differ most first.
        latitude: How far each quantity may go within the share of the margin that they may give up.
        compared: Account -> money in the plan of ``compare_with``.
        report: The page, where one was asked for.
    """

    status: Status
    objective: float | None = None
    bound: float | None = None
    gap: float | None = None
    days: float = 1.0
    money_unit: str = "USD"
    quantity_unit: str = "bbl"
    crudes: dict[str, float] = Field(default_factory=dict)
    purchases: dict[str, float] = Field(default_factory=dict)
    units: dict[str, dict[str, float]] = Field(default_factory=dict)
    products: dict[str, float] = Field(default_factory=dict)
    blends: dict[str, dict[str, float]] = Field(default_factory=dict)
    margin: dict[str, float] = Field(default_factory=dict)
    periods: tuple[PeriodPlan, ...] = ()
    binding: tuple[PlanLimit, ...] = ()
    not_done: tuple[NotDone, ...] = ()
    stream_values: dict[str, float] = Field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    conflicting: tuple[str, ...] = ()
    unbounded: tuple[str, ...] = ()
    configure: str | None = None
    scenarios: tuple[ScenarioPlan, ...] = ()
    expected_objective: float | None = None
    common: CommonPlan | None = None
    alternatives: tuple[AlternativePlan, ...] = ()
    latitude: tuple[Latitude, ...] = ()
    compared: dict[str, float] = Field(default_factory=dict)
    report: str | None = None
