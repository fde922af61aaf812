"""Reading a JSON body once, straight into its model."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from orchestrator.api.problems import validation_error
from orchestrator.errors import InputError

Model = TypeVar("Model", bound=BaseModel)

# JSON has no NaN or infinity; the parser lets them and overflowing exponents through.
_SUSPICIOUS = re.compile(rb"NaN|Infinity|[eE]\+?\d{3}")


async def read_body(request: Request, model: type[Model]) -> Model:
    """The request's JSON body as ``model``; an empty body counts as ``{}``.

    Raises:
        InputError: not JSON, or it holds a number that is not finite (400).
        ParameterError: fields are missing, unknown or ill-typed (422).
    """
    body = await request.body() or b"{}"
    return parse_body(body, model, f"body of {request.method} {request.url.path}")


def parse_body(body: bytes, model: type[Model], where: str) -> Model:
    """``body`` as ``model``; see :func:`read_body`."""
    if _SUSPICIOUS.search(body):
        _refuse_non_finite(body, where)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        if errors[0]["type"] == "json_invalid":
            raise InputError(
                errors[0]["msg"],
                where=where,
                remedy="send one JSON object, encoded as UTF-8",
            ) from error
        raise validation_error(errors, where) from error


def _refuse_non_finite(body: bytes, where: str) -> None:
    def refuse(text: str) -> NoReturn:
        raise InputError(
            f"{text} is not a JSON number",
            where=where,
            why="an unknown value must not pass as a number",
            remedy="send null for a missing value",
        )

    def finite(text: str) -> float:
        value = float(text)
        if value in (float("inf"), float("-inf")):
            refuse(text)
        return value

    try:
        json.loads(body, parse_constant=refuse, parse_float=finite)
    except (ValueError, RecursionError):
        # The model's own parser says where the text is malformed.
        return


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
