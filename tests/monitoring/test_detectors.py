"""Principal components: limits, missing values, constant columns, contributions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from orchestrator.errors import InsufficientDataError
from orchestrator.monitoring.detectors import (
    PrincipalComponents,
    box_limit,
    jackson_mudholkar_limit,
)

RANDOM = np.random.default_rng(7)
MIXING = RANDOM.standard_normal((3, 10))


def rows(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.standard_normal((count, 3)) @ MIXING + 0.5 * random.standard_normal((count, 10))


SHIFT, SPREAD = rows(600, 1).mean(axis=0), rows(600, 1).std(axis=0, ddof=1)


def scaled(values: np.ndarray) -> np.ndarray:
    return (values - SHIFT) / SPREAD


@pytest.fixture(scope="module")
def model() -> PrincipalComponents:
    return PrincipalComponents(scaled(rows(600, 1)), 0.85, 0.01)


def test_statistics_are_those_of_scikit_learn(model: PrincipalComponents) -> None:
    z, new = scaled(rows(600, 1)), scaled(rows(50, 2))
    k = model.components.loadings.shape[1]
    reference = PCA(n_components=k).fit(z)
    score = reference.transform(new)
    t2 = (score**2 / reference.explained_variance_).sum(axis=1)
    spe = ((new - reference.inverse_transform(score)) ** 2).sum(axis=1)
    found = model.score(new)
    np.testing.assert_allclose(found.t2 * model.t2_limit, t2, rtol=1e-9)
    np.testing.assert_allclose(found.spe * model.spe_limit, spe, rtol=1e-9)


def test_the_false_alarm_rate_holds_on_rows_never_seen(model: PrincipalComponents) -> None:
    found = model.score(scaled(rows(20_000, 3)))
    # 600 rows leave the limits themselves uncertain, hence the factor of two either way.
    assert 0.005 / 1.5 < (found.t2 > 1).mean() < 0.02
    assert 0.005 / 1.5 < (found.spe > 1).mean() < 0.02


def test_few_rows_of_many_tags_do_not_raise_the_false_alarm_rate() -> None:
    random = np.random.default_rng(4)
    mixing = random.standard_normal((4, 30))

    def some(count: int) -> np.ndarray:
        return random.standard_normal((count, 4)) @ mixing + random.standard_normal((count, 30))

    train = some(120)
    shift, spread = train.mean(axis=0), train.std(axis=0, ddof=1)
    model = PrincipalComponents((train - shift) / spread, 0.7, 0.01)
    found = model.score((some(5000) - shift) / spread)
    assert found.over.mean() < 0.04


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9), st.floats(20, 200), st.sampled_from([-1, 1]))
def test_a_large_fault_of_one_tag_is_its_largest_contribution(
    tag: int, size: float, sign: int
) -> None:
    model = PrincipalComponents(scaled(rows(600, 1)), 0.85, 0.01)
    z = scaled(rows(6, 5))
    z[:, tag] += sign * size
    shares = model.contributions(z)
    assert shares.argmax() == tag
    assert (shares >= 0).all()
    assert shares.sum() == pytest.approx(1.0)


def test_a_row_with_missing_values_is_scored_by_the_known_ones(model: PrincipalComponents) -> None:
    z = scaled(rows(400, 6))
    holed = z.copy()
    holed[:, 2] = np.nan
    holed[::3, 7] = np.nan
    found = model.score(holed)
    assert np.isfinite(found.spe).all()
    assert (found.t2 > 1).mean() < 0.03
    assert (found.spe > 1).mean() < 0.03
    holed[:, 4] += 30
    assert model.score(holed).over.all()
    assert (model.contributions(holed)).argmax() == 4


def test_a_row_that_misses_too_much_is_not_scored(model: PrincipalComponents) -> None:
    z = scaled(rows(2, 6))
    z[0, :5] = np.nan
    found = model.score(z)
    assert np.isnan(found.spe[0])
    assert np.isfinite(found.spe[1])
    assert not found.over[0]


def test_outliers_in_training_do_not_widen_the_limits(model: PrincipalComponents) -> None:
    z = scaled(rows(600, 1))
    z[100:110] += 40 * np.sign(np.random.default_rng(8).standard_normal(10))
    spoiled = PrincipalComponents(z, 0.85, 0.01)
    assert not spoiled.kept[100:110].any()
    fresh = scaled(rows(5000, 9))
    assert spoiled.score(fresh).over.mean() == pytest.approx(
        model.score(fresh).over.mean(), abs=0.01
    )


def test_a_constant_column_does_no_harm() -> None:
    z = scaled(rows(200, 1))
    z[:, 3] = 0.0
    model = PrincipalComponents(z, 0.85, 0.01)
    assert model.score(z).over.mean() < 0.05
    assert model.contributions(z[:1])[3] == pytest.approx(0.0, abs=1e-9)


def test_limits_of_known_distributions() -> None:
    random = np.random.default_rng(10)
    chi = random.chisquare(5, 200_000)
    assert box_limit(chi, 0.01) == pytest.approx(15.086, rel=0.02)
    # Ten equal variances left out: SPE is χ² with ten degrees of freedom.
    assert jackson_mudholkar_limit(np.ones(10), 0.01) == pytest.approx(23.209, rel=0.01)


def test_too_little_to_learn_from_is_said() -> None:
    with pytest.raises(InsufficientDataError, match="10 rows of 10 varying tags"):
        PrincipalComponents(scaled(rows(10, 1)), 0.7, 0.01)


def test_reconstruction_from_the_other_tags_does_not_use_the_tag_itself(
    model: PrincipalComponents,
) -> None:
    z = scaled(rows(1, 11))[0]
    residual = model.residual_model()
    moved = z.copy()
    moved[4] += 3.0
    assert (residual @ moved - residual @ z)[4] == pytest.approx(3.0)
