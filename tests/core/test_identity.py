"""Identities are valid, differ, and sort by time."""

from __future__ import annotations

import time
from uuid import RFC_4122, UUID

from orchestrator.core.identity import new_id


def test_an_identity_is_a_time_ordered_uuid() -> None:
    before = time.time_ns() // 1_000_000
    identity = UUID(new_id())
    after = time.time_ns() // 1_000_000
    assert identity.version == 7
    assert identity.variant == RFC_4122
    assert before <= identity.int >> 80 <= after


def test_identities_differ_and_later_ones_sort_later() -> None:
    many = [new_id() for _ in range(10_000)]
    assert len(set(many)) == len(many)
    first = new_id()
    time.sleep(0.005)
    assert first < new_id()
