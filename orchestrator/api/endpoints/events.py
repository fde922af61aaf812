"""``GET /events``: what happens, as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from orchestrator.api.dependencies import PROBLEMS, orchestrator_of
from orchestrator.clock import iso, json_default
from orchestrator.core.events import Event, EventBus, EventKind

router = APIRouter(tags=["events"], responses=PROBLEMS)


@router.get(
    "/events",
    summary="What happens, as it happens",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def events(
    request: Request,
    kind: Annotated[list[EventKind] | None, Query(description="Only these; repeatable.")] = None,
) -> StreamingResponse:
    """Decisions, jobs, alerts, recommendations, situations and mode changes.

    A comment line keeps the connection alive; the stream ends when the service ends.
    """
    stream = _stream(
        orchestrator_of(request).events,
        request.app.state.closing,
        frozenset(kind or ()),
        request.app.state.heartbeat_seconds,
    )
    return StreamingResponse(
        stream,
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def _stream(
    bus: EventBus, closing: asyncio.Event, kinds: frozenset[EventKind], heartbeat: float
) -> AsyncIterator[bytes]:
    stop: asyncio.Future[Any] = asyncio.ensure_future(closing.wait())
    upcoming: asyncio.Future[Any] | None = None
    with bus.subscribe() as listener:
        yield b": connected\n\n"
        try:
            while not closing.is_set():
                upcoming = upcoming or asyncio.ensure_future(anext(listener))
                await asyncio.wait(
                    {upcoming, stop}, timeout=heartbeat, return_when=asyncio.FIRST_COMPLETED
                )
                if not upcoming.done():
                    if not closing.is_set():
                        yield b": heartbeat\n\n"
                    continue
                event, upcoming = upcoming.result(), None
                if not kinds or event.kind in kinds:
                    yield encode(event)
        finally:
            stop.cancel()
            if upcoming is not None:
                upcoming.cancel()


def encode(event: Event) -> bytes:
    """One event in the text/event-stream format."""
    document = {"kind": event.kind, "at": iso(event.at), **event.payload}
    data = json.dumps(document, default=json_default, ensure_ascii=False)
    return f"id: {event.sequence}\nevent: {event.kind}\ndata: {data}\n\n".encode()
