"""The worked module of the documentation is a module like any other."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from orchestrator.errors import InsufficientDataError, UnknownTagError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.registry import Registry
from orchestrator.plant.tags import Plant

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "furnace_module"


@pytest.fixture
def operation(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLE))
    import dan_g_furnace

    yield Registry([dan_g_furnace.MODULE]).operation("furnace", "efficiency")
    for name in ("dan_g_furnace", "dan_g_furnace.efficiency"):
        sys.modules.pop(name, None)


def context(folder: Path, columns: dict[str, list[float | None]]) -> OperationContext:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    rows = len(next(iter(columns.values())))
    table = pa.table({"time": [now] * rows, **columns})
    path = folder / "flue.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return OperationContext(now=now, plant=Plant(), data_file=path)


def test_it_reproduces_siegerts_formula_by_hand(operation, tmp_path) -> None:
    request = operation.input_model(
        flue_gas_temperature="TI150", oxygen="AI150", fuel_usd_per_hour=930.0
    )
    result = operation.load_handler()(request, context(tmp_path, {"TI150": [180], "AI150": [3]}))
    # (180 - 20) * (0.66 / 18 + 0.009) = 160 * 0.0456667 = 7.3067
    assert result.stack_loss_pct == pytest.approx(7.3067, abs=1e-4)
    assert result.worth_of_one_point_usd_per_day == pytest.approx(24 * 930 / 92.6933, rel=1e-4)
    assert "7.3 %" in result.summary


def test_unknown_tags_and_missing_values_are_said(operation, tmp_path) -> None:
    request = operation.input_model(flue_gas_temperature="TI150", oxygen="AI150")
    run = operation.load_handler()
    with pytest.raises(UnknownTagError, match="AI150"):
        run(request, context(tmp_path, {"TI150": [180.0]}))
    with pytest.raises(InsufficientDataError, match="both"):
        run(request, context(tmp_path, {"TI150": [180.0, None], "AI150": [None, 3.0]}))
