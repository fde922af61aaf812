from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from orchestrator.errors import InsufficientDataError, ParameterError, UnknownTagError
from orchestrator.modules.forecasting.models import LimitForecast, TimeToLimitInput
from orchestrator.modules.forecasting.time_to_limit import run
from orchestrator.plant.tags import Equipment, Limits, Plant, Tag

HOURS = 400
TIMES = np.datetime64("2025-01-01", "us") + np.arange(HOURS) * np.timedelta64(3600, "s")


def rising(slope: float = 0.5, noise: float = 1.0, seed: int = 2) -> np.ndarray:
    return 100 + slope * np.arange(HOURS) + np.random.default_rng(seed).normal(0, noise, HOURS)


def flat(seed: int = 3) -> np.ndarray:
    return 50 + np.random.default_rng(seed).normal(size=HOURS)


def plant(**limits: float) -> Plant:
    return Plant(tags=(Tag(name="T", unit="degC", limits=Limits(**limits)), Tag(name="F")))


def only(found: tuple[LimitForecast, ...]) -> LimitForecast:
    (item,) = found
    return item


def test_a_steady_rise_reaches_its_limit_when_it_should(context_for):
    context = context_for({"time": TIMES, "T": rising(), "F": flat()}, plant(high=310))
    item = only(run(TimeToLimitInput(horizon_hours=48), context).limits)
    # the line stands at 299.5 at the last hour and climbs 0.5 an hour: the limit is 21 h away, and
    # noise of one degree touches it a little before the line does
    assert 14 <= item.hours <= 22
    assert item.probability > 0.9
    assert item.earliest_time <= item.median_time
    assert not item.beyond


def test_probability_of_a_random_walk_agrees_with_the_reflection_principle(context_for):
    found = []
    for seed in range(6):
        steps = np.random.default_rng(seed).normal(size=HOURS)
        walk = 1000 + np.cumsum(steps)
        limit = float(walk[-1]) + 5.0
        context = context_for({"time": TIMES, "T": walk}, plant(high=limit))
        found.append(only(run(TimeToLimitInput(horizon=24), context).limits).probability)
    expected = 2 * (1 - norm.cdf(5.0 / np.sqrt(24)))
    assert np.mean(found) == pytest.approx(expected, abs=0.12)


def test_a_value_already_beyond_its_limit_is_said_first(context_for):
    context = context_for({"time": TIMES, "T": rising(), "F": flat()}, plant(high=200, low=20))
    result = run(TimeToLimitInput(), context)
    first = result.limits[0]
    assert (first.limit, first.beyond, first.hours) == ("high", True, 0.0)
    assert "already reached" in result.summary
    assert result.limits[1].probability < 0.05


def test_a_quiet_tag_far_from_its_limit_is_not_alarmed(context_for):
    context = context_for({"time": TIMES, "T": flat(), "F": flat()}, plant(high=90, high_high=95))
    result = run(TimeToLimitInput(), context)
    assert {item.limit for item in result.limits} == {"high", "high_high"}
    assert all(item.probability == 0 and item.median_time is None for item in result.limits)
    assert "No limit is likely" in result.summary


def test_failing_equipment_is_forecast_from_its_health(context_for):
    equipment = Equipment(id="E-101", kind="exchanger", health="1 - (T - 100) / 500")
    site = plant(high=2000).model_copy(update={"equipment": (equipment,)})
    context = context_for({"time": TIMES, "T": rising(), "F": flat()}, site)
    result = run(TimeToLimitInput(equipment=("E-101",), horizon_hours=120), context)
    item = only(result.limits)
    assert (item.kind, item.limit, item.limit_value) == ("equipment", "health", 0.5)
    # health falls 0.001 an hour from 0.6
    assert 85 <= item.hours <= 110
    assert "E-101 health limit" in result.summary


def test_what_cannot_be_said_has_its_reason(context_for):
    tags = (
        Tag(name="T", limits=Limits(high=400)),
        Tag(name="C", limits=Limits(high=9)),
        Tag(name="gone", limits=Limits(high=9)),
    )
    site = Plant(tags=tags, equipment=(Equipment(id="P-1", health="1 - vibration / 10"),))
    context = context_for({"time": TIMES, "T": rising(), "C": np.full(HOURS, 5.0)}, site)
    result = run(TimeToLimitInput(), context)
    assert "never changes" in result.skipped["C"]
    assert result.skipped["gone"] == "it has no values in the data"
    assert result.skipped["P-1"] == "its health needs vibration, which the data lacks"
    assert {item.name for item in result.limits} == {"T"}


def test_a_named_tag_without_limits_says_how_to_give_them(context_for):
    context = context_for({"time": TIMES, "T": rising(), "F": flat()}, plant(high=400))
    result = run(TimeToLimitInput(tags=("F", "T")), context)
    assert {item.name for item in result.limits} == {"T"}
    assert "no alarm limits" in result.skipped["F"]
    with pytest.raises(ParameterError, match="F: it has no alarm limits; give them"):
        run(TimeToLimitInput(tags=("F",)), context)


def test_where_nothing_named_can_be_said_that_is_an_error(context_for):
    context = context_for({"time": TIMES, "T": rising(), "F": flat()}, plant(high=400))
    for asked in ({"tags": ("T",)}, {}):
        with pytest.raises(InsufficientDataError):
            run(TimeToLimitInput(horizon=HOURS, **asked), context)
    alone = context_for({"time": TIMES, "F": flat()})
    with pytest.raises(UnknownTagError, match="no tag 'X'"):
        run(TimeToLimitInput(limits={"X": Limits(high=310)}), alone)
    both = run(TimeToLimitInput(limits={"X": Limits(high=310), "F": Limits(high=90)}), alone)
    assert both.skipped == {"X": "it has no values in the data"}


def test_a_tag_keeps_its_spelling_in_the_summary(context_for):
    context = context_for({"time": TIMES, "rw": rising()})
    result = run(TimeToLimitInput(limits={"rw": Limits(high=200)}), context)
    assert result.summary.startswith("rw high limit 200 (now ")


def test_limits_can_be_given_with_the_request(context_for):
    context = context_for({"time": TIMES, "X": rising()})
    result = run(TimeToLimitInput(limits={"X": Limits(high=310)}, horizon_hours=48), context)
    assert only(result.limits).probability > 0.9


def test_a_plant_without_limits_has_nothing_to_watch(context_for):
    result = run(TimeToLimitInput(), context_for({"time": TIMES, "X": rising()}))
    assert "nothing to watch" in result.summary


def test_unknown_names_are_refused(context_for):
    context = context_for({"time": TIMES, "T": rising(), "F": flat()}, plant(high=400))
    with pytest.raises(UnknownTagError, match="no tag 'X'"):
        run(TimeToLimitInput(tags=("X",)), context)
    with pytest.raises(ParameterError, match="no equipment 'E-9'"):
        run(TimeToLimitInput(equipment=("E-9",)), context)
    with pytest.raises(InsufficientDataError, match="there is 1 row"):
        run(TimeToLimitInput(), context_for({"time": TIMES[:1], "T": [1.0]}, plant(high=4)))


def test_the_same_input_gives_the_same_answer(context_for):
    context = context_for({"time": TIMES, "T": rising(), "F": flat()}, plant(high=310))
    assert run(TimeToLimitInput(), context) == run(TimeToLimitInput(), context)
