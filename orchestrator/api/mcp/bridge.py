"""Standard input and output on this side, the ``/mcp`` of a running service on the other.

Each request is its own exchange with the service, so that a service that is started anew is no matter;
what may be done is the service's to say.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any, TypeVar

import mcp_types as types
from mcp import Client, ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.server import Server
from mcp.shared.exceptions import MCPError
from mcp_types.version import LATEST_MODERN_VERSION
from pydantic import BaseModel

from orchestrator import __version__
from orchestrator.api.mcp.calls import problem
from orchestrator.api.mcp.endpoint import PATH
from orchestrator.api.mcp.server import INSTRUCTIONS, NAME, Context
from orchestrator.errors import DanGError
from orchestrator.modules.mounted.exchange import exchange, http_client

Answer = TypeVar("Answer", bound=BaseModel)

LIST_TIMEOUT_S = 30.0
BEYOND_WAIT_S = 30.0
"""How much longer than the service itself the bridge waits for a call."""
REMEDY = "start the service with dan-g serve"


class Bridge:
    """Hands every request on to a service.

    Args:
        url: Address of the service, without a path.
        wait: How long the service waits for a job, s.
    """

    def __init__(self, url: str, wait: float) -> None:
        self._url = url
        self._wait = wait

    async def _ask(
        self, ctx: Context, request: types.ClientRequest, kind: type[Answer], limit: float
    ) -> Answer:
        async def tell(progress: float, total: float | None, message: str | None) -> None:
            await ctx.session.report_progress(progress, total, message)

        async def work(session: ClientSession) -> Answer:
            return await session.send_request(request, kind, progress_callback=tell)

        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(http_client())

            def client() -> Client:
                transport = streamable_http_client(self._url + PATH, http_client=http)
                return Client(
                    transport, mode=LATEST_MODERN_VERSION, client_info=_info(ctx), cache=None
                )

            return await exchange(client, work, where=self._url, timeout=limit, remedy=REMEDY)

    async def _read(self, ctx: Context, request: types.ClientRequest, kind: type[Answer]) -> Answer:
        try:
            return await self._ask(ctx, request, kind, LIST_TIMEOUT_S)
        except DanGError as error:
            raise MCPError(types.INTERNAL_ERROR, str(error), error.problem()) from error

    async def list_tools(self, ctx: Context, params: Any) -> types.ListToolsResult:
        """The service's tools."""
        request = types.ListToolsRequest(params=_page(params))
        return await self._read(ctx, request, types.ListToolsResult)

    async def list_resources(self, ctx: Context, params: Any) -> types.ListResourcesResult:
        """The service's resources."""
        request = types.ListResourcesRequest(params=_page(params))
        return await self._read(ctx, request, types.ListResourcesResult)

    async def list_templates(self, ctx: Context, params: Any) -> types.ListResourceTemplatesResult:
        """The service's resources that are read by id."""
        request = types.ListResourceTemplatesRequest(params=_page(params))
        return await self._read(ctx, request, types.ListResourceTemplatesResult)

    async def read_resource(
        self, ctx: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """A resource of the service."""
        request = types.ReadResourceRequest(params=types.ReadResourceRequestParams(uri=params.uri))
        return await self._read(ctx, request, types.ReadResourceResult)

    async def call_tool(
        self, ctx: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """A call of a tool of the service."""
        request = types.CallToolRequest(
            params=types.CallToolRequestParams(name=params.name, arguments=params.arguments)
        )
        try:
            return await self._ask(ctx, request, types.CallToolResult, self._wait + BEYOND_WAIT_S)
        except DanGError as error:
            return problem(error.problem())


def make_bridge(url: str, wait: float) -> Server[Any]:
    """A server that hands every request on to the service at ``url``; see :class:`Bridge`."""
    bridge = Bridge(url, wait)
    return Server(
        NAME,
        version=__version__,
        title="DAN_G Orchestrator",
        instructions=INSTRUCTIONS,
        on_list_tools=bridge.list_tools,
        on_call_tool=bridge.call_tool,
        on_list_resources=bridge.list_resources,
        on_list_resource_templates=bridge.list_templates,
        on_read_resource=bridge.read_resource,
    )


def _page(params: types.PaginatedRequestParams | None) -> types.PaginatedRequestParams:
    """The page that is asked for, without what belongs to the other connection."""
    return types.PaginatedRequestParams(cursor=params.cursor if params else None)


def _info(ctx: Context) -> types.Implementation:
    given = ctx.session.client_params
    if given is None:
        return types.Implementation(name="dan-g mcp", version=__version__)
    return types.Implementation(name=given.client_info.name, version=given.client_info.version)
