"""``POST /orchestrate``: decisions over HTTP are those of the engine, stored, and start their jobs."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from serving import Running

from orchestrator.core.decision_engine import DecisionEngine
from orchestrator.core.situation import Situation

EXAMPLES = Path(__file__).parents[2].parent / "shared/cases/selection/situations_examples.jsonl"
FIRES = {
    "plant_mode": "steady",
    "data_quality": {"score": 0.97},
    "kpis": {"margin_change_pct": -3.0},
}
DIFFERS = ("id", "created_at", "latency_ms")


def test_a_given_situation_is_decided_as_the_engine_decides_it(service: Running) -> None:
    answer = service.http.post("/orchestrate", json={"situation": FIRES, "dry_run": True})
    assert answer.status_code == 200
    orchestrator = service.orchestrator
    engine = DecisionEngine(orchestrator.settings, orchestrator.registry)
    expected = engine.decide(Situation.model_validate(FIRES), dry_run=True).model_dump(mode="json")
    decision = answer.json()["decision"]
    for name in DIFFERS:
        decision.pop(name), expected.pop(name)
    assert decision == expected
    assert answer.json()["jobs"] == []


def test_all_examples_are_selected_right_over_http(service: Running) -> None:
    if not EXAMPLES.exists():
        pytest.skip(f"reference data is absent: {EXAMPLES}")
    wrong = []
    for line in EXAMPLES.read_text().splitlines():
        case = json.loads(line)
        body = {"situation": case["situation"], "dry_run": True}
        actions = service.http.post("/orchestrate", json=body).json()["decision"]["actions"]
        selected = {f"{a['module']}.{a['operation']}" for a in actions}
        expected = set(case["expected"])
        if not expected <= selected <= expected | set(case["allowed"]):
            wrong.append((case["id"], sorted(selected), case["expected"]))
    assert wrong == []


def test_a_dry_run_is_stored_and_marked_and_runs_nothing(service: Running) -> None:
    answer = service.http.post("/orchestrate", json={"situation": FIRES, "dry_run": True}).json()
    trail = service.http.get(f"/decisions/{answer['decision']['id']}").json()
    assert trail["decision"]["dry_run"] is True
    assert trail["decision"]["actions"] != []
    assert trail["jobs"] == []
    assert trail["situation"] == FIRES


def test_without_dry_run_the_actions_become_jobs_and_the_answer_does_not_wait(
    service: Running,
) -> None:
    answer = service.http.post("/orchestrate", json={"situation": FIRES}).json()
    decision, jobs = answer["decision"], answer["jobs"]
    names = [f"{a['module']}.{a['operation']}" for a in decision["actions"]]
    assert [f"{job['module']}.{job['operation']}" for job in jobs] == names
    assert names != []
    for job in jobs:
        service.on_loop(service.orchestrator.coordinator.wait(job["id"], 60))
        shown = service.http.get(f"/jobs/{job['id']}").json()
        assert shown["decision_id"] == decision["id"]
        assert shown["status"] in ("succeeded", "failed")
    trail = service.http.get(f"/decisions/{decision['id']}").json()
    assert {job["id"] for job in trail["jobs"]} == {job["id"] for job in jobs}


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_an_empty_request_decides_on_the_live_situation(service: Running, body: bytes) -> None:
    answer = service.http.post("/orchestrate", content=body)
    assert answer.status_code == 200
    assert answer.json()["decision"]["decided_by"] == "policy"


def test_words_are_interpreted_and_a_session_is_kept(service: Running) -> None:
    body = {"query": "reconcile the mass balance", "session_id": "s-1", "dry_run": True}
    decision = service.http.post("/orchestrate", json=body).json()["decision"]
    assert decision["interpretation"]["operations"] == ["etl.reconcile"]
    page = service.http.get("/decisions", params={"session_id": "s-1"}).json()
    assert [item["id"] for item in page["items"]] == [decision["id"]]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b'{"situation": ', 400, "line 1"),
        (b"\xff\xfe", 400, "JSON"),
        (b'{"situation": {"kpis": {"margin_change_pct": NaN}}}', 400, "NaN is not a JSON number"),
        (b'{"situation": {"site": {"x": -Infinity}}}', 400, "-Infinity is not a JSON number"),
        (b'{"situation": {"site": 1e999}}', 400, "1e999 is not a JSON number"),
        (b'{"situation": {"site": 1E+0400}}', 400, "1E+0400 is not a JSON number"),
        (b"[" * 5000, 400, "JSON"),
        (b'{"situation": {"plant_mode": "steddy"}}', 422, "situation.plant_mode"),
        (b'{"situation": {"timestamp": "2026-03-01T06:00:00"}}', 422, "time zone"),
        (b'{"situaton": {}}', 422, "situaton: unknown field"),
        (b'{"dry_run": "perhaps"}', 422, "dry_run"),
        (b'{"query": ""}', 422, "query"),
        (b"[]", 422, "object"),
    ],
)
def test_a_bad_body_is_refused_with_the_place_and_the_reason(
    service: Running, body: bytes, status: int, said: str
) -> None:
    answer = service.http.post("/orchestrate", content=body)
    problem = answer.json()
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in problem["detail"]
    assert problem["status"] == status
    assert problem["instance"] == "/orchestrate"
    assert problem["request_id"] == answer.headers["x-request-id"]


def test_numbers_that_only_look_overflowing_are_accepted(service: Running) -> None:
    note = 'NaN and Infinity and 1e999 in words, and "quoted"'
    situation = {"site": {"note": note, "large": 1e300, "small": 1e-300}}
    answer = service.http.post("/orchestrate", json={"situation": situation, "dry_run": True})
    assert answer.status_code == 200


def test_sixteen_clients_at_once_all_get_their_own_decision_stored(service: Running) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def ask(number: int) -> tuple[str, float]:
        situation = {"kpis": {"throughput_pct": float(number)}}
        with httpx.Client(base_url=service.url, trust_env=False) as http:
            body = {"situation": situation, "dry_run": True}
            return http.post("/orchestrate", json=body).json()["decision"]["id"], float(number)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(64)))
    assert len({identity for identity, _ in answers}) == 64
    for identity, throughput in answers:
        trail = service.http.get(f"/decisions/{identity}").json()
        assert trail["situation"]["kpis"]["throughput_pct"] == throughput
