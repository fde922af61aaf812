"""One exchange with a server of the Model Context Protocol, whatever it is reached by.

The SDK runs a connection in task groups, so an error comes out of it wrapped in groups of errors; here it
becomes one of ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import httpx2
from mcp import Client, ClientSession
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT
from pydantic import ValidationError

from orchestrator.errors import OperationTimedOutError, UnavailableError

Value = TypeVar("Value")

CONNECT_TIMEOUT_S = 5.0
SILENCE_S = 120.0
"""Longest silence of a connection; servers send a sign of life more often."""
_GONE = frozenset({CONNECTION_CLOSED})


async def exchange(
    client: Callable[[], Client],
    work: Callable[[ClientSession], Awaitable[Value]],
    *,
    where: str,
    timeout: float,  # noqa: ASYNC109  total, from the connection to the end
    remedy: str = "see that the server runs and can be reached, and try again",
) -> Value:
    """Connect, do ``work``, disconnect, all within ``timeout`` seconds.

    Args:
        client: Makes the client, not yet connected.
        work: What is asked.
        where: Name of the server, for errors; no secret.
        timeout: Total time, s.
        remedy: What a person can do where the server cannot be reached.

    Raises:
        UnavailableError: the server cannot be reached, went away, or speaks another protocol.
        OperationTimedOutError: it has not answered in time.
        MCPError: it refuses what is asked.
    """
    refused: MCPError | None = None
    try:
        async with asyncio.timeout(timeout), client() as connected:
            try:
                return await work(connected.session)
            except MCPError as error:
                refused = error
    except TimeoutError as late:
        raise _late(where, timeout) from late
    except Exception as error:
        _raise_ours(error, where, timeout, remedy)
        raise
    if refused.code == REQUEST_TIMEOUT:
        raise _late(where, timeout) from refused
    if refused.code in _GONE:
        raise _unreachable(where, str(refused), remedy) from refused
    raise refused


def http_client(headers: dict[str, str] | None = None) -> httpx2.AsyncClient:
    """An HTTP client for an exchange; redirects, proxies of the environment and retries are off."""
    timeout = httpx2.Timeout(SILENCE_S, connect=CONNECT_TIMEOUT_S)
    return httpx2.AsyncClient(timeout=timeout, trust_env=False, headers=headers)


def _raise_ours(error: Exception, where: str, timeout: float, remedy: str) -> None:
    leaves = list(_leaves(error))
    for leaf in leaves:
        if isinstance(leaf, TimeoutError) and not isinstance(leaf, httpx2.HTTPError):
            raise _late(where, timeout) from leaf
    for leaf in leaves:
        if isinstance(leaf, httpx2.HTTPError | OSError | ValidationError | MCPError):
            raise _unreachable(where, _said(leaf), remedy) from leaf


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _said(error: BaseException) -> str:
    """What an error says, without what a server may have put into a long text."""
    if isinstance(error, ValidationError):
        return "its answer does not fit the protocol"
    return f"{type(error).__name__}: {str(error)[:200]}".rstrip(": ")


def _unreachable(where: str, said: str, remedy: str) -> UnavailableError:
    return UnavailableError(f"the server gives no answer ({said})", where=where, remedy=remedy)


def _late(where: str, timeout: float) -> OperationTimedOutError:
    return OperationTimedOutError(
        f"the server has not answered within {timeout:g} s",
        where=where,
        remedy="ask for less, or raise the timeout of the server in the configuration",
    )
