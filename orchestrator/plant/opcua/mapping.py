"""Which node of a server each tag is read from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.errors import ConfigurationError

if TYPE_CHECKING:
    from asyncua import ua

    from orchestrator.plant.tags import Plant

_URI = "nsu="


def named_nodes(plant: Plant, nodes: Mapping[str, str]) -> dict[str, str]:
    """Tag -> node id as written, for tags that name one; ``nodes`` goes before the plant file.

    Raises:
        ConfigurationError: ``nodes`` names a tag that the plant does not have.
    """
    unknown = [name for name in nodes if name not in plant.by_name]
    if unknown:
        raise ConfigurationError(
            f"names tags that the plant does not have: {', '.join(unknown[:5])}",
            where="plant.source.opcua.nodes",
            remedy="name tags of the plant file, or add these to it",
        )
    return {
        tag.name: node
        for tag in plant.tags
        if tag.expression is None and (node := nodes.get(tag.name) or tag.node)
    }


def resolved(node: str, namespaces: Sequence[str]) -> ua.NodeId:
    """The node id on a server with these name spaces.

    The index of a name space may change when a server restarts, its URI does not; so ids by URI
    (``nsu=…;s=…``) are resolved anew for each connection.

    Raises:
        ConfigurationError: the id cannot be read, or the server has no such name space.
    """
    from asyncua import ua
    from asyncua.ua.uaerrors import UaStringParsingError

    text = node.strip()
    if text.startswith(_URI):
        uri, _, rest = text.removeprefix(_URI).partition(";")
        if uri not in namespaces:
            raise ConfigurationError(
                f"the server has no name space {uri!r}",
                where=f"node {node!r}",
                remedy=f"one of: {', '.join(namespaces)}",
            )
        text = f"ns={namespaces.index(uri)};{rest}"
    try:
        return ua.NodeId.from_string(text)
    except (UaStringParsingError, ValueError) as error:
        raise ConfigurationError(
            "this is no OPC UA node id",
            where=f"node {node!r}",
            remedy="write nsu=URI;s=NAME, ns=INDEX;s=NAME or ns=INDEX;i=NUMBER",
        ) from error


def by_uri(node: ua.NodeId, namespaces: Sequence[str]) -> str:
    """The node id with the URI of its name space, as a plant file should hold it."""
    text = str(node.to_string())
    index = int(node.NamespaceIndex)
    if not 0 < index < len(namespaces):
        return text
    return f"{_URI}{namespaces[index]};{text.partition(';')[2]}"


def matched(tags: Iterable[str], found: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Tag -> node for tags whose name exactly one variable has; ``found`` is name -> nodes."""
    return {tag: found[tag][0] for tag in tags if len(found.get(tag, ())) == 1}
