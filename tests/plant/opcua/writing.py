"""A writer on a real OPC UA server and a real database, for tests and for ``write_process.py``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from orchestrator.clock import SystemClock
from orchestrator.config import OpcUaSettings
from orchestrator.plant.envelope import Envelope
from orchestrator.plant.opcua.target import OpcUaTarget
from orchestrator.plant.tags import Plant, Tag
from orchestrator.plant.write_check import Permit
from orchestrator.plant.write_facts import Facts
from orchestrator.plant.writer import Writer
from orchestrator.state.database import Database
from orchestrator.state.repositories import Store
from orchestrator.write_settings import TagEnvelope, WriteSettings

READ_BACK_SECONDS = 4.0
PLANT = Plant(
    name="set points",
    tags=tuple(
        Tag(name=name, controllable=True, normal=(0, 1e6)) for name in ("FC1", "FC2", "FC3", "HS4")
    ),
)
OWN = TagEnvelope(
    hard=(0, 1e6),
    max_rate=1e6,
    max_move=1e6,
    max_cumulative=1e9,
    tolerance=0.5,
    readback_timeout=READ_BACK_SECONDS,
)
ENVELOPE = Envelope.of(
    WriteSettings(tags=dict.fromkeys(PLANT.tag_names, OWN), call_timeout=8.0), PLANT
)


async def all_well() -> Facts:
    return Facts(at=SystemClock().now(), plant_mode="steady", data_quality=1.0, alerts=())


@asynccontextmanager
async def writing(
    url: str, database_url: str | None, home: Path, *, timeout: float = 2.0
) -> AsyncIterator[tuple[Writer, OpcUaTarget, Store]]:
    """A writer on its own connection, its target and its store."""
    database = await Database.open(database_url, home)
    await database.migrate()
    store = Store(database)
    target = OpcUaTarget(url, OpcUaSettings(timeout=timeout), PLANT, PLANT.tag_names)
    writer = Writer(target, ENVELOPE, store.writes, all_well, SystemClock(), enabled=True)
    try:
        yield writer, target, store
    finally:
        await target.close()
        await store.close()
        await database.close()


async def permit_for(
    target: OpcUaTarget, value: float, tag: str = "FC1", approvers: tuple[str, ...] = ("Ann",)
) -> Permit:
    """A permit from the present value of a tag to another."""
    present = (await target.read(tag)).value
    assert present is not None
    return Permit(
        id=uuid4().hex,
        recommendation_id=uuid4().hex,
        digest="d",
        step=0,
        tag=tag,
        before=present,
        value=value,
        approvers=approvers,
        grant_id=None,
        valid_until=SystemClock().now() + timedelta(seconds=60),
    )
