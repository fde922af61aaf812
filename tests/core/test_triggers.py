"""Rules over situations: what is absent is unknown, and what is wrong is said at the start."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config import TriggerRule
from orchestrator.core.situation import Situation
from orchestrator.core.triggers import RuleBook, normalise
from orchestrator.errors import ConfigurationError


def rule(when: str) -> TriggerRule:
    return TriggerRule(name="site-rule", family="data", when=when, operations=("etl.validate",))


def fires(when: str, situation: dict[str, Any]) -> bool:
    facts = normalise(Situation.model_validate(situation).facts())
    return bool(RuleBook([rule(when)], "site.yaml").fired(facts))


@pytest.mark.parametrize(
    ("when", "situation"),
    [
        ("kpis.margin_change_pct <= -2.0", {}),
        ("kpis.margin_change_pct <= -2.0", {"kpis": {}}),
        ("kpis.margin_change_pct <= -2.0", {"kpis": {"margin_change_pct": None}}),
        ("!(kpis.margin_change_pct > -2.0)", {"kpis": {}}),
        ("kpis.margin_change_pct != 3.0", {}),
        ("abs(kpis.yield_deviation_pct) >= 0.0", {}),
        ("!alerts.exists(a, a.severity == 'low')", {}),
        ("!equipment.exists(e, e.health < 0.1)", {"equipment": [{"id": "E-1"}]}),
        ("equipment.all(e, e.health > 0.1)", {"equipment": [{"health": 0.9}, {"id": "E-1"}]}),
        ("has(modules.forecasting)", {"modules": {"forecasting": None}}),
        ("has(kpis.site_index)", {"kpis": {"site_index": None}}),
        ("site.nested.value > 1.0", {"site": {"nested": None}}),
        ("kpis.margin_usd_per_bbl", {"kpis": {"margin_usd_per_bbl": 1.0}}),
    ],
)
def test_what_is_unknown_never_makes_a_rule_hold(when: str, situation: dict[str, Any]) -> None:
    assert not fires(when, situation)


@pytest.mark.parametrize(
    ("when", "situation"),
    [
        ("kpis.absent > 1.0 || kpis.throughput_pct > 90.0", {"kpis": {"throughput_pct": 96}}),
        ("kpis.throughput_pct > 90", {"kpis": {"throughput_pct": 96}}),
        (
            "alerts.exists(a, a.kind == 'limit' && a.age_minutes > 5.0)",
            {
                "alerts": [
                    {"kind": "limit"},
                    {"age_minutes": 9},
                    {"kind": "limit", "age_minutes": 9},
                ]
            },
        ),
        (
            "equipment.exists(e, e.health <= 0.7 || e.trend_per_day <= -0.01)",
            {"equipment": [{"id": "E-1"}, {"id": "E-2", "trend_per_day": -0.02}]},
        ),
        ("alerts.exists(a, a.severity == 'medium')", {"alerts": [{"kind": "trend"}]}),
        ("size(alerts) == 2", {"alerts": [{"kind": "trend"}, {"kind": "trend"}]}),
        (
            "alerts.filter(a, a.kind == 'trend').size() >= 2",
            {"alerts": [{"kind": "trend"}, {"kind": "trend"}]},
        ),
        (
            "alerts.exists(a, a.tag == site.watched)",
            {"alerts": [{"tag": "x"}], "site": {"watched": "x"}},
        ),
        (
            "alerts.exists(a, a.areas.exists(area, area == 'b)'))",
            {"alerts": [{"tag": "x"}, {"areas": ["a", "b)"]}]},
        ),
        (
            "alerts.exists(a, a.kind == 'drift') || !equipment.exists(e, e.health < 0.5)",
            {"equipment": [{"health": 0.9}]},
        ),
        ("modules['forecasting'].in_flight > 0", {"modules": {"forecasting": {"in_flight": 1}}}),
        ("equipment.all(e, e.health > 0.1)", {"equipment": []}),
    ],
)
def test_what_is_known_and_true_holds(when: str, situation: dict[str, Any]) -> None:
    assert fires(when, situation)


NUMBERS = st.sampled_from([-2.0, -0.5, 0.0, 0.5, 0.7, 0.7000001, 2.0])
ELEMENTS = st.lists(
    st.fixed_dictionaries({}, optional={"health": NUMBERS, "trend_per_day": NUMBERS}), max_size=4
)


@given(
    ELEMENTS,
    st.sampled_from(["e.health", "abs(e.health)", "e.trend_per_day"]),
    st.sampled_from(["<=", ">=", "<", ">", "=="]),
    NUMBERS,
    st.sampled_from(["exists", "all"]),
    st.sampled_from(["", "!"]),
)
def test_a_plain_comparison_in_a_list_means_what_the_language_says(
    elements: list[dict[str, float]], field: str, op: str, number: float, every: str, negated: str
) -> None:
    situation = {"equipment": elements}
    plain = f"{negated}equipment.{every}(e, {field} {op} {number})"
    spelled_out = f"{negated}equipment.{every}(e, ({field} {op} {number}) && true)"
    assert fires(plain, situation) == fires(spelled_out, situation)


def test_a_fired_rule_names_its_subjects_and_numbers() -> None:
    situation = Situation.model_validate(
        {
            "alerts": [
                {"tag": "11TI042", "kind": "limit", "severity": "high"},
                {"tag": "11TI043", "kind": "limit", "severity": "high"},
                {"tag": "11TI044", "kind": "limit", "severity": "low"},
            ]
        }
    )
    book = RuleBook([rule("alerts.exists(a, a.severity == 'high')")], "site.yaml")
    (fired,) = book.fired(normalise(situation.facts()))
    assert fired.subjects == ("11TI042", "11TI043")
    assert fired.because == "alerts: 11TI042 (limit high), 11TI043 (limit high)"


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("kpis.margin_change_pct <=", "not a valid expression"),
        ("alerts.exists(a, a.kind == )", "not a valid expression"),
        ("root(kpis.margin_change_pct) > 1.0", r"calls root\(\)"),
        ("alerts.exists(a, cube(a.age_minutes) > 1.0)", r"calls cube\(\)"),
    ],
)
def test_a_wrong_expression_is_refused_with_rule_and_place(when: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        RuleBook([rule(when)], "site.yaml")
    assert "site.yaml, rule 'site-rule'" in str(caught.value)
