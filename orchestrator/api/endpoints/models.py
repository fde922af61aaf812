"""``/models``: what was learned from data, and when."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from orchestrator.api.bodies import documented_body, read_body
from orchestrator.api.dependencies import PROBLEMS, answer, orchestrator_of
from orchestrator.api.schemas import FitRequest, Page, PersonRequest
from orchestrator.monitoring.model_store import ModelRecord

router = APIRouter(prefix="/models", tags=["models"], responses=PROBLEMS)


@router.get("/monitoring", summary="Versions of the monitor's model, oldest first")
async def list_versions(request: Request) -> Page[ModelRecord]:
    """The journal: every version, when it was made, from what and why."""
    return Page(items=await orchestrator_of(request).models.records(), next_cursor=None)


@router.post(
    "/monitoring/fit",
    summary="Learn normal operation from the historian",
    openapi_extra=documented_body(FitRequest, required=False),
    responses={200: {"model": ModelRecord}},
)
async def fit(request: Request) -> Response:
    """Keep what was learned as the next version, and judge by it from now on."""
    given = await read_body(request, FitRequest)
    models = orchestrator_of(request).models
    record = await models.fit(given.start, given.end, given.reason, given.by)
    return answer(record, ModelRecord)


@router.post(
    "/monitoring/take-up",
    summary="Judge by the newest version that is kept",
    openapi_extra=documented_body(PersonRequest, required=False),
    responses={200: {"model": ModelRecord}},
)
async def take_up(request: Request) -> Response:
    """For a version that a command on this machine has stored."""
    given = await read_body(request, PersonRequest)
    return answer(await orchestrator_of(request).models.take_up(given.by), ModelRecord)
