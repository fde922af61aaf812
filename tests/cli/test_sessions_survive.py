"""Conversations go on after the service was killed between turns: on SQLite alone, and on PostgreSQL and
Redis from another home, with Redis gone for the last turn."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from orchestrator.core.query_parser import QueryRequest, Turn, read_query
from tests.cli.conftest import COMMAND, address, environment

SUBJECTS = (
    "11TI042",
    "FI101",
    "the kerosene flow",
    "the diesel T95",
    "heavy naphtha flow",
    "22PC10",
)
DIALOGUES = [
    (first.format(subject), second, third)
    for subject in SUBJECTS
    for first, second, third in (
        ("forecast {} for the next 24 hours", "same but 48 hours", "why?"),
        (
            "how good have the forecasts of {} been over the last 10 days",
            "and the last 30 days?",
            "hello",
        ),
        (
            "check the data of {} for the last 3 days",
            "now forecast it 8 hours ahead",
            "are there alerts?",
        ),
        (
            "when will {} hit its limit in the next 72 hours",
            "and for jet fuel?",
            "same but 12 hours",
        ),
    )
]


@contextmanager
def served(home: Path, **variables: str) -> Iterator[httpx.Client]:
    """A service process that is killed, as by a crash, at the end of the block."""
    with subprocess.Popen(
        [*COMMAND, "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env=environment(home, **variables),
    ) as process:
        try:
            with httpx.Client(base_url=address(process), timeout=60, trust_env=False) as http:
                yield http
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def test_sessions_survive_kills_on_the_embedded_state(home: Path) -> None:
    kept = []
    for number in range(3):
        with served(home) as http:
            kept += turn(http, number)
            if number == 1:
                begin_and_leave(http)  # killed while its job is under way
            elif number == 2:
                answered_later(http)
    assert_carried(kept)


def begin_and_leave(http: httpx.Client) -> None:
    body = {"message": "check the data", "session_id": "cut"}
    with http.stream("POST", "/chat", json=body) as answer:
        assert any(line == "event: decision" for line in answer.iter_lines())


def answered_later(http: httpx.Client) -> None:
    said = http.post("/chat", json={"message": "are there alerts?", "session_id": "cut"})
    assert "event: end" in said.text
    give_up = time.monotonic() + 30
    while True:
        first, second = http.get("/sessions/cut").json()["history"]
        assert (first["text"], second["text"]) == ("check the data", "are there alerts?")
        assert second["state"] == "answered"
        if first["state"] != "open":
            break
        assert time.monotonic() < give_up, "the job was not taken up again"
        time.sleep(0.1)
    assert first["state"] == "failed"  # the home has no data to check
    assert "no data was given" in first["answer"]


def test_sessions_survive_kills_on_another_worker_and_without_redis(
    tmp_path: Path, postgres_url: str, redis_server: Any
) -> None:
    variables = {
        "DAN_G_STATE__DATABASE_URL": postgres_url,
        "DAN_G_STATE__CACHE_URL": redis_server.url,
    }
    kept = []
    for number in range(3):
        if number == 2:
            redis_server.kill()
        with served(tmp_path / f"home-{number}", **variables) as http:
            kept += turn(http, number)
    assert_carried(kept)


def turn(http: httpx.Client, number: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Say turn ``number`` of each dialogue; what it was read as, beside what no restart would give."""
    found = []
    for index, dialogue in enumerate(DIALOGUES):
        body = {"query": dialogue[number], "session_id": f"d{index}", "dry_run": True}
        answer = http.post("/orchestrate", json=body)
        assert answer.status_code == 200, answer.text
        reading = answer.json()["decision"]["interpretation"]
        found.append(
            (
                {"operations": reading["operations"], **reading["slots"]},
                expected(dialogue[: number + 1]),
            )
        )
    return found


def expected(texts: tuple[str, ...]) -> dict[str, Any]:
    previous: Turn | None = None
    for text in texts:
        reading = read_query(QueryRequest(text=text, previous=previous))
        previous = Turn.model_validate(reading, from_attributes=True)
    return {"operations": list(reading.operations), **reading.slots}


def assert_carried(found: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """At least 99 % of the operations and slots are those of a conversation without restarts."""
    total = sum(len(wanted) for _, wanted in found)
    same = sum(
        name in read and read[name] == wanted[name] for read, wanted in found for name in wanted
    )
    assert total > 150
    assert same / total >= 0.99, [pair for pair in found if pair[0] != pair[1]][:3]
