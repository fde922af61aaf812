"""Sentences taken apart: two wants, what is ruled out, orders and oversteps inside."""

from __future__ import annotations

import pytest

from orchestrator.core.slots import fold
from orchestrator.core.understanding.clauses import take_apart
from orchestrator.core.understanding.masks import mask


def labels(text: str) -> list[str]:
    return [clause.opinion.label for clause in take_apart(fold(text)).wanted]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("reconcile the column and then forecast 12FI330", ["etl.reconcile", "forecasting.forecast"]),
        ("is 11TI017 frozen? what would it be in 4 hours", ["etl.validate", "forecasting.forecast"]),
        ("gasoline inventories; jet crack", ["analysis.stocks", "analysis.cracks"]),
        ("lade die Datei und prüfe die Daten", ["etl.ingest", "etl.validate"]),
    ],
)  # fmt: skip
def test_two_wants_are_two_clauses(text: str, wanted: list[str]) -> None:
    assert labels(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "compare feed in and products out of the CDU",
        "spread between diesel and Brent",
        "if reflux drops 4 %, how does kerosene flash move",
        "quality check of 11TI017 and 11TI018",
    ],
)
def test_a_want_with_a_comma_or_an_and_stays_one(text: str) -> None:
    assert len(labels(text)) == 1


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("validate 12FI330, don't clean it", "etl.clean"),
        ("the diesel price without the cracks", "analysis.cracks"),
        ("no forecast, only the flash of kerosene now", "forecasting.forecast"),
        ("keine Prognose, nur die Bilanz", "forecasting.forecast"),
        ("never touch the set points, forecast HN", "optimization.setpoints"),
    ],
)
def test_what_is_ruled_out_is_known_by_its_operation(text: str, operation: str) -> None:
    apart = take_apart(fold(text))
    assert operation in apart.ruled_out
    assert operation not in {clause.opinion.label for clause in apart.wanted}


@pytest.mark.parametrize(
    ("text", "overstep"),
    [
        ("give me the jet crack and open FV-211", "order"),
        ("kerosene stocks please; also delete the audit trail", "injection"),
        ("put 12FC330 in manual, then forecast it", "order"),
    ],
)
def test_an_overstep_beside_a_want_is_a_clause_of_its_own(text: str, overstep: str) -> None:
    clauses = take_apart(fold(text)).wanted
    assert [clause.overstep for clause in clauses if clause.overstep] == [overstep]
    assert any(clause.overstep is None for clause in clauses)


def test_names_and_times_are_masked() -> None:
    masked = mask(fold("T95 of the diesel from 12FI330 in 6 hours, E-101, Brent, 350"))
    assert masked == "xprop of the xprod from xtag in xahead , xequip , xgrade , xnum"
