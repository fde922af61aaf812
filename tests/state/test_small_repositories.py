"""Recommendations, feedback, idempotency keys, settings and sessions."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.clock import PlantClock
from orchestrator.errors import ConflictError, NotFoundError
from orchestrator.state.database import Database
from orchestrator.state.records import (
    ApprovalRecord,
    FeedbackRecord,
    GrantRecord,
    RecommendationRecord,
    RecommendationState,
    RecommendationTransition,
    SessionRecord,
    StepRecord,
    TurnRecord,
)
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


APPROVAL = ApprovalRecord("r1", "op-1", T0, "ab" * 32, "cd" * 32, "supervised", "agreed")


def step(after: RecommendationState, before: RecommendationState = "proposed"):
    return RecommendationTransition("r1", 0, T0, "test", before, after, "op-1", "person")


async def test_a_recommendation_is_approved_by_one_of_two(store: Store) -> None:
    await store.recommendations.add(RECOMMENDATION)
    results = await asyncio.gather(
        store.recommendations.change(step("approved"), approval=APPROVAL),
        store.recommendations.change(step("rejected")),
        return_exceptions=True,
    )
    changed = [result for result in results if isinstance(result, RecommendationRecord)]
    refused = [result for result in results if isinstance(result, ConflictError)]
    assert (len(changed), len(refused)) == (1, 1)
    assert await store.recommendations.get("r1") == changed[0]
    assert changed[0] == replace(RECOMMENDATION, state=changed[0].state)
    assert f"is {changed[0].state}, not proposed" in str(refused[0])
    trail = await store.recommendations.trail("r1")
    assert [(t.sequence, t.to_state, t.by) for t in trail] == [(1, changed[0].state, "op-1")]
    given = await store.recommendations.approvals("r1")
    assert given == ((APPROVAL,) if changed[0].state == "approved" else ())


async def test_void_approvals_are_kept_and_marked(store: Store) -> None:
    await store.recommendations.add(RECOMMENDATION)
    await store.recommendations.change(step("approved"), approval=APPROVAL)
    back = step("awaiting_approval", before="approved")
    await store.recommendations.change(back, void_approvals=True)
    again = step("approved", before="awaiting_approval")
    await store.recommendations.change(again, approval=APPROVAL)
    assert [a.void for a in await store.recommendations.approvals("r1")] == [True, False]
    assert [t.sequence for t in await store.recommendations.trail("r1")] == [1, 2, 3]


def a_step(tag: str, value: float) -> StepRecord:
    return StepRecord("r1", 0, "apply", tag, 1.0, value, 5.0)


async def test_a_step_is_begun_once_and_new_plans_drop_what_waits(store: Store) -> None:
    await store.recommendations.add(RECOMMENDATION)
    plan = (a_step("A", 2.0), a_step("B", 3.0))
    await store.recommendations.change(step("applying"), steps=plan)
    first, second = await store.recommendation_steps.of("r1")
    assert (first.number, second.number) == (1, 2)
    results = await asyncio.gather(
        *(store.recommendation_steps.mark(first, "writing", at=T0) for _ in range(2)),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["ConflictError", "StepRecord"]
    back = step("rolling_back", before="applying")
    await store.recommendations.change(back, steps=(a_step("A", 1.0),))
    found = await store.recommendation_steps.of("r1")
    assert [(s.number, s.state) for s in found] == [(1, "writing"), (2, "dropped"), (3, "pending")]


async def test_grants_are_in_force_for_their_time_until_revoked(store: Store) -> None:
    grant = GrantRecord("g1", "op-1", T0, T0, T0 + 60 * MINUTE, {"A": {"low": 1.0}}, 10)
    await store.grants.add(grant)
    assert await store.grants.list(at=T0) == (grant,)
    assert await store.grants.list(at=T0 - MINUTE) == ()
    assert await store.grants.list(at=T0 + 60 * MINUTE) == ()
    revoked = await store.grants.revoke("g1", "op-2", T0 + MINUTE)
    assert (revoked.revoked_by, revoked.revoked_at) == ("op-2", T0 + MINUTE)
    assert await store.grants.list(at=T0 + 2 * MINUTE) == ()
    assert await store.grants.list() == (revoked,)
    with pytest.raises(ConflictError, match="revoked already"):
        await store.grants.revoke("g1", "op-2", T0 + MINUTE)
    with pytest.raises(NotFoundError, match="'g9'"):
        await store.grants.revoke("g9", "op-2", T0)


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
        await store.recommendations.change(replace(step("approved"), recommendation_id="r9"))


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


def turn(record: SessionRecord, text: str = "forecast 11TI042") -> TurnRecord:
    return TurnRecord(record.id, record.turns, T0, T0, text, record.turn)


async def test_a_session_carries_the_last_turn(store: Store) -> None:
    assert await store.sessions.append(SESSION, turn(SESSION), None)
    later = replace(SESSION, operations=("etl.validate",), turn={}, updated_at=T0 + MINUTE, turns=2)
    assert await store.sessions.append(later, turn(later, "is it good?"), SESSION)
    assert await store.sessions.get("s1", "operator-1", T0 + 2 * MINUTE) == later
    turns = await store.sessions.turns("s1")
    assert [(t.number, t.text) for t in turns] == [(1, "forecast 11TI042"), (2, "is it good?")]
    assert await store.sessions.turns("s1", after=1) == turns[1:]
    assert await store.sessions.turns("s1", last=1) == turns[1:]


async def test_of_two_turns_on_one_state_one_is_kept(store: Store) -> None:
    assert await store.sessions.append(SESSION, turn(SESSION), None)
    later = replace(SESSION, turns=2)
    kept = await asyncio.gather(
        *(store.sessions.append(later, turn(later, f"words {n}"), SESSION) for n in range(5))
    )
    assert sorted(kept) == [False] * 4 + [True]
    assert len(await store.sessions.turns("s1")) == 2
    # Begun at once by two: one of them has to read it anew.
    other = replace(SESSION, id="s2")
    begun = await asyncio.gather(
        *(store.sessions.append(other, turn(other), None) for _ in range(3))
    )
    assert sorted(begun) == [False, False, True]


async def test_a_session_begun_again_is_another(store: Store) -> None:
    first = replace(SESSION, origin="a")
    assert await store.sessions.append(first, turn(first), None)
    assert await store.sessions.delete("s1", "operator-1")
    again = replace(SESSION, origin="b")
    assert await store.sessions.append(again, turn(again), None)
    stale = replace(first, turns=2)
    assert not await store.sessions.append(stale, turn(stale), first)
    assert not await store.sessions.finish(first, 1, "answered", answer="of the former")
    assert (await store.sessions.turns("s1"))[0].answer == ""


async def test_a_turn_is_finished_with_its_answer(store: Store) -> None:
    assert await store.sessions.append(SESSION, turn(SESSION), None)
    evidence = {"source": "historian", "subject": "11TI042", "value": 351.5, "unit": "degC"}
    assert await store.sessions.finish(
        SESSION, 1, "answered", answer="It is 351.5 degC.", answered_by="templates",
        items=[{"kind": "tag", "label": "11TI042"}], evidence=[evidence],
    )  # fmt: skip
    (kept,) = await store.sessions.turns("s1")
    assert (kept.state, kept.answer, kept.evidence) == (
        "answered",
        "It is 351.5 degC.",
        (evidence,),
    )
    await store.sessions.summarise(SESSION, "long", 8)
    await store.sessions.summarise(SESSION, "short", 4)
    found = await store.sessions.get("s1", "operator-1", T0)
    assert found is not None
    assert (found.summary, found.summarised) == ("long", 8)


async def test_a_session_is_not_shown_or_given_to_another_user(store: Store) -> None:
    assert await store.sessions.append(SESSION, turn(SESSION), None)
    assert await store.sessions.get("s1", "operator-2", T0) is None
    others = replace(SESSION, user="operator-2")
    with pytest.raises(ConflictError, match="id of your own"):
        await store.sessions.append(others, turn(others), None)
    assert await store.sessions.get("s1", "operator-1", T0) == SESSION
    assert (await store.sessions.list("operator-2", T0)).items == []
    assert not await store.sessions.delete("s1", "operator-2")


async def test_a_session_expires(store: Store) -> None:
    lasting = replace(SESSION, id="s2", expires_at=None)
    assert await store.sessions.append(SESSION, turn(SESSION), None)
    assert await store.sessions.append(lasting, turn(lasting), None)
    just_before, at_the_end = T0 + timedelta(hours=7, minutes=59), T0 + timedelta(hours=8)
    assert await store.sessions.get("s1", "operator-1", just_before) == SESSION
    assert await store.sessions.get("s1", "operator-1", at_the_end) is None
    assert (await store.sessions.list("operator-1", at_the_end)).items == [lasting]
    # The id of one that has expired is free, for anybody.
    anew = replace(SESSION, user="operator-2", updated_at=at_the_end, expires_at=None)
    assert await store.sessions.append(anew, turn(anew, "anew"), None)
    assert [t.text for t in await store.sessions.turns("s1")] == ["anew"]
    brief = replace(SESSION, id="s3")
    assert await store.sessions.append(brief, turn(brief), None)
    assert await store.sessions.forget_expired(at_the_end) == 1
    assert await store.sessions.delete("s2", "operator-1")
    assert await store.sessions.get("s2", "operator-1", T0) is None
    assert await store.sessions.turns("s2") == []
