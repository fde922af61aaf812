"""A plan for several scenarios: by each, and one decision for all."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization.plan import run
from orchestrator.modules.optimization.planning.result import PlanInput

MODEL = {
    "crudes": {"light": {"price": 70, "max": 60}, "heavy": {"price": 60, "max": 80}},
    "units": {
        "cdu": {
            "capacity": 100,
            "feeds": {
                "light": {"yields": {"gasoline": 0.6, "fuel": 0.4}, "cost": 1},
                "heavy": {"yields": {"gasoline": 0.3, "fuel": 0.7}, "cost": 1},
            },
        }
    },
    "products": {"gasoline": {"price": 100}, "fuel": {"price": 55, "max": 55}},
}
WINTER = {"name": "winter", "probability": 0.5, "changes": [{"what": "fuel demand", "to": 70}]}
SUMMER = {"name": "summer", "probability": 0.5, "changes": [{"what": "fuel demand", "to": 30}]}
DEAR = {"name": "dear", "probability": 0.5, "changes": [{"what": "light", "to": 80}]}


def planned(context, *scenarios, model=MODEL, **more):
    asked = {"model": model, "scenarios": scenarios, "alternatives": {"count": 0}, **more}
    return run(PlanInput.model_validate(asked), context)


def alone(context, scenario):
    """The plan by one scenario, from the changed model itself."""
    document = {**MODEL, "products": {**MODEL["products"]}, "crudes": {**MODEL["crudes"]}}
    for change in scenario["changes"]:
        if change["what"] == "light":
            document["crudes"]["light"] = {"price": change["to"], "max": 60}
        else:
            document["products"]["fuel"] = {"price": 55, "max": change["to"]}
    return run(PlanInput.model_validate({"model": document}), context)


def test_the_plan_by_each_scenario_is_that_of_the_changed_model(bare):
    result = planned(bare, WINTER, SUMMER)
    assert result.objective == pytest.approx(
        run(PlanInput.model_validate({"model": MODEL}), bare).objective
    )
    for plan, scenario in zip(result.scenarios, (WINTER, SUMMER), strict=True):
        own = alone(bare, scenario)
        assert plan.objective == pytest.approx(own.objective)
        assert plan.crudes == pytest.approx(own.crudes)
    assert result.expected_objective == pytest.approx(
        sum(plan.objective for plan in result.scenarios) / 2
    )
    # The base plan sells 52 of fuel: winter takes it, and summer does not.
    by_name = {plan.scenario: plan.of_base_plan for plan in result.scenarios}
    assert by_name["winter"] == pytest.approx(result.objective)
    assert by_name["summer"] is None
    assert "winter" in result.summary


def test_one_purchase_for_all_scenarios_keeps_within_the_values_of_information(bare):
    result = planned(bare, WINTER, SUMMER, two_stage={})
    common = result.common
    assert common.status == "optimal"
    assert set(common.decision) <= {"crudes.light", "crudes.heavy"}
    margins = [plan.of_common_plan for plan in result.scenarios]
    assert common.expected == pytest.approx(sum(margins) / 2)
    assert common.worst == pytest.approx(min(margins))
    assert common.value_of_stochastic_solution >= -1e-4
    assert common.expected_value_of_perfect_information == pytest.approx(
        result.expected_objective - common.expected, abs=1e-3
    )
    assert common.price_of_caution == pytest.approx(0, abs=1e-3)
    # No purchase on a grid does better when it is held in both scenarios.
    for light in range(0, 61, 20):
        for heavy in range(0, 81, 20):
            if light + heavy > 100:
                continue
            held = [
                {"what": "crudes.light.amount", "to": light},
                {"what": "crudes.heavy.amount", "to": heavy},
            ]
            both = planned(
                bare, *({**s, "changes": [*s["changes"], *held]} for s in (WINTER, SUMMER))
            )
            if both.expected_objective is not None:
                assert both.expected_objective <= common.expected + 1e-3


def test_a_cautious_decision_has_the_better_worst_case(bare):
    neutral = planned(bare, DEAR, SUMMER, two_stage={}).common
    careful = planned(bare, DEAR, SUMMER, two_stage={"aim": "worst_case"}).common
    tail = planned(bare, DEAR, SUMMER, two_stage={"aim": "cvar", "risk_weight": 1, "level": 0.5})
    assert careful.worst >= neutral.worst - 1e-3
    assert careful.price_of_caution == pytest.approx(neutral.expected - careful.expected, abs=1e-3)
    # The worst half of two equal chances is the worst scenario.
    assert tail.common.cvar == pytest.approx(careful.worst, abs=1e-2)


@pytest.mark.parametrize("name", ["crudes.light", "units.cdu", "units.cdu.light", "crudes"])
def test_the_first_stage_is_what_is_named(bare, name):
    common = planned(bare, WINTER, DEAR, two_stage={"first_stage": [name]}).common
    assert common.status == "optimal"
    assert all(column.startswith(name) for column in common.decision)


def test_a_first_stage_of_nothing_is_refused(bare):
    with pytest.raises(ParameterError, match=r"crudes\.tar"):
        planned(bare, WINTER, SUMMER, two_stage={"first_stage": ["crudes.tar"]})
    with pytest.raises(ParameterError, match="empty"):
        planned(bare, WINTER, SUMMER, two_stage={"first_stage": ["purchases"]})


def test_a_scenario_that_cannot_be_planned_is_named(bare):
    shut = {"name": "strike", "changes": [{"what": "products.gasoline.min", "to": 70}]}
    calm = {"name": "calm"}
    result = planned(bare, shut, calm, two_stage={})
    assert [plan.status for plan in result.scenarios] == ["infeasible", "optimal"]
    assert result.common.status == "infeasible"
    assert "strike" in result.common.text
    assert result.expected_objective is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scenarios": [{"name": "a"}, {"name": "a"}]}, "different names"),
        ({"scenarios": [{"name": "a", "probability": 0.5}, {"name": "b"}]}, "every scenario"),
        ({"scenarios": [{"name": "a", "probability": 0.5}]}, "not 1"),
        ({"scenarios": [{"name": "a"}], "two_stage": {}}, "two scenarios"),
        ({"two_stage": {"aim": "luck"}}, "aim"),
    ],
)
def test_scenarios_that_do_not_fit_are_refused(given, said):
    with pytest.raises(ValidationError, match=said):
        PlanInput.model_validate({"model": MODEL, **given})


def test_a_change_that_a_scenario_misspells_says_where(bare):
    wrong = {"name": "odd", "changes": [{"what": "tar", "to": 1}]}
    with pytest.raises(ParameterError, match=r"scenarios\.1\.changes"):
        planned(bare, {"name": "a"}, wrong)


def test_periods_have_their_own_decisions(bare):
    model = {**MODEL, "periods": {"january": 31, "february": 28}}
    cold = {"name": "cold", "changes": [{"what": "products.fuel.max.february", "to": 70}]}
    warm = {"name": "warm", "changes": [{"what": "products.fuel.max.february", "to": 30}]}
    result = planned(
        bare, cold, warm, model=model, two_stage={"first_stage": ["crudes.heavy.january"]}
    )
    assert set(result.common.decision) == {"crudes.heavy[january]"}
    assert result.common.expected == pytest.approx(result.expected_objective, rel=1e-6)
    assert "over all periods" in result.summary


def test_scenarios_may_differ_in_yields_and_in_limits_that_only_one_has(bare):
    poor = {
        "name": "poor",
        "changes": [
            {"what": "yield of gasoline from light", "to": 0.5},
            {"what": "cdu throughput", "to": 70},
        ],
    }
    result = planned(bare, poor, {"name": "usual"}, two_stage={})
    assert [plan.status for plan in result.scenarios] == ["optimal", "optimal"]
    # What is bought for both runs the unit at 70, which the poor year holds it to.
    assert sum(result.common.decision.values()) == pytest.approx(70)
    assert result.common.expected <= result.expected_objective
    # Planned for the mean, crude is bought that the poor year throws away.
    assert result.common.value_of_stochastic_solution > 100


def test_alternatives_are_plans_that_lose_no_more_than_they_may(bare):
    asked = {"model": MODEL, "alternatives": {"count": 4, "within_percent": 2}}
    result = run(PlanInput.model_validate(asked), bare)
    assert result.alternatives
    for item in result.alternatives:
        assert item.lost <= 0.02 * result.objective + 1e-3
        assert item.objective == pytest.approx(result.objective - item.lost, abs=1e-3)
        held = [
            {"what": f"crudes.{name}.amount", "to": item.crudes.get(name, 0.0)}
            for name in MODEL["crudes"]
        ]
        again = planned(bare, {"name": "held", "changes": held})
        assert again.scenarios[0].objective >= item.objective - 1e-2
    span = {item.what: item for item in result.latitude}
    for item in span.values():
        assert item.least - 1e-6 <= item.planned <= item.largest + 1e-6
    assert span["crudes.heavy"].least < 39
    assert (
        run(PlanInput.model_validate({"model": MODEL, "alternatives": {"count": 0}}), bare).latitude
        == ()
    )
