"""Works on a question in a process of its own, and dies as by ``kill -9`` right after a given step was stored.

python reason_and_die.py HOME BASE_URL STEPS
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from reasoning_home import SITUATION, filled_home, loop_over

from orchestrator.state.records import ReasoningStepRecord


async def main(home: Path, base_url: str, steps: int) -> None:
    async with filled_home(home) as orchestrator, loop_over(orchestrator, base_url) as loop:
        store = orchestrator.store.reasoning
        keep = store.step

        async def keep_and_die(record: ReasoningStepRecord) -> None:
            await keep(record)
            if record.number + 1 >= steps:
                os.kill(os.getpid(), signal.SIGKILL)

        store.step = keep_and_die  # type: ignore[method-assign]
        async for _ in loop.answer(
            "Is the data good, which sensor is wrong?", SITUATION, run_id="run-1"
        ):
            pass


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
