import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.modules.optimization.rto.estimation import estimate
from orchestrator.modules.optimization.rto.even_points import even_points
from orchestrator.modules.optimization.rto.mismatch import Mismatch
from orchestrator.modules.optimization.rto.steady_state import SteadyState
from orchestrator.plant.economic_model import EconomicModel

PLACES = even_points(12, 2)


def difference(at):
    return 0.4 + at[:, 0] - 0.5 * at[:, 1] ** 2


def test_one_point_gives_its_bias_everywhere():
    found = Mismatch.fit(np.array([[0.2, 0.9]]), np.array([3.0]), np.zeros(1), 1.0)
    value, slope = found.mean(PLACES)
    assert value == pytest.approx(np.full(12, 3.0))
    assert slope == pytest.approx(np.zeros((2, 12)))


def test_value_and_slope_of_a_smooth_difference_are_found_without_noise():
    found = Mismatch.fit(PLACES, difference(PLACES), np.zeros(12), 1.0)
    at = np.array([[0.45, 0.55], [0.3, 0.4]])
    value, slope = found.mean(at)
    assert value == pytest.approx(difference(at), abs=0.02)
    assert slope[0] == pytest.approx([1, 1], abs=0.15)
    assert slope[1] == pytest.approx(-at[:, 1], abs=0.15)
    assert found.mean(PLACES)[0] == pytest.approx(difference(PLACES), abs=1e-3)
    assert (found.sd(PLACES) < 1e-2).all()


def test_slopes_are_those_of_the_mean():
    found = Mismatch.fit(PLACES, difference(PLACES), np.full(12, 0.05), 1.0)
    at, h = np.array([[0.4, 0.6]]), 1e-5
    _, slope = found.mean(at)
    for i in range(2):
        step = h * np.eye(2)[[i]]
        apart = found.mean(at + step)[0] - found.mean(at - step)[0]
        assert slope[i] == pytest.approx(apart / (2 * h), rel=1e-5)


def test_noise_is_averaged_and_the_stated_uncertainty_is_honest():
    random = np.random.default_rng(3)
    at = even_points(6, 2, 40)
    scores = []
    for _ in range(60):
        places = random.random((25, 2))
        seen = difference(places) + 0.2 * random.standard_normal(25)
        found = Mismatch.fit(places, seen, np.full(25, 0.2), 1.0)
        scores += list((found.mean(at)[0] - difference(at)) / found.sd(at))
    assert np.mean(np.abs(scores) < 1.645) > 0.8
    assert np.sqrt(np.mean(np.square(scores))) < 1.4


def test_what_is_old_counts_less_for_the_level():
    at = np.array([[0.5, 0.5], [0.5, 0.5]])
    hours = np.array([96.0, 0.0, 0.0])
    lapse = np.abs(hours[:, None] - hours[None, :]) / 48.0
    aged = Mismatch.fit(at, np.array([0.0, 1.0]), np.full(2, 0.05), 1.0, lapse)
    alike = Mismatch.fit(at, np.array([0.0, 1.0]), np.full(2, 0.05), 1.0)
    assert alike.mean(at)[0][0] == pytest.approx(0.5, abs=1e-6)
    assert aged.mean(at)[0][0] > 0.9


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), noise=st.floats(0, 0.5))
def test_the_uncertainty_is_never_less_than_nothing_nor_grows_with_data(seed, noise):
    random = np.random.default_rng(seed)
    places = random.random((8, 2))
    seen = difference(places) + noise * random.standard_normal(8)
    found = Mismatch.fit(places, seen, np.full(8, noise), 1.0)
    at = random.random((20, 2))
    sd = found.sd(at)
    assert (sd >= 0).all()
    assert found.covariance(at, at[3])[3] == pytest.approx(sd[3] ** 2, rel=1e-5, abs=1e-7)


TANK = {
    "handles": {"q": [0.1, 4]},
    "parameters": {
        "k": {"value": 1.0, "low": 0.1, "high": 9, "sd": 1.0},
        "unseen": {"value": 5.0, "sd": 2.0},
    },
    "unknowns": {"c": {"start": 1, "low": 0, "high": 2}},
    "equations": ["q * (2 - c) = k * c"],
    "measured": {"c": None},
    "objective": "q * c - unseen",
}


def test_parameters_are_found_and_what_the_data_does_not_tell_is_held():
    state = SteadyState(EconomicModel.model_validate(TANK))
    q = np.linspace(0.3, 3.5, 15)[:, None]
    truth = state.at(q, {"k": 2.5}).values["c"]
    sd = np.full(15, 0.01)
    seen = truth + 0.01 * np.random.default_rng(0).standard_normal(15)
    found = estimate(state, q, {"c": seen}, {"c": sd}, {})
    assert found.held == ("unseen",)
    assert found.values["k"] == pytest.approx(2.5, abs=4 * found.sd["k"])
    assert 0.005 < found.sd["k"] < 0.2
    assert found.residual == pytest.approx(1.0, abs=0.5)


def test_the_prior_decides_between_what_fits_alike():
    state = SteadyState(EconomicModel.model_validate(TANK))
    point = np.array([[1.0]])
    # c = 2 / (1 + k): one measurement of c with sd 0.5 against the prior k = 1 with sd 1.
    found = estimate(state, point, {"c": np.array([0.8])}, {"c": np.array([0.5])}, {})
    assert 1.0 < found.values["k"] < 1.5
