"""``GET /status``: how every part is."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from orchestrator.api.dependencies import PROBLEMS, answer, orchestrator_of

router = APIRouter(tags=["plant"], responses=PROBLEMS)


@router.get("/status", summary="Health of every part, the live situation, modules, model, versions")
async def status(request: Request) -> Response:
    """Everything that a person asks first."""
    document = await orchestrator_of(request).status()
    more = {
        "mcp_servers": request.app.state.tool_keepers.describe(),
        "service": request.app.state.service.describe(),
    }
    return answer({**document, **more})
