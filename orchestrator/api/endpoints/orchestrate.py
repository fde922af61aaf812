"""``POST /orchestrate``: one decision, and its jobs."""

from __future__ import annotations

import json

from fastapi import APIRouter, Request, Response

from orchestrator.api.bodies import documented_body, read_body
from orchestrator.api.dependencies import PROBLEMS, orchestrator_of
from orchestrator.api.schemas import OrchestrateAnswer, OrchestrateRequest

router = APIRouter(tags=["orchestration"])


@router.post(
    "/orchestrate",
    summary="Decide, and run what was decided",
    openapi_extra=documented_body(OrchestrateRequest, required=False),
    responses={200: {"model": OrchestrateAnswer}, **PROBLEMS},
)
async def orchestrate(request: Request) -> Response:
    """Decide on a query, a given situation, or the live one; answers without waiting for the jobs.

    With `dry_run` nothing runs; the decision is stored and marked. Where the policy is not sure, or with
    `advise`, the language model is heard first, up to its deadline; what it says is in `decision.advice`.
    """
    asked = await read_body(request, OrchestrateRequest)
    decision, jobs = await orchestrator_of(request).decide(
        situation=asked.situation,
        query=asked.query,
        session_id=asked.session_id,
        dry_run=asked.dry_run,
        advise=asked.advise,
    )
    listed = [
        {"id": job.id, "module": job.module, "operation": job.operation, "status": job.status}
        for job in jobs
    ]
    body = f'{{"decision":{decision.json_text},"jobs":{json.dumps(listed) if listed else "[]"}}}'
    return Response(body, media_type="application/json")
