"""Networks whose streams take their values from columns of data."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from orchestrator.errors import InsufficientDataError, ParameterError, UnknownTagError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.etl.network import ReconcileInput
from orchestrator.modules.etl.reconcile import run
from orchestrator.plant.tags import Plant, Tag

ROWS = 240
TIMES = np.datetime64("2025-01-01", "us") + np.arange(ROWS) * np.timedelta64(60, "s")
TRUE = {"feed": 100.0, "top": 40.0, "bottom": 60.0, "left": 35.0, "right": 25.0}
NOISE = {"feed": 1.0, "top": 0.5, "bottom": 0.8, "left": 0.4, "right": 0.3}
ENDS = {
    "feed": (None, "N1"),
    "top": ("N1", None),
    "bottom": ("N1", "N2"),
    "left": ("N2", None),
    "right": ("N2", None),
}


def network(**of_streams: dict) -> list[dict]:
    return [
        {"id": name, "from": source, "to": target, **of_streams.get(name, {})}
        for name, (source, target) in ENDS.items()
    ]


def columns(seed: int = 2) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {n: TRUE[n] + NOISE[n] * rng.normal(size=ROWS) for n in TRUE}


@pytest.fixture
def solve(context_for):
    """Reconcile a network over columns, given with it or (``given=False``) from the historian."""

    def run_it(streams: list[dict], data: dict, plant: Plant | None = None, given: bool = True,
               **more: object):  # fmt: skip
        context = context_for({"time": TIMES, **data}, plant, data_given=given)
        return run(ReconcileInput.model_validate({"streams": streams, **more}), context)

    return run_it


def test_streams_take_the_means_of_the_columns_of_their_name(solve):
    data = columns()
    result = solve(network(), data)
    for stream in result.streams:
        assert stream.measured == pytest.approx(data[stream.id].mean())
        assert stream.reconciled == pytest.approx(TRUE[stream.id], abs=4 * stream.sd)
    found = {s.id: s.reconciled for s in result.streams}
    assert found["feed"] == pytest.approx(found["top"] + found["left"] + found["right"])
    assert result.status == "reconciled"
    assert result.gross_errors == ()
    assert result.loss.hours == pytest.approx(ROWS / 60)


def test_the_noise_of_the_data_is_the_sd_where_none_is_given(solve):
    result = solve(network(top={"sd": 0.25}, left={"sd": 0}), columns())
    found = {s.id: s for s in result.streams}
    assert (found["top"].sd, found["top"].sd_source) == (0.25, "given")
    assert (found["left"].sd, found["left"].sd_source) == (0.0, "exact")
    assert found["left"].reconciled == found["left"].measured
    # noise of 1 averaged over 240 rows, and 0.5 % of 100 that do not average out
    assert found["feed"].sd == pytest.approx(np.hypot(1 / np.sqrt(ROWS), 0.5), rel=0.05)
    assert found["feed"].sd_source in ("differences", "balance_residuals")


def test_a_network_with_properties_takes_those_from_data_too(solve):
    data = columns()
    rng = np.random.default_rng(8)
    sulphur = {"feed": 2.0, "top": 0.5, "bottom": 3.0}
    for name, value in sulphur.items():
        data[f"{name}.sulphur"] = value + 0.01 * rng.normal(size=ROWS)
    data["lab"] = data.pop("bottom.sulphur")
    streams = network(
        feed={"properties": {"sulphur": {}}},
        top={"properties": {"sulphur": {}}},
        bottom={"properties": {"sulphur": {"tag": "lab"}}},
    )[:3]
    for stream in streams:
        stream["to"] = None if stream["to"] == "N2" else stream["to"]
    result = solve(streams, data)
    found = {s.id: s for s in result.streams}
    assert set(found) == {n for s in sulphur for n in (s, f"{s}.sulphur")}
    assert all(s.sd_source == "differences" for n, s in found.items() if "." in n)
    balance = sum(
        sign * found[n].reconciled * found[f"{n}.sulphur"].reconciled
        for n, sign in (("feed", 1), ("top", -1), ("bottom", -1))
    )
    assert balance == pytest.approx(0.0, abs=1e-6)


def test_a_published_network_over_noisy_columns_names_the_biased_meter(shared: Path, solve):
    document = json.loads(
        (shared / "cases/reconciliation/dr_P15_serth_heenan_steam28.json").read_text()
    )
    for item in document["streams"]:
        item["measured"] = item["true"]
    base = run(
        ReconcileInput.model_validate(document),
        OperationContext(now=datetime(2025, 1, 1, tzinfo=UTC), plant=Plant()),
    )
    strong = next(s for s in base.streams if s.klass == "redundant")
    rng = np.random.default_rng(4)
    sd = {item["id"]: item["sd"] for item in document["streams"]}
    data = {s.id: s.reconciled + sd[s.id] * rng.normal(size=ROWS) for s in base.streams}
    data[strong.id] = data[strong.id] + 8 * sd[strong.id]
    streams = [
        {k: v for k, v in item.items() if k not in ("measured", "sd")}
        for item in document["streams"]
    ]
    result = solve(streams, data, nodes=document["nodes"])
    assert result.status == "reconciled"
    assert result.gross_errors[0].id == strong.id
    assert result.gross_errors[0].size == pytest.approx(8 * sd[strong.id], rel=0.15)


def test_data_given_with_a_network_come_before_its_own_values_and_it_says_so(solve):
    result = solve(network(feed={"measured": 7.0}), columns())
    assert result.streams[0].measured == pytest.approx(100, abs=1)
    assert any("instead of the network's own feed" in note for note in result.warnings)


def test_a_stream_without_a_column_keeps_its_own_value_or_is_unmeasured(solve):
    data = columns()
    del data["right"], data["top"]
    result = solve(network(right={"measured": 25.5, "sd": 0.5}), data)
    found = {s.id: s for s in result.streams}
    assert (found["right"].measured, found["right"].sd_source) == (25.5, "given")
    assert found["top"].klass == "observable"


def test_the_historian_does_not_overwrite_a_network_that_has_values(solve):
    streams = network(**{n: {"measured": v + 1, "sd": 1.0} for n, v in TRUE.items()})
    result = solve(streams, columns(), given=False)
    assert [s.measured for s in result.streams] == [v + 1 for v in TRUE.values()]


def test_a_network_without_any_value_is_read_from_the_historian(solve):
    result = solve(network(), columns(), given=False)
    assert result.streams[0].measured == pytest.approx(100, abs=1)


def test_an_unsteady_plant_gets_its_status_and_no_culprit(solve):
    data = columns()
    data["feed"] = data["feed"] + np.linspace(0, 40, ROWS)
    result = solve(network(), data)
    assert (result.status, result.moved[0]) == ("not_steady", "feed")
    assert result.gross_errors == ()
    assert result.loss is None
    assert "feed moved" in result.summary


def test_tags_name_columns_and_units_are_brought_to_one(solve):
    data = columns()
    data["FI1"] = 1000 * data.pop("feed")
    data["FI2"] = data.pop("top")
    plant = Plant(
        tags=(Tag(name="FI1", kind="flow", unit="kg/h"), Tag(name="FI2", kind="flow", unit="t/h"))
    )
    result = solve(network(feed={"tag": "FI1"}, top={"tag": "FI2"}), data, plant, flow_unit="t/h")
    assert result.streams[0].measured == pytest.approx(100, abs=1)
    assert result.loss.unit == "t/h"
    assert result.gross_errors == ()


def test_flows_that_cannot_be_added_are_refused(solve):
    plant = Plant(
        tags=(Tag(name="feed", kind="flow", unit="t/h"), Tag(name="top", kind="flow", unit="m3/h"))
    )
    with pytest.raises(ParameterError, match=r"'top' of stream 'top' is in 'm3/h'.*added to 't/h'"):
        solve(network(), columns(), plant)


def test_a_column_without_values_makes_an_unmeasured_stream(solve):
    data = columns()
    data["bottom"] = np.full(ROWS, np.nan)
    result = solve(network(), data)
    assert {s.id: s.klass for s in result.streams}["bottom"] == "observable"
    assert [(o.id, o.why) for o in result.left_out] == [("bottom", "has no value in the data")]


def test_a_tag_or_a_network_that_the_data_do_not_have_is_refused(solve, context_for):
    with pytest.raises(UnknownTagError, match="'feed' reads 'FI9', which is not in the data"):
        solve(network(feed={"tag": "FI9"}), columns())
    with pytest.raises(ParameterError, match="no column of the data is called like a stream"):
        solve(network(), {"other": np.ones(ROWS)})
    with pytest.raises(InsufficientDataError, match="no stream of the network has a value"):
        solve(network(), {name: np.full(ROWS, np.nan) for name in TRUE})
    nowhere = OperationContext(now=datetime(2025, 1, 1, tzinfo=UTC), plant=Plant())
    with pytest.raises(InsufficientDataError, match="'feed' reads 'FI9', and there is no data"):
        run(ReconcileInput.model_validate({"streams": network(feed={"tag": "FI9"})}), nowhere)


def test_equations_take_their_measured_variables_from_data_that_came_with_them(context_for):
    data = {name: column for name, column in columns().items() if name in ("feed", "top", "bottom")}
    document = {
        "measured": {"feed": 7.0, "top": 41.0}, "sd": {"top": 0.5, "feed": 0.5},
        "constraints": ["feed - top - bottom = 0"],
    }  # fmt: skip
    parameters = ReconcileInput.model_validate(document)
    del data["top"]
    result = run(parameters, context_for({"time": TIMES, **data}, data_given=True))
    found = {s.id: s.measured for s in result.streams}
    assert found == pytest.approx({"feed": 100, "top": 41, "bottom": 60}, abs=0.5)
    assert any("instead of the given feed" in note for note in result.warnings)
    result = run(parameters, context_for({"time": TIMES, **data}))
    assert {s.id: s.measured for s in result.streams}["feed"] == 7.0
    with pytest.raises(ParameterError, match="no column of the data is a variable"):
        run(parameters, context_for({"time": TIMES, "x": np.ones(ROWS)}, data_given=True))


def test_a_network_is_not_cut_into_days():
    with pytest.raises(ValidationError, match="period day is for balances"):
        ReconcileInput.model_validate({"streams": network(), "period": "day"})
