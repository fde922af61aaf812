"""What is asked of a plan for several scenarios, and what it says."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from orchestrator.modules.base import OperationInput
from orchestrator.modules.optimization.models import ChangeOf, Part, Status


class ScenarioOf(OperationInput):
    """One course that things may take, as changes of the model.

    Attributes:
        name: Its name.
        probability: Its probability; equal for all where none has one.
        changes: What is then different: prices, availability, demand, yields.
    """

    name: str = Field(min_length=1)
    probability: float | None = Field(default=None, ge=0, le=1)
    changes: tuple[ChangeOf, ...] = ()


class TwoStageOf(OperationInput):
    """Ask for one decision that serves all scenarios.

    Attributes:
        first_stage: What is decided before it is known which scenario comes, the same for all: a section
            (``crudes``), a name in it (``crudes.light``, ``units.cdu``), a part of a name
            (``units.cdu.light``), or one of these in one period (``crudes.light.january``).
        aim: ``expected`` margin; ``cvar``: (1 − risk_weight) · expected + risk_weight · CVaR; or
            ``worst_case``.
        risk_weight: λ, 0 to 1.
        level: α of CVaR, the mean margin of the worst 1 − α of the probability.
    """

    first_stage: tuple[str, ...] = Field(default=("crudes", "purchases"), min_length=1)
    aim: Literal["expected", "cvar", "worst_case"] = "expected"
    risk_weight: float = Field(default=0.5, ge=0, le=1)
    level: float = Field(default=0.9, ge=0, lt=1)


class ScenarioPlan(Part):
    """The plan by one scenario.

    Attributes:
        scenario: Its name.
        probability: Its probability.
        status: How the solver ended.
        objective: Margin of the plan made for it alone, money over all periods.
        of_base_plan: Margin that the base plan, left as it is, has in it; null where it cannot be carried
            out or either is not solved.
        crudes: What it buys.
        products: What it sells.
        of_common_plan: With ``two_stage``, the margin after the common decision with the best second
            stage.
        common_products: What that sells.
    """

    scenario: str
    probability: float
    status: Status
    objective: float | None = None
    of_base_plan: float | None = None
    crudes: dict[str, float] = Field(default_factory=dict)
    products: dict[str, float] = Field(default_factory=dict)
    of_common_plan: float | None = None
    common_products: dict[str, float] = Field(default_factory=dict)


class CommonPlan(Part):
    """One decision for all scenarios and what it is worth; money over all periods.

    Attributes:
        status: How the joint program ended.
        aim: What was aimed at.
        decision: The common decision: quantity -> amount per day, ``NAME[PERIOD]`` where there are
            periods.
        expected: Mean margin by probability.
        cvar: Mean margin of the worst 1 − ``level`` of the probability.
        level: α of that.
        worst: Margin of the worst scenario.
        value_of_stochastic_solution: Expected margin above that of the decision that is best for the mean
            of all scenarios (VSS); null where that decision cannot be carried out in all of them.
        expected_value_of_perfect_information: Expected margin that knowing the scenario would add (EVPI).
        price_of_caution: Expected margin given up for the aim, against the best expected margin.
        text: The same in words.
    """

    status: Status
    aim: Literal["expected", "cvar", "worst_case"]
    decision: dict[str, float] = Field(default_factory=dict)
    expected: float | None = None
    cvar: float | None = None
    level: float = 0.9
    worst: float | None = None
    value_of_stochastic_solution: float | None = None
    expected_value_of_perfect_information: float | None = None
    price_of_caution: float | None = None
    text: str = ""


class AlternativesOf(OperationInput):
    """Ask for other plans that are nearly as good.

    Attributes:
        count: Most of them; 0 for none, null for three where the program has up to 2,000 quantities.
        within_percent: Margin that may be given up, % of the optimum's; 0 finds other optima.
        of: What is to differ: ``crudes``, ``purchases``, ``products``, ``units``.
    """

    count: int | None = Field(default=None, ge=0, le=20)
    within_percent: float = Field(default=1.0, ge=0, le=50)
    of: tuple[Literal["crudes", "purchases", "products", "units"], ...] = Field(
        default=("crudes", "purchases", "products"), min_length=1
    )

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len(set(self.of)) < len(self.of):
            raise ValueError("of names a section twice")
        return self


class AlternativePlan(Part):
    """Another plan that is nearly as good; amounts over all periods.

    Attributes:
        objective: Its margin.
        lost: What it gives up of the optimum's.
        crudes: What it buys.
        purchases: What else it buys.
        units: Unit -> throughput.
        products: What it sells.
        text: How it differs, in words.
    """

    objective: float
    lost: float
    crudes: dict[str, float] = Field(default_factory=dict)
    purchases: dict[str, float] = Field(default_factory=dict)
    units: dict[str, float] = Field(default_factory=dict)
    products: dict[str, float] = Field(default_factory=dict)
    text: str


class Latitude(Part):
    """Least and largest amount of a quantity, over all periods, within the share of the margin."""

    what: str
    least: float
    planned: float
    largest: float
