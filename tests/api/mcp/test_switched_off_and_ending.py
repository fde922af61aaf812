"""``/mcp`` at the edges of a service's life: switched off, and at its end."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import httpx
import pytest
from mcp import Client
from serving import serving, settings_for


def test_it_can_be_switched_off(tmp_path: Any) -> None:
    with serving(settings_for(tmp_path, mcp={"enabled": False})) as running:
        answer = running.http.post("/mcp", json={})
    assert answer.status_code == 404
    assert "mcp.enabled" in answer.json()["remedy"]


def test_without_the_sdk_it_says_what_to_install(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.api.mcp.endpoint.find_spec", lambda name: None)
    with serving(settings_for(tmp_path)) as running:
        answer = running.http.post("/mcp", json={})
        assert running.http.get("/healthz").status_code == 200
    assert answer.status_code == 503
    assert answer.json()["retryable"] is False
    assert "[mcp]" in answer.json()["remedy"]


def test_a_service_ends_at_once_though_clients_wait(tmp_path: Any) -> None:
    async def call(url: str) -> Any:
        async with Client(f"{url}/mcp", mode="legacy") as client:
            return await client.call_tool("counting_count", {"seconds": 20.0})

    with serving(settings_for(tmp_path)) as running:
        got: list[Any] = []
        thread = threading.Thread(target=lambda: got.append(asyncio.run(call(running.url))))
        thread.start()
        end = time.monotonic() + 15
        while not httpx.get(f"{running.url}/jobs", trust_env=False).json()["items"]:
            assert time.monotonic() < end
            time.sleep(0.05)
        started = time.monotonic()
        running.loop.call_soon_threadsafe(running.app.state.closing.set)
        thread.join(10)
        assert not thread.is_alive()
        assert time.monotonic() - started < 5
    assert got[0].is_error
    assert "the service is ending" in got[0].structured_content["detail"]
