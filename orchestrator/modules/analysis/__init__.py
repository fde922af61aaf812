"""The analysis module: what the oil market did, and what it means for this refinery."""

from datetime import timedelta

from orchestrator.modules.analysis.models import (
    CracksResult,
    DemandResult,
    MarketInput,
    MarketResult,
    PricesResult,
    StocksResult,
)
from orchestrator.modules.analysis.update_models import UpdateInput, UpdateResult
from orchestrator.modules.base import Module, Needs, Operation, OperationResult

DAY_SECONDS = 86_400.0


def _operation(
    name: str, summary: str, output: type[OperationResult], benefit_usd: float
) -> Operation:
    return Operation(
        module="analysis",
        name=name,
        summary=summary,
        input_model=MarketInput,
        output_model=output,
        handler=f"orchestrator.modules.analysis.market:{name}",
        needs=Needs(
            history=timedelta(days=400),
            kinds=("price",),
            period_seconds=DAY_SECONDS,
            cost_seconds=1.0,
            benefit_usd=benefit_usd,
        ),
    )


MODULE = Module(
    name="analysis",
    summary="What the oil market did, and what it means for this refinery.",
    operations=(
        _operation("market", "What did the market do, as a whole?", MarketResult, 800.0),
        _operation(
            "prices", "Where are crude and product prices, and how do they move?", PricesResult, 300
        ),
        _operation("cracks", "What are the margins between crude and products?", CracksResult, 400),
        _operation("stocks", "Where do inventories stand in their season?", StocksResult, 300),
        _operation("demand", "How much product does the market take?", DemandResult, 300),
        Operation(
            module="analysis",
            name="update",
            summary="Download the configured market data; what is new, and what was revised?",
            input_model=UpdateInput,
            output_model=UpdateResult,
            handler="orchestrator.modules.analysis.update:run",
            needs=Needs(cost_seconds=10.0, benefit_usd=300.0),
        ),
    ),
)
