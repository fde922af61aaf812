"""Fitted models are kept, carried on, fitted anew when they drift, and withdrawn when worse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from orchestrator.modules.forecasting import forecast as operation
from orchestrator.modules.forecasting.forecast import run
from orchestrator.modules.forecasting.models import ForecastInput, ForecastResult
from orchestrator.modules.forecasting.store import ModelStore

DAYS = 220
RNG = np.random.default_rng(21)
VALUES = 100 + 8 * np.sin(2 * np.pi * np.arange(DAYS + 40) / 7) + RNG.normal(size=DAYS + 40)


@pytest.fixture
def ask(context_for, tmp_path: Path):
    """``ask(values)``: a forecast over these days, with one folder for models."""

    def run_on(values: np.ndarray, **parameters: object) -> ForecastResult:
        times = np.datetime64("2024-01-01", "us") + np.arange(len(values)) * np.timedelta64(1, "D")
        context = context_for({"time": times, "F": values}, folder=tmp_path / "module")
        asked = {"targets": ("F",), "horizon": 7, "models": "fast"} | parameters
        return run(ForecastInput(**asked), context)

    return run_on


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Length of the history of every fit so far."""
    lengths: list[int] = []
    real = operation.select

    def counted(history, *args, **kwargs):
        lengths.append(len(history.values))
        return real(history, *args, **kwargs)

    monkeypatch.setattr(operation, "select", counted)
    return lengths


def test_the_same_data_is_answered_without_a_fit(ask, fits):
    first, second = ask(VALUES[:DAYS]), ask(VALUES[:DAYS])
    assert fits == [DAYS]
    assert second.forecasts == first.forecasts
    assert not first.models["F"].fitted.reused
    assert first.models["F"].fitted.why == "no model of this series is stored"
    assert second.models["F"].fitted.reused
    assert second.models["F"].fitted.fingerprint == first.models["F"].fitted.fingerprint


def test_a_stored_model_is_carried_on_and_its_live_errors_are_told(ask, fits):
    first = ask(VALUES[:DAYS])
    later = ask(VALUES[: DAYS + 5])
    assert fits == [DAYS]
    score = later.models["F"]
    assert score.last_time == "2024-08-12T00:00:00Z"
    assert later.forecasts[0].time == "2024-08-13T00:00:00Z"
    # one value of the last origin but four has five errors, and so on: 5 + 4 + 3 + 2 + 1
    assert score.fitted.live.values == 15
    predicted = [point.mean for point in first.forecasts[:5]]
    of_first_origin = np.abs(np.array(predicted) - VALUES[DAYS : DAYS + 5])
    assert score.fitted.live.mae == pytest.approx(of_first_origin.mean(), rel=0.5)
    assert set(score.fitted.live.coverage) == {"80", "95"}


def test_many_new_values_call_for_a_new_version(ask, fits):
    ask(VALUES[:DAYS])
    result = ask(VALUES[: DAYS + 30])
    assert fits == [DAYS, DAYS + 30]
    assert result.models["F"].fitted.version == 2
    assert "30 values have come" in result.models["F"].fitted.why


def test_a_drift_calls_for_a_new_version(ask, fits):
    ask(VALUES[:DAYS])
    moved = VALUES[: DAYS + 10].copy()
    moved[DAYS:] = 100 + 40 * RNG.normal(size=10)
    result = ask(moved)
    assert fits == [DAYS, DAYS + 10]
    assert "have grown by half" in result.models["F"].fitted.why


@pytest.mark.parametrize(
    "change", [lambda v: v[:-3], lambda v: v * 1.01, lambda v: np.append(v[:-1], v[-1] + 1e-6)]
)
def test_a_model_that_has_seen_other_values_is_not_used(ask, fits, change):
    ask(VALUES[:DAYS])
    other = change(VALUES[:DAYS])
    assert not ask(other).models["F"].fitted.reused
    assert fits == [DAYS, len(other)]


def test_changed_plans_and_inputs_are_seen(context_for, tmp_path, fits):
    """With the same history another plan is another forecast, another past input another model."""
    times = np.datetime64("2024-01-01", "us") + np.arange(DAYS + 3) * np.timedelta64(1, "D")
    feed = np.repeat(np.random.default_rng(1).uniform(900, 1100, 75), 3)[: DAYS + 3]
    made = np.append(0.3 * feed[:DAYS] + RNG.normal(size=DAYS), np.full(3, np.nan))
    other = RNG.normal(size=DAYS + 3)
    asked = ForecastInput(
        targets=("P",), horizon=3, known_future=("feed",), inputs=("x",), models="fast"
    )

    def ask_with(plan: np.ndarray, x: np.ndarray) -> ForecastResult:
        columns = {"time": times, "P": made, "feed": plan, "x": x}
        return run(asked, context_for(columns, folder=tmp_path / "module"))

    first = ask_with(feed, other)
    raised = feed.copy()
    raised[DAYS:] += 200
    second = ask_with(raised, other)
    assert len(fits) == 1
    assert second.models["P"].fitted.reused
    for before, after in zip(first.forecasts, second.forecasts, strict=True):
        assert after.mean - before.mean == pytest.approx(60, rel=0.15)
    moved = other.copy()
    moved[DAYS - 1] += 30
    assert not ask_with(feed, moved).models["P"].fitted.reused


def test_two_sources_under_one_name_do_not_fit_each_other_again(ask, fits):
    ask(VALUES[:DAYS])
    ask(VALUES[:DAYS] * 1.3)
    assert len(fits) == 2
    assert ask(VALUES[:DAYS]).models["F"].fitted.reused
    assert ask(VALUES[:DAYS] * 1.3).models["F"].fitted.reused
    assert len(fits) == 2


def test_another_horizon_or_pool_is_another_model(ask, fits):
    ask(VALUES[:DAYS])
    ask(VALUES[:DAYS], horizon=3)
    ask(VALUES[:DAYS], models="full")
    assert len(fits) == 3


def test_a_version_that_does_worse_than_the_one_before_is_withdrawn(ask, fits, tmp_path):
    """The second version is spoiled by hand: its forecasts are twenty too high."""
    ask(VALUES[:DAYS])
    ask(VALUES[: DAYS + 30])
    store = ModelStore(tmp_path / "module" / "models")
    (path,) = (tmp_path / "module" / "models").glob("*.pkl")
    second, first = store.recall(path.stem)
    spoiled = dict(second.fields) | {"mae": dict.fromkeys(second.fields["mae"], 9000000000.0)}
    store.keep(path.stem, [replace(second, model=_too_high(second.model), fields=spoiled), first])
    result = ask(VALUES[: DAYS + 36])
    assert result.models["F"].fitted.version == 1
    assert result.models["F"].fitted.live.mae < 5
    assert [item.withdrawn for item in store.recall(path.stem)] == [True, False]


def test_of_two_sources_only_the_worse_version_of_one_is_withdrawn(ask, tmp_path):
    ask(VALUES[:DAYS])
    ask(VALUES[: DAYS + 30])
    ask(1.3 * VALUES[:DAYS])
    store = ModelStore(tmp_path / "module" / "models")
    (path,) = (tmp_path / "module" / "models").glob("*.pkl")
    other, second, first = store.recall(path.stem)
    spoiled = dict(second.fields) | {"mae": dict.fromkeys(second.fields["mae"], 9000000000.0)}
    bad = replace(second, model=_too_high(second.model), fields=spoiled)
    store.keep(path.stem, [other, bad, first])
    found = ask(VALUES[: DAYS + 36])
    assert found.models["F"].fitted.version == 1
    assert [item.withdrawn for item in store.recall(path.stem)] == [False, True, False]
    assert ask(1.3 * VALUES[:DAYS]).models["F"].fitted.reused


def test_what_came_beyond_a_gap_is_no_live_error(ask):
    """After twenty empty days the series goes on elsewhere: no forecast made before is judged by it."""
    ask(VALUES[:DAYS])
    later = np.concatenate((VALUES[: DAYS + 3], np.full(21, np.nan), VALUES[DAYS : DAYS + 4] + 500))
    live = ask(later).models["F"].fitted.live
    assert live is not None
    assert live.values < 20
    assert live.mae < 300


def test_a_damaged_file_counts_as_absent(ask, fits, tmp_path):
    ask(VALUES[:DAYS])
    (path,) = (tmp_path / "module" / "models").glob("*.pkl")
    path.write_bytes(path.read_bytes()[:100])
    assert not ask(VALUES[:DAYS]).models["F"].fitted.reused
    assert len(fits) == 2


def test_series_not_fitted_for_long_are_forgotten(ask, tmp_path, monkeypatch):
    monkeypatch.setattr("orchestrator.modules.forecasting.store.SERIES_KEPT", 2)
    for horizon in (2, 3, 4):
        ask(VALUES[:DAYS], horizon=horizon)
    assert len(list((tmp_path / "module" / "models").glob("*.pkl"))) == 2
    assert not ask(VALUES[:DAYS], horizon=2).models["F"].fitted.reused


class TooHigh:
    """A model whose forecasts are twenty too high."""

    name = "too_high"

    def __init__(self, model: object) -> None:
        self.model = model

    def predict(self, history, ends, steps):
        return self.model.predict(history, ends, steps) + 20


def _too_high(model: bytes) -> bytes:
    import pickle

    return pickle.dumps(TooHigh(pickle.loads(model)))
