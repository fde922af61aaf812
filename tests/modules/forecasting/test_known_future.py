"""Inputs known ahead and inputs known up to now."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from orchestrator.errors import (
    DataError,
    InsufficientDataError,
    ParameterError,
    UnknownTagError,
)
from orchestrator.modules.forecasting.forecast import run
from orchestrator.modules.forecasting.models import ForecastInput
from orchestrator.modules.forecasting.reverting import Reverting, Setting
from orchestrator.modules.forecasting.series import history, plan
from orchestrator.modules.frames import Frame

ROWS, AHEAD = 200, 7
TIMES = np.datetime64("2024-01-01", "us") + np.arange(ROWS + AHEAD) * np.timedelta64(1, "D")
RNG = np.random.default_rng(5)
FEED = np.repeat(RNG.uniform(1500, 2500, 60), 4)[
    : ROWS + AHEAD
]  # a plan that changes every four days
YIELD = 0.25 + 0.01 * np.sin(np.arange(ROWS + AHEAD) / 15)
PRODUCT = YIELD * FEED + RNG.normal(scale=3, size=ROWS + AHEAD)


def past_only(values: np.ndarray) -> np.ndarray:
    return np.append(values[:ROWS], np.full(AHEAD, np.nan))


def forecast(context, **parameters):
    return run(ForecastInput(targets=("P",), horizon=AHEAD, **parameters), context)


def error(result) -> float:
    found = np.array([point.mean for point in result.forecasts])
    return float(np.mean(np.abs(found - PRODUCT[ROWS:])))


@pytest.mark.parametrize("models", ["full", "fast"])
def test_a_planned_feed_makes_its_product_known_far_better(context_for, models):
    context = context_for({"time": TIMES, "P": past_only(PRODUCT), "feed": FEED})
    blind = forecast(context, models=models)
    informed = forecast(context, models=models, known_future=("feed",))
    assert error(informed) < 0.5 * error(blind)
    assert informed.models["P"].errors["share"] < 0.5 * informed.models["P"].errors["naive"]
    assert [point.time for point in informed.forecasts] == [
        f"{time}Z" for time in np.datetime_as_string(TIMES[ROWS:], unit="s")
    ]
    assert not any("no value since" in note for note in informed.warnings)


def test_two_trains_are_added_up_where_that_is_the_feed(context_for):
    split = 0.5 + 0.3 * np.sin(np.arange(ROWS + AHEAD) / 4)
    context = context_for(
        {"time": TIMES, "P": past_only(PRODUCT), "A": split * FEED, "B": (1 - split) * FEED}
    )
    result = forecast(context, known_future=("A", "B"), models="fast")
    alone = forecast(context, known_future=("A",), models="fast")
    assert error(result) < 0.3 * error(alone)


def test_a_level_reverts_as_its_formula_says():
    """m + φ^h (l − m), with the last value as level and the mean of the last thirty as m."""
    values = 100 + np.arange(60.0) % 7
    frame = Frame(TIMES[:60], ("P",), values[:, None])
    past = history(frame, "P", plan(frame, 3, None))
    model = Reverting("reverting", Setting(1.0, 0.8), proportional=False, steps=3)
    model.fit(past, 60)
    mean = values[-30:].mean()
    expected = [mean + 0.8**h * (values[-1] - mean) for h in (1, 2, 3)]
    assert model.predict(past, [60], 3)[0] == pytest.approx(expected)


def test_other_inputs_help_where_they_lead(context_for):
    rng = np.random.default_rng(8)
    lead = rng.normal(size=ROWS)
    follower = np.empty(ROWS)
    follower[0] = 0.0
    for i in range(1, ROWS):
        follower[i] = 0.5 * follower[i - 1] + 4 * lead[i - 1] + 0.1 * rng.normal()
    context = context_for({"time": TIMES[:ROWS], "P": follower, "L": lead})
    asked = {"targets": ("P",), "horizon": 1, "models": "fast"}
    without = run(ForecastInput(**asked), context).models["P"].errors["direct_linear"]
    with_lead = run(ForecastInput(**asked, inputs=("L",)), context).models["P"].errors
    assert with_lead["direct_linear"] < 0.5 * without


def test_rows_whose_plan_is_missing_do_not_count(context_for):
    feed = FEED.copy()
    feed[50:60] = np.nan
    context = context_for({"time": TIMES, "P": past_only(PRODUCT), "feed": feed})
    result = forecast(context, known_future=("feed",), models="fast")
    assert result.models["P"].observations == ROWS - 10


@pytest.mark.parametrize(
    ("columns", "known", "kind", "text"),
    [
        ({"feed": past_only(FEED)}, ("feed",), InsufficientDataError, "7 of 7 steps lack one"),
        ({"feed": FEED}, ("plan",), UnknownTagError, "no tag 'plan'"),
        ({"feed": FEED}, ("P",), ParameterError, "cannot be known ahead"),
        (
            {"feed": np.where(np.arange(ROWS + AHEAD) == 9, np.inf, FEED)},
            ("feed",),
            DataError,
            "1 values are infinite",
        ),
        (
            {"feed": np.where(np.arange(ROWS + AHEAD) < ROWS, np.nan, FEED)},
            ("feed",),
            InsufficientDataError,
            "no value in the past",
        ),
    ],
)
def test_what_is_not_known_ahead_is_refused(context_for, columns, known, kind, text):
    context = context_for({"time": TIMES, "P": past_only(PRODUCT), **columns})
    with pytest.raises(kind, match=text):
        forecast(context, known_future=known)


def test_the_real_crude_unit_is_forecast_better_with_its_planned_feed(context_for, shared):
    """Against the median yield of the last week times the plan, from a few spring days."""
    data = pd.read_csv(shared / "data/cdu/cdu_daily.csv", parse_dates=["date"])
    feed = ["Train_A_Raw_Crude_Flow", "Train_B_Raw_Crude_Flow"]
    products = ["Total_Kerosene_Product_Flowrate", "Total_Light_Diesel_Product_Flowrate"]
    ours = rule = 0.0
    for end in range(316, 358, 6):
        rows = data.iloc[: end + AHEAD].copy()
        rows.loc[rows.index[end:], products] = np.nan
        table = pa.Table.from_pandas(
            rows[["date", *products, *feed]].rename(columns={"date": "time"}), preserve_index=False
        )
        asked = ForecastInput(
            targets=tuple(products), horizon=AHEAD, known_future=tuple(feed), models="fast"
        )
        result = run(asked, context_for(table))
        total = data[feed].sum(axis=1).to_numpy()
        for product in products:
            actual = data[product].to_numpy()
            coming = slice(end, end + AHEAD)
            found = [p.mean for p in result.forecasts if p.target == product]
            share = np.median(actual[end - 7 : end] / total[end - 7 : end])
            ours += float(np.abs(actual[coming] - found).sum())
            rule += float(np.abs(actual[coming] - share * total[coming]).sum())
    assert ours < 0.92 * rule
