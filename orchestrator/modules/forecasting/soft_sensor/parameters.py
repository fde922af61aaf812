"""Parameters and result of ``forecasting.soft_sensor``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from orchestrator.modules.base import DataInput, OperationResult, TagName, TagNames
from orchestrator.modules.forecasting.models import Part

RowNumber = Annotated[int, Field(ge=0)]


class SoftSensorInput(DataInput):
    """Parameters of ``forecasting.soft_sensor``.

    Rows count from 0 in the order of the data (of its times, where it has times); both ends of a range of
    rows are included.
    """

    target: TagName = Field(description="Tag of the laboratory or analyser value.")
    inputs: TagNames = Field(
        default=(),
        description="Process tags; when empty all others, without those that the plant file calls lab, "
        "price, state or total, those of its market part, and without what a simulated recording calls truth.",
    )
    delay: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Rows from a sample to its value: to estimate row r, only values sampled at row "
        "r - delay or before are used (r - 1 where delay is 0).",
    )
    stamp: Literal["sampled", "reported"] = Field(
        default="sampled",
        description="What the row of a value means: the moment of its sample, or that of its report, delay "
        "rows later.",
    )
    train_rows: tuple[RowNumber, RowNumber] | None = Field(
        default=None,
        description="First and last row to choose the models on; all before the first estimated row if "
        "null. Later samples, once known, only keep the chosen models up to date.",
    )
    predict_rows: tuple[RowNumber, RowNumber] | None = Field(
        default=None,
        description="First and last row to estimate, after train_rows; if null all after train_rows, or "
        "the newest 200 (a fifth of the data at most).",
    )
    lags: int | None = Field(
        default=None,
        ge=0,
        le=10_000,
        description="How many past rows of the inputs to use; chosen by validation if null.",
    )


class SoftSensorPoint(Part):
    """Estimated quality at a row.

    Attributes:
        row: Row of the data, from 0.
        time: Its time, ISO 8601, UTC; null where the data has no times.
        mean: Estimate, in the target's unit.
        lower, upper: Bounds of the 95 % interval.
        applicable: Whether the inputs are like those learnt from; where not, ``mean`` is no more than an
            extrapolation.
        t2: T² of the inputs over its limit; above 1 they are farther out than those learnt from.
        spe: Squared prediction error of the inputs over its limit; above 1 they do not go together as
            those learnt from.
    """

    row: int
    time: str | None
    mean: float
    lower: float
    upper: float
    applicable: bool
    t2: float
    spe: float


class ChosenModel(Part):
    """One model of the combination.

    Attributes:
        model: In words: family, past rows of the inputs, known values of the target, fading.
        bias_weight: Weight of each new error in its bias update at the newest row, as did best by then; 0
            for none.
        share: Its share of the newest estimate.
    """

    model: str
    bias_weight: float
    share: float


class ModelChoice(Part):
    """How the models were chosen.

    Attributes:
        chosen: Models that are combined, the best on validation first.
        scores: Family -> least root mean square error of its candidates on the validated samples.
        candidates: How many were tried.
        validated: Samples on which they were compared, each later than those fitted to.
    """

    chosen: tuple[ChosenModel, ...]
    scores: dict[str, float]
    candidates: int
    validated: int


class HeldOut(Part):
    """How the estimates asked for did where the data holds their own value, which they did not use.

    Attributes:
        samples: Estimates with a value.
        rmse: Root mean square error, in the target's unit.
        rmse_last_sample: That of carrying the last known sample forward.
        coverage: Share of values within their interval.
    """

    samples: int
    rmse: float
    rmse_last_sample: float
    coverage: float


class SoftSensorResult(OperationResult):
    """Result of ``forecasting.soft_sensor``.

    Attributes:
        predictions: The rows asked for, oldest first.
        model: What was chosen, and how the others did.
        rmse: Root mean square error on the validated training samples, each estimated by models chosen
            and fitted on samples known before, in the target's unit.
        rmse_last_sample: Error there of carrying the last known sample forward.
        coverage: Share of those values within intervals made before; null where too few.
        held_out: How the estimates did; null where no estimated row has a value.
        samples: Samples learnt from.
        delay: Rows from a sample to its value.
        lags: Most past rows of the inputs that a chosen model sees.
    """

    target: str
    predictions: tuple[SoftSensorPoint, ...]
    model: ModelChoice
    rmse: float
    rmse_last_sample: float
    coverage: float | None
    held_out: HeldOut | None
    samples: int
    delay: int
    lags: int
