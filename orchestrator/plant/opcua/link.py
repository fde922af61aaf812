"""The link to a server that is kept up: connect, subscribe, fill the gap, and again when it is lost."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import structlog

from orchestrator.errors import ConfigurationError, UnavailableError
from orchestrator.plant.opcua.browse import located
from orchestrator.plant.opcua.collector import Collector
from orchestrator.plant.opcua.connection import Connection
from orchestrator.plant.opcua.gaps import Gaps
from orchestrator.plant.opcua.mapping import named_nodes
from orchestrator.plant.opcua.values import Reading

if TYPE_CHECKING:
    from asyncua import ua

    from orchestrator.config import OpcUaSettings
    from orchestrator.plant.tags import Plant

CLOCK_SLACK = 5_000_000
"""Microseconds by which history is asked for beyond the newest time known."""
HISTORY_TRIES = 4
SAME_START = 600_000_000
"""Microseconds by which the starts of items that are read together may differ."""

log = structlog.get_logger(__name__)


class Link:
    """Keeps one subscription alive and hands its readings to a collector.

    Args:
        url: Address of the server.
        plant: The tags wanted; computed ones are left out.
        settings: Connection, security, mapping, pace.
        collector: Where readings go, with the columns of ``tags``.

    Attributes:
        tags: Tags that are read, in column order.
        gaps: What is known and what is missing.
        connections: How often the server was reached.
        refused: Tags that the server does not have or does not let us watch.
        unfilled: Column -> time (microseconds since 1970) from which on a reader may not have had
            everything; a new mapping at each change.
    """

    def __init__(
        self, url: str, plant: Plant, settings: OpcUaSettings, collector: Collector
    ) -> None:
        self.tags = collector.tags
        self.gaps = Gaps(len(self.tags))
        self.connections = 0
        self.refused: tuple[str, ...] = ()
        self.unfilled: Mapping[int, int] = {}
        self._unfilled_lock = threading.Lock()
        self._url = url
        self._plant = plant
        self._settings = settings
        self._collector = collector
        self._named = named_nodes(plant, settings.nodes)
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Run until :meth:`stop`.

        Raises:
            ConfigurationError: a certificate, node id or mapping is wrong; trying again is no use.
        """
        waits = backoff(self._settings.reconnect_base, self._settings.reconnect_cap)
        told = False
        while not self._stopping.is_set():
            try:
                connection = await Connection.open(self._url, self._settings)
            except UnavailableError as error:
                wait = next(waits)
                if not told:
                    # Once an outage: a line for each try would fill the log of a long one.
                    log.warning("opcua.unreachable", error=str(error), retry_seconds=round(wait, 1))
                told = True
                await self._pause(wait)
                continue
            told = False
            try:
                healthy = await self._attend(connection)
            except UnavailableError as error:
                healthy = False
                log.warning("opcua.request_failed", error=str(error))
            finally:
                self._lost()
                await connection.close()
            if healthy:
                waits = backoff(self._settings.reconnect_base, self._settings.reconnect_cap)
            if not self._stopping.is_set():
                await self._pause(next(waits))

    def stop(self) -> None:
        """End :meth:`run` soon; call it in its event loop."""
        self._stopping.set()

    async def past(self, hours: float) -> list[Reading]:
        """What the server holds of the last hours, over a connection of its own."""
        connection = await Connection.open(self._url, self._settings)
        try:
            nodes = await self._nodes(connection)
            now = await connection.server_time()
            start = now - int(hours * 3600e6)
            # A gap that began earlier stays open, and is filled beside the live samples.
            whole = self.gaps.known_since(start)
            self.gaps.connection_lost()
            found: list[Reading] = []
            for part in _parts(nodes, self._settings.items_per_call):
                async for readings, _ in connection.history(part, start, now + CLOCK_SLACK):
                    found += self.gaps.past(readings)
            self.gaps.close(whole)
            return found
        finally:
            await connection.close()

    async def _attend(self, connection: Connection) -> bool:
        """Serve one connection until it is lost; whether it ever worked."""
        nodes = await self._nodes(connection)
        refused = await connection.subscribe(nodes, self._take)
        self.connections += 1
        self._tell(nodes, refused)
        watched = {column: node for column, node in nodes.items() if column not in refused}
        tasks = {
            asyncio.ensure_future(connection.wait_lost()),
            asyncio.ensure_future(self._stopping.wait()),
        }
        filling = asyncio.ensure_future(self._keep_filling(connection, watched))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*tasks, filling):
                task.cancel()
            for outcome in await asyncio.gather(*tasks, filling, return_exceptions=True):
                if isinstance(outcome, Exception):
                    log.warning("opcua.fill_failed", error=str(outcome))
        return True

    def _take(self, readings: list[Reading]) -> None:
        self._collector.add(self.gaps.live(readings))

    def begin(self) -> None:
        """From what is known on, everything is still to come."""
        self.gaps.connection_lost()
        with self._unfilled_lock:
            since = {column: self.gaps.known_until[column] for column in self.gaps.open_columns()}
            # What was filled and is still on its way to the reader counts from where it began.
            self.unfilled = {**since, **self.unfilled}

    def _lost(self) -> None:
        self.begin()
        self._collector.mark(range(len(self.tags)))

    def _close(self, columns: Iterable[int]) -> None:
        """The gaps of these items are filled, or cannot be: so once the reader has what fills them."""
        columns = list(columns)
        self.gaps.close(columns)
        self._collector.after_past(lambda: self._arrived(columns))

    def _arrived(self, columns: list[int]) -> None:
        with self._unfilled_lock:
            unfilled = dict(self.unfilled)
            for column in columns:
                if self.gaps.is_open(column):
                    unfilled[column] = self.gaps.known_until[column]
                else:
                    unfilled.pop(column, None)
            self.unfilled = unfilled

    async def _keep_filling(self, connection: Connection, nodes: dict[int, ua.NodeId]) -> None:
        """Fill the gaps; where the server fails, again after a while."""
        waits = backoff(self._settings.reconnect_base, self._settings.reconnect_cap)
        while True:
            try:
                await self._fill(connection, nodes)
            except UnavailableError as error:
                wait = next(waits)
                log.warning("opcua.fill_failed", error=str(error), retry_seconds=round(wait, 1))
                await asyncio.sleep(wait)
            else:
                return

    async def _fill(self, connection: Connection, nodes: dict[int, ua.NodeId]) -> None:
        """Fetch what the server stored while we did not listen."""
        columns = self.gaps.open_columns()
        if not columns:
            return
        if not self._settings.history:
            self._close(columns)
            return
        # What was measured just before the subscription began may still be on its way to the history.
        await asyncio.sleep(self._settings.settle)
        now = max(await connection.server_time(), self.gaps.newest() or 0)
        oldest = now - int(self._settings.history_hours * 3600e6)
        started, count, without = time.monotonic(), 0, 0
        here = [column for column in columns if column in nodes]
        self._close(set(columns) - set(here))
        here.sort(key=lambda column: self.gaps.known_until[column])
        size = self._settings.items_per_call
        while here:
            part = self._together(here, size)
            start = max(min(self.gaps.known_until[column] for column in part), oldest)
            try:
                items = [(column, nodes[column]) for column in part]
                async for readings, none in connection.history(items, start, now + CLOCK_SLACK):
                    fresh = self.gaps.past(readings)
                    count += len(fresh)
                    without += len(none)
                    self._collector.add_past(fresh)
            except UnavailableError as error:
                if size <= self._settings.items_per_call >> HISTORY_TRIES:
                    raise
                # The answer may be too large for the server or too slow; smaller parts may do.
                size = max(1, size // 2)
                log.info("opcua.history_in_smaller_parts", items=size, error=str(error))
                continue
            self._close(part)
            here = here[len(part) :]
        log.info(
            "opcua.gap_filled",
            samples=count,
            items=len(columns),
            items_without_history=without,
            seconds=round(time.monotonic() - started, 2),
        )

    def _together(self, columns: list[int], size: int) -> list[int]:
        """The first items, with about the same start, so that little is read twice."""
        since = self.gaps.known_until
        limit = since[columns[0]] + SAME_START
        return [column for column in columns[:size] if since[column] <= limit]

    async def _nodes(self, connection: Connection) -> dict[int, ua.NodeId]:
        """Column -> node on this server."""
        found = await located(connection, self.tags, self._named)
        if not found:
            raise ConfigurationError(
                f"None of the {len(self.tags)} tags is a variable of the server",
                where=self._url,
                remedy="name nodes in the plant file; see them with: dan-g tags browse URL",
            )
        return {column: found[tag] for column, tag in enumerate(self.tags) if tag in found}

    def _tell(self, nodes: dict[int, ua.NodeId], refused: list[int]) -> None:
        left_out = [
            tag
            for column, tag in enumerate(self.tags)
            if column not in nodes or column in set(refused)
        ]
        self.refused = tuple(left_out)
        log.info("opcua.subscribed", url=self._url, items=len(self.tags) - len(left_out))
        if left_out:
            log.warning("opcua.tags_without_node", tags=left_out[:10], count=len(left_out))

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass


def backoff(base: float, cap: float) -> Iterator[float]:
    """Waits in seconds: doubled each time up to ``cap``, each between half and all of it."""
    wait = min(base, cap)
    while True:
        yield wait * random.uniform(0.5, 1.0)  # noqa: S311
        wait = min(2 * wait, cap)


def _parts(nodes: dict[int, ua.NodeId], size: int) -> list[list[tuple[int, ua.NodeId]]]:
    items = list(nodes.items())
    return [items[first : first + size] for first in range(0, len(items), size)]
