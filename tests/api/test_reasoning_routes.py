"""Questions over HTTP: begun, waited for, looked at; here without a model, by parser and templates."""

from __future__ import annotations

import time
from typing import Any

from serving import Running


def test_a_question_is_worked_on_and_its_steps_can_be_read(service: Running) -> None:
    body: dict[str, Any] = {"question": "Is the data good?", "wait": True}
    done = service.http.post("/reasoning", json=body, timeout=60)
    assert done.status_code == 200, done.text
    run = done.json()
    assert run["state"] == "done"
    assert [step["kind"] for step in run["steps"]] == ["think", "observe"]
    assert run["steps"][1]["document"]["operation"] == "etl.validate"
    assert run["answer"]["by"] == "templates"
    again = service.http.get(f"/reasoning/{run['run_id']}").json()
    assert again == run


def test_without_waiting_the_address_is_given_and_the_work_goes_on(service: Running) -> None:
    begun = service.http.post("/reasoning", json={"question": "What is outside your field?"})
    assert begun.status_code == 202
    address = begun.headers["location"]
    end = time.monotonic() + 20
    while service.http.get(address).json()["state"] != "done":
        assert time.monotonic() < end
        time.sleep(0.05)
    assert service.http.get(address).json()["answer"]["text"]


def test_a_question_is_its_users_own_and_can_be_forgotten(service: Running) -> None:
    body = {"question": "Is the data good?", "user": "anna", "wait": True}
    run = service.http.post("/reasoning", json=body, timeout=60).json()
    address = f"/reasoning/{run['run_id']}"
    for way in (service.http.get, service.http.delete):
        assert way(address).status_code == 404
        assert way(address, params={"user": "berta"}).status_code == 404
    assert service.http.get(address, params={"user": "anna"}).json() == run
    assert service.http.delete(address, params={"user": "anna"}).status_code == 204
    assert service.http.get(address, params={"user": "anna"}).status_code == 404
    assert service.http.delete(address, params={"user": "anna"}).status_code == 404


def test_what_does_not_fit_is_said(service: Running) -> None:
    assert service.http.get("/reasoning/none-such").status_code == 404
    assert service.http.post("/reasoning", json={"question": ""}).status_code == 422
    wrong = service.http.post("/reasoning", json={"question": "x", "most_runs": 1000})
    assert wrong.status_code == 422


def test_advice_that_nobody_can_give_is_said_on_the_decision(service: Running) -> None:
    body = {
        "situation": {"plant_mode": "steady", "market": {"new_report": True}},
        "dry_run": True,
        "advise": True,
    }
    decision = service.http.post("/orchestrate", json=body).json()["decision"]
    assert decision["decided_by"] == "policy"
    assert decision["advice"] is None
    assert any("language model" in note for note in decision["notes"])
