"""A model server in a thread of its own, for tests whose own code is not asynchronous."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from model_plays import Play, Say, Sent
from model_server import ModelServer


class ThreadedModel:
    """Answers each request as ``play`` says, which a test may set at any time."""

    def __init__(self, api_key: str | None = None) -> None:
        self.play: Callable[[Sent], Play] = lambda sent: Say("{}")
        self.sent: list[Sent] = []
        self._api_key = api_key
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    @property
    def asked(self) -> int:
        """How many requests came."""
        return len(self.sent)

    def says(self, *plays: Play) -> None:
        """Forget what was asked; do these in turn, and the last for all that follow."""
        left = list(plays)
        self.sent = []
        self.play = lambda sent: left.pop(0) if len(left) > 1 else left[0]

    def close(self) -> None:
        """End the server."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)
        self._loop.close()

    def _run(self) -> None:
        async def main() -> None:
            self._end = asyncio.Event()
            async with ModelServer(self._answer, api_key=self._api_key) as server:
                self.base_url = server.base_url
                self._ready.set()
                await self._end.wait()

        self._loop.run_until_complete(main())

    def _answer(self, sent: Sent) -> Play:
        self.sent.append(sent)
        return self.play(sent)
