"""The real service over HTTP on a free port, run in a thread of the test process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import counting
import httpx
import uvicorn
from fastapi import FastAPI

from orchestrator.api.app import create_app
from orchestrator.api.main import address_of, bind
from orchestrator.api.service import Service
from orchestrator.config import Settings
from orchestrator.core.orchestrator import Orchestrator
from orchestrator.modules.registry import Registry, load_registry
from orchestrator.monitoring.life_cycle import Alert
from orchestrator.state.database import Database
from orchestrator.state.repositories import Store


def registry() -> Registry:
    """The built-in modules and the small operations for tests."""
    return Registry([*load_registry(), counting.MODULE])


async def open_with_counting(settings: Settings) -> Orchestrator:
    """An orchestrator that also has the small operations for tests."""
    return await Orchestrator.open(settings, registry=registry())


def settings_for(home: Path, **sections: Any) -> Settings:
    """Settings on a home of the test, with short waits between attempts."""
    coordination = {"retry_base": 0.05, "retry_cap": 0.2, "workers": 2}
    return Settings(state={"home": home}, coordination=coordination, **sections)


def an_alert(identity: str, tag: str = "11TI042") -> Alert:
    """An open alert that nobody has acknowledged."""
    return Alert(
        id=identity,
        key=f"limit:{tag}",
        kind="limit",
        severity="high",
        state="unacknowledged",
        tag=tag,
        tags=(tag,),
        start=datetime(2026, 3, 1, 6, tzinfo=UTC),
        message=f"{tag} is above its limit",
    )


def store_alerts(home: Path, *alerts: Alert) -> None:
    """Put alerts into the state of a home that nobody owns now."""

    async def main() -> None:
        home.mkdir(parents=True, exist_ok=True)
        database = await Database.open(None, home)
        await database.migrate()
        store = Store(database)
        for alert in alerts:
            await store.alerts.upsert(alert.record())
        await store.close()
        await database.close()

    asyncio.run(main())


@dataclass
class Running:
    """A service that answers."""

    url: str
    app: FastAPI
    http: httpx.Client
    loop: asyncio.AbstractEventLoop

    @property
    def orchestrator(self) -> Orchestrator:
        """What the service serves; belongs to its own thread."""
        orchestrator: Orchestrator = self.app.state.orchestrator
        return orchestrator

    def on_loop(self, work: Any) -> Any:
        """The result of a coroutine run on the service's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)


@contextmanager
def serving(settings: Settings, **options: Any) -> Iterator[Running]:
    """Serve until the block ends."""
    ready = threading.Event()
    found: dict[str, Any] = {}

    async def main() -> None:
        with bind("127.0.0.1", 0) as listener:
            url = address_of(listener)
            factory = options.pop("orchestrator_factory", open_with_counting)
            app = create_app(settings, factory, service=Service(url), **options)
            config = uvicorn.Config(
                app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=5
            )
            server = uvicorn.Server(config)
            async with app.router.lifespan_context(app):
                found.update(url=url, app=app, server=server, loop=asyncio.get_running_loop())
                task = asyncio.create_task(server.serve(sockets=[listener]))
                while not server.started:
                    await asyncio.sleep(0.01)
                ready.set()
                await task

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            found["error"] = error
            raise
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="service")
    thread.start()
    ready.wait(60)
    if "error" in found:
        thread.join()
        raise found["error"]
    try:
        with httpx.Client(base_url=found["url"], timeout=30, trust_env=False) as http:
            yield Running(found["url"], found["app"], http, found["loop"])
    finally:
        found["loop"].call_soon_threadsafe(found["app"].state.closing.set)
        found["server"].should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the service did not end"
