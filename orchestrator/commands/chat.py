"""``dan-g chat``: the copilot at the terminal, or in a pipe."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.clock import json_default
from orchestrator.commands.options import (
    ConfigOption,
    HomeOption,
    JsonOption,
    Target,
    UrlOption,
    UserOption,
    person,
)
from orchestrator.commands.output import console, short_time, table
from orchestrator.errors import InputError

if TYPE_CHECKING:
    from orchestrator.commands.client import Api

EXIT_CODES = {"refused": 4, "failed": 5}
"""States of a turn that are no success, as exit codes."""
LONGEST_LINE = 4000


def chat(
    message: Annotated[
        str | None, typer.Argument(help="What to say; without it each line of standard input.")
    ] = None,
    session: Annotated[
        str | None, typer.Option("--session", help="Conversation to go on with.")
    ] = None,
    show_reasoning: Annotated[
        bool, typer.Option("--show-reasoning", help="Show a model's reasoning, on stderr.")
    ] = False,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Show what each answer rests on.")
    ] = False,
    deadline: Annotated[
        float | None, typer.Option("--deadline", min=1, max=600, help="Longest wait, s.")
    ] = None,
    user: UserOption = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> int:
    """Talk with the copilot: the answer on standard output, all else on standard error.

    With --json each event is a line of its own. Ends with 4 when the last turn that did not succeed was
    refused, with 5 when it failed; an interrupt ends the waiting (130), not what was started.
    """
    from orchestrator.commands.client import connect

    asked = {"show_reasoning": show_reasoning, "user": person(user), "deadline": deadline}
    show = JsonLines() if as_json else Words(evidence=evidence, reasoning=show_reasoning)
    at_terminal = message is None and sys.stdin.isatty()

    async def main() -> int:
        code, session_id = 0, session
        async with connect(Target(config, home, url)) as api:
            async for text in _said(message, person=at_terminal, quiet=as_json):
                if len(text) > LONGEST_LINE:
                    code = _too_long(text, show, alone=message is not None)
                    continue
                body = {**asked, "message": text, "session_id": session_id}
                end = await _turn(api, body, show)
                session_id = end.get("session_id", session_id)
                code = EXIT_CODES.get(str(end.get("state")), code)
        if at_terminal and session_id and not as_json:
            sys.stderr.write(f"to go on: dan-g chat --session {session_id}\n")
        return 0 if at_terminal else code

    return asyncio.run(main())


async def _turn(api: Api, body: dict[str, Any], show: JsonLines | Words) -> dict[str, Any]:
    end: dict[str, Any] = {}
    async for kind, data in api.chat(body):
        show.event(kind, data)
        if kind in ("session", "end"):
            end |= data
    return end


async def _said(message: str | None, *, person: bool, quiet: bool) -> AsyncIterator[str]:
    """What is said: the argument, or the lines of standard input as they come."""
    if message is not None:
        yield message
        return
    if person and not quiet:
        sys.stderr.write("Ask in your own words; Ctrl-D ends it.\n")
    lines = _lines()
    while True:
        if person and not quiet:
            sys.stderr.write("> ")
            sys.stderr.flush()
        line = await anext(lines, None)
        if line is None:
            return
        if line.strip():
            yield line.strip()


def _too_long(text: str, show: JsonLines | Words, *, alone: bool) -> int:
    """Tell that a message cannot be said; one of several lines does not end the others.

    Raises:
        InputError: it is all that there was to say.
    """
    error = InputError(
        f"a message of {len(text)} characters is too long",
        where="dan-g chat",
        remedy=f"say it in at most {LONGEST_LINE}",
    )
    if alone:
        raise error
    show.event("error", {"detail": str(error)})
    return EXIT_CODES["failed"]


async def _lines() -> AsyncIterator[str]:
    """Lines of standard input, read beside the event loop.

    The thread reads the descriptor itself and is left behind at the end: one that waits in the buffered
    reader would hold its lock, and the end of the process up.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    def give(line: str | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(queue.put_nowait, line)

    def read() -> None:
        rest = b""
        while part := os.read(sys.stdin.fileno(), 65536):
            *whole, rest = (rest + part).split(b"\n")
            for line in whole:
                give(line.decode("utf-8", "replace"))
        if rest:
            give(rest.decode("utf-8", "replace"))
        give(None)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while (line := await queue.get()) is not None:
        yield line


class JsonLines:
    """Each event as a line of JSON."""

    def event(self, kind: str, data: dict[str, Any]) -> None:
        """Print one."""
        document = {"event": kind, **data}
        sys.stdout.write(json.dumps(document, ensure_ascii=False, default=json_default) + "\n")
        sys.stdout.flush()


@dataclass(slots=True)
class Words:
    """Events for people: the answer on standard output, what goes on beside it on standard error."""

    evidence: bool = False
    reasoning: bool = False
    _thinking: bool = False
    _status: bool = False

    def event(self, kind: str, data: dict[str, Any]) -> None:
        """Print one."""
        if kind == "progress":
            self._progress(data)
            return
        self._clear()
        if kind == "decision":
            self._beside("".join(f"running {j['module']}.{j['operation']}\n" for j in data["jobs"]))
        elif kind == "reasoning":
            self._beside(("" if self._thinking else "thinking: ") + data["text"])
            self._thinking = True
        elif kind == "answer":
            if self._thinking:
                self._beside("\n")
                self._thinking = False
            sys.stdout.write(data["text"])
            sys.stdout.flush()
        elif kind == "evidence":
            sys.stdout.write("\n")
            sys.stdout.flush()
            if self.evidence:
                _show_evidence(data["items"])
        elif kind == "error":
            self._beside(f"{data['detail']}\n")
        elif kind == "end":
            for note in data["notes"]:
                self._beside(f"note: {note}\n")

    def _progress(self, data: dict[str, Any]) -> None:
        if not sys.stderr.isatty():
            return
        self._status = True
        share = f"{100 * data['progress']:.0f} %"
        text = f"{data['module']}.{data['operation']} {share} {data.get('message', '')}"[:78]
        self._beside(f"\r{text:<78}")

    def _clear(self) -> None:
        if self._status:
            self._beside(f"\r{'':<78}\r")
            self._status = False

    @staticmethod
    def _beside(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def _show_evidence(items: list[dict[str, Any]]) -> None:
    rows = table("about", "what", "value", "time", "from")
    for item in items:
        value = item.get("value", "")
        shown = f"{value:.6g}" if isinstance(value, float) else str(value)
        rows.add_row(
            item.get("subject", ""),
            item.get("what", ""),
            f"{shown} {item.get('unit', '')}".strip(),
            short_time(item.get("time")),
            f"{item['source']} {item['ref'][:12]}",
        )
    console().print(rows if items else "no evidence")
