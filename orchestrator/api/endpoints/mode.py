"""``/mode``: the plant mode, computed or as the operator declares it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from orchestrator.api.bodies import documented_body, read_body
from orchestrator.api.dependencies import PROBLEMS, answer, orchestrator_of
from orchestrator.api.schemas import ModeAnswer, ModeRequest

router = APIRouter(prefix="/mode", tags=["plant"], responses=PROBLEMS)


@router.get("", summary="The plant mode in force")
async def get_mode(request: Request) -> ModeAnswer:
    """The mode, and whether the operator or the assessment says so."""
    orchestrator = orchestrator_of(request)
    situation = await orchestrator.situation()
    declared = orchestrator.assessor.operator_mode
    return ModeAnswer(
        mode=declared or situation.plant_mode, source="operator" if declared else "assessment"
    )


@router.put(
    "",
    summary="Declare the plant mode",
    openapi_extra=documented_body(ModeRequest),
    responses={200: {"model": ModeAnswer}},
)
async def set_mode(request: Request) -> Response:
    """Declare a mode; null hands it back to the assessment."""
    given = await read_body(request, ModeRequest)
    await orchestrator_of(request).set_mode(given.mode, given.by)
    return answer(await get_mode(request), ModeAnswer)
