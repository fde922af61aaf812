"""Parameters and results of the forecasting operations."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestrator.modules.base import DataInput, OperationResult, TagName, TagNames
from orchestrator.modules.forecasting.degradation_models import Degradation, DegradationForecast
from orchestrator.plant.tags import Limits


class Part(BaseModel):
    """Base of the parts of a result."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")


class HorizonInput(DataInput):
    """How far ahead: in steps of the sampling period, or in hours; not both."""

    horizon: int | None = Field(
        default=None, ge=1, description="Steps of the data's sampling period."
    )
    horizon_hours: float | None = Field(default=None, gt=0, description="Hours.")

    @model_validator(mode="after")
    def _one_horizon(self) -> HorizonInput:
        if self.horizon is not None and self.horizon_hours is not None:
            raise ValueError("give either horizon (steps) or horizon_hours, not both")
        return self


class SeriesInput(HorizonInput):
    """Which series to forecast, and with what."""

    targets: TagNames = Field(
        default=(), description="Tags to forecast; at most twelve key tags when empty."
    )
    known_future: TagNames = Field(
        default=(),
        description="Columns known ahead (planned feed, blend, calendar): their values for the horizon "
        "stand in the data's rows after the last value of the target.",
    )
    inputs: TagNames = Field(
        default=(), description="Other columns whose past may help, known up to now only."
    )
    models: Literal["full", "fast"] = Field(
        default="full",
        description="fast leaves out statistical models and boosting: for thousands of targets.",
    )


class ForecastInput(SeriesInput):
    """Parameters of ``forecasting.forecast``."""

    sums: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Total -> the parts that add up to it; the balances of the plant file are kept "
        "without being named.",
    )


class BalanceKept(Part):
    """A balance that the forecasts keep.

    ``out_pct_of_in`` is what comes out in % of what goes in, as the newest data has it and the forecasts
    keep it; ``largest_move_pct`` the largest change that this took, in % of the forecast.
    """

    out_pct_of_in: float
    largest_move_pct: float


class ForecastPoint(Part):
    """One forecast value.

    Attributes:
        target: Tag.
        time: ISO 8601, UTC.
        mean: Expected value, in the tag's unit.
        quantiles: Level -> value: 0.025 and 0.975 bound 95 %, 0.1 and 0.9 bound 80 %.
    """

    target: str
    time: str
    mean: float
    quantiles: dict[str, float]


class LiveAccuracy(Part):
    """How a stored model has done on values that came after it was fitted.

    ``mae`` is in the tag's unit, over all steps of all forecasts since; ``coverage`` is the share of
    the ``values`` inside the intervals.
    """

    mae: float
    values: int
    coverage: dict[str, float]


class FittedModel(Part):
    """Which fitted model it is.

    Attributes:
        version: Counted from 1 for each series, horizon and set of inputs.
        fitted_at: ISO 8601, UTC.
        fingerprint: SHA-256 of the data that it was fitted to.
        reused: Whether it was fitted before this call.
        why: Why it was fitted anew; empty where it was reused.
        live: Its accuracy since it was fitted; null where nothing came since.
    """

    version: int
    fitted_at: str
    fingerprint: str
    reused: bool
    why: str
    live: LiveAccuracy | None


class ModelScore(Part):
    """Which model forecasts a target, and how it did on its own past.

    Attributes:
        model: The model chosen.
        baseline: The best of the naive ones.
        errors: Mean absolute error of every candidate over all origins and steps, in the tag's unit.
        failed: Candidates that gave no forecast, with the reason.
        skill_pct: How much smaller the error is than the baseline's, %.
        coverage: Share of past values inside the 80 % and 95 % intervals, each origin left out in
            turn; null below ten origins.
        origins: Number of past moments from which was forecast.
        observations: Observed values in the history that was used.
        missing: Periods without a value, of which ``interpolated`` were bridged; longer gaps were
            closed up.
        season: Season length, in steps; 1 for none.
        unit: Unit of the tag.
        last_time: Time of the last observed value, from which the horizon counts.
        last_value: That value.
        fitted: Version of the fitted model and how it has done since; null where none is kept.
    """

    model: str
    baseline: str
    errors: dict[str, float]
    failed: dict[str, str] = Field(default_factory=dict)
    skill_pct: float
    coverage: dict[str, float] | None
    origins: int
    observations: int
    missing: int
    interpolated: int
    season: int
    unit: str
    last_time: str
    last_value: float
    fitted: FittedModel | None = None


class ForecastResult(OperationResult):
    """Result of ``forecasting.forecast``.

    Attributes:
        forecasts: One row a target and step, by target and time.
        models: Target -> how its model was chosen.
        refused: Target -> why it could not be forecast, where others could.
        balances: Balances that the forecasts keep.
        horizon: Steps ahead.
        period_seconds: Length of a step, s; values are means over a step where the data is finer.
    """

    forecasts: tuple[ForecastPoint, ...]
    models: dict[str, ModelScore]
    refused: dict[str, str] = Field(default_factory=dict)
    balances: dict[str, BalanceKept] = Field(default_factory=dict)
    horizon: int
    period_seconds: float


class BacktestInput(SeriesInput):
    """Parameters of ``forecasting.backtest``."""

    origins: int = Field(default=30, ge=5, le=400, description="Past moments to forecast from.")
    refits: int = Field(
        default=3, ge=1, le=100, description="At how many of them to choose and fit models anew."
    )
    report: bool | Literal["markdown"] = Field(
        default=False, description="Also give a report with charts: HTML, or Markdown."
    )


class HorizonScore(Part):
    """How the forecasts of one step ahead have been; null where nothing came to compare with."""

    step: int
    values: int
    mae: float | None = None
    bias: float | None = None
    interval_score: float | None = None
    skill_pct: float | None = None
    coverage: dict[str, float] | None = None


class BacktestScore(Part):
    """How the forecasts of one target have been, each made with what was known then.

    Attributes:
        models: Models that were in use -> from how many moments.
        mae, rmse, bias: In the tag's unit; bias is forecast minus actual.
        mase: Error relative to the mean absolute seasonal step of the history before.
        wape: Error over the mean absolute value.
        interval_score: Weighted interval score of the 80 % and 95 % intervals, in the tag's unit.
        skill_pct: How much smaller the error is than that of the better naive rule, %.
        mae_naive: Mean absolute error of that rule.
        coverage: Share of the values inside the intervals.
        by_step: The same by step ahead.
        origins: Moments from which was forecast.
    """

    target: str
    models: dict[str, int]
    mae: float
    rmse: float
    bias: float
    mase: float | None
    wape: float | None
    interval_score: float
    skill_pct: float
    mae_naive: float
    coverage: dict[str, float]
    by_step: tuple[HorizonScore, ...]
    origins: int


class BacktestResult(OperationResult):
    """Result of ``forecasting.backtest``; ``report`` is a page of HTML or Markdown where one is asked for."""

    scores: tuple[BacktestScore, ...]
    refused: dict[str, str] = Field(default_factory=dict)
    horizon: int
    period_seconds: float
    report: str | None = None


class ExplainInput(HorizonInput):
    """Parameters of ``forecasting.explain``."""

    target: TagName = Field(description="Tag whose forecast to explain.")
    known_future: TagNames = Field(
        default=(), description="Columns known ahead, as in forecasting.forecast."
    )
    inputs: TagNames = Field(default=(), description="Other columns whose past may help.")


class Influence(Part):
    """One thing that the forecast rests on.

    Attributes:
        feature: Lag, moving mean, input, level, trend or season.
        share: Its part in the sum of all effects.
        effect: By how much it moves the forecast, on average over the horizon, in the tag's unit (SHAP
            values for trees); null for a rule, which moves nothing.
        text: In words.
    """

    feature: str
    share: float
    effect: float | None
    text: str


class ExplainResult(OperationResult):
    """Result of ``forecasting.explain``; ``members`` are the models combined, with their weights."""

    target: str
    model: str
    members: dict[str, float]
    influences: tuple[Influence, ...]
    score: ModelScore


class TimeToLimitInput(HorizonInput):
    """Parameters of ``forecasting.time_to_limit``."""

    tags: TagNames = Field(default=(), description="Tags; all with limits when empty.")
    equipment: tuple[str, ...] = Field(default=(), description="Equipment ids; all when empty.")
    limits: dict[str, Limits] = Field(
        default_factory=dict, description="Limits to use instead of those of the plant file."
    )
    health_limit: float = Field(
        default=0.5, ge=0, le=1, description="Health at which equipment counts as failing."
    )
    degradation: dict[str, Degradation] = Field(
        default_factory=dict,
        description="Tags or equipment that foul, age or clog, how, and what cleaning them costs.",
    )


class LimitForecast(Part):
    """When one value reaches one limit.

    Attributes:
        name: Tag, or id of the equipment.
        kind: Which of the two.
        limit: Which limit.
        limit_value: Its value, in ``unit``.
        present: The last observed value.
        beyond: Whether it is already beyond the limit.
        probability: Share of forecast paths that reach it within the horizon.
        median_time: When half of all paths have reached it; null where fewer do.
        earliest_time: When one path in ten has reached it; null where fewer do.
        hours: Hours from the last observation to ``median_time``.
        model: Forecasting model behind it.
    """

    name: str
    kind: Literal["tag", "equipment"]
    limit: Literal["low_low", "low", "high", "high_high", "health"]
    limit_value: float
    unit: str
    present: float
    beyond: bool
    probability: float
    median_time: str | None
    earliest_time: str | None
    hours: float | None
    model: str


class TimeToLimitResult(OperationResult):
    """Result of ``forecasting.time_to_limit``; most urgent first.

    Attributes:
        limits: From forecast paths, within the horizon.
        degradation: From curves of degradation, beyond it: what was asked for, and equipment whose
            health falls steadily.
        skipped: For each tag or equipment of which nothing can be said, the reason.
        horizon: Steps ahead.
        period_seconds: Length of a step, s.
    """

    limits: tuple[LimitForecast, ...]
    degradation: tuple[DegradationForecast, ...] = ()
    skipped: dict[str, str] = Field(default_factory=dict)
    horizon: int
    period_seconds: float
