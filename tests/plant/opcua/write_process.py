"""Writes set points until it is killed: python write_process.py URL DATABASE HOME FIRST [POINT].

The values are FIRST, FIRST + 1 and so on, so that each one is of one write. At POINT it kills itself in
the third write, as a power cut would.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from writing import permit_for, writing


def die_at(owner: Any, method: str, *, after: bool, at_call: int) -> None:
    """Kill this process just before or after a call of ``owner.method``."""
    plain, calls = getattr(owner, method), 0

    async def call(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at_call and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = await plain(*arguments, **named)
        if calls == at_call and after:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, method, call)


async def main(url: str, database: str, home: str, first: str, point: str = "") -> None:
    async with writing(url, database or None, Path(home)) as (writer, target, store):
        if point:
            owner = target if point.endswith("write") else store.writes
            when, _, method = point.partition(" ")
            die_at(owner, method, after=when == "after", at_call=3)
        print("ready", flush=True)
        value = float(first)
        while True:
            record = await writer.write(await permit_for(target, value))
            print(record.state, record.value, flush=True)
            value += 1


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
