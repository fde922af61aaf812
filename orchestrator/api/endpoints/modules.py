"""``/modules``: what this installation can do, with the schema of each operation."""

from __future__ import annotations

from fastapi import APIRouter, Request

from orchestrator.api.dependencies import PROBLEMS, orchestrator_of
from orchestrator.api.schemas import ModuleView, OperationView
from orchestrator.config import Settings
from orchestrator.modules.base import Module, Operation

router = APIRouter(prefix="/modules", tags=["modules"], responses=PROBLEMS)


@router.get("", summary="Modules and their operations")
async def list_modules(request: Request) -> list[ModuleView]:
    """Every module with the JSON schemas of its operations' parameters and results."""
    orchestrator = orchestrator_of(request)
    return [_view(module, orchestrator.settings) for module in orchestrator.registry]


@router.get("/{name}", summary="One module")
async def get_module(name: str, request: Request) -> ModuleView:
    """One module with its operations."""
    orchestrator = orchestrator_of(request)
    return _view(orchestrator.registry.module(name), orchestrator.settings)


def _view(module: Module, settings: Settings) -> ModuleView:
    return ModuleView(
        name=module.name,
        summary=module.summary,
        enabled=settings.module(module.name).enabled,
        operations=[_operation(operation) for operation in module.operations],
    )


def _operation(operation: Operation) -> OperationView:
    return OperationView(
        name=operation.name,
        full_name=operation.full_name,
        summary=operation.summary,
        reads_data=operation.reads_data,
        writes_to_plant=operation.needs.writes_to_plant,
        cost_seconds=operation.needs.cost_seconds,
        parameters=operation.input_model.model_json_schema(),
        result=operation.output_model.model_json_schema(mode="serialization"),
    )
