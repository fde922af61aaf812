"""Which operations are offered as tools, under which names, with which hints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

import mcp_types as types

from orchestrator.api.mcp.schemas import input_schema, output_schema
from orchestrator.config import Settings
from orchestrator.errors import GateRefusedError, NotFoundError, RefusedError
from orchestrator.modules.base import Operation
from orchestrator.modules.registry import Registry


class NotGrantedError(RefusedError):
    """The configuration does not offer this operation to other programs."""

    code = "not-granted"
    title = "The operation is not granted"
    status = 403


@dataclass(frozen=True, slots=True)
class _Kept:
    version: int
    tool: types.Tool


class Catalogue:
    """Operations as tools.

    What only reads and computes is offered; what changes something, and what runs on other servers,
    only where ``mcp.allow`` names it (``module.operation``, ``*`` stands for any text); what writes to
    the plant never.
    """

    def __init__(self, registry: Registry, settings: Settings) -> None:
        self._registry = registry
        self._settings = settings
        self._kept: dict[str, _Kept] = {}

    def names(self) -> dict[str, Operation]:
        """Every operation by its name as a tool, offered or not."""
        found: dict[str, Operation] = {}
        for full_name, operation in self._registry.operations.items():
            # Many hosts accept letters, digits, _ and - only. Two names that become one are told apart.
            name = full_name.replace(".", "_")
            found[name if name not in found else full_name.replace(".", "-")] = operation
        return found

    def tools(self) -> list[types.Tool]:
        """What is offered."""
        return [self._tool(name, operation) for name, operation in self._offered()]

    def schema(self, name: str) -> dict[str, object] | None:
        """Schema of the parameters of an offered tool; null where there is none of that name."""
        for offered, operation in self._offered():
            if offered == name:
                return self._tool(name, operation).input_schema
        return None

    def operation(self, name: str) -> Operation:
        """The operation behind a tool.

        Raises:
            NotFoundError: no operation has that name.
            NotGrantedError: it is not offered.
            GateRefusedError: its module is disabled.
        """
        operation = self.names().get(name)
        if operation is None:
            raise NotFoundError(f"no tool {name[:200]!r}", remedy="the tools are in tools/list")
        if operation.needs.writes_to_plant:
            raise NotGrantedError(
                "an operation that writes to the plant is never a tool", where=operation.full_name
            )
        if not self._granted(operation):
            raise NotGrantedError(
                f"not offered to other programs: it {operation.changes}"
                if operation.changes
                else "not offered to other programs",
                where=operation.full_name,
                remedy="a person may name it in mcp.allow in the configuration of the service",
            )
        if not self._settings.module(operation.module).enabled:
            raise GateRefusedError(
                f"the module {operation.module!r} is disabled",
                where=operation.full_name,
                remedy=f"set modules.{operation.module}.enabled to true",
            )
        return operation

    def _offered(self) -> Iterator[tuple[str, Operation]]:
        for name, operation in self.names().items():
            enabled = self._settings.module(operation.module).enabled
            if enabled and self._granted(operation):
                yield name, operation

    def _granted(self, operation: Operation) -> bool:
        if operation.needs.writes_to_plant:
            return False
        if operation.changes is None and operation.appends is None:
            return True
        return any(fnmatchcase(operation.full_name, rule) for rule in self._settings.mcp.allow)

    def _tool(self, name: str, operation: Operation) -> types.Tool:
        # The schema of another server's tool may change while this one runs.
        version = getattr(operation.input_model, "schema_version", 0)
        kept = self._kept.get(name)
        if kept is None or kept.version != version:
            kept = self._kept[name] = _Kept(version, _made(name, operation))
        return kept.tool


def _made(name: str, operation: Operation) -> types.Tool:
    reads = operation.changes is None and operation.appends is None
    said = operation.summary if reads else f"{operation.summary} It {operation.changes}."
    return types.Tool(
        name=name,
        title=operation.full_name,
        description=f"{said} Takes about {operation.needs.cost_seconds:g} s.",
        input_schema=input_schema(operation),
        output_schema=output_schema(operation),
        annotations=types.ToolAnnotations(
            title=operation.full_name,
            read_only_hint=reads,
            destructive_hint=False,
            idempotent_hint=reads,
            open_world_hint=not reads,
        ),
    )
