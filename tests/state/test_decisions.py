"""Decisions: kept whole, listed by every filter, paged without gaps or repeats."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from orchestrator.errors import ConflictError, NotFoundError, ParameterError
from orchestrator.state.paging import encode_cursor
from orchestrator.state.repositories import Store
from tests.state.conftest import T0, Maker


async def test_a_decision_and_its_jobs_come_back_as_they_were_stored(
    store: Store, make: Maker
) -> None:
    decision = make.decision(session_id="s-1", features={"score": 0.97, "nested": [1, {"a": None}]})
    job = make.job(decision)
    await store.decisions.add(decision, [job])
    assert await store.decisions.get(decision.id) == decision
    assert await store.jobs.get(job.id) == job


async def test_a_decision_is_stored_with_all_its_jobs_or_not_at_all(
    store: Store, make: Maker
) -> None:
    taken = make.job()
    await store.jobs.add(taken)
    decision = make.decision()
    with pytest.raises(ConflictError, match="stored already"):
        await store.decisions.add(decision, [make.job(decision), taken])
    with pytest.raises(NotFoundError):
        await store.decisions.get(decision.id)
    assert [job.id for job in (await store.jobs.list()).items] == [taken.id]


async def test_the_same_decision_twice_is_a_conflict_and_changes_nothing(
    store: Store, make: Maker
) -> None:
    decision = make.decision()
    await store.decisions.add(decision)
    with pytest.raises(ConflictError, match=decision.id):
        await store.decisions.add(make.decision(id=decision.id, confidence=0.1))
    assert await store.decisions.get(decision.id) == decision


async def test_times_come_back_as_utc_to_the_microsecond(store: Store, make: Maker) -> None:
    local = datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=timezone(timedelta(hours=3, minutes=30)))
    decision = make.decision(created_at=local)
    await store.decisions.add(decision)
    found = (await store.decisions.get(decision.id)).created_at
    assert found == local
    assert found.utcoffset() == timedelta(0)


async def test_a_time_without_zone_is_refused_and_names_itself(store: Store, make: Maker) -> None:
    with pytest.raises(ParameterError, match="2026-03-01T06:00:00 has no time zone"):
        await store.decisions.add(make.decision(created_at=T0.replace(tzinfo=None)))
    with pytest.raises(ParameterError, match="no time zone"):
        await store.decisions.list(since=T0.replace(tzinfo=None))


async def test_text_that_postgresql_does_not_take_is_stored_on_both(
    store: Store, make: Maker
) -> None:
    decision = make.decision(
        session_id="a\x00b\ud800",
        document={"rationale": "nul \x00, surrogate \ud800, backslash \\u0000"},
        features={"nan": float("nan"), "infinite": float("inf")},
    )
    await store.decisions.add(decision)
    found = await store.decisions.get(decision.id)
    assert found.session_id == "a\ufffdb\ufffd"
    assert found.document["rationale"].startswith("nul \ufffd, surrogate \ufffd")
    assert found.document["rationale"].endswith("backslash \\u0000")
    assert found.features == {"nan": None, "infinite": None}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"since": T0 + timedelta(minutes=2)}, "cd"),
        ({"until": T0 + timedelta(minutes=2)}, "ab"),
        ({"decided_by": "advisor"}, "b"),
        ({"module": "optimization"}, "bc"),
        ({"operation": "setpoints"}, "b"),
        ({"operation": "etl.validate"}, "ab"),
        ({"module": "etl", "operation": "setpoints"}, ""),
        ({"trigger": "crack_spread"}, "cd"),
        ({"trigger": "crack_spread", "module": "optimization"}, "c"),
        ({"dry_run": True}, "d"),
        ({"dry_run": False, "since": T0 + timedelta(minutes=1)}, "bc"),
        ({"session_id": "s-1"}, "ac"),
        ({"min_confidence": 0.6}, "bcd"),
        ({"max_confidence": 0.6}, "ab"),
        ({"min_confidence": 0.55, "max_confidence": 0.75}, "bc"),
        ({"session_id": "'; DROP TABLE decisions; --"}, ""),
    ],
)
async def test_each_filter_narrows_the_list(
    store: Store, make: Maker, wanted: dict[str, Any], expected: str
) -> None:
    for decision in (
        make.decision(id="a", confidence=0.5, actions=("etl.validate",), session_id="s-1"),
        make.decision(
            id="b",
            minutes=1,
            confidence=0.6,
            decided_by="advisor",
            actions=("etl.validate", "optimization.setpoints"),
            session_id="s-2",
        ),
        make.decision(
            id="c",
            minutes=2,
            confidence=0.7,
            actions=("optimization.plan",),
            triggers=("margin_drop", "crack_spread", "crack_spread"),
            session_id="s-1",
        ),
        make.decision(
            id="d", minutes=3, confidence=0.8, dry_run=True, actions=(), triggers=("crack_spread",)
        ),
    ):
        await store.decisions.add(decision)
    found = (await store.decisions.list(**wanted)).items
    assert "".join(item.id for item in found) == expected[::-1]


async def test_pages_cover_everything_once_while_decisions_are_added(
    store: Store, make: Maker
) -> None:
    first = [make.decision(minutes=number // 3) for number in range(20)]
    for decision in first:
        await store.decisions.add(decision)
    seen: list[str] = []
    cursor = None
    while True:
        page = await store.decisions.list(cursor=cursor, limit=3)
        assert len(page.items) <= 3
        seen += [item.id for item in page.items]
        await store.decisions.add(make.decision(minutes=100 + len(seen)))
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [decision.id for decision in reversed(first)]


async def test_the_last_full_page_has_no_cursor(store: Store, make: Maker) -> None:
    for number in range(4):
        await store.decisions.add(make.decision(minutes=number))
    page = await store.decisions.list(limit=2)
    last = await store.decisions.list(limit=2, cursor=page.next_cursor)
    assert len(last.items) == 2
    assert last.next_cursor is None


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "%%%",
        "ü",
        "bm90IGpzb24",
        "W10",
        "e30",
        encode_cursor("jobs", T0, "a"),
        "W1siYSJd" * 99,
    ],
)
async def test_a_cursor_that_is_not_of_this_list_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(ParameterError, match="cursor"):
        await store.decisions.list(cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_a_limit_out_of_range_is_refused(store: Store, limit: int) -> None:
    with pytest.raises(ParameterError, match=f"limit = {limit}"):
        await store.decisions.list(limit=limit)


async def test_a_decision_that_is_not_there_is_not_found(store: Store) -> None:
    with pytest.raises(NotFoundError, match="'nothing'"):
        await store.decisions.get("nothing")
