"""Column types that behave the same on SQLite and PostgreSQL, and the JSON that documents become."""

from __future__ import annotations

import functools
import json
import math
import re
from datetime import UTC, datetime
from typing import Any

from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy import JSON, DateTime, Dialect, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

from orchestrator.errors import ParameterError
from orchestrator.state.records import EncodedDocument

_NUL_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def encode_document(value: Any) -> str:
    """A document as compact JSON that both databases take.

    JSON has no NaN and no infinity, so they become null; a NUL character or a lone surrogate, which
    PostgreSQL does not store, becomes U+FFFD.
    """
    try:
        if type(value) is EncodedDocument:
            text = value.text
        else:
            text = to_json(value, inf_nan_mode="null").decode()
    except (PydanticSerializationError, UnicodeError):
        text = json.dumps(_storable(value), separators=(",", ":"), ensure_ascii=False, default=str)
    return _NUL_ESCAPE.sub(r"\1" + _REPLACEMENT, text) if "\\u0000" in text else text


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub(_REPLACEMENT, value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_storable(str(key)): _storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_storable(item) for item in value]
    return value


def clean_text(value: str) -> str:
    """``value`` without the characters that PostgreSQL does not store (see `encode_document`)."""
    if value.isascii() and "\x00" not in value:
        return value
    return _UNSTORABLE.sub(_REPLACEMENT, value)


@functools.lru_cache(maxsize=256)
def utc_text(value: datetime) -> str:
    """``value`` as ISO 8601 UTC with microseconds and ``Z``: text that sorts as the times do.

    Raises:
        ParameterError: the time has no time zone.
    """
    if value.tzinfo is None:
        raise ParameterError(
            f"the time {value.isoformat()} has no time zone",
            remedy="give it one, for example 2026-03-01T06:00:00Z",
        )
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class UtcTime(TypeDecorator[datetime]):
    """A time zone aware time: ``timestamptz`` in PostgreSQL, sortable ISO 8601 text in SQLite."""

    impl = String(27)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = (
            DateTime(timezone=True) if dialect.name == "postgresql" else String(27)
        )
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        text = utc_text(value)
        return value if dialect.name == "postgresql" else text

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        read = datetime.fromisoformat(value) if isinstance(value, str) else value
        return read.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text from outside, kept free of the characters that PostgreSQL does not store."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else clean_text(value)


def document_type() -> JSON:
    """Type of a JSON document column: ``jsonb`` in PostgreSQL, JSON text in SQLite."""
    return JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
