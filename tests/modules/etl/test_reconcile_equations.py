"""Bilinear and nonlinear problems: component balances, energy balances, poor starts."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import OperationError, ParameterError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.etl.equations import Equations, names_in
from orchestrator.modules.etl.network import ReconcileInput
from orchestrator.modules.etl.reconcile import run
from orchestrator.modules.etl.reconciled import ReconcileResult
from orchestrator.plant.tags import Plant

NOWHERE = OperationContext(now=datetime(2025, 1, 1, tzinfo=UTC), plant=Plant())


def solve(document: dict) -> ReconcileResult:
    return run(ReconcileInput.model_validate(document), NOWHERE)


def values(result: ReconcileResult) -> dict[str, float | None]:
    return {item.id: item.reconciled for item in result.streams}


COLUMN = {
    "measured": {"F": 1e5, "z": 0.5, "D": 4.8e4, "xd": 0.96, "B": 5.3e4, "xb": 0.06},
    "sd": {"F": 2e3, "z": 0.01, "D": 1e3, "xd": 0.005, "B": 1e3, "xb": 0.005},
    "constraints": ["F - D - B = 0", "F*z - D*xd - B*xb = 0"],
}


def test_a_component_balance_closes_whatever_the_size_of_its_variables():
    result = solve(COLUMN)
    v = values(result)
    assert v["F"] == pytest.approx(v["D"] + v["B"], rel=1e-10)
    assert v["F"] * v["z"] == pytest.approx(v["D"] * v["xd"] + v["B"] * v["xb"], rel=1e-10)
    assert result.solver.constraint_residual < 1e-9
    assert result.solver.stationarity < 1e-6
    assert result.global_test.dof == 2


def test_the_unit_of_flow_changes_nothing():
    small = {
        **COLUMN,
        "measured": {k: v * (1e-9 if k in "FDB" else 1) for k, v in COLUMN["measured"].items()},
        "sd": {k: v * (1e-9 if k in "FDB" else 1) for k, v in COLUMN["sd"].items()},
    }
    assert solve(small).objective == pytest.approx(solve(COLUMN).objective, rel=1e-8)


def test_bounds_hold_in_equations_too():
    result = solve(
        {
            **COLUMN,
            "measured": {**COLUMN["measured"], "xd": 1.01, "xb": -0.003},
            "bounds": {"xd": [0, 1], "xb": [0, 1]},
        }
    )
    found = {item.id: item for item in result.streams}
    assert (found["xd"].reconciled, found["xd"].at_bound) == (1.0, "upper")
    assert (found["xb"].reconciled, found["xb"].at_bound) == (0.0, "lower")


def test_the_nearest_point_of_a_circle_is_found_where_curvature_matters():
    result = solve({"measured": {"x": 3.0, "y": 1.0}, "sd": 1.0, "constraints": ["x^2 + y^2 = 4"]})
    assert result.objective == pytest.approx((10**0.5 - 2) ** 2, rel=1e-8)


@pytest.mark.parametrize("guess", [1e-3, 1.0, 50.0, 1e5])
def test_a_heat_exchanger_is_solved_from_any_first_guess(guess):
    result = solve(
        {
            "variables": {
                "measured": ["Fh", "Th1", "Th2", "Fc", "Tc1", "Tc2"],
                "unmeasured": ["Q", "UA"],
            },
            "measured": {"Fh": 100, "Th1": 200, "Th2": 120, "Fc": 161, "Tc1": 50, "Tc2": 99},
            "sd": {"Fh": 2, "Th1": 1, "Th2": 1, "Fc": 3, "Tc1": 1, "Tc2": 1},
            "initial_guess": {"Q": guess, "UA": guess},
            "constraints": [
                "Q = Fh*(Th1 - Th2)",
                "Q = Fc*(Tc2 - Tc1)",
                "Q = UA*((Th1 - Tc2) - (Th2 - Tc1)) / ln((Th1 - Tc2)/(Th2 - Tc1))",
            ],
        }
    )
    # with two ways to the duty there is one check, linear in the logarithms
    v = values(result)
    assert v["Fh"] * (v["Th1"] - v["Th2"]) == pytest.approx(v["Fc"] * (v["Tc2"] - v["Tc1"]))
    assert result.objective == pytest.approx(0.10336609, rel=1e-6)
    assert v["UA"] == pytest.approx(94.08, rel=1e-3)


def test_a_product_of_unknowns_is_unobservable_and_the_rest_is_solved():
    result = solve(
        {"measured": {"x": 2.0, "y": 6.3}, "sd": 0.1, "constraints": ["y = 3*x", "p*q = x"]}
    )
    klasses = {item.id: item.klass for item in result.streams}
    assert klasses["p"] == klasses["q"] == "unobservable"
    assert values(result)["x"] == pytest.approx((2 + 3 * 6.3) / 10)


def test_constants_have_names_and_backticks_quote():
    result = solve(
        {
            "measured": {"FI-1": 2.0, "FI-2": 6.3},
            "sd": 0.1,
            "constants": {"k": 3.0},
            "constraints": ["`FI-2` = k * `FI-1`"],
        }
    )
    assert values(result)["FI-1"] == pytest.approx((2 + 3 * 6.3) / 10)


def test_an_equation_that_cannot_hold_is_named():
    with pytest.raises(OperationError, match=r"x\^2 \+ y\^2 = -4"):
        solve({"measured": {"x": 3, "y": 1}, "sd": 1, "constraints": ["x^2 + y^2 = -4"]})


NETWORK = {
    "nodes": ["mixer", "splitter"],
    "splitters": ["splitter"],
    "streams": [
        {"id": "a", "from": None, "to": "mixer", "measured": 101.0, "sd": 1,
         "properties": {"x": {"measured": 0.30, "sd": 0.005}}},
        {"id": "b", "from": None, "to": "mixer", "measured": 49.0, "sd": 1,
         "properties": {"x": {"measured": 0.61, "sd": 0.005}}},
        {"id": "c", "from": "mixer", "to": "splitter", "measured": 151.5, "sd": 1,
         "properties": {"x": {}}},
        {"id": "d", "from": "splitter", "to": None, "measured": 90.0, "sd": 1,
         "properties": {"x": {"measured": 0.41, "sd": 0.005}}},
        {"id": "e", "from": "splitter", "to": None,
         "properties": {"x": {"measured": 0.40, "sd": 0.005}}},
    ],
}  # fmt: skip


def test_a_network_with_compositions_balances_components_and_splits():
    result = solve(NETWORK)
    v = values(result)
    assert v["a"] + v["b"] == pytest.approx(v["c"])
    assert v["a"] * v["a.x"] + v["b"] * v["b.x"] == pytest.approx(v["c"] * v["c.x"])
    assert v["d.x"] == pytest.approx(v["c.x"])
    assert v["e.x"] == pytest.approx(v["c.x"])
    klasses = {item.id: item.klass for item in result.streams}
    assert klasses["e"] == klasses["c.x"] == "observable"
    assert result.gross_errors == ()


def test_a_meter_that_only_the_component_balance_checks_is_named():
    streams = [dict(item) for item in NETWORK["streams"]]
    streams[3] = {**streams[3], "properties": {"x": {"measured": 0.46, "sd": 0.005}}}
    culprit = solve({**NETWORK, "streams": streams}).gross_errors[0]
    assert (culprit.kind, culprit.id) == ("bias", "d.x")
    assert culprit.size == pytest.approx(0.056, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.2, 5.0), min_size=3, max_size=3))
def test_derivatives_agree_with_differences(at):
    texts = [
        "x*y^2/z = 3",
        "sqrt(x) + ln(y*z)*exp(-x)",
        "x^y - tanh(z) + abs(x - 9)",
        "-sin(x)/cos(z*0.1)",
    ]
    equations = Equations(texts, ["x", "y", "z"])
    point = np.array(at)
    numeric = np.empty((4, 3))
    for j in range(3):
        step = np.zeros(3)
        step[j] = 1e-6
        numeric[:, j] = (equations.residual(point + step) - equations.residual(point - step)) / 2e-6
    scale = np.maximum(1.0, np.abs(numeric))
    assert np.abs((equations.jacobian(point) - numeric) / scale).max() < 1e-5


def test_the_names_of_equations_are_read_without_their_functions():
    assert set(names_in(["`a b` + sqrt(x) = y", "x*z"])) == {"a b", "x", "y", "z"}


def test_a_network_with_properties_has_the_loss_of_its_flows():
    def item(name: str, ends: tuple[str | None, str | None], flow: float, share: float) -> dict:
        return {
            "id": name, "from": ends[0], "to": ends[1], "measured": flow, "sd": 1.0,
            "properties": {"x": {"measured": share, "sd": 0.01}},
        }  # fmt: skip

    streams = [
        item("feed", (None, "column"), 100.0, 0.40),
        item("top", ("column", None), 40.0, 0.80),
        item("bottom", ("column", None), 58.5, 0.14),
    ]
    more = {"flow_unit": "t/h", "price_usd_per_t": 500, "hours": 24, "bounds": {"top.x": [0, 1]}}
    result = solve({"nodes": ["column"], "streams": streams, **more})
    assert result.gross_errors == ()
    assert result.loss.rate == pytest.approx(1.5)
    assert result.loss.rate_sd == pytest.approx(3**0.5)
    assert result.loss.tonnes == pytest.approx(36.0)
    assert result.loss.usd == pytest.approx(18_000.0)
    bare = [{k: v for k, v in entry.items() if k != "properties"} for entry in streams]
    flows = solve({"nodes": ["column"], "streams": bare, **more, "bounds": {}})
    assert result.loss == flows.loss


def test_equations_say_why_they_have_no_loss():
    result = solve(COLUMN)
    assert result.loss is None
    assert any("no loss is given" in note for note in result.warnings)


def nonlinear(constraint: str, **more: object) -> dict:
    return {
        "variables": {"measured": ["x", "y"], "unmeasured": ["v"]},
        "measured": {"x": 2.0, "y": 6.3},
        "sd": 0.1,
        "constraints": [constraint, "v = x + y"],
        **more,
    }


def test_a_bilinear_problem_has_the_expected_optimum():
    result = solve(nonlinear("y = 3*x"))
    found = {item.id: item.reconciled for item in result.streams}
    assert found["x"] == pytest.approx((2 + 3 * 6.3) / 10)
    assert found["v"] == pytest.approx(4 * (2 + 3 * 6.3) / 10)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (nonlinear("y = 3*z"), "unknown variable 'z'"),
        (nonlinear("y = import os"), "constraints"),
        (nonlinear("y = 3*x", measured={"x": 1.0}), "'y' is named as measured"),
        (nonlinear("y = 3*x", sd={"x": 1.0}), "'y' has no standard deviation"),
        (nonlinear("y = 3*x", sd=-1.0), "standard deviation of 'x' is -1"),
        (nonlinear("y = 3*x", bounds={"w": [0, 1]}), "'w', which is no variable"),
        (nonlinear("y = 3*x = 2"), "more than one '='"),
        (nonlinear("y = "), "a side of it is empty"),
        (nonlinear("y = foo(x)"), "no function 'foo'"),
        ({"constraints": ["x = 1"]}, "constraints need variables"),
    ],
)
def test_a_wrong_nonlinear_problem_is_refused_with_what_is_wrong(document, text):
    with pytest.raises(ParameterError, match=text):
        solve(document)


def test_equations_without_a_solution_are_an_error_and_not_an_answer():
    with pytest.raises((OperationError, ParameterError), match=r"no solution|contradict"):
        solve(nonlinear("x**2 + y**2 = 0 - 4"))
