from __future__ import annotations

import numpy as np
import pytest

from orchestrator.modules.forecasting.degradation_curves import (
    CURVES,
    OF_KIND,
    ONE_WAY,
    Curve,
    curves_for,
)

BOTH = [
    (Curve(name, sign), b, g, shape)
    for name, b, g, shape in (
        ("linear", 2.0, 0.03, 1.0),
        ("falling_rate", 2.0, 0.4, 12.0),
        ("asymptotic", 2.0, 3.0, 40.0),
        ("accelerating", 2.0, 1.5, 60.0),
        ("exponential", 2.0, 0.0, 0.01),
        ("hyperbolic", 2.0, 0.0, 0.01),
        ("blocking", 2.0, 0.0, 0.008),
    )
    for sign in (1, -1)
    if ONE_WAY.get(name, sign) == sign
]


@pytest.mark.parametrize(("curve", "b", "g", "shape"), BOTH, ids=lambda x: getattr(x, "name", ""))
def test_a_limit_is_reached_at_the_age_at_which_the_curve_has_its_value(curve, b, g, shape):
    if curve.has_gain and curve.sign < 0:
        g = -g if curve.name in ("linear", "falling_rate") else 2 * b - g
    ages = np.array([1.0, 10.0, 50.0])
    values = curve.value(ages, np.array(b), np.array(g), np.array(shape))
    assert np.all(np.diff(curve.sign * values) > 0)
    for age, value in zip(ages, values, strict=True):
        found = curve.age_at(float(value), np.array([b]), np.array([g]), np.array([shape]))
        assert found[0] == pytest.approx(age, rel=1e-9)


@pytest.mark.parametrize(
    "curve", [Curve("asymptotic", 1), Curve("linear", 1)], ids=lambda c: c.name
)
def test_a_limit_beyond_an_asymptote_or_behind_a_wrong_slope_is_never_reached(curve):
    b, g, shape = np.array([1.0]), np.array([2.0 if curve.name == "asymptotic" else -0.1]), 5.0
    assert curve.age_at(2.5, b, g, np.array([shape]))[0] == np.inf
    assert curve.age_at(0.5, b, g, np.array([shape]))[0] == 0.0


def test_a_filter_that_blocks_completely_has_no_value_after_its_pole():
    curve = Curve("blocking", 1)
    at = curve.value(np.array([99.0, 101.0]), np.array(1.0), np.array(0.0), np.array(0.01))
    assert at[0] == pytest.approx(100.0)
    assert at[1] == np.inf
    reached = curve.age_at(50.0, np.array([1.0]), np.array([0.0]), np.array([0.01]))
    assert reached[0] == pytest.approx(98.0)


@pytest.mark.parametrize("name", ["linear", "falling_rate", "asymptotic", "accelerating"])
def test_a_record_that_begins_later_follows_the_same_curve(name):
    """Else the age at the begin of a record would have to be known."""
    curve, b, g, shape, late = Curve(name, 1), 1.0, 2.0, 30.0, 17.0
    if name == "accelerating":
        g = 0.5
    ages = np.linspace(0, 60, 40)
    values = curve.value(ages + late, np.array(b), np.array(g), np.array(shape))
    later = shape + late if name == "falling_rate" else shape
    design = np.column_stack(curve.bases(ages, later))
    rest = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    assert np.abs(rest).max() < 1e-9


def test_curves_fit_the_kind_the_direction_and_the_values():
    def names(*given, positive=True):
        return [curve.name for curve in curves_for(*given, positive=positive)]

    assert names("fouling", "auto", 1) == list(OF_KIND["fouling"])
    assert names("catalyst", "auto", -1) == ["linear", "exponential", "hyperbolic"]
    assert names("catalyst", "auto", 1) == ["linear", "exponential", "accelerating"]
    assert names("filter", "auto", 1, positive=False) == ["linear"]
    assert names("filter", "blocking", -1) == []
    assert {name for kind in OF_KIND.values() for name in kind} == set(CURVES)
