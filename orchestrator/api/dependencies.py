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
from orchestrator.errors import ParameterError, UnavailableError

if TYPE_CHECKING:
    from orchestrator.core.orchestrator import Orchestrator
    from orchestrator.llm.knowledge.base import KnowledgeBase

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


def knowledge_of(request: Request) -> KnowledgeBase:
    """The documents of the application that serves ``request``.

    Raises:
        UnavailableError: the service is starting or ending.
    """
    found: KnowledgeBase | None = getattr(request.app.state, "knowledge", None)
    if found is None:
        raise UnavailableError("the service is starting or ending", remedy="try again shortly")
    return found


def accepted_parameters(request: Request) -> tuple[str, ...]:
    """Names of the query parameters that the request's route accepts."""
    route = request.scope.get("route")
    dependant = getattr(route, "dependant", None)
    return tuple(field.alias for field in dependant.query_params) if dependant else ()


async def known_parameters(request: Request) -> None:
    """Refuses query parameters that the route does not know: a misspelt filter would filter nothing.

    Raises:
        ParameterError: names each of them and those that are accepted.
    """
    if request.method != "GET" or not request.query_params:
        return
    accepted = accepted_parameters(request)
    unknown = [name for name in request.query_params if name not in accepted]
    if unknown:
        raise ParameterError.of_fields(
            [
                {"field": name, "message": "is not a known parameter", "type": "extra_forbidden"}
                for name in unknown
            ],
            where=f"GET {request.url.path}",
            remedy=f"it accepts: {', '.join(accepted) or 'no parameters'}",
        )


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
