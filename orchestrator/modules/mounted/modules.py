"""Modules made of the configuration: one a server, one operation an allowed tool.

Nothing is asked of a server here, so that one that is down holds nothing up.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from orchestrator.errors import ConfigurationError
from orchestrator.mcp_settings import McpServerSettings
from orchestrator.modules.base import Module, Needs, Operation
from orchestrator.modules.mounted.inputs import MountedResult, make_input

HANDLER = "orchestrator.modules.mounted.call:run"
COST_S = 5.0
_ODD = re.compile(r"[^A-Za-z0-9_]")


def mounted_modules(servers: Iterable[McpServerSettings], taken: Collection[str]) -> list[Module]:
    """The module of each server.

    Args:
        servers: As configured.
        taken: Names of the other modules.

    Raises:
        ConfigurationError: a server has the name of another module, or two tools become one operation.
    """
    return [_module(server, taken) for server in servers]


def _module(server: McpServerSettings, taken: Collection[str]) -> Module:
    if server.name in taken:
        raise ConfigurationError(
            f"there is a module {server.name!r} already",
            where="mcp.servers",
            remedy="give the server another name",
        )
    operations: dict[str, Operation] = {}
    for tool in server.allow:
        name = _ODD.sub("_", tool)
        if name in operations:
            raise ConfigurationError(
                f"two tools of {server.name!r} become the operation {name!r}",
                where="mcp.servers.allow",
                remedy="allow one of them",
            )
        operations[name] = Operation(
            module=server.name,
            name=name,
            summary=f"Runs the tool {tool} on the server {server.name}.",
            input_model=make_input(server.name, tool),
            output_model=MountedResult,
            handler=HANDLER,
            needs=Needs(cost_seconds=COST_S),
            changes="runs on another server",
        )
    return Module(
        name=server.name,
        summary=f"Tools of the server {server.name} (Model Context Protocol).",
        operations=tuple(operations.values()),
    )
