"""An OPC UA server for any source: a variable for each tag, its values as they come, and history.

Values are stored before they are published, so that whatever a client saw, the history has. The
server is for trials and tests against a simulated or recorded plant; clients may not write.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog

from orchestrator.errors import ConfigurationError
from orchestrator.plant.opcua.history_file import HistoryFile, Stored
from orchestrator.plant.opcua.values import microseconds, moment
from orchestrator.plant.samples import Quality, SampleBlock
from orchestrator.plant.sources.base import Pacer

if TYPE_CHECKING:
    from asyncua import Server, ua
    from asyncua.common.node import Node

    from orchestrator.plant.sources.base import Source
    from orchestrator.plant.tags import Tag

NAMESPACE = "urn:dan-g:twin"
HISTORY_PAGE = 10_000

log = structlog.get_logger(__name__)


class SourceServer:
    """Serves a source's samples.

    What the source's history gives, and rows that were due before the start, only go into the history.

    Args:
        source: Where samples come from; taken over from the newest one in the history file on.
        url: Address to listen on, ``opc.tcp://127.0.0.1:4840``.
        history: The history, or its file.
        speed: Times real time; 0 is as fast as possible.
        certificate: The server's certificate; with ``private_key`` the secure end points are opened.
        private_key: Its key.
        users: Password by user name; when given, nobody comes in without.
    """

    def __init__(
        self,
        source: Source,
        url: str,
        history: HistoryFile | Path,
        *,
        speed: float = 1.0,
        certificate: Path | None = None,
        private_key: Path | None = None,
        users: dict[str, str] | None = None,
    ) -> None:
        self._source = source
        self._url = url
        self._pacer = Pacer(speed)
        self._history = history if isinstance(history, HistoryFile) else HistoryFile(history)
        self._certificate, self._key = certificate, private_key
        self._users = users
        self._nodes: dict[str, ua.NodeId] = {}
        self._numbers: dict[str, int] = {}
        self.published = 0

    async def run(self, started: asyncio.Event | None = None) -> None:
        """Serve until the source ends or the task is cancelled."""
        server = await self._opened()
        try:
            await asyncio.to_thread(self._take_history)
            async with server:
                log.info("opcua.serving", url=self._url, tags=len(self._nodes))
                if started is not None:
                    started.set()
                await self._publish(server)
        finally:
            self._source.close()
            self._history.close()

    def _take_history(self) -> None:
        newest = self._history.newest()
        if newest is not None:
            self._source.resume_after(newest)
        for block in self._source.history():
            if newest is None or block.end > newest:
                self._store(block)

    async def _publish(self, server: Server) -> None:
        blocks: Iterator[SampleBlock] = self._source.blocks(timedelta(seconds=1))
        while (block := await asyncio.to_thread(next, blocks, None)) is not None:
            for i in range(len(block)):
                row = block.rows(i, i + 1)
                await self._pacer.wait_for(row.end)
                await asyncio.to_thread(self._store, row)
                await self._show(server, row)

    def _store(self, block: SampleBlock) -> None:
        times = block.times.astype("datetime64[us]").view(np.int64).tolist()
        numbers = [self._numbers.get(tag) for tag in block.tags]
        self._history.append(
            (number, time, value if value == value else None, _STATUS[code])
            for time, values, codes in zip(
                times, block.values.tolist(), block.quality.tolist(), strict=True
            )
            for number, value, code in zip(numbers, values, codes, strict=True)
            if number is not None and code != Quality.NONE
        )

    async def _show(self, server: Server, row: SampleBlock) -> None:
        at = row.end
        for tag, value, code in zip(
            row.tags, row.values[0].tolist(), row.quality[0].tolist(), strict=True
        ):
            node = self._nodes.get(tag)
            if node is None or code == Quality.NONE:
                continue
            stored = Stored(microseconds(at), value if value == value else None, _STATUS[code])
            await server.write_attribute_value(node, _data(stored))
            self.published += 1

    async def _opened(self) -> Server:
        from asyncua import Server, ua

        logging.getLogger("asyncua").setLevel(logging.ERROR)
        server = Server(user_manager=_Users(self._users) if self._users else None)
        await server.init()
        server.set_endpoint(self._url)
        server.set_server_name(f"DAN_G {self._source.name}")
        policies = [ua.SecurityPolicyType.NoSecurity]
        if self._certificate is not None and self._key is not None:
            await server.load_certificate(str(self._certificate))
            await server.load_private_key(self._key)
            policies = [
                ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
                ua.SecurityPolicyType.Basic256Sha256_Sign,
            ]
        elif self._users:
            raise ConfigurationError(
                "Users need a certificate and a private key",
                why="their passwords would cross the network in the clear",
                remedy="give --certificate and --private-key",
            )
        server.set_security_policy(policies)
        server.set_identity_tokens(
            [ua.UserNameIdentityToken] if self._users else [ua.AnonymousIdentityToken]
        )
        server.iserver.history_manager.set_storage(
            _storage(self._history, self._nodes, self._numbers)
        )
        index = await server.register_namespace(NAMESPACE)
        await self._add_tags(server, index)
        return server

    async def _add_tags(self, server: Server, index: int) -> None:
        tags = [tag for tag in self._source.plant.tags if tag.expression is None]
        names = [tag.name for tag in tags]
        self._numbers.update(zip(names, self._history.number(names), strict=True))
        unit = await server.nodes.objects.add_object(index, self._source.plant.name or "plant")
        areas: dict[str, Node] = {}
        for tag in tags:
            parent = unit
            if tag.area:
                if tag.area not in areas:
                    areas[tag.area] = await unit.add_object(index, tag.area)
                parent = areas[tag.area]
            self._nodes[tag.name] = (await self._add(parent, index, tag)).nodeid

    async def _add(self, parent: Node, index: int, tag: Tag) -> Node:
        from asyncua import ua

        node: Node = await parent.add_variable(
            ua.NodeId(tag.name, index),
            ua.QualifiedName(tag.name, index),
            0.0,
            ua.VariantType.Double,
        )
        no_data = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData))
        last = self._history.read(self._numbers[tag.name], None, None, 1)
        await node.write_value(_data(last[0]) if last else no_data)
        for attribute in (ua.AttributeIds.AccessLevel, ua.AttributeIds.UserAccessLevel):
            await node.set_attr_bit(attribute, ua.AccessLevel.HistoryRead)
        await node.write_attribute(ua.AttributeIds.Historizing, ua.DataValue(ua.Variant(True)))
        await node.write_attribute(
            ua.AttributeIds.Description, ua.DataValue(ua.Variant(ua.LocalizedText(tag.description)))
        )
        if tag.unit:
            unit = ua.EUInformation(DisplayName=ua.LocalizedText(tag.unit))
            await node.add_property(
                ua.NodeId(f"{tag.name}.unit", index), "0:EngineeringUnits", unit
            )
        return node


class _Users:
    """Lets in who knows the password."""

    def __init__(self, users: dict[str, str]) -> None:
        self._users = users

    def get_user(
        self,
        iserver: Any,  # noqa: ARG002 the library calls it so
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,  # noqa: ARG002
    ) -> Any:
        import hmac

        from asyncua.crypto.permission_rules import User, UserRole

        expected = self._users.get(username or "")
        if expected is None or not hmac.compare_digest(expected, password or ""):
            return None
        return User(role=UserRole.User, name=username)


_STATUS = {
    int(Quality.GOOD): 0x00000000,
    int(Quality.UNCERTAIN): 0x40000000,
    int(Quality.BAD): 0x80000000,
}


@functools.cache
def _status(code: int) -> Any:
    from asyncua import ua

    return ua.StatusCode(code)


def _data(stored: Stored) -> ua.DataValue:
    from asyncua import ua

    at = moment(stored.time)
    held = ua.Variant() if stored.value is None else ua.Variant(stored.value, ua.VariantType.Double)
    status = stored.status if stored.value is not None else stored.status | 0x80000000
    return ua.DataValue(held, _status(status), SourceTimestamp=at, ServerTimestamp=at)


def _storage(file: HistoryFile, nodes: dict[str, ua.NodeId], numbers: dict[str, int]) -> Any:
    """The history file as the library wants it."""
    from asyncua import ua
    from asyncua.server.history import HistoryStorageInterface

    unset = microseconds(ua.get_win_epoch())

    class Storage(HistoryStorageInterface):  # type: ignore[misc] # it is untyped
        def __init__(self) -> None:
            super().__init__(HISTORY_PAGE)
            self._by_node: dict[ua.NodeId, int] = {}

        async def init(self) -> None:
            """Nothing to do."""

        async def stop(self) -> None:
            """The file is closed by the server."""

        async def read_node_history(
            self, node_id: ua.NodeId, start: Any, end: Any, nb_values: int
        ) -> tuple[list[ua.DataValue], Any]:
            if len(self._by_node) != len(nodes):
                self._by_node = {node: numbers[name] for name, node in nodes.items()}
            item = self._by_node.get(node_id)
            if item is None:
                return [], None
            low = None if start is None or microseconds(start) == unset else microseconds(start)
            high = None if end is None or microseconds(end) == unset else microseconds(end)
            most = min(nb_values or HISTORY_PAGE, HISTORY_PAGE)
            found = await asyncio.to_thread(file.read, item, low, high, most + 1)
            more = moment(found[most].time) if len(found) > most and not nb_values else None
            return [_data(stored) for stored in found[:most]], more

    return Storage()
