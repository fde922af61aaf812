"""``POST /orchestrate`` with the decision stored, against a bare FastAPI route in the same run.

Two servers (the service on a fresh home with SQLite, and an application of one route that returns a
constant) run in processes of their own, with the same server settings, and get the same request. 16 keep-alive clients in this
process load one after the other in interleaved rounds, so that both meet the same machine.

The budget is judged on the plain case, a situation in which nothing is due. The ratio falls with what a
decision has to say and to store, so two heavier situations are shown beside it.
"""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

CLIENTS = 16
ROUNDS = 5
SECONDS = 2.0
WARM_UP = 1.0
LEAST_RATIO = 0.25
MOST_P99_MS = 25.0

QUIET: dict[str, Any] = {
    "plant_mode": "steady",
    "data_quality": {"score": 0.97, "missing_share": 0.01, "stale_tags": 0, "frozen_tags": 0},
    "kpis": {"margin_change_pct": 0.4, "energy_index_change_pct": 0.3, "yield_deviation_pct": 0.2},
    "alerts": [{"tag": "11TI042", "kind": "limit", "severity": "low", "age_minutes": 12}],
    "equipment": [{"id": "E-101", "kind": "exchanger", "health": 0.9, "trend_per_day": -0.001}],
    "market": {"crude_change_pct": 0.5, "crack_spread_change_pct": 1.0, "new_report": False},
    "modules": {"forecasting": {"enabled": True, "in_flight": 0, "last_success_minutes": 100}},
    "resources": {"cpu_free_share": 0.6, "memory_free_share": 0.5},
}
ONE_RULE: dict[str, Any] = QUIET | {
    "alerts": [{"tag": "11TI042", "kind": "frozen", "severity": "high", "age_minutes": 12}],
}
SEVEN_RULES: dict[str, Any] = QUIET | {
    "kpis": {"margin_change_pct": -3.2, "energy_index_change_pct": 2.5},
    "alerts": [{"tag": "11TI042", "kind": "anomaly", "severity": "high", "age_minutes": 12}],
    "market": {"crude_change_pct": 4.0, "crack_spread_change_pct": -6.0, "new_report": True},
}
SITUATIONS = {
    "nothing to do": {"situation": QUIET},
    "one rule fires": {"situation": ONE_RULE, "dry_run": True},
    "seven rules fire": {"situation": SEVEN_RULES, "dry_run": True},
}


def run() -> dict[str, Any]:
    """Throughput, ratios and latencies."""
    requests = {name: json.dumps(asked).encode() for name, asked in SITUATIONS.items()}
    requests = {"bare": requests["nothing to do"], **requests}
    rates: dict[str, list[float]] = {name: [] for name in requests}
    latencies: dict[str, list[float]] = {name: [] for name in requests}
    with ExitStack() as stack:
        bare = stack.enter_context(_server("bare"))
        service = stack.enter_context(_server("service"))
        paths = dict.fromkeys(SITUATIONS, (service, "/orchestrate")) | {"bare": (bare, "/bare")}
        for name, body in requests.items():
            _load(*paths[name], body, WARM_UP)
        for _ in range(ROUNDS):
            for name, body in requests.items():
                taken = _load(*paths[name], body, SECONDS)
                rates[name].append(len(taken) / SECONDS)
                latencies[name] += taken
    report: dict[str, Any] = {"bare route, requests a second": statistics.median(rates["bare"])}
    within: dict[str, bool] = {}
    for name in SITUATIONS:
        pairs = zip(rates[name], rates["bare"], strict=True)
        ratio = statistics.median([own / reference for own, reference in pairs])
        p99 = _p99_ms(latencies[name])
        report[f"{name}: decisions a second"] = statistics.median(rates[name])
        report[f"{name}: ratio to the bare route"] = ratio
        report[f"{name}: p99, ms"] = p99
        within[name] = ratio >= LEAST_RATIO and p99 < MOST_P99_MS
    return report | {"within budget": within["nothing to do"], "within budget, each": within}


def _p99_ms(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98] * 1000


@contextmanager
def _server(kind: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.http_service", kind, folder],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert process.stdout is not None
        found = re.search(r"http://[^ \n]+", process.stdout.readline())
        if found is None:
            process.kill()
            raise RuntimeError(f"the {kind} server did not start: {log.read_text()[-2000:]}")
        try:
            yield found[0]
        finally:
            process.terminate()
            process.wait(15)


def _load(url: str, path: str, body: bytes, seconds: float) -> list[float]:
    """Seconds that each request took, with all clients at work for ``seconds``."""
    address = urlsplit(url)
    request = (
        f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        end = time.perf_counter() + seconds
        clients = [_Client(request, end) for _ in range(CLIENTS)]
        for client in clients:
            await loop.create_connection(
                lambda c=client: c,  # type: ignore[misc]
                address.hostname or "127.0.0.1",
                address.port or 80,
            )
        await asyncio.gather(*(client.done for client in clients))
        return [taken for client in clients for taken in client.taken]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


class _Client(asyncio.Protocol):
    """Sends one request after the other on one connection; costs far less than the server does."""

    def __init__(self, request: bytes, end: float) -> None:
        self._request = request
        self._end = end
        self._buffer = b""
        self._missing = -1
        self.taken: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Count an answer once it is whole."""
        self._buffer += data
        if self._missing < 0:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 200"):
                self.done.set_exception(RuntimeError(self._buffer.decode()))
                return
            length = re.search(rb"(?i)content-length: (\d+)", head)
            assert length is not None
            self._buffer, self._missing = rest, int(length[1])
        if len(self._buffer) < self._missing:
            return
        now = time.perf_counter()
        self.taken.append(now - self._sent)
        self._buffer, self._missing = b"", -1
        if now < self._end:
            self._send()
        elif not self.done.done():
            self._transport.close()
            self.done.set_result(None)


def _serve(kind: str, folder: str) -> None:
    from orchestrator.api.main import bind, print_address, serve
    from orchestrator.config_file import load_settings

    if kind == "service":
        from orchestrator.api.logs import configure_logging

        settings = load_settings().with_changes(
            state={"home": Path(folder)}, service={"host": "127.0.0.1", "port": 0}
        )
        configure_logging(settings.logging)
        serve(settings, on_ready=lambda _, url: print_address(url))
        return
    import uvicorn
    from fastapi import FastAPI

    app = FastAPI()

    @app.post("/bare")
    async def bare() -> dict[str, str]:
        return {"status": "ok"}

    listener = bind("127.0.0.1", 0)
    print_address(f"http://127.0.0.1:{listener.getsockname()[1]}")
    config = uvicorn.Config(app, http="httptools", loop="uvloop", access_log=False, log_config=None)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2])
