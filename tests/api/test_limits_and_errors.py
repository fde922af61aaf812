"""Large bodies, wrong routes and unforeseen errors end in a problem document, and harm nothing."""

from __future__ import annotations

import json
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from serving import Running

MEGABYTE = 1_000_000


def test_fifty_megabytes_are_refused_before_they_are_read(service: Running) -> None:
    process = psutil.Process()
    before = process.memory_info().rss
    address = urlsplit(service.url)
    with closing(HTTPConnection(address.hostname or "", address.port, timeout=10)) as connection:
        connection.putrequest("POST", "/orchestrate")
        connection.putheader("Content-Length", str(50 * MEGABYTE))
        connection.endheaders()  # and not a byte of the body
        answer = connection.getresponse()
        problem = json.loads(answer.read())
    assert answer.status == 413
    assert problem["type"] == "urn:dan-g:problem:payload-too-large"
    assert "50.0 MB is above the limit of 1 MB" in problem["detail"]
    assert process.memory_info().rss - before < 20 * MEGABYTE


def test_a_client_that_reads_only_after_sending_gets_the_answer_too(service: Running) -> None:
    request = urllib.request.Request(
        f"{service.url}/orchestrate", data=b"x" * (50 * MEGABYTE), method="POST"
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)
    assert caught.value.code == 413
    caught.value.close()


def test_a_page_of_another_site_cannot_change_anything(service: Running) -> None:
    foreign = {"Origin": "http://evil.example"}
    for method, path in (("POST", "/orchestrate"), ("PUT", "/mode"), ("POST", "/invoke/etl")):
        answer = service.http.request(method, path, json={}, headers=foreign)
        assert answer.status_code == 403, path
        assert answer.json()["type"] == "urn:dan-g:problem:foreign-origin"
    assert (
        service.http.post(
            "/orchestrate", json={"dry_run": True}, headers={"Sec-Fetch-Site": "cross-site"}
        ).status_code
        == 403
    )
    own = {"Origin": service.url, "Sec-Fetch-Site": "same-origin"}
    assert service.http.post("/orchestrate", json={"dry_run": True}, headers=own).status_code == 200
    assert service.http.get("/status", headers=foreign).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""]
)
def test_a_name_that_is_not_the_services_own_is_refused(
    service: Running, method: str, host: str
) -> None:
    answer = service.http.request(method, "/status", headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:dan-g:problem:foreign-host"
    assert "service.allowed_hosts" in answer.json()["remedy"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1:1", "[::1]:8000", "10.1.2.3", "LocalHost:99", "control.refinery.example"]
)
def test_addresses_localhost_and_configured_names_are_let_through(
    service: Running, host: str
) -> None:
    assert service.http.get("/healthz", headers={"Host": host}).status_code == 200


def test_a_client_that_sends_all_fifty_megabytes_still_reads_the_answer(service: Running) -> None:
    answer = service.http.post("/orchestrate", content=b"x" * (50 * MEGABYTE))
    assert answer.status_code == 413
    assert answer.json()["max_bytes"] == MEGABYTE


def test_a_chunked_body_is_refused_as_soon_as_it_is_too_large(service: Running) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(500):
            sent += 100_000
            yield b"x" * 100_000

    answer = service.http.post("/orchestrate", content=chunks())
    assert answer.status_code == 413
    assert answer.json()["title"] == "The request is too large"


def test_after_a_refused_body_the_service_answers_as_before(service: Running) -> None:
    service.http.post("/orchestrate", content=b"x" * (2 * MEGABYTE))
    assert service.http.post("/orchestrate", json={"dry_run": True}).status_code == 200


def test_a_content_length_that_is_no_number_is_refused(service: Running) -> None:
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(b"POST /orchestrate HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400")


def test_an_unknown_route_and_a_wrong_method_are_problems(service: Running) -> None:
    missing = service.http.get("/nowhere")
    assert missing.status_code == 404
    assert missing.json()["detail"].startswith("there is no /nowhere")
    wrong = service.http.get("/orchestrate")
    assert wrong.status_code == 405
    assert "POST" in wrong.headers["allow"]
    assert "use POST" in wrong.json()["detail"]
    assert wrong.headers["content-type"] == "application/problem+json"


def test_query_parameters_that_do_not_fit_are_named(service: Running) -> None:
    answer = service.http.get("/decisions", params={"limit": 0, "since": "yesterday"})
    assert answer.status_code == 422
    fields = {error["field"] for error in answer.json()["errors"]}
    assert fields == {"limit", "since"}


@pytest.mark.parametrize(
    "path", ["/decisions", "/alerts", "/recommendations", "/jobs", "/modules", "/status"]
)
def test_an_unknown_query_parameter_is_refused_with_those_that_are_known(
    service: Running, path: str
) -> None:
    answer = service.http.get(path, params={"modul": "etl"})
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["errors"] == [
        {"field": "modul", "message": "is not a known parameter", "type": "extra_forbidden"}
    ]
    accepted = "limit, cursor" if path not in ("/modules", "/status") else "no parameters"
    assert f"it accepts: {accepted}" in problem["remedy"]


def test_a_probe_may_be_called_with_any_parameter(service: Running) -> None:
    assert service.http.get("/healthz", params={"at": "1"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/orchestrate", {"dry_run": None}),
        ("/orchestrate", {"situation": {"kpis": {"margin_change_pct": "much"}}}),
        ("/invoke/etl", {"operation": "validate", "parameters": {"data": {"rows": True}}}),
        ("/invoke/etl", {"operation": "validate", "parameters": {"data": None, "x": True}}),
        ("/invoke/forecasting", {"operation": "forecast", "parameters": {"horizon": "x"}}),
        ("/alerts/alert-0/shelve", {"reason": "test"}),
        ("/alerts/alert-0/shelve", {"reason": "test", "until": "2020-01-01T00:00:00Z"}),
    ],
)
def test_every_validation_error_has_the_same_shape(
    service: Running, path: str, body: dict[str, Any]
) -> None:
    answer = service.http.post(path, json=body)
    assert answer.status_code == 422
    problem = answer.json()
    assert "fields" not in problem
    assert problem["errors"]
    for error in problem["errors"]:
        assert set(error) == {"field", "message", "type"}
    for inside in ("None", "True", "function-", "HistorianRange", "Input should", "+00:00"):
        assert inside not in answer.text
    assert problem["remedy"]
    assert "/docs" not in problem["remedy"]


def test_a_cursor_of_another_list_is_refused(service: Running) -> None:
    answer = service.http.get("/decisions", params={"cursor": "bogus"})
    assert answer.status_code == 422
    assert "cursor" in answer.json()["detail"]


def test_an_unforeseen_error_says_nothing_of_its_inside(service: Running) -> None:
    async def broken() -> None:
        raise RuntimeError("secret of the inside")

    service.app.add_api_route("/broken", broken)
    answer = service.http.get("/broken", headers={"x-request-id": "my-request"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.json()["request_id"] == "my-request"


def test_request_ids_are_kept_when_sane_and_made_when_not(service: Running) -> None:
    given = service.http.get("/healthz", headers={"x-request-id": "panel-7"})
    assert given.headers["x-request-id"] == "panel-7"
    strange = service.http.get("/healthz", headers={"x-request-id": "a b" * 200})
    assert re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]+", strange.headers["x-request-id"])


def test_half_a_request_does_not_hold_others_up(service: Running) -> None:
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(b"POST /orchestrate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        started = time.monotonic()
        assert service.http.get("/healthz").status_code == 200
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("path", ["/decisions/none", "/jobs/none", "/alerts/none", "/modules/none"])
def test_what_is_not_there_is_not_found(service: Running, path: str) -> None:
    answer = service.http.get(path)
    assert answer.status_code == 404
    assert "none" in answer.json()["detail"]
