from datetime import UTC, datetime

import numpy as np
import pytest

from orchestrator.errors import InsufficientDataError, UnavailableError
from orchestrator.modules.optimization.safety.proposal import Step
from orchestrator.modules.optimization.safety.rehearsal import SteadyRehearsal
from orchestrator.modules.optimization.safety.twin_rehearsal import TwinRehearsal
from orchestrator.plant.samples import Quality
from orchestrator.plant.twin.stepping import Twin
from orchestrator.plant.write_facts import Facts, TagValue

NOW = datetime(2026, 3, 1, tzinfo=UTC)
THERE = Step("TC130_SP", 364.0, 373.0, 5.0)
BACK = Step("TC130_SP", 373.0, 364.0, 60.0)


@pytest.fixture(scope="module")
def unit():
    return Twin(seed=4)


@pytest.fixture(scope="module")
def facts(unit):
    rows = np.array([unit.step().measured for _ in range(30)])
    known = np.isfinite(rows).all(axis=0)
    return Facts(
        NOW,
        {
            tag: TagValue(float(rows[:, i].mean()), Quality.GOOD, NOW)
            for i, tag in enumerate(unit.plant.tag_names)
            if known[i]
        },
    )


@pytest.mark.parametrize("known", [True, False], ids=["its own state", "measured values"])
def test_it_sees_a_limit_that_only_the_way_crosses(unit, facts, known):
    rehearsal = TwinRehearsal(unit.plant, unit.standing if known else None)
    told = rehearsal((THERE, BACK), facts)
    (skin,) = [item for item in told.crossings if item.name == "TI131"]
    assert (skin.side, skin.limit, skin.at_end) == ("high", 526, False)
    assert 5 < skin.minute < 60
    assert skin.value > 526
    assert abs(told.changes["TI131"]) < 0.5
    assert rehearsal((THERE,), facts).crossings[0].at_end
    assert not rehearsal((Step("TC130_SP", 364.0, 366.0, 5.0),), facts).crossings


def test_it_agrees_with_the_steady_model_on_the_end(unit, facts):
    step = (Step("TC203_SP", 292.0, 295.0),)
    changes = TwinRehearsal(unit.plant)(step, facts).changes
    expected = SteadyRehearsal(unit.plant)(step, facts).changes
    for tag in ("FI304", "FI305", "AI304", "TI103", "FI130"):
        assert changes[tag] == pytest.approx(expected[tag], rel=0.15, abs=0.02), tag


def test_what_the_unit_cannot_do_is_said(unit, facts):
    with pytest.raises(UnavailableError, match="not a set point"):
        TwinRehearsal(unit.plant)((Step("FI101", 600.0, 610.0),), facts)
    with pytest.raises(InsufficientDataError, match="set point"):
        TwinRehearsal(unit.plant)((THERE,), Facts(NOW))
