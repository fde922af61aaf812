"""Percentiles by nearest rank, in SQL that both databases know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.state.tables import outcomes


async def ranked_seconds(
    connection: AsyncConnection, where: ColumnElement[bool], shares: Mapping[str, float]
) -> dict[tuple[str, str], dict[str, float]]:
    """Percentiles of the seconds of the outcomes under ``where``, by (module, operation).

    The percentile of share p of n values is the one of rank ceil(p n) in ascending order: a value
    that was seen, the same on SQLite (which has no percentiles) and PostgreSQL.
    """
    columns = outcomes.c
    group = (columns.module, columns.operation)
    ranked = (
        select(
            *group,
            columns.seconds,
            func.row_number().over(partition_by=group, order_by=columns.seconds).label("rank"),
            func.count().over(partition_by=group).label("size"),
        )
        .where(where)
        .subquery()
    )
    # rank = ceil(p n) in whole thousandths, so that no rounding of p n decides.
    thousandths = {name: math.floor(share * 1000 + 0.5) for name, share in shares.items()}
    chosen = or_(
        *(
            and_(
                ranked.c.rank * 1000 >= ranked.c.size * share,
                (ranked.c.rank - 1) * 1000 < ranked.c.size * share,
            )
            for share in thousandths.values()
        )
    )
    found: dict[tuple[str, str], dict[str, float]] = {}
    rows: Any = await connection.execute(select(ranked).where(chosen))
    for row in rows:
        for name, share in thousandths.items():
            if row.rank == -(-row.size * share // 1000):
                found.setdefault((row.module, row.operation), {})[name] = row.seconds
    return found
