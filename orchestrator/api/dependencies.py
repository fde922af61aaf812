"""What every route shares: the orchestrator, answers written as JSON, waiting for the end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import Query
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.api.schemas import Problem
from orchestrator.errors import UnavailableError

if TYPE_CHECKING:
    from orchestrator.core.orchestrator import Orchestrator

Result = TypeVar("Result")

Limit = Annotated[int, Query(ge=1, le=200, description="Most items of one page.")]
Cursor = Annotated[str | None, Query(max_length=500, description="From the page before.")]
PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": text}
    for code, text in {
        400: "The input cannot be used",
        404: "There is no such thing",
        409: "Understood and not done",
        422: "A field does not fit",
        503: "Try again later",
    }.items()
}


def orchestrator_of(request: Request) -> Orchestrator:
    """The orchestrator of the application that serves ``request``.

    Raises:
        UnavailableError: the service is starting or ending.
    """
    found: Orchestrator | None = getattr(request.app.state, "orchestrator", None)
    if found is None:
        raise UnavailableError("the service is starting or ending", remedy="try again shortly")
    return found


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def answer(
    value: Any, kind: Any = Any, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """``value`` as JSON, serialised once; ``kind`` is its type where that is not plain."""
    return Response(
        _adapter(kind).dump_json(value),
        status_code=status,
        headers=headers,
        media_type="application/json",
    )


async def unless_closing(request: Request, work: Coroutine[Any, Any, Result]) -> Result | None:
    """The result of ``work``, or null when the service ends first."""
    closing: asyncio.Event = request.app.state.closing
    task = asyncio.ensure_future(work)
    stop = asyncio.ensure_future(closing.wait())
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        stop.cancel()
        task.cancel()
