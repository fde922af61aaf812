"""``/documents`` of a real service."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
from serving import Running

TEXT = "# Flare\n\n## Purge\n\nKeep the purge gas at 30 m3/h.\n"


def post(service: Running, name: str, content: bytes, **more: Any) -> httpx.Response:
    body = {"name": name, "content": base64.b64encode(content).decode(), "by": "ann", **more}
    return service.http.post("/documents", json=body)


def test_a_document_is_added_found_changed_and_removed(service: Running) -> None:
    added = post(service, "flare.md", TEXT.encode())
    assert added.status_code == 201
    assert added.json()["change"] == "added"
    same = post(service, "flare.md", TEXT.encode())
    assert (same.status_code, same.json()["change"]) == (200, "unchanged")
    found = service.http.get("/documents/search", params={"q": "purge gas?"}).json()
    assert found["passages"][0]["text"] == TEXT.rstrip()
    assert found["passages"][0]["citation"] == "flare.md, Flare › Purge, lines 1–5"
    identity = added.json()["id"]
    assert service.http.get(f"/documents/{identity}").json()["name"] == "flare.md"
    assert [d["id"] for d in service.http.get("/documents").json()["items"]] == [identity]
    gone = service.http.delete(f"/documents/{identity}", params={"by": "ann"})
    assert gone.json()["name"] == "flare.md"
    assert service.http.get("/documents").json()["items"] == []
    assert service.http.get(f"/documents/{identity}").status_code == 404
    again = service.http.delete(f"/documents/{identity}", params={"by": "ann"})
    assert again.status_code == 404


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"q": '"" * -'}, 422, "no word"),
        ({"q": ""}, 422, "q"),
        ({}, 422, "q"),
        ({"q": "gas", "limit": 500}, 422, "limit"),
        ({"q": "gas", "sort": "date"}, 422, "sort"),
    ],
)
def test_a_search_that_cannot_be_done_says_why(
    service: Running, query: dict[str, Any], status: int, words: str
) -> None:
    answer = service.http.get("/documents/search", params=query)
    assert answer.status_code == status
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"", 400, "empty"),
        (b"\x00\x01\x02", 400, "NUL"),
        ("Печь".encode("cp1251"), 400, "UTF-8"),
        (b"%PDF-1.7 nothing", 400, "damaged"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(
    service: Running, content: bytes, status: int, words: str
) -> None:
    answer = post(service, "bad.txt", content)
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert answer.json()["where"] == "bad.txt"


def test_content_that_is_not_base64_is_refused(service: Running) -> None:
    answer = service.http.post("/documents", json={"name": "a.md", "content": "no base64!"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "content"
