"""Decisions: pure, explained, and in the live loop with a memory of what was named and run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from full_registry import full_registry
from pydantic import ValidationError

from orchestrator.config import Settings, TriggerRule
from orchestrator.config_file import load_settings
from orchestrator.core.criteria import Estimates
from orchestrator.core.decision import Decision
from orchestrator.core.decision_engine import DecisionEngine, Memory, QueryRequest
from orchestrator.core.situation import Situation
from orchestrator.errors import ConfigurationError
from orchestrator.modules.registry import load_registry
from orchestrator.state.records import OutcomeRecord

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
GOOD: dict[str, Any] = {"plant_mode": "steady", "data_quality": {"score": 0.97}}
TREND = GOOD | {"alerts": [{"tag": "11TI042", "kind": "trend", "severity": "high"}]}


@pytest.fixture(scope="module")
def engine() -> DecisionEngine:
    return DecisionEngine(Settings(), full_registry())


def decide(engine: DecisionEngine, situation: dict[str, Any], **options: Any) -> Decision:
    return engine.decide(Situation.model_validate(situation), **options)


def test_two_decisions_on_one_situation_differ_in_id_time_and_latency_only(engine) -> None:
    first, second = (decide(engine, TREND).model_dump() for _ in range(2))
    for name in ("id", "created_at", "latency_ms"):
        first.pop(name), second.pop(name)
    assert first == second


def test_a_quiet_plant_says_why_nothing_runs(engine) -> None:
    decision = decide(engine, GOOD)
    assert decision.actions == ()
    assert "Nothing runs: no rule holds" in decision.rationale
    stopped = decide(engine, TREND | {"plant_mode": "emergency"})
    assert "the plant is in emergency" in stopped.rationale
    assert stopped.alternatives[0].gate == "plant_mode"


def test_the_rationale_carries_the_numbers(engine) -> None:
    decision = decide(engine, GOOD | {"kpis": {"margin_change_pct": -3.2}})
    assert "Margin change -3.2 % (<= -2 %): calls for optimization.setpoints." in decision.rationale


def test_an_alert_gives_its_tag_and_equipment_its_id_to_the_operation(engine) -> None:
    worn = {"equipment": [{"id": "E-101", "health": 0.6}, {"id": "E-102", "health": 0.9}]}
    by_name = {a.name: a for a in decide(engine, TREND | worn).actions}
    assert by_name["forecasting.forecast"].parameters == {"tags": ["11TI042"]}
    assert by_name["forecasting.time_to_limit"].parameters == {"equipment": ["E-101"]}


def test_parameters_that_an_operation_does_not_take_are_not_passed(engine) -> None:
    (action,) = decide(engine, GOOD | {"market": {"new_report": True}}).actions
    assert action.parameters == {}


def test_confidence_falls_near_a_threshold_and_with_what_is_unknown(engine) -> None:
    clear = GOOD | {"kpis": {"margin_change_pct": -4.0}}
    near = GOOD | {"kpis": {"margin_change_pct": -2.01}}
    blind: dict[str, Any] = {"kpis": {"margin_change_pct": -4.0}}
    assert decide(engine, near).confidence < decide(engine, clear).confidence
    assert decide(engine, blind).confidence < decide(engine, clear).confidence
    assert decide(engine, GOOD | {"plant_mode": "shutdown"}).confidence == 0.99
    assert not decide(engine, clear).calibrated


def test_every_candidate_is_scored_with_propensity_one(engine) -> None:
    decision = decide(engine, TREND | {"data_quality": {"score": 0.5}})
    scores = {c.operation: c for c in decision.criteria}
    assert scores["etl.validate"].selected
    assert not scores["forecasting.forecast"].selected
    assert {c.propensity for c in decision.criteria} == {1.0}
    validate = scores["etl.validate"]
    expected = validate.success_probability * validate.benefit - validate.cost
    assert validate.utility == pytest.approx(expected)


def test_observed_outcomes_move_the_estimates() -> None:
    estimates = Estimates(full_registry())
    before = estimates.of("etl.validate")
    estimates.refresh({"etl.validate": {"count": 95, "success_rate": 0.2, "p95_seconds": 9.0}})
    after = estimates.of("etl.validate")
    assert after.success_probability == pytest.approx(
        0.95 * 0.2 + 0.05 * before.success_probability
    )
    assert after.seconds == 9.0


def test_unread_fields_are_noted_and_a_sites_own_are_read() -> None:
    site = TriggerRule(
        name="site", family="data", when="kpis.flare_t_h > 2.0", operations=("etl.validate",)
    )
    engine_settings = Settings().decision_engine.model_copy(update={"triggers": (site,)})
    engine = DecisionEngine(
        Settings().model_copy(update={"decision_engine": engine_settings}), full_registry()
    )
    decision = decide(engine, GOOD | {"kpis": {"flare_t_h": 3.0, "marign_change_pct": -9}})
    assert [a.name for a in decision.actions] == ["etl.validate"]
    assert decision.notes == ("kpis.marign_change_pct is not a known field, and no rule reads it",)


def test_a_rule_that_names_what_no_module_has_is_refused() -> None:
    rule = TriggerRule(name="typo", family="data", when="true", operations=("etl.valdiate",))
    decisions = Settings().decision_engine.model_copy(update={"triggers": (rule,)})
    with pytest.raises(ConfigurationError, match=r"'typo' names 'etl\.valdiate'"):
        DecisionEngine(
            Settings().model_copy(update={"decision_engine": decisions}), full_registry()
        )


def test_a_module_disabled_in_the_configuration_is_never_selected() -> None:
    modules = Settings().modules
    off = {**modules, "forecasting": modules["forecasting"].model_copy(update={"enabled": False})}
    engine = DecisionEngine(Settings().model_copy(update={"modules": off}), full_registry())
    said = {"modules": {"forecasting": {"enabled": True, "last_success_minutes": 10}}}
    assert decide(engine, TREND | said).actions == ()


# -- the live loop ----------------------------------------------------------------------------


def test_a_rule_that_keeps_holding_names_its_operation_once_per_rearm_time(engine) -> None:
    memory = Memory()
    first = decide(engine, TREND, memory=memory, now=NOW)
    assert [a.name for a in first.actions] == ["forecasting.forecast"]
    memory.note_started(first, NOW)
    again = decide(engine, TREND, memory=memory, now=NOW + timedelta(minutes=59))
    assert again.actions == ()
    assert "still hold; again from 2026-03-01T07:00:00" in again.alternatives[0].why_not
    assert decide(engine, TREND, memory=memory, now=NOW + timedelta(hours=1)).actions


def test_slow_data_names_an_operation_again_only_after_some_new_rows(engine) -> None:
    memory = Memory(period_seconds=86_400.0)
    first = decide(engine, TREND, memory=memory, now=NOW)
    memory.note_started(first, NOW)
    assert not decide(engine, TREND, memory=memory, now=NOW + timedelta(days=3)).actions
    assert decide(engine, TREND, memory=memory, now=NOW + timedelta(days=4)).actions


def test_an_operation_waits_for_the_history_it_needs() -> None:
    engine = DecisionEngine(load_settings(), load_registry())
    early = decide(engine, TREND, memory=Memory(rows=3), now=NOW)
    assert early.actions == ()
    assert early.alternatives[0].gate == "history"
    assert decide(engine, TREND, memory=Memory(rows=400), now=NOW).actions


def test_a_score_in_percent_is_refused_rather_than_taken_for_perfect() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        Situation.model_validate({"data_quality": {"score": 40}})


def test_a_new_alert_is_not_silenced_by_an_older_one(engine) -> None:
    memory = Memory()
    memory.note_started(decide(engine, TREND, memory=memory, now=NOW), NOW)
    alerts = [*TREND["alerts"], {"tag": "12FI118", "kind": "trend"}]
    later = decide(
        engine, TREND | {"alerts": alerts}, memory=memory, now=NOW + timedelta(minutes=1)
    )
    assert later.actions[0].parameters == {"tags": ["11TI042", "12FI118"]}


def test_what_a_gate_held_back_is_named_again_at_once(engine) -> None:
    memory = Memory()
    busy = TREND | {"modules": {"forecasting": {"in_flight": 1, "last_success_minutes": 1}}}
    memory.note_started(decide(engine, busy, memory=memory, now=NOW), NOW)
    assert decide(engine, TREND, memory=memory, now=NOW + timedelta(minutes=1)).actions


def test_a_stand_in_does_not_use_up_the_turn_of_what_it_replaced(engine) -> None:
    memory = Memory()
    poor = TREND | {"data_quality": {"score": 0.5}}
    first = decide(engine, poor, memory=memory, now=NOW)
    memory.note_started(first, NOW)
    minute = NOW + timedelta(minutes=1)
    assert decide(engine, poor, memory=memory, now=minute).actions == ()
    better = decide(engine, TREND, memory=memory, now=minute)
    assert [a.name for a in better.actions] == ["forecasting.forecast"]


def test_a_fresh_result_is_used_instead_of_run_again(engine) -> None:
    rearmed = Settings().decision_engine.model_copy(update={"rearm": 0.0})
    impatient = DecisionEngine(
        Settings().model_copy(update={"decision_engine": rearmed}), full_registry()
    )
    memory = Memory()
    first = decide(impatient, TREND, memory=memory, now=NOW)
    memory.note_started(first, NOW)
    outcome = OutcomeRecord(
        job_id="j",
        decision_id=first.id,
        module="forecasting",
        operation="forecast",
        status="succeeded",
        seconds=1.0,
        attempts=1,
        ended_at=NOW,
    )
    memory.note_outcome(outcome, NOW)
    held = decide(impatient, TREND, memory=memory, now=NOW + timedelta(minutes=30))
    assert [(a.operation, a.gate) for a in held.alternatives] == [("forecasting.forecast", "fresh")]
    other = TREND | {"alerts": [{"tag": "12FI118", "kind": "trend"}]}
    assert decide(impatient, other, memory=memory, now=NOW + timedelta(minutes=30)).actions
    assert decide(impatient, TREND, memory=memory, now=NOW + timedelta(minutes=60)).actions


def test_a_dry_run_and_a_request_leave_the_memory_as_it_was(engine) -> None:
    memory = Memory()
    memory.note_started(decide(engine, TREND, now=NOW, dry_run=True), NOW)
    words = QueryRequest("forecast 11TI042")
    memory.note_started(decide(engine, TREND, request=words, now=NOW), NOW)
    assert decide(engine, TREND, memory=memory, now=NOW).actions


# -- requests in words ------------------------------------------------------------------------


def test_a_request_runs_what_passes_the_gates_and_refuses_the_rest(engine) -> None:
    words = QueryRequest("forecast 11TI042 for the next 4 hours, then suggest new set points")
    decision = decide(engine, GOOD | {"plant_mode": "startup"}, request=words)
    assert decision.interpretation.operations == ("forecasting.forecast", "optimization.setpoints")
    assert decision.interpretation.slots == {"tags": ["11TI042"], "horizon_hours": 4}
    (action,) = decision.actions
    assert action.parameters == {"tags": ["11TI042"], "horizon_hours": 4}
    assert [(r.operation, r.gate) for r in decision.refused] == [
        ("optimization.setpoints", "plant_mode")
    ]
    assert "optimization.setpoints is refused" in decision.rationale
    assert decision.triggers == ()


def test_a_request_for_what_no_module_has_is_refused_with_that_reason() -> None:
    registry = full_registry()
    kept = [m for m in registry if m.name != "optimization"]
    rules = tuple(
        rule
        for rule in Settings().decision_engine.triggers or ()
        if not any(name.startswith("optimization") for name in rule.operations)
    )
    decisions = Settings().decision_engine.model_copy(update={"triggers": rules})
    engine = DecisionEngine(
        Settings().model_copy(update={"decision_engine": decisions}), type(registry)(kept)
    )
    decision = decide(engine, GOOD, request=QueryRequest("blend 5000 m3 of diesel on spec"))
    assert [(r.operation, r.gate) for r in decision.refused] == [("optimization.blend", "registry")]


def test_what_the_words_say_reaches_the_operation_where_it_fits() -> None:
    engine = DecisionEngine(Settings(), load_registry())

    def parameters(text: str) -> dict[str, Any]:
        (action,) = decide(engine, GOOD, request=QueryRequest(text)).actions
        return action.parameters

    assert parameters("jet fuel prices over the last 30 days") == {
        "product": "jet",
        "period_days": 30,
    }
    assert parameters("how long does E-101 last") == {"equipment": ["E-101"]}
    assert parameters("explain the forecast of 11TI042") == {"target": "11TI042"}
    assert parameters("brent price, last 12 hours") == {"product": "crude"}


def test_limit_alerts_and_failing_equipment_are_restored_first() -> None:
    engine = DecisionEngine(Settings(), load_registry())
    situation = GOOD | {
        "alerts": [{"tag": "11TI042", "kind": "limit", "severity": "critical"}],
        "equipment": [{"id": "E-101", "health": 0.4}],
    }
    by_name = {action.name: action for action in decide(engine, situation).actions}
    setpoints = by_name["optimization.setpoints"]
    assert setpoints.parameters == {"restore": ["11TI042"], "equipment": ["E-101"]}
    assert setpoints.priority == 1
    assert setpoints.depends_on == ("forecasting.time_to_limit",)
