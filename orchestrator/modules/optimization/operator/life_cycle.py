"""The life of a recommendation: its states, the events that change them, and who may cause which.

============================  ===================================================================
state                         meaning
============================  ===================================================================
``proposed``                  made, not yet checked by the safety agent
``awaiting_approval``         checked and allowed; a person may approve or reject it
``awaiting_second_approval``  one person approved, a second one has to
``approved``                  approved; in advisory mode to be done by hand
``applying``                  its steps are being written
``verifying``                 all steps are written; the plant's response is awaited
``held``                      begun and paused: a person says whether it goes on or back
``rolling_back``              the former set points are being written
``completed``                 the plant answered as expected
``followed``                  a person has moved the handles as recommended
``rolled_back``               the former set points are back
``rejected``                  a person said no, and why
``vetoed``                    the safety agent refused it
``expired``                   its time ran out, or its handles were moved elsewhere
``superseded``                a newer one for the same handles took its place
``stopped``                   the stop ended it under way, or a person left held handles where they are
============================  ===================================================================

Writing happens in ``applying`` and ``rolling_back`` alone, and ``applying`` has no way in but through
an approval.
"""

from __future__ import annotations

from typing import Literal

from orchestrator.errors import ConflictError
from orchestrator.state.records import RecommendationState

Event = Literal[
    "offer",
    "veto",
    "approve_first",
    "approve",
    "void",
    "reject",
    "expire",
    "supersede",
    "follow",
    "begin",
    "applied",
    "hold",
    "resume",
    "verified",
    "roll_back",
    "rolled_back",
    "stop",
]
Actor = Literal["person", "grant", "safety", "system"]
"""Who causes an event: a named person, an autonomous grant, the safety agent, or the operator agent."""

OPEN: frozenset[RecommendationState] = frozenset(
    {"proposed", "awaiting_approval", "awaiting_second_approval", "approved"}
)
"""Nothing has been written."""
ACTIVE: frozenset[RecommendationState] = frozenset(
    {"applying", "verifying", "held", "rolling_back"}
)
"""The handles belong to this recommendation; no other may move them."""
WRITING: frozenset[RecommendationState] = frozenset({"applying", "rolling_back"})
ENDED: frozenset[RecommendationState] = frozenset(
    {
        "completed",
        "followed",
        "rolled_back",
        "rejected",
        "vetoed",
        "expired",
        "superseded",
        "stopped",
    }
)


def _table() -> dict[tuple[RecommendationState, Event], RecommendationState]:
    table: dict[tuple[RecommendationState, Event], RecommendationState] = {
        ("proposed", "offer"): "awaiting_approval",
        ("proposed", "veto"): "vetoed",
        ("awaiting_approval", "approve_first"): "awaiting_second_approval",
        ("awaiting_approval", "approve"): "approved",
        ("awaiting_second_approval", "approve"): "approved",
        # What was approved is no longer the case: the approval is void, the recommendation is not.
        ("awaiting_second_approval", "void"): "awaiting_approval",
        ("approved", "void"): "awaiting_approval",
        ("approved", "begin"): "applying",
        ("approved", "hold"): "held",
        ("approved", "follow"): "followed",
        ("awaiting_approval", "follow"): "followed",
        ("applying", "applied"): "verifying",
        ("verifying", "verified"): "completed",
        ("held", "resume"): "applying",
        ("rolling_back", "rolled_back"): "rolled_back",
    }
    for state in OPEN:
        table[state, "reject"] = "rejected"
        table[state, "expire"] = "expired"
        table[state, "supersede"] = "superseded"
    for state in ("applying", "verifying", "rolling_back"):
        table[state, "hold"] = "held"
    for state in ("applying", "verifying", "held", "stopped", "completed"):
        table[state, "roll_back"] = "rolling_back"
    for state in ("approved", *ACTIVE):
        table[state, "stop"] = "stopped"
    return table


NEXT = _table()
"""(state, event) -> state after it; what is not here is refused."""

WHO: dict[Event, frozenset[Actor]] = {
    "offer": frozenset({"safety"}),
    "veto": frozenset({"safety"}),
    "approve_first": frozenset({"person"}),
    "approve": frozenset({"person", "grant"}),
    "void": frozenset({"system"}),
    "reject": frozenset({"person"}),
    "expire": frozenset({"system"}),
    "supersede": frozenset({"system"}),
    "follow": frozenset({"system"}),
    "begin": frozenset({"system"}),
    "applied": frozenset({"system"}),
    "hold": frozenset({"system", "safety"}),
    "resume": frozenset({"person"}),
    "verified": frozenset({"system"}),
    "roll_back": frozenset({"person", "system"}),
    "rolled_back": frozenset({"system"}),
    "stop": frozenset({"person", "system"}),
}

NAMES: dict[Actor, str] = {
    "person": "a person",
    "grant": "a grant",
    "safety": "the safety agent",
    "system": "the operator agent",
}


def next_state(state: RecommendationState, event: Event, actor: Actor) -> RecommendationState:
    """The state after ``event``, caused by ``actor``.

    Raises:
        ConflictError: the state does not know that event, or this actor may not cause it.
    """
    if actor not in WHO[event]:
        raise ConflictError(
            f"{NAMES[actor]} may not {_words(event)} a recommendation",
            remedy=f"this is for: {', '.join(NAMES[name] for name in sorted(WHO[event]))}",
        )
    found = NEXT.get((state, event))
    if found is None:
        possible = sorted(_words(name) for at, name in NEXT if at == state)
        raise ConflictError(
            f"the recommendation is {_words(state)}; it cannot be told to {_words(event)}",
            why=f"in this state it knows: {', '.join(possible)}" if possible else "it has ended",
            remedy="look at it again before you decide",
            context={"state": state, "event": event},
        )
    return found


def _words(name: str) -> str:
    return name.replace("_", " ")
