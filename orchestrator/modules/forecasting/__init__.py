"""The forecasting module: what will happen, how sure that is, and why."""

from datetime import timedelta

from orchestrator.modules.base import Module, Needs, Operation
from orchestrator.modules.forecasting.models import ForecastInput, ForecastResult

MIN_QUALITY = 0.70

MODULE = Module(
    name="forecasting",
    summary="What will happen, how sure, and why; product quality between laboratory samples.",
    operations=(
        Operation(
            module="forecasting",
            name="forecast",
            summary="What will these tags be in the next hours or days, and how sure is that?",
            input_model=ForecastInput,
            output_model=ForecastResult,
            handler="orchestrator.modules.forecasting.forecast:run",
            needs=Needs(
                min_quality=MIN_QUALITY,
                history=timedelta(days=7),
                cost_seconds=15.0,
                benefit_usd=1500.0,
            ),
        ),
    ),
)
