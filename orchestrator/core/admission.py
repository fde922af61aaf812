"""Who may run next: a place per worker process, a limit per module, the most urgent first."""

from __future__ import annotations

import asyncio
import bisect
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(order=True, slots=True)
class _Waiting:
    priority: int
    sequence: int
    module: str = field(compare=False)
    admitted: asyncio.Future[None] = field(compare=False)


class Admission:
    """Admits at most ``places`` runs at once, and of each module at most its own limit.

    Where several wait, the smallest priority number goes first, and among equals the one that has
    waited longest; one whose module is at its limit does not hold up the others.
    """

    def __init__(self, places: int, limit_of: Callable[[str], int]) -> None:
        self._places = places
        self._limit_of = limit_of
        self._running: Counter[str] = Counter()
        self._queue: list[_Waiting] = []
        self._sequence = 0

    @property
    def running(self) -> int:
        """Runs that hold a place."""
        return self._running.total()

    @property
    def waiting(self) -> int:
        """Runs that wait for a place."""
        return len(self._queue)

    @asynccontextmanager
    async def place(self, module: str, priority: int) -> AsyncIterator[None]:
        """Hold a place for the length of the block, waiting until there is one."""
        self._sequence += 1
        admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(priority, self._sequence, module, admitted)
        bisect.insort(self._queue, waiting)
        self._admit()
        try:
            await admitted
            yield
        finally:
            if admitted.done() and not admitted.cancelled():
                self._running[module] -= 1
            else:
                self._queue.remove(waiting)
            self._admit()

    def _admit(self) -> None:
        for waiting in list(self._queue):
            if self.running >= self._places:
                return
            if waiting.admitted.done():
                continue  # cancelled; its own block takes it out
            if self._running[waiting.module] < self._limit_of(waiting.module):
                self._running[waiting.module] += 1
                self._queue.remove(waiting)
                waiting.admitted.set_result(None)
