"""``/decisions``: what was decided, why, and what came of it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime

from orchestrator.api.bodies import documented_body, read_body
from orchestrator.api.dependencies import (
    PROBLEMS,
    Cursor,
    Limit,
    answer,
    orchestrator_of,
)
from orchestrator.api.schemas import DecisionTrail, FeedbackRequest, JobView, Page
from orchestrator.clock import iso
from orchestrator.core.decision import DecidedBy, Decision
from orchestrator.errors import ParameterError
from orchestrator.state.records import FeedbackRecord

router = APIRouter(prefix="/decisions", tags=["decisions"], responses=PROBLEMS)

Since = Annotated[AwareDatetime | None, Query(description="Not before, ISO 8601 with zone.")]
Until = Annotated[AwareDatetime | None, Query(description="Before, ISO 8601 with zone.")]


@router.get("", summary="Decisions, newest first", responses={200: {"model": Page[Decision]}})
async def list_decisions(
    request: Request,
    limit: Limit = 50,
    cursor: Cursor = None,
    since: Since = None,
    until: Until = None,
    decided_by: DecidedBy | None = None,
    module: Annotated[str | None, Query(description="With an action of this module.")] = None,
    operation: Annotated[str | None, Query(description="With this operation.")] = None,
    trigger: Annotated[str | None, Query(description="In which this trigger fired.")] = None,
    min_confidence: Annotated[float | None, Query(ge=0, le=1)] = None,
    max_confidence: Annotated[float | None, Query(ge=0, le=1)] = None,
    session_id: str | None = None,
    dry_run: bool | None = None,
) -> Response:
    """One page of decisions."""
    page = await orchestrator_of(request).store.decisions.list(
        since=since,
        until=until,
        decided_by=decided_by,
        module=module,
        operation=operation,
        trigger=trigger,
        min_confidence=min_confidence,
        max_confidence=max_confidence,
        session_id=session_id,
        dry_run=dry_run,
        cursor=cursor,
        limit=limit,
    )
    items = [record.document for record in page.items]
    return answer({"items": items, "next_cursor": page.next_cursor})


@router.get("/analytics", summary="Statistics of decisions and their outcomes")
async def analytics(request: Request, since: Since = None, until: Until = None) -> dict[str, Any]:
    """Counts, shares and durations, of all decisions or of a span of time."""
    if since is not None and until is not None and since >= until:
        raise ParameterError.of_field(
            "since",
            f"{iso(since)} must be before until, {iso(until)}",
            where="GET /decisions/analytics",
            remedy="give since before until",
        )
    return await orchestrator_of(request).store.decisions.analytics(since, until)


@router.get(
    "/{decision_id}",
    summary="One decision with its whole trail",
    responses={200: {"model": DecisionTrail}},
)
async def get_decision(decision_id: str, request: Request) -> Response:
    """The decision, the situation it was made on, its jobs with outcomes, and the feedback."""
    store = orchestrator_of(request).store
    record = await store.decisions.get(decision_id)
    jobs = (await store.jobs.list(decision_id=decision_id, limit=200)).items
    outcomes = {o.job_id: o for o in await store.outcomes.of_decision(decision_id)}
    trail = {
        "decision": record.document,
        "situation": record.situation,
        "features": record.features,
        "session_id": record.session_id,
        "jobs": [JobView.of(job, outcomes.get(job.id)) for job in jobs],
        "feedback": (await store.feedback.list(decision_id, limit=200)).items,
    }
    return answer(trail)


@router.post(
    "/{decision_id}/feedback",
    status_code=201,
    summary="Say what came of a decision",
    openapi_extra=documented_body(FeedbackRequest),
    responses={201: {"model": FeedbackRecord}},
)
async def give_feedback(decision_id: str, request: Request) -> Response:
    """Record a verdict and, where it is known, the benefit in USD."""
    given = await read_body(request, FeedbackRequest)
    record = await orchestrator_of(request).feedback(
        decision_id, given.verdict, given.benefit_usd, given.comment, given.author
    )
    return answer(record, FeedbackRecord, 201)
