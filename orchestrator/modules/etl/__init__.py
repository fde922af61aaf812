"""The etl module: is the data fit for use, make it so, and close the balances."""

from datetime import timedelta

from orchestrator.modules.base import Module, Needs, Operation
from orchestrator.modules.etl.models import (
    CleanInput,
    CleanResult,
    IngestInput,
    IngestResult,
    ValidateInput,
    ValidateResult,
)
from orchestrator.modules.etl.network import ReconcileInput
from orchestrator.modules.etl.reconciled import ReconcileResult

MODULE = Module(
    name="etl",
    summary="Is the data fit for use; load and clean it; close the mass and energy balances.",
    operations=(
        Operation(
            module="etl",
            name="ingest",
            summary="Load a file, text, rows or a query: times, units, duplicates and order put right.",
            input_model=IngestInput,
            output_model=IngestResult,
            handler="orchestrator.modules.etl.ingest:run",
            needs=Needs(cost_seconds=2.0, benefit_usd=100.0),
            as_given=True,
            appends="append",
            changes="appends samples to the historian",
        ),
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
            name="clean",
            summary="Filter spikes, fill what can be justified, resample; every change is marked.",
            input_model=CleanInput,
            output_model=CleanResult,
            handler="orchestrator.modules.etl.clean:run",
            needs=Needs(history=timedelta(hours=24), cost_seconds=3.0, benefit_usd=300.0),
        ),
        Operation(
            module="etl",
            name="reconcile",
            summary="Do the balances close, and which meter lies or where is something lost?",
            input_model=ReconcileInput,
            output_model=ReconcileResult,
            handler="orchestrator.modules.etl.reconcile:run",
            needs=Needs(history=timedelta(hours=2), rows=2, cost_seconds=1.5, benefit_usd=2000.0),
        ),
    ),
)
