from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from orchestrator.errors import DataError, UnknownTagError
from orchestrator.modules.etl import quality
from orchestrator.modules.etl.clean import run as clean
from orchestrator.modules.etl.models import CleanInput, TagQuality, ValidateInput, ValidateResult
from orchestrator.modules.etl.validate import run
from orchestrator.plant.tags import Balance, Limits, Plant, Tag, Term

RNG = np.random.default_rng(7)
ROWS = 600
TIMES = np.datetime64("2025-01-01T00:00:00", "us") + np.arange(ROWS) * np.timedelta64(60, "s")


def noisy(mean: float = 100.0) -> np.ndarray:
    return mean + np.random.default_rng(7).normal(size=ROWS)


def kinds(tag: TagQuality) -> set[str]:
    return {reason.kind for reason in tag.reasons}


def tag_of(result: ValidateResult, name: str = "F") -> TagQuality:
    return next(tag for tag in result.tags if tag.tag == name)


def test_clean_data_is_fit_for_use(context_for):
    result = run(ValidateInput(), context_for({"time": TIMES, "F": noisy(), "T": noisy(300)}))
    assert result.score == 1.0
    assert "fit for use" in result.summary
    assert result.time.period_seconds == 60


def test_a_frozen_meter_is_named_with_when_it_froze(context_for):
    values = noisy()
    values[400:] = values[400]
    quality = tag_of(run(ValidateInput(), context_for({"time": TIMES, "F": values})))
    (reason,) = quality.reasons
    assert (reason.kind, reason.count) == ("frozen", 199)
    assert reason.first == "2025-01-01T06:41:00Z"
    assert quality.score == pytest.approx(1 - 199 / ROWS, abs=1e-4)


def test_an_analyser_that_holds_its_value_between_runs_is_not_frozen(context_for):
    held = np.repeat(np.random.default_rng(1).normal(size=ROWS // 10), 10)
    quality = tag_of(run(ValidateInput(), context_for({"time": TIMES, "F": held})))
    assert quality.score == 1.0


def test_a_handle_that_nobody_moves_is_not_frozen(context_for):
    plant = Plant(tags=(Tag(name="F", kind="valve", controllable=True),))
    constant = np.full(ROWS, 41.0)
    assert (
        tag_of(run(ValidateInput(), context_for({"time": TIMES, "F": constant}, plant))).score == 1
    )
    assert tag_of(run(ValidateInput(), context_for({"time": TIMES, "F": constant}))).score == 0


def test_spikes_are_counted_but_a_step_of_the_plant_is_not_a_spike(context_for):
    values = noisy()
    values[300:] += 40
    values[[100, 200]] += 50
    quality = tag_of(run(ValidateInput(), context_for({"time": TIMES, "F": values})))
    assert kinds(quality) == {"spike"}
    assert quality.reasons[0].count == 2


def test_range_rate_missing_and_infinite_samples_each_have_their_reason(context_for):
    plant = Plant(tags=(Tag(name="F", kind="flow", unit="t/h", normal=(90, 110), rate_limit=20),))
    values = noisy()
    values[10:20] = 900
    values[50:80] = np.nan
    values[90] = np.inf
    quality = tag_of(run(ValidateInput(), context_for({"time": TIMES, "F": values}, plant)))
    assert {"out_of_range", "rate", "missing", "not_finite"} <= kinds(quality)
    assert quality.score < 1 - 41 / ROWS + 1e-9


def test_a_value_beyond_an_alarm_limit_is_an_alarm_and_not_bad_data(context_for):
    plant = Plant(tags=(Tag(name="F", normal=(90, 110), limits=Limits(high=140, high_high=160)),))
    values = noisy()
    values[300:] += 65
    quality = tag_of(run(ValidateInput(), context_for({"time": TIMES, "F": values}, plant)))
    assert "out_of_range" not in kinds(quality)


def test_a_stopped_flow_is_good_and_a_negative_one_is_not(context_for):
    plant = Plant(tags=(Tag(name="F", kind="flow", normal=(90, 110)),))
    values = noisy()
    values[300:] = np.random.default_rng(2).normal(scale=0.5, size=300)
    assert (
        tag_of(run(ValidateInput(), context_for({"time": TIMES, "F": values}, plant))).score > 0.99
    )
    values[300:] -= 60
    assert (
        tag_of(run(ValidateInput(), context_for({"time": TIMES, "F": values}, plant))).score < 0.51
    )


def test_duplicate_and_unordered_times_cost_score_and_are_said(context_for):
    times = TIMES.copy()
    times[100] = times[99]
    times[300], times[301] = times[301], times[300]
    result = run(ValidateInput(), context_for({"time": times, "F": noisy()}))
    assert (result.time.duplicates, result.time.unordered) == (1, 1)
    # the minute that the duplicate took the place of is missing
    assert result.score == pytest.approx(ROWS / (ROWS + 1) * (1 - 2 / ROWS), abs=1e-4)
    assert len(result.warnings) == 3


def test_text_columns_and_all_missing_columns_score_zero(context_for):
    table = pa.table({"time": TIMES, "F": noisy(), "E": pa.nulls(ROWS), "note": ["n/a"] * ROWS})
    result = run(ValidateInput(), context_for(table))
    assert {tag.tag: tag.score for tag in result.tags} == {"F": 1.0, "E": 0.0, "note": 0.0}


def test_an_unknown_tag_is_refused_with_what_there_is(context_for):
    with pytest.raises(UnknownTagError, match="The data has: F"):
        run(ValidateInput(tags=("X",)), context_for({"time": TIMES, "F": noisy()}))


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"time": TIMES[:0], "F": TIMES[:0].astype(float)}, "no rows"),
        ({"date": TIMES, "F": noisy()}, "no column 'time'"),
        ({"time": ["yesterday"], "F": [1.0]}, "is not a time"),
        ({"time": pa.array([None], pa.timestamp("us")), "F": [1.0]}, "have no time"),
    ],
)
def test_unusable_input_is_refused(context_for, columns, text):
    with pytest.raises(DataError, match=text):
        run(ValidateInput(), context_for(columns))


def test_normal_tennessee_eastman_data_is_fit(context_for, shared):
    data = pd.read_csv(shared / "data/tep/d00.csv.gz")
    result = run(ValidateInput(), context_for(pa.Table.from_pandas(data, preserve_index=False)))
    assert result.score > 0.99
    assert len(result.tags) == 52


def test_the_frozen_liquid_of_the_real_crude_unit_is_found(context_for, shared):
    data = pd.read_csv(shared / "data/cdu/cdu_daily.csv").rename(columns={"date": "time"})
    table = pa.Table.from_pandas(data.drop(columns="month"), preserve_index=False)
    name = "Rich_Gas_Knockout_Drum_Liquid_to_CDU"
    quality = tag_of(run(ValidateInput(tags=(name,)), context_for(table)), name)
    assert {"missing", "frozen"} <= kinds(quality)


def test_a_tag_that_has_just_stopped_moving_is_named_although_the_score_is_high() -> None:
    values = np.random.default_rng(5).normal(100, 1, 300)
    values[-9:] = values[-9]
    assert quality.standing(values) == 9
    assert quality.standing(values[:-7]) == 0
    held = np.repeat(np.random.default_rng(6).normal(100, 1, 60), 5)
    assert quality.standing(held) == 0


def test_a_slow_tag_is_held_to_its_own_period_and_not_to_that_of_the_rows(context_for):
    lab = np.full(ROWS, np.nan)
    lab[::60] = np.random.default_rng(1).normal(size=10)
    plant = Plant(tags=(Tag(name="L", kind="lab", period_seconds=3600),))
    for known in (plant, Plant()):
        found = tag_of(
            run(ValidateInput(), context_for({"time": TIMES, "F": noisy(), "L": lab}, known)), "L"
        )
        assert (found.score, found.expected, found.period_seconds) == (1.0, 10, 3600)
    lab[120:300] = np.nan
    found = tag_of(
        run(ValidateInput(), context_for({"time": TIMES, "F": noisy(), "L": lab}, plant)), "L"
    )
    assert found.score == 0.7


def test_a_tag_that_falls_silent_is_stale_and_each_lost_sample_counts_once(context_for):
    values = noisy()
    values[500:] = np.nan
    found = tag_of(run(ValidateInput(), context_for({"time": TIMES, "F": values, "G": noisy()})))
    assert kinds(found) == {"missing", "stale"}
    assert found.score == pytest.approx(5 / 6, abs=1e-4)
    assert "silent for 100 periods" in found.reasons[1].text


def test_a_value_in_another_unit_is_named_as_such(context_for):
    plant = Plant(tags=(Tag(name="T", kind="temperature", unit="degC", normal=(90, 110)),))
    values = noisy()
    values[300:] = values[300:] * 9 / 5 + 32
    found = tag_of(run(ValidateInput(), context_for({"time": TIMES, "T": values}, plant)), "T")
    assert {"unit", "out_of_range"} == kinds(found)
    assert "would be normal in degF" in found.reasons[1].text


def test_areas_and_balances_have_their_own_quality(context_for):
    tags = (
        Tag(name="IN", kind="flow", area="crude"), Tag(name="OUT", kind="flow", area="crude"),
        Tag(name="T", kind="temperature", area="furnace"),
    )  # fmt: skip
    plant = Plant(
        tags=tags, balances=(Balance(name="unit", inputs=(Term(tag="IN"),), outputs=(Term(tag="OUT"),)),)
    )  # fmt: skip
    silent = noisy(300)
    silent[300:] = np.nan
    columns = {"time": TIMES, "IN": noisy(100), "OUT": noisy(100) * 0.98, "T": silent}
    result = run(ValidateInput(), context_for(columns, plant))
    assert [(a.area, a.score) for a in result.areas] == [("furnace", 0.5), ("crude", 1.0)]
    assert result.areas[0].failing == {"missing": 0.5}
    (balance,) = result.balances
    assert (balance.mean_error_pct, balance.open_share) == (pytest.approx(2.0, abs=0.01), 0.0)
    columns["OUT"] = noisy(100) * 0.8
    worse = run(ValidateInput(), context_for(columns, plant))
    assert worse.balances[0].open_share == 1.0
    assert worse.score == pytest.approx(0.75 * result.score, abs=1e-3)
    assert "The balance unit misses by +20 %" in worse.summary


def test_the_plant_file_is_the_schema_of_the_data(context_for):
    plant = Plant(
        tags=(Tag(name="F"), Tag(name="GONE"), Tag(name="SUM", kind="computed", expression="F"),
              Tag(name="U", unit="furlongs per jiffy"))
    )  # fmt: skip
    columns = {"time": TIMES, "F": noisy(), "U": noisy(), "NEW": noisy(), "note": ["x"] * ROWS}
    result = run(ValidateInput(), context_for(columns, plant))
    assert {(item.tag, item.fault) for item in result.schema_faults} == {
        ("GONE", "absent"), ("NEW", "not_in_plant_file"), ("U", "unit_unknown"), ("note", "not_numeric")
    }  # fmt: skip


def test_a_market_is_not_missing_at_the_weekend_and_is_not_filled_there(context_for):
    days = np.arange("2025-01-01", "2025-07-01", dtype="datetime64[D]")
    trading = days[np.is_busday(days)].astype("datetime64[us]")
    prices = np.random.default_rng(3).normal(70, 1, len(trading))
    context = context_for({"time": trading, "P": prices})
    result = run(ValidateInput(), context)
    assert (result.score, result.time.missing_rows) == (1.0, 0)
    holed = np.delete(np.arange(len(trading)), 40)
    result = run(ValidateInput(), context_for({"time": trading[holed], "P": prices[holed]}))
    assert result.time.missing_rows == 1
    cleaned = clean(CleanInput(), context_for({"time": trading, "P": prices}))
    assert cleaned.columns is not None
    assert len(cleaned.columns["time"]) == len(trading)
