from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from orchestrator.errors import InsufficientDataError, UnknownTagError
from orchestrator.modules.forecasting.backtest import run as backtest
from orchestrator.modules.forecasting.explain import run as explain
from orchestrator.modules.forecasting.models import BacktestInput, ExplainInput

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


def test_scores_are_those_of_the_errors(context_for):
    context = context_for({"time": TIMES, "D": DAILY, "W": WALK})
    result = backtest(BacktestInput(targets=("D", "W"), horizon=6, origins=20), context)
    for score in result.scores:
        assert score.origins == 20
        assert score.mae == pytest.approx(min(score.errors.values()), rel=0.011)
        assert score.rmse >= score.mae
        assert score.mae == pytest.approx(np.mean(score.mae_by_step))
    walk = next(score for score in result.scores if score.target == "W")
    assert walk.mae_by_step[-1] > walk.mae_by_step[0]
    daily = next(score for score in result.scores if score.target == "D")
    assert daily.skill_pct > 5


def test_a_backtest_never_sees_the_future(context_for):
    """A jump that nothing announces must be missed by every forecast made before it."""
    jump = WALK.copy()
    jump[-1] += 1000
    context = context_for({"time": TIMES, "W": jump})
    (score,) = backtest(BacktestInput(targets=("W",), horizon=1, origins=20), context).scores
    assert min(score.errors.values()) >= 1000 / 20 - 5


def test_the_real_transformer_data_is_forecast_better_than_naive(context_for, shared):
    data = pd.read_csv(shared / "data/ett/ETTh1.csv.gz", nrows=1200).rename(
        columns={"date": "time"}
    )
    context = context_for(pa.Table.from_pandas(data, preserve_index=False))
    (score,) = backtest(BacktestInput(targets=("HUFL",), horizon=24), context).scores
    assert score.skill_pct > 0
    assert 0.6 <= score.coverage["80"] <= 0.97


def test_a_learned_model_is_explained_by_its_past_values(context_for):
    context = context_for({"time": TIMES, "O": oscillating()})
    result = explain(ExplainInput(target="O", horizon=6), context)
    assert result.model in {"ridge", "gradient_boosting"}
    assert result.influences[0].feature in {"lag1", "lag2"}
    assert "before" in result.influences[0].text
    shares = [item.share for item in result.influences]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1.001


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
