from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from orchestrator.errors import InsufficientDataError, ParameterError, UnknownTagError
from orchestrator.modules.forecasting.models import SoftSensorInput
from orchestrator.modules.forecasting.soft_sensor import run

ROWS = 1500
EVERY = 10
TIMES = np.datetime64("2025-01-01", "us") + np.arange(ROWS) * np.timedelta64(600, "s")


def plant(delay: int = 4, seed: int = 1) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Three wandering inputs, the true property, and its rare samples reported ``delay`` rows late."""
    rng = np.random.default_rng(seed)
    inputs = {}
    for name in ("T", "P", "F"):
        values = np.zeros(ROWS)
        for i in range(1, ROWS):
            values[i] = 0.97 * values[i - 1] + rng.normal()
        inputs[name] = values
    truth = 90 + 2 * np.roll(inputs["T"], 3) - inputs["P"] + 0.1 * rng.normal(size=ROWS)
    reported = np.full(ROWS, np.nan)
    at = np.arange(5, ROWS - delay, EVERY)
    reported[at + delay] = truth[at]
    return {"time": TIMES, **inputs, "Q": reported}, truth


def test_the_property_between_samples_follows_the_inputs(context_for):
    data, truth = plant()
    result = run(SoftSensorInput(target="Q", delay=4), context_for(data))
    assert result.rmse < 0.3 * result.rmse_last_sample
    assert result.lags >= 3
    means = np.array([point.mean for point in result.predictions])
    assert np.abs(means - truth[-len(means) :]).mean() < 0.6
    assert result.predictions[-1].time == "2025-01-11T09:50:00Z"
    assert "reports 4 rows late" in result.summary


def test_intervals_cover_the_truth(context_for):
    data, truth = plant()
    result = run(SoftSensorInput(target="Q", delay=4), context_for(data))
    count = len(result.predictions)
    inside = [
        p.lower <= v <= p.upper for p, v in zip(result.predictions, truth[-count:], strict=True)
    ]
    assert np.mean(inside) >= 0.85


def test_no_estimate_uses_a_value_reported_later(context_for):
    data, _ = plant()
    before = run(SoftSensorInput(target="Q", delay=4, lags=8), context_for(data))
    later = dict(data)
    later["T"] = data["T"].copy()
    later["T"][-4:] += 3
    after = run(SoftSensorInput(target="Q", delay=4, lags=8), context_for(later))
    first = [point.mean for point in before.predictions[:-4]]
    assert [point.mean for point in after.predictions[:-4]] == pytest.approx(first, abs=1e-9)
    assert after.predictions[-1].mean != pytest.approx(before.predictions[-1].mean, abs=0.1)


def test_outside_what_was_seen_it_says_so(context_for):
    data, _ = plant()
    data["T"][-3:] += 200
    result = run(SoftSensorInput(target="Q", delay=4), context_for(data))
    assert not result.predictions[-1].applicable
    assert "outside what the model has seen" in result.summary


def test_inputs_that_explain_nothing_are_said_to(context_for):
    data, _ = plant()
    rng = np.random.default_rng(5)
    noise = {name: rng.normal(size=ROWS) for name in ("T", "P", "F")}
    result = run(SoftSensorInput(target="Q", delay=4), context_for({**data, **noise}))
    assert result.rmse > 0.6 * result.rmse_last_sample


def test_the_debutanizer_is_estimated_better_than_by_carrying_forward(context_for, shared):
    lines = (shared / "data/softsensor/debutanizer_data.txt").read_text().splitlines()
    rows = [line.split() for line in lines if len(line.split()) == 8]
    data = np.array([row for row in rows if row[0][0].isdigit()], dtype=float)[:2390]
    names = [f"u{i}" for i in range(1, 8)]
    frame = pd.DataFrame(data, columns=[*names, "y"])
    frame["y"] = frame["y"].shift(8)
    frame.insert(0, "time", pd.date_range("2024-01-01", periods=len(frame), freq="6min"))
    context = context_for(pa.Table.from_pandas(frame, preserve_index=False))
    result = run(SoftSensorInput(target="y", delay=8, lags=30), context)
    assert result.rmse_last_sample == pytest.approx(0.112, abs=0.01)
    assert result.rmse < 0.75 * result.rmse_last_sample


@pytest.mark.parametrize(
    ("change", "parameters", "kind", "text"),
    [
        ({}, {"target": "X"}, UnknownTagError, "no tag 'X'"),
        ({}, {"target": "Q", "inputs": ("Q",)}, ParameterError, "own input"),
        ({}, {"target": "Q", "inputs": ("Z",)}, UnknownTagError, "no tag 'Z'"),
        (
            {"Q": np.full(ROWS, np.nan)},
            {"target": "Q"},
            InsufficientDataError,
            "at least 30 samples",
        ),
        ({"Q": np.full(ROWS, 5.0)}, {"target": "Q"}, InsufficientDataError, "never changes"),
        (
            {name: np.ones(ROWS) for name in ("T", "P", "F")},
            {"target": "Q"},
            InsufficientDataError,
            "no input changes",
        ),
    ],
)
def test_what_cannot_work_is_refused(context_for, change, parameters, kind, text):
    data, _ = plant()
    with pytest.raises(kind, match=text):
        run(SoftSensorInput(**parameters), context_for({**data, **change}))
