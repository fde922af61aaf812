"""Pages of a list, newest first, that stay stable while rows are added."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, RowMapping, Select, literal, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import ParameterError
from orchestrator.state.columns import utc_text

MAX_LIMIT = 1000
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page; ``next_cursor`` is null on the last."""

    items: list[Item]
    next_cursor: str | None


def encode_cursor(kind: str, time: datetime, identity: str) -> str:
    """The place after the row of ``(time, identity)`` in the list ``kind``, opaque to the reader."""
    text = json.dumps([kind, utc_text(time), identity], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(kind: str, cursor: str) -> tuple[datetime, str]:
    """The inverse of `encode_cursor`.

    Raises:
        ParameterError: the cursor is damaged or of another list.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found, time, identity = json.loads(base64.b64decode(padded, b"-_", validate=True))
        moment = datetime.fromisoformat(time)
        if found != kind or not isinstance(identity, str) or moment.tzinfo is None:
            raise ValueError("of another list")
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise ParameterError.of_field(
            "cursor",
            f'"{cursor[:80]}" is not one of this list',
            remedy="pass next_cursor of the page before, unchanged, or none for the first page",
        ) from None
    return moment, identity


async def fetch_page(
    connection: AsyncConnection,
    query: Select[Any],
    build: Callable[[RowMapping], Item],
    *,
    kind: str,
    time: Column[datetime],
    identity: Column[str],
    cursor: str | None,
    limit: int,
) -> Page[Item]:
    """Up to ``limit`` rows of ``query`` after ``cursor``, by time and then id, newest first.

    Rows added meanwhile neither repeat nor displace what the following pages show.

    Raises:
        ParameterError: the cursor is not one of this list, or the limit is out of range.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise ParameterError(
            f"limit = {limit} is outside 1 to {MAX_LIMIT}",
            where="limit",
            remedy="ask for less and go on with next_cursor",
        )
    query = query.order_by(time.desc(), identity.desc()).limit(limit + 1)
    if cursor is not None:
        after_time, after_identity = decode_cursor(kind, cursor)
        query = query.where(
            tuple_(time, identity)
            < tuple_(literal(after_time, time.type), literal(after_identity, identity.type))
        )
    rows = (await connection.execute(query)).mappings().all()
    kept = rows[:limit]
    following = None
    if len(rows) > limit:
        last = kept[-1]
        following = encode_cursor(kind, last[time], last[identity])
    return Page([build(row) for row in kept], following)
