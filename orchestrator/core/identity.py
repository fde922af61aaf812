"""Identities that sort by the time at which they were made."""

from __future__ import annotations

import time
from random import SystemRandom
from uuid import UUID

_RANDOM_BITS = 74
_random = SystemRandom()


def new_id() -> str:
    """A UUID of version 7 (RFC 9562): Unix time in ms, then 74 random bits.

    Keys that grow with time fill a database's pages one after the other instead of touching a
    page each.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = _random.getrandbits(_RANDOM_BITS)
    high, low = random >> 62, random & ((1 << 62) - 1)
    return str(UUID(int=milliseconds << 80 | 7 << 76 | high << 64 | 2 << 62 | low))
