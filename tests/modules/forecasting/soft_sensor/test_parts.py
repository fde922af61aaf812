"""The parts against slow or independent ways to the same figures."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Ridge

from orchestrator.errors import InsufficientDataError
from orchestrator.modules.forecasting.soft_sensor.applicability import Domain
from orchestrator.modules.forecasting.soft_sensor.choice import weights_of
from orchestrator.modules.forecasting.soft_sensor.features import (
    KNOWN,
    MOST_FEATURES,
    FeatureMaker,
    fill_inputs,
    last_known,
    window_sets,
)
from orchestrator.modules.forecasting.soft_sensor.intervals import intervals
from orchestrator.modules.forecasting.soft_sensor.learners import (
    COMPONENTS,
    Boosting,
    GaussianProcess,
    partial_least_squares,
)
from orchestrator.modules.forecasting.soft_sensor.ridge import PENALTIES, ridge
from orchestrator.modules.forecasting.soft_sensor.samples import Samples, align, without_slips
from orchestrator.modules.forecasting.soft_sensor.walk import bias_after

SIZE = 80


@pytest.fixture
def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = (
        rng.normal(size=(SIZE, 20)) @ rng.normal(size=(20, 20)) * 10.0 ** rng.integers(-3, 4, 20)
    )
    values = features[:, 0] / features[:, 0].std() + 0.1 * rng.normal(size=SIZE) + 50.0
    return features, values, features[:7] + features[7:14]


@pytest.mark.parametrize("half_life", [None, 15.0])
def test_ridge_agrees_with_scikit_learn(problem, half_life):
    features, values, asked = problem
    weights = np.ones(SIZE) if half_life is None else 0.5 ** (np.arange(SIZE)[::-1] / half_life)
    centre = np.average(features, axis=0, weights=weights)
    scale = np.sqrt(np.average((features - centre) ** 2, axis=0, weights=weights))
    found = ridge(features, values, asked, half_life)
    for column, penalty in enumerate(PENALTIES):
        model = Ridge(alpha=penalty).fit((features - centre) / scale, values, weights)
        np.testing.assert_allclose(
            found[:, column], model.predict((asked - centre) / scale), rtol=1e-7
        )


def test_a_feature_that_never_moves_has_no_say(problem):
    features, values, asked = problem
    constant = np.full((SIZE, 1), 1e6)
    both = ridge(np.hstack([features, constant]), values, np.hstack([asked, np.ones((7, 1))]))
    np.testing.assert_allclose(both, ridge(features, values, asked), rtol=1e-6)
    wide = partial_least_squares(
        np.hstack([features, constant]), values, np.hstack([asked, np.ones((7, 1))])
    )
    np.testing.assert_allclose(wide, partial_least_squares(features, values, asked), rtol=1e-6)


def test_partial_least_squares_agrees_with_one_fit_a_component(problem):
    features, values, asked = problem
    found = partial_least_squares(features, values, asked)
    for column, count in enumerate(COMPONENTS):
        model = PLSRegression(n_components=count, scale=True).fit(features, values)
        np.testing.assert_allclose(found[:, column], model.predict(asked).ravel(), rtol=1e-6)


def test_the_process_follows_a_curve_that_a_line_cannot(problem):
    rng = np.random.default_rng(1)
    features = rng.uniform(-2, 2, size=(150, 2))
    values = np.sin(2 * features[:, 0]) * 3 + features[:, 1]
    process = GaussianProcess(0)
    error = values[100:] - process(features[:100], values[:100], features[100:])[:, 0]
    line = values[100:, None] - ridge(features[:100], values[:100], features[100:])
    assert error.std() < 0.3 * line.std(axis=0).min()


def test_trees_follow_the_last_value_where_they_cannot_extrapolate():
    level = np.arange(300.0)
    features = np.column_stack([np.sin(level / 9), level])
    values = level + features[:, 0]
    found = Boosting(-1, 0)(features[:200], values[:200], features[200:])
    assert np.abs(found[:, 0] - values[200:]).max() < 1.0
    without = Boosting(None, 0)(features[:200], values[:200], features[200:])
    assert np.abs(without[:, 0] - values[200:]).max() > 50.0


def test_features_are_means_over_their_windows_and_changes_of_what_was_known():
    rng = np.random.default_rng(2)
    columns = rng.normal(size=(60, 2)) + 1e6
    samples = align(rng.normal(size=60), 3, "sampled")
    inputs = fill_inputs(("a", "b"), columns, (0, 59))
    windows = ((0, 0), (1, 3), (4, 11))
    found = FeatureMaker(inputs, samples).make(np.array([30, 45]), windows, 3)
    for i, row in enumerate((30, 45)):
        means = [
            columns[row - far : row - near + 1].mean(axis=0) - inputs.centre
            for near, far in windows
        ]
        known = samples.values[row - 3], samples.values[row - 4], samples.values[row - 5]
        expected = [*np.concatenate(means), known[0], known[0] - known[1], known[1] - known[2]]
        np.testing.assert_allclose(found[i], expected, atol=1e-8)


def test_windows_stay_within_what_the_rows_and_the_number_of_inputs_bear():
    for inputs in (1, 7, 40, 400):
        for rows in (40, 200, 5000):
            sets = window_sets(12.0, inputs, rows)
            assert ((0, 0),) in sets
            for windows in sets:
                assert len(windows) * inputs <= max(inputs, MOST_FEATURES)
                assert 4 * windows[-1][1] <= rows
                near = [first for first, _ in windows]
                assert near == [0, *[last + 1 for _, last in windows[:-1]]]
    assert window_sets(1.0, 7, 1000, lags=5) == [tuple((lag, lag) for lag in range(6))]
    [wide] = window_sets(1.0, 200, 1000, lags=50)
    assert wide[-1][1] == 50


def test_inputs_carry_their_newest_value_and_say_how_old_it_is():
    nan = np.nan
    columns = np.array([[nan, 1.0], [2.0, 1.0], [nan, 1.0], [4.0, 1.0], [nan, 1.0], [nan, 9.0]])
    inputs = fill_inputs(("a", "b"), columns, (0, 4))
    assert (inputs.names, inputs.left_out) == (("a",), ("b",))
    assert inputs.values[:, 0].tolist() == [3.0, 2.0, 2.0, 4.0, 4.0, 4.0]
    assert inputs.ages[:, 0].tolist() == [1, 0, 1, 0, 1, 2]
    with pytest.raises(InsufficientDataError, match="no input changes in rows 1 to 2"):
        fill_inputs(("a", "b"), columns, (1, 2))


def test_a_value_is_known_delay_rows_after_its_sample():
    column = np.array([np.nan, 1.0, np.nan, 2.0, 3.0])
    sampled = align(column, 2, "sampled")
    assert (sampled.rows.tolist(), sampled.known.tolist()) == ([1, 3, 4], [3, 5, 6])
    reported = align(column, 2, "reported")
    assert (reported.rows.tolist(), reported.known.tolist()) == ([1, 2], [3, 4])
    assert reported.values.tolist() == [2.0, 3.0]
    own = align(column, 0, "sampled")
    assert own.known.tolist() == [2, 4, 5]
    np.testing.assert_array_equal(last_known(own, np.array([1, 2, 4])), [np.nan, 1.0, 2.0])
    assert own.ages(np.array([2, 4])).tolist() == [1, 1]


def test_only_what_no_plant_makes_is_a_slip():
    rng = np.random.default_rng(3)
    values = rng.normal(50, 1, 100)
    values[[7, 90]] = 500.0, 58.0
    rows = np.arange(100)
    kept, gone = without_slips(Samples(rows, values, rows + 1), 80)
    assert gone == 1
    assert 58.0 in kept.values
    steady = Samples(rows, np.where(rows % 10, 5.0, 7.0), rows + 1)
    assert without_slips(steady, 100) == (steady, 0)


@pytest.mark.parametrize("away", [range(40, 44), range(0, 100, 5)], ids=["stretch", "often"])
def test_another_grade_is_no_slip(away):
    values = np.random.default_rng(3).normal(50, 1, 100)
    values[list(away)] = 500.0
    rows = np.arange(100)
    assert without_slips(Samples(rows, values, rows + 1), 100)[1] == 0


def test_the_bias_is_the_weighted_mean_of_past_errors():
    errors = np.array([1.0, -2.0, 4.0])
    expected = [0, 0.3, 0.3 * 0.7 - 0.6, (0.3 * 0.7 - 0.6) * 0.7 + 1.2]
    np.testing.assert_allclose(bias_after(errors, 0.3), expected)
    assert not bias_after(errors, 0.0).any()


def test_weights_favour_small_errors_and_bear_none():
    share = weights_of(np.array([1.0, 2.0, 4.0]))
    np.testing.assert_allclose(share, np.array([16, 4, 1]) / 21)
    assert weights_of(np.zeros(4)).tolist() == [0.25] * 4
    assert np.isfinite(weights_of(np.array([0.0, 1e300]))).all()


def test_intervals_widen_when_errors_grow():
    rng = np.random.default_rng(4)
    errors = rng.normal(size=1200) * np.where(np.arange(1200) < 600, 1.0, 3.0)
    known = np.maximum(np.arange(1200) - 5, 0)
    found = intervals(errors, known)
    assert 0.93 <= np.mean(found.inside[:580]) <= 0.97
    assert 0.92 <= np.mean(found.inside[620:]) <= 0.97
    assert 1.7 <= np.median(found.half_widths[300:600]) <= 2.4
    assert 5.0 <= np.median(found.half_widths[900:]) <= 7.5
    fixed = np.quantile(np.abs(errors[:600]), 0.95)
    assert (np.abs(errors[620:]) <= fixed).mean() < 0.6


def test_an_interval_knows_nothing_of_later_errors():
    errors = np.random.default_rng(5).normal(size=200)
    known = np.maximum(np.arange(200) - 3, 0)
    before = intervals(errors, known).half_widths
    errors[120:] *= 50
    after = intervals(errors, known).half_widths
    np.testing.assert_array_equal(after[:121], before[:121])
    assert after[-1] > before[-1]


def test_with_few_errors_the_interval_is_the_largest():
    assert (
        intervals(np.array([0.5, -2.0, 1.0]), np.array([0, 0, 1])).half_widths.tolist() == [2.0] * 4
    )


def test_applicability_tells_far_out_from_out_of_step():
    rng = np.random.default_rng(6)
    drive, mix = rng.normal(size=(3000, 2)), rng.normal(size=(2, 6))
    drive[2000] = 12.0, -12.0
    columns = drive @ mix + 0.1 * rng.normal(size=(3000, 6))
    columns[2001] = columns[1000]
    columns[2001, 3] += 2.0
    inputs = fill_inputs([f"x{i}" for i in range(6)], columns, (0, 1499))
    domain = Domain(inputs, (0, 1499))
    judged = domain.judge(np.arange(3000))
    assert judged.inside[:1500].mean() > 0.995
    assert judged.inside[1500:2000].mean() > 0.98
    assert judged.t2[2000] > 1
    assert judged.spe[2001] > 1 > judged.t2[2001]
    assert "farther out" in domain.reasons(2000)
    assert "x3" in domain.reasons(2001)
    assert "do not go together" in domain.reasons(2001)


def test_one_input_has_a_domain_too():
    values = np.random.default_rng(7).normal(size=(500, 1))
    values[-1] = 20.0
    judged = Domain(fill_inputs(("a",), values, (0, 398)), (0, 398)).judge(np.arange(500))
    assert not judged.inside[-1]
    assert judged.inside[:-1].mean() > 0.99
    assert (judged.spe <= 1).all()


def test_every_number_of_known_values_looks_back_from_the_newest():
    for count, back in KNOWN.items():
        assert len(back) == count
        assert list(back) == sorted(back)
        assert not back or back[0] == 0
