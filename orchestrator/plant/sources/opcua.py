"""A plant behind an OPC UA server as a source of samples."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

import structlog

from orchestrator.errors import ConfigurationError, DanGError
from orchestrator.plant.opcua.browse import draft_plant
from orchestrator.plant.opcua.collector import Collector, ordered
from orchestrator.plant.opcua.connection import Connection
from orchestrator.plant.opcua.link import Link
from orchestrator.plant.opcua.values import microseconds, moment
from orchestrator.plant.pivot import pivot
from orchestrator.plant.sources.base import Gap, split_by_span

if TYPE_CHECKING:
    from orchestrator.config import OpcUaSettings
    from orchestrator.plant.samples import SampleBlock
    from orchestrator.plant.tags import Plant

HEARTBEAT_SECONDS = 5.0
STOP_SECONDS = 5.0
OVERLAP_SECONDS = 60.0
Result = TypeVar("Result")

log = structlog.get_logger(__name__)


class OpcUaSource:
    """Samples of an OPC UA server, live and without end.

    :meth:`blocks` keeps a connection up in a thread of its own. When it is lost, every tag gets one
    bad sample right behind the newest one; rows without samples tell the time until the server is
    back; then what the server stored meanwhile comes in blocks of the past (see
    :attr:`live`), none of it twice.

    Args:
        url: ``opc.tcp://host:port``.
        settings: Connection, security, mapping, pace.
        plant: The tags; drafted from the server's variables when None.

    Attributes:
        live: True: the source keeps the pace itself, and a block may lie in the past of those before
            it where it fills a gap or came late.

    Raises:
        ConfigurationError: the extra ``opcua`` is not installed, or a mapping is wrong.
        UnavailableError: ``plant`` is None and the server cannot be reached.
    """

    live = True

    def __init__(self, url: str, settings: OpcUaSettings, plant: Plant | None = None) -> None:
        require_asyncua()
        self.name = f"opcua {url}"
        self._url = url
        self._settings = settings
        self.plant: Plant = plant or browsed_plant(url, settings)
        self.simulated = self.plant.simulated
        tags = tuple(tag.name for tag in self.plant.tags if tag.expression is None)
        if not tags:
            raise ConfigurationError(
                "The plant has no tag that could be read",
                where=self.plant.name,
                remedy="draft a plant file with: dan-g tags browse URL",
            )
        self._collector = Collector(tags, settings.settle, HEARTBEAT_SECONDS)
        self._link = Link(url, self.plant, settings, self._collector)
        self._running: _Blocks | None = None
        self._told: tuple[Mapping[int, int], Mapping[str, datetime]] = ({}, {})

    @property
    def connections(self) -> int:
        """How often the server was reached since :meth:`blocks` began."""
        return self._link.connections

    def history(self) -> Iterator[SampleBlock]:
        """The server's own past: ``learn_hours`` of it, in order of time.

        Raises:
            UnavailableError: the server cannot be reached.
        """
        if not (self._settings.history and self._settings.learn_hours):
            return
        found = in_own_loop(self._link.past(self._settings.learn_hours))
        if found:
            yield from pivot([ordered(found)], self._collector.tags)

    def resume_after(self, time: datetime) -> None:
        """Hand on only what is later than ``time``; what the server stored since then is fetched."""
        self._link.gaps.start_after(microseconds(time))

    @property
    def overlap(self) -> timedelta:
        """How far before the newest stored sample something may be missing after a crash."""
        held_back = self._settings.settle + self._settings.publishing_interval
        return timedelta(seconds=OVERLAP_SECONDS + 2 * held_back)

    def resume_gaps(self, gaps: Mapping[str, Gap]) -> None:
        """Fetch what an earlier process missed; called before any samples are taken."""
        for column, tag in enumerate(self._collector.tags):
            if tag in gaps:
                gap = gaps[tag]
                self._link.gaps.resume(column, microseconds(gap.since), gap.held.tolist())

    def unfilled(self) -> Mapping[str, datetime]:
        """Tags with a gap that the reader of :meth:`blocks` has not got filled yet, and since when.

        The same object until something changes.
        """
        unfilled = self._link.unfilled
        if unfilled is not self._told[0]:
            named = {self._collector.tags[c]: moment(at) for c, at in sorted(unfilled.items())}
            self._told = (unfilled, named)
        return self._told[1]

    def blocks(self, max_span: timedelta) -> Iterator[SampleBlock]:
        """Live samples, without end; see :attr:`live` about order.

        Raises:
            ConfigurationError: a node id or certificate is wrong.
        """
        if self._running is not None:
            raise ConfigurationError("The blocks of a live source are read once", where=self.name)
        self._link.begin()
        self._running = _Blocks(self._link, self._collector, max_span)
        return self._running

    def close(self) -> None:
        """Disconnect; an iterator stops."""
        if self._running is not None:
            self._running.close()


class _Blocks:
    """The iterator of :meth:`OpcUaSource.blocks`; it may be closed while another thread waits in it."""

    def __init__(self, link: Link, collector: Collector, max_span: timedelta) -> None:
        self._link = link
        self._collector = collector
        self._span = max_span
        self._ready: deque[SampleBlock] = deque()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="opcua", daemon=True)
        self._thread.start()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> SampleBlock:
        while not self._ready:
            blocks = self._collector.take()
            if blocks is None:
                raise StopIteration
            self._ready.extend(split_by_span(blocks, self._span))
        return self._ready.popleft()

    def close(self) -> None:
        """End it and release the connection."""
        if self._loop.is_closed():
            return
        try:
            self._loop.call_soon_threadsafe(self._link.stop)
        except RuntimeError:
            return  # it ended just now
        self._thread.join(STOP_SECONDS)

    def _serve(self) -> None:
        error: BaseException | None = None
        try:
            self._loop.run_until_complete(self._link.run())
        except DanGError as found:
            error = found
        except Exception as found:  # noqa: BLE001 the reader in the other thread shall get it
            log.error("opcua.ended", error=repr(found))
            error = found
        finally:
            self._loop.run_until_complete(_rest())
            self._loop.close()
            self._collector.end(error)


async def _rest() -> None:
    """End what the library left running."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


def browsed_plant(url: str, settings: OpcUaSettings) -> Plant:
    """A plant drafted from the variables of a server.

    Raises:
        ConfigurationError: the extra ``opcua`` is not installed, or a certificate is wrong.
        DataError: there is no variable to read.
        UnavailableError: the server cannot be reached.
    """
    require_asyncua()

    async def drafted() -> Plant:
        connection = await Connection.open(url, settings)
        try:
            return await draft_plant(connection, url)
        finally:
            await connection.close()

    return in_own_loop(drafted())


def require_asyncua() -> None:
    """Refuse clearly where the library is absent.

    Raises:
        ConfigurationError: ``asyncua`` is not installed.
    """
    from importlib.util import find_spec

    if find_spec("asyncua") is None:
        raise ConfigurationError(
            "OPC UA needs the package asyncua, which is not installed",
            where="plant.source.kind",
            remedy="install it with: pip install 'dan-g-orchestrator[opcua]'",
        )


def in_own_loop(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end in a thread of its own, whether or not this one has an event loop."""
    outcome: Future[Result] = Future()

    async def guarded() -> Result:
        try:
            return await work
        finally:
            await _rest()

    def run() -> None:
        try:
            outcome.set_result(asyncio.run(guarded()))
        except BaseException as error:  # noqa: BLE001 handed to the caller
            outcome.set_exception(error)

    thread = threading.Thread(target=run, name="opcua-once", daemon=True)
    thread.start()
    thread.join()
    return outcome.result()
