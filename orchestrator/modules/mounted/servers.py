"""How a configured server is connected to."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TextIO, TypeVar

from mcp import Client, ClientSession, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import Implementation

from orchestrator import __version__
from orchestrator.mcp_settings import McpServerSettings
from orchestrator.modules.mounted.exchange import exchange, http_client

Value = TypeVar("Value")
ME = Implementation(name="dan-g", version=__version__)


async def ask(
    server: McpServerSettings, work: Callable[[ClientSession], Awaitable[Value]], limit: float
) -> Value:
    """Connect to a server, do ``work``, disconnect, within ``limit`` seconds.

    Raises:
        UnavailableError, OperationTimedOutError, MCPError: as :func:`exchange`.
    """
    async with AsyncExitStack() as stack:
        if server.url is not None:
            headers = {name: value.get_secret_value() for name, value in server.headers.items()}
            http = await stack.enter_async_context(http_client(headers))
            url = server.url

            def client() -> Client:
                transport = streamable_http_client(url, http_client=http)
                return Client(transport, client_info=ME, cache=None)

        else:
            # What another program writes there is no line of our log, and may hold anything.
            words = stack.enter_context(_nowhere())
            program = StdioServerParameters(
                command=server.command[0],
                args=list(server.command[1:]),
                env={name: v.get_secret_value() for name, v in server.environment.items()},
            )

            def client() -> Client:
                return Client(stdio_client(program, words), client_info=ME, cache=None)

        return await exchange(
            client,
            work,
            where=f"server {server.name}",
            timeout=limit,
            remedy=f"see that the server {server.name} runs, and mcp.servers in the configuration",
        )


@contextmanager
def _nowhere() -> Iterator[TextIO]:
    with Path(os.devnull).open("w", encoding="utf-8") as file:
        yield file
