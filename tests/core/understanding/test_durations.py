"""Counted times in words, in the languages of the control room."""

from __future__ import annotations

import pytest

from orchestrator.core.slots import fold
from orchestrator.core.understanding.durations import find_durations


@pytest.mark.parametrize(
    ("text", "hours", "back"),
    [
        ("level in 2,5 hours", 2.5, False),
        ("the past three weeks", 504, True),
        ("half a day ahead", 12, False),
        ("a couple of days ahead", 48, False),
        ("a day and a half ahead", 36, False),
        ("1 000 hours ahead", 1000, False),
        ("in 90 minutes", 1.5, False),
        ("take a fortnight", 336, None),
        ("over the next 3 shifts", 24, False),
        ("dans six heures", 6, False),
        ("les 7 derniers jours", 168, True),
        ("in den letzten 10 Tagen", 240, True),
        ("en las próximas 8 horas", 8, False),
        ("nos últimos 15 dias", 360, True),
        ("nelle prossime 12 ore", 12, False),
        ("over de komende 6 uur", 6, False),
        ("önümüzdeki 4 saat", 4, False),
        ("через 5 часов", 5, False),
        ("за последние 30 дней", 720, True),
        ("خلال 6 ساعات", 6, False),
        ("未来6小时", 6, False),
        ("过去10天", 240, True),
    ],
)
def test_a_counted_time_has_its_length_and_direction(
    text: str, hours: float, back: bool | None
) -> None:
    (found,) = find_durations(fold(text))
    assert (found.hours, found.back) == (hours, back)


@pytest.mark.parametrize(
    "text",
    [
        "20 dollars a day",
        "stocks against the five yr avg",
        "on a 10 minute grid",
        "hourly averages over 5-minute means",
        "how much diesel in a year",
        "how many days of supply",
        "tonight",
        "last week",
        "the 3-2-1",
    ],
)
def test_what_counts_no_time_is_none(text: str) -> None:
    assert list(find_durations(fold(text))) == []
