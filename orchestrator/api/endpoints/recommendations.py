"""``/recommendations``: what the operator may approve."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from orchestrator.api.dependencies import PROBLEMS, Cursor, Limit, answer, orchestrator_of
from orchestrator.api.schemas import Page, RecommendationPage
from orchestrator.state.records import RecommendationRecord

router = APIRouter(prefix="/recommendations", tags=["recommendations"], responses=PROBLEMS)


@router.get(
    "", summary="Recommendations, newest first", responses={200: {"model": RecommendationPage}}
)
async def list_recommendations(
    request: Request, limit: Limit = 50, cursor: Cursor = None, state: str | None = None
) -> Response:
    """One page of recommendations."""
    page = await orchestrator_of(request).store.recommendations.list(
        state=state, cursor=cursor, limit=limit
    )
    shown = Page[RecommendationRecord](items=list(page.items), next_cursor=page.next_cursor)
    return answer(shown, Page[RecommendationRecord])


@router.get(
    "/{recommendation_id}",
    summary="One recommendation",
    responses={200: {"model": RecommendationRecord}},
)
async def get_recommendation(recommendation_id: str, request: Request) -> Response:
    """A recommendation: moves, worth, evidence, limits touched, risk and expiry."""
    record = await orchestrator_of(request).store.recommendations.get(recommendation_id)
    return answer(record, RecommendationRecord)
