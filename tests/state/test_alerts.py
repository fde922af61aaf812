"""Alerts: as they are now, with a journal of every transition."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.errors import NotFoundError
from orchestrator.state.records import AlertRecord
from orchestrator.state.repositories import Store
from tests.state.conftest import T0

MINUTE = timedelta(minutes=1)
ALERT = AlertRecord(
    id="a",
    key="limit:11TI042:high",
    kind="limit",
    severity="high",
    state="unacknowledged",
    started_at=T0,
    ended_at=None,
    tags=("11TI042", "11FC001"),
    document={"message": "11TI042 over 370 °C", "contributions": [{"tag": "11TI042", "share": 1}]},
)


async def test_the_journal_keeps_every_transition_and_no_repetition(store: Store) -> None:
    await store.alerts.upsert(ALERT)
    await store.alerts.upsert(replace(ALERT, severity="critical"))
    acknowledged = replace(
        ALERT, state="acknowledged", acknowledged_by="op-1", acknowledged_at=T0 + MINUTE
    )
    await store.alerts.upsert(acknowledged, by="op-1")
    shelved = replace(
        acknowledged,
        state="shelved",
        shelved_until=T0 + timedelta(hours=8),
        shelve_reason="transmitter is being replaced",
    )
    await store.alerts.upsert(shelved, at=T0 + 2 * MINUTE, by="op-2", reason="work permit 7")
    normal = replace(acknowledged, state="normal", ended_at=T0 + 9 * MINUTE)
    await store.alerts.upsert(normal)
    assert await store.alerts.get("a") == normal
    assert [
        (step.sequence, step.at, step.from_state, step.to_state, step.by, step.reason)
        for step in await store.alerts.journal("a")
    ] == [
        (1, T0, None, "unacknowledged", "", ""),
        (2, T0 + MINUTE, "unacknowledged", "acknowledged", "op-1", ""),
        (3, T0 + 2 * MINUTE, "acknowledged", "shelved", "op-2", "work permit 7"),
        (4, T0 + 9 * MINUTE, "shelved", "normal", "", ""),
    ]


async def test_concurrent_changes_leave_an_unbroken_journal(store: Store) -> None:
    states: list[Any] = ["unacknowledged", "acknowledged", "shelved", "normal"] * 5
    await asyncio.gather(*(store.alerts.upsert(replace(ALERT, state=state)) for state in states))
    journal = await store.alerts.journal("a")
    assert [step.sequence for step in journal] == list(range(1, len(journal) + 1))
    assert [step.from_state for step in journal[1:]] == [step.to_state for step in journal[:-1]]
    assert journal[-1].to_state == (await store.alerts.get("a")).state


async def test_an_alert_that_is_not_there(store: Store) -> None:
    with pytest.raises(NotFoundError, match="'nothing'"):
        await store.alerts.get("nothing")
    assert await store.alerts.journal("nothing") == ()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "cba"),
        ({"state": "shelved"}, "b"),
        ({"state": ["shelved", "normal"]}, "cb"),
        ({"severity": "high"}, "ca"),
        ({"kind": "trend"}, "c"),
        ({"key": "limit:11TI042:high"}, "a"),
        ({"is_open": True}, "ba"),
        ({"is_open": False}, "c"),
        ({"since": T0 + MINUTE}, "cb"),
        ({"until": T0 + MINUTE}, "a"),
    ],
)
async def test_each_filter_narrows_the_list(
    store: Store, wanted: dict[str, Any], expected: str
) -> None:
    for alert in (
        ALERT,
        replace(ALERT, id="b", key="k2", state="shelved", severity="low", started_at=T0 + MINUTE),
        replace(
            ALERT,
            id="c",
            key="k3",
            kind="trend",
            state="normal",
            started_at=T0 + 2 * MINUTE,
            ended_at=T0 + 3 * MINUTE,
        ),
    ):
        await store.alerts.upsert(alert)
    found = (await store.alerts.list(**wanted)).items
    assert "".join(alert.id for alert in found) == expected


async def test_alerts_are_paged(store: Store) -> None:
    for number in range(5):
        await store.alerts.upsert(replace(ALERT, id=f"a{number}", started_at=T0 + number * MINUTE))
    first = await store.alerts.list(limit=2)
    second = await store.alerts.list(limit=3, cursor=first.next_cursor)
    assert [alert.id for alert in (*first.items, *second.items)] == ["a4", "a3", "a2", "a1", "a0"]
    assert second.next_cursor is None
