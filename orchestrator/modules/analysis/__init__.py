"""The analysis module: what the oil market did, and what it means for this refinery."""

from datetime import timedelta

from orchestrator.modules.analysis.models import (
    CracksInput,
    DemandInput,
    MarketInput,
    PricesInput,
    SeriesInput,
    StocksInput,
)
from orchestrator.modules.analysis.results import (
    CracksResult,
    DemandResult,
    MarketResult,
    PricesResult,
    StocksResult,
)
from orchestrator.modules.analysis.update_models import UpdateInput, UpdateResult
from orchestrator.modules.base import Module, Needs, Operation, OperationResult

DAY_SECONDS = 86_400.0


def _operation(
    name: str,
    summary: str,
    parameters: type[SeriesInput],
    output: type[OperationResult],
    *,
    cost_seconds: float,
    benefit_usd: float,
) -> Operation:
    return Operation(
        module="analysis",
        name=name,
        summary=summary,
        input_model=parameters,
        output_model=output,
        handler=f"orchestrator.modules.analysis.{name}:run",
        needs=Needs(
            history=timedelta(days=400),
            kinds=("price",),
            period_seconds=DAY_SECONDS,
            cost_seconds=cost_seconds,
            benefit_usd=benefit_usd,
        ),
    )


MODULE = Module(
    name="analysis",
    summary="What the oil market did, and what it means for this refinery.",
    operations=(
        _operation(
            "market",
            "What did the market do, as a whole, and what does it mean for this refinery?",
            MarketInput,
            MarketResult,
            cost_seconds=4.0,
            benefit_usd=800.0,
        ),
        _operation(
            "prices",
            "Where are crude and product prices, and how do they move?",
            PricesInput,
            PricesResult,
            cost_seconds=2.0,
            benefit_usd=300.0,
        ),
        _operation(
            "cracks",
            "What are the margins between crude and products, and what is each crude worth?",
            CracksInput,
            CracksResult,
            cost_seconds=1.0,
            benefit_usd=400.0,
        ),
        _operation(
            "stocks",
            "Where do inventories stand in their season, and where will they be in some weeks?",
            StocksInput,
            StocksResult,
            cost_seconds=3.0,
            benefit_usd=300.0,
        ),
        _operation(
            "demand",
            "How much product does the market take, and how much will it take?",
            DemandInput,
            DemandResult,
            cost_seconds=3.0,
            benefit_usd=300.0,
        ),
        Operation(
            module="analysis",
            name="update",
            summary="Download the configured market data; what is new, and what was revised?",
            input_model=UpdateInput,
            output_model=UpdateResult,
            handler="orchestrator.modules.analysis.update:run",
            needs=Needs(cost_seconds=10.0, benefit_usd=300.0),
            changes="downloads market data into the store",
        ),
    ),
)
