"""The parts of the forecasts against slow and plain reckoning."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from orchestrator.modules.analysis import regression, season


def test_the_average_change_is_that_of_the_same_weeks_of_all_years_before():
    rng = np.random.default_rng(1)
    values = np.cumsum(rng.normal(size=400))
    found = season.average_change(season.change(values, 3), 365.25 / 7, 3)
    for row in (60, 200, 390):
        past = []
        for years in range(1, 9):
            at = row - round(years * 365.25 / 7)
            if at >= 0:
                past.append(values[at + 3] - values[at])
        assert found[row] == pytest.approx(np.mean(past))
    assert found[30] == 0.0


def test_what_is_usual_at_a_row_does_not_change_with_what_comes_after_it():
    rng = np.random.default_rng(2)
    values = np.cumsum(rng.normal(size=500))
    changes = season.change(values, 4)
    whole = season.usual_change(changes, 52.18, 8.0, 4)
    for row in (150, 320, 480):
        known = season.change(values[: row + 1], 4)
        cut = season.usual_change(known, 52.18, 8.0, 4)
        assert whole[row] == pytest.approx(cut[row])


@pytest.mark.parametrize("steps", [11, 12, 13, 24, 26])
def test_a_change_over_a_year_and_more_counts_once_it_is_known(steps):
    values = np.cumsum(np.random.default_rng(8).normal(size=240))
    whole = season.average_change(season.change(values, steps), 12.0, steps)
    for row in (100, 200, 230):
        begins = [at for at in range(row - 12, -1, -12) if at + steps <= row]
        past = [values[at + steps] - values[at] for at in begins]
        assert whole[row] == pytest.approx(np.mean(past))


def test_an_odd_year_weighs_little():
    week = np.arange(52 * 12)
    usual = 100 * np.sin(2 * np.pi * week / 52.18)
    changes = usual + np.random.default_rng(3).normal(0, 5, len(week))
    odd = changes.copy()
    odd[week[:-60][-52:]] += 400
    row = len(week) - 60 + 52 + 5
    moved = season.usual_change(odd, 52.18, np.inf, 1) - season.usual_change(
        changes, 52.18, np.inf, 1
    )
    plain = season.average_change(odd, 52.18, 1) - season.average_change(changes, 52.18, 1)
    assert abs(moved[row]) < 0.6 * abs(plain[row])


def test_each_row_gets_the_ridge_fit_of_what_was_known_there():
    rng = np.random.default_rng(4)
    features = rng.normal(size=(400, 5)) * [1, 10, 0.1, 3, 1]
    target = features @ [1.0, 0.2, -4.0, 0.0, 0.5] + rng.normal(size=400) + 7
    features[50, 2] = np.nan
    target[60] = np.nan
    steps, first, half_life = 3, 10, 150.0
    found = regression.predict(
        regression.moments(features, target, first, half_life), features, [200, 320, 399], steps
    )
    for number, row in enumerate((200, 320, 399)):
        rows = np.arange(first, row - steps + 1)
        known = np.isfinite(features[rows]).all(axis=1) & np.isfinite(target[rows])
        rows = rows[known]
        weight = 0.5 ** ((row - steps - rows) / half_life)
        mean = np.average(features[rows], axis=0, weights=weight)
        deviation = np.sqrt(np.average((features[rows] - mean) ** 2, axis=0, weights=weight))
        model = Ridge(alpha=regression.PENALTY * weight.sum())
        model.fit((features[rows] - mean) / deviation, target[rows], sample_weight=weight)
        expected = model.predict(((features[row] - mean) / deviation)[None, :])[0]
        assert found[number] == pytest.approx(expected)


def test_too_few_rows_claim_nothing():
    features = np.random.default_rng(5).normal(size=(150, 2))
    sums = regression.moments(features, features[:, 0], 75, 1e9)
    assert regression.predict(sums, features, [149], 1)[0] == 0.0
    enough = regression.moments(features, features[:, 0], 60, 1e9)
    assert regression.predict(enough, features, [149], 1)[0] != 0.0


def test_a_feature_that_never_varies_does_no_harm():
    rng = np.random.default_rng(6)
    features = np.column_stack([rng.normal(size=300), np.full(300, 5.0)])
    sums = regression.moments(features, 2 * features[:, 0], 0, 260.0)
    found = regression.predict(sums, features, [299], 1)
    assert np.isfinite(found).all()
