"""How many requests a server gets at once: at most a number, fewer for a while after it said "too many"."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Turns are given in the order in which they were asked for.

    Args:
        most: Requests at once. :meth:`too_many` halves it, and as many good ones in a row as are
            allowed at once raise it by one again.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._allowed = most
        self._running = 0
        self._good = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def allowed(self) -> int:
        """Requests at once, now."""
        return self._allowed

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return len(self._waiting)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and keep it."""
        if self._running >= self._allowed or self._waiting:
            ahead = asyncio.get_running_loop().create_future()
            self._waiting.append(ahead)
            try:
                await ahead
            except asyncio.CancelledError:
                if ahead.done() and not ahead.cancelled():
                    self._leave()  # the turn had just been given
                elif ahead in self._waiting:
                    self._waiting.remove(ahead)
                raise
        else:
            self._running += 1
        try:
            yield
        finally:
            self._leave()

    def too_many(self) -> None:
        """The server said that it gets too many."""
        self._allowed, self._good = max(1, self._allowed // 2), 0

    def went_well(self) -> None:
        """A request was answered."""
        if self._allowed < self._most:
            self._good += 1
            if self._good >= self._allowed:
                self._allowed, self._good = self._allowed + 1, 0
                self._call_next()

    def _leave(self) -> None:
        self._running -= 1
        self._call_next()

    def _call_next(self) -> None:
        while self._waiting and self._running < self._allowed:
            ahead = self._waiting.popleft()
            if not ahead.done():
                self._running += 1
                ahead.set_result(None)
