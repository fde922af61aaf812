"""Furnace efficiency from flue gas measurements: a complete small module.

Only declarations stand here; the handler is imported in the worker process that runs it.
"""

from datetime import timedelta

from pydantic import Field

from orchestrator.modules.base import DataInput, Module, Needs, Operation, OperationResult


class EfficiencyInput(DataInput):
    """Which tags hold the flue gas temperature, its oxygen and the air temperature."""

    flue_gas_temperature: str = Field(description="Tag, degC.")
    oxygen: str = Field(description="Tag, oxygen in dry flue gas, volume percent.")
    air_temperature: float = Field(default=20.0, description="Combustion air, degC.")
    fuel_usd_per_hour: float = Field(default=0.0, ge=0, description="Cost of the fuel, USD/h.")


class EfficiencyResult(OperationResult):
    """Stack loss and efficiency, in percent of the fired duty (lower heating value)."""

    stack_loss_pct: float
    efficiency_pct: float
    worth_of_one_point_usd_per_day: float


MODULE = Module(
    name="furnace",
    summary="Furnace efficiency from flue gas measurements.",
    operations=(
        Operation(
            module="furnace",
            name="efficiency",
            summary="How much of the fired duty goes up the stack, and what a point of it is worth.",
            input_model=EfficiencyInput,
            output_model=EfficiencyResult,
            handler="dan_g_furnace.efficiency:run",
            needs=Needs(min_quality=0.7, history=timedelta(hours=2), cost_seconds=0.2),
        ),
    ),
)
