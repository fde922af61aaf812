"""Opens a coordinator on a home, for tests and for the processes that tests kill."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import counting

from orchestrator.clock import Clock, SystemClock
from orchestrator.config import Settings
from orchestrator.core.events import EventBus
from orchestrator.core.home import Home
from orchestrator.core.module_coordinator import ModuleCoordinator
from orchestrator.modules.base import Module
from orchestrator.modules.registry import Registry
from orchestrator.plant.historian import Historian
from orchestrator.plant.tags import Plant
from orchestrator.state.database import Database
from orchestrator.state.repositories import Store


@dataclass
class Opened:
    """A started coordinator and what it runs on."""

    coordinator: ModuleCoordinator
    store: Store
    historian: Historian
    events: EventBus
    home: Home


def settings_for(url: str | None = None, **sections: Any) -> Settings:
    """Settings with short waits between attempts."""
    coordination = {"retry_base": 0.05, "retry_cap": 0.2, **sections.pop("coordination", {})}
    return Settings(state={"database_url": url}, coordination=coordination, **sections)


@asynccontextmanager
async def opened(
    folder: Path,
    settings: Settings,
    *,
    modules: Sequence[Module] = (counting.MODULE,),
    clock: Clock | None = None,
    plant: Plant | None = None,
) -> AsyncIterator[Opened]:
    """A coordinator on ``folder``, stopped at the end of the block."""
    home = Home.take(folder)
    secret = settings.state.database_url
    database = await Database.open(secret.get_secret_value() if secret else None, home.path)
    historian = Historian(None)
    store = Store(database)
    events = EventBus()
    coordinator = ModuleCoordinator(
        settings, Registry(modules), store, historian, plant or Plant(), clock or SystemClock(),
        home, events,
    )  # fmt: skip
    try:
        await database.migrate()
        await coordinator.start()
        yield Opened(coordinator, store, historian, events, home)
    finally:
        await coordinator.stop()
        await store.close()
        await database.close()
        historian.close()
        home.release()
