"""Parameters and results of plan, what_if and sensitivity."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from orchestrator.modules.base import DataInput, OperationResult
from orchestrator.modules.optimization.models import (
    ChangeOf,
    Conflict,
    Part,
    SetpointsInput,
    Status,
)
from orchestrator.modules.optimization.plan_input import PlanModel
from orchestrator.modules.price_deck import PriceDeck


class PlanInput(DataInput):
    """Parameters of ``optimization.plan``."""

    model: PlanModel | None = Field(
        default=None,
        description="The refinery to plan; the module's option plan_model when left out.",
    )
    time_limit_seconds: float = Field(default=60.0, gt=0, description="Longest search, s.")
    deck: PriceDeck | None = Field(
        default=None,
        description="Price scenarios, as analysis.market gives them: the plan is made by the base one, "
        "and made again by each other.",
    )


class PlanLimit(Part):
    """A limit of the plan and what it costs.

    Attributes:
        limit: What is limited, in words (``capacity of cdu``, ``demand of diesel``).
        path: Where it stands in the model; empty for the balance of a stream.
        side: ``max``, ``min`` or ``equal``.
        bound: The limit, per day.
        shadow_price: Change of the margin for one more unit of the bound, money per unit.
        from_bound: Lowest value of the bound at which this price holds; null for no end.
        to_bound: Highest such value; null for no end.
        text: The same in words.
    """

    limit: str
    path: str = ""
    side: Literal["min", "max", "equal"]
    bound: float
    shadow_price: float
    from_bound: float | None = None
    to_bound: float | None = None
    text: str


class NotDone(Part):
    """Something that the plan leaves out: what its price lacks to be worth doing, money per unit."""

    what: str
    lacks: float
    text: str


class ScenarioPlan(Part):
    """The plan by one price scenario.

    Attributes:
        scenario: Its name in the deck.
        probability: Its probability.
        status: How the solver ended.
        objective: Margin of the plan made by these prices, money per day.
        of_base_plan: Margin that the base plan, left as it is, has at these prices; null where either
            is not optimal.
        crudes: What it buys.
        products: What it sells.
    """

    scenario: str
    probability: float
    status: Status
    objective: float | None = None
    of_base_plan: float | None = None
    crudes: dict[str, float] = Field(default_factory=dict)
    products: dict[str, float] = Field(default_factory=dict)


class PlanResult(OperationResult):
    """Result of ``optimization.plan``; amounts per day in the model's unit.

    Attributes:
        status: How the solver ended, or ``no_model``.
        objective: Margin, money per day.
        crudes: What to buy.
        units: Unit -> feed -> throughput.
        products: What to sell.
        blends: Product -> component -> amount.
        binding: Limits that hold the plan back, dearest first.
        not_done: What is left out, and by how much its price would have to change.
        stream_values: Worth of one more unit of each stream inside the refinery.
        conflicts: Where infeasible, the limits to relax, with the least relaxation.
        unbounded: Where unbounded, the quantities that grow without end.
        configure: What to configure where there is no model.
        scenarios: The plan by each scenario of the deck.
        expected_objective: Mean of their margins by probability; null unless all are optimal.
    """

    status: Status
    objective: float | None = None
    money_unit: str = "USD"
    quantity_unit: str = "bbl"
    crudes: dict[str, float] = Field(default_factory=dict)
    units: dict[str, dict[str, float]] = Field(default_factory=dict)
    products: dict[str, float] = Field(default_factory=dict)
    blends: dict[str, dict[str, float]] = Field(default_factory=dict)
    binding: tuple[PlanLimit, ...] = ()
    not_done: tuple[NotDone, ...] = ()
    stream_values: dict[str, float] = Field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    unbounded: tuple[str, ...] = ()
    configure: str | None = None
    scenarios: tuple[ScenarioPlan, ...] = ()
    expected_objective: float | None = None


class WhatIfInput(SetpointsInput):
    """Parameters of ``optimization.what_if``: the plan or the set points solved again, changed."""

    of: Literal["auto", "plan", "setpoints"] = Field(
        default="auto",
        description="What to solve; auto takes set points where every change names a tag.",
    )
    changes: tuple[ChangeOf, ...] = Field(default=(), description="Supposed changes, all at once.")
    model: PlanModel | None = Field(default=None, description="The plan's model, as for plan.")


class Difference(Part):
    """A quantity before and after the supposed changes."""

    what: str
    base: float
    changed: float


class WhatIfResult(OperationResult):
    """Result of ``optimization.what_if``; ``worth`` is the gain of the changes, money per day."""

    status: Status
    of: Literal["plan", "setpoints"]
    base: float | None = None
    changed: float | None = None
    worth: float | None = None
    differences: tuple[Difference, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    configure: str | None = None


class SensitivityInput(SetpointsInput):
    """Parameters of ``optimization.sensitivity``."""

    of: Literal["auto", "plan", "setpoints"] = Field(
        default="auto", description="What to look at; auto takes the plan where there is one."
    )
    model: PlanModel | None = Field(default=None, description="The plan's model, as for plan.")


class WorthRange(Part):
    """Prices between which the plan stays as it is; null for no end."""

    what: str
    price: float
    low: float | None
    high: float | None


class SensitivityResult(OperationResult):
    """Result of ``optimization.sensitivity``: what each limit costs, and how far prices may move."""

    status: Status
    of: Literal["plan", "setpoints"]
    objective: float | None = None
    limits: tuple[PlanLimit, ...] = ()
    not_done: tuple[NotDone, ...] = ()
    prices: tuple[WorthRange, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    configure: str | None = None
