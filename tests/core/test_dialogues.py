"""Turns that lean on the turns before."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.core.query_parser import QueryRequest, Reading, Turn, read_query

FORECAST, EXPLAIN = ("forecasting.forecast",), ("forecasting.explain",)


def talk(*texts: str) -> list[Reading]:
    readings: list[Reading] = []
    for text in texts:
        readings.append(read_query(QueryRequest(text, readings[-1] if readings else None)))
    return readings


def last(*texts: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    reading = talk(*texts)[-1]
    return reading.operations, {k: v for k, v in reading.slots.items() if k != "changes"}


@pytest.mark.parametrize(
    ("texts", "operations", "slots"),
    [
        (("diesel rate next 5 hours", "make it 20"), FORECAST, {"product": "diesel", "horizon_hours": 20}),
        (("diesel rate next 5 hours", "double that"), FORECAST, {"product": "diesel", "horizon_hours": 10}),
        (("Prognose für Diesel 9 h", "und Kerosin?"), FORECAST, {"product": "kerosene", "horizon_hours": 9}),
        (("kerosene flash now", "and in 7 hours"), FORECAST, {"product": "kerosene", "property": "flash point", "horizon_hours": 7}),
        (("wti price last 20 days", "Dubai likewise"), ("analysis.prices",), {"product": "dubai", "period_days": 20}),
        (("is 12FI330 frozen", "clean it"), ("etl.clean",), {"tags": ["12FI330"]}),
        (("jet", "its stocks"), ("analysis.stocks",), {"product": "jet fuel"}),
        (("what is 12FI330 now", "in 3 hours?"), FORECAST, {"tags": ["12FI330"], "horizon_hours": 3}),
        (("load lab_03.csv", "is it any good?"), ("etl.validate",), {}),
        (("when must E-204 be cleaned", "and E-205?"), ("forecasting.time_to_limit",), {"tags": ["E-205"]}),
    ],
)  # fmt: skip
def test_a_follow_up_keeps_what_it_does_not_change(
    texts: tuple[str, ...], operations: tuple[str, ...], slots: dict[str, Any]
) -> None:
    assert last(*texts) == (operations, slots)


def test_the_second_one_the_first_one_and_both_are_tags_named_before() -> None:
    turns = talk(
        "forecast 12FI330 and 13FI040 for 4 hours",
        "the second one for 9 hours",
        "the first one as well",
        "both please",
    )
    assert [turn.slots["tags"] for turn in turns[1:]] == [
        ["13FI040"],
        ["12FI330"],
        ["12FI330", "13FI040"],
    ]


def test_a_side_question_runs_nothing_and_leaves_the_slots() -> None:
    turns = talk("diesel rate next 5 hours", "what's the weather", "and kerosene?")
    assert (turns[1].operations, turns[1].slots) == ((), turns[0].slots)
    assert turns[2].operations == FORECAST
    assert turns[2].slots == {"product": "kerosene", "horizon_hours": 5}


def test_why_explains_a_forecast_and_nothing_else() -> None:
    assert last("diesel rate next 5 hours", "why?")[0] == EXPLAIN
    assert last("diesel rate next 5 hours", "warum?")[0] == EXPLAIN
    assert last("price of brent", "why?")[0] == ()


def test_go_ahead_after_advice_is_an_order_for_the_gate() -> None:
    reading = talk("which set points should I change on the column", "ok do it")[-1]
    assert reading.operations == ()
    assert "operator gate" in str(reading.answer)


def test_another_size_of_the_supposed_change_keeps_what_is_changed() -> None:
    turns = talk("what if we cut the feed by 5 %", "double that?", "and 12")
    assert [turn.slots["changes"][0]["by"] for turn in turns] == [-5, -10, -12]


def test_a_correction_rules_out_what_went_before() -> None:
    assert last("make a plan for May", "no plan, just the oil market")[0] == ("analysis.market",)


def test_a_turn_read_back_from_storage_is_the_same_turn() -> None:
    first = read_query(QueryRequest("what is 12FI330 now"))
    stored = Turn.model_validate(first).model_dump(mode="json")
    assert read_query(QueryRequest("in 3 hours?", stored)).slots["tags"] == ["12FI330"]
