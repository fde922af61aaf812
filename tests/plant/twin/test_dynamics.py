import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.plant.twin.dynamics import Coloured, DeadTimes, Lags


def cut(array, places):
    return np.split(array, sorted({p for p in places if 0 < p < len(array)}))


def test_a_lag_follows_a_step_as_the_analytic_solution_does():
    inputs = np.vstack((np.zeros((1, 2)), np.ones((200, 2))))
    outputs = Lags([5.0, 40.0]).run(inputs)
    elapsed = np.arange(201)
    assert outputs == pytest.approx(
        1 - np.exp(-elapsed[:, None] / np.array([5.0, 40.0])), abs=1e-12
    )


def test_a_time_constant_of_zero_passes_the_signal_through():
    inputs = np.random.default_rng(1).normal(size=(10, 1))
    assert np.array_equal(Lags([0.0]).run(inputs), inputs)


@given(places=st.lists(st.integers(1, 299), max_size=6))
def test_lags_and_dead_times_do_not_depend_on_how_a_run_is_cut(places):
    inputs = np.random.default_rng(2).normal(size=(300, 3))
    whole = DeadTimes([0, 7, 65]).run(Lags([3.0, 0.0, 90.0]).run(inputs))
    lags, delays = Lags([3.0, 0.0, 90.0]), DeadTimes([0, 7, 65])
    parts = [delays.run(lags.run(part)) for part in cut(inputs, places)]
    assert np.vstack(parts) == pytest.approx(whole, abs=1e-12)


def test_a_dead_time_shifts_and_starts_at_rest():
    inputs = np.arange(10.0)[:, None] + 5.0
    assert DeadTimes([3]).run(inputs)[:, 0].tolist() == [5, 5, 5, 5, 6, 7, 8, 9, 10, 11]


def test_coloured_noise_has_the_size_and_memory_asked_for():
    values = Coloured([2.0], [20.0], np.random.default_rng(3)).run(200_000)[2000:, 0]
    assert values.std() == pytest.approx(2.0, rel=0.05)
    lagged = np.corrcoef(values[:-20], values[20:])[0, 1]
    assert lagged == pytest.approx(np.exp(-1), abs=0.05)
