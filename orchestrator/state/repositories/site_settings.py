"""Small things that people set while the service runs, such as the plant mode."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.clock import Clock
from orchestrator.state.database import Database
from orchestrator.state.tables import settings


class SiteSettings:
    """Values by key; a value is any JSON."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, key: str) -> Any:
        """The value; null when it was never put."""
        async with self._database.read() as connection:
            query = select(settings.c.value).where(settings.c.key == key)
            return (await connection.execute(query)).scalar()

    async def put(self, key: str, value: Any) -> None:
        """Keep a value, in place of the one before."""
        make = postgresql.insert if self._database.dialect == "postgresql" else sqlite.insert
        values = {"value": value, "updated_at": self._clock.now()}
        upsert = make(settings).values(key=key, **values)
        async with self._database.write() as connection:
            await connection.execute(
                upsert.on_conflict_do_update(index_elements=[settings.c.key], set_=values)
            )

    async def delete(self, key: str) -> None:
        """Forget a value."""
        async with self._database.write() as connection:
            await connection.execute(delete(settings).where(settings.c.key == key))

    async def all(self) -> dict[str, Any]:
        """Every key with its value."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(settings).order_by(settings.c.key))
            return {row.key: row.value for row in rows}
