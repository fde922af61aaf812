from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import DataError, ParameterError
from orchestrator.modules.etl.clean import FILLED, MEASURED, MISSING, SPIKE, run
from orchestrator.modules.etl.models import CleanInput, CleanResult
from orchestrator.plant.tags import Plant, Tag

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
