"""Recommendations and the operator agent over HTTP, on the simulated unit with writing enabled."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from serving import Running, registry, serving, settings_for

from orchestrator.config import Settings
from orchestrator.core.orchestrator import Orchestrator
from orchestrator.plant.twin.scenario import Scenario
from orchestrator.plant.twin.source import TwinSource

LIMITS = {"max_rate": 4, "max_move": 60, "max_cumulative": 400, "tolerance": 0.2}
PLANT = {
    "source": {"kind": "twin", "speed": 600},
    "write_enabled": True,
    "write": {
        "tags": {
            "FC211_SP": {"hard": [460, 580], **LIMITS},
            "FC221_SP": {"hard": [350, 450], "two_person": True, **LIMITS},
        },
        "modes_under_way": ["steady", "transient"],
    },
}
FAR = {"low": 400, "high": 700, "max_rate": 9, "max_move": 99}
NEAR = {"low": 500, "high": 560, "max_rate": 2, "max_move": 10}


async def open_quiet(settings: Settings) -> Orchestrator:
    scenario = Scenario(name="quiet", warm_up_hours=12.0, price_history_days=0)
    source = TwinSource(scenario, seed=1)
    return await Orchestrator.open(settings, source=source, registry=registry())


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service over the simulated unit, whose loop runs ten plant minutes a second."""
    settings = settings_for(
        tmp_path_factory.mktemp("home"),
        plant=PLANT,
        operator={"mode": "supervised", "settle_minutes": 20.0, "measure_minutes": 10.0},
    )
    # Nothing but these tests proposes anything.
    quiet = settings.with_changes(decision_engine={"triggers": ()})
    with serving(quiet, orchestrator_factory=open_quiet, run_loop=True) as running:
        give_up = time.monotonic() + 100
        while running.orchestrator.assessor.plant_mode() != "steady":
            assert time.monotonic() < give_up, "the simulated unit did not become steady"
            time.sleep(0.1)
        yield running


def offer(plant: Running, tag: str, by: float, **more: Any) -> dict[str, Any]:
    """A recommendation to move one handle, as an operation proposes it."""
    operator = plant.orchestrator.operator
    now = plant.orchestrator.source.set_points[tag]
    content = {
        "moves": [{"tag": tag, "from": now, "to": now + by, "unit": "t/h"}],
        "worth_usd_per_day": 100.0,
        "limits_touched": [],
        "expected_response": {},
        "summary": f"move {tag}",
        "evidence": [],
        "risk": "a test",
        **more,
    }
    record = plant.on_loop(operator.take(content, None))
    shown: dict[str, Any] = plant.http.get(f"/recommendations/{record.id}").json()
    return shown


def until(plant: Running, id_: str, *states: str) -> dict[str, Any]:
    give_up = time.monotonic() + 60
    while True:
        shown: dict[str, Any] = plant.http.get(f"/recommendations/{id_}").json()
        if shown["state"] in states:
            return shown
        assert time.monotonic() < give_up, [t["reason"] for t in shown["trail"]]
        time.sleep(0.1)


def test_an_approved_recommendation_moves_the_unit_and_is_taken_back_on_request(
    plant: Running,
) -> None:
    heard: list[dict[str, Any]] = []
    ready = threading.Event()

    def listen() -> None:
        with plant.http.stream("GET", "/events", params={"kind": "recommendation"}) as stream:
            for line in stream.iter_lines():
                ready.set()
                if line.startswith("data:"):
                    heard.append(json.loads(line[5:]))
                    if heard[-1]["event"] == "rolled_back":
                        return

    listener = threading.Thread(target=listen)
    listener.start()
    assert ready.wait(10)
    shown = offer(plant, "FC211_SP", 10.0)
    path = f"/recommendations/{shown['id']}"
    assert shown["state"] == "awaiting_approval", shown["trail"]
    assert shown["verdict"]["outcome"] == "allowed"
    assert shown["verdict"]["checks"]
    listed = plant.http.get("/recommendations", params={"state": "awaiting_approval"}).json()
    assert [item["id"] for item in listed["items"]] == [shown["id"]]
    assert plant.http.get("/recommendations", params={"state": "good"}).status_code == 422

    wrong = plant.http.post(f"{path}/approve", json={"by": "Anna", "digest": "0" * 64})
    assert wrong.status_code == 409
    assert wrong.json()["type"].endswith(":conflict")
    nobody = plant.http.post(f"{path}/approve", json={"by": "system", "digest": shown["digest"]})
    assert nobody.status_code == 422
    assert nobody.json()["errors"][0]["field"] == "by"
    assert plant.http.post(f"{path}/approve", json={"digest": shown["digest"]}).status_code == 422

    body = {"by": "Anna", "digest": shown["digest"], "comment": "agreed"}
    key = {"Idempotency-Key": "approve-once"}
    first = plant.http.post(f"{path}/approve", json=body, headers=key)
    again = plant.http.post(f"{path}/approve", json=body, headers=key)
    assert (first.status_code, again.json()) == (200, first.json())
    assert len(first.json()["approvals"]) == 1

    done = until(plant, shown["id"], "verifying", "completed", "held")
    assert done["state"] != "held", done["trail"][-1]
    assert [write["state"] for write in done["writes"]] == ["done"] * len(done["steps"])
    assert done["writes"][-1]["value"] == pytest.approx(shown["document"]["moves"][0]["to"])
    assert done["writes"][0]["approvers"] == ["Anna"]
    until(plant, shown["id"], "completed")
    back = plant.http.post(f"{path}/rollback", json={"by": "Berta", "reason": "an exercise"})
    assert back.json()["state"] == "rolling_back"
    until(plant, shown["id"], "rolled_back")
    now = plant.orchestrator.source.set_points["FC211_SP"]
    assert now == pytest.approx(shown["document"]["moves"][0]["from"])
    listener.join(10)
    assert [event["event"] for event in heard] == [
        "propose",
        "offer",
        "approve",
        "begin",
        "applied",
        "verified",
        "roll_back",
        "rolled_back",
    ]


def test_two_persons_approve_where_the_site_wants_two(plant: Running) -> None:
    shown = offer(plant, "FC221_SP", 4.0)
    path = f"/recommendations/{shown['id']}"
    assert shown["verdict"]["outcome"] == "second_person"
    one = plant.http.post(f"{path}/approve", json={"by": "Anna", "digest": shown["digest"]})
    assert one.json()["state"] == "awaiting_second_approval"
    same = plant.http.post(f"{path}/approve", json={"by": "anna ", "digest": shown["digest"]})
    assert same.status_code == 409
    two = plant.http.post(f"{path}/approve", json={"by": "Berta", "digest": shown["digest"]})
    assert two.json()["state"] in ("approved", "applying", "verifying")
    shown = until(plant, shown["id"], "verifying", "completed")
    assert shown["writes"][0]["approvers"] == ["Anna", "Berta"]
    until(plant, shown["id"], "completed")


def test_a_rejection_has_a_reason_and_is_final(plant: Running) -> None:
    shown = offer(plant, "FC211_SP", 5.0)
    path = f"/recommendations/{shown['id']}/reject"
    assert plant.http.post(path, json={"by": "Anna"}).status_code == 422
    done = plant.http.post(path, json={"by": "Anna", "reason": "pump is on test"}).json()
    assert (done["state"], done["trail"][-1]["reason"]) == ("rejected", "pump is on test")
    assert plant.http.post(path, json={"by": "Anna", "reason": "again"}).status_code == 409
    assert plant.http.get("/recommendations/none").status_code == 404


def test_what_the_safety_agent_vetoes_is_never_offered(plant: Running) -> None:
    shown = offer(plant, "FC211_SP", 75.0)
    assert shown["state"] == "vetoed"
    codes = {item["code"] for item in shown["verdict"]["findings"]}
    assert {"hard-limit", "max-move"} <= codes
    off_the_list = offer(plant, "TC130_SP", 0.5)
    assert off_the_list["state"] == "vetoed"


def test_grants_are_tighter_than_the_envelope_and_end(plant: Running) -> None:
    body = {"by": "Anna", "tags": {"FC211_SP": FAR}, "minutes": 30, "max_moves": 5}
    wide = plant.http.post("/operator/grants", json=body)
    assert wide.status_code == 422
    assert "wider than the envelope" in wide.json()["detail"]
    both = {**body, "tags": {"FC211_SP": NEAR}, "until": "2030-01-01T00:00:00Z"}
    assert plant.http.post("/operator/grants", json=both).status_code == 422
    given = plant.http.post("/operator/grants", json={**body, "tags": {"FC211_SP": NEAR}})
    assert given.status_code == 201
    id_ = given.json()["id"]
    assert [g["id"] for g in plant.http.get("/operator").json()["grants"]] == [id_]
    revoked = plant.http.post(f"/operator/grants/{id_}/revoke", json={"by": "Berta"})
    assert revoked.json()["revoked_by"] == "Berta"
    assert plant.http.get("/operator").json()["grants"] == []
    missing = plant.http.post("/operator/grants/none/revoke", json={"by": "Berta"})
    assert missing.status_code == 404


def test_the_stop_and_the_mode(plant: Running) -> None:
    shown = offer(plant, "FC211_SP", 6.0)
    path = f"/recommendations/{shown['id']}"
    stopped = plant.http.post("/operator/stop", json={"by": "Berta", "reason": "a drill"}).json()
    assert (stopped["stop"]["by"], stopped["stop"]["why"]) == ("Berta", "a drill")
    body = {"by": "Anna", "digest": shown["digest"]}
    held = plant.http.post(f"{path}/approve", json=body)
    assert held.status_code == 409
    assert held.json()["type"].endswith(":unsafe")
    assert plant.http.post("/operator/release", json={"by": " "}).status_code == 422
    released = plant.http.post("/operator/release", json={"by": "Berta"}).json()
    assert released["stop"] is None
    advisory = plant.http.post("/operator/mode", json={"mode": "advisory", "by": "Berta"}).json()
    assert (advisory["mode"], advisory["mode_set_by"]) == ("advisory", "Berta")
    given = plant.http.post(f"{path}/approve", json=body).json()
    assert given["trail"][-1]["reason"] == "advisory: to be done by hand"
    assert given["writes"] == []
    assert plant.http.post("/operator/mode", json={"mode": "wild", "by": "B"}).status_code == 422
    plant.http.post("/operator/mode", json={"mode": "supervised", "by": "Berta"})
    assert plant.http.get(path).json()["state"] == "approved"
