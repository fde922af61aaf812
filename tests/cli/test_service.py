"""``dan-g serve``, ``run`` and ``api/main.py`` as processes: signals, ports, and commands beside them."""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

Run = Callable[..., Any]
MAIN = [sys.executable, "orchestrator/api/main.py"]


def test_commands_reach_the_service_that_owns_the_home(dan_g: Run, start: Run) -> None:
    with start("serve", "--port", "0") as service:
        asked = dan_g("ask", "what do crude prices do?", "--dry-run", "--json")
        assert asked.code == 0, asked.err
        over_http = httpx.get(f"{service.url}/decisions/{asked.json()['id']}", trust_env=False)
        assert over_http.json()["decision"] == asked.json()
        assert service.url in dan_g("status").out
        by_url = dan_g("status", "--url", service.url, "--home", "/nowhere/at/all", "--json")
        assert by_url.json()["service"]["url"] == service.url
        found = {f["subject"]: f for f in dan_g("doctor", "--json").json()["findings"]}
        assert found["service"]["state"] == "ok"
        second = dan_g("serve", "--port", "0")
        assert second.code == 5
        assert "owns this home" in second.err
        assert service.end()[0] == 0
    # The same commands, now in process, find what the service stored.
    assert (
        dan_g("decisions", "show", asked.json()["id"], "--json").json()["decision"] == asked.json()
    )


def test_a_running_service_judges_by_what_is_learned_beside_it(dan_g: Run, start: Run) -> None:
    with start("run", "--port", "0") as service:
        give_up = time.monotonic() + 60
        while not httpx.get(f"{service.url}/models/monitoring", trust_env=False, timeout=60).json()[
            "items"
        ]:
            assert time.monotonic() < give_up, "the service has learned nothing"
            time.sleep(0.5)
        learned = dan_g("models", "fit", "monitoring", "--reason", "a new normal", "--json")
        assert learned.code == 0, learned.err
        record = learned.json()
        assert (record["source"], record["reason"]) == ("historian", "a new normal")
        listed = httpx.get(f"{service.url}/models/monitoring", trust_env=False, timeout=60).json()[
            "items"
        ]
        assert [item["version"] for item in listed] == [1, 2]
        assert listed[-1] == record
        taken = httpx.post(f"{service.url}/models/monitoring/take-up", trust_env=False, timeout=60)
        assert taken.json() == record
        too_early = dan_g("models", "fit", "monitoring", "--end", "1990-01-01T00:00:00", "--json")
        assert too_early.code == 3
        assert "holds no samples" in too_early.err
        assert service.end()[0] == 0
    assert dan_g("models", "list", "--json").json() == listed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_with_zero_though_work_runs_and_listeners_listen(
    start: Run, number: signal.Signals
) -> None:
    rows = [
        {"time": f"2026-01-{day:02d}T{hour:02d}:00:00Z", "x": day + hour / 24.0}
        for day in range(1, 29)
        for hour in range(24)
    ]
    body = {"operation": "forecast", "parameters": {"data": {"rows": rows}}}
    with (
        start(command=[*MAIN, "--port", "0"]) as service,
        httpx.Client(base_url=service.url, timeout=30, trust_env=False) as http,
        http.stream("GET", "/events") as events,
        socket.create_connection(("127.0.0.1", httpx.URL(service.url).port or 0)) as half_sent,
    ):
        half_sent.sendall(b"POST /orchestrate HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
        lines = events.iter_lines()
        assert next(lines) == ": connected"
        accepted = httpx.post(f"{service.url}/invoke/forecasting", json=body, trust_env=False)
        assert accepted.status_code == 202, accepted.text
        code, seconds = service.end(number)
        assert code == 0
        assert seconds < 8.5, "only the last resort, after 9 s, ended it"
        for _ in lines:
            pass


def test_a_busy_port_is_named_before_anything_is_opened(dan_g: Run, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments in (("serve",), ("run",)):
            done = dan_g(*arguments, "--port", port)
            assert done.code == 2
            assert f"127.0.0.1:{port}" in done.err
            assert "--port" in done.err
    assert not home.exists()


def test_a_host_that_is_not_this_machine_is_refused(dan_g: Run) -> None:
    done = dan_g("serve", "--host", "192.0.2.1", "--port", "0")
    assert done.code == 2
    assert "192.0.2.1" in done.err


def test_run_shows_a_simulated_plant_at_work(start: Run, dan_g: Run) -> None:
    with start("run", "--port", "0") as service:
        assert service.process.stdout is not None
        give_up = time.monotonic() + 60
        seen = ""
        while "DECISION" not in seen and time.monotonic() < give_up:
            seen += service.process.stdout.readline()
        assert "DECISION" in seen
        status = dan_g("status", "--json").json()
        assert status["plant"]["simulated"] is True
        assert status["service"]["loop"] == "running"
        assert (
            httpx.get(f"{service.url}/readyz", trust_env=False).json()["parts"]["loop"] == "running"
        )
        code, seconds = service.end(signal.SIGINT)
        assert code == 0
        assert seconds < 10
