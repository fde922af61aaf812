"""The optimization module: the best feasible plan, the next moves, and what a limit costs."""

from datetime import timedelta

from orchestrator.modules.base import Module, Needs, Operation
from orchestrator.modules.optimization.blending.problem import BlendInput
from orchestrator.modules.optimization.blending.result import BlendResult
from orchestrator.modules.optimization.models import SetpointsInput, SetpointsResult
from orchestrator.modules.optimization.planning.result import PlanInput, PlanResult
from orchestrator.modules.optimization.planning.what_if_models import (
    SensitivityInput,
    SensitivityResult,
    WhatIfInput,
    WhatIfResult,
)

MIN_QUALITY = 0.85
HISTORY = timedelta(hours=1)

MODULE = Module(
    name="optimization",
    summary="The best feasible plan, the next moves on the unit, and what a limit costs.",
    operations=(
        Operation(
            module="optimization",
            name="plan",
            summary="What to buy, run and sell: crudes, throughput and product slate.",
            input_model=PlanInput,
            output_model=PlanResult,
            handler="orchestrator.modules.optimization.plan:run",
            needs=Needs(
                min_quality=MIN_QUALITY, history=HISTORY, cost_seconds=2.0, benefit_usd=5000.0
            ),
        ),
        Operation(
            module="optimization",
            name="blend",
            summary="What to blend from what, through which pools, to meet every quality for the least cost.",
            input_model=BlendInput,
            output_model=BlendResult,
            handler="orchestrator.modules.optimization.blending.blend:run",
            needs=Needs(cost_seconds=5.0, benefit_usd=2000.0),
        ),
        Operation(
            module="optimization",
            name="setpoints",
            summary="What to move on the running unit, limits first and money second.",
            input_model=SetpointsInput,
            output_model=SetpointsResult,
            handler="orchestrator.modules.optimization.setpoints:run",
            needs=Needs(
                min_quality=MIN_QUALITY, history=HISTORY, cost_seconds=3.0, benefit_usd=4000.0
            ),
            changes="its moves become a recommendation",
        ),
        Operation(
            module="optimization",
            name="what_if",
            summary="What would a supposed change do to the plan or the set points?",
            input_model=WhatIfInput,
            output_model=WhatIfResult,
            handler="orchestrator.modules.optimization.what_if:run",
            needs=Needs(
                min_quality=MIN_QUALITY, history=HISTORY, cost_seconds=4.0, benefit_usd=1000.0
            ),
        ),
        Operation(
            module="optimization",
            name="sensitivity",
            summary="What does a limit cost, what is binding, and how far may prices move?",
            input_model=SensitivityInput,
            output_model=SensitivityResult,
            handler="orchestrator.modules.optimization.sensitivity:run",
            needs=Needs(
                min_quality=MIN_QUALITY, history=HISTORY, cost_seconds=3.0, benefit_usd=1000.0
            ),
        ),
    ),
)
