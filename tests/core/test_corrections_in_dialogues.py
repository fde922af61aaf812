"""Turns that correct, narrow or count again what the turn before said, and those that do not belong to it."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.core.query_parser import QueryRequest, Reading, read_query


def last(*texts: str) -> Reading:
    reading: Reading | None = None
    for text in texts:
        reading = read_query(QueryRequest(text, reading))
    assert reading is not None
    return reading


@pytest.mark.parametrize(
    ("texts", "operations", "slots"),
    [
        (
            ("kerosene stocks", "you gave me stocks but I meant demand"),
            ("analysis.demand",),
            {"product": "kerosene"},
        ),
        (
            ("forecast kerosene flow 9h", "wrong product, I meant naphtha"),
            ("forecasting.forecast",),
            {"product": "naphtha", "horizon_hours": 9},
        ),
        (
            ("set points for the CDU", "without moving the pumparound"),
            ("optimization.setpoints",),
            {"unit": "CDU"},
        ),
        (
            ("gasoline stocks", "last 2 months"),
            ("analysis.stocks",),
            {"product": "gasoline", "period_days": 60},
        ),
        (
            ("forecast 12FI330 and 13FI040 for 4 hours", "explain the first"),
            ("forecasting.explain",),
            {"tags": ["12FI330"], "horizon_hours": 4},
        ),
        (
            ("forecast 12FI330 for 4 hours", "and what's pulling it"),
            ("forecasting.explain",),
            {"tags": ["12FI330"], "horizon_hours": 4},
        ),
    ],
)
def test_a_correction_or_narrowing_keeps_the_rest(
    texts: tuple[str, ...], operations: tuple[str, ...], slots: dict[str, Any]
) -> None:
    reading = last(*texts)
    assert (reading.operations, reading.slots) == (operations, slots)


@pytest.mark.parametrize(
    ("texts", "slot", "size"),
    [
        (("forecast 12FI330 for 4 days", "make it 6"), "horizon_hours", 144),
        (("forecast 12FI330 for 48 hours", "make it 6"), "horizon_hours", 6),
        (("forecast 12FI330 for 4 days", "make it 36"), "horizon_hours", 36),
        (("CDU mass balance over 9 days", "make it 6"), "period_days", 6),
    ],
)
def test_a_bare_number_counts_in_the_unit_that_was_used(
    texts: tuple[str, ...], slot: str, size: int
) -> None:
    assert last(*texts).slots[slot] == size


def test_what_it_was_asks_the_historian_and_forecasts_nothing() -> None:
    reading = last("forecast 12FI330 for 4 hours", "what was it yesterday at noon")
    assert reading.operations == ()
    assert "historian" in (reading.answer or "")


def test_words_outside_the_field_are_no_follow_up() -> None:
    reading = last("gasoline demand", "lottery numbers?")
    assert reading.operations == ()
    assert "outside my field" in (reading.answer or "")


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("diesel crack, nothing on stocks", "analysis.cracks"),
        ("validate the diesel T95 analyser", "etl.validate"),
        ("¿Cuánto vale una unidad más de capacidad?", "optimization.sensitivity"),
        ("no chromatograph right now: flash point of kerosene", "forecasting.soft_sensor"),
    ],
)
def test_words_that_look_like_another_want(text: str, operation: str) -> None:
    assert last(text).operations == (operation,)


def test_the_length_of_a_supposed_outage_is_no_horizon() -> None:
    reading = last("suppose the desalter is out for 8 hours, what happens to the diesel")
    assert reading.operations == ("optimization.what_if",)
    assert "horizon_hours" not in reading.slots
