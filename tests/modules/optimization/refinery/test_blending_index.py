"""Blending indices against values worked by hand or printed, and their inverses."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.modules.optimization.refinery.blending_index import INDICES
from orchestrator.modules.optimization.refinery.model import RefineryModel
from orchestrator.modules.optimization.refinery.qualities import BlendingRules

USUAL = {
    "linear": (-50.0, 500.0),
    "volume": (-50.0, 500.0),
    "mass": (0.0, 10.0),
    "rvp": (0.1, 200.0),
    "viscosity": (0.3, 1e6),
    "flash": (-40.0, 250.0),
    "cloud": (-80.0, 60.0),
    "pour": (-80.0, 60.0),
    "octane": (11.0, 120.0),
    "api": (-5.0, 70.0),
}


@pytest.mark.parametrize("name", INDICES)
@given(share=st.floats(0, 1), other=st.floats(0, 1))
def test_an_index_is_monotone_and_has_its_inverse(name, share, other):
    index = INDICES[name]
    low, high = USUAL[name]
    first, second = sorted(low + (high - low) * x for x in (share, other))
    assert index.value(index.of(first)) == pytest.approx(first, abs=1e-6 * (high - low))
    if second - first > 1e-6 * (high - low):
        assert (index.of(second) > index.of(first)) == index.rising


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        # Printed tables of flash point indices have 306 at 50 °C, 155 at 60 °C and 82 at 70 °C.
        ("flash", 50.0, 306.0),
        ("flash", 60.0, 155.0),
        ("flash", 70.0, 82.0),
        # 14.534 ln ln(10.8) + 10.975
        ("viscosity", 10.0, 14.534 * math.log(math.log(10.8)) + 10.975),
        ("rvp", 16.0, 32.0),
        ("api", 10.0, 1.0),
    ],
)
def test_an_index_has_its_published_values(name, value, wanted):
    assert INDICES[name].of(value) == pytest.approx(wanted, rel=5e-3)


def test_the_octane_index_has_no_steps():
    of = INDICES["octane"].of
    for edge in (76.0, 103.0):
        assert of(edge + 1e-9) - of(edge - 1e-9) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("name", INDICES)
def test_a_slope_is_what_one_more_unit_adds(name):
    index = INDICES[name]
    low, high = USUAL[name]
    middle = 0.5 * (low + high)
    step = 1e-3
    chord = (index.of(middle + step) - index.of(middle - step)) / (2 * step)
    assert index.slope(middle) == pytest.approx(chord, rel=1e-4)


def rules(unit="m3", **properties):
    return BlendingRules(
        RefineryModel.model_validate(
            {
                "quantity_unit": unit,
                "properties": {name: {"blends": rule} for name, rule in properties.items()},
                "crudes": {"oil": {"price": 1}},
                "products": {"oil": {"price": 2}},
            }
        )
    )


def test_sulphur_by_mass_weighs_volumes_by_density():
    found = rules(sulphur="mass").mixed(
        "sulphur",
        [(1.0, {"sulphur": 1.0, "density": 0.8}), (1.0, {"sulphur": 2.0, "density": 1.0})],
    )
    assert found == pytest.approx((0.8 * 1 + 1.0 * 2) / 1.8)
    by_mass = rules("t", sulphur="mass").mixed(
        "sulphur", [(1.0, {"sulphur": 1.0}), (3.0, {"sulphur": 2.0})]
    )
    assert by_mass == pytest.approx(1.75)


def test_api_gravity_gives_the_density():
    found = rules(gravity="api", sulphur="mass")
    light, heavy = {"gravity": 40.0, "sulphur": 0.2}, {"gravity": 20.0, "sulphur": 2.0}
    densities = [141.5 / (131.5 + g) for g in (40.0, 20.0)]
    assert found.mixed("sulphur", [(1, light), (1, heavy)]) == pytest.approx(
        (densities[0] * 0.2 + densities[1] * 2.0) / sum(densities)
    )
    assert found.mixed("gravity", [(1, light), (1, heavy)]) == pytest.approx(
        141.5 / (sum(densities) / 2) - 131.5
    )


def test_two_flash_points_mix_to_one_near_the_lower():
    found = rules(flash="flash").mixed("flash", [(1, {"flash": 40.0}), (1, {"flash": 90.0})])
    assert 45 < found < 55
    assert math.isnan(rules().mixed("flash", [(1, {"flash": 40.0}), (1, {})]))
