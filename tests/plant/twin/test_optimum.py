import numpy as np
import pytest

from orchestrator.plant.twin.optimum import Truth, optimum
from orchestrator.plant.twin.stepping import Twin
from orchestrator.plant.twin.unit import SET_POINTS

DESIGN = np.array([value for value, _ in SET_POINTS.values()])


def truth_of(scenario) -> Truth:
    twin = Twin(scenario)
    reading = twin.step()
    prices = {
        tag: float(value)
        for tag, value in zip(reading.tags, reading.true, strict=True)
        if tag.startswith("PR_")
    }
    return Truth(twin.standing().unit, twin.plant, prices)


@pytest.fixture(params=["medium", {"medium": 0.6, "heavy": 0.4}, {"medium": 0.7, "light": 0.3}])
def truth(request, quiet):
    return truth_of(quiet(crude=request.param))


def test_nothing_else_that_keeps_the_limits_earns_more(truth):
    found = optimum(truth, (DESIGN,))
    assert found.feasible
    at = np.array(list(found.set_points.values()))
    margin, excess = truth.at(at[None, :])
    assert (margin[0], excess.max() <= 1e-4) == (pytest.approx(found.margin), True)
    random = np.random.default_rng(0)
    span = truth.upper - truth.lower
    anywhere = truth.lower + random.random((3000, len(span))) * span
    sizes = 10.0 ** random.uniform(-4, -0.5, (3000, 1))
    near = at + sizes * random.standard_normal((3000, len(span))) * span
    tried = np.clip(np.vstack((anywhere, near)), truth.lower, truth.upper)
    margins, excesses = truth.at(tried)
    kept = excesses.max(axis=1) <= 0
    assert kept.sum() > 100
    # A limit may be passed by 1e-4 of its normal range, which is worth this much at the most.
    assert margins[kept].max() <= found.margin * (1 + 1e-5)


def test_every_starting_point_ends_there(truth):
    random = np.random.default_rng(1)
    starts = truth.lower + random.random((6, len(DESIGN))) * (truth.upper - truth.lower)
    found = optimum(truth, starts)
    assert found.feasible
    assert found.spread < 1e-3 * found.margin


def test_it_earns_more_than_design_and_says_what_holds_it(quiet):
    truth = truth_of(quiet())
    found = optimum(truth, (DESIGN,))
    assert found.margin > truth.at(DESIGN[None, :])[0][0] * 1.05
    assert "FI101 < 640" in found.binding


def test_where_no_set_points_keep_the_limits_that_is_said(quiet):
    found = optimum(truth_of(quiet(crude="condensate")), (DESIGN,))
    assert not found.feasible
    assert found.excess > 0


def test_crude_and_weather_set_no_limit(quiet):
    names = {name for name, *_ in truth_of(quiet(crude="bitumen")).limits}
    assert names.isdisjoint({"AI101", "AI102", "TI101"})
    assert {"TI131", "AI304", "AI303", "FI101"} <= names
