"""``dan-g recommendations`` and ``dan-g operator`` against a service over the simulated unit."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.plant.twin.unit import SET_POINTS

SCENARIO = """\
name: quiet
warm_up_hours: 12
price_history_days: 0
"""
CONFIGURATION = """\
orchestrator:
  plant:
    source: {{kind: twin, path: {scenario}, speed: 60}}
    write_enabled: true
    write:
      modes_under_way: [steady, transient]
      tags:
        FC211_SP: {{hard: [460, 580], max_rate: 4, max_move: 80, max_cumulative: 400, tolerance: 0.2}}
        FC221_SP: {{hard: [350, 450], max_rate: 4, max_move: 80, max_cumulative: 400, tolerance: 0.2}}
  decision_engine: {{triggers: []}}
  operator: {{mode: supervised, settle_minutes: 6000, valid_minutes: 6000}}
"""
MOVED = ("FC211_SP", "FC221_SP")


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    scenario = tmp_path / "quiet.yaml"
    scenario.write_text(SCENARIO)
    file = tmp_path / "supervised.yaml"
    file.write_text(CONFIGURATION.format(scenario=scenario))
    return file


def test_a_shift_approves_stops_and_takes_back_after_a_crash(
    dan_g: Callable[..., Any], start: Callable[..., Any], configuration: Path
) -> None:
    service = ("run", "--config", configuration, "--port", "0")
    with start(*service) as running:
        wait_for(lambda: got(running, "/mode")["mode"] == "steady")
        record = proposed(dan_g, running)
        no = dan_g("recommendations", "approve", record["id"], "--by", "Anna", stdin="n\n")
        assert no.code == 130
        assert record["digest"] in no.err
        assert "safety agent: Allowed" in no.err
        approve = ("recommendations", "approve", record["id"], "--by", "Anna")
        wrong = dan_g(*approve, "--digest", "0" * 64, "--json")
        assert (wrong.code, wrong.problem()["status"]) == (4, 409)
        assert dan_g(*approve, "--digest", record["digest"]).code == 0
        path = f"/recommendations/{record['id']}"
        wait_for(lambda: any(step["state"] == "done" for step in got(running, path)["steps"]))
        running.process.send_signal(signal.SIGUSR1)
        wait_for(lambda: got(running, path)["state"] == "stopped")
        running.end(signal.SIGKILL)
    with start(*service) as running:
        status = dan_g("operator", "--json").json()
        assert status["stop"]["by"] == "SIGUSR1"
        rollback = ("recommendations", "rollback", record["id"], "--by", "Anna", "--json")
        assert dan_g(*rollback).code == 4
        released = dan_g("operator", "release", "--by", "Berta", "--json").json()
        assert released["stop"] is None
        assert dan_g(*rollback).json()["state"] == "rolling_back"
        wait_for(lambda: got(running, path)["state"] == "rolled_back")


def test_a_stop_is_kept_where_no_service_runs(dan_g: Callable[..., Any]) -> None:
    stopped = dan_g("operator", "stop", "--by", "Anna", "--reason", "nobody is there", "--json")
    assert stopped.json()["stop"]["why"] == "nobody is there"
    assert dan_g("operator", "--json").json()["stop"]["by"] == "Anna"
    refused = dan_g("operator", "mode", "supervised", "--by", "Anna", "--json")
    assert (refused.code, refused.problem()["type"]) == (4, "urn:dan-g:problem:refused")
    bad = dan_g("operator", "grant", "--limit", "FC211_SP=1", "--minutes", "5", "--moves", "1")
    assert bad.code == 2
    assert "TAG=LOW:HIGH:RATE:MOVE" in bad.err


def proposed(dan_g: Callable[..., Any], running: Any) -> dict[str, Any]:
    """A recommendation that awaits approval, from set points for two pumparounds."""
    held = [name for name in SET_POINTS if name not in MOVED]
    parameters = json.dumps({"move_minutes": 10, "hold": held})
    ran = dan_g("invoke", "optimization", "setpoints", "--params", parameters, "--json")
    assert ran.code == 0, ran.err
    [found] = wait_for(lambda: got(running, "/recommendations")["items"])
    shown: dict[str, Any] = got(running, f"/recommendations/{found['id']}")
    assert shown["state"] == "awaiting_approval", shown["trail"][-1]
    return shown


def got(running: Any, path: str) -> Any:
    return httpx.get(running.url + path, trust_env=False, timeout=30).raise_for_status().json()


def wait_for(what: Callable[[], Any], seconds: float = 90.0) -> Any:
    give_up = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < give_up
        time.sleep(0.2)
    return found
