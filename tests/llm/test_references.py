"""What "the second one" stands for."""

from __future__ import annotations

import pytest

from orchestrator.llm.answers.draft import Listed
from orchestrator.llm.references import resolve

TAGS = [Listed(kind="tag", label=name) for name in ("TI150", "FI101", "AI304")]
ALERTS = [Listed(kind="alert", label=f"alert {n}", ref=f"a{n}") for n in range(3)]
MIXED = [TAGS[0], ALERTS[0], TAGS[1], ALERTS[1]]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("forecast the second one", "forecast FI101"),
        ("why the first?", "why TI150?"),
        ("the 3rd of them for 12 hours", "AI304 for 12 hours"),
        ("check the last one", "check AI304"),
        ("et le deuxième ?", "et FI101 ?"),
        ("and number 2?", "and FI101?"),
        ("explain the third tag", "explain AI304"),
        ("second?", "FI101?"),
        ("item 3 for 12 hours", "AI304 for 12 hours"),
        ("forecast no. 2", "forecast FI101"),
        ("what about #3?", "what about AI304?"),
        ("forecast the last tag 8 hours ahead", "forecast AI304 8 hours ahead"),
    ],
)
def test_a_tag_takes_the_place_of_the_words(text: str, meant: str) -> None:
    assert resolve(text, TAGS).text == meant


@pytest.mark.parametrize(
    "text",
    [
        "the last 2 days",
        "the second half of the shift",
        "in the first place I want the forecast of FI101",
        "forecast 2.5 hours ahead",
        "one second please, forecast FI101",
        "last week's balance",
        "the first shift",
        "forecast FI101",
        "validate the data first, then reconcile",
        "first, validate the data",
        "what should I check first?",
        "no. 2 fuel oil price",
        "the no. 2 fuel oil price",
        "No 1 heater outlet?",
        "is heater no. 1 fouled?",
        "outlet of heater no. 1?",
        "pump #2",
        "at last!",
        "last alerts",
        "reconcile the balance of the unit and then validate what came in the first.",
    ],
)
def test_other_ordinals_point_to_nothing(text: str) -> None:
    assert resolve(text, TAGS).item is None
    assert resolve(text, TAGS).text == text


def test_a_record_is_asked_for_by_its_id() -> None:
    meant = resolve("tell me more about the second one", ALERTS)
    assert (meant.item, meant.text) == (ALERTS[1], "show the alert a1")


def test_a_noun_counts_among_its_own_kind() -> None:
    assert resolve("the second alert", MIXED).item == ALERTS[1]
    assert resolve("the second tag", MIXED).item == TAGS[1]
    assert resolve("the first recommendation", MIXED).item is None


def test_beyond_the_list_it_says_how_many_there_are() -> None:
    assert resolve("the fifth one", TAGS).missing == 3
    assert resolve("the fifth one", []).missing is None
