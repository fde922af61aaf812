"""``dan-g recommendations`` and ``dan-g operator`` against a service over the simulated unit."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    source: {{kind: twin, path: {scenario}, speed: 100}}
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


def test_a_shift_approves_stops_and_takes_up_again_after_a_crash(
    dan_g: Callable[..., Any], start: Callable[..., Any], configuration: Path
) -> None:
    service = ("run", "--config", configuration, "--port", "0")
    with start(*service) as running:
        wait_for(lambda: dan_g("mode", "--json").json()["mode"] == "steady")
        status = dan_g("operator", "status", "--json").json()
        assert (status["mode"], status["write_enabled"], status["stop"]) == (
            "supervised",
            True,
            None,
        )

        record = proposed(dan_g)
        shown = dan_g("recommendations", "show", record["id"])
        assert shown.code == 0
        assert record["digest"] in shown.out
        assert "safety agent: Allowed" in shown.out
        no = dan_g("recommendations", "approve", record["id"], "--by", "Anna", stdin="n\n")
        assert no.code == 130
        assert "FC211_SP" in no.err
        wrong = dan_g("recommendations", "approve", record["id"], "--digest", "0" * 64, "--json")
        assert (wrong.code, wrong.problem()["status"]) == (4, 409)
        assert dan_g("recommendations", "show", "none", "--json").code == 3

        approve = ("recommendations", "approve", record["id"], "--digest", record["digest"])
        assert dan_g(*approve, "--by", "Anna").code == 0
        wait_for(lambda: any(s["state"] == "done" for s in state_of(dan_g, record)["steps"]))
        running.process.send_signal(signal.SIGUSR1)
        wait_for(lambda: dan_g("operator", "--json").json()["stop"] is not None)
        # Where the machine is slow, the last step was written before the signal came.
        ended = ("stopped", "verifying")
        wait_for(lambda: state_of(dan_g, record)["state"] in ended)
        stopped = state_of(dan_g, record)
        assert dan_g("operator", "release", "--by", "Berta", "--json").json()["stop"] is None

        second = proposed(dan_g) if stopped["state"] != "verifying" else record
        if second is not record:
            approve = ("recommendations", "approve", second["id"], "--digest", second["digest"])
            assert dan_g(*approve, "--by", "Anna").code == 0
        running.end(signal.SIGKILL)
    with start(*service):
        found = state_of(dan_g, second)
        assert found["state"] in ("held", "verifying")
        listed = dan_g("recommendations", "--json").json()["items"]
        assert second["id"] in {item["id"] for item in listed}
        back = dan_g(
            "recommendations", "rollback", second["id"], "--by", "Anna", "--reason", "crash",
            "--json",
        )  # fmt: skip
        assert back.code == 0, back.err
        wait_for(lambda: state_of(dan_g, second)["state"] == "rolled_back")
        advisory = dan_g("operator", "mode", "advisory", "--by", "Berta", "--json").json()
        assert advisory["mode"] == "advisory"


def test_a_stop_is_kept_where_no_service_runs(dan_g: Callable[..., Any]) -> None:
    stopped = dan_g("operator", "stop", "--by", "Anna", "--reason", "nobody is there", "--json")
    assert stopped.json()["stop"]["why"] == "nobody is there"
    assert dan_g("operator", "--json").json()["stop"]["by"] == "Anna"
    refused = dan_g("operator", "mode", "supervised", "--by", "Anna", "--json")
    assert (refused.code, refused.problem()["type"]) == (4, "urn:dan-g:problem:refused")
    bad = dan_g("operator", "grant", "--limit", "FC211_SP=1", "--minutes", "5", "--moves", "1")
    assert bad.code == 2
    assert "TAG=LOW:HIGH:RATE:MOVE" in bad.err


def proposed(dan_g: Callable[..., Any]) -> dict[str, Any]:
    """A recommendation that awaits approval, from set points for two pumparounds."""
    held = [name for name in SET_POINTS if name not in MOVED]
    parameters = json.dumps({"move_minutes": 10, "hold": held})
    ran = dan_g("invoke", "optimization", "setpoints", "--params", parameters, "--json")
    assert ran.code == 0, ran.err
    found = wait_for(
        lambda: dan_g("recommendations", "list", "--all", "--json").json()["items"][:1]
    )
    shown: dict[str, Any] = state_of(dan_g, found[0])
    assert shown["state"] == "awaiting_approval", shown["trail"][-1]
    return shown


def state_of(dan_g: Callable[..., Any], record: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = dan_g("recommendations", "show", record["id"], "--json").json()
    return shown


def wait_for(what: Callable[[], Any], seconds: float = 90.0) -> Any:
    give_up = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < give_up
        time.sleep(0.2)
    return found
