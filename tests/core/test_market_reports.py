"""New market reports by the calendar of releases: in the situation, in the loop, and in what then runs."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.config import Settings
from orchestrator.config_file import load_settings
from orchestrator.core.assessment import Assessor
from orchestrator.core.orchestrator import Orchestrator
from orchestrator.core.performance import Performance
from orchestrator.core.policy import shipped_policy
from orchestrator.errors import ConfigurationError
from orchestrator.modules.analysis.releases import Calendar, ReleaseOptions
from orchestrator.plant.tags import Plant
from orchestrator.plant.twin.scenario import load_scenario
from orchestrator.plant.twin.source import TwinSource

sys.path.insert(0, str(Path(__file__).parents[1] / "modules" / "analysis" / "support"))

from eia_server import KEY, DataSet, EiaServer

RELEASE = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)  # Wednesday 10:30 in New York
MINUTE = timedelta(minutes=1)
WEEKLY = Calendar(ReleaseOptions(reports=("eia-wpsr",)))


def new_reports(performance: Performance, *minutes: float) -> list[bool | None]:
    return [performance.market(RELEASE + m * MINUTE).get("new_report") for m in minutes]


def test_a_release_is_a_new_report_for_an_hour() -> None:
    performance = Performance(Plant(), WEEKLY)
    assert new_reports(performance, -1, 0, 59, 60) == [False, True, True, False]


def test_a_plant_that_is_assessed_seldom_misses_no_release() -> None:
    performance = Performance(Plant(), WEEKLY, timedelta(hours=8))
    assert new_reports(performance, -1, 479, 480) == [False, True, False]


def test_without_calendar_and_tag_nothing_is_said() -> None:
    assert new_reports(Performance(Plant()), 0) == [None]


def test_the_calendar_is_read_where_there_is_no_plant() -> None:
    assessor = Assessor(Plant(), None, calendar=WEEKLY)
    assert assessor.situation(RELEASE).market.new_report is True
    assert assessor.situation(RELEASE - MINUTE).market.new_report is False
    assert Assessor(Plant(), None).situation(RELEASE).market is None


def settings(tmp_path: Path, options: dict, *rules: dict) -> Settings:
    shipped = [rule.model_dump(exclude_none=True) for rule in shipped_policy().triggers]
    file = tmp_path / "site.yaml"
    document = {
        "orchestrator": {
            "modules": {"analysis": {"options": options}},
            "decision_engine": {"triggers": [*shipped, *rules]},
            "state": {"home": str(tmp_path / "home")},
        }
    }
    file.write_text(json.dumps(document, default=list), encoding="utf-8")
    return load_settings(file, environment={"EIA_API_KEY": KEY})


async def run_until(orchestrator: Orchestrator, until: datetime) -> None:
    task = asyncio.create_task(orchestrator.run())
    async with asyncio.timeout(60):
        while (orchestrator.loop.ended_at or datetime.min.replace(tzinfo=UTC)) < until:
            assert not task.done(), task
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_loop_acts_on_a_release_and_downloads_what_it_brought(tmp_path: Path) -> None:
    at = datetime(2026, 3, 3, 0, 10, tzinfo=UTC)
    route = "petroleum/stoc/wstk"
    update = {
        "name": "market-data",
        "family": "market",
        "when": "market.new_report == true",
        "operations": ["analysis.update"],
    }
    with EiaServer() as eia:
        eia.data[route] = DataSet("weekly", "MBBL", series={"WCESTUS1": {"2026-02-27": "439279"}})
        options = {
            "releases": {"dates": [{"name": "weekly report", "at": at.isoformat()}]},
            "eia": {
                "base_url": eia.url,
                "api_key": "${EIA_API_KEY}",
                "series": [{"route": route, "series": "WCESTUS1", "frequency": "weekly"}],
            },
        }
        scenario = load_scenario(None).model_copy(
            update={"warm_up_hours": 12.0, "price_history_days": 30}
        )
        async with await Orchestrator.open(
            settings(tmp_path, options, update), source=TwinSource(scenario, seed=1), lockstep=True
        ) as orchestrator:
            await run_until(orchestrator, at - 2 * MINUTE)
            assert (await orchestrator.situation()).market.new_report is False
            assert eia.asked == []
            # A second run of the loop goes on where this one was stopped.
            await run_until(orchestrator, at + 10 * MINUTE)
            assert (await orchestrator.situation()).market.new_report is True
            decisions = (await orchestrator.store.decisions.list()).items
            acted = [d for d in decisions if "market-data" in json.dumps(d.document)]
            jobs = (await orchestrator.store.jobs.list()).items
            outcomes = {
                f"{job.module}.{job.operation}": await orchestrator.store.outcomes.get(job.id)
                for job in jobs
            }
    assert acted
    done = outcomes["analysis.update"]
    assert (done.status, done.result["new"]) == ("succeeded", 1)
    assert outcomes["analysis.market"].status == "succeeded"
    assert [job.operation for job in jobs].count("update") == 1
    assert len(eia.asked) == 1
    home = tmp_path / "home"
    assert len(list((home / "modules" / "analysis" / "vintages").glob("*.parquet"))) == 1
    holding = [f for f in home.rglob("*") if f.is_file() and KEY.encode() in f.read_bytes()]
    assert holding == []


async def test_an_analysis_goes_on_where_its_update_failed(tmp_path: Path) -> None:
    both = {
        "name": "market-data",
        "family": "market",
        "when": "market.new_report == true",
        "operations": ["analysis.update", "analysis.market"],
    }
    day = datetime.now(UTC).date()
    prices = tmp_path / "prices.csv"
    rows = [f"{day - timedelta(days=n)},{60 + n}" for n in range(30, 0, -1)]
    prices.write_text("\n".join(["date,RWTC", *rows]), encoding="utf-8")
    now = datetime.now(UTC) - MINUTE
    options = {
        "market_files": [str(prices)],
        "releases": {"dates": [{"name": "report", "at": now.isoformat()}]},
    }
    async with await Orchestrator.open(settings(tmp_path, options, both)) as orchestrator:
        decision, jobs = await orchestrator.decide()
        ended = [await orchestrator.coordinator.wait(job.id, timeout=60) for job in jobs]
    actions = {action.name: action.depends_on for action in decision.actions}
    assert actions["analysis.market"] == ("analysis.update",)
    statuses = {o.operation: o.status for o in ended if o.module == "analysis"}
    assert statuses == {"update": "failed", "market": "succeeded"}


async def test_a_calendar_that_does_not_fit_stops_the_start(tmp_path: Path) -> None:
    options = {"releases": {"reports": ["eia-wpsrr"]}}
    with pytest.raises(ConfigurationError, match=r"releases\.reports\.0"):
        await Orchestrator.open(settings(tmp_path, options))
