"""``GET /summaries/{span}``: what is on record of a shift or a day."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime

from orchestrator.api.dependencies import PROBLEMS, answer, orchestrator_of
from orchestrator.llm.summaries import Span, Summaries, Summary

router = APIRouter(prefix="/summaries", tags=["copilot"], responses=PROBLEMS)


@router.get("/{span}", summary="Hand-over of a shift, or summary of a day", response_model=Summary)
async def summary(
    request: Request,
    span: Span,
    at: Annotated[
        AwareDatetime | None, Query(description="A moment in it, plant time; now where absent.")
    ] = None,
    previous: Annotated[bool, Query(description="The one before that.")] = False,
) -> Response:
    """Alerts, decisions and results, recommendations and their fate, writes, data quality, forecasts against
    what came, and market moves; each statement with its evidence. What is not on record is said to be so.
    """
    made = await Summaries(orchestrator_of(request)).make(span, at, previous=previous)
    return answer(made, Summary)
