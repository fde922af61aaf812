"""Parameters and results of degradation: how something fouls, ages or clogs, and when to clean it."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

DegradationKind = Literal["fouling", "catalyst", "filter"]
CurveName = Literal[
    "linear",
    "falling_rate",
    "asymptotic",
    "accelerating",
    "exponential",
    "hyperbolic",
    "blocking",
]
Reason = Literal["economics", "limit", "overdue", "never"]
ModelName = Literal[CurveName, "weibull"]


class Given(BaseModel):
    """Base of what is given."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Life(Given):
    """How long one run lasted; ``failed`` is false where it was ended before, or still runs."""

    days: float = Field(gt=0)
    failed: bool = True


class Cleaning(Given):
    """What a cleaning (regeneration, change of filter) costs, and what waiting for it costs."""

    cost_usd: float = Field(ge=0, description="Cost of one cleaning, USD.")
    downtime_hours: float = Field(default=0.0, ge=0, description="Time out of service, h.")
    downtime_usd_per_day: float = Field(
        default=0.0, ge=0, description="Margin lost while out of service, USD a day."
    )
    loss_usd_per_day_per_unit: float = Field(
        default=0.0,
        ge=0,
        description="Extra cost a day for each unit that the value lies away from where a cleaning brings it.",
    )
    failure_cost_usd: float = Field(
        default=0.0, ge=0, description="Extra cost of a failure before the cleaning, USD (weibull)."
    )
    value_after: float | None = Field(
        default=None,
        description="Value that a cleaning brings back; that after past ones, or at the start, if null.",
    )

    @property
    def downtime_days(self) -> float:
        """Time out of service, d."""
        return self.downtime_hours / 24.0

    @property
    def total_usd(self) -> float:
        """Cost of one cleaning with what is lost meanwhile, USD."""
        return self.cost_usd + self.downtime_usd_per_day * self.downtime_days


class Degradation(Given):
    """How one value degrades, as far as it is known."""

    kind: DegradationKind = Field(default="fouling", description="Which curves are tried.")
    model: ModelName | Literal["auto"] = Field(
        default="auto", description="The curve; chosen by how each forecasts the record if auto."
    )
    limit: float | None = Field(
        default=None,
        description="Value not to be passed; the health limit or the tag's own limit if null.",
    )
    direction: Literal["auto", "rising", "falling"] = Field(
        default="auto",
        description="Which way it degrades; from its start towards the limit if auto.",
    )
    cleaned_at: tuple[AwareDatetime, ...] | None = Field(
        default=None, description="Ends of past cleanings; found in the record if null."
    )
    lives: tuple[Life, ...] = Field(
        default=(), description="Past runs (weibull); found in the record when empty."
    )
    age_days: float | None = Field(
        default=None, ge=0, description="Age of the present run, d (weibull with lives)."
    )
    cleaning: Cleaning | None = Field(default=None, description="Costs, for the economic date.")

    @model_validator(mode="after")
    def _lives_belong_to_weibull(self) -> Degradation:
        if self.lives and self.model not in ("weibull", "auto"):
            raise ValueError("lives are for model: weibull")
        if self.lives and self.age_days is None:
            raise ValueError("lives need age_days, the age of the present run")
        return self


class Part(BaseModel):
    """Base of the parts of a result."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")


class CleaningAdvice(Part):
    """When cleaning pays.

    Attributes:
        date: When to clean; null where it never pays within ten years.
        earliest: With 10 % of the parameter draws it pays by then.
        latest: With 90 % of them; null where more than a tenth say never.
        reason: ``economics``; ``limit`` where the limit (at 10 % risk) comes first; ``overdue`` where
            it pays now; ``never``.
        interval_days: Best time between cleanings from clean on, d; null for never.
        usual_interval_days: Mean time between those of the record, d; null where it holds fewer than two.
        best_usd_per_day: Least average cost of cleaning and waiting, over a whole cycle.
        usual_usd_per_day: The same at the usual interval.
        now_usd_per_day: What being unclean costs at present, a day.
        week_earlier_usd: What cleaning a week before ``date`` costs more; null where that is past.
        week_later_usd: What a week after ``date`` costs more; null where the limit forbids it.
        value_after: Value that a cleaning is taken to bring back.
        text: All that in a sentence.
    """

    date: str | None
    earliest: str | None
    latest: str | None
    reason: Reason
    interval_days: float | None
    usual_interval_days: float | None
    best_usd_per_day: float
    usual_usd_per_day: float | None
    now_usd_per_day: float | None
    week_earlier_usd: float | None
    week_later_usd: float | None
    value_after: float | None
    text: str


class DegradationForecast(Part):
    """How one value degrades and when its level, noise aside, reaches its limit.

    Attributes:
        name: Tag, or id of the equipment.
        kind: What degrades.
        model: The likeliest curve.
        weights: Share of the draws that each curve has.
        errors: Mean absolute error of each curve's forecasts of later parts of the record from earlier
            ones, in ``unit``; null where there was too little to forecast from.
        parameters: Of the likeliest curve; times in days.
        limit: Value not to be passed.
        unit: Unit of value and limit.
        direction: Which way it degrades; null for given lives.
        present: Level now; null for lives without values.
        per_day: How fast it degrades now, towards the limit, a day.
        since: Begin of the present run; null for given lives.
        cleanings: Ends of the cleanings in the record.
        level_after_cleaning: Mean level after them.
        beyond: Whether the level is beyond the limit already.
        probability: That the limit is reached within the horizon of the operation; null without one.
        probability_ever: Within ten years.
        earliest_time: With 10 % probability it is reached by then; null beyond ten years.
        median_time: With 50 %.
        latest_time: With 90 %.
        days: Days to ``median_time``.
        points: Means of the record that were fitted.
        left_out: Of these, how many stood apart and were not used.
        notes: What limits the answer.
        cleaning: When cleaning pays, where costs were given.
    """

    name: str
    kind: DegradationKind
    model: ModelName
    weights: dict[str, float]
    errors: dict[str, float | None]
    parameters: dict[str, float]
    limit: float | None
    unit: str
    direction: Literal["rising", "falling"] | None
    present: float | None
    per_day: float | None
    since: str | None
    cleanings: tuple[str, ...]
    level_after_cleaning: float | None
    beyond: bool
    probability: float | None
    probability_ever: float | None
    earliest_time: str | None
    median_time: str | None
    latest_time: str | None
    days: float | None
    points: int
    left_out: int
    notes: tuple[str, ...] = ()
    cleaning: CleaningAdvice | None = None
