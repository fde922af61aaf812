"""A control system for tests: python set_point_server.py URL FOLDER.

It holds the set points FC1 (Double), FC2 (Float) and FC3 (Int32), and a switch HS4 (Boolean). How it takes a write stands in the file
FOLDER/manner, read at each write; what it applied is appended to FOLDER/applied before it answers.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

from asyncua import Server, ua

REFUSALS = {
    "out_of_range": ua.StatusCodes.BadOutOfRange,
    "denied": ua.StatusCodes.BadUserAccessDenied,
    "no_communication": ua.StatusCodes.BadNoCommunication,
}


async def main(url: str, folder: Path) -> None:
    logging.disable(logging.CRITICAL)
    server = Server()
    await server.init()
    server.set_endpoint(url)
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace("urn:test:plant")
    for name, kind, first in (
        ("FC1", "Double", 100.0),
        ("FC2", "Float", 100.0),
        ("FC3", "Int32", 100),
        ("HS4", "Boolean", False),
    ):
        node = await server.nodes.objects.add_variable(
            ua.NodeId(name, index),
            ua.QualifiedName(name, index),
            first,
            getattr(ua.VariantType, kind),
        )
        await node.set_writable()
    service = server.iserver.attribute_service
    plain = service.write

    async def apply(parameters: ua.WriteParameters, user: Any) -> list[ua.StatusCode]:
        item = parameters.NodesToWrite[0]
        with (folder / "applied").open("a") as file:
            file.write(f"{item.NodeId.Identifier} {item.Value.Value.Value!r}\n")
        return await plain(parameters, user)

    async def late(
        parameters: ua.WriteParameters, user: Any, seconds: float
    ) -> list[ua.StatusCode]:
        await asyncio.sleep(seconds)
        return await apply(parameters, user)

    async def write(parameters: ua.WriteParameters, user: Any = None) -> list[ua.StatusCode]:
        item = parameters.NodesToWrite[0]
        if not str(item.NodeId.Identifier).startswith("FC"):
            return await plain(parameters, user)  # the server's own, such as its clock
        manner, _, argument = (folder / "manner").read_text().partition(" ")
        if manner in REFUSALS:
            return [ua.StatusCode(REFUSALS[manner])]
        if manner == "ignore":
            return [ua.StatusCode()]
        if manner == "clamp":
            held = item.Value.Value
            item.Value = ua.DataValue(ua.Variant(float(argument), held.VariantType))
        if manner == "slow":
            # On its way to the device, whatever becomes of the connection meanwhile.
            return await asyncio.shield(
                asyncio.ensure_future(late(parameters, user, float(argument)))
            )
        if manner == "drop_before":
            cut(server)
            raise ua.UaError("dropped")
        result = await apply(parameters, user)
        if manner == "drop_after":
            cut(server)
        return result

    service.write = write
    async with server:
        (folder / "ready").touch()
        await asyncio.Event().wait()


def cut(server: Server) -> None:
    """Close every connection without a word."""
    for client in list(server.bserver.clients):
        client.transport.abort()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
