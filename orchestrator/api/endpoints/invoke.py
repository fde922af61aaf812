"""``POST /invoke/{module}``: run one operation."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from orchestrator.api.bodies import documented_body, read_body
from orchestrator.api.dependencies import PROBLEMS, answer, orchestrator_of, unless_closing
from orchestrator.api.schemas import InvokeAnswer, InvokeRequest

router = APIRouter(tags=["modules"])


@router.post(
    "/invoke/{module}",
    summary="Run one operation",
    openapi_extra=documented_body(InvokeRequest),
    responses={
        200: {"model": InvokeAnswer, "description": "It has ended (`wait: true`)"},
        202: {"model": InvokeAnswer, "description": "Accepted; its job is at `Location`"},
        **PROBLEMS,
    },
)
async def invoke(module: str, request: Request) -> Response:
    """Start an operation; with `wait` answer when it has ended, whatever its end.

    Input data is inline rows or columns, or a range of the historian.
    """
    asked = await read_body(request, InvokeRequest)
    orchestrator = orchestrator_of(request)
    job = await orchestrator.invoke(
        module,
        asked.operation,
        asked.parameters,
        priority=asked.priority,
        idempotency_key=request.headers.get("idempotency-key"),
    )
    if asked.wait:
        outcome = await unless_closing(request, orchestrator.coordinator.wait(job.id))
        if outcome is not None:
            ended = InvokeAnswer(
                job_id=job.id, status=outcome.status, result=outcome.result, error=outcome.error
            )
            return answer(ended, InvokeAnswer)
    accepted = InvokeAnswer(job_id=job.id, status=job.status)
    return answer(accepted, InvokeAnswer, 202, {"location": f"/jobs/{job.id}"})
