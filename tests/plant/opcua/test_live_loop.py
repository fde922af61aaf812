"""The whole loop over a live plant: what the historian holds after the server died and came back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from orchestrator.config_file import load_settings
from orchestrator.core.orchestrator import Orchestrator
from orchestrator.core.sources import configured_sources
from orchestrator.errors import ConfigurationError
from orchestrator.plant.opcua.values import microseconds
from orchestrator.plant.samples import Quality
from tests.plant.opcua.conftest import PlantServer

Serve = Callable[..., PlantServer]


def settings_for(url: str, folder: Path):
    plant = folder / "tags.yaml"
    tags = [{"name": f"T{i:04}", "unit": "degC", "period_seconds": 0.25} for i in range(5)]
    plant.write_text(yaml.safe_dump({"name": "ramps", "simulated": True, "tags": tags}))
    source = {
        "kind": "opcua",
        "url": url,
        "opcua": {"publishing_interval": 0.2, "reconnect_base": 0.2, "reconnect_cap": 0.5},
    }
    path = folder / "site.yaml"
    document = {"plant": {"file": str(plant), "source": source}, "state": {"home": str(folder)}}
    path.write_text(yaml.safe_dump({"orchestrator": document}))
    return load_settings(path, environment={})


async def until(true: Callable[[], bool], seconds: float = 40.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that in time"
        await asyncio.sleep(0.05)


async def test_historian_holds_what_the_server_held(serve: Serve, tmp_path: Path) -> None:
    server = serve(items=5)
    settings = settings_for(server.url, tmp_path)
    source, _ = configured_sources(settings)
    async with await Orchestrator.open(settings, source=source) as orchestrator:
        running = asyncio.ensure_future(orchestrator.run())
        loop, historian = orchestrator.loop, orchestrator.historian
        assert loop is not None
        await until(lambda: loop.rows > 5)
        server.kill()
        await until(lambda: {s.quality for s in historian.last_values().values()} == {Quality.BAD})
        await asyncio.sleep(1.0)
        server.start()
        rows = loop.rows
        await until(lambda: loop.rows > rows + 12)
        horizon = int((time.time() - 2.0) * 1e6)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        source.close()
        tags = historian.tags()
        table = historian.read(tags, None, None).to_pydict()
    got = {
        (tag, microseconds(at)): value
        for tag in tags
        for at, value in zip(table["time"], table[tag], strict=True)
        if value is not None
    }
    first = min(at for _, at in got)
    stored = {
        key: held.value
        for key, held in server.stored().items()
        if first <= key[1] <= horizon and held.value is not None
    }
    assert len(stored) > 60
    assert {key: got.get(key) for key in stored} == stored


def test_source_without_an_address_is_refused(tmp_path: Path) -> None:
    settings = settings_for("opc.tcp://127.0.0.1:1", tmp_path)
    source = settings.plant.source.model_copy(update={"url": None})
    with pytest.raises(ConfigurationError, match=r"plant\.source\.url"):
        configured_sources(settings.with_changes(plant={"source": source}))
