"""Browsing a server: its variables, and a plant file drafted from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.errors import DataError
from orchestrator.plant.opcua.mapping import by_uri, matched, resolved
from orchestrator.plant.tags import Plant, Tag

if TYPE_CHECKING:
    from asyncua import ua

    from orchestrator.plant.opcua.connection import Connection

MAX_NODES = 200_000
MAX_DEPTH = 12
_OWN_NAMESPACE = 0


@dataclass(frozen=True)
class Variable:
    """A variable of the server: browse name, path of browse names, node id by URI, facts."""

    name: str
    path: tuple[str, ...]
    node: str
    description: str = ""
    unit: str = ""


async def located(
    connection: Connection, tags: Sequence[str], named: Mapping[str, str]
) -> dict[str, ua.NodeId]:
    """Tag -> node on this server, by the node that it names or else by its own name.

    A tag that names no node and that no single variable is called like is left out.
    """
    nodes = {tag: named[tag] for tag in tags if tag in named}
    rest = [tag for tag in tags if tag not in named]
    if rest:
        found: dict[str, list[str]] = {}
        for item in await variables(connection):
            found.setdefault(item.name, []).append(item.node)
        nodes |= matched(rest, found)
    return {tag: resolved(node, connection.namespaces) for tag, node in nodes.items()}


async def variables(connection: Connection, *, details: bool = False) -> list[Variable]:
    """All numeric variables under the server's Objects folder, its own diagnostics left out.

    Args:
        connection: An open connection.
        details: Whether to read descriptions and engineering units too.

    Raises:
        DataError: the server has more than :data:`MAX_NODES` nodes.
    """
    from asyncua import ua

    namespaces = connection.namespaces
    level: list[tuple[tuple[str, ...], Any]] = [((), ua.NodeId(ua.ObjectIds.ObjectsFolder))]
    seen = {level[0][1]}
    found: list[tuple[tuple[str, ...], ua.NodeId, str]] = []
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for (path, _), references in zip(
            level, await connection.browse([node for _, node in level]), strict=True
        ):
            for reference in references:
                node = reference.NodeId
                node = ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)
                if node in seen or (node.NamespaceIndex == _OWN_NAMESPACE):
                    continue
                seen.add(node)
                name = reference.BrowseName.Name
                if reference.NodeClass == ua.NodeClass.Variable:
                    is_property = reference.TypeDefinition == ua.NodeId(ua.ObjectIds.PropertyType)
                    if not is_property:
                        found.append(((*path, name), node, reference.DisplayName.Text or ""))
                below.append(((*path, name), node))
        if len(seen) > MAX_NODES:
            raise DataError(
                f"the server has more than {MAX_NODES} nodes",
                where=connection.url,
                remedy="name the nodes in the plant file instead of browsing for them",
            )
        if not below:
            break
        level = below
    numeric = await connection.numeric([node for _, node, _ in found])
    kept = [item for item, good in zip(found, numeric, strict=True) if good]
    facts = await _facts(connection, [node for _, node, _ in kept]) if details else [{}] * len(kept)
    return [
        Variable(path[-1], path, by_uri(node, namespaces), **fact)
        for (path, node, _), fact in zip(kept, facts, strict=True)
    ]


async def draft_plant(connection: Connection, name: str) -> Plant:
    """A plant with one tag a variable; names that come twice are told apart by their path."""
    found = await variables(connection, details=True)
    if not found:
        raise DataError(
            "the server has no numeric variable that may be read",
            where=connection.url,
            remedy="check the user's rights, or name the nodes in the plant file",
        )
    count: dict[str, int] = {}
    for item in found:
        count[item.name] = count.get(item.name, 0) + 1
    tags = [
        Tag(
            name=item.name if count[item.name] == 1 else ".".join(item.path),
            description=item.description,
            unit=item.unit,
            area=item.path[-2] if len(item.path) > 1 else "",
            node=item.node,
        )
        for item in found
    ]
    return Plant(name=name, tags=tuple({tag.name: tag for tag in tags}.values()))


async def _facts(connection: Connection, nodes: list[Any]) -> list[dict[str, Any]]:
    """Description and unit of each node, where the server tells them."""
    from asyncua import ua

    descriptions = await connection.read(nodes, ua.AttributeIds.Description)
    facts: list[dict[str, Any]] = []
    for data in descriptions:
        held = data.Value.Value if data.Value is not None else None
        facts.append({"description": (getattr(held, "Text", None) or "").strip()})
    owners: list[int] = []
    wanted: list[Any] = []
    for owner, references in enumerate(await connection.browse(nodes)):
        for reference in references:
            if reference.BrowseName.Name == "EngineeringUnits":
                node = reference.NodeId
                owners.append(owner)
                wanted.append(ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType))
    found = await connection.read(wanted, ua.AttributeIds.Value)
    for owner, data in zip(owners, found, strict=True):
        held = data.Value.Value if data.Value is not None else None
        facts[owner]["unit"] = _unit(getattr(getattr(held, "DisplayName", None), "Text", None))
    return facts


def _unit(text: str | None) -> str:
    """The unit as pint knows it; empty where it does not."""
    from orchestrator.plant.units import known, normalise

    if not text:
        return ""
    unit = normalise(text)
    return unit if known(unit) else ""
