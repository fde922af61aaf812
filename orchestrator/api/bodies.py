"""Reading a JSON body once, straight into its model."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.types import Receive

from orchestrator.api.validation import Model, parse_body
from orchestrator.errors import InputError


async def read_body(request: Request, model: type[Model]) -> Model:
    """The request's JSON body as ``model``; an empty body counts as ``{}``.

    Raises:
        InputError: not JSON, or it holds a number that is not finite (400).
        ParameterError: fields are missing, unknown or ill-typed (422).
    """
    body = await whole_body(request.receive) or b"{}"
    return parse_body(body, model, f"body of {request.scope['method']} {request.scope['path']}")


async def whole_body(receive: Receive) -> bytes:
    """The body's parts, joined; most bodies have one."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InputError("the request ended before its body did", remedy="send it again")
        part: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            return b"".join([*parts, part]) if parts else part
        parts.append(part)


def documented_body(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """OpenAPI extra for a route that reads ``model`` through :func:`read_body`."""
    DOCUMENTED.add(model)
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        "requestBody": {
            "required": required,
            "content": {"application/json": {"schema": schema}},
        }
    }


DOCUMENTED: set[type[BaseModel]] = set()
