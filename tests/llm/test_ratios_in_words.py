"""Ratios in words are claims: two known numbers make them, or they are faults."""

from __future__ import annotations

import pytest

from orchestrator.llm.grounding import Evidence, check


def evidence() -> Evidence:
    found = Evidence()
    for tag, value in (("FI201", 80.0), ("FI202", 40.0), ("FI203", 27.0)):
        found.add_result("historian", {"tag": tag, "value": value, "unit": "t/h"})
    return found


@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        ("FI201 is twice as high as FI202.", True),
        ("FI201 is twice as high as FI203.", False),
        ("FI202 is half of FI201.", True),
        ("FI203 is half of FI201.", False),
        ("FI203 is a third of FI201.", True),
        ("FI202 is a third of FI201.", False),
        ("FI201 is three times as high as FI203.", True),
        ("FI201 is four times as high as FI202.", False),
        ("FI201 is read twice a day, in the first half of the shift.", True),
    ],
)
def test_a_ratio_in_words(answer: str, holds: bool) -> None:
    assert check(answer, evidence()).sound is holds
