"""The orchestrator on its home: the simulated unit, restarts, requests, and what is remembered."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.config import Settings
from orchestrator.config_file import load_settings
from orchestrator.core.decision_engine import DecisionEngine
from orchestrator.core.job_origin import decided_live
from orchestrator.core.orchestrator import Orchestrator
from orchestrator.core.situation import Situation
from orchestrator.errors import HomeLockedError, NotFoundError, ParameterError, UnavailableError
from orchestrator.plant.twin.scenario import load_scenario
from orchestrator.plant.twin.source import TwinSource

EARLIER = datetime(1970, 1, 1, tzinfo=UTC)
MARGIN_FALLS = Situation.model_validate(
    {
        "timestamp": "2026-03-01T06:00:00Z",
        "plant_mode": "steady",
        "data_quality": {"score": 0.97},
        "kpis": {"margin_change_pct": -4.0},
    }
)


def settings(tmp_path: Path) -> Settings:
    return load_settings().with_changes(state={"home": tmp_path / "home"})


def short_twin() -> TwinSource:
    scenario = load_scenario(None).model_copy(
        update={"warm_up_hours": 12.0, "price_history_days": 0}
    )
    return TwinSource(scenario, seed=1)


async def run_until(orchestrator: Orchestrator, until: datetime) -> None:
    task = asyncio.create_task(orchestrator.run())
    async with asyncio.timeout(60):
        while (orchestrator.loop.ended_at or EARLIER) < until:
            assert not task.done(), task
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_restart_goes_on_where_the_historian_ends(tmp_path: Path) -> None:
    begin = datetime(2026, 3, 3, tzinfo=UTC)
    async with await Orchestrator.open(
        settings(tmp_path), source=short_twin(), lockstep=True
    ) as first:
        await run_until(first, begin + timedelta(minutes=20))
        end = first.historian.span()[1]
        count = first.historian.count()
    async with await Orchestrator.open(
        settings(tmp_path), source=short_twin(), lockstep=True
    ) as second:
        await run_until(second, end + timedelta(minutes=3))
        span = second.historian.span()
        tags = len(second.plant.tags)
        assert span[1] > end
        assert second.loop.started_at == end + timedelta(minutes=1)
        assert second.historian.count() <= count + (second.loop.rows + 1) * tags


async def test_the_simulated_unit_raises_an_alert_and_is_acted_upon(tmp_path: Path) -> None:
    async with await Orchestrator.open(
        settings(tmp_path), source=short_twin(), lockstep=True
    ) as orchestrator:
        await run_until(orchestrator, datetime(2026, 3, 3, 0, 40, tzinfo=UTC))
        alerts = (await orchestrator.store.alerts.list()).items
        assert any("FI306" in alert.tags[:2] for alert in alerts)
        outcomes = await orchestrator.store.outcomes.statistics()
        assert outcomes["forecasting.forecast"]["count"] >= 1
        status = await orchestrator.status()
        assert status["plant"]["simulated"] is True
        assert status["situation"]["plant_mode"] == "steady"
        by_operator = await orchestrator.alerts.acknowledge(alerts[0].id, by="operator")
        assert by_operator.acknowledged_by == "operator"
        journal = await orchestrator.store.alerts.journal(alerts[0].id)
        assert journal[-1].by == "operator"
        assert (await orchestrator.store.audit.verify()).intact


async def test_only_what_the_live_loop_decided_is_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.core.orchestrator.content_of", lambda *_: {"moves": []})
    own: dict[str, bool] = {}

    async def take(
        content: object, job_id: str, *, own: bool = False, seen: dict[str, bool] = own
    ) -> None:
        seen[job_id] = own

    async def falls(_: datetime) -> Situation:
        return MARGIN_FALLS

    async with await Orchestrator.open(settings(tmp_path)) as first:
        monkeypatch.setattr(first.operator, "take", take)
        monkeypatch.setattr(first, "_situation", falls)
        await first._assess_and_act(datetime(2026, 3, 1, 6, tzinfo=UTC))
        await first.settle()
        live = [job.id for job in (await first.store.jobs.list()).items]
        assert [own[job] for job in live] == [True]
    async with await Orchestrator.open(settings(tmp_path)) as second:
        jobs = [await second.store.jobs.get(job) for job in live]
        assert all(decided_live(job) for job in jobs)
        monkeypatch.setattr(second.operator, "take", take)
        _, [asked] = await second.decide(situation=MARGIN_FALLS)
        forged = await second.invoke("optimization", "setpoints", {}, origin={"way": "live"})
        plain = await second.invoke("optimization", "setpoints", {})
        await second.settle()
        assert [own[job.id] for job in (asked, forged, plain)] == [False, False, False]


async def test_open_alerts_are_open_after_a_restart(tmp_path: Path) -> None:
    async with await Orchestrator.open(
        settings(tmp_path), source=short_twin(), lockstep=True
    ) as first:
        await run_until(first, datetime(2026, 3, 3, 0, 30, tzinfo=UTC))
        alert = first.alerts.book.open()[0]
        await first.alerts.acknowledge(alert.id, by="operator")
    async with await Orchestrator.open(settings(tmp_path), source=short_twin()) as second:
        assert second.alerts.book.get(alert.id).state == "acknowledged"


async def test_a_given_situation_is_decided_stored_and_run(tmp_path: Path) -> None:
    async with await Orchestrator.open(settings(tmp_path)) as orchestrator:
        decision, jobs = await orchestrator.decide(situation=MARGIN_FALLS)
        assert [action.name for action in decision.actions] == ["optimization.setpoints"]
        outcome = await orchestrator.coordinator.wait(jobs[0].id, timeout=60)
        assert outcome.status == "succeeded"
        assert outcome.result["status"] == "no_model"
        stored = await orchestrator.store.decisions.get(decision.id)
        assert stored.situation["kpis"] == {"margin_change_pct": -4.0}
        assert stored.features["optimization.setpoints"]["propensity"] == 1.0


async def test_a_given_situation_has_one_decision_whatever_a_home_has_seen(tmp_path: Path) -> None:
    async with await Orchestrator.open(settings(tmp_path)) as orchestrator:
        seen = {"optimization.setpoints": {"success_rate": 0.2, "p95_seconds": 90.0, "count": 500}}
        orchestrator.estimates.refresh(seen)
        decision, _ = await orchestrator.decide(situation=MARGIN_FALLS, dry_run=True)
        live = orchestrator.engine.decide(MARGIN_FALLS)
        engine = DecisionEngine(settings(tmp_path), orchestrator.registry)
    differs = {"id", "created_at", "latency_ms", "dry_run"}
    elsewhere = engine.decide(MARGIN_FALLS).model_dump(exclude=differs)
    assert decision.model_dump(exclude=differs) == elsewhere
    assert live.model_dump(exclude=differs) != elsewhere


async def test_a_dry_run_is_stored_and_starts_nothing(tmp_path: Path) -> None:
    async with await Orchestrator.open(settings(tmp_path)) as orchestrator:
        decision, jobs = await orchestrator.decide(situation=MARGIN_FALLS, dry_run=True)
        assert decision.dry_run
        assert decision.actions
        assert jobs == []
        assert (await orchestrator.store.decisions.get(decision.id)).dry_run
        assert not (await orchestrator.store.jobs.list()).items


async def test_a_session_carries_its_words_over_a_restart(tmp_path: Path) -> None:
    async with await Orchestrator.open(settings(tmp_path)) as first:
        asked, _ = await first.decide(
            query="forecast the kerosene flow for the next 24 hours", session_id="s1", dry_run=True
        )
        assert asked.interpretation.operations == ("forecasting.forecast",)
    async with await Orchestrator.open(settings(tmp_path)) as second:
        then, _ = await second.decide(query="and for diesel?", session_id="s1", dry_run=True)
        assert then.interpretation.operations == ("forecasting.forecast",)
        assert then.interpretation.slots == {"product": "diesel", "horizon_hours": 24}


async def test_the_operators_mode_outlives_a_restart_and_can_be_given_back(tmp_path: Path) -> None:
    async with await Orchestrator.open(settings(tmp_path)) as first:
        await first.set_mode("startup", by="supervisor")
        with pytest.raises(ParameterError, match="flying"):
            await first.set_mode("flying", by="supervisor")
    async with await Orchestrator.open(settings(tmp_path)) as second:
        assert (await second.situation()).plant_mode == "startup"
        await second.set_mode(None, by="supervisor")
        assert (await second.situation()).plant_mode is None


async def test_without_a_source_there_is_no_loop_to_run(tmp_path: Path) -> None:
    async with await Orchestrator.open(settings(tmp_path)) as orchestrator:
        with pytest.raises(UnavailableError, match="no source"):
            await orchestrator.run()
        with pytest.raises(NotFoundError):
            await orchestrator.feedback("nothing", "right")


async def test_a_home_has_one_owner(tmp_path: Path) -> None:
    async with await Orchestrator.open(settings(tmp_path)):
        with pytest.raises(HomeLockedError):
            await Orchestrator.open(settings(tmp_path))
