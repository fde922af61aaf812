"""The protocol on standard input and output, for hosts that start their servers themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp.server.stdio import stdio_server

if TYPE_CHECKING:
    from mcp.server import Server

    from orchestrator.config import Settings


async def serve_bridge(url: str, settings: Settings) -> None:
    """Hand requests on to the service at ``url`` until the input ends."""
    from orchestrator.api.mcp.bridge import make_bridge

    await _serve(make_bridge(url, settings.mcp.wait))


async def serve_in_process(settings: Settings) -> None:
    """Serve from an orchestrator of this process, which owns the home until the input ends.

    Raises:
        HomeLockedError: another process owns the home.
    """
    from orchestrator.api.app import create_app
    from orchestrator.api.mcp.server import make_server
    from orchestrator.api.service import open_without_source

    app = create_app(settings, open_without_source)
    async with app.router.lifespan_context(app):
        state = app.state
        state.tool_keepers.start()
        state.knowledge.start()
        await _serve(make_server(state.orchestrator, state.knowledge, state.closing))


async def _serve(server: Server[Any]) -> None:
    async with stdio_server() as (read_stream, write_stream):
        await server.run(read_stream, write_stream, server.create_initialization_options())
