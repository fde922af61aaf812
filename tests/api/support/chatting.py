"""One turn over ``POST /chat``, and what its stream held."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass
class Told:
    """The events of one turn, in their order."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    comments: int = 0

    @property
    def kinds(self) -> list[str]:
        """Kinds of the events, each run of the same kind once."""
        kinds = [kind for kind, _ in self.events]
        return [k for n, k in enumerate(kinds) if n == 0 or kinds[n - 1] != k]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Documents of one kind."""
        return [data for name, data in self.events if name == kind]

    @property
    def answer(self) -> str:
        """The whole answer."""
        return "".join(data["text"] for data in self.of("answer"))

    @property
    def end(self) -> dict[str, Any]:
        """How it ended."""
        (end,) = self.of("end")
        return end


def say(http: httpx.Client, message: str, session: str | None = None, **more: Any) -> Told:
    """Say something and hear it out."""
    headers = more.pop("headers", {})
    body = {"message": message, "session_id": session, **more}
    told = Told()
    with http.stream("POST", "/chat", json=body, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        for kind, data in heard(answer.iter_lines()):
            if kind == "":
                told.comments += 1
            else:
                told.events.append((kind, data))
    return told


def heard(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Events of a stream; a comment is an event without a kind."""
    kind = ""
    for line in lines:
        if line.startswith(":"):
            yield "", {}
        elif line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))
