from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import ValidationError

from orchestrator.errors import DataError, InsufficientDataError, UnknownTagError
from orchestrator.modules.forecasting.forecast import run
from orchestrator.modules.forecasting.models import ForecastInput, ForecastResult
from orchestrator.modules.forecasting.naive import Naive
from orchestrator.modules.forecasting.selection import origins_of
from orchestrator.modules.forecasting.series import history, plan
from orchestrator.modules.frames import Frame
from orchestrator.plant.tags import Limits, Plant, Tag

DAYS = 260


def days(count: int = DAYS, start: str = "2024-01-01") -> np.ndarray:
    return np.datetime64(start, "us") + np.arange(count) * np.timedelta64(86_400_000_000, "us")


def weekly(count: int = DAYS, seed: int = 3) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(scale=0.5, size=count)
    return 100 + 10 * np.sin(2 * np.pi * np.arange(count) / 7) + noise


def walk(count: int = DAYS, seed: int = 4) -> np.ndarray:
    return 500 + np.cumsum(np.random.default_rng(seed).normal(size=count))


def means(result: ForecastResult, target: str) -> np.ndarray:
    return np.array([point.mean for point in result.forecasts if point.target == target])


def test_a_weekly_cycle_is_found_and_continued(context_for):
    values = weekly(DAYS + 7)
    context = context_for({"time": days(), "F": values[:DAYS]})
    result = run(ForecastInput(targets=("F",), horizon=7), context)
    assert result.models["F"].season == 7
    assert np.abs(means(result, "F") - values[DAYS:]).max() < 2.5
    assert result.forecasts[0].time == "2024-09-17T00:00:00Z"
    assert [point.time[8:10] for point in result.forecasts] == [f"{d}" for d in range(17, 24)]


def test_the_chosen_model_is_never_worse_than_the_best_naive_one_on_its_past(context_for):
    context = context_for({"time": days(), "F": walk(), "G": weekly()})
    for score in run(ForecastInput(targets=("F", "G"), horizon=5), context).models.values():
        naive = [score.errors[n] for n in ("naive", "seasonal_naive") if n in score.errors]
        assert score.errors[score.model] <= min(naive)
        assert score.skill_pct >= 0
        assert {"naive", "ets", "theta", "ridge", "gradient_boosting"} <= set(score.errors)


def test_intervals_contain_one_another_widen_and_cover(context_for):
    context = context_for({"time": days(), "F": walk()})
    result = run(ForecastInput(targets=("F",), horizon=7), context)
    bands = [point.quantiles for point in result.forecasts]
    for band in bands:
        assert band["0.025"] <= band["0.1"] < band["0.9"] <= band["0.975"]
    widths = [band["0.975"] - band["0.025"] for band in bands]
    assert widths[-1] > widths[0]
    assert result.models["F"].coverage["80"] == pytest.approx(0.80, abs=0.08)
    assert result.models["F"].coverage["95"] == pytest.approx(0.95, abs=0.05)


def test_intervals_cover_values_that_were_not_seen(context_for):
    inside = total = 0
    for seed in range(8):
        values = walk(207, seed)
        context = context_for({"time": days(200), "F": values[:200]})
        result = run(ForecastInput(targets=("F",), horizon=7), context)
        for point, actual in zip(result.forecasts, values[200:], strict=True):
            inside += point.quantiles["0.1"] <= actual <= point.quantiles["0.9"]
            total += 1
    assert 0.62 <= inside / total <= 0.95


def test_the_same_input_gives_the_same_forecast(context_for):
    context = context_for({"time": days(), "F": walk(), "G": weekly()})
    parameters = ForecastInput(targets=("F", "G"), horizon=3)
    assert run(parameters, context) == run(parameters, context)


def test_a_horizon_in_hours_is_met_with_few_steps(context_for):
    minutes = 3000
    times = np.datetime64("2025-03-01", "us") + np.arange(minutes) * np.timedelta64(60, "s")
    context = context_for({"time": times, "F": walk(minutes)})
    result = run(ForecastInput(targets=("F",), horizon_hours=8), context)
    assert result.period_seconds == 600
    assert result.horizon == 48
    assert any("means over 10 min" in note for note in result.warnings)


def test_a_long_gap_is_closed_up_and_a_short_one_bridged(context_for):
    values = weekly()
    values[100:160] = np.nan
    values[200:202] = np.nan
    result = run(
        ForecastInput(targets=("F",), horizon=7), context_for({"time": days(), "F": values})
    )
    score = result.models["F"]
    assert (score.missing, score.observations) == (62, DAYS - 62)
    assert score.interpolated == 60 % 7 + 2
    assert score.season == 7
    assert np.abs(means(result, "F") - weekly(DAYS + 7)[DAYS:]).max() < 3


def test_irregular_times_are_averaged_and_it_is_said(context_for):
    rng = np.random.default_rng(5)
    seconds = np.cumsum(rng.uniform(40, 80, size=400))
    times = np.datetime64("2025-01-01", "us") + (seconds * 1e6).astype("timedelta64[us]")
    result = run(
        ForecastInput(targets=("F",), horizon=5), context_for({"time": times, "F": walk(400)})
    )
    assert 55 <= result.period_seconds <= 65
    assert any("irregular" in note for note in result.warnings)


def test_rows_out_of_order_give_the_same_forecast(context_for):
    values = walk()
    order = np.random.default_rng(6).permutation(DAYS)
    parameters = ForecastInput(targets=("F",), horizon=3)
    straight = run(parameters, context_for({"time": days(), "F": values}))
    shuffled = run(parameters, context_for({"time": days()[order], "F": values[order]}))
    assert straight == shuffled


def test_a_flow_is_never_forecast_below_zero(context_for):
    plant = Plant(tags=(Tag(name="F", kind="flow", unit="t/h"),))
    values = np.abs(np.random.default_rng(8).normal(scale=3, size=DAYS))
    result = run(
        ForecastInput(targets=("F",), horizon=7), context_for({"time": days(), "F": values}, plant)
    )
    assert min(point.quantiles["0.025"] for point in result.forecasts) >= 0


def test_without_targets_at_most_twelve_key_tags_are_chosen_and_it_is_said(context_for):
    tags = tuple(Tag(name=f"F{i}", kind="flow") for i in range(15))
    alarmed = Tag(name="T", kind="temperature", limits=Limits(high=600))
    valve = Tag(name="V", kind="valve", controllable=True)
    columns = {f"F{i}": walk(seed=i) for i in range(15)} | {"T": walk(), "V": walk()}
    context = context_for({"time": days(), **columns}, Plant(tags=(*tags, valve, alarmed)))
    result = run(ForecastInput(horizon=2), context)
    assert len(result.models) == 12
    assert "T" in result.models
    assert "V" not in result.models
    assert "chosen, as none were named" in result.summary


def test_the_summary_names_a_limit_that_is_about_to_be_crossed(context_for):
    plant = Plant(tags=(Tag(name="F", unit="degC", limits=Limits(high=325)),))
    rising = np.arange(DAYS) * 0.85 + 100 + np.random.default_rng(1).normal(scale=0.2, size=DAYS)
    context = context_for({"time": days(), "F": rising}, plant)
    result = run(ForecastInput(targets=("F",), horizon=14), context)
    assert "Expected beyond an alarm limit: F" in result.summary


def test_one_bad_target_does_not_stop_the_others(context_for):
    context = context_for({"time": days(), "F": walk(), "C": np.full(DAYS, 5.0)})
    result = run(ForecastInput(targets=("F", "C"), horizon=3), context)
    assert set(result.models) == {"F"}
    assert "never changes" in result.refused["C"]


def test_a_stale_target_starts_at_its_own_last_value_and_it_is_said(context_for):
    late = walk()
    late[-20:] = np.nan
    result = run(
        ForecastInput(targets=("F", "L"), horizon=2),
        context_for({"time": days(), "F": walk(), "L": late}),
    )
    first = next(point for point in result.forecasts if point.target == "L")
    assert first.time == "2024-08-28T00:00:00Z"
    assert any(note.startswith("L has no value since 2024-08-27") for note in result.warnings)


INFINITE = walk()
INFINITE[10] = np.inf


@pytest.mark.parametrize(
    ("values", "kind", "text"),
    [
        (np.full(DAYS, np.nan), InsufficientDataError, "all 260 values are missing"),
        (np.full(DAYS, 7.0), InsufficientDataError, "never changes"),
        (
            np.where(np.arange(DAYS) == 9, 1.0, np.nan),
            InsufficientDataError,
            "there is 1 row with a value",
        ),
        (
            np.where(np.arange(DAYS) < 10, walk(), np.nan),
            InsufficientDataError,
            "at least 21 values",
        ),
        (INFINITE, DataError, "1 values are infinite"),
    ],
)
def test_bad_history_is_refused_with_what_is_needed(context_for, values, kind, text):
    with pytest.raises(kind, match=text):
        run(ForecastInput(targets=("F",), horizon=7), context_for({"time": days(), "F": values}))


def test_a_single_row_is_refused(context_for):
    with pytest.raises(InsufficientDataError, match="at least 20 values"):
        run(ForecastInput(targets=("F",)), context_for({"time": days(1), "F": [1.0]}))


def test_a_horizon_beyond_the_history_is_refused_with_what_would_do(context_for):
    context = context_for({"time": days(60), "F": walk(60)})
    with pytest.raises(InsufficientDataError, match="horizon of at most 20 steps"):
        run(ForecastInput(targets=("F",), horizon=21), context)


@pytest.mark.parametrize("parameters", [{"horizon": 0}, {"horizon": -3}, {"horizon_hours": 0.0}])
def test_a_horizon_not_above_zero_is_refused(parameters):
    with pytest.raises(ValidationError, match="horizon"):
        ForecastInput(targets=("F",), **parameters)


def test_duplicate_times_are_refused(context_for):
    times = days()
    times[7] = times[6]
    with pytest.raises(DataError, match="1 rows repeat a time, first 2024-01-07"):
        run(ForecastInput(targets=("F",)), context_for({"time": times, "F": walk()}))


def test_an_unknown_target_is_refused(context_for):
    with pytest.raises(UnknownTagError, match="no tag 'X'"):
        run(ForecastInput(targets=("F", "X")), context_for({"time": days(), "F": walk()}))


def test_twenty_rows_are_enough_for_a_short_horizon(context_for):
    result = run(
        ForecastInput(targets=("F",), horizon=2), context_for({"time": days(20), "F": walk(20)})
    )
    assert len(result.forecasts) == 2
    assert result.models["F"].coverage is None or result.models["F"].origins >= 10


def test_the_real_crude_unit_is_forecast_a_week_ahead(context_for, shared):
    data = pd.read_csv(shared / "data/cdu/cdu_daily.csv").rename(columns={"date": "time"})
    targets = tuple(name for name in data.columns if name.startswith("Total_"))
    table = pa.Table.from_pandas(data[["time", *targets]], preserve_index=False)
    result = run(ForecastInput(targets=targets, horizon=7), context_for(table))
    assert len(result.forecasts) == 7 * len(targets)
    assert all(score.missing > 60 for score in result.models.values())
    assert all(score.skill_pct >= 0 for score in result.models.values())


def test_naive_times_and_zoned_times_are_both_utc(context_for):
    start = pd.Timestamp("2024-01-01", tz="UTC")
    zoned = pa.array([start + timedelta(days=i) for i in range(DAYS)], pa.timestamp("us", "UTC"))
    parameters = ForecastInput(targets=("F",), horizon=1)
    with_zone = run(parameters, context_for({"time": zoned, "F": walk()}))
    without = run(parameters, context_for({"time": days(), "F": walk()}))
    assert with_zone.forecasts == without.forecasts


def test_no_past_moment_lies_in_a_gap_that_later_values_bridge(context_for):
    """What comes after a gap changes no forecast that was made before it ended."""
    values = walk(240)
    values[200:203] = np.nan
    raised = values.copy()
    raised[203:] += 40

    def errors(column: np.ndarray) -> np.ndarray:
        frame = Frame(days(240), ("F",), column[:, None])
        past = history(frame, "F", plan(frame, 2, None))
        ends = origins_of(past, 2, 200)
        assert not {201, 202, 203} & set(ends.tolist())
        return Naive().predict(past, [int(end) for end in ends if end <= 203], 2)

    assert errors(values) == pytest.approx(errors(raised))


def test_intervals_after_a_quiet_stretch_stay_in_proportion(context_for):
    """Long almost constant, then moving: no interval many times as wide as all that was seen."""
    rng = np.random.default_rng(4)
    values = np.concatenate((1 + 1e-4 * rng.normal(size=150), 1 + rng.normal(size=25)))
    context = context_for({"time": days(175), "F": values})
    result = run(ForecastInput(targets=("F",), horizon=5, models="fast"), context)
    widest = max(p.quantiles["0.975"] - p.quantiles["0.025"] for p in result.forecasts)
    assert widest < 6 * np.ptp(values)


@pytest.mark.parametrize(("name", "floor"), [("Total_Flowrate", True), ("TI101", False)])
def test_without_a_plant_file_a_name_tells_what_cannot_be_negative(context_for, name, floor):
    values = np.abs(np.random.default_rng(8).normal(scale=3, size=DAYS))
    result = run(
        ForecastInput(targets=(name,), horizon=7, models="fast"),
        context_for({"time": days(), name: values}),
    )
    lowest = min(point.quantiles["0.025"] for point in result.forecasts)
    assert (lowest >= 0) is floor


def test_rows_of_other_tags_do_not_thin_out_a_slow_one(context_for):
    """A value each eight hours in hourly rows is forecast in steps of eight hours."""
    hours = np.datetime64("2024-01-01", "us") + np.arange(8 * 90) * np.timedelta64(1, "h")
    slow = np.full(len(hours), np.nan)
    slow[::8] = walk(90)
    context = context_for({"time": hours, "L": slow, "F": walk(len(hours))})
    result = run(ForecastInput(targets=("L",), horizon=6, models="fast"), context)
    assert result.period_seconds == 8 * 3600
    assert result.models["L"].missing == 0


def test_inputs_that_lead_are_used_whatever_their_course(context_for):
    """y(t + 1) = 10 + 2 x(t): a wandering input explains what the target's own past does not."""
    lead = np.cumsum(np.random.default_rng(6).normal(size=DAYS))
    target = np.full(DAYS, 10.0)
    target[1:] += 2 * lead[:-1]
    target += np.random.default_rng(7).normal(scale=0.1, size=DAYS)
    context = context_for({"time": days(), "P": target, "x": lead})
    asked = ForecastInput(targets=("P",), horizon=1, inputs=("x",), models="fast")
    errors = run(asked, context).models["P"].errors
    assert errors["direct_linear"] < 0.3 * errors["naive"]


def test_known_columns_are_not_chosen_as_targets(context_for):
    times = days(DAYS + 3)
    feed = walk(DAYS + 3, seed=2)
    product = np.append(walk(DAYS), np.full(3, np.nan))
    context = context_for({"time": times, "P": product, "feed": feed})
    result = run(ForecastInput(horizon=3, known_future=("feed",), models="fast"), context)
    assert set(result.models) == {"P"}
    assert not result.refused


@pytest.mark.parametrize(("months", "season"), [(1, 12), (3, 4)])
@pytest.mark.parametrize("last_day", [False, True])
def test_months_and_quarters_are_steps_of_the_calendar(context_for, months, season, last_day):
    count = 96
    starts = np.datetime64("2000-01", "M") + months * np.arange(count + 1)
    dates = starts.astype("datetime64[D]")
    if last_day:
        dates = (starts + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    rng = np.random.default_rng(2)
    values = 50 + 8 * np.sin(2 * np.pi * np.arange(count) / season) + rng.normal(size=count)
    context = context_for({"time": dates[:count].astype("datetime64[us]"), "F": values})
    result = run(ForecastInput(targets=("F",), horizon=3, models="fast"), context)
    assert result.models["F"].season == season
    assert result.models["F"].missing == 0
    assert not any("irregular" in note for note in result.warnings)
    assert result.forecasts[0].time == f"{dates[count]}T00:00:00Z"
