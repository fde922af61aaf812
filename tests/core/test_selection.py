"""The shipped policy against the table of right selections: examples, borders, and random situations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from full_registry import full_registry
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selection_reference import select

from orchestrator.config import Settings
from orchestrator.core.decision import Decision
from orchestrator.core.decision_engine import DecisionEngine
from orchestrator.core.situation import Situation

EXAMPLES = Path(__file__).parents[2].parent / "shared/cases/selection/situations_examples.jsonl"
ENGINE = DecisionEngine(Settings(), full_registry())
STEADY: dict[str, Any] = {"plant_mode": "steady"}


def decide(situation: dict[str, Any]) -> Decision:
    return ENGINE.decide(Situation.model_validate(situation))


def selected(situation: dict[str, Any]) -> tuple[set[str], set[str]]:
    actions = decide(situation).actions
    assert len({a.name for a in actions}) == len(actions)
    return {a.name for a in actions}, {a.name for a in actions if a.deferred}


def test_every_example_is_right() -> None:
    if not EXAMPLES.is_file():
        pytest.skip(f"reference data is absent: {EXAMPLES}")
    cases = [json.loads(line) for line in EXAMPLES.read_text(encoding="utf-8").splitlines()]
    wrong = []
    for case in cases:
        names, deferred = selected(case["situation"])
        expected, allowed = set(case["expected"]), set(case["allowed"])
        if not expected <= names <= expected | allowed or deferred != set(case["deferred"]):
            wrong.append((case["id"], names, deferred))
    assert len(cases) == 30
    assert wrong == []


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


def block(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A block in which each field may be given, null or absent."""
    return st.fixed_dictionaries({}, optional={name: maybe(v) for name, v in fields.items()})


def near(*borders: float) -> st.SearchStrategy[float]:
    """Values on, just beside and far from borders of either sign."""
    values = {0.0, 1000.0, -1000.0}
    for border in borders:
        for signed in (border, -border):
            values |= {signed, signed * (1 + 1e-9), signed * (1 - 1e-9), signed * 1.5, signed * 0.5}
    return st.sampled_from(sorted(values))


KINDS = ["anomaly", "limit", "trend", "drift", "frozen", "predicted_limit"]
ALERT = block(
    tag=st.sampled_from(["11TI042", "12FI118"]),
    kind=st.sampled_from(KINDS),
    severity=st.sampled_from(["low", "medium", "high", "critical"]),
    age_minutes=near(5),
)
EQUIPMENT = block(
    id=st.sampled_from(["E-101", "E-102"]),
    health=st.sampled_from([0.0, 0.49, 0.5, 0.5000001, 0.69, 0.7, 0.7000001, 0.9, 1.0]),
    trend_per_day=near(0.01),
)
OPERATIONS = [
    "etl.validate",
    "etl.reconcile",
    "forecasting.forecast",
    "forecasting.time_to_limit",
    "analysis.market",
    "optimization.plan",
    "optimization.setpoints",
]
MODULE = block(
    enabled=st.booleans(),
    in_flight=st.integers(0, 2),
    last_success_minutes=st.sampled_from([0.0, 90.0, 1439.9, 1440.0, 1440.1, 3000.0]),
    running=st.lists(st.sampled_from(OPERATIONS), max_size=3),
)
SHARE = st.sampled_from([0.0, 0.0999, 0.1, 0.1001, 0.6])
SITUATION = block(
    plant_mode=st.sampled_from(["steady"] * 6 + ["transient", "startup", "shutdown", "emergency"]),
    data_quality=block(
        score=st.sampled_from([0.0, 0.69, 0.6999999, 0.7, 0.84, 0.8499999, 0.85, 0.9, 1.0]),
        missing_share=st.sampled_from([0.0, 0.2]),
        stale_tags=st.integers(0, 3),
        frozen_tags=st.integers(0, 3),
        balance_error_pct=near(2.0),
    ),
    kpis=block(
        margin_usd_per_bbl=near(7),
        margin_change_pct=near(2.0),
        energy_index_change_pct=near(2.0),
        yield_deviation_pct=near(1.5),
        throughput_pct=near(96),
    ),
    alerts=st.lists(ALERT, max_size=4),
    equipment=st.lists(EQUIPMENT, max_size=3),
    market=block(
        crude_change_pct=near(3.0),
        crack_spread_change_pct=near(5.0),
        product_stock_zscore=near(2.0),
        new_report=st.booleans(),
    ),
    modules=block(etl=MODULE, forecasting=MODULE, analysis=MODULE, optimization=MODULE),
    resources=block(cpu_free_share=SHARE, memory_free_share=SHARE, queue_depth=st.integers(0, 9)),
    maintenance=block(
        window_active=st.booleans(),
        window_starts_in_minutes=st.sampled_from([-60.0, -1e-9, 0.0, 30.0, 60.0, 60.0000001, 61.0]),
    ),
)


@settings(max_examples=3000, deadline=None)
@given(SITUATION)
@example({"plant_mode": "steady", "modules": {"forecasting": {}}})
@example({"plant_mode": "steady", "modules": {"forecasting": None}})
@example({"modules": {"forecasting": {"last_success_minutes": None}}, "data_quality": {}})
def test_the_engine_agrees_with_the_reference_on_any_situation(situation: dict[str, Any]) -> None:
    assert selected(situation) == select(situation)


@settings(max_examples=300, deadline=None)
@given(SITUATION)
def test_no_action_waits_for_one_that_is_not_selected_or_later_or_deferred_before_it(
    situation: dict[str, Any],
) -> None:
    actions = decide(situation).actions
    before: dict[str, bool] = {}
    for action in actions:
        for name in action.depends_on:
            assert name in before
            assert action.deferred or not before[name]
        before[action.name] = action.deferred


def test_setpoints_waits_for_the_plan_but_not_for_a_deferred_one() -> None:
    both = STEADY | {
        "kpis": {"margin_change_pct": -3},
        "maintenance": {"window_active": True},
    }
    plan, setpoints = decide(both).actions
    assert (plan.name, setpoints.name) == ("optimization.plan", "optimization.setpoints")
    assert setpoints.depends_on == ("optimization.plan",)
    plan, setpoints = decide(both | {"resources": {"cpu_free_share": 0.05}}).actions
    assert (plan.deferred, setpoints.deferred) == (True, False)
    assert setpoints.depends_on == ()


def test_the_replacement_keeps_the_right_of_way_of_what_it_replaces() -> None:
    poor = {"data_quality": {"score": 0.5}, "resources": {"memory_free_share": 0.01}}
    urgent = STEADY | poor | {"kpis": {"margin_change_pct": -3}}
    assert selected(urgent) == ({"etl.validate"}, set())
    usual = STEADY | poor | {"alerts": [{"kind": "trend"}]}
    assert selected(usual) == ({"etl.validate"}, {"etl.validate"})
    assert selected(urgent | usual) == ({"etl.validate"}, set())


def test_nothing_replaces_what_the_quality_gate_removes_when_etl_cannot_run() -> None:
    poor = STEADY | {"data_quality": {"score": 0.5}, "alerts": [{"kind": "trend"}]}
    assert selected(poor | {"modules": {"etl": {"enabled": False}}}) == (set(), set())
    busy = {"etl": {"in_flight": 1, "running": ["etl.validate"]}}
    decision = decide(poor | {"modules": busy})
    assert decision.actions == ()
    assert [(a.operation, a.gate) for a in decision.alternatives] == [
        ("forecasting.forecast", "quality")
    ]
    assert "etl.validate is already running" in decision.alternatives[0].why_not
    other = {"etl": {"in_flight": 1, "running": ["etl.reconcile"]}}
    assert selected(poor | {"modules": other}) == ({"etl.validate"}, set())
