"""The HTTP application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse
from starlette.routing import Route

from orchestrator import __version__
from orchestrator.api.bodies import DOCUMENTED
from orchestrator.api.dependencies import known_parameters
from orchestrator.api.endpoints import (
    alerts,
    chat,
    decisions,
    documents,
    events,
    invoke,
    jobs,
    mode,
    models,
    modules,
    operator,
    orchestrate,
    probes,
    reasoning,
    recommendations,
    sessions,
    status,
    summaries,
)
from orchestrator.api.mcp import endpoint as mcp_endpoint
from orchestrator.api.metrics import Metrics
from orchestrator.api.middleware.body_limit import MEGABYTE, BodyLimit
from orchestrator.api.middleware.direct import LayeredApplication
from orchestrator.api.middleware.errors import ProblemErrors
from orchestrator.api.middleware.idempotency import Idempotency
from orchestrator.api.middleware.request_context import RequestContext
from orchestrator.api.middleware.same_origin import SameOrigin
from orchestrator.api.problems import http_exception, request_validation
from orchestrator.api.service import OrchestratorFactory, Service, open_configured
from orchestrator.config import Settings
from orchestrator.llm.copilot import Copilot
from orchestrator.llm.knowledge.base import KnowledgeBase
from orchestrator.llm.reasoning_desk import ReasoningDesk
from orchestrator.llm.wiring import attach_model, reasoning_of
from orchestrator.modules.mounted.keeper import ToolKeeper, ToolKeepers

if TYPE_CHECKING:
    from orchestrator.core.orchestrator import Orchestrator

DESCRIPTION = """\
Decides when work is worth doing on a refinery, has a module do it, and learns from what came of it.

Errors are RFC 9457 problem documents with a stable `type`. Every POST accepts an `Idempotency-Key`.
Times are ISO 8601 UTC. Lists are `{"items", "next_cursor"}`.
"""
RESOURCES = (
    orchestrate,
    chat,
    reasoning,
    sessions,
    summaries,
    invoke,
    jobs,
    decisions,
    alerts,
    recommendations,
    operator,
    modules,
    documents,
    models,
    mode,
    events,
    status,
    probes,
)


def create_app(
    settings: Settings,
    orchestrator_factory: OrchestratorFactory = open_configured,
    *,
    run_loop: bool = False,
    service: Service | None = None,
    heartbeat_seconds: float | None = None,
) -> FastAPI:
    """The application; its lifespan opens and closes the orchestrator.

    Args:
        settings: The configuration.
        orchestrator_factory: Opens the orchestrator.
        run_loop: Run the live loop too when the orchestrator has a source.
        service: Identity and address of this process.
        heartbeat_seconds: Longest silence of a stream, s; the configured one where null.
    """
    service = service or Service()
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        orchestrator = await orchestrator_factory(settings)
        app.state.orchestrator = orchestrator
        model = attach_model(orchestrator)
        app.state.knowledge = knowledge = KnowledgeBase(settings.knowledge, orchestrator.store)
        app.state.copilot = Copilot(orchestrator, model, knowledge)
        reasoning = reasoning_of(orchestrator, model, knowledge)
        app.state.reasoning = ReasoningDesk(orchestrator, reasoning)
        await app.state.reasoning.resume_unfinished()
        app.state.tool_keepers = keepers = _tool_keepers(settings, orchestrator)
        await keepers.recall()
        if service.url is not None:
            # A command that works on the home itself is over before these would be of use.
            keepers.start()
            knowledge.start()
        metrics.watch_loop(lambda: service.loop_state == "running")
        orchestrator.events.listen(metrics.event)
        if run_loop and orchestrator.source is not None:
            service.start_loop(orchestrator)
        if service.url is not None:
            orchestrator.home.announce(service.url)
        try:
            yield
        finally:
            app.state.closing.set()
            await service.stop_loop()
            await app.state.reasoning.close()
            await mcp.close()
            await keepers.stop()
            app.state.orchestrator = app.state.knowledge = None
            await knowledge.close()
            await orchestrator.close()

    names = (settings.service.host, *settings.service.allowed_hosts)
    app = LayeredApplication(
        layers=(
            Middleware(RequestContext, metrics=metrics),
            Middleware(ProblemErrors),
            Middleware(SameOrigin, names=names, guarded={mcp_endpoint.PATH}),
            Middleware(BodyLimit, max_bytes=int(settings.service.max_body_mb * MEGABYTE)),
            Middleware(Idempotency),
        ),
        direct={("POST", "/orchestrate"): orchestrate.orchestrate},
        title="DAN_G Orchestrator",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        exception_handlers={
            HTTPException: http_exception,
            RequestValidationError: request_validation,
        },
    )
    app.state.closing = asyncio.Event()
    app.state.service = service
    app.state.metrics = metrics
    app.state.heartbeat_seconds = heartbeat_seconds or settings.chat.heartbeat
    mcp = mcp_endpoint.McpEndpoint(settings, app.state.closing)
    app.router.routes.append(Route(mcp_endpoint.PATH, mcp, include_in_schema=False))
    for resource in RESOURCES:
        app.include_router(
            resource.router,
            # Whoever watches a probe may add parameters of his own.
            dependencies=[] if resource is probes else [Depends(known_parameters)],
        )
    app.add_api_route("/", _front, include_in_schema=False)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _tool_keepers(settings: Settings, orchestrator: Orchestrator) -> ToolKeepers:
    """What keeps the schemas of other servers' tools up to date."""
    names = {module.name for module in orchestrator.registry}
    return ToolKeepers(
        ToolKeeper(
            server,
            orchestrator.registry.module(server.name),
            orchestrator.home.modules / server.name,
        )
        for server in settings.mcp.servers
        if server.name in names
    )


async def _front() -> RedirectResponse:
    return RedirectResponse("/docs")


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The schema, with the bodies that routes parse themselves."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        bodies = [(model, "validation") for model in sorted(DOCUMENTED, key=lambda m: m.__name__)]
        _, schemas = models_json_schema(
            bodies,  # type: ignore[arg-type]
            ref_template="#/components/schemas/{model}",
        )
        known = document.setdefault("components", {}).setdefault("schemas", {})
        for name, schema in schemas.get("$defs", {}).items():
            known.setdefault(name, schema)
        app.openapi_schema = document
    return app.openapi_schema
