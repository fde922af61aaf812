"""Recommendations, feedback, idempotency keys, settings and sessions."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.clock import PlantClock
from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.state.database import Database
from orchestrator.state.records import FeedbackRecord, RecommendationRecord, SessionRecord
from orchestrator.state.repositories import Store
from tests.state.conftest import T0, Maker

MINUTE = timedelta(minutes=1)
RECOMMENDATION = RecommendationRecord(
    id="r1",
    job_id=None,
    created_at=T0,
    expires_at=T0 + timedelta(hours=2),
    state="proposed",
    digest="ab" * 32,
    document={"moves": [{"tag": "11FC001", "to": 412.5}]},
)
SESSION = SessionRecord(
    id="s1",
    user="operator-1",
    operations=("forecasting.forecast",),
    turn={"targets": ["11TI042"], "horizon_hours": 24},
    updated_at=T0,
    expires_at=T0 + timedelta(hours=8),
)


async def test_a_recommendation_is_approved_by_one_of_two(store: Store) -> None:
    await store.recommendations.add(RECOMMENDATION)
    results = await asyncio.gather(
        store.recommendations.set_state("r1", "approved", expected="proposed"),
        store.recommendations.set_state("r1", "rejected", expected="proposed"),
        return_exceptions=True,
    )
    changed = [result for result in results if isinstance(result, RecommendationRecord)]
    refused = [result for result in results if isinstance(result, ConflictError)]
    assert (len(changed), len(refused)) == (1, 1)
    assert await store.recommendations.get("r1") == changed[0]
    assert changed[0] == replace(RECOMMENDATION, state=changed[0].state)
    assert f"is {changed[0].state}, not proposed" in str(refused[0])


async def test_recommendations_are_listed_by_state_and_job(store: Store, make: Maker) -> None:
    job = make.job()
    await store.jobs.add(job)
    await store.recommendations.add(RECOMMENDATION)
    later = replace(
        RECOMMENDATION, id="r2", job_id=job.id, created_at=T0 + MINUTE, state="approved"
    )
    await store.recommendations.add(later)
    assert (await store.recommendations.list()).items == [later, RECOMMENDATION]
    assert (await store.recommendations.list(state="proposed")).items == [RECOMMENDATION]
    assert (await store.recommendations.list(job_id=job.id)).items == [later]
    assert (await store.recommendations.list(since=T0 + MINUTE)).items == [later]
    assert (await store.recommendations.list(until=T0 + MINUTE)).items == [RECOMMENDATION]


async def test_recommendations_that_do_not_fit(store: Store) -> None:
    await store.recommendations.add(RECOMMENDATION)
    with pytest.raises(ConflictError, match="'r1' is stored already"):
        await store.recommendations.add(RECOMMENDATION)
    with pytest.raises(NotFoundError, match="no job 'j9'"):
        await store.recommendations.add(replace(RECOMMENDATION, id="r3", job_id="j9"))
    with pytest.raises(NotFoundError, match="'r9'"):
        await store.recommendations.get("r9")
    with pytest.raises(NotFoundError, match="'r9'"):
        await store.recommendations.set_state("r9", "approved")


async def test_feedback_belongs_to_a_decision(store: Store, make: Maker) -> None:
    one, other = make.decision(), make.decision()
    await store.decisions.add(one)
    await store.decisions.add(other)
    first = FeedbackRecord("f1", one.id, T0, "right", 1200.0, "saw it on the panel", "op-1")
    second = FeedbackRecord("f2", one.id, T0 + MINUTE, "wrong")
    third = FeedbackRecord("f3", other.id, T0 + 2 * MINUTE, "unclear")
    for record in (first, second, third):
        await store.feedback.add(record)
    assert (await store.feedback.list(one.id)).items == [second, first]
    assert (await store.feedback.list()).items == [third, second, first]
    assert (await store.feedback.list(since=T0 + MINUTE, until=T0 + 2 * MINUTE)).items == [second]
    with pytest.raises(NotFoundError, match="'nothing'"):
        await store.feedback.add(FeedbackRecord("f4", "nothing", T0, "right"))
    with pytest.raises(ConflictError, match="'f1'"):
        await store.feedback.add(first)


async def test_of_concurrent_claims_of_a_key_one_does_the_work(store: Store) -> None:
    claims = await asyncio.gather(
        *(store.idempotency.claim("k", "/orchestrate", "digest") for _ in range(8))
    )
    assert claims.count(None) == 1
    waiting = [claim for claim in claims if claim is not None]
    assert all(claim.response is None for claim in waiting)
    await store.idempotency.finish("k", {"status": 200, "body": {"decision": 1}})
    again = await store.idempotency.claim("k", "/orchestrate", "digest")
    assert again is not None
    assert again.response == {"status": 200, "body": {"decision": 1}}
    assert again == await store.idempotency.get("k")


@pytest.mark.parametrize(
    ("route", "digest"), [("/orchestrate", "another body"), ("/invoke/etl", "digest")]
)
async def test_a_key_used_for_another_request_is_a_conflict(
    store: Store, route: str, digest: str
) -> None:
    await store.idempotency.claim("k", "/orchestrate", "digest")
    with pytest.raises(ConflictError, match="another request"):
        await store.idempotency.claim("k", route, digest)


async def test_a_released_key_is_free_and_a_finished_one_stays(store: Store) -> None:
    assert await store.idempotency.get("k") is None
    await store.idempotency.claim("k", "/orchestrate", "digest")
    await store.idempotency.release("k")
    assert await store.idempotency.claim("k", "/orchestrate", "digest") is None
    await store.idempotency.finish("k", {"status": 200})
    await store.idempotency.release("k")
    found = await store.idempotency.get("k")
    assert found is not None
    assert found.response == {"status": 200}


async def test_a_claim_of_a_dead_process_is_taken_over_once_and_old_keys_are_forgotten(
    database: Database,
) -> None:
    clock = PlantClock(T0)
    keys = Store(database, clock).idempotency
    await keys.claim("k", "/orchestrate", "digest")
    clock.advance(T0 + 2 * MINUTE)
    waiting = await keys.claim("k", "/orchestrate", "digest", abandoned_after=5 * MINUTE)
    assert waiting is not None
    clock.advance(T0 + 10 * MINUTE)
    claims = await asyncio.gather(
        *(keys.claim("k", "/orchestrate", "digest", abandoned_after=5 * MINUTE) for _ in range(4))
    )
    assert claims.count(None) == 1
    assert await keys.forget(T0 + 10 * MINUTE) == 0
    assert await keys.forget(T0 + 11 * MINUTE) == 1
    assert await keys.get("k") is None


async def test_settings_are_put_read_and_deleted(store: Store) -> None:
    assert await store.settings.get("plant_mode") is None
    await store.settings.put("plant_mode", {"mode": "startup", "by": "op-1"})
    await store.settings.put("plant_mode", {"mode": "steady", "by": "op-2"})
    await asyncio.gather(*(store.settings.put("counter", number) for number in range(5)))
    assert await store.settings.get("plant_mode") == {"mode": "steady", "by": "op-2"}
    assert set(await store.settings.all()) == {"counter", "plant_mode"}
    await store.settings.delete("plant_mode")
    assert await store.settings.get("plant_mode") is None


async def test_a_session_carries_the_last_turn(store: Store) -> None:
    await store.sessions.put(SESSION)
    later = replace(SESSION, operations=("etl.validate",), turn={}, updated_at=T0 + MINUTE, turns=2)
    await store.sessions.put(later)
    assert await store.sessions.get("s1", "operator-1", T0 + 2 * MINUTE) == later


async def test_a_session_is_not_shown_or_given_to_another_user(store: Store) -> None:
    await store.sessions.put(SESSION)
    assert await store.sessions.get("s1", "operator-2", T0) is None
    with pytest.raises(ConflictError, match="id of your own"):
        await store.sessions.put(replace(SESSION, user="operator-2"))
    assert await store.sessions.get("s1", "operator-1", T0) == SESSION
    assert (await store.sessions.list("operator-2", T0)).items == []


async def test_a_session_expires(store: Store) -> None:
    lasting = replace(SESSION, id="s2", expires_at=None)
    await store.sessions.put(SESSION)
    await store.sessions.put(lasting)
    just_before, at_the_end = T0 + timedelta(hours=7, minutes=59), T0 + timedelta(hours=8)
    assert await store.sessions.get("s1", "operator-1", just_before) == SESSION
    assert await store.sessions.get("s1", "operator-1", at_the_end) is None
    assert (await store.sessions.list("operator-1", at_the_end)).items == [lasting]
    assert await store.sessions.forget_expired(at_the_end) == 1
    await store.sessions.delete("s2")
    assert await store.sessions.get("s2", "operator-1", T0) is None
