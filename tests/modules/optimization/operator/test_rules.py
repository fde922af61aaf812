"""Paths, the situation that matters, and the plant's response: the operator agent's pure rules."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import ParameterError
from orchestrator.modules.optimization.operator.content import (
    RelevantSituation,
    canonical,
    followed,
    moved_elsewhere,
    relevant_situation,
)
from orchestrator.modules.optimization.operator.path import steps_of, steps_to
from orchestrator.modules.optimization.operator.response import Measured, judge_response, wrong
from orchestrator.modules.optimization.operator.watch import beyond_limits, touched_tags
from orchestrator.plant.envelope import Envelope
from orchestrator.plant.tags import Plant
from orchestrator.write_settings import WriteSettings

PLANT = Plant.model_validate(
    {
        "tags": [
            {"name": "A", "normal": [0, 100], "rate_limit": 2, "controllable": True},
            {"name": "B", "normal": [0, 10], "rate_limit": 0.5, "controllable": True},
            {"name": "T", "limits": {"low": 10, "high": 90, "high_high": 95}},
        ]
    }
)
LIMITS = {"max_move": 100.0, "max_cumulative": 1000.0, "tolerance": 0.1}
ENVELOPE = Envelope.of(
    WriteSettings.model_validate(
        {
            "tags": {
                "A": {"hard": (0, 100), "max_rate": 2.0, **LIMITS},
                "B": {"hard": (0, 10), "max_rate": 0.4, "min_interval": 150, **LIMITS},
            }
        }
    ),
    PLANT,
)


def content(*moves: tuple[str, float, float], **more: Any) -> dict[str, Any]:
    return {"moves": [{"tag": t, "from": a, "to": b} for t, a, b in moves], **more}


@settings(max_examples=300, deadline=None)
@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 10), st.floats(0, 10))
def test_ramps_lead_there_at_the_allowed_pace(a: float, to_a: float, b: float, to_b: float) -> None:
    steps = steps_to({"A": to_a, "B": to_b}, {"A": a, "B": b}, ENVELOPE)
    assert [s.at_minutes for s in steps] == sorted(s.at_minutes for s in steps)
    for tag, start, end, rate, apart in (("A", a, to_a, 2.0, 1.0), ("B", b, to_b, 0.4, 2.5)):
        mine = [step for step in steps if step.tag == tag]
        assert (mine[-1].value if mine else start) == end
        places = [start, *(step.value for step in mine)]
        assert [step.before for step in mine] == places[:-1]
        assert all(abs(y - x) <= rate + 1e-9 for x, y in itertools.pairwise(places))
        times = [step.at_minutes for step in mine]
        assert all(y - x >= apart for x, y in itertools.pairwise(times))


def test_a_path_is_kept_in_order_and_cut_to_what_may_be_written() -> None:
    path = [
        {"tag": "A", "value": 15.0, "at_minutes": 0.0},
        {"tag": "B", "value": 5.4, "at_minutes": 30.0},
        {"tag": "A", "value": 20.0, "at_minutes": 60.0},
    ]
    steps = steps_of(content(("A", 10.0, 20.0), ("B", 5.0, 5.4), path=path), ENVELOPE)
    mine = [(s.value, s.at_minutes) for s in steps if s.tag == "A"]
    assert [v for v, at in mine if at < 60] == pytest.approx([10 + 5 / 3, 10 + 10 / 3, 15.0])
    assert next(at for v, at in mine if v > 15) == 60.0
    assert [(s.value, s.at_minutes) for s in steps if s.tag == "B"] == [(5.4, 30.0)]


def test_a_path_that_leads_elsewhere_is_refused() -> None:
    short = [{"tag": "A", "value": 15.0, "at_minutes": 0.0}]
    with pytest.raises(ParameterError, match="leaves A at 15, not at 20"):
        steps_of(content(("A", 10.0, 20.0), path=short), ENVELOPE)
    strange = [{"tag": "B", "value": 5.0, "at_minutes": 0.0}]
    with pytest.raises(ParameterError, match="none of the moves"):
        steps_of(content(("A", 10.0, 20.0), path=strange), ENVELOPE)
    with pytest.raises(ParameterError, match="no tag of the plant"):
        steps_of(content(("Z", 10.0, 20.0)), ENVELOPE)


MOVES = content(("A", 50.0, 60.0), limits_touched=[{"limit": "T"}])


def relevant(**changes: Any) -> RelevantSituation:
    given = {
        "plant_mode": "steady",
        "data_fit": True,
        "alerts": [],
        "values": {"A": 50.0},
        **changes,
    }
    return relevant_situation(MOVES, PLANT, **given)


def test_what_matters_changes_the_digest_and_nothing_else_does() -> None:
    made = relevant()
    assert relevant(alerts=[("X", "limit")]).digest() == made.digest()
    assert relevant(values={"A": 50.4, "B": 3.0}).digest() == made.digest()
    for changes, said in (
        ({"plant_mode": "transient"}, "the plant mode was steady and is transient"),
        ({"data_fit": False}, "the data was fit for use and is not fit for use"),
        ({"alerts": [("T", "limit")]}, "new alert: T limit"),
        ({"values": {"A": 51.0}}, "A is no longer where its move begins"),
        ({"values": {"A": float("nan")}}, "A is no longer where its move begins"),
        ({"values": {}}, "A is no longer where its move begins"),
    ):
        now = relevant(**changes)
        assert now.digest() != made.digest()
        assert made.changes_to(now) == [said]
        assert now.changes_to(made) != []


def test_a_handle_on_its_way_was_not_moved_elsewhere() -> None:
    for value, elsewhere, there in (
        (50.0, (), False),
        (55.0, (), False),
        (60.2, (), True),
        (61.0, ("A",), False),
        (49.0, ("A",), False),
    ):
        assert moved_elsewhere(MOVES, PLANT, {"A": value}) == elsewhere
        assert followed(MOVES, PLANT, {"A": value}) is there
    assert moved_elsewhere(MOVES, PLANT, {}) == ()
    assert followed(MOVES, PLANT, {}) is False


def test_numbers_count_by_their_value() -> None:
    assert canonical({"a": 1, "b": [True, float("inf"), (2,)]}) == {
        "a": 1.0,
        "b": [True, None, [2.0]],
    }
    assert isinstance(canonical(10**22), float)


def expected(change: float) -> dict[str, dict[str, Any]]:
    return {"T": {"from": 50.0, "to": 50.0 + change, "unit": "degC"}}


@pytest.mark.parametrize(
    ("measured", "spread", "finding"),
    [
        (6.0, 0.1, "as_expected"),
        (3.2, 0.1, "as_expected"),
        (-2.0, 0.1, "wrong_sign"),
        (0.5, 0.1, "wrong_size"),
        (12.0, 0.1, "wrong_size"),
        (-2.0, 3.0, "as_expected"),
    ],
)
def test_a_response_is_wrong_beyond_the_model_and_the_noise(
    measured: float, spread: float, finding: str
) -> None:
    seen = {"T": Measured(50.0, 50.0 + measured, spread)}
    [found] = judge_response(expected(6.0), seen, share=0.5)
    assert found.finding == finding
    assert (found in wrong([found])) is (finding != "as_expected")


def test_the_models_own_interval_goes_before_the_share() -> None:
    narrow = {"T": {**expected(6.0)["T"], "low": 55.5, "high": 56.5}}
    [found] = judge_response(narrow, {"T": Measured(50.0, 53.5, 0.1)}, share=0.5)
    assert found.finding == "wrong_size"
    [unseen] = judge_response(narrow, {}, share=0.5)
    assert (unseen.finding, unseen.measured) == ("unseen", None)
    assert "no value" in unseen.words


def test_moves_against_each_other_leave_the_model_the_error_of_each() -> None:
    little = {"T": {**expected(0.5)["T"], "by_moves": 8.0}}
    [found] = judge_response(little, {"T": Measured(50.0, 53.5, 0.1)}, share=0.5)
    assert found.finding == "as_expected"
    [found] = judge_response(little, {"T": Measured(50.0, 55.5, 0.1)}, share=0.5)
    assert found.finding == "wrong_size"


def test_noise_alone_is_found_wrong_no_more_often_than_stated() -> None:
    random = np.random.default_rng(3)
    tags, trials = 20, 2000
    told = {f"T{i}": {"from": 0.0, "to": 0.0} for i in range(tags)}
    alarms = 0
    for _ in range(trials):
        seen = {tag: Measured(0.0, float(random.normal()), 1.0) for tag in told}
        alarms += bool(wrong(judge_response(told, seen, share=0.5)))
    assert alarms / trials < 0.05 + 3 * (0.05 * 0.95 / trials) ** 0.5


def test_outer_limits_of_touched_tags_are_watched() -> None:
    touched = touched_tags({**MOVES, "expected_response": {"U": {}}})
    assert touched == {"A", "T", "U"}
    assert beyond_limits(touched, PLANT, {"T": 96.0, "A": 5.0}) == ("T high_high 95",)
    assert beyond_limits(touched, PLANT, {"T": 92.0}) == ()
    assert beyond_limits(touched, PLANT, {"T": float("nan"), "A": None}) == ()
