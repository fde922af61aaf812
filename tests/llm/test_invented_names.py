"""A number is no more true under an invented name, and a value is no limit."""

from __future__ import annotations

import pytest

from orchestrator.llm.grounding import Evidence, check
from orchestrator.plant.tags import Limits, Tag


def evidence() -> Evidence:
    found = Evidence()
    tags = [
        Tag(
            name="TI130", description="Outlet of E-102", unit="degC", kind="temperature",
            limits=Limits(high=380.0),
        )
    ]  # fmt: skip
    found.describe(tags)
    found.add_result("historian", {"tag": "TI130", "value": 364.4, "unit": "degC"})
    return found


@pytest.mark.parametrize(
    "answer",
    [
        "TI999 is at 364.4 degC.",
        "Exchanger E-777 fouls at 364.4.",
        "E-777 is fouled.",
        "The limit of TI130 is 364.4 degC.",
        "The high limit is 364.4.",
        "The high limit of TI130: 364.4 degC.",
    ],
)
def test_it_is_a_fault(answer: str) -> None:
    assert not check(answer, evidence()).sound


@pytest.mark.parametrize(
    "answer",
    [
        "TI130 is at 364.4 degC.",
        "TI130, behind E102, is at 364.4 degC.",
        "TI999 is not known.",
        "The high limit of TI130 is 380 degC.",
        "Its high limit is 380 degC; TI130 is at 364.4 degC.",
        "TI130.PV is at 364.4 degC, 15.6 degC below its high limit of 380 degC.",
    ],
)
def test_it_is_none(answer: str) -> None:
    assert check(answer, evidence()).problems == ()
