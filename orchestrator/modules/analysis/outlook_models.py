"""How good the forecasts of stocks and demand have been."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class HorizonScore(BaseModel):
    """Errors so many periods ahead, in the series' unit, over the same origins for all three."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")

    steps: int
    mae: float = Field(description="Mean absolute error of the model used.")
    rmse: float = Field(description="Root mean square error of the model used.")
    mae_last_value: float
    rmse_last_value: float
    mae_season_average: float
    rmse_season_average: float


class OutlookScore(BaseModel):
    """What a forecast rests on, and how it has been.

    Attributes:
        model: ``combination``, or the baseline that it did not beat.
        baseline: The better of the two plain forecasts: ``last_value``, ``season_average`` (last value
            plus the mean change over the same periods of all earlier years).
        members: Forecasts whose mean the combination is.
        predictors: Other columns that were read.
        errors: Mean absolute error of each method over all origins and steps, in the series' unit.
        skill_pct: How much smaller the error is than the baseline's, %.
        skill_of_judged_pct: The same over all ``judged_origins``, by which the model was chosen, against
            the better baseline there.
        horizons: Errors step by step.
        coverage: Share of the values inside the 80 % and 95 % intervals that earlier errors alone gave.
        origins: Past moments, the last two years, over which the errors are given.
        judged_origins: Past moments, up to ten years, by which the model was chosen.
        observations: Values in the history.
        unit: Unit of the series.
        last_time: Time of the last value, from which the horizon counts.
        last_value: That value.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")

    model: str
    baseline: str
    members: tuple[str, ...]
    predictors: tuple[str, ...]
    errors: dict[str, float]
    skill_pct: float
    skill_of_judged_pct: float
    horizons: tuple[HorizonScore, ...]
    coverage: dict[str, float] | None
    origins: int
    judged_origins: int
    observations: int
    unit: str
    last_time: str
    last_value: float
