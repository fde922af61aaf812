"""The same key and body have one effect and one answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from serving import Running

BODY = {"situation": {"plant_mode": "steady"}, "dry_run": True}


def post(http: httpx.Client, path: str, body: object, key: str) -> httpx.Response:
    return http.post(path, json=body, headers={"Idempotency-Key": key})


def test_a_repeated_decision_is_made_once(service: Running) -> None:
    first = post(service.http, "/orchestrate", BODY, "once")
    again = post(service.http, "/orchestrate", BODY, "once")
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers


def test_a_key_used_for_another_body_or_route_is_a_conflict(service: Running) -> None:
    post(service.http, "/orchestrate", BODY, "taken")
    other_body = post(service.http, "/orchestrate", {"dry_run": True}, "taken")
    other_route = post(service.http, "/invoke/etl", BODY, "taken")
    for answer in (other_body, other_route):
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:dan-g:problem:conflict"
        assert answer.json()["retryable"] is False


def test_a_refusal_leaves_the_key_free(service: Running) -> None:
    for _ in range(2):
        refused = post(service.http, "/orchestrate", {"query": 7}, "refused")
        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"
    assert post(service.http, "/orchestrate", BODY, "refused").status_code == 200


def test_requests_at_once_with_one_key_start_one_job(service: Running, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    body = {"operation": "count", "parameters": {"file": str(ledger)}, "wait": True}

    def invoke(_: int) -> httpx.Response:
        with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as http:
            return post(http, "/invoke/counting", body, "at-once")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(invoke, range(8)))
    done = [answer for answer in answers if answer.status_code == 200]
    waiting = [answer for answer in answers if answer.status_code == 409]
    assert len(done) + len(waiting) == 8
    assert len({answer.json()["job_id"] for answer in done}) == 1
    assert all(answer.json()["retryable"] for answer in waiting)
    assert len(ledger.read_text().splitlines()) == 1


def test_a_key_that_is_no_key_is_refused(service: Running) -> None:
    for key in ("", "a b", "x" * 300):
        answer = post(service.http, "/orchestrate", BODY, key)
        assert answer.status_code == 400
        assert "Idempotency-Key" in answer.json()["detail"]
