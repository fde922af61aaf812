"""The whole call of an operation keeps to its time limit, and tells what it left out."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from orchestrator.modules.optimization.plan import run
from orchestrator.modules.optimization.planning.alternatives import find_alternatives
from orchestrator.modules.optimization.planning.explanation import in_conflict
from orchestrator.modules.optimization.planning.program import PlanProgram
from orchestrator.modules.optimization.planning.result import PlanInput
from orchestrator.modules.optimization.planning.scenario_models import AlternativesOf
from orchestrator.modules.optimization.planning.what_if_models import SensitivityInput
from orchestrator.modules.optimization.refinery.loading import validated
from orchestrator.modules.optimization.sensitivity import run as sensitivity
from orchestrator.yaml_files import read_yaml

CONVERSION = Path(__file__).parents[4] / "examples" / "refinery" / "conversion.yaml"
RESERVE = 0.8
SHORT = {
    "crudes": {"light": {"price": 70}},
    "units": {
        "cdu": {"capacity": 20, "feeds": {"light": {"yields": {"fuel": 1.0}, "cost": 1}}},
    },
    "products": {"fuel": {"price": 90, "min": 30}},
}


POSSIBLE = {**SHORT, "products": {"fuel": {"price": 90}}}


@pytest.fixture(scope="module")
def conversion():
    return read_yaml(CONVERSION)


def test_a_plan_with_everything_asked_for_ends_within_its_time(conversion, bare):
    asked = PlanInput.model_validate(
        {
            "model": conversion,
            "compare_with": conversion,
            "alternatives": {"count": 3},
            "time_limit_seconds": 0.2,
        }
    )
    start = time.process_time()
    result = run(asked, bare)
    assert time.process_time() - start < 0.2 + RESERVE
    assert any("the time did not suffice for" in warning for warning in result.warnings)
    assert result.alternatives or not result.latitude


def test_a_sensitivity_that_runs_out_of_time_says_what_it_left_out(conversion, bare):
    asked = SensitivityInput.model_validate(
        {
            "model": conversion,
            "curves": [{"what": "units.crude_unit.capacity"}],
            "time_limit_seconds": 0.3,
        }
    )
    start = time.process_time()
    result = sensitivity(asked, bare)
    assert time.process_time() - start < 0.3 + RESERVE
    assert any("limits by one" in warning for warning in result.warnings)
    assert any("for the whole curve" in warning for warning in result.warnings)


def test_without_time_no_alternatives_are_sought_and_that_is_told(bare):
    built = PlanProgram(validated(POSSIBLE, "short"), float)
    solution = built.program.solve()
    found = find_alternatives(built, solution, AlternativesOf(count=3), 0.0)
    assert found == ((), (), ("the time did not suffice for alternative plans",))


def test_a_model_to_compare_with_that_has_no_plan_is_named(bare):
    asked = {"model": POSSIBLE, "compare_with": SHORT}
    result = run(PlanInput.model_validate(asked), bare)
    assert result.status == "optimal"
    assert result.compared == {}
    assert "compare_with has no plan: infeasible" in result.warnings


def test_limits_are_said_to_conflict_only_where_none_can_be_left_out():
    built = PlanProgram(validated(SHORT, "short"), float)
    late = time.monotonic() - 1.0
    assert len(in_conflict(built, time.monotonic() + 10.0)) == 2
    assert in_conflict(built, late) == ()
