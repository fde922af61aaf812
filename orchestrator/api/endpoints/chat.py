"""``POST /chat``: the copilot, as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from orchestrator.api.bodies import documented_body, read_body
from orchestrator.api.chat_schemas import ChatRequest
from orchestrator.api.dependencies import PROBLEMS, orchestrator_of
from orchestrator.api.problems import problem_of, unexpected
from orchestrator.clock import json_default
from orchestrator.errors import DanGError, UnavailableError
from orchestrator.llm.copilot import ChatEvent, Copilot, Said

log = structlog.get_logger(__name__)
router = APIRouter(tags=["copilot"], responses=PROBLEMS)


def copilot_of(request: Request) -> Copilot:
    """The copilot of the application that serves ``request``.

    Raises:
        UnavailableError: the service is starting or ending.
    """
    orchestrator_of(request)
    copilot: Copilot = request.app.state.copilot
    return copilot


@router.post(
    "/chat",
    summary="Say something to the copilot",
    response_class=StreamingResponse,
    openapi_extra=documented_body(ChatRequest),
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def chat(request: Request) -> StreamingResponse:
    """Answer one turn of a conversation, as it comes.

    Events, each with a JSON document: `session` (its id), `reading` (how the words are understood),
    `decision` (what runs, what a gate refuses), `progress` of jobs, `reasoning` of a model (only with
    `show_reasoning`; never the answer), `answer` (pieces, to be joined), `evidence`, and `end` with the
    state: `answered`, `asked` (a question back), `refused`, `partial` (results are still to come) or
    `failed`. `error` carries a problem document and ends the stream. A comment line breaks long silence.
    Whoever goes away ends the waiting, not the jobs: their results are in `GET /sessions/{id}`.
    """
    asked = await read_body(request, ChatRequest)
    said = Said(
        text=asked.message,
        session_id=asked.session_id,
        user=asked.user,
        show_reasoning=asked.show_reasoning,
        deadline=asked.deadline,
    )
    events = copilot_of(request).answer(said)
    try:
        # Another user's session or an absent one is a plain HTTP error; what comes later is an event, since
        # reading may wait for a model, and silence that long would look like a dead service.
        first = await anext(events)
    except BaseException:
        await events.aclose()
        raise
    return StreamingResponse(
        _stream(request, first, events),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def _stream(request: Request, first: ChatEvent, events: Any) -> AsyncIterator[bytes]:
    closing: asyncio.Event = request.app.state.closing
    heartbeat: float = request.app.state.heartbeat_seconds
    stop: asyncio.Future[Any] = asyncio.ensure_future(closing.wait())
    upcoming: asyncio.Future[ChatEvent] | None = None
    async with aclosing(events):
        try:
            yield encode(first.kind, first.data)
            while True:
                upcoming = upcoming or asyncio.ensure_future(anext(events))
                await asyncio.wait(
                    {upcoming, stop}, timeout=heartbeat, return_when=asyncio.FIRST_COMPLETED
                )
                if upcoming.done():
                    event, upcoming = upcoming.result(), None
                    yield encode(event.kind, event.data)
                elif closing.is_set():
                    raise UnavailableError(
                        "the service is ending",
                        why="what was started goes on when it is back",
                        remedy="look at the session then",
                    )
                else:
                    yield b": waiting\n\n"
        except StopAsyncIteration:
            return
        except DanGError as error:
            yield encode("error", problem_of(error, "/chat", request.scope.get("request_id")))
        except Exception:
            log.exception("unexpected error", method="POST", path="/chat")
            yield encode("error", unexpected("/chat", request.scope.get("request_id")))
        finally:
            stop.cancel()
            if upcoming is not None:
                upcoming.cancel()
                await asyncio.gather(upcoming, return_exceptions=True)


def encode(kind: str, data: dict[str, Any]) -> bytes:
    """One event in the text/event-stream format."""
    text = json.dumps(data, default=json_default, ensure_ascii=False)
    return f"event: {kind}\ndata: {text}\n\n".encode()
