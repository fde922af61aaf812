"""``GET /events``: what happens reaches everyone who listens, and nobody holds the end up."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from serving import Running


@contextmanager
def listening(service: Running, **query: Any) -> Iterator[Iterator[str]]:
    with (
        httpx.Client(base_url=service.url, timeout=20, trust_env=False) as http,
        http.stream("GET", "/events", params=query) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines) == ": connected"
        yield lines


def next_event(lines: Iterator[str]) -> dict[str, Any]:
    event: dict[str, Any] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if not line:
            if event:
                return event
            continue
        name, _, value = line.partition(": ")
        event[name] = json.loads(value) if name == "data" else value
    raise AssertionError("the stream ended")


def test_a_decision_and_its_jobs_are_told_in_order(service: Running) -> None:
    with listening(service, kind=["job", "decision"]) as lines:
        body = {"operation": "count", "wait": True}
        job_id = service.http.post("/invoke/counting", json=body).json()["job_id"]
        statuses = []
        last = 0
        while "succeeded" not in statuses:
            event = next_event(lines)
            assert event["event"] == "job"
            assert event["data"]["id"] == job_id
            assert int(event["id"]) > last
            last = int(event["id"])
            statuses.append(event["data"]["status"])
        assert statuses[0] == "queued"
        decision = service.http.post("/orchestrate", json={"dry_run": True}).json()["decision"]
        event = next_event(lines)
        assert event["event"] == "decision"
        assert event["data"]["id"] == decision["id"]


def test_only_the_kinds_asked_for_are_told(service: Running) -> None:
    with listening(service, kind="mode") as lines:
        service.http.post("/orchestrate", json={"dry_run": True})
        service.http.put("/mode", json={"mode": "steady", "by": "test"})
        event = next_event(lines)
        assert event["event"] == "mode"
        assert event["data"]["mode"] == "steady"
    service.http.put("/mode", json={"mode": None, "by": "test"})
    assert service.http.get("/events", params={"kind": "gossip"}).status_code == 422


def test_silence_is_filled_with_comments(service: Running) -> None:
    with listening(service, kind="notice") as lines:
        assert next(line for line in lines if line) == ": heartbeat"


def test_listeners_that_leave_are_forgotten(service: Running) -> None:
    bus = service.orchestrator.events
    for _ in range(5):
        with listening(service):
            pass
    give_up = time.monotonic() + 10
    # One listener stays: the metrics.
    while len(bus._queues) > 1:
        assert time.monotonic() < give_up, "a listener that left is still served"
        time.sleep(0.05)
