from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import DataError, ParameterError, UnknownTagError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.etl import resample
from orchestrator.modules.etl.clean import run
from orchestrator.modules.etl.fill import FILLED, MEASURED, MISSING, SPIKE
from orchestrator.modules.etl.models import CleanInput, CleanResult
from orchestrator.plant.tags import ModeRules, Plant, Tag

ROWS = 300
TIMES = np.datetime64("2025-01-01", "us") + np.arange(ROWS) * np.timedelta64(60, "s")


def smooth(seed: int = 1) -> np.ndarray:
    return 100 + np.cumsum(np.random.default_rng(seed).normal(scale=0.2, size=ROWS))


def column(result: CleanResult, name: str = "F") -> list[float | None]:
    return result.columns[name]


def test_a_spike_is_replaced_and_marked_with_what_stood_there(context_for):
    values = smooth()
    values[120] += 50
    context = context_for({"time": TIMES, "F": values})
    result = run(CleanInput(), context)
    (mark,) = result.marks
    assert (mark.tag, mark.time, mark.action) == ("F", "2025-01-01T02:00:00Z", "spike_replaced")
    assert mark.before == values[120]
    assert abs(mark.after - smooth()[120]) < 2
    table = pq.read_table(context.scratch / result.artefact)
    assert table["F__mark"].to_pylist()[120] == SPIKE
    assert str(table["time"].type) == "timestamp[us, tz=UTC]"


def test_a_real_step_is_left_alone(context_for):
    values = smooth()
    values[150:] += 50
    result = run(CleanInput(), context_for({"time": TIMES, "F": values}))
    assert result.marks_total == 0
    assert column(result) == values.tolist()


def test_a_short_gap_is_filled_and_marked_and_a_long_one_is_not(context_for):
    values = smooth()
    values[50:52] = np.nan
    values[200:240] = np.nan
    result = run(CleanInput(), context_for({"time": TIMES, "F": values}))
    (tag,) = result.tags
    assert (tag.filled, tag.still_missing) == (2, 40)
    assert "too long to guess" in tag.why_not_filled
    assert [mark.action for mark in result.marks] == ["filled", "filled"]
    assert column(result)[50] == pytest.approx((2 * values[49] + values[52]) / 3)
    assert column(result)[220] is None


def test_a_gap_across_a_jump_is_not_bridged(context_for):
    values = smooth()
    values[150:] += 100
    values[149:151] = np.nan
    (tag,) = run(CleanInput(), context_for({"time": TIMES, "F": values})).tags
    assert (tag.filled, tag.still_missing) == (0, 2)
    assert "jumped" in tag.why_not_filled


def test_a_gap_at_an_end_of_the_record_is_never_filled(context_for):
    values = smooth()
    values[:1] = values[-2:] = np.nan
    (tag,) = run(CleanInput(), context_for({"time": TIMES, "F": values})).tags
    assert (tag.filled, tag.still_missing) == (0, 3)


def test_a_state_is_held_only_where_it_did_not_change(context_for):
    state = np.repeat([1.0, 2.0], ROWS // 2)
    state[40:42] = np.nan
    state[149:151] = np.nan
    plant = Plant(tags=(Tag(name="F", kind="state"),))
    result = run(CleanInput(), context_for({"time": TIMES, "F": state}, plant))
    assert column(result)[40:42] == [1.0, 1.0]
    assert column(result)[149:151] == [None, None]
    assert "when is not known" in result.tags[0].why_not_filled


def test_missing_rows_become_rows(context_for):
    keep = np.ones(ROWS, dtype=bool)
    keep[100:102] = False
    result = run(CleanInput(), context_for({"time": TIMES[keep], "F": smooth()[keep]}))
    assert len(column(result)) == ROWS
    assert result.tags[0].filled == 2


def test_resampling_averages_flows_keeps_the_last_state_and_needs_half_the_samples(context_for):
    flow = np.arange(ROWS, dtype=float)
    flow[10:16] = np.nan
    flow[22:26] = np.nan
    state = np.where(np.arange(ROWS) < 155, 1.0, 2.0)
    plant = Plant(tags=(Tag(name="F", kind="flow"), Tag(name="S", kind="state")))
    result = run(
        CleanInput(period_seconds=600, max_gap_minutes=0),
        context_for({"time": TIMES, "F": flow, "S": state}, plant),
    )
    assert column(result)[0] == 4.5
    assert column(result)[1] is None
    assert column(result)[2] == pytest.approx(np.mean([20, 21, 26, 27, 28, 29]))
    assert column(result, "S")[15] == 2.0


def test_irregular_rows_keep_their_times(context_for):
    rng = np.random.default_rng(3)
    times = TIMES + (rng.uniform(-15, 15, ROWS) * 1e6).astype("timedelta64[us]")
    result = run(CleanInput(), context_for({"time": times, "F": smooth()}))
    assert len(column(result)) == ROWS
    assert result.marks_total == 0


def test_duplicate_times_and_a_period_that_explodes_are_refused(context_for):
    times = TIMES.copy()
    times[5] = times[4]
    with pytest.raises(DataError, match="1 rows repeat a time"):
        run(CleanInput(), context_for({"time": times, "F": smooth()}))
    with pytest.raises(ParameterError, match="longer period_seconds"):
        run(CleanInput(period_seconds=0.001), context_for({"time": TIMES, "F": smooth()}))


def test_a_large_table_is_only_a_file(context_for):
    rows = 30_000
    times = np.datetime64("2025-01-01", "us") + np.arange(rows) * np.timedelta64(1, "s")
    context = context_for({"time": times, "F": np.random.default_rng(1).normal(size=rows)})
    result = run(CleanInput(), context)
    assert result.columns is None
    assert pq.read_table(context.scratch / result.artefact).num_rows == rows


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=12, max_size=80))
def test_what_was_measured_is_changed_only_where_it_is_marked(context_for, given_):
    times = TIMES[: len(given_)]
    values = np.array([np.nan if v is None else v for v in given_])
    context = context_for({"time": times, "F": values})
    result = run(CleanInput(), context)
    marks = np.array(pq.read_table(context.scratch / result.artefact)["F__mark"].to_pylist())
    after = np.array([np.nan if v is None else v for v in column(result)])
    assert np.array_equal(after[marks == MEASURED], values[marks == MEASURED])
    assert np.isnan(after[marks == MISSING]).all()
    assert np.isnan(values[marks == FILLED]).all()
    assert np.isfinite(after[marks == FILLED]).all()


def test_a_lab_value_and_a_counter_are_never_filled(context_for):
    plant = Plant(tags=(Tag(name="L", kind="lab"), Tag(name="Q", kind="total")))
    values = np.full(ROWS, 3.0)
    values[50] = np.nan
    grown = np.arange(ROWS, dtype=float)
    grown[50] = np.nan
    result = run(CleanInput(), context_for({"time": TIMES, "L": values, "Q": grown}, plant))
    why = {tag.tag: (tag.filled, tag.why_not_filled) for tag in result.tags}
    assert why["L"] == (0, "a laboratory value is measured or it is not")
    assert why["Q"] == (0, "when a counter grew in a gap is not known")


@pytest.mark.parametrize("mode_at", ["file", "parameter", "state"])
def test_nothing_is_filled_across_a_change_of_mode(context_for, mode_at):
    values, mode = smooth(), np.where(np.arange(ROWS) < 51, 1.0, 2.0)
    values[50:52] = values[200:202] = np.nan
    kind = "state" if mode_at == "state" else "other"
    rules = ModeRules(mode_tag="M" if mode_at == "file" else None)
    plant = Plant(tags=(Tag(name="F", kind="flow"), Tag(name="M", kind=kind)), mode=rules)
    stated = {"mode_tag": "M"} if mode_at == "parameter" else {}
    result = run(CleanInput(**stated), context_for({"time": TIMES, "F": values, "M": mode}, plant))
    assert (result.tags[0].filled, result.tags[0].still_missing) == (2, 2)
    assert "changed its mode" in result.tags[0].why_not_filled


def test_a_gap_is_filled_for_no_longer_than_its_kind_allows(context_for):
    plant = Plant(tags=(Tag(name="F", kind="flow"), Tag(name="T", kind="temperature")))
    times = TIMES[0] + np.arange(ROWS) * np.timedelta64(240, "s")
    values = smooth()
    values[50:52] = np.nan
    result = run(CleanInput(), context_for({"time": times, "F": values, "T": values}, plant))
    assert [tag.filled for tag in result.tags] == [0, 2]


def test_every_value_says_what_became_of_it(context_for):
    values = smooth()
    values[120] += 50
    values[50] = np.nan
    values[200:240] = np.nan
    result = run(CleanInput(), context_for({"time": TIMES, "F": values}))
    marks = np.array(result.mark_columns["F"])
    assert np.flatnonzero(marks == SPIKE).tolist() == [120]
    assert np.flatnonzero(marks == FILLED).tolist() == [50]
    assert np.flatnonzero(marks == MISSING).tolist() == list(range(200, 240))


def test_a_counter_is_resampled_to_what_it_grew_by_through_resets_and_rollovers(context_for):
    steps = np.full(ROWS, 7.0)
    count = 99_000 + np.cumsum(steps)
    count = np.where(count >= 100_000, count - 100_000, count)  # five digits
    count[250:] = np.cumsum(steps)[: ROWS - 250]  # set to zero by hand
    plant = Plant(tags=(Tag(name="Q", kind="total"),))
    result = run(CleanInput(period_seconds=600), context_for({"time": TIMES, "Q": count}, plant))
    grown = [value for value in column(result, "Q") if value is not None]
    assert grown[:-1] == pytest.approx([70.0] * 29)
    (tag,) = result.tags
    assert tag.resets == 2
    assert sum(grown) + tag.unassigned == pytest.approx(7.0 * (ROWS - 1))


def test_the_state_that_stood_longest_and_the_last_one_differ(context_for):
    state = np.tile([1.0] * 8 + [2.0] * 2, ROWS // 10)
    plant = Plant(tags=(Tag(name="S", kind="state"),))
    context = context_for({"time": TIMES, "S": state}, plant)
    assert column(run(CleanInput(period_seconds=600), context), "S")[0] == 2.0
    longest = CleanInput(period_seconds=600, resample={"S": "mode"})
    assert column(run(longest, context), "S")[0] == 1.0
    with pytest.raises(UnknownTagError, match="no tag 'X'"):
        run(CleanInput(resample={"X": "sum"}), context)


def test_a_mean_weighs_each_sample_by_the_time_it_stands_for(context_for):
    seconds = np.array([0, 60, 120, 240, 300, 360, 420, 480, 540, 600])
    times = TIMES[0] + seconds * np.timedelta64(1, "s")
    values = np.array([0, 0, 9, 0, 0, 0, 0, 0, 0, 0], dtype=float)
    parameters = CleanInput(period_seconds=600, max_gap_minutes=2, sigmas=1e6)
    result = run(parameters, context_for({"time": times, "F": values}))
    assert column(result)[0] == pytest.approx(9 * 120 / 600)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 240), st.floats(0, 1e4)), min_size=4, max_size=120),
    st.integers(30, 4000),
    st.floats(0, 0.2),
)
def test_resampling_conserves_what_flowed_and_what_was_counted(steps, step_s, reset_share):
    times = np.cumsum([seconds for seconds, _ in steps]).astype(np.int64) * 1_000_000
    flow = np.array([value for _, value in steps])
    step = step_s * 1_000_000
    start = int(times[0] // step) * step
    longest = int(np.diff(times).max())
    bins = resample.Bins(start, step, int((times[-1] + longest - start) // step) + 2)
    stands = resample.durations(times, longest, longest)
    mean, covered = resample.time_weighted(times, flow, stands, bins)
    flowed = float(np.nansum(mean * covered) * step)
    assert flowed == pytest.approx(float((flow * stands).sum()), rel=1e-9, abs=1e-3)
    counter = np.cumsum(flow)
    reset = int(len(counter) * (1 - reset_share))
    counter[reset:] -= counter[reset] if reset < len(counter) else 0.0
    grown = resample.increase(times, counter, bins, hold=longest // 2)
    assert grown.values.sum() + grown.unassigned == pytest.approx(grown.total, rel=1e-9, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([None, 60.0]), st.booleans())
def test_clean_data_stays_as_it_is_however_often_it_is_cleaned(seed, period, wavy):
    rng = np.random.default_rng(seed)
    values = 100 + np.cumsum(rng.uniform(-0.2, 0.2, ROWS))
    if wavy:
        values += 5 * np.sin(np.arange(ROWS) / 20)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.arrow"
        table = pa.table({"time": TIMES, "F": values})
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        context = OperationContext(
            now=datetime(2025, 1, 1, tzinfo=UTC), plant=Plant(), data_file=path
        )
        result = run(CleanInput(period_seconds=period), context)
    assert result.marks_total == 0
    assert column(result) == values.tolist()
