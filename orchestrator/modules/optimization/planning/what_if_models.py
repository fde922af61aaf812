"""What is asked of what_if and sensitivity, and what they say."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from orchestrator.modules.base import OperationInput, OperationResult
from orchestrator.modules.optimization.models import (
    ChangeOf,
    Conflict,
    Part,
    SetpointsInput,
    Status,
)
from orchestrator.modules.optimization.planning.result import NotDone, PlanLimit
from orchestrator.modules.optimization.refinery.model import RefineryModel

Report = bool | Literal["markdown"]


class WhatIfInput(SetpointsInput):
    """Parameters of ``optimization.what_if``: the plan or the set points solved again, changed."""

    of: Literal["auto", "plan", "setpoints"] = Field(
        default="auto",
        description="What to solve; auto takes set points where every change names a tag.",
    )
    changes: tuple[ChangeOf, ...] = Field(default=(), description="Supposed changes, all at once.")
    model: RefineryModel | None = Field(default=None, description="The plan's model, as for plan.")
    report: Report = Field(
        default=False, description="Also give a report of the changed plan: HTML, or Markdown."
    )


class Difference(Part):
    """A quantity before and after the supposed changes."""

    what: str
    base: float
    changed: float


class Contribution(Part):
    """What one of several changes adds to the margin, money.

    Attributes:
        what: The change.
        alone: What it adds by itself; null where the plan is then impossible.
        share: Its share of what all changes add together; the shares make up the whole.
    """

    what: str
    alone: float | None
    share: float


class AccountStep(Part):
    """An account of the margin before and after, money; the differences make up the whole."""

    account: str
    base: float
    changed: float


class SimulatedAnswer(Part):
    """What the simulated unit makes of supposed set points. SIMULATED, not measured.

    Attributes:
        minutes: How far it was simulated.
        effects: Tags with limits at the end of that time, without the change and with it.
        crossings: Limits that the change makes the unit cross, on the way or at the end.
    """

    minutes: float
    effects: tuple[Difference, ...]
    crossings: tuple[str, ...]


class WhatIfResult(OperationResult):
    """Result of ``optimization.what_if``; money over all periods of a plan, per day for set points.

    Attributes:
        status: How the changed problem ended.
        of: What was solved.
        base: Margin as it is.
        changed: Margin with all changes.
        worth: Their difference.
        contributions: What each change adds, of a plan.
        accounts: Each account of the margin before and after, of a plan.
        worth_alone: Of set points, what the changes are worth before anything else is moved.
        crossings: Of set points, tags whose limits the changes break before anything else is moved.
        effects: Of set points, what the changes do to measured quantities by themselves.
        simulated: Of set points of a simulated unit, what the simulation says.
        differences: Quantities that differ, the largest first.
        conflicts: Where the changed problem is infeasible, the limits to relax.
        configure: What to configure where there is no model.
        report: The page, where one was asked for.
    """

    status: Status
    of: Literal["plan", "setpoints"]
    base: float | None = None
    changed: float | None = None
    worth: float | None = None
    contributions: tuple[Contribution, ...] = ()
    accounts: tuple[AccountStep, ...] = ()
    worth_alone: float | None = None
    crossings: tuple[str, ...] = ()
    effects: tuple[Difference, ...] = ()
    simulated: SimulatedAnswer | None = None
    differences: tuple[Difference, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    configure: str | None = None
    report: str | None = None


class CurveOf(OperationInput):
    """Ask for the margin as a function of one number of the model.

    Attributes:
        what: The number, by path or in words as for what_if.
        low: Least value; half of the present one where left out.
        high: Largest value; one and a half of the present one where left out.
    """

    what: str
    low: float | None = None
    high: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        return self


class SensitivityInput(SetpointsInput):
    """Parameters of ``optimization.sensitivity``."""

    of: Literal["auto", "plan", "setpoints"] = Field(
        default="auto", description="What to look at; auto takes the plan where there is one."
    )
    model: RefineryModel | None = Field(default=None, description="The plan's model, as for plan.")
    curves: tuple[CurveOf, ...] = Field(
        default=(), max_length=20, description="Of a plan, the margin over numbers of the model."
    )


class WorthRange(Part):
    """Prices between which the plan stays as it is; null for no end."""

    what: str
    price: float
    low: float | None
    high: float | None


class OneMore(Part):
    """What a limit earns when it is moved, found by solving again, money over all periods.

    At a plan where several limits meet, one more and one less may not be worth the same, and the shadow
    price lies between them.

    Attributes:
        key: Where the number stands in the model.
        period: The period; empty for all.
        more: Change of the margin for one more of it; null where there is then no plan.
        less: Change of the margin for one less of it.
    """

    key: str
    period: str = ""
    more: float | None
    less: float | None


class CurvePoint(Part):
    """The margin at a value of the number; ``slope`` is that of the curve to its right."""

    value: float
    margin: float
    slope: float | None = None


class MarginCurve(Part):
    """The margin as a function of one number.

    Attributes:
        what: The number, by path.
        present: Its present value; null where it has none.
        shape: ``concave`` or ``convex`` where the points are the exact breakpoints and the curve is straight
            between them; else ``sampled``.
        low: Least value at which there is a plan, of those looked at.
        high: Largest such value.
        points: The curve.
        text: The same in words.
    """

    what: str
    present: float | None
    shape: Literal["concave", "convex", "sampled"]
    low: float
    high: float
    points: tuple[CurvePoint, ...]
    text: str


class SensitivityResult(OperationResult):
    """Result of ``optimization.sensitivity``: what each limit costs, and how far prices may move.

    Attributes:
        status: How the solver ended.
        of: What was looked at.
        objective: The margin.
        limits: Limits that hold the optimum back, by price times size of the bound.
        one_more: What the first ten limits of a plan earn when they are moved by one, by solving again.
        not_done: What is left out, and what its price lacks.
        prices: Prices between which the plan stays as it is.
        curves: The margin over the numbers that were asked for.
        conflicts: Where infeasible, the limits to relax.
        configure: What to configure where there is no model.
    """

    status: Status
    of: Literal["plan", "setpoints"]
    objective: float | None = None
    limits: tuple[PlanLimit, ...] = ()
    one_more: tuple[OneMore, ...] = ()
    not_done: tuple[NotDone, ...] = ()
    prices: tuple[WorthRange, ...] = ()
    curves: tuple[MarginCurve, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    configure: str | None = None
