"""One operation over HTTP: waiting, following, cancelling, and everything that can be wrong."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from serving import Running


def ended(service: Running, job_id: str) -> dict[str, Any]:
    service.on_loop(service.orchestrator.coordinator.wait(job_id, 60))
    job: dict[str, Any] = service.http.get(f"/jobs/{job_id}").json()
    return job


def test_with_wait_the_result_is_in_the_answer(service: Running) -> None:
    body = {"operation": "count", "parameters": {"amount": 3}, "wait": True}
    answer = service.http.post("/invoke/counting", json=body)
    assert answer.status_code == 200
    assert answer.json()["status"] == "succeeded"
    assert answer.json()["result"]["counted"] == 3


def test_without_wait_the_job_is_at_the_location(service: Running) -> None:
    body = {"operation": "count", "parameters": {"amount": 4}}
    answer = service.http.post("/invoke/counting", json=body)
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/jobs/{answer.json()['job_id']}"
    assert answer.json()["result"] is None
    job = ended(service, answer.json()["job_id"])
    assert job["status"] == "succeeded"
    assert job["result"]["counted"] == 4
    assert job["progress"] == 1
    assert job["seconds"] > 0


def test_an_operation_that_fails_says_why_and_the_request_does_not(service: Running) -> None:
    body = {
        "operation": "validate",
        "parameters": {"data": {"columns": {"time": ["not a time"], "x": [1.0]}}},
        "wait": True,
    }
    answer = service.http.post("/invoke/etl", json=body)
    assert answer.status_code in (200, 400, 422)
    document = answer.json()
    said = document["error"]["detail"] if answer.status_code == 200 else document["detail"]
    assert "not a time" in said


@pytest.mark.parametrize(
    ("module", "body", "status", "said"),
    [
        ("nothing", {"operation": "count"}, 404, "no module 'nothing'"),
        ("counting", {"operation": "nothing"}, 404, "no operation 'nothing'"),
        ("counting", {"operation": "count", "parameters": {"amount": "many"}}, 422, "amount"),
        ("counting", {"operation": "count", "parameters": {"amont": 1}}, 422, "amont"),
        ("counting", {"operation": "count", "priority": 0}, 422, "priority"),
        ("counting", {}, 422, "operation"),
        ("counting", {"operation": "count", "parameters": []}, 422, "parameters"),
    ],
)
def test_what_cannot_be_invoked_is_refused_by_name(
    service: Running, module: str, body: dict[str, Any], status: int, said: str
) -> None:
    answer = service.http.post(f"/invoke/{module}", json=body)
    assert answer.status_code == status
    assert said in answer.json()["detail"]


def test_a_running_job_is_cancelled_and_stays_so(service: Running, tmp_path: Path) -> None:
    mark = tmp_path / "started"
    body = {"operation": "hang", "parameters": {"mark": str(mark)}}
    job_id = service.http.post("/invoke/counting", json=body).json()["job_id"]
    give_up = time.monotonic() + 30
    while not mark.exists():
        assert time.monotonic() < give_up, "the operation did not start"
        time.sleep(0.02)
    cancelled = service.http.delete(f"/jobs/{job_id}")
    assert cancelled.status_code == 200
    assert ended(service, job_id)["status"] == "cancelled"
    again = service.http.delete(f"/jobs/{job_id}")
    assert again.status_code == 409
    assert "cancelled" in again.json()["detail"]


def test_jobs_are_listed_newest_first_and_filtered(service: Running) -> None:
    body = {"operation": "count", "parameters": {"amount": 5}, "wait": True}
    ids = [service.http.post("/invoke/counting", json=body).json()["job_id"] for _ in range(3)]
    page = service.http.get("/jobs", params={"module": "counting", "limit": 2}).json()
    assert [job["id"] for job in page["items"]] == ids[:0:-1]
    after = service.http.get(
        "/jobs", params={"module": "counting", "limit": 2, "cursor": page["next_cursor"]}
    ).json()
    assert after["items"][0]["id"] == ids[0]
    none = service.http.get("/jobs", params={"status": "timed_out"}).json()
    assert none == {"items": [], "next_cursor": None}


def test_modules_are_listed_with_the_schemas_of_their_operations(service: Running) -> None:
    modules = {module["name"]: module for module in service.http.get("/modules").json()}
    assert {"etl", "forecasting", "analysis", "optimization", "counting"} <= set(modules)
    count = next(o for o in modules["counting"]["operations"] if o["name"] == "count")
    assert count["parameters"]["properties"]["amount"]["type"] == "integer"
    assert "summary" in count["result"]["properties"]
    assert service.http.get("/modules/counting").json() == modules["counting"]


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"horizon": -1}, "horizon"),
        ({"horizon_hours": 0}, "horizon_hours"),
        ({"targets": ["NOPE"], "data": {"columns": {"time": ["2026-03-01"], "A": [1]}}}, "targets"),
        ({"data": {"tags": ["NOPE"], "start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z"}}, "data.tags"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_found_at_acceptance_and_makes_no_job(
    service: Running, parameters: dict[str, Any], field: str
) -> None:
    before = service.http.get("/jobs", params={"module": "forecasting"}).json()["items"]
    answer = service.http.post(
        "/invoke/forecasting", json={"operation": "forecast", "parameters": parameters}
    )
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert answer.json()["remedy"]
    after = service.http.get("/jobs", params={"module": "forecasting"}).json()["items"]
    assert after == before
