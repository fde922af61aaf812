"""``/sessions``: conversations, with their turns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from orchestrator.api.chat_schemas import SessionSummary, SessionView, TurnView
from orchestrator.api.dependencies import PROBLEMS, Cursor, Limit, answer, orchestrator_of
from orchestrator.api.endpoints.chat import copilot_of
from orchestrator.api.schemas import Page
from orchestrator.errors import NotFoundError

router = APIRouter(prefix="/sessions", tags=["copilot"], responses=PROBLEMS)
User = Annotated[str, Query(max_length=200, description="Whose conversations; his own only.")]
SessionPage = Page[SessionSummary]


@router.get("", summary="Conversations, last used first", response_model=SessionPage)
async def sessions(
    request: Request, user: User = "", limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """List the conversations of a user that have not expired."""
    found = await orchestrator_of(request).store.sessions.list(
        user, datetime.now(UTC), cursor=cursor, limit=limit
    )
    items = [SessionSummary.of(item) for item in found.items]
    return answer(SessionPage(items=items, next_cursor=found.next_cursor), SessionPage)


@router.get("/{session_id}", summary="One conversation", response_model=SessionView)
async def session(request: Request, session_id: str, user: User = "") -> Response:
    """What it carries on, and its turns; those whose results came later have their answers."""
    copilot = copilot_of(request)
    found = await orchestrator_of(request).sessions.find(session_id, user)
    if found is None:
        raise _missing(session_id)
    turns = await copilot.settle(found)
    shown = SessionView(
        **SessionSummary.of(found).model_dump(),
        summary=found.summary,
        summarised=found.summarised,
        history=tuple(TurnView.of(turn) for turn in turns),
    )
    return answer(shown, SessionView)


@router.delete("/{session_id}", summary="Forget a conversation", status_code=204)
async def delete(request: Request, session_id: str, user: User = "") -> Response:
    """Remove it with its turns. Decisions and results that came of it stay, as records of what was done."""
    if not await orchestrator_of(request).sessions.delete(session_id, user):
        raise _missing(session_id)
    return Response(status_code=204)


def _missing(session_id: str) -> NotFoundError:
    return NotFoundError(
        f"no session {session_id!r} of that user",
        remedy="GET /sessions lists those that there are; a session expires after its last turn",
    )
