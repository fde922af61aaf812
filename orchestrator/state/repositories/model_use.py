"""What language models used, by day, added up over all processes that share the database."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.state.database import Database
from orchestrator.state.records import ModelUseRecord
from orchestrator.state.tables import model_use

_SUMMED = ("requests", "input_tokens", "cached_tokens", "output_tokens", "cost_usd")


class ModelUse:
    """One row a day and model."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, used: ModelUseRecord) -> None:
        """Add to what its day and model have used already."""
        make = postgresql.insert if self._database.dialect == "postgresql" else sqlite.insert
        insertion = make(model_use).values(**asdict(used))
        sums = {name: model_use.c[name] + insertion.excluded[name] for name in _SUMMED}
        async with self._database.write() as connection:
            await connection.execute(
                insertion.on_conflict_do_update(index_elements=["day", "model"], set_=sums)
            )

    async def of_day(self, day: str) -> list[ModelUseRecord]:
        """Each model's row of a day, by name."""
        query = select(model_use).where(model_use.c.day == day).order_by(model_use.c.model)
        async with self._database.read() as connection:
            return [ModelUseRecord(**row) for row in (await connection.execute(query)).mappings()]
