"""The balances of a plant file over its data."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.errors import ConfigurationError, InsufficientDataError
from orchestrator.modules.etl.network import ReconcileInput
from orchestrator.modules.etl.reconcile import run
from orchestrator.plant.tags import Balance, Plant, Tag

ROWS = 240
TIMES = np.datetime64("2025-01-01", "us") + np.arange(ROWS) * np.timedelta64(60, "s")


def plant() -> Plant:
    return Plant(
        tags=tuple(Tag(name=name, kind="flow", unit="t/h") for name in ("F", "N", "K", "R")),
        balances=(Balance(name="column", inputs=("F",), outputs=("N", "K", "R")),),
    )


def flows(feed: float = 100.0, residue: float = 50.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    means = {"F": feed, "N": 20.0, "K": 30.0, "R": residue}
    return {name: mean + rng.normal(scale=0.05, size=ROWS) for name, mean in means.items()}


def test_the_balances_of_the_plant_file_are_reconciled_over_the_data(context_for):
    result = run(ReconcileInput(), context_for({"time": TIMES, **flows()}, plant()))
    assert result.status == "reconciled"
    assert "within the meters' accuracy" in result.summary
    (closure,) = result.balances
    assert closure.imbalance_pct == pytest.approx(0.0, abs=0.1)
    total = {item.id: item.reconciled for item in result.streams}
    assert total["F"] == pytest.approx(total["N"] + total["K"] + total["R"])
    assert {item.sd_source for item in result.streams} == {"differences"}
    assert any("steps from sample to sample" in note for note in result.warnings)


def test_a_balance_that_does_not_close_says_so_with_its_closure(context_for):
    result = run(ReconcileInput(), context_for({"time": TIMES, **flows(feed=115)}, plant()))
    assert "do not close" in result.summary
    assert result.balances[0].imbalance == pytest.approx(15, abs=0.1)
    (first,) = result.gross_errors
    assert {first.id, *first.same_as} == {"F", "N", "K", "R", "column"}


def test_an_unsteady_plant_is_not_blamed_on_a_meter(context_for):
    moving = flows()
    moving["F"] = moving["F"] + np.linspace(0, 30, ROWS)
    result = run(ReconcileInput(), context_for({"time": TIMES, **moving}, plant()))
    assert result.status == "not_steady"
    assert result.gross_errors == ()
    assert "F moved" in result.summary


def test_a_tag_without_data_is_taken_as_unmeasured(context_for):
    given_ = flows()
    del given_["K"]
    result = run(ReconcileInput(), context_for({"time": TIMES, **given_}, plant()))
    unmeasured = next(stream for stream in result.streams if stream.id == "K")
    assert unmeasured.klass == "observable"
    assert unmeasured.reconciled == pytest.approx(30, abs=0.1)


def test_a_plant_without_balances_says_what_to_configure(context_for):
    with pytest.raises(ConfigurationError, match="Add balances"):
        run(ReconcileInput(), context_for({"time": TIMES, **flows()}, Plant()))


def test_data_without_any_tag_of_the_balances_is_refused(context_for):
    with pytest.raises(InsufficientDataError, match="Give data with some of: F"):
        run(ReconcileInput(), context_for({"time": TIMES, "X": np.ones(ROWS)}, plant()))


def test_the_accuracy_that_a_plant_file_gives_is_not_loosened_for_small_streams(context_for):
    accurate = Plant(
        tags=tuple(Tag(name=name, kind="flow", unit="t/h") for name in ("F", "N", "K", "R")),
        balances=(
            Balance.model_validate(
                {"name": "column", "inputs": [{"tag": "F", "sd_pct": 0.5}],
                 "outputs": [{"tag": name, "sd_pct": 1.0} for name in ("N", "K", "R")]}
            ),
        ),
    )  # fmt: skip
    result = run(ReconcileInput(), context_for({"time": TIMES, **flows()}, accurate))
    found = {item.id: item for item in result.streams}
    assert found["N"].sd == pytest.approx(0.2, rel=0.01)
    assert found["N"].sd_source == "given_pct"
    assert result.loss.unit == "t/h"
    assert result.loss.hours == pytest.approx(4.0, rel=0.01)
    assert result.loss.tonnes == pytest.approx(result.loss.rate * 4, rel=0.01)


def test_a_stream_on_both_sides_is_seen_by_no_balance(context_for):
    same = Balance(name="loop", inputs=("F",), outputs=("F",))
    result = run(ReconcileInput(balances=(same,)), context_for({"time": TIMES, **flows()}, plant()))
    assert result.global_test.dof == 0
    assert "Nothing checks" in result.summary
