"""Handler of every operation that runs on another server; called in a worker process."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import mcp_types as types
from mcp import ClientSession
from mcp.shared.exceptions import MCPError

from orchestrator.errors import OperationError, ParameterError, UnavailableError
from orchestrator.mcp_settings import McpServerSettings
from orchestrator.modules.base import OperationContext
from orchestrator.modules.mounted.inputs import MountedInput, MountedResult
from orchestrator.modules.mounted.servers import ask

LONGEST_ANSWER = 1_000_000
"""Most characters of text, and of JSON, that are taken from an answer."""
LONGEST_QUOTE = 500


def run(parameters: MountedInput, context: OperationContext) -> MountedResult:
    """Call the tool and take its answer over as data.

    Raises:
        UnavailableError: the server cannot be reached; nothing was done there, or it may be repeated.
        OperationTimedOutError: no answer in time.
        OperationError: the tool failed, or the connection was lost while it ran.
        ParameterError: the server does not take the parameters.
    """
    server: McpServerSettings = context.settings["server"]
    return asyncio.run(_call(server, parameters, context))


async def _call(
    server: McpServerSettings, parameters: MountedInput, context: OperationContext
) -> MountedResult:
    kind = type(parameters)
    name = f"{server.name}.{kind.tool}"
    sent = False

    async def told(progress: float, total: float | None, message: str | None) -> None:
        share = progress / total if total else 0.0
        context.progress(min(1.0, max(0.0, share)), message or "")

    async def work(session: ClientSession) -> types.CallToolResult:
        nonlocal sent
        sent = True
        given = types.CallToolRequestParams(name=kind.tool, arguments=parameters.model_dump())
        return await session.send_request(
            types.CallToolRequest(params=given), types.CallToolResult, progress_callback=told
        )

    try:
        answer = await ask(server, work, server.timeout)
    except UnavailableError as error:
        if not sent or kind.repeatable:
            raise
        raise OperationError(
            f"the connection was lost while it ran ({error.what})",
            where=name,
            why="it may have been done or not, so it is not repeated by itself",
            remedy="look on the other side whether it was done before you ask again",
        ) from error
    except MCPError as error:
        said = f"the server refuses it: {_quoted(str(error))}"
        if error.code == types.INVALID_PARAMS:
            raise ParameterError(said, where=name) from error
        raise OperationError(said, where=name) from error
    if answer.is_error:
        raise OperationError(f"the tool failed: {_quoted(' '.join(_texts(answer)))}", where=name)
    return _taken(server.name, kind.tool, answer)


def _taken(server: str, tool: str, answer: types.CallToolResult) -> MountedResult:
    warnings: list[str] = []
    texts, room = [], LONGEST_ANSWER
    for text in _texts(answer):
        texts.append(text[:room])
        room -= len(texts[-1])
    if room <= 0:
        warnings.append(f"the text is longer than {LONGEST_ANSWER} characters and is cut off")
    structured: Any = answer.structured_content
    if structured is not None and len(json.dumps(structured)) > LONGEST_ANSWER:
        structured = None
        warnings.append(f"the JSON is longer than {LONGEST_ANSWER} characters and is left out")
    others = sum(not isinstance(part, types.TextContent) for part in answer.content)
    if others:
        warnings.append(f"{others} parts that are no text (pictures, sound, files) are left out")
    return MountedResult(
        summary=f"{tool} on the server {server} answered; what it says is data of that server.",
        warnings=tuple(warnings),
        server=server,
        tool=tool,
        text=tuple(text for text in texts if text),
        structured=structured,
    )


def _texts(answer: types.CallToolResult) -> list[str]:
    return [part.text for part in answer.content if isinstance(part, types.TextContent)]


def _quoted(text: str) -> str:
    """Words of the other program, marked as such."""
    line = " ".join(text.split())
    return f'"{line[:LONGEST_QUOTE]}"'
