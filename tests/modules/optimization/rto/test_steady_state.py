from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.errors import ConfigurationError
from orchestrator.modules.optimization.models import SetpointsInput
from orchestrator.modules.optimization.rto.steady_state import SteadyState
from orchestrator.plant.economic_model import EconomicModel

ROOT = Path(__file__).parents[4]
TANK = {
    "handles": {"q": [0.1, 4], "t": [280, 340]},
    "parameters": {"cin": 2.0, "v": 3.0},
    "definitions": {"rate": "k * c ** 2", "k": "5 * exp(-1200 / t)"},
    "unknowns": {"c": {"start": 1, "low": 0, "high": 2}},
    "equations": ["q * (cin - c) = v * rate"],
    "responses": {"conversion": "1 - c / cin"},
    "measured": {"c": 0.01},
    "objective": "10 * q * conversion - price * t",
    "constraints": ["c <= 1.5", "q * c >= 0.2"],
}


def tank(**changes) -> SteadyState:
    return SteadyState(EconomicModel.model_validate(TANK | changes))


def by_hand(q, t):
    k = 5 * np.exp(-1200 / t)
    return (-q + np.sqrt(q * q + 4 * 3 * k * q * 2.0)) / (2 * 3 * k)


@settings(max_examples=60, deadline=None)
@given(q=st.floats(0.1, 4), t=st.floats(280, 340))
def test_a_reactor_is_solved_as_by_hand_with_exact_slopes(q, t):
    point = tank().at(np.array([[q, t]]), {"price": 0.1})
    assert point.values["c"][0] == pytest.approx(by_hand(q, t), rel=1e-7)
    assert point.values["objective"][0] == pytest.approx(
        10 * q * (1 - by_hand(q, t) / 2) - 0.1 * t, rel=1e-7
    )
    h = 1e-5
    by_q = (by_hand(q + h, t) - by_hand(q - h, t)) / (2 * h)
    by_t = (by_hand(q, t + h) - by_hand(q, t - h)) / (2 * h)
    assert point.slopes["c"][:, 0] == pytest.approx([by_q, by_t], rel=1e-4, abs=1e-8)
    assert point.slopes["q * c"][0, 0] == pytest.approx(by_hand(q, t) + q * by_q, rel=1e-5)


def test_many_positions_are_solved_at_once_and_one_by_one_alike():
    positions = np.random.default_rng(0).uniform([0.1, 280], [4, 340], (50, 2))
    together = tank().at(positions, {"price": 0.1}).values["objective"]
    alone = [tank().at(p[None, :], {"price": 0.1}).values["objective"][0] for p in positions]
    assert together == pytest.approx(alone, rel=1e-8)


def test_where_there_is_no_steady_state_there_is_none():
    nowhere = tank(equations=["q * (cin - c) = v * rate + 40"])
    assert np.isnan(nowhere.steady_states(np.array([[1.0, 300.0]]), {})).all()
    assert "q = 1" in str(nowhere.no_steady_state({"q": 1.0}))


def test_a_poor_start_is_mended_by_restarts():
    hard = {"x": {"start": 9.0, "low": -10, "high": 10}}
    model = EconomicModel.model_validate(
        {
            "handles": {"u": [0, 1]},
            "unknowns": hard,
            "equations": ["x / sqrt(1 + x ** 2) = u"],
            "objective": "x",
        }
    )
    found = SteadyState(model).steady_states(np.array([[0.5]]), {})
    assert found[0, 0] == pytest.approx(0.5 / np.sqrt(0.75), rel=1e-7)


def test_a_correction_reaches_money_and_limits_but_not_the_equations():
    state = tank()
    position = np.array([[2.0, 300.0]])
    plain = state.at(position, {"price": 0.0})
    shift = (np.array([0.1]), np.array([[0.5], [0.0]]))
    moved = state.at(position, {"price": 0.0}, correction={"c": shift})
    assert moved.values["c"][0] == pytest.approx(plain.values["c"][0] + 0.1)
    assert moved.slopes["c"][0, 0] == pytest.approx(plain.slopes["c"][0, 0] + 0.5)
    # The response is measured by itself and has no correction here, but the constraint reads c.
    assert moved.values["q * c"][0] == pytest.approx(plain.values["q * c"][0] + 0.2)
    nothing = state.at(position, {"price": 0.0}, correction={"conversion": shift})
    assert nothing.values["objective"][0] == pytest.approx(plain.values["objective"][0] + 2.0)


def test_the_published_optimum_of_the_reactor_is_a_stationary_point(reactor):
    state = SteadyState(EconomicModel.model_validate(reactor.plant("A")))
    best = reactor.case("A")["plant_optimum"]
    point = state.at(np.array([[best["FB"], best["TR"]]]), {})
    assert point.values["objective"][0] == pytest.approx(best["profit"], rel=1e-9)
    assert point.slopes["objective"][:, 0] == pytest.approx([0, 0], abs=1e-5)
    for name, value in best["X"].items():
        assert point.values[f"X{name}"][0] == pytest.approx(value, rel=1e-7)


def test_models_that_do_not_hold_together_are_refused():
    with pytest.raises(ValidationError, match="2 equations cannot determine 1"):
        EconomicModel.model_validate(TANK | {"equations": ["c = 1", "c = 2"]})
    with pytest.raises(ValidationError, match="no equation"):
        EconomicModel.model_validate(TANK | {"equations": ["q * c"]})
    with pytest.raises(ValidationError, match="stands in both"):
        EconomicModel.model_validate(TANK | {"parameters": {"c": 1}})
    with pytest.raises(ValidationError, match="no constraint"):
        EconomicModel.model_validate(TANK | {"constraints": ["c < b"]})
    with pytest.raises(ValidationError, match="measured 'z'"):
        EconomicModel.model_validate(TANK | {"measured": {"z": 1}})
    with pytest.raises(ConfigurationError, match="circle"):
        tank(definitions={"rate": "k * c ** 2", "k": "rate + 1"})


def test_the_example_is_the_published_reactor(reactor):
    example = yaml.safe_load((ROOT / "examples" / "williams_otto.yaml").read_text(encoding="utf-8"))
    at = np.array([[3.3, 8.0, 88.0], [4.1, 10.0, 97.0]])
    pairs = (
        (example["simulate"]["plant"], reactor.plant("C")),
        (example["economics"], reactor.model("C", "literature")),
    )
    for ours, published in pairs:
        said = [SteadyState(EconomicModel.model_validate(m)).at(at, {}) for m in (ours, published)]
        for name in ("objective", "XA", "XB", "XP", "XE", "XG"):
            assert said[0].values[name] == pytest.approx(said[1].values[name], rel=1e-8)
    assert SetpointsInput.model_validate(example).simulate.iterations == 15
