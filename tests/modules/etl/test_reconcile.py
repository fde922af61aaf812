"""Networks of streams: published optima, classes, gross errors, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.errors import (
    ParameterError,
)
from orchestrator.modules.base import OperationContext
from orchestrator.modules.etl import least_squares
from orchestrator.modules.etl.network import ReconcileInput
from orchestrator.modules.etl.reconcile import run
from orchestrator.modules.etl.reconciled import ReconcileResult
from orchestrator.plant.tags import Plant

NOWHERE = OperationContext(now=datetime(2025, 1, 1, tzinfo=UTC), plant=Plant())


def solve(document: dict) -> ReconcileResult:
    return run(ReconcileInput.model_validate(document), NOWHERE)


def stream(name: str, source: str | None, target: str | None, value: float | None, sd: float = 1.0):
    return {"id": name, "from": source, "to": target, "measured": value, "sd": sd}


def splitter(values: tuple[float | None, ...]) -> dict:
    feed, top, bottom, left, right = values
    return {
        "nodes": ["N1", "N2"],
        "streams": [
            stream("feed", None, "N1", feed),
            stream("top", "N1", None, top),
            stream("bottom", "N1", "N2", bottom),
            stream("left", "N2", None, left),
            stream("right", "N2", None, right),
        ],
    }


def klasses(result: ReconcileResult) -> dict[str, str]:
    return {item.id: item.klass for item in result.streams}


LINEAR = ["P01_splitter3", "P02_dovi_recycle6", "P05_yang8", "P06_rosenberg_mah7", "P12_mitsas12",
          "P15_serth_heenan_steam28"]  # fmt: skip


@pytest.mark.parametrize("case", LINEAR)
def test_published_networks_reach_their_known_optimum(shared: Path, case: str):
    document = json.loads((shared / f"cases/reconciliation/dr_{case}.json").read_text())
    result = solve(document)
    known = document["known_optimum"]
    assert result.objective == pytest.approx(known["wls_objective_computed"], rel=1e-6)
    assert result.global_test.statistic == pytest.approx(known["global_test_statistic"], rel=1e-6)
    assert result.global_test.critical == pytest.approx(known["chi2_95"], rel=1e-9)
    assert result.global_test.dof == known["dof"]
    largest = max(abs(item.test) for item in result.streams if item.test is not None)
    assert largest == pytest.approx(known["largest_measurement_test_z"], rel=1e-6)
    for item, given_ in zip(result.streams, document["streams"], strict=True):
        assert item.reconciled == pytest.approx(given_["reconciled_published_collection"], rel=1e-3)


def test_the_published_nonlinear_problem_reaches_its_known_optimum(shared: Path):
    path = shared / "cases/reconciliation/dr_NL_pai_fisher_1988.json"
    document = json.loads(path.read_text())
    result = solve(document)
    known = document["known_optimum"]
    assert result.objective == pytest.approx(known["computed_objective"], rel=1e-6)
    found = {item.id: item.reconciled for item in result.streams}
    assert found == pytest.approx(known["computed_wls_solution"], rel=1e-6)
    assert klasses(result)["v1"] == "observable"


def test_the_meter_with_a_gross_error_is_named_with_its_size(shared: Path):
    path = shared / "cases/reconciliation/dr_P05_yang8.json"
    (culprit,) = solve(json.loads(path.read_text())).gross_errors
    assert (culprit.kind, culprit.id) == ("bias", "S1")
    assert culprit.size == pytest.approx(110.1 - 98.37, abs=0.3)
    assert culprit.same_as == ("N1",)
    assert culprit.size / culprit.size_sd == pytest.approx(culprit.statistic)


def test_what_cannot_be_told_apart_shares_its_confidence():
    """One node with three equal meters: a bias of any of them and a leak look alike."""
    streams = [
        stream("a", None, "n", 10.0, 0.1),
        stream("b", "n", None, 4.0, 0.1),
        stream("c", "n", None, 5.0, 0.1),
    ]
    result = solve({"nodes": ["n"], "streams": streams})
    (culprit,) = result.gross_errors
    assert culprit.same_as == ("b", "c", "n")
    assert culprit.group_confidence > 0.99
    # one standard deviation of a meter is a third of the variance of the balance: a bias of N(0, 8²)
    # then has gain 64/3, a leak, sized by the balance, 64 and half the odds
    gain, statistic = np.array([64 / 3, 64.0]), 1.0 / 0.03
    weight = np.array([1.0, 0.5]) * np.exp(0.5 * statistic * gain / (1 + gain)) / np.sqrt(1 + gain)
    expected = weight[0] / (3 * weight[0] + weight[1])
    assert culprit.confidence == pytest.approx(culprit.group_confidence * expected, abs=2e-4)
    own = f"{100 * expected:.0f} %"
    assert f"most likely a reads 1 too high ({own}), one of a, b, c, n (99 %)" in result.summary


def test_one_that_stands_alone_has_all_the_confidence_of_its_group(shared: Path):
    path = shared / "cases/reconciliation/dr_P15_serth_heenan_steam28.json"
    document = json.loads(path.read_text())
    document["streams"][0]["measured"] += 20 * document["streams"][0]["sd"]
    for culprit in solve(document).gross_errors:
        assert 0 < culprit.confidence <= culprit.group_confidence <= 1
        assert culprit.same_as or culprit.confidence == culprit.group_confidence


@pytest.mark.parametrize("case", [*LINEAR, "NL_pai_fisher_1988"])
def test_fields_that_describe_a_published_problem_give_no_warning(shared: Path, case: str):
    document = json.loads((shared / f"cases/reconciliation/dr_{case}.json").read_text())
    assert ReconcileInput.model_validate(document).unread() == []
    assert not any("was not" in note for note in solve(document).warnings)


@pytest.mark.parametrize(
    ("key", "value", "near"),
    [
        ("min", 4.5, "lower"),
        ("max", 7.0, "upper"),
        ("sigma", 0.1, "sd"),
        ("variance", 0.01, "sd' (its square root)"),
        ("meas", 5.0, "measured"),
        ("source", "n", "from"),
    ],
)
def test_a_field_of_a_stream_that_is_not_read_is_named(key: str, value: object, near: str):
    streams = [stream("a", None, "n", 10.0, 0.1), stream("b", "n", None, 4.0, 0.1)]
    streams.append(stream("c", "n", None, 6.0, 0.1) | {key: value})
    (warning,) = solve({"nodes": ["n"], "streams": streams}).warnings
    assert warning.startswith(f"stream 'c': '{key}' is no field and was not read: is '{near}")


def test_fields_that_are_not_read_are_named_wherever_they_stand():
    streams = [stream("a", None, "n", 10.0, 0.1), stream("b", "n", None, 10.1, 0.1)]
    streams[0]["properties"] = {"x": {"measured": 0.5, "sigma": 0.1}}
    streams[1]["properties"] = {"x": {"measured": 0.5, "sd": 0.1}}
    warnings = solve({"streams": streams, "alpha": 0.01, "sd": 0.2, "comment": "none"}).warnings
    assert "'alpha' is no field and was not read: is 'significance' meant?" in warnings
    assert "property 'x' of stream 'a': 'sigma' is no field and was not read: is 'sd' meant?" in (
        warnings
    )
    assert "'sd' is for equations and was not read: give it with each stream" in warnings
    assert not any("comment" in note for note in warnings)


@pytest.mark.parametrize(
    ("place", "part"), [("streams", {"measurd": 1.0}), ("properties", {"uper": 1.0})]
)
def test_a_field_that_is_nearly_a_known_one_is_refused(place: str, part: dict):
    entry = stream("a", None, "n", 10.0) | (
        part if place == "streams" else {"properties": {"x": part}}
    )
    del entry["measured"]
    with pytest.raises(ValidationError, match=r"unknown field '(measurd|uper)': is"):
        ReconcileInput.model_validate({"streams": [entry]})


def test_a_standard_deviation_or_guess_of_no_variable_is_named():
    document = {
        "variables": {"measured": ["x", "y"], "unmeasured": ["v"]},
        "measured": {"x": 4.1, "y": 2.0, "yy": 2.0},
        "sd": {"x": 0.1, "y": 0.1, "xx": 1.0},
        "initial_guess_unmeasured": {"v1": 2.0},
        "constraints": ["v^2 - x = 0", "v - y = 0"],
    }
    warnings = solve(document).warnings
    assert "measured: 'yy' is no variable and was not used: is 'y' meant?" in warnings
    assert "sd: 'xx' is no variable and was not used: is 'x' meant?" in warnings
    assert (
        "initial_guess_unmeasured: 'v1' is no variable and was not used: is 'v' meant?" in warnings
    )


def test_biased_meters_are_named_first_and_sound_ones_are_not(shared: Path):
    path = shared / "cases/reconciliation/dr_P15_serth_heenan_steam28.json"
    document = json.loads(path.read_text())
    streams = document["streams"]
    sd = np.array([item["sd"] for item in streams])
    for item in streams:
        item["measured"] = item["true"]
    base = solve(document)
    true = np.array([item.reconciled for item in base.streams])
    strong = [i for i, item in enumerate(base.streams) if item.klass == "redundant"]
    assert len(strong) == 16
    rng = np.random.default_rng(11)

    def named(bias_on: int | None) -> str | None:
        values = true + rng.normal(size=len(sd)) * sd
        if bias_on is not None:
            values[bias_on] += rng.choice([-1, 1]) * rng.uniform(5, 10) * sd[bias_on]
        for item, value in zip(streams, values, strict=True):
            item["measured"] = float(value)
        found = solve(document).gross_errors
        return found[0].id if found else None

    draws = 200
    chosen = rng.choice(strong, size=draws)
    assert sum(named(int(i)) == streams[i]["id"] for i in chosen) / draws >= 0.90
    assert sum(named(None) is not None for _ in range(draws)) / draws <= 0.10


def test_unmeasured_streams_are_classified_and_estimated():
    result = solve(splitter((100.0, 40.0, None, 30.0, 29.0)))
    assert klasses(result)["bottom"] == "observable"
    assert all(klasses(result)[name] == "redundant" for name in ("feed", "top", "left", "right"))
    found = {item.id: item.reconciled for item in result.streams}
    assert found["bottom"] == pytest.approx(found["left"] + found["right"])
    assert found["feed"] == pytest.approx(found["top"] + found["bottom"])


def test_what_nothing_checks_is_nonredundant_and_what_nothing_gives_is_unobservable():
    result = solve(splitter((100.0, 40.0, 61.0, None, None)))
    assert klasses(result) == {
        "feed": "redundant",
        "top": "redundant",
        "bottom": "redundant",
        "left": "unobservable",
        "right": "unobservable",
    }
    result = solve(splitter((100.0, None, 60.0, 31.0, 30.0)))
    assert klasses(result)["feed"] == "nonredundant"
    feed = next(item for item in result.streams if item.id == "feed")
    assert (feed.reconciled, feed.adjustment_sd, feed.test) == (100.0, 0.0, None)


def test_without_any_check_the_measurements_stand():
    result = solve(splitter((100.0, None, None, 30.0, None)))
    assert result.objective == 0.0
    assert result.global_test.dof == 0
    assert "Nothing checks" in result.summary
    assert result.gross_errors == ()


def test_a_leak_inside_the_plant_is_told_from_a_bias():
    chain = {
        "nodes": ["A", "B"],
        "streams": [
            stream("f1", None, "A", 100.0), stream("f2", None, "A", 50.0),
            stream("m1", "A", "B", 80.0), stream("m2", "A", "B", 58.0),
            stream("p1", "B", None, 90.0), stream("p2", "B", None, 48.0),
        ],
    }  # fmt: skip
    culprit = solve(chain).gross_errors[0]
    assert culprit.id in {"f1", "A"} or "A" in culprit.same_as
    assert culprit.size == pytest.approx(12, abs=1)


def test_a_dependent_balance_changes_nothing():
    once = {
        "streams": [stream("a", None, "X", 10.0), stream("b", "X", None, 10.6)],
    }
    problem = least_squares.Problem(
        measured=np.array([[1.0, -1.0], [2.0, -2.0]]),
        unmeasured=np.zeros((2, 0)),
        constants=np.zeros(2),
        values=np.array([10.0, 10.6]),
        sd=np.ones(2),
    )
    solution = least_squares.solve(problem)
    assert solution.dof == 1
    assert solution.objective == pytest.approx(solve(once).objective)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000), nodes=st.integers(1, 7), more=st.integers(1, 8),
    hide=st.floats(0, 0.4),
)  # fmt: skip
def test_the_optimum_agrees_with_the_normal_equations(seed, nodes, more, hide):
    rng = np.random.default_rng(seed)
    count = nodes + more
    a = rng.integers(-1, 2, size=(nodes, count)).astype(float)
    known = rng.uniform(size=count) >= hide
    known[0] = True
    sd = rng.uniform(0.1, 3, size=int(known.sum()))
    values = rng.uniform(1, 100, size=int(known.sum()))
    solution = least_squares.solve(
        least_squares.Problem(a[:, known], a[:, ~known], np.zeros(nodes), values, sd)
    )
    # the optimality system, solved directly in the least-squares sense
    n, p = int(known.sum()), int((~known).sum())
    system = np.zeros((n + p + nodes, n + p + nodes))
    system[:n, :n] = np.diag(2 / sd**2)
    system[:n, n + p :] = a[:, known].T
    system[n : n + p, n + p :] = a[:, ~known].T
    system[n + p :, :n] = a[:, known]
    system[n + p :, n : n + p] = a[:, ~known]
    right = np.concatenate([2 * values / sd**2, np.zeros(p + nodes)])
    direct = np.linalg.lstsq(system, right, rcond=1e-12)[0]
    objective = float((((direct[:n] - values) / sd) ** 2).sum())
    assert solution.objective == pytest.approx(objective, rel=1e-6, abs=1e-9)
    assert solution.measured == pytest.approx(direct[:n], rel=1e-6, abs=1e-6)
    if (~known).sum() == 0 or solution.observable.all():
        closed = a[:, known] @ solution.measured + a[:, ~known] @ solution.unmeasured
        assert np.abs(closed).max() < 1e-8 * max(1.0, np.abs(values).max())


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"nodes": ["A"]}, "no streams"),
        ({"nodes": ["A"], "streams": [stream("s", "A", "B", 1.0)]}, "unknown node 'B'"),
        ({"streams": [stream("s", None, None, 1.0)]}, "touches no node"),
        ({"streams": [stream("s", None, "A", 1.0), stream("s", "A", None, 1.0)]}, "given twice"),
        ({"streams": [stream("s", None, "A", 1.0, sd=-1.0)]}, "sd is -1; give one above zero"),
        ({"streams": [{**stream("s", None, "A", 1.0), "lower": 2, "upper": 1}]}, "above upper"),
        ({"bounds": {"s": [2, 1]}, "streams": [stream("s", None, "A", 1.0)]}, "above upper"),
        ({"streams": [stream("s", None, "A", 1.0)], "splitters": ["B"]}, "unknown node 'B'"),
        (
            {"nodes": ["A", "A"], "streams": [stream("s", None, "A", 1.0)]},
            "node 'A' is given twice",
        ),
        ({"variables": {"measured": ["x"]}, "measured": {"x": 1.0}}, "no constraints"),
        ({"stream": [stream("s", None, "A", 1.0)]}, "unknown field 'stream': is 'streams' meant"),
        ({"streams": [{"id": "s", "to": "A", "mesured": 1}]}, "is 'measured' meant"),
    ],
)
def test_a_malformed_problem_is_refused(document, text):
    with pytest.raises(ValidationError, match=text):
        ReconcileInput.model_validate(document)


def test_a_network_without_measurements_is_refused():
    with pytest.raises(ParameterError, match="no stream is measured"):
        solve(splitter((None, None, None, None, None)))


def test_the_result_prints_class_as_the_format_has_it():
    document = json.loads(solve(splitter((100.0, 40.0, 60.0, 30.0, 29.0))).model_dump_json())
    assert set(document["streams"][0]) >= {"id", "measured", "reconciled", "adjustment_sd", "class"}
    assert set(document["global_test"]) == {"statistic", "critical", "dof"}


def test_a_network_too_gets_a_report_and_names_what_fits_as_well():
    result = solve({**splitter((100.0, 40.0, 60.0, 30.0, 42.0)), "report": True})
    assert result.gross_errors
    assert "<h1>Material balance: plant</h1>" in result.report
    assert all(f">{name}<" in result.report for name in ("feed", "left", "right"))


def test_a_unit_that_is_none_is_refused():
    with pytest.raises(ParameterError, match="flow_unit: 'bananas' is no unit"):
        solve({**splitter((100.0, 40.0, 60.0, 30.0, 29.0)), "flow_unit": "bananas"})


def test_a_bound_that_the_measurement_contradicts_is_told():
    document = splitter((100.0, 40.0, 60.0, 30.0, 29.0))
    document["streams"][1]["upper"] = 20.0
    result = solve(document)
    assert any("upper bound of top lies 20.0 standard deviations" in w for w in result.warnings)
