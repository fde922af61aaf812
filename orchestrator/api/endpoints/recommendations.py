"""``/recommendations``: what is proposed, and what people say to it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime

from orchestrator.api.bodies import documented_body, read_body
from orchestrator.api.dependencies import PROBLEMS, Cursor, Limit, answer, orchestrator_of
from orchestrator.api.operator_schemas import (
    ApproveRequest,
    NamedRequest,
    RecommendationView,
    RejectRequest,
)
from orchestrator.api.schemas import Page, RecommendationPage
from orchestrator.state.records import RecommendationRecord, RecommendationState

router = APIRouter(prefix="/recommendations", tags=["recommendations"], responses=PROBLEMS)
SHOWN: dict[int | str, dict[str, Any]] = {200: {"model": RecommendationView}}


@router.get(
    "", summary="Recommendations, newest first", responses={200: {"model": RecommendationPage}}
)
async def list_recommendations(
    request: Request,
    limit: Limit = 50,
    cursor: Cursor = None,
    state: Annotated[
        list[RecommendationState] | None, Query(description="Only these; repeatable.")
    ] = None,
    job_id: str | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> Response:
    """One page of recommendations."""
    page = await orchestrator_of(request).store.recommendations.list(
        state=state, job_id=job_id, since=since, until=until, cursor=cursor, limit=limit
    )
    shown = Page[RecommendationRecord](items=list(page.items), next_cursor=page.next_cursor)
    return answer(shown, Page[RecommendationRecord])


@router.get("/{recommendation_id}", summary="One recommendation", responses=SHOWN)
async def get_recommendation(recommendation_id: str, request: Request) -> Response:
    """A recommendation with its trail: moves, worth, evidence, verdict, approvals, steps and writes."""
    return await _shown(recommendation_id, request)


@router.post(
    "/{recommendation_id}/approve",
    summary="Approve a recommendation",
    openapi_extra=documented_body(ApproveRequest),
    responses=SHOWN,
)
async def approve(recommendation_id: str, request: Request) -> Response:
    """Approve the content of that digest; in supervised mode it is then carried out."""
    given = await read_body(request, ApproveRequest)
    await orchestrator_of(request).operator.approve(
        recommendation_id, given.by, given.digest, given.comment
    )
    return await _shown(recommendation_id, request)


@router.post(
    "/{recommendation_id}/reject",
    summary="Reject a recommendation",
    openapi_extra=documented_body(RejectRequest),
    responses=SHOWN,
)
async def reject(recommendation_id: str, request: Request) -> Response:
    """Say no, and why; learning is told."""
    given = await read_body(request, RejectRequest)
    await orchestrator_of(request).operator.reject(recommendation_id, given.by, given.reason)
    return await _shown(recommendation_id, request)


@router.post(
    "/{recommendation_id}/resume",
    summary="Let a held recommendation go on",
    openapi_extra=documented_body(NamedRequest),
    responses=SHOWN,
)
async def resume(recommendation_id: str, request: Request) -> Response:
    """Go on from where the handles are now."""
    given = await read_body(request, NamedRequest)
    await orchestrator_of(request).operator.resume(recommendation_id, given.by, given.reason)
    return await _shown(recommendation_id, request)


@router.post(
    "/{recommendation_id}/rollback",
    summary="Bring the handles back to where they came from",
    openapi_extra=documented_body(NamedRequest),
    responses=SHOWN,
)
async def roll_back(recommendation_id: str, request: Request) -> Response:
    """Write the former set points, at the allowed rate and through the same checks."""
    given = await read_body(request, NamedRequest)
    await orchestrator_of(request).operator.roll_back(recommendation_id, given.by, given.reason)
    return await _shown(recommendation_id, request)


@router.post(
    "/{recommendation_id}/leave",
    summary="End a held recommendation with the handles where they are",
    openapi_extra=documented_body(NamedRequest),
    responses=SHOWN,
)
async def leave(recommendation_id: str, request: Request) -> Response:
    """Neither go on nor back: the handles stay, and newer set points may move them. A reason is needed."""
    given = await read_body(request, NamedRequest)
    await orchestrator_of(request).operator.leave(recommendation_id, given.by, given.reason)
    return await _shown(recommendation_id, request)


async def _shown(id_: str, request: Request) -> Response:
    store = orchestrator_of(request).store
    view = RecommendationView.of(
        await store.recommendations.get(id_),
        await store.recommendations.trail(id_),
        await store.recommendations.approvals(id_),
        await store.recommendation_steps.of(id_),
        await store.writes.of_recommendation(id_),
    )
    return answer(view, RecommendationView)
