"""Decisions, feedback, alerts, mode, status, probes: what the API shows of what is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from serving import Running


def decide(service: Running, **situation: object) -> str:
    body = {"situation": situation, "dry_run": True}
    identity: str = service.http.post("/orchestrate", json=body).json()["decision"]["id"]
    return identity


def test_pages_hold_every_decision_once_while_new_ones_come(service: Running) -> None:
    ids = [decide(service) for _ in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = service.http.get("/decisions", params=query).json()
        seen += [item["id"] for item in page["items"]]
        decide(service)
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert [identity for identity in seen if identity in ids] == ids[::-1]


def test_decisions_are_filtered(service: Running) -> None:
    quiet = decide(service, plant_mode="shutdown")
    firing = decide(service, market={"new_report": True})
    items = service.http.get("/decisions", params={"operation": "analysis.market"}).json()["items"]
    listed = [item["id"] for item in items]
    assert firing in listed
    assert quiet not in listed
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert service.http.get("/decisions", params={"since": later}).json()["items"] == []


def test_analytics_count_what_was_decided(service: Running) -> None:
    before = service.http.get("/decisions/analytics").json()["decisions"]
    decide(service)
    assert service.http.get("/decisions/analytics").json()["decisions"] != before
    wrong = {"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    assert service.http.get("/decisions/analytics", params=wrong).status_code == 422


def test_feedback_is_kept_with_its_decision(service: Running) -> None:
    identity = decide(service)
    body = {"verdict": "right", "benefit_usd": 1200.5, "comment": "it held", "author": "shift B"}
    given = service.http.post(f"/decisions/{identity}/feedback", json=body)
    assert given.status_code == 201
    trail = service.http.get(f"/decisions/{identity}").json()
    assert [f["author"] for f in trail["feedback"]] == ["shift B"]
    assert trail["feedback"][0]["benefit_usd"] == 1200.5
    unknown = service.http.post("/decisions/none/feedback", json={"verdict": "right"})
    assert unknown.status_code == 404
    wrong = service.http.post(f"/decisions/{identity}/feedback", json={"verdict": "splendid"})
    assert wrong.status_code == 422
    assert "verdict" in wrong.json()["detail"]


def test_an_alert_is_acknowledged_once_by_name(service: Running) -> None:
    answer = service.http.post("/alerts/alert-0/acknowledge", json={"by": "panel 3"})
    assert answer.status_code == 200
    assert answer.json()["state"] == "acknowledged"
    assert service.http.get("/alerts/alert-0").json()["acknowledged_by"] == "panel 3"


@pytest.mark.parametrize(
    ("how", "back", "state"),
    [
        ("suppress", "unsuppress", "suppressed_by_design"),
        ("remove-from-service", "return-to-service", "out_of_service"),
    ],
)
def test_an_alert_is_withheld_with_a_reason_and_given_back(
    service: Running, how: str, back: str, state: str
) -> None:
    path = "/alerts/alert-1"
    assert service.http.post(f"{path}/{how}", json={"by": "panel 3"}).status_code == 422
    withheld = service.http.post(
        f"{path}/{how}", json={"reason": "pump is stopped", "by": "panel 3"}
    ).json()
    assert (withheld["state"], withheld["shelve_reason"]) == (state, "pump is stopped")
    listed = service.http.get("/alerts", params={"state": state}).json()["items"]
    assert [item["id"] for item in listed] == ["alert-1"]
    again = service.http.post(f"{path}/{back}", json={"by": "panel 3"})
    assert again.json()["state"] in ("unacknowledged", "normal")
    assert service.http.post(f"{path}/{back}", json={}).status_code == 409


def test_a_shelved_alert_has_a_reason_and_an_end_and_comes_back(service: Running) -> None:
    shelved = service.http.post(
        "/alerts/alert-1/shelve", json={"reason": "transmitter in repair", "minutes": 60}
    )
    assert shelved.status_code == 200
    assert shelved.json()["state"] == "shelved"
    assert shelved.json()["shelve_reason"] == "transmitter in repair"
    until = datetime.fromisoformat(shelved.json()["shelved_until"])
    assert timedelta(minutes=59) < until - datetime.now(UTC) < timedelta(minutes=61)
    back = service.http.post("/alerts/alert-1/unshelve", json={})
    assert back.json()["state"] != "shelved"
    assert back.json()["shelved_until"] is None


def test_shelving_without_reason_or_end_or_into_the_past_is_refused(service: Running) -> None:
    for body, said in (
        ({"minutes": 10}, "reason"),
        ({"reason": "x"}, "exactly one"),
        ({"reason": "x", "minutes": 5, "until": "2030-01-01T00:00:00Z"}, "exactly one"),
        ({"reason": "x", "until": "2020-01-01T00:00:00Z"}, "not after"),
        ({"reason": "x", "until": "2030-01-01T00:00:00"}, "until"),
    ):
        answer = service.http.post("/alerts/alert-2/shelve", json=body)
        assert answer.status_code == 422, body
        assert said in answer.json()["detail"]
    assert service.http.get("/alerts/alert-2").json()["state"] == "unacknowledged"


def test_alerts_are_filtered(service: Running) -> None:
    everyone = service.http.get("/alerts", params={"open": True, "severity": "high"}).json()
    assert {alert["id"] for alert in everyone["items"]} == {"alert-0", "alert-1", "alert-2"}
    assert service.http.get("/alerts", params={"kind": "drift"}).json()["items"] == []


def test_the_operator_sets_the_mode_and_gives_it_back(service: Running) -> None:
    assert service.http.get("/mode").json() == {"mode": None, "source": "assessment"}
    put = service.http.put("/mode", json={"mode": "startup", "by": "shift A"})
    assert put.json() == {"mode": "startup", "source": "operator"}
    decision = service.http.post("/orchestrate", json={"dry_run": True}).json()["decision"]
    trail = service.http.get(f"/decisions/{decision['id']}").json()
    assert trail["situation"]["plant_mode"] == "startup"
    back = service.http.put("/mode", json={"mode": None})
    assert back.json() == {"mode": None, "source": "assessment"}
    assert service.http.put("/mode", json={"mode": "holiday"}).status_code == 422


def test_status_says_how_every_part_is_and_why_there_is_no_model(service: Running) -> None:
    status = service.http.get("/status").json()
    assert status["status"] == "ok"
    assert status["parts"]["database"]["ok"] is True
    assert status["model"]["usable"] is False
    assert "api_key" in status["model"]["note"]
    assert status["service"]["url"] == service.url
    assert set(status["modules"]) >= {"etl", "forecasting", "analysis", "optimization"}


def test_probes_answer(service: Running) -> None:
    health = service.http.get("/healthz").json()
    assert health["status"] == "ok"
    assert health["instance"] == service.app.state.service.instance
    ready = service.http.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["parts"]["loop"] == "none"


def test_metrics_count_requests_by_route_not_by_path(service: Running) -> None:
    identity = decide(service)
    service.http.get(f"/decisions/{identity}")
    text = service.http.get("/metrics").text
    assert 'route="/decisions/{decision_id}"' in text
    assert 'dan_g_http_requests_total{method="POST",route="/orchestrate",status="200"}' in text
    assert identity not in text
    assert 'dan_g_events_total{kind="decision"' in text


def test_openapi_describes_every_body_and_resolves_every_reference(service: Running) -> None:
    document = service.http.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    references = []

    def collect(node: object) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                references.append(node["$ref"])
            for value in node.values():
                collect(value)
        elif isinstance(node, list):
            for value in node:
                collect(value)

    collect(document)
    assert {ref.rpartition("/")[2] for ref in references} <= set(schemas)
    body = document["paths"]["/orchestrate"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"]["$ref"].endswith("/OrchestrateRequest")
    assert service.http.get("/docs").status_code == 200


def test_the_home_announces_the_service(service: Running) -> None:
    from orchestrator.core.home import Home

    owner = Home(service.orchestrator.home.path).service()
    assert owner is not None
    assert owner.url == service.url
