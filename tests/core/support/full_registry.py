"""A registry with every operation of the blueprint, for tests of what is decided, not of what runs."""

from __future__ import annotations

from orchestrator.core.plan import ORDER
from orchestrator.modules.base import DataInput, Module, Needs, Operation, OperationResult
from orchestrator.modules.registry import Registry


class AnyInput(DataInput):
    tags: tuple[str, ...] = ()
    equipment: tuple[str, ...] = ()
    horizon_hours: float | None = None


class NoInput(DataInput):
    pass


def full_registry() -> Registry:
    by_module: dict[str, list[Operation]] = {}
    for full_name in ORDER:
        module, name = full_name.split(".")
        by_module.setdefault(module, []).append(
            Operation(
                module=module,
                name=name,
                summary=full_name,
                input_model=NoInput if module == "analysis" else AnyInput,
                output_model=OperationResult,
                handler="nowhere:nothing",
                needs=Needs(benefit_usd=100.0),
            )
        )
    return Registry(
        Module(name=name, summary=name, operations=tuple(operations))
        for name, operations in by_module.items()
    )
