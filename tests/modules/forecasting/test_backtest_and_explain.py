from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from orchestrator.errors import InsufficientDataError, UnknownTagError
from orchestrator.modules.forecasting.accuracy import coverage, interval_score, skill
from orchestrator.modules.forecasting.backtest import run as backtest
from orchestrator.modules.forecasting.explain import run as explain
from orchestrator.modules.forecasting.forecast import history_of, read_columns
from orchestrator.modules.forecasting.influences import effects_of
from orchestrator.modules.forecasting.lagged import GradientBoosting, Ridge
from orchestrator.modules.forecasting.models import (
    BacktestInput,
    ExplainInput,
    ForecastInput,
    SeriesInput,
)
from orchestrator.modules.forecasting.rolling import Rolled, roll
from orchestrator.modules.forecasting.series import history, plan
from orchestrator.modules.forecasting.statistical import ExponentialSmoothing

ROWS = 300
TIMES = np.datetime64("2025-01-01", "us") + np.arange(ROWS) * np.timedelta64(3600, "s")
RNG = np.random.default_rng(9)
DAILY = 80 + 6 * np.sin(2 * np.pi * np.arange(ROWS) / 24) + RNG.normal(size=ROWS)
WALK = 500 + np.cumsum(RNG.normal(size=ROWS))


def oscillating() -> np.ndarray:
    values = np.zeros(ROWS)
    noise = np.random.default_rng(1).normal(size=ROWS)
    for i in range(2, ROWS):
        values[i] = 1.6 * values[i - 1] - 0.9 * values[i - 2] + noise[i]
    return values + 100


def test_measures_are_those_of_forecasts_made_by_hand():
    """One target, two origins, two steps; every figure worked out beside it."""
    actual = np.array([[10.0, 12.0], [14.0, np.nan]])
    mean = np.array([[11.0, 11.0], [13.0, 15.0]])
    quantiles = {0.1: mean - 1, 0.9: mean + 1, 0.025: mean - 2, 0.975: mean + 2}
    # errors 1, −1, −1: each at the edge of the 80 % interval, half the width of the 95 % one
    assert coverage(actual, quantiles) == {"80": 1.0, "95": 1.0}
    by_hand = (0.5 * 1 + 0.2 / 2 * 2 + 0.05 / 2 * 4) / 2.5
    assert np.nanmean(interval_score(actual, mean, quantiles)) == pytest.approx(by_hand)
    far = {0.1: mean + 3, 0.9: mean + 4, 0.025: mean + 2, 0.975: mean + 5}
    # 14 against 13: 2 below the 80 % interval, 1 below the 95 % one
    worse = (0.5 * 1 + (0.1 * 1 + 2) + (0.025 * 3 + 1)) / 2.5
    assert interval_score(actual, mean, far)[1, 0] == pytest.approx(worse)
    assert coverage(actual, far)["95"] == 0.0
    assert skill(mean - actual, 2 * (mean - actual)) == 50.0


def test_scores_hold_together_and_name_the_models(context_for):
    context = context_for({"time": TIMES, "D": DAILY, "W": WALK})
    result = backtest(BacktestInput(targets=("D", "W"), horizon=6, origins=20), context)
    for score in result.scores:
        assert score.origins == 20 == sum(score.models.values())
        assert score.rmse >= score.mae >= abs(score.bias)
        assert score.mae == pytest.approx(np.mean([step.mae for step in score.by_step]))
        assert score.skill_pct == pytest.approx(100 * (1 - score.mae / score.mae_naive), abs=0.01)
    daily, walk = result.scores
    assert walk.by_step[-1].mae > walk.by_step[0].mae
    assert walk.skill_pct > -10
    assert daily.skill_pct > 5
    assert 0.7 <= daily.coverage["80"] <= 0.92


def test_a_report_shows_every_target_with_its_figures(context_for):
    context = context_for({"time": TIMES, "D": DAILY, "W": WALK})
    asked = {"targets": ("D", "W"), "horizon": 6, "origins": 10, "models": "fast"}
    page = backtest(BacktestInput(**asked, report=True), context)
    assert page.report.startswith("<!doctype html>")
    assert "plotly" in page.report
    text = backtest(BacktestInput(**asked, report="markdown"), context).report
    for score in page.scores:
        assert f"## {score.target}" in text
        assert f"{score.mae:.4g}" in text
        assert f"{score.skill_pct:+.1f} %" in text
    assert backtest(BacktestInput(**asked), context).report is None


def test_a_backtest_never_sees_the_future(context_for):
    """What comes after an origin, of target or inputs, changes nothing that was forecast there."""
    parameters = BacktestInput(targets=("W",), inputs=("D",), horizon=3, origins=6)
    plain = rolled_of(parameters, context_for({"time": TIMES, "W": WALK, "D": DAILY}))
    at = int(plain.ends[3])
    later, other = WALK.copy(), DAILY.copy()
    later[at:] += 1000 * np.arange(ROWS - at)
    other[at:] -= 500
    changed = rolled_of(parameters, context_for({"time": TIMES, "W": later, "D": other}))
    assert (changed.ends == plain.ends).all()
    assert changed.mean[:4] == pytest.approx(plain.mean[:4])
    assert changed.quantiles[0.9][:4] == pytest.approx(plain.quantiles[0.9][:4])
    assert not np.allclose(changed.mean[4:], plain.mean[4:])


def rolled_of(parameters: BacktestInput, context) -> Rolled:
    frame = read_columns(parameters, context)
    grid = plan(frame, parameters.horizon, None)
    past = history_of(frame, "W", grid, parameters, known_ahead=False)
    return roll(
        past,
        grid.steps,
        origins=parameters.origins,
        refits=2,
        seed=0,
        bounds=(-np.inf, np.inf),
        models="fast",
    )


def test_the_real_transformer_data_is_forecast_better_than_naive(context_for, shared):
    data = pd.read_csv(shared / "data/ett/ETTh1.csv.gz", nrows=3000).rename(
        columns={"date": "time"}
    )
    context = context_for(pa.Table.from_pandas(data, preserve_index=False))
    asked = BacktestInput(targets=("HUFL",), horizon=24, refits=2, models="fast")
    (score,) = backtest(asked, context).scores
    assert score.skill_pct > 5
    assert 0.6 <= score.coverage["80"] <= 0.97


def test_effects_are_shap_values_that_add_up_to_the_forecast(context_for):
    """TreeSHAP and linear SHAP leave nothing of the forecast unexplained but the average."""
    frame = read_columns(
        ForecastInput(targets=("O",)), context_for({"time": TIMES, "O": oscillating()})
    )
    past = history(frame, "O", plan(frame, 6, None))
    for model in (Ridge(1, 0, 200), GradientBoosting(1, 0, 200)):
        model.fit(past, ROWS)
        effects = effects_of(model, past, 6)
        assert effects[0].feature in {"lag1", "lag2"}
        assert "before" in effects[0].text
        forecast = float(model.predict(past, [ROWS], 6)[0].mean())
        rest = forecast - sum(effect.size for effect in effects)
        assert rest == pytest.approx(past.values.mean(), abs=0.35 * past.values.std())  # noqa: PD011
        if model.name == "ridge":
            regressor, _ = model.regressor()
            constant = float(regressor.intercept_) * past.values.std() + past.values.mean()  # noqa: PD011
            assert rest == pytest.approx(constant)


def test_a_season_is_not_called_a_trend(context_for):
    """A horizon shorter than the season rises with it; the level does not."""
    frame = read_columns(SeriesInput(targets=("D",)), context_for({"time": TIMES, "D": DAILY}))
    past = history(frame, "D", plan(frame, 6, None))
    model = ExponentialSmoothing(24)
    model.fit(past, ROWS)
    effects = {effect.feature: effect.size for effect in effects_of(model, past, 6)}
    assert abs(effects["season"]) > 5 * abs(effects["trend"])


def test_a_planned_feed_explains_the_product_made_of_it(context_for):
    feed = 1000 + 100 * np.sign(np.sin(np.arange(ROWS + 6) / 9))
    feed[ROWS:] = 500.0
    product = np.append(
        0.3 * feed[:ROWS] + np.random.default_rng(3).normal(size=ROWS), np.full(6, np.nan)
    )
    times = TIMES[0] + np.arange(ROWS + 6) * np.timedelta64(3600, "s")
    context = context_for({"time": times, "P": product, "feed": feed})
    result = explain(ExplainInput(target="P", horizon=6, known_future=("feed",)), context)
    assert sum(result.members.values()) == pytest.approx(1.0, abs=1e-3)
    first = result.influences[0]
    assert first.feature == "feed"
    # levels count from the last feed, regressions from the usual one: between these two
    assert 0.3 * (500 - 1100) - 5 <= first.effect <= 0.3 * (500 - 1000) + 5


def test_every_explanation_names_the_model_and_its_shares(context_for):
    for name, values in (
        ("W", WALK),
        ("D", DAILY),
        ("L", np.arange(ROWS) * 2.0 + RNG.normal(size=ROWS)),
    ):
        result = explain(
            ExplainInput(target=name, horizon=6), context_for({"time": TIMES, name: values})
        )
        assert result.model.replace("_", " ") in result.summary
        assert 0.9 <= sum(item.share for item in result.influences) <= 1.001


def test_an_unknown_target_and_a_short_history_are_refused(context_for):
    with pytest.raises(UnknownTagError, match="no tag 'X'"):
        explain(ExplainInput(target="X"), context_for({"time": TIMES, "W": WALK}))
    with pytest.raises(InsufficientDataError, match="at least 20 values"):
        backtest(
            BacktestInput(targets=("W",), horizon=2),
            context_for({"time": TIMES[:10], "W": WALK[:10]}),
        )
