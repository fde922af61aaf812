"""Identities that sort by the time at which they were made."""

from __future__ import annotations

import os
import time

_LOW_62 = (1 << 62) - 1


def new_id() -> str:
    """A UUID of version 7 (RFC 9562): Unix time in ms, then 74 random bits.

    Keys that grow with time fill a database's pages one after the other instead of touching a
    page each.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big") >> 6
    version, variant = 7 << 76, 2 << 62
    number = milliseconds << 80 | version | (random >> 62) << 64 | variant | random & _LOW_62
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
