"""Every document spells times alike: ISO 8601 in UTC with ``Z``."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from serving import Running

from orchestrator.api.endpoints.events import encode
from orchestrator.clock import iso, json_default
from orchestrator.core.events import Event
from orchestrator.plant.samples import SampleBlock

OTHER_SPELLING = re.compile(r"\d\d:\d\d[\d.:]*[+-]\d\d:?\d\d|\d{4}-\d\d-\d\d \d\d:\d\d")
WITH_Z = re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"')


@pytest.mark.parametrize("path", ["/status", "/decisions", "/jobs", "/alerts", "/recommendations"])
def test_documents_spell_times_with_z(service: Running, path: str) -> None:
    block = SampleBlock(
        ("FI1",),
        np.array(["2026-03-01T06:00:00"], "datetime64[us]"),
        np.ones((1, 1)),
        np.zeros((1, 1), np.uint8),
    )
    service.orchestrator.historian.append(block)
    service.http.post("/orchestrate", json={"dry_run": True, "query": "what is FI1 now?"})
    service.http.post("/invoke/counting", json={"operation": "count", "wait": True})
    answer = service.http.get(path)
    assert answer.status_code == 200
    assert OTHER_SPELLING.findall(answer.text) == []
    if path != "/recommendations":
        assert WITH_Z.search(answer.text)


def test_events_spell_times_with_z_at_any_depth() -> None:
    at = datetime(2026, 3, 1, 6, tzinfo=UTC)
    text = encode(Event(sequence=1, kind="alert", at=at, payload={"alert": {"start": at}})).decode()
    document = json.loads(text.partition("data: ")[2])
    assert document["at"] == document["alert"]["start"] == "2026-03-01T06:00:00Z"


def test_a_time_of_another_zone_is_brought_to_utc() -> None:
    at = datetime(2026, 3, 1, 7, tzinfo=timezone(timedelta(hours=1)))
    assert iso(at) == json_default(at) == "2026-03-01T06:00:00Z"
