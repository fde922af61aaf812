"""What lists of recommendations say where there is nothing to list."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from orchestrator.commands.operator_views import show_recommendations
from orchestrator.commands.recommendations import LIVE
from orchestrator.modules.optimization.operator.life_cycle import ACTIVE, OPEN


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        ("", "no recommendations\n"),
        (
            "1 has",
            "no recommendations under way; 1 has ended: dan-g recommendations list --all\n",
        ),
    ],
)
def test_an_empty_list_tells_of_those_that_have_ended(ended: str, said: str) -> None:
    out = io.StringIO()
    show_recommendations(Console(file=out, width=60), [], ended)
    assert out.getvalue() == said


def test_what_is_listed_without_being_asked_for_is_all_that_has_not_ended() -> None:
    assert set(LIVE) == OPEN | ACTIVE
