"""The audit chain: grows in order under rivals, and shows each kind of tampering."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import text

from orchestrator.errors import ParameterError
from orchestrator.state.audit import GENESIS
from orchestrator.state.repositories import Store
from tests.state.conftest import T0, Rival

ODD_DETAILS = {
    "float": 1e22,
    "negative": -0.0,
    "whole": 1.0,
    "ключ": "\x00\ud800",
    "nan": float("nan"),
}


async def filled(store: Store, entries: int = 5) -> None:
    for number in range(entries):
        await store.audit.append("op-1", "approve", f"rec-{number}", {"moves": number}, at=T0)


async def test_an_empty_chain_holds(store: Store) -> None:
    found = await store.audit.verify()
    assert (found.intact, found.links) == (True, 0)
    assert await store.audit.head() == GENESIS


async def test_each_link_names_the_one_before(store: Store) -> None:
    await filled(store, 3)
    third, second, first = await store.audit.list()
    assert (first.sequence, first.previous) == (1, GENESIS)
    assert (second.previous, third.previous) == (first.digest, second.digest)
    assert (third.at, third.details) == (T0, {"moves": 2})
    assert await store.audit.head() == third.digest
    assert await store.audit.list(before=2) == (first,)


async def test_details_that_a_database_would_rewrite_still_verify(store: Store) -> None:
    record = await store.audit.append("оператор\x00", "set", "11TI042", ODD_DETAILS)
    assert record.details["nan"] is None
    assert (await store.audit.list()) == (record,)
    assert (await store.audit.verify()).intact


async def test_concurrent_entries_of_two_processes_make_one_chain(
    store: Store, database_url: str, start_rival: Callable[..., Rival]
) -> None:
    rival = start_rival("audit", database_url, "rival", "20")
    rival.go()
    await asyncio.gather(*(store.audit.append("own", "count", str(n)) for n in range(20)))
    await asyncio.to_thread(rival.finish)
    found = await store.audit.verify()
    assert (found.intact, found.links) == (True, 40)
    assert {entry.actor for entry in await store.audit.list(limit=40)} == {"own", "rival"}


@pytest.mark.parametrize(
    ("tampering", "broken_at", "reason"),
    [
        ("UPDATE audit SET actor = 'someone else' WHERE sequence = 3", 3, "changed"),
        ("UPDATE audit SET details = '{\"moves\":9}' WHERE sequence = 2", 2, "changed"),
        ("UPDATE audit SET at = '2026-03-01T07:00:00.000000Z' WHERE sequence = 1", 1, "changed"),
        ("UPDATE audit SET digest = previous WHERE sequence = 4", 4, "changed"),
        ("DELETE FROM audit WHERE sequence = 3", 3, "missing"),
        ("DELETE FROM audit WHERE sequence = 1", 1, "missing"),
        (
            "DELETE FROM audit WHERE sequence = 3; UPDATE audit SET sequence = 3 WHERE sequence = 4; UPDATE audit SET sequence = 4 WHERE sequence = 5",
            3,
            "does not follow",
        ),
    ],
)
async def test_tampering_is_found_at_the_first_broken_link(
    store: Store, tampering: str, broken_at: int, reason: str
) -> None:
    await filled(store)
    async with store.database.write() as connection:
        for statement in tampering.split("; "):
            await connection.execute(text(statement.replace(":", r"\:")))
    found = await store.audit.verify()
    assert (found.intact, found.broken_at) == (False, broken_at)
    assert reason in found.reason


async def test_entries_cut_off_at_the_end_show_against_a_head_kept_elsewhere(store: Store) -> None:
    await filled(store)
    head = await store.audit.head()
    await store.audit.append("op-2", "reject", "rec-9")
    assert (await store.audit.verify(head)).intact
    async with store.database.write() as connection:
        await connection.execute(text("DELETE FROM audit WHERE sequence >= 5"))
    assert (await store.audit.verify()).intact
    assert not (await store.audit.verify(head)).intact


async def test_a_limit_out_of_range_is_refused(store: Store) -> None:
    with pytest.raises(ParameterError, match="limit = 0"):
        await store.audit.list(limit=0)
