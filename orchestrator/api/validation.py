"""JSON text straight into its model, with errors that name the field; shared by service and command."""

from __future__ import annotations

import json
from typing import NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator.errors import InputError, ParameterError
from orchestrator.field_errors import field_errors

Model = TypeVar("Model", bound=BaseModel)

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
                str(errors[0]["msg"]).removeprefix("Invalid JSON: "),
                where=where,
                remedy="send one JSON object, encoded as UTF-8",
            ) from error
        raise ParameterError.of_fields(
            field_errors(errors, json.loads(body)),
            where=where,
            remedy=f"its fields are: {', '.join(model.model_fields)}",
        ) from error


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
