"""``/healthz``, ``/readyz``, ``/metrics``: for the machines that watch the service."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from orchestrator.api.dependencies import answer, orchestrator_of
from orchestrator.errors import DanGError

router = APIRouter(tags=["probes"])


@router.get("/healthz", summary="Is the process alive")
async def healthz(request: Request) -> dict[str, Any]:
    """Answers as long as the event loop turns; `instance` names this process."""
    return {"status": "ok", **request.app.state.service.identity()}


@router.get("/readyz", summary="Can it take work")
async def readyz(request: Request) -> Response:
    """200 when the database answers and the live loop, if there is one, runs; else 503."""
    orchestrator = orchestrator_of(request)
    parts = {"database": "ok", "cache": "ok", "loop": request.app.state.service.loop_state}
    try:
        await orchestrator.store.database.ping()
    except DanGError as error:
        parts["database"] = str(error)
    if not await orchestrator.cache.ping():
        parts["cache"] = "unreachable: slower, not stopped"
    ready = parts["database"] == "ok" and parts["loop"] != "failed"
    return answer({"ready": ready, "parts": parts}, status=200 if ready else 503)


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Counters and distributions in Prometheus's text format."""
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)
