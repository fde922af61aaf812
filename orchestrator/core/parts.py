"""Everything that an orchestrator stands on, opened in order and closed in the reverse order."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from orchestrator.config import Settings
from orchestrator.core.home import Home
from orchestrator.modules.registry import Registry, load_registry
from orchestrator.plant.historian import Historian
from orchestrator.plant.stores import Tier
from orchestrator.state.cache import Cache, open_cache
from orchestrator.state.database import Database
from orchestrator.state.repositories import Store


@dataclass(frozen=True)
class Parts:
    """The home and what is open in it; :attr:`closing` closes all of it."""

    home: Home
    store: Store
    cache: Cache
    historian: Historian
    registry: Registry
    closing: AsyncExitStack


async def open_parts(settings: Settings, home: Path | None, registry: Registry | None) -> Parts:
    """Take the home's lock, open and migrate the database, open cache and historian.

    Raises:
        HomeLockedError: another process owns the home.
        DatabaseUnavailableError: the configured database cannot be reached.
    """
    state = settings.state
    async with AsyncExitStack() as closing:
        place = Home.take(home or settings.home)
        closing.callback(place.release)
        url = state.database_url.get_secret_value() if state.database_url else None
        database = await Database.open(url, place.path)
        closing.push_async_callback(database.close)
        await database.migrate()
        cache = open_cache(state.cache_url.get_secret_value() if state.cache_url else None)
        closing.push_async_callback(cache.close)
        historian = await asyncio.to_thread(_historian, settings, place.historian)
        closing.callback(historian.close)
        store = Store(database)
        closing.push_async_callback(store.close)
        return Parts(
            home=place,
            store=store,
            cache=cache,
            historian=historian,
            registry=registry or load_registry(settings.mcp.servers),
            closing=closing.pop_all(),
        )


def _historian(settings: Settings, path: Path) -> Historian:
    wanted = settings.plant.historian
    tiers = [
        Tier(timedelta(days=days), timedelta(seconds=seconds))
        for days, seconds in (
            (wanted.raw_days, wanted.fine_seconds),
            (wanted.coarse_days, wanted.coarse_seconds),
        )
        if days is not None
    ]
    url = wanted.database_url.get_secret_value() if wanted.database_url else None
    return Historian(
        path, retention_days=settings.plant.retention_days, tiers=tiers, database_url=url
    )
