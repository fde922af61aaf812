"""The copilot over HTTP while a job takes long: whoever goes away ends the waiting, never the job."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from chatting import heard, say
from serving import Running, serving, settings_for
from slow_check import open_slow


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[Running, Path]]:
    go = tmp_path / "go"
    settings = settings_for(tmp_path / "home", modules={"etl": {"options": {"go": str(go)}}})
    with serving(settings, orchestrator_factory=open_slow, heartbeat_seconds=0.1) as running:
        yield running, go
        go.touch()


def test_who_goes_away_ends_the_wait_and_not_the_job(slow: tuple[Running, Path]) -> None:
    service, go = slow
    body = {"message": "is the data good?", "session_id": "left"}
    comments = 0
    with service.http.stream("POST", "/chat", json=body) as answer:
        for kind, _ in heard(answer.iter_lines()):
            comments += kind == ""
            if comments == 2:
                break
    (turn,) = service.http.get("/sessions/left").json()["history"]
    assert (turn["state"], turn["answer"]) == ("open", "")
    go.touch()
    jobs = service.http.get(f"/decisions/{turn['decision_id']}").json()["jobs"]
    service.on_loop(service.orchestrator.coordinator.wait(jobs[0]["id"], 20))
    (turn,) = service.http.get("/sessions/left").json()["history"]
    assert turn["state"] == "answered"
    assert turn["answer"].startswith("Data quality is 97 %")


def test_a_deadline_ends_the_answer_and_the_result_comes_later(slow: tuple[Running, Path]) -> None:
    service, go = slow
    begun = time.monotonic()
    told = say(service.http, "is the data good?", "late", deadline=0.5)
    assert time.monotonic() - begun < 3
    assert told.end["state"] == "partial"
    assert "has not ended yet" in told.answer
    go.touch()
    job = told.of("decision")[0]["jobs"][0]["id"]
    service.on_loop(service.orchestrator.coordinator.wait(job, 20))
    told = say(service.http, "are there alerts?", "late")
    first, second = service.http.get("/sessions/late").json()["history"]
    assert first["answer"].startswith("Data quality is 97 %")
    assert second["number"] == 2


def test_the_end_of_the_service_is_told_as_an_error(tmp_path: Path) -> None:
    go = tmp_path / "go"
    settings = settings_for(tmp_path / "home", modules={"etl": {"options": {"go": str(go)}}})
    events = []
    with serving(settings, orchestrator_factory=open_slow, heartbeat_seconds=0.1) as service:
        body = {"message": "is the data good?"}
        with service.http.stream("POST", "/chat", json=body) as answer:
            for kind, data in heard(answer.iter_lines()):
                if kind == "":
                    service.loop.call_soon_threadsafe(service.app.state.closing.set)
                else:
                    events.append((kind, data))
    kind, problem = events[-1]
    assert kind == "error"
    assert (problem["status"], problem["retryable"]) == (503, True)
    go.touch()
