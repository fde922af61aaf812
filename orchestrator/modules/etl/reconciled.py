"""Results of ``etl.reconcile``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.modules.base import OperationResult

StreamClass = Literal["redundant", "weakly_redundant", "nonredundant", "observable", "unobservable"]
SdSource = Literal["given", "given_pct", "exact", "balance_residuals", "differences", "assumed_pct"]
PeriodStatus = Literal["closes", "stands_out", "not_steady", "incomplete"]


class Part(BaseModel):
    """Base of the parts of a result."""

    model_config = ConfigDict(
        frozen=True, ser_json_inf_nan="null", serialize_by_alias=True, validate_by_name=True
    )


class GlobalTest(Part):
    """Chi-square test of all balances together: is any measurement grossly wrong?"""

    statistic: float
    critical: float
    dof: int


class NodalTest(Part):
    """Imbalance of one balance with all its streams measured, over its own standard deviation."""

    id: str
    imbalance: float
    statistic: float | None


class Tests(Part):
    """The other tests for gross errors; each critical value holds for all tests of its kind together.

    Attributes:
        measurement_critical: Of ``streams[].test``, with Šidák's correction (Mah and Tamhane 1982).
        nodal_critical: Of ``nodal[].statistic`` (Mah, Stanley and Downing 1976).
        likelihood_ratio_critical: Of ``gross_errors[].statistic`` (Narasimhan and Mah 1987).
    """

    measurement_critical: float
    nodal_critical: float
    likelihood_ratio_critical: float
    nodal: tuple[NodalTest, ...] = ()


class ReconciledStream(Part):
    """One stream, variable or tag after reconciliation.

    Attributes:
        id: Stream, variable or tag.
        measured: As measured; null where unmeasured.
        reconciled: Its best estimate; null where unobservable.
        adjustment_sd: Reconciled minus measured, in standard deviations of the measurement.
        test: Measurement test: the adjustment in its own standard deviations; null where not
            redundant.
        klass: Whether others check it (``redundant``; ``weakly_redundant`` where the adjustment has
            less than half the measurement's standard deviation, so that a gross error there can
            hardly be told from noise), or, unmeasured, whether it follows from others.
        sd: Standard deviation of the measurement, and in ``sd_source`` where it comes from.
        reconciled_sd: Standard deviation of the estimate; null where unobservable.
        at_bound: The bound that holds it, if one does.
        unit: Unit of its values, where that is known.
    """

    id: str
    measured: float | None
    reconciled: float | None
    adjustment_sd: float | None
    test: float | None = None
    klass: StreamClass = Field(alias="class")
    sd: float | None = None
    sd_source: SdSource | None = None
    reconciled_sd: float | None = None
    at_bound: Literal["lower", "upper"] | None = None
    unit: str | None = None


class GrossError(Part):
    """A measurement that lies (``bias``: measured minus true) or a loss at a node (``leak``).

    Attributes:
        confidence: Posterior probability of this explanation among all single ones and none.
        group_confidence: Of it and those in ``same_as`` together; how much of that is its own follows
            from the prior alone, whatever the data.
        same_as: Explanations that the balances cannot tell from it, whatever the data.
        size_sd: Standard deviation of ``size``.
        statistic: Square root of the likelihood-ratio statistic when it was named.
    """

    kind: Literal["bias", "leak"]
    id: str
    size: float
    confidence: float
    group_confidence: float
    same_as: tuple[str, ...] = ()
    size_sd: float | None = None
    statistic: float | None = None


class BalanceClosure(Part):
    """One balance as measured: input, output, their difference, and it in % of the input.

    ``unmeasured`` are its streams without a value, which neither sum holds.
    """

    name: str
    input: float
    output: float
    imbalance: float
    imbalance_pct: float | None
    unmeasured: tuple[str, ...] = ()


class Loss(Part):
    """What comes in and is not seen to go out, after the named meters are corrected.

    Attributes:
        rate: Per hour in ``unit`` (per period where the data are period totals); negative is a gain.
        rate_sd: Its standard deviation; a rate within two of them is not told from zero.
        tonnes: Over ``hours``, where the unit is a mass or a density was given.
        usd: Its value.
        price_usd_per_t: Price it was valued with, and in ``price_source`` where that comes from.
    """

    rate: float
    rate_sd: float | None
    unit: str
    hours: float | None
    tonnes: float | None
    usd: float | None
    price_usd_per_t: float | None
    price_source: str | None
    significant: bool


class Solver(Part):
    """How the optimum of a nonlinear problem was found and checked.

    Attributes:
        iterations: Steps from the start that won.
        starts: Starts that were tried; ``optima`` is how many different optima they led to.
        constraint_residual: Largest residual, relative to the size of its equation's terms.
        stationarity: Largest component of the gradient of the Lagrangian, in scaled variables.
    """

    iterations: int
    starts: int
    optima: int
    constraint_residual: float
    stationarity: float


class Comparison(Part):
    """A meter outside the balances that follows one inside: what it says of it.

    ``difference`` is the median of outside minus inside, ``ratio`` that of outside over inside.
    """

    id: str
    follows: str
    correlation: float
    difference: float
    ratio: float
    days: int


class PeriodBalance(Part):
    """One period (a day) of a balance: what came in and went out, and what stands out.

    Attributes:
        closure: Output over input.
        excess_sd: Deviation of the closure from its usual level about that time, in robust sd.
        suspects: Meters that stand out and would explain the deviation, the likeliest first.
    """

    start: str
    input: float | None
    output: float | None
    closure: float | None
    usual: float | None
    excess_sd: float | None
    status: PeriodStatus
    suspects: tuple[str, ...] = ()
    why: str | None = None


class LeftOut(Part):
    """A column or stretch of data that was not used, and why."""

    id: str
    start: str | None
    end: str | None
    count: int
    why: str


class Explanation(Part):
    """What could be behind a steady imbalance: ``size`` is a share of the meter's reading (scale
    error), or a flow; ``explained`` the share of the imbalance's mean square that it takes away;
    ``confidence`` its weight among those compared."""

    kind: Literal["scale", "constant", "counted_twice"]
    id: str
    size: float
    size_sd: float
    explained: float
    confidence: float
    text: str


class SteadyBias(Part):
    """An imbalance that stays: how much, since when, and which explanations fit.

    Attributes:
        closure: Median output over input from ``start`` to ``end``.
        rate: Median output minus input.
        explanations: Scale errors or losses by how well they follow the imbalance, best first.
    """

    start: str
    end: str
    periods: int
    closure: float
    rate: float
    explanations: tuple[Explanation, ...] = ()


class MonthClosure(Part):
    """Median closure of a month over its usable periods."""

    month: str
    periods: int
    usable: int
    closure: float | None


class MeterPeriods(Part):
    """A meter that stands out: what it read in each period, and what the balances make of it.

    Attributes:
        measured, reconciled, reconciled_sd: One entry for each of ``Periods.periods``; null where the
            meter gave nothing, or the period has no balance or was not steady.
        flagged: Start of each period in which it stands out. It is then not used, so that
            ``reconciled`` is what the other meters say of it.
    """

    id: str
    unit: str | None = None
    measured: tuple[float | None, ...]
    reconciled: tuple[float | None, ...]
    reconciled_sd: tuple[float | None, ...]
    flagged: tuple[str, ...] = ()


class Periods(Part):
    """Balances by period, where the data were cut into periods.

    ``unit`` is that of input and output, where all its streams have one unit.
    """

    balance: str
    period: str
    closure_median: float | None
    closure_robust_sd: float | None
    periods: tuple[PeriodBalance, ...]
    months: tuple[MonthClosure, ...] = ()
    steady_bias: tuple[SteadyBias, ...] = ()
    meters: tuple[MeterPeriods, ...] = ()
    unit: str | None = None


class ReconcileResult(OperationResult):
    """Result of ``etl.reconcile``.

    Attributes:
        status: ``not_steady`` where the plant moved too much over the data for its balances to hold;
            then no culprit is named.
        objective: Sum of squared adjustments over variances at the optimum.
        global_test: Its statistic is the objective without bounds, whose distribution is known.
        report: The result as one self-contained HTML page, where ``report`` was asked for.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null", serialize_by_alias=True)

    status: Literal["reconciled", "not_steady"] = "reconciled"
    objective: float
    global_test: GlobalTest
    streams: tuple[ReconciledStream, ...]
    gross_errors: tuple[GrossError, ...] = ()
    balances: tuple[BalanceClosure, ...] = ()
    tests: Tests | None = None
    loss: Loss | None = None
    solver: Solver | None = None
    moved: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    periods: tuple[Periods, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    report: str | None = None
