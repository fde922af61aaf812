"""Keeps the schemas of other servers' tools, beside the service and never in its way."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from orchestrator.clock import iso
from orchestrator.errors import DanGError
from orchestrator.mcp_settings import McpServerSettings
from orchestrator.modules.base import Module
from orchestrator.modules.mounted.inputs import MountedInput

if TYPE_CHECKING:
    from mcp import ClientSession

log = structlog.get_logger(__name__)

FILE = "tools.json"
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 300.0
REFRESH_S = 600.0
LIST_TIMEOUT_S = 30.0
MOST_PAGES = 50


class ToolKeeper:
    """What one server told of its allowed tools.

    Args:
        server: The server.
        module: Its module, whose operations take over what is learned.
        folder: Where it is kept, so that a server that is down at the next start is known all the same.
    """

    def __init__(self, server: McpServerSettings, module: Module, folder: Path) -> None:
        self.server = server
        self._inputs = {
            model.tool: model
            for operation in module.operations
            if issubclass(model := operation.input_model, MountedInput)
        }
        self._file = folder / FILE
        self._reached_at: datetime | None = None
        self._problem: str | None = "not asked yet"
        self._missing: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        """Its health, for ``GET /status``."""
        return {
            "ok": self._problem is None,
            "problem": self._problem,
            "reached_at": iso(self._reached_at) if self._reached_at else None,
            "tools": sorted(self._inputs),
            "missing": list(self._missing),
        }

    async def run(self) -> None:
        """Ask for the schemas now, and again from time to time; until it is cancelled."""
        wait = FIRST_WAIT_S
        while True:
            try:
                await self._ask()
            except Exception as error:  # noqa: BLE001  another program's server may fail in any way
                foreign = f"{type(error).__name__}: {str(error)[:200]}"
                self._problem = str(error) if isinstance(error, DanGError) else foreign
                log.warning(
                    "a server of tools gives no answer",
                    server=self.server.name,
                    error=self._problem,
                    wait_s=wait,
                )
                await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
                wait = min(LONGEST_WAIT_S, wait * 2)
            else:
                wait = FIRST_WAIT_S
                await asyncio.sleep(REFRESH_S * random.uniform(0.9, 1.1))  # noqa: S311

    async def recall(self) -> None:
        """Take up what was learned before this start."""
        await asyncio.to_thread(self._recall)

    async def _ask(self) -> None:
        await asyncio.to_thread(_load)  # a second of imports
        from orchestrator.modules.mounted.servers import ask

        told = await ask(self.server, _listed, min(LIST_TIMEOUT_S, self.server.timeout))
        self._reached_at, self._problem = datetime.now(UTC), None
        known = {tool["name"]: tool for tool in told if tool["name"] in self._inputs}
        self._missing = tuple(sorted(set(self._inputs) - set(known)))
        if self._missing:
            log.warning(
                "a server has no such tools", server=self.server.name, tools=list(self._missing)
            )
        if self._learn(known.values()):
            await asyncio.to_thread(self._keep, list(known.values()))

    def _learn(self, tools: Iterable[dict[str, Any]]) -> bool:
        changed = [
            self._inputs[tool["name"]].learn(
                tool["schema"], tool["description"], repeatable=bool(tool["repeatable"])
            )
            for tool in tools
            if tool.get("name") in self._inputs
        ]
        return any(changed)

    def _keep(self, tools: list[dict[str, Any]]) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            beside = self._file.with_suffix(".new")
            beside.write_text(json.dumps(tools), encoding="utf-8")
            beside.replace(self._file)
        except OSError as error:
            log.warning("schemas of tools are not kept", server=self.server.name, error=str(error))

    def _recall(self) -> None:
        try:
            self._learn(json.loads(self._file.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return


class ToolKeepers:
    """The keepers of all configured servers."""

    def __init__(self, keepers: Iterable[ToolKeeper]) -> None:
        self._keepers = tuple(keepers)
        self._tasks: list[asyncio.Task[None]] = []

    async def recall(self) -> None:
        """Take up what was learned before this start; asks nobody."""
        for keeper in self._keepers:
            await keeper.recall()

    def start(self) -> None:
        """Begin to ask; returns at once."""
        self._tasks = [asyncio.create_task(keeper.run()) for keeper in self._keepers]

    async def stop(self) -> None:
        """Stop asking."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def describe(self) -> dict[str, dict[str, Any]]:
        """Health of each server, by name."""
        return {keeper.server.name: keeper.describe() for keeper in self._keepers}


async def _listed(session: ClientSession) -> list[dict[str, Any]]:
    import mcp_types as types

    tools: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
        for tool in page.tools:
            hints = tool.annotations
            tools.append(
                {
                    "name": tool.name,
                    "schema": tool.input_schema,
                    "description": tool.description or "",
                    "repeatable": bool(hints and (hints.read_only_hint or hints.idempotent_hint)),
                }
            )
        cursor = page.next_cursor
        if cursor is None:
            break
    return tools


def _load() -> None:
    import orchestrator.modules.mounted.servers  # noqa: F401
