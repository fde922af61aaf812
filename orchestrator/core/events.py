"""What happens, as it happens, for everyone who listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

EventKind = Literal[
    "decision",
    "job",
    "alert",
    "recommendation",
    "situation",
    "mode",
    "model",
    "reasoning",
    "notice",
]
BACKLOG = 1000


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; ``sequence`` grows by one with each event of this process."""

    sequence: int
    kind: EventKind
    at: datetime
    payload: dict[str, Any]


class EventBus:
    """Hands each event to every listener; a listener that falls far behind loses the oldest events."""

    def __init__(self) -> None:
        self._sequence = 0
        self._queues: set[asyncio.Queue[Event]] = set()
        self._listeners: list[Callable[[Event], None]] = []

    def publish(self, kind: EventKind, at: datetime, payload: dict[str, Any]) -> None:
        """Hand out an event; never waits. Call it on the event loop's thread."""
        self._sequence += 1
        event = Event(self._sequence, kind, at, payload)
        for listener in self._listeners:
            listener(event)
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Have ``listener`` called with each event as it is published; it must neither wait nor raise."""
        self._listeners.append(listener)

    @contextmanager
    def subscribe(self) -> Iterator[AsyncIterator[Event]]:
        """Listen from now on, until the block ends."""
        queue: asyncio.Queue[Event] = asyncio.Queue(BACKLOG)
        self._queues.add(queue)
        try:
            yield _drain(queue)
        finally:
            self._queues.discard(queue)


async def _drain(queue: asyncio.Queue[Event]) -> AsyncIterator[Event]:
    while True:
        yield await queue.get()
