"""The etl module: is the data fit for use, make it so, and close the balances."""

from datetime import timedelta

from orchestrator.modules.base import Module, Needs, Operation
from orchestrator.modules.etl.models import ValidateInput, ValidateResult
from orchestrator.modules.etl.network import ReconcileInput, ReconcileResult

MODULE = Module(
    name="etl",
    summary="Is the data fit for use; load and clean it; close the mass and energy balances.",
    operations=(
        Operation(
            module="etl",
            name="validate",
            summary="Is the data good, and which sensor is wrong?",
            input_model=ValidateInput,
            output_model=ValidateResult,
            handler="orchestrator.modules.etl.validate:run",
            needs=Needs(history=timedelta(hours=24), cost_seconds=2.0, benefit_usd=500.0),
        ),
        Operation(
            module="etl",
            name="reconcile",
            summary="Do the balances close, and which meter lies or where is something lost?",
            input_model=ReconcileInput,
            output_model=ReconcileResult,
            handler="orchestrator.modules.etl.reconcile:run",
            needs=Needs(history=timedelta(hours=4), cost_seconds=1.5, benefit_usd=2000.0),
        ),
    ),
)
