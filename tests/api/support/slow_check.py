"""``etl.validate`` that waits until a file is there: a job whose time the test decides."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

from orchestrator.config import Settings
from orchestrator.core.orchestrator import Orchestrator
from orchestrator.modules.base import Needs, OperationContext, OperationInput, OperationResult
from orchestrator.modules.registry import Registry, load_registry


class SlowInput(OperationInput):
    """Nothing."""


class SlowResult(OperationResult):
    """Its summary."""


def check(parameters: SlowInput, context: OperationContext) -> SlowResult:
    """Wait for the file that the module's option ``go`` names."""
    context.progress(0.25, "waiting for the file")
    while not Path(context.settings["go"]).exists():
        time.sleep(0.02)
    return SlowResult(summary="Data quality is 97 % over 3 tags: fit for use.")


def registry() -> Registry:
    """All modules, with the slow operation in place of ``etl.validate``."""
    modules = {module.name: module for module in load_registry()}
    operations = [
        dataclasses.replace(
            operation,
            input_model=SlowInput,
            output_model=SlowResult,
            handler=f"{__name__}:check",
            needs=Needs(),
        )
        if operation.name == "validate"
        else operation
        for operation in modules["etl"].operations
    ]
    modules["etl"] = dataclasses.replace(modules["etl"], operations=tuple(operations))
    return Registry(list(modules.values()))


async def open_slow(settings: Settings) -> Orchestrator:
    """An orchestrator with it."""
    return await Orchestrator.open(settings, registry=registry())
