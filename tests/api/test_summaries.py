"""Summaries of a shift and a day: what is on record, each statement with its evidence, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import Running, an_alert, serving, settings_for

from orchestrator.chat_settings import ChatSettings
from orchestrator.llm.summaries import window_of
from orchestrator.plant.samples import Quality, SampleBlock
from orchestrator.state.records import (
    DecisionRecord,
    JobRecord,
    OutcomeRecord,
    RecommendationRecord,
)

DAY = datetime(2026, 2, 10, tzinfo=UTC)
PLANT = Path(__file__).parents[2] / "orchestrator" / "plant" / "twin" / "plant.yaml"
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("summary")
    chat = {"timezone": "Europe/Berlin"}
    with serving(settings_for(home, plant={"file": PLANT}, chat=chat)) as running:
        running.on_loop(fill(running))
        yield running


async def fill(service: Running) -> None:
    """An alert, a decision with a forecast, a recommendation and samples on 10 February 2026."""
    store = service.orchestrator.store
    alert = an_alert("alert-1").record()
    await store.alerts.upsert(replace(alert, started_at=DAY + 9 * HOUR))
    document = {
        "actions": [{"module": "forecasting", "operation": "forecast"}],
        "triggers": [{"name": "margin-falls", "because": "margin change -3 % (<= -2 %)"}],
        "refused": [],
    }
    situation = {"data_quality": {"score": 0.91, "stale_tags": 2}}
    decision = DecisionRecord(
        "decision-1", DAY + 9 * HOUR, "policy", 0.9, "1", "", False, document, situation
    )
    job = JobRecord(
        "job-1", "decision-1", "forecasting", "forecast", 5, False, (), {}, DAY + 9 * HOUR
    )
    await store.decisions.add(decision, [job])
    points = [
        {
            "target": "FI101",
            "time": f"2026-02-10T{hour:02d}:00:00Z",
            "mean": 600.0,
            "quantiles": {"0.1": 597.0, "0.9": 603.0},
        }
        for hour in range(10, 18)
    ]
    result = {
        "summary": "1 tag forecast 8 h ahead.",
        "forecasts": points,
        "models": {"FI101": {"unit": "t/h"}},
        "period_seconds": 3600.0,
    }
    await store.outcomes.record(
        OutcomeRecord(
            "job-1",
            "decision-1",
            "forecasting",
            "forecast",
            "succeeded",
            2.0,
            1,
            DAY + 9 * HOUR,
            result,
        )
    )
    await store.recommendations.add(
        RecommendationRecord(
            "r-1", None, DAY + 10 * HOUR, DAY + 12 * HOUR, "proposed", "ab",
            {"summary": "Move FC101_SP 600 to 612 t/h.", "worth_usd_per_day": 9400.0},
        )
    )  # fmt: skip
    begin = np.datetime64("2026-02-10T00:00", "us")
    times = begin + np.arange(24 * 60) * np.timedelta64(60, "s")
    flow = np.where(np.arange(24 * 60) < 14 * 60, 601.0, 610.0)
    price = np.linspace(75.0, 78.0, 24 * 60)
    values = np.column_stack([flow, price])
    quality = np.full(values.shape, Quality.GOOD, np.uint8)
    service.orchestrator.historian.append(
        SampleBlock(("FI101", "PR_CRUDE"), times, values, quality)
    )
    earlier = begin - np.timedelta64(6, "h")
    service.orchestrator.historian.append(
        SampleBlock(("PR_CRUDE",), np.array([earlier]), np.array([[74.0]]), np.full((1, 1), Quality.GOOD, np.uint8))
    )  # fmt: skip


def summary(service: Running, span: str, at: str) -> dict[str, dict[str, Any]]:
    answer = service.http.get(f"/summaries/{span}", params={"at": at})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    return {"head": document, **{section["name"]: section for section in document["sections"]}}


def text(section: dict[str, Any]) -> str:
    return "\n".join(statement["text"] for statement in section["statements"])


def test_a_day_tells_what_is_on_record_with_evidence(service: Running) -> None:
    told = summary(service, "day", "2026-02-10T12:00:00Z")
    assert told["head"]["start"] == "2026-02-09T23:00:00Z"  # midnight of the site
    assert told["head"]["complete"] is True
    assert "1 raised: 1 high." in text(told["raised"])
    assert "11TI042 is above its limit" in text(told["standing"])
    assert told["raised"]["statements"][1]["evidence"][0]["ref"] == "alert-1"
    assert "1 decisions ran something (1 by policy)" in text(told["decisions"])
    assert "margin change -3 %" in text(told["decisions"])
    assert "1 tag forecast 8 h ahead." in text(told["decisions"])
    assert "Move FC101_SP 600 to 612 t/h." in text(told["recommendations"])
    assert "Now proposed." in text(told["recommendations"])
    assert "91 % at the last decision" in text(told["quality"])
    assert told["writes"]["empty"] is True
    assert text(told["writes"]) == "Nothing was written to the plant."
    for name, section in told.items():
        if name != "head" and not section["empty"]:
            assert all(statement["evidence"] for statement in section["statements"])


def test_forecasts_are_held_against_what_was_measured(service: Running) -> None:
    told = summary(service, "day", "2026-02-10T12:00:00Z")
    (statement,) = told["forecasts"]["statements"]
    facts = {(e["subject"], e["what"]): e["value"] for e in statement["evidence"]}
    # Four hours 1 t/h off, inside; four hours 10 t/h off, outside.
    assert facts["FI101", "mean absolute error"] == pytest.approx(5.5)
    assert facts["FI101", "values compared"] == 8
    assert facts["FI101", "values inside the 80 % interval"] == 4
    assert facts["FI101", "measured"] == pytest.approx(610.0)


def test_the_market_moved_from_the_last_price_before(service: Running) -> None:
    told = summary(service, "day", "2026-02-10T12:00:00Z")
    (statement,) = told["market"]["statements"]
    facts = {e["what"]: e["value"] for e in statement["evidence"] if e["unit"] != "%"}
    assert facts["before"] == pytest.approx(74.0)
    assert facts["after"] == pytest.approx(78.0, abs=0.2)


def test_a_shift_without_anything_says_so_everywhere(service: Running) -> None:
    told = summary(service, "shift", "2026-01-10T12:00:00Z")
    assert (told["head"]["start"], told["head"]["end"]) == (
        "2026-01-10T05:00:00Z", "2026-01-10T13:00:00Z",
    )  # fmt: skip
    sections = [section for name, section in told.items() if name != "head"]
    assert all(section["empty"] for section in sections)
    assert all(len(section["statements"]) == 1 for section in sections)
    before = service.http.get(
        "/summaries/shift", params={"at": "2026-01-10T12:00:00Z", "previous": True}
    ).json()
    assert (before["start"], before["end"]) == ("2026-01-09T21:00:00Z", "2026-01-10T05:00:00Z")


def test_what_cannot_be_summed_up_is_refused(service: Running) -> None:
    assert service.http.get("/summaries/week").status_code == 422
    future = service.http.get("/summaries/day", params={"at": "2199-01-01T00:00:00Z"})
    assert future.status_code == 422
    assert "present time" in future.json()["detail"]


@pytest.mark.parametrize(
    ("span", "at", "start", "hours"),
    [
        ("day", "2026-03-29T12:00:00+00:00", "2026-03-28T23:00:00+00:00", 23),
        ("day", "2026-10-25T12:00:00+00:00", "2026-10-24T22:00:00+00:00", 25),
        ("shift", "2026-03-29T01:30:00+00:00", "2026-03-28T21:00:00+00:00", 7),
        ("shift", "2026-06-01T20:00:00+00:00", "2026-06-01T20:00:00+00:00", 8),
    ],
)
def test_shifts_and_days_are_the_sites_own(span: Any, at: str, start: str, hours: int) -> None:
    settings = ChatSettings(timezone="Europe/Berlin")
    window = window_of(span, datetime.fromisoformat(at), settings)
    assert window.start == datetime.fromisoformat(start)
    assert window.end - window.start == hours * HOUR


def test_a_zone_or_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        ChatSettings(timezone="Mars/Olympus")
    with pytest.raises(ValueError, match="no time of day"):
        ChatSettings(shift_starts=("6 am",))
