"""The forecasting module: what will happen, how sure that is, and why."""

from datetime import timedelta

from orchestrator.modules.base import Module, Needs, Operation
from orchestrator.modules.forecasting.models import (
    BacktestInput,
    BacktestResult,
    ExplainInput,
    ExplainResult,
    ForecastInput,
    ForecastResult,
    TimeToLimitInput,
    TimeToLimitResult,
)
from orchestrator.modules.forecasting.soft_sensor.parameters import (
    SoftSensorInput,
    SoftSensorResult,
)

MIN_QUALITY = 0.70
_WEEK = timedelta(days=7)
_ROWS = 40

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
            exact=True,
            needs=Needs(
                MIN_QUALITY, history=_WEEK, min_rows=_ROWS, cost_seconds=15.0, benefit_usd=1500.0
            ),
        ),
        Operation(
            module="forecasting",
            name="time_to_limit",
            summary="When will something reach its limit or fail, and how likely is that?",
            input_model=TimeToLimitInput,
            output_model=TimeToLimitResult,
            handler="orchestrator.modules.forecasting.time_to_limit:run",
            exact=True,
            needs=Needs(
                MIN_QUALITY,
                history=timedelta(days=14),
                min_rows=_ROWS,
                cost_seconds=20.0,
                benefit_usd=3000.0,
            ),
        ),
        Operation(
            module="forecasting",
            name="backtest",
            summary="How good have the forecasts been?",
            input_model=BacktestInput,
            output_model=BacktestResult,
            handler="orchestrator.modules.forecasting.backtest:run",
            exact=True,
            needs=Needs(MIN_QUALITY, history=_WEEK, cost_seconds=15.0, benefit_usd=200.0),
        ),
        Operation(
            module="forecasting",
            name="explain",
            summary="Why does a forecast say what it says?",
            input_model=ExplainInput,
            output_model=ExplainResult,
            handler="orchestrator.modules.forecasting.explain:run",
            exact=True,
            needs=Needs(MIN_QUALITY, history=_WEEK, cost_seconds=3.0, benefit_usd=200.0),
        ),
        Operation(
            module="forecasting",
            name="soft_sensor",
            summary="What is a product property now, between laboratory samples?",
            input_model=SoftSensorInput,
            output_model=SoftSensorResult,
            handler="orchestrator.modules.forecasting.soft_sensor.handler:run",
            exact=True,
            needs=Needs(
                MIN_QUALITY, history=timedelta(days=45), cost_seconds=15.0, benefit_usd=1000.0
            ),
            needs_time=False,
        ),
    ),
)
