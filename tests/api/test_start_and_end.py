"""What outlives the end of a service, and what must not hold it up. Each test runs its own service."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import httpx
from serving import Running, serving, settings_for

BODY = {"situation": {"plant_mode": "steady"}, "dry_run": True}


def post(http: httpx.Client, path: str, body: object, key: str) -> httpx.Response:
    return http.post(path, json=body, headers={"Idempotency-Key": key})


def test_the_answer_outlives_a_restart(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    with serving(settings) as first:
        before = post(first.http, "/orchestrate", BODY, "across").json()
    with serving(settings) as second:
        after = post(second.http, "/orchestrate", BODY, "across")
        assert after.json() == before
        # A claim of a process that is gone, without an answer, is taken over.
        second.on_loop(_abandon(second, "gone"))
    with serving(settings) as third:
        answer = post(third.http, "/orchestrate", BODY, "gone")
        assert answer.status_code == 200


async def _abandon(running: Running, key: str) -> None:
    body = json.dumps(BODY, separators=(",", ":"), ensure_ascii=False).encode()
    digest = hashlib.sha256(body).hexdigest()
    claim = await running.orchestrator.store.idempotency.claim(key, "POST /orchestrate", digest)
    assert claim is None


def test_streams_end_when_the_service_ends(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path)) as service:
        http = httpx.Client(base_url=service.url, timeout=20, trust_env=False)
        stream = http.send(http.build_request("GET", "/events"), stream=True)
        lines = stream.iter_lines()
        assert next(lines) == ": connected"
        started = time.monotonic()
    assert time.monotonic() - started < 10
    assert [line for line in lines if line and not line.startswith(":")] == []
    stream.close()
    http.close()
