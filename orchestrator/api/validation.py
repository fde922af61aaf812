"""JSON text straight into its model, with errors that name the field; shared by service and command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator.errors import InputError, ParameterError

Model = TypeVar("Model", bound=BaseModel)

SHOWN_VALUE_LENGTH = 80
# JSON has no NaN or infinity; the parser lets them and overflowing exponents through. An exponent can
# overflow with three digits only, which is seen fastest with all digits mapped to one.
_EXPONENTS = bytes.maketrans(b"E123456789", b"e000000000")


def parse_body(body: bytes, model: type[Model], where: str) -> Model:
    """``body`` as ``model``.

    Raises:
        InputError: not JSON, or it holds a number that is not finite (400).
        ParameterError: fields are missing, unknown or ill-typed (422).
    """
    if b"NaN" in body or b"Infinity" in body or b"e000" in body.translate(_EXPONENTS, b"+"):
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


def validation_error(
    errors: Sequence[Any], where: str, prefix: tuple[str, ...] = ()
) -> ParameterError:
    """One :class:`ParameterError` that names every field that does not fit.

    Args:
        errors: pydantic's error list.
        where: The request or option that holds the fields.
        prefix: Leading parts of each location that the caller did not write, dropped.
    """
    found = [_field_error(item, prefix) for item in errors]
    text = "; ".join(f"{item['field']}: {item['message']}" for item in found[:5])
    if len(found) > 5:
        text += f"; and {len(found) - 5} more"
    return ParameterError(
        text,
        where=where,
        remedy="see the accepted fields at /docs",
        context={"errors": found[:50]},
    )


def _field_error(item: Any, prefix: tuple[str, ...]) -> dict[str, Any]:
    location = [str(part) for part in item["loc"]]
    while location and location[0] in prefix:
        location.pop(0)
    message = item["msg"]
    if item["type"] == "extra_forbidden":
        message = "unknown field"
    shown = repr(item.get("input"))
    if len(shown) > SHOWN_VALUE_LENGTH:
        shown = shown[:SHOWN_VALUE_LENGTH] + "…"
    if item["type"] != "missing":
        message = f"{message}, got {shown}"
    return {"field": ".".join(location) or "(body)", "message": message, "type": item["type"]}
