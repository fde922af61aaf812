"""One connection to an OPC UA server: every request has a time-out, none is repeated here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import structlog

from orchestrator.errors import ConfigurationError, UnavailableError
from orchestrator.plant.opcua.security import secure
from orchestrator.plant.opcua.values import Reading, microseconds, moment, readings_of

if TYPE_CHECKING:
    from asyncua import Client, ua

    from orchestrator.config import OpcUaSettings

KEEP_ALIVE_PUBLICATIONS = 5
LIFETIME_PUBLICATIONS = 100
SILENT_KEEP_ALIVES = 3
SESSION_SECONDS = 60.0
_NUMERIC_TYPE_IDS = frozenset([*range(1, 12), 26, 27, 28])
"""Boolean to Double, and the abstract numbers, in name space 0 (OPC UA Part 6, A.1)."""

OnReadings = Callable[[list[Reading]], None]

log = structlog.get_logger(__name__)


class Connection:
    """An open session.

    Attributes:
        url: Address of the server.
        settings: How it was opened.
        namespaces: URIs of the server's name spaces, by index.
    """

    def __init__(self, url: str, settings: OpcUaSettings, client: Client) -> None:
        self.url = url
        self.settings = settings
        self.namespaces: tuple[str, ...] = ()
        self._client = client
        self._lost = asyncio.Event()
        self._heard = time.monotonic()
        self._silence: float | None = None
        self._subscriptions: list[int] = []

    @classmethod
    async def open(cls, url: str, settings: OpcUaSettings) -> Connection:
        """Connect, secure the channel, log in.

        Raises:
            ConfigurationError: a certificate or key cannot be read.
            UnavailableError: the server does not answer, or refuses us.
        """
        from asyncua import Client

        _quiet_library()
        client = Client(url, timeout=settings.timeout, watchdog_intervall=settings.timeout)
        client.name = client.description = "DAN_G Orchestrator"
        client.session_timeout = int(SESSION_SECONDS * 1000)
        connection = cls(url, settings, client)
        client.connection_lost_callback = connection._on_lost
        if settings.user is not None:
            client.set_user(settings.user)
        if settings.password is not None:
            client.set_password(settings.password.get_secret_value())
        try:
            # Several requests make up a connection; each also has the time-out of its own.
            async with asyncio.timeout(4 * settings.timeout):
                await secure(client, settings)
                await client.connect()
                connection.namespaces = tuple(await client.get_namespace_array())
        except ConfigurationError:
            raise
        except Exception as error:
            await connection.close()
            raise _unavailable(url, error) from error
        return connection

    async def server_time(self) -> int:
        """The server's clock, microseconds since 1970."""
        from asyncua import ua

        node = ua.NodeId(ua.ObjectIds.Server_ServerStatus_CurrentTime)
        data = (await self.read([node], ua.AttributeIds.Value))[0]
        at = data.Value.Value if data.Value is not None else None
        return int(time.time() * 1e6) if at is None else microseconds(at)

    async def read(self, nodes: Sequence[ua.NodeId], attribute: int) -> list[ua.DataValue]:
        """One attribute of each node."""
        from asyncua import ua

        found: list[ua.DataValue] = []
        for part in _parts(nodes, self.settings.items_per_call):
            parameters = ua.ReadParameters()
            parameters.NodesToRead = [
                ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds(attribute)) for node in part
            ]
            parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
            async with self._errors():
                found.extend(await self._client.uaclient.session.read(parameters))
        return found

    async def write(self, node: ua.NodeId, value: ua.Variant) -> ua.StatusCode:
        """Send a value once; what the server said to it.

        Raises:
            UnavailableError: there was no answer, so that nobody knows whether it was carried out.
        """
        from asyncua import ua

        item = ua.WriteValue(
            NodeId=node, AttributeId=ua.AttributeIds.Value, Value=ua.DataValue(value)
        )
        async with self._errors():
            results = await self._client.uaclient.session.write(
                ua.WriteParameters(NodesToWrite=[item])
            )
        return results[0]

    @property
    def lost(self) -> bool:
        """Whether the connection is known to be gone."""
        return self._lost.is_set()

    def drop(self) -> None:
        """Cut the connection without a word, so that the server forgets what it was still to do."""
        self._lost.set()
        with suppress(Exception):
            self._client.disconnect_socket()

    async def numeric(self, nodes: Sequence[ua.NodeId]) -> list[bool]:
        """Whether each node holds one number that we may read."""
        from asyncua import ua

        numbers = _numeric_types()
        values = await self.read(nodes, ua.AttributeIds.Value)
        types = await self.read(nodes, ua.AttributeIds.DataType)
        found = []
        for data, kind in zip(values, types, strict=True):
            held = data.Value
            if held is None or held.VariantType == ua.VariantType.Null:
                # Nothing is measured yet, or what is measured is bad: its type must tell.
                declared = kind.Value.Value if kind.Value is not None else None
                found.append(getattr(declared, "Identifier", None) in _NUMERIC_TYPE_IDS)
            else:
                found.append(not held.is_array and held.VariantType in numbers)
        return found

    async def browse(self, nodes: Sequence[ua.NodeId]) -> list[list[ua.ReferenceDescription]]:
        """What lies below each node, and its properties."""
        from asyncua import ua

        found: list[list[ua.ReferenceDescription]] = []
        session = self._client.uaclient.session
        for part in _parts(nodes, self.settings.items_per_call):
            parameters = ua.BrowseParameters()
            parameters.View.Timestamp = ua.get_win_epoch()
            parameters.RequestedMaxReferencesPerNode = 0
            parameters.NodesToBrowse = [
                ua.BrowseDescription(
                    NodeId=node,
                    BrowseDirection=ua.BrowseDirection.Forward,
                    ReferenceTypeId=ua.NodeId(ua.ObjectIds.HierarchicalReferences),
                    IncludeSubtypes=True,
                    NodeClassMask=ua.NodeClass.Object | ua.NodeClass.Variable,
                    ResultMask=ua.BrowseResultMask.All,
                )
                for node in part
            ]
            async with self._errors():
                results = await session.browse(parameters)
                for result in results:
                    references = list(result.References or ())
                    point = result.ContinuationPoint
                    while point:
                        following = ua.BrowseNextParameters(ContinuationPoints=[point])
                        more = (await session.browse_next(following))[0]
                        references.extend(more.References or ())
                        point = more.ContinuationPoint
                    found.append(references)
        return found

    async def subscribe(self, nodes: dict[int, ua.NodeId], on_readings: OnReadings) -> list[int]:
        """Have every change of the nodes handed to ``on_readings``, and the values as they are now.

        Args:
            nodes: Column of the tag -> node.
            on_readings: Called in the event loop with all readings of one publication.

        Returns:
            Columns that the server does not let us watch.
        """
        from asyncua import ua

        wanted = self.settings
        session = self._client.uaclient.session
        parameters = ua.CreateSubscriptionParameters()
        parameters.RequestedPublishingInterval = wanted.publishing_interval * 1000
        parameters.RequestedMaxKeepAliveCount = KEEP_ALIVE_PUBLICATIONS
        parameters.RequestedLifetimeCount = LIFETIME_PUBLICATIONS
        parameters.PublishingEnabled = True

        def published(result: ua.PublishResult) -> None:
            self._heard = time.monotonic()
            received = int(time.time() * 1e6)
            for notification in result.NotificationMessage.NotificationData or ():
                if isinstance(notification, ua.DataChangeNotification):
                    items = ((i.ClientHandle, i.Value) for i in notification.MonitoredItems)
                    on_readings(readings_of(items, received))
                elif isinstance(notification, ua.StatusChangeNotification):
                    log.info("opcua.subscription_ended", status=str(notification.Status))
                    self._lost.set()

        async with self._errors():
            made = await session.create_subscription(parameters, published)
        self._subscriptions.append(made.SubscriptionId)
        period = (made.RevisedPublishingInterval or parameters.RequestedPublishingInterval) / 1000
        count = made.RevisedMaxKeepAliveCount or KEEP_ALIVE_PUBLICATIONS
        self._silence = max(SILENT_KEEP_ALIVES * period * count, wanted.timeout)
        refused: list[int] = []
        for part in _parts(list(nodes.items()), wanted.items_per_call):
            results = await self._monitor(made.SubscriptionId, part, with_filter=True)
            again = [item for item, good in zip(part, results, strict=True) if not good]
            if again:
                results = await self._monitor(made.SubscriptionId, again, with_filter=False)
                refused += [c for (c, _), good in zip(again, results, strict=True) if not good]
        return refused

    async def _monitor(
        self, subscription: int, items: Sequence[tuple[int, ua.NodeId]], *, with_filter: bool
    ) -> list[bool]:
        from asyncua import ua

        wanted = self.settings
        parameters = ua.CreateMonitoredItemsParameters()
        parameters.SubscriptionId = subscription
        parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        for column, node in items:
            monitoring = ua.MonitoringParameters()
            monitoring.ClientHandle = column
            monitoring.SamplingInterval = wanted.sampling_interval * 1000
            monitoring.QueueSize = wanted.queue_size
            monitoring.DiscardOldest = True
            if with_filter and wanted.report == "timestamp":
                monitoring.Filter = ua.DataChangeFilter(
                    Trigger=ua.DataChangeTrigger.StatusValueTimestamp
                )
            request = ua.MonitoredItemCreateRequest()
            request.ItemToMonitor = ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value)
            request.MonitoringMode = ua.MonitoringMode.Reporting
            request.RequestedParameters = monitoring
            parameters.ItemsToCreate.append(request)
        async with self._errors():
            results = await self._client.uaclient.session.create_monitored_items(parameters)
        return [bool(result.StatusCode.is_good()) for result in results]

    async def history(
        self, items: Sequence[tuple[int, ua.NodeId]], start: int, end: int
    ) -> AsyncIterator[tuple[list[Reading], list[int]]]:
        """Stored values of the items from ``start`` to ``end``, both included, page by page.

        Args:
            items: Column of the tag and node, at most ``settings.items_per_call``.
            start: Microseconds since 1970.
            end: Microseconds since 1970.

        Yields:
            Readings, and the columns for which the server has no history.
        """
        from asyncua import ua

        details = ua.ReadRawModifiedDetails()
        details.IsReadModified = False
        details.StartTime = moment(start)
        details.EndTime = moment(end)
        details.NumValuesPerNode = 0
        details.ReturnBounds = False
        left: list[tuple[int, ua.NodeId, bytes | None]] = [(c, n, None) for c, n in items]
        while left:
            parameters = ua.HistoryReadParameters()
            parameters.HistoryReadDetails = details
            parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
            parameters.ReleaseContinuationPoints = False
            for _, node, point in left:
                value = ua.HistoryReadValueId()
                value.NodeId = node
                value.ContinuationPoint = point
                parameters.NodesToRead.append(value)
            async with self._errors():
                results = await self._client.uaclient.session.history_read(parameters)
            received = int(time.time() * 1e6)
            readings: list[Reading] = []
            without: list[int] = []
            following: list[tuple[int, ua.NodeId, bytes | None]] = []
            for (column, node, before), result in zip(left, results, strict=True):
                if not result.StatusCode.is_good():
                    without.append(column)
                    continue
                values = getattr(result.HistoryData, "DataValues", None) or ()
                readings += readings_of(((column, data) for data in values), received)
                point = result.ContinuationPoint
                if point and point != before:
                    following.append((column, node, point))
            yield readings, without
            left = following

    async def wait_lost(self) -> None:
        """Return when the connection is lost, or the subscription silent for too long."""
        while not self._lost.is_set():
            if self._silence is not None and time.monotonic() - self._heard > self._silence:
                log.info("opcua.silent", url=self.url, seconds=round(self._silence, 1))
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await self._lost.wait()

    async def close(self) -> None:
        """End the session; a server that is gone is no error."""
        with suppress(Exception):
            async with asyncio.timeout(self.settings.timeout):
                await self._client.disconnect()
        # What disconnect leaves when it is cut short.
        with suppress(Exception):
            self._client.disconnect_socket()

    async def _on_lost(self, error: Exception) -> None:
        log.info("opcua.lost", url=self.url, why=type(error).__name__)
        self._lost.set()

    @asynccontextmanager
    async def _errors(self) -> AsyncIterator[None]:
        from asyncua import ua

        try:
            async with asyncio.timeout(self.settings.timeout):
                yield
        except (TimeoutError, OSError, ua.UaError) as error:
            raise _unavailable(self.url, error) from error


def _unavailable(url: str, error: Exception) -> UnavailableError:
    said = "it did not answer in time" if isinstance(error, TimeoutError) else _said(error)
    return UnavailableError(
        f"The OPC UA server cannot be used ({said})",
        where=url,
        remedy="check the address, that the server runs, and that it trusts our certificate and user",
    )


def _said(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200] or type(error).__name__


def _numeric_types() -> frozenset[Any]:
    from asyncua import ua

    names = "Boolean SByte Byte Int16 UInt16 Int32 UInt32 Int64 UInt64 Float Double"
    return frozenset(getattr(ua.VariantType, name) for name in names.split())


def _quiet_library() -> None:
    """The library's debug log holds whole requests, the one with the password among them.

    Its errors are of lost connections, which are told of here.
    """
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)


def _parts(items: Sequence[Any], size: int) -> list[Any]:
    return [items[first : first + size] for first in range(0, len(items), size)]
