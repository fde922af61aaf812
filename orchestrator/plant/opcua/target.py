"""Set points on an OPC UA server, written over a connection of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import PlantRefusedError, UnavailableError
from orchestrator.plant.opcua.browse import located
from orchestrator.plant.opcua.connection import Connection
from orchestrator.plant.opcua.mapping import named_nodes
from orchestrator.plant.opcua.values import microseconds, moment, reading_of
from orchestrator.plant.samples import Quality
from orchestrator.plant.write_target import Observation

if TYPE_CHECKING:
    from asyncua import ua

    from orchestrator.config import OpcUaSettings
    from orchestrator.plant.tags import Plant

REASONS = {
    "BadUserAccessDenied": "our user may not write it",
    "BadNotWritable": "it cannot be written",
    "BadWriteNotSupported": "the server does not let it be written so",
    "BadOutOfRange": "the value is outside the range of the control system",
    "BadTypeMismatch": "the control system holds another type there",
    "BadNodeIdUnknown": "the server has no such node",
    "BadNodeIdInvalid": "the server has no such node",
    "BadAttributeIdInvalid": "the node holds no value",
    "BadNotSupported": "the server does not do that",
    "BadLocked": "someone else has locked it",
    "BadOutOfService": "it is out of service",
    "BadSecurityModeInsufficient": "the connection is not secure enough for it",
    "BadInvalidArgument": "the server does not accept the value",
    "BadRequestNotAllowed": "the control system does not allow it now",
    "BadInvalidState": "the loop is not in a mode that takes a set point",
}
"""Status codes by which a server says that it did not write (OPC UA Part 4, 7.39 and Part 8, 6.3). Any
other bad code, such as that of a time-out behind the server, leaves open what was done."""
_BITS = {"SByte": 8, "Int16": 16, "Int32": 32, "Int64": 64}
_WHOLE = {
    **{name: (-(2**bits // 2), 2**bits // 2 - 1) for name, bits in _BITS.items()},
    "Byte": (0, 255),
    "UInt16": (0, 2**16 - 1),
    "UInt32": (0, 2**32 - 1),
    "UInt64": (0, 2**64 - 1),
}
_LARGEST_FLOAT = 3.4028234663852886e38
"""Of a number of 32 bits (IEEE 754), beyond which it is packed as none."""


class OpcUaTarget:
    """Writes set points of an OPC UA server.

    A write goes out over the connection that the read before it used: it never waits for a new one, and
    it is never repeated. After a write without an answer the connection is cut.

    Args:
        url: ``opc.tcp://host:port``.
        settings: Connection, security, mapping: those of the live source.
        plant: Tags, with their nodes.
        tags: The write list.
    """

    def __init__(
        self, url: str, settings: OpcUaSettings, plant: Plant, tags: tuple[str, ...]
    ) -> None:
        self.name = f"opcua {url}"
        self.simulated = plant.simulated
        self._url = url
        self._settings = settings
        self._tags = tags
        self._named = named_nodes(plant, settings.nodes)
        self._connection: Connection | None = None
        self._nodes: dict[str, ua.NodeId] = {}
        self._types: dict[str, ua.VariantType] = {}

    async def read(self, tag: str) -> Observation:
        """The set point as the server's device holds it, and the server's clock.

        Raises:
            ConfigurationError: a certificate, key or node id cannot be read.
            UnavailableError: the server does not answer, or has no such tag.
        """
        from asyncua import ua

        connection = await self._connected()
        node = self._node(tag)
        clock = ua.NodeId(ua.ObjectIds.Server_ServerStatus_CurrentTime)
        try:
            found, now = await connection.read([node, clock], ua.AttributeIds.Value)
            if tag not in self._types:
                self._types[tag] = await self._type(connection, node, found)
        except UnavailableError:
            self._drop()
            raise
        at = now.Value.Value if now.Value is not None else None
        if at is None:
            raise UnavailableError("the server does not tell its time", where=self._url)
        plant_time = moment(microseconds(at))
        reading = reading_of(0, found, microseconds(plant_time))
        if reading is None or reading.value != reading.value:
            return Observation(None, Quality.BAD, plant_time)
        return Observation(reading.value, Quality(reading.quality), plant_time)

    async def write(self, tag: str, value: float) -> None:
        """Send the set point once.

        Raises:
            PlantRefusedError: the server said that it did not write, or nothing was sent.
            UnavailableError: there was no answer, or one that leaves open what was done.
        """
        from asyncua import ua

        connection = self._connection
        if connection is None or connection.lost or tag not in self._types:
            raise PlantRefusedError(
                f"{tag} was not sent: the connection was lost",
                where=self._url,
                remedy="see that the control system answers",
            )
        kind = self._types[tag]
        held = self._held(tag, value, kind)
        try:
            status = await connection.write(self._node(tag), ua.Variant(held, kind))
        except UnavailableError:
            self._drop()
            raise
        self._judge(tag, status)

    def _held(self, tag: str, value: float, kind: ua.VariantType) -> int | float:
        """The value in the node's own type, which must hold it unchanged."""
        if kind.name in ("Float", "Double"):
            if kind.name == "Float" and abs(value) > _LARGEST_FLOAT:
                raise PlantRefusedError(f"{tag} cannot hold {value:g}", where=self._url)
            return float(value)
        if kind.name not in _WHOLE:
            raise PlantRefusedError(
                f"{tag} holds no number but {kind.name}",
                where=self._url,
                remedy="name the node of the set point in the plant file",
            )
        low, high = _WHOLE[kind.name]
        if not float(value).is_integer() or not low <= value <= high:
            raise PlantRefusedError(
                f"{tag} holds whole numbers from {low} to {high}, not {value:g}", where=self._url
            )
        return int(value)

    async def close(self) -> None:
        """End the session."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _connected(self) -> Connection:
        if self._connection is not None and self._connection.lost:
            self._drop()
        if self._connection is None:
            opened = await Connection.open(self._url, self._settings)
            try:
                # Both may change when the server restarts.
                self._nodes = await located(opened, self._tags, self._named)
            except (
                BaseException
            ):  # a time-out cancels, and a cancelled call keeps no session either
                opened.drop()
                raise
            self._types.clear()
            self._connection = opened
        return self._connection

    def _node(self, tag: str) -> ua.NodeId:
        node = self._nodes.get(tag)
        if node is None:
            raise UnavailableError(
                f"{tag} is no variable of the server",
                where=self._url,
                remedy="name its node in the plant file; see them with: dan-g tags browse URL",
            )
        return node

    async def _type(
        self, connection: Connection, node: ua.NodeId, found: ua.DataValue
    ) -> ua.VariantType:
        """The type in which the node holds its number."""
        from asyncua import ua

        if found.Value is not None and found.Value.VariantType != ua.VariantType.Null:
            return found.Value.VariantType
        declared = (await connection.read([node], ua.AttributeIds.DataType))[0]
        number = getattr(declared.Value.Value if declared.Value else None, "Identifier", None)
        try:
            return ua.VariantType(number)
        except ValueError:
            return ua.VariantType.Double

    def _judge(self, tag: str, status: ua.StatusCode) -> None:
        if not status.is_bad():
            return
        why = REASONS.get(status.name)
        if why is None:
            raise UnavailableError(
                f"the server answered {status.name} to the write of {tag}", where=self._url
            )
        raise PlantRefusedError(
            f"{tag} was not written: {why} ({status.name})",
            where=self._url,
            remedy="look at the loop's mode and at the rights of our user",
        )

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.drop()
            self._connection = None
