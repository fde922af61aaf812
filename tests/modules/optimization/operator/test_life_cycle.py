"""The life cycle as a pure state machine: what no sequence of events may bring about."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import ConflictError
from orchestrator.modules.optimization.operator.life_cycle import (
    ACTIVE,
    ENDED,
    NEXT,
    OPEN,
    WHO,
    WRITING,
    Actor,
    Event,
    next_state,
)
from orchestrator.state.records import RecommendationState

STATES = get_args(RecommendationState)
happenings = st.lists(
    st.tuples(st.sampled_from(get_args(Event)), st.sampled_from(get_args(Actor))), max_size=60
)


def walk(events: list[tuple[Event, Actor]]) -> list[tuple[str, Event, Actor, str]]:
    """The steps that a recommendation takes under events, those refused left out."""
    state: RecommendationState = "proposed"
    steps = []
    for event, actor in events:
        try:
            after = next_state(state, event, actor)
        except ConflictError:
            continue
        steps.append((state, event, actor, after))
        state = after
    return steps


def test_every_state_is_of_one_kind_and_every_event_has_its_actors() -> None:
    assert set(STATES) == OPEN | ACTIVE | ENDED
    assert not (OPEN & ACTIVE)
    assert not (OPEN & ENDED)
    assert not (ACTIVE & ENDED)
    assert set(WHO) == set(get_args(Event)) == {event for _, event in NEXT}
    reached = set(NEXT.values()) | {"proposed"}
    assert reached == set(STATES)


@settings(max_examples=2000, deadline=None)
@given(happenings)
def test_nothing_is_written_without_the_safety_agent_and_an_approval(
    events: list[tuple[Event, Actor]],
) -> None:
    checked = approved = False
    for before, event, actor, after in walk(events):
        if event == "offer":
            assert actor == "safety"
            checked = True
        if event in ("approve", "approve_first"):
            assert actor == "person" or (event == "approve" and actor == "grant")
        approved = (approved or event == "approve") and event != "void"
        if after in WRITING:
            assert checked
            assert approved or before in ENDED
        if after == "applying":
            assert approved


@settings(max_examples=2000, deadline=None)
@given(happenings)
def test_what_has_ended_stays_so_but_for_the_way_back(events: list[tuple[Event, Actor]]) -> None:
    for before, event, _, after in walk(events):
        if before in ENDED:
            assert (event, after) == ("roll_back", "rolling_back")
            assert before in ("stopped", "completed")


@settings(max_examples=2000, deadline=None)
@given(happenings)
def test_what_is_held_goes_on_only_by_a_word_or_as_configured(
    events: list[tuple[Event, Actor]],
) -> None:
    for before, event, actor, after in walk(events):
        if before == "held" and after in WRITING:
            assert event in ("resume", "roll_back")
            assert actor in ("person", "system")
        if before in ACTIVE:
            assert event not in ("supersede", "expire", "reject", "approve", "void")


@pytest.mark.parametrize("state", sorted(OPEN - {"proposed"} | ACTIVE))
def test_a_stop_reaches_all_that_may_write(state: RecommendationState) -> None:
    if state in {"approved", *ACTIVE}:
        assert next_state(state, "stop", "person") == "stopped"
    else:
        with pytest.raises(ConflictError, match="cannot be told to stop"):
            next_state(state, "stop", "person")


def test_a_refusal_says_what_the_state_knows() -> None:
    with pytest.raises(ConflictError) as caught:
        next_state("rejected", "approve", "person")
    assert "the recommendation is rejected" in str(caught.value)
    assert "It has ended" in str(caught.value)
    with pytest.raises(ConflictError, match="the operator agent may not approve"):
        next_state("awaiting_approval", "approve", "system")
