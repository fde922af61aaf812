"""Degradation through ``time_to_limit``. All series are simulated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from orchestrator.errors import UnknownTagError
from orchestrator.modules.forecasting.degradation_models import DegradationForecast
from orchestrator.modules.forecasting.models import TimeToLimitInput
from orchestrator.modules.forecasting.time_to_limit import run
from orchestrator.plant.expressions import Expression
from orchestrator.plant.tags import Equipment, Limits, Plant, Tag
from orchestrator.plant.twin.recording import record
from orchestrator.plant.twin.scenario import load_scenario
from orchestrator.plant.twin.source import TwinSource

DAYS = 120
TIMES = np.datetime64("2025-01-01", "us") + np.arange(DAYS) * np.timedelta64(86_400, "s")
LAST = datetime(2025, 4, 30, tzinfo=UTC)
COSTS = {"cost_usd": 9_800, "loss_usd_per_day_per_unit": 100}


def rising(rate: float = 0.04, seed: int = 1) -> np.ndarray:
    return 2 + rate * np.arange(DAYS) + np.random.default_rng(seed).normal(0, 0.03, DAYS)


def asked(context, **degradation) -> DegradationForecast:
    result = run(TimeToLimitInput(degradation=degradation), context)
    (item,) = result.degradation
    return item


def reason(context, **degradation) -> str:
    result = run(TimeToLimitInput(degradation=degradation), context)
    assert result.degradation == ()
    (text,) = result.skipped.values()
    assert text in result.summary
    return text


def days_after(text: str | None) -> float:
    assert text is not None
    return (datetime.fromisoformat(text) - LAST) / timedelta(days=1)


def test_a_steady_rise_is_dated_far_beyond_the_horizon(context_for):
    item = asked(context_for({"time": TIMES, "R": rising()}), R={"limit": 12})
    assert (item.model, item.direction) == ("linear", "rising")
    assert item.per_day == pytest.approx(0.04, rel=0.02)
    # 2 + 0.04 d is 12 on day 250, 131 days after the last
    assert item.days == pytest.approx(131, abs=4)
    assert days_after(item.earliest_time) <= item.days <= days_after(item.latest_time)
    assert item.probability == 0.0
    assert item.probability_ever == 1.0
    assert not item.beyond


def test_the_economic_date_is_that_of_the_closed_form(context_for):
    context = context_for({"time": TIMES, "R": rising()})
    item = asked(context, R={"limit": 40, "cleaning": COSTS})
    advice = item.cleaning
    assert advice.interval_days == pytest.approx(np.sqrt(2 * 9_800 / (100 * 0.04)), rel=0.03)
    # the record is older than the 70 days
    assert (advice.reason, advice.date) == ("overdue", "2025-04-30T00:00:00Z")
    assert advice.week_earlier_usd is None
    assert advice.now_usd_per_day == pytest.approx(100 * 0.04 * 119, rel=0.05)
    assert any("taken for clean" in note for note in item.notes)
    later = asked(context, R={"cleaning": {**COSTS, "cost_usd": 90_000}})
    assert later.cleaning.reason == "economics"
    assert days_after(later.cleaning.date) == pytest.approx(np.sqrt(45_000) - 119, rel=0.05)
    assert later.cleaning.earliest <= later.cleaning.date <= later.cleaning.latest
    assert later.cleaning.week_earlier_usd == pytest.approx(98, rel=0.1)
    assert (later.limit, later.probability, later.median_time) == (None, None, None)


def test_a_limit_before_the_economic_date_is_what_counts(context_for):
    context = context_for({"time": TIMES, "R": rising()})
    item = asked(context, R={"limit": 8, "cleaning": {**COSTS, "cost_usd": 900_000}})
    assert item.cleaning.reason == "limit"
    assert item.cleaning.date == item.earliest_time
    assert item.cleaning.week_later_usd is None


def test_a_wandering_level_is_said_in_the_summary(context_for):
    wander = np.cumsum(np.random.default_rng(3).normal(0, 0.1, DAYS))
    drifting = context_for({"time": TIMES, "R": 0.08 * np.arange(DAYS) + wander})
    result = run(TimeToLimitInput(degradation={"R": {"limit": 20}}), drifting)
    assert "R degrades and reaches 20" in result.summary
    assert "wanders about the curve; what comes may lie outside the interval" in result.summary
    steady = context_for({"time": TIMES, "R": rising()})
    result = run(TimeToLimitInput(degradation={"R": {"limit": 12}}), steady)
    assert "wanders" not in result.summary


def test_cleaning_that_never_pays_is_said(context_for):
    age = np.arange(DAYS)
    values = 2 + 1 - np.exp(-age / 20) + np.random.default_rng(3).normal(0, 0.01, DAYS)
    context = context_for({"time": TIMES, "R": values})
    item = asked(context, R={"cleaning": {**COSTS, "cost_usd": 50_000}})
    advice = item.cleaning
    assert (advice.reason, advice.date, advice.interval_days) == ("never", None, None)
    assert "does not pay within ten years" in advice.text
    assert advice.best_usd_per_day == pytest.approx(100, rel=0.05)


def test_past_cleanings_are_found_and_make_the_usual_interval(context_for):
    age = np.arange(DAYS) % 40
    values = 2 + 0.04 * age + np.random.default_rng(4).normal(0, 0.03, DAYS)
    context = context_for({"time": TIMES, "R": values})
    item = asked(context, R={"limit": 9, "cleaning": COSTS})
    assert item.cleanings == ("2025-02-10T00:00:00Z", "2025-03-22T00:00:00Z")
    assert item.level_after_cleaning == pytest.approx(2, abs=0.05)
    assert item.cleaning.usual_interval_days == pytest.approx(40)
    assert item.cleaning.usual_usd_per_day > item.cleaning.best_usd_per_day
    assert days_after(item.cleaning.date) == pytest.approx(70 - 39, abs=3)
    given = asked(context, R={"limit": 9, "cleaned_at": ["2025-03-22T00:00:00Z"]})
    assert given.cleanings == ("2025-03-22T00:00:00Z",)


def test_what_is_beyond_its_limit_already_comes_first(context_for):
    context = context_for({"time": TIMES, "R": rising(), "S": rising(0.01, 2)})
    parameters = TimeToLimitInput(degradation={"S": {"limit": 9}, "R": {"limit": 5}})
    result = run(parameters, context)
    assert [item.name for item in result.degradation] == ["R", "S"]
    first = result.degradation[0]
    assert (first.beyond, first.days, first.probability) == (True, 0.0, 1.0)
    cleaned = asked(context, R={"limit": 5, "cleaning": {"cost_usd": 1e9}}).cleaning
    assert (cleaned.reason, cleaned.date) == ("limit", "2025-04-30T00:00:00Z")
    assert cleaned.text.startswith("Clean now")
    assert "R is beyond 5" in result.summary


def test_equipment_that_declines_is_dated_without_being_asked(context_for):
    site = Plant(
        tags=(Tag(name="R"), Tag(name="Q")),
        equipment=(
            Equipment(id="E-1", kind="exchanger", health="1 - (R - 2) / 20"),
            Equipment(id="E-2", kind="exchanger", health="0.9 + 0 * R + Q"),
        ),
    )
    quiet = np.random.default_rng(5).normal(0, 0.01, DAYS)
    context = context_for({"time": TIMES, "R": rising(), "Q": quiet}, site)
    result = run(TimeToLimitInput(), context)
    (item,) = result.degradation
    assert (item.name, item.direction, item.limit) == ("E-1", "falling", 0.5)
    assert item.days == pytest.approx(131, rel=0.05)
    assert "E-1 degrades and reaches 0.5" in result.summary
    assert {found.name for found in result.limits} == {"E-1", "E-2"}


def test_three_days_of_falling_health_are_not_called_wear_unasked(context_for):
    site = Plant(equipment=(Equipment(id="E-1", health="1 - (R - 2) / 20"),))
    times = TIMES[0] + np.arange(DAYS) * np.timedelta64(36 * 60, "s")
    result = run(TimeToLimitInput(), context_for({"time": times, "R": rising()}, site))
    assert result.degradation == ()
    assert result.limits


def test_lives_alone_give_the_age_to_change_at(context_for):
    lives = [{"days": d} for d in (80, 95, 110, 120, 135, 150)] + [{"days": 90, "failed": False}]
    item = asked(
        context_for({"time": TIMES, "R": rising()}),
        filter_12={
            "kind": "filter",
            "lives": lives,
            "age_days": 60,
            "cleaning": {"cost_usd": 1_000, "failure_cost_usd": 20_000},
        },
    )
    assert item.model == "weibull"
    assert item.parameters["shape"] > 2
    assert 20 < item.days < 90
    assert 30 < item.cleaning.interval_days < 110
    assert item.cleaning.date is not None


def test_lives_are_read_from_the_runs_of_a_record(context_for):
    """Four runs reach the limit of 4, two were ended before, one is under way."""
    lengths, tops = [16, 20, 18, 14, 19, 17, 16], [4.2, 4.1, 3.0, 4.3, 2.9, 4.2, 2.5]
    runs = [np.linspace(1, top, n) for n, top in zip(lengths, tops, strict=True)]
    context = context_for({"time": TIMES, "R": np.concatenate(runs)})
    item = asked(context, R={"kind": "filter", "model": "weibull", "limit": 4.0})
    assert "4 of 7 runs" in item.notes[0]
    assert 12 < item.parameters["scale_days"] < 30


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.full(DAYS, np.nan), "all 120 values are missing"),
        (np.full(DAYS, 4.0), "never changes"),
        (np.where(np.arange(DAYS) < 8, rising(), np.nan), "values at 8 times"),
        (np.where(np.arange(DAYS) == 60, np.inf, rising()), "1 values are infinite"),
        (rising(-0.02), "it does not degrade"),
    ],
    ids=["missing", "constant", "few", "infinite", "improving"],
)
def test_bad_records_are_skipped_with_their_reason(context_for, values, text):
    context = context_for({"time": TIMES, "R": values, "Q": rising()})
    assert text in reason(context, R={"limit": 12, "direction": "rising"})


def test_what_cannot_be_asked_is_refused_or_skipped(context_for):
    context = context_for({"time": TIMES, "R": rising()})
    assert "it has no limit" in reason(context, R={})
    assert "curve for the other direction" in reason(
        context, R={"model": "hyperbolic", "limit": 12}
    )
    wrong = {"limit": 12, "cleaning": {"cost_usd": 1, "value_after": 13}}
    assert "value_after is 13, which is beyond the limit 12" in reason(context, R=wrong)
    assert "0 of 1 runs ended" in reason(context, R={"model": "weibull", "limit": 99})
    with pytest.raises(UnknownTagError, match="no tag 'X'"):
        run(TimeToLimitInput(degradation={"X": {"limit": 1}}), context)
    site = Plant(equipment=(Equipment(id="P-1", health="1 - vibration / 10"),))
    lacking = context_for({"time": TIMES, "R": rising()}, site)
    assert "vibration, which the data lacks" in reason(lacking, **{"P-1": {}})


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ({"cleaning": {"cost_usd": -1}}, "greater than or equal to 0"),
        ({"limit": float("inf")}, "finite number"),
        ({"lives": [{"days": 3}]}, "age_days"),
        ({"lives": [{"days": 3}], "age_days": 1, "model": "linear"}, "model: weibull"),
        ({"limti": 3}, "Extra inputs"),
    ],
)
def test_wrong_parameters_name_the_field(what, text):
    with pytest.raises(ValidationError, match=text):
        TimeToLimitInput(degradation={"R": what})


def test_the_limit_of_the_plant_file_sets_the_direction(context_for):
    site = Plant(tags=(Tag(name="R", unit="degC", limits=Limits(high=12.0)),))
    item = asked(context_for({"time": TIMES, "R": rising()}, site), R={"kind": "catalyst"})
    assert (item.limit, item.direction, item.unit) == (12.0, "rising", "degC")


@pytest.fixture(scope="module")
def fouling(tmp_path_factory) -> tuple[pa.Table, Plant, datetime]:
    """The scenario of slow fouling with a cleaning, 20 days longer, a sample every half hour."""
    scenario = load_scenario(Path("fouling")).model_copy(
        update={"period_seconds": 1800, "warm_up_hours": 48}
    )
    source = TwinSource(scenario, seed=4)
    path = tmp_path_factory.mktemp("twin") / "run.parquet"
    record(source, path, 24 * 72, truth=False)
    return pq.read_table(path).drop_columns(["faults"]), source.plant, source.start


def test_the_simulated_unit_is_cleaned_when_its_record_says_and_fouls_as_it_then_does(
    fouling, context_for
):
    table, site, start = fouling
    known = table.slice(0, 48 * 40)
    cleaned = start + timedelta(minutes=28_800 + 720)
    item = asked(
        context_for(known, site),
        **{"E-101": {"limit": 0.8, "cleaning": {"cost_usd": 40_000, **LOSS}}},
    )
    (found,) = item.cleanings
    assert abs(datetime.fromisoformat(found) - cleaned) < timedelta(hours=8)
    # when the health, over three days, in fact comes to 0.8
    values = {name: table[name].to_numpy() for name in table.column_names if name != "time"}
    health = np.asarray(Expression.parse(site.equipment[0].health).evaluate(values))
    late = np.convolve(health, np.ones(144) / 144, mode="valid")
    first = int(np.argmax((late <= 0.8) & (np.arange(len(late)) > 48 * 40)))
    assert late[first] <= 0.8
    reached = start + timedelta(minutes=30 * (first + 72))
    assert datetime.fromisoformat(item.earliest_time) <= reached + timedelta(days=2)
    assert reached <= datetime.fromisoformat(item.latest_time) + timedelta(days=2)
    assert abs(datetime.fromisoformat(item.median_time) - reached) < timedelta(days=7)
    assert item.cleaning.date is not None
    assert item.cleaning.value_after == pytest.approx(0.95, abs=0.02)


LOSS = {"downtime_hours": 12, "loss_usd_per_day_per_unit": 25_000}


def test_the_coking_furnace_is_dated_without_being_asked(fouling, context_for):
    table, site, _ = fouling
    result = run(TimeToLimitInput(equipment=("H-101",)), context_for(table.slice(0, 48 * 20), site))
    (item,) = result.degradation
    assert item.name == "H-101"
    assert item.per_day < 0
