from __future__ import annotations

import subprocess
import sys

import pytest

from orchestrator.modules import etl, forecasting
from orchestrator.modules.base import DataInput, Operation

OPERATIONS = [*etl.MODULE.operations, *forecasting.MODULE.operations]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.full_name)
def test_every_operation_is_declared_in_full(operation: Operation):
    assert callable(operation.load_handler())
    assert issubclass(operation.input_model, DataInput)
    assert operation.input_model.model_json_schema()["properties"]
    assert operation.needs.min_quality == (0.70 if operation.module == "forecasting" else None)
    assert operation.needs.cost_seconds > 0


def test_the_operations_of_the_blueprint_are_there():
    assert {item.name for item in etl.MODULE.operations} == {
        "ingest", "validate", "clean", "reconcile"
    }  # fmt: skip
    assert {item.name for item in forecasting.MODULE.operations} == {
        "forecast", "backtest", "explain", "soft_sensor", "time_to_limit"
    }  # fmt: skip


def test_declaring_them_imports_no_scientific_library():
    code = (
        "import sys, orchestrator.modules.etl, orchestrator.modules.forecasting;"
        "print([n for n in ('numpy', 'pandas', 'pyarrow', 'scipy') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
