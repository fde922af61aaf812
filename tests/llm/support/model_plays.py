"""What the loopback model server can be told to do with a request, one small class each."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

PLACES = {
    "deepseek-hosted": "reasoning_content",
    "vllm": "reasoning",
    "vllm-old": "reasoning_content",
    "vllm-no-parser": "no_opening_tag",
    "sglang": "reasoning_content",
    "ollama": "reasoning",
    "llamacpp": "reasoning_content",
    "llamacpp-none": "tags",
    "generic": "tags",
}
"""Where each server puts the reasoning: a field of the message, or tags inside the content."""


@dataclass
class Sent:
    """A request as it reached the server; header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation that was sent."""
        messages: list[dict[str, Any]] = self.body["messages"]
        return messages

    @property
    def streamed(self) -> bool:
        """Whether the reply was asked for in pieces."""
        return bool(self.body.get("stream"))


@dataclass
class Answer:
    """One HTTP response: the body's parts are sent as they come; ``cut`` breaks the connection after them.

    ``None`` as a part waits for ever.
    """

    parts: AsyncIterator[bytes]
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


class Play(Protocol):
    """What the server does with one request."""

    def answer(self, sent: Sent, dialect: str) -> Answer:
        """The response."""
        ...


async def parts_of(*parts: bytes) -> AsyncIterator[bytes]:
    """Parts that are there at once."""
    for part in parts:
        yield part


@dataclass
class Say:
    """The model answers, in the server's dialect, whole or in pieces as it was asked.

    Attributes:
        answer_text: The answer; ``None`` sends a null content.
        reasoning: The reasoning before it.
        finish: ``finish_reason``; ``None`` leaves it out.
        place: Where the reasoning goes; the dialect's own place when ``None``: ``reasoning_content``,
            ``reasoning``, ``thinking``, ``tags``, ``no_opening_tag`` or ``unclosed``.
        usage: The usage block; counted roughly when ``None``.
        size: Characters a streamed piece.
        pause: Seconds before each streamed piece, or before the whole reply.
        cut_after: Streamed pieces after which the connection breaks.
        done: Whether a stream ends with ``[DONE]``.
        extra: Further fields of the message, such as ``refusal``.
    """

    answer_text: str | None
    reasoning: str = ""
    finish: str | None = "stop"
    place: str | None = None
    usage: dict[str, Any] | None = None
    size: int = 7
    pause: float = 0.0
    cut_after: int | None = None
    done: bool = True
    extra: dict[str, Any] = field(default_factory=dict)

    def answer(self, sent: Sent, dialect: str) -> Answer:
        """See `Play.answer`."""
        place = self.place or PLACES[dialect]
        message = self._message(place)
        usage = self.usage if self.usage is not None else self._usage(sent)
        head = {"id": "chatcmpl-1", "created": 1, "model": sent.body.get("model", "m")}
        if sent.streamed:
            return Answer(
                self._stream(head, message, usage, place),
                content_type="text/event-stream; charset=utf-8",
                cut=self.cut_after is not None,
            )
        choice = {"index": 0, "message": message}
        if self.finish is not None:
            choice["finish_reason"] = self.finish
        whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
        return Answer(self._whole(json.dumps(whole).encode()))

    async def _whole(self, body: bytes) -> AsyncIterator[bytes]:
        await asyncio.sleep(self.pause)
        yield body

    def _message(self, place: str) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.answer_text, **self.extra}
        if not self.reasoning:
            return message
        inline = {
            "tags": f"<think>\n{self.reasoning}\n</think>\n\n{self.answer_text or ''}",
            "no_opening_tag": f"{self.reasoning}\n</think>\n\n{self.answer_text or ''}",
            "unclosed": f"<think>\n{self.reasoning}",
        }
        if place in inline:
            message["content"] = inline[place]
        else:
            message[place] = self.reasoning
        return message

    def _usage(self, sent: Sent) -> dict[str, Any]:
        prompt = sum(len(str(m.get("content"))) for m in sent.messages) // 4
        reasoning, answer = len(self.reasoning) // 4, len(self.answer_text or "") // 4
        return {
            "prompt_tokens": prompt,
            "completion_tokens": reasoning + answer,
            "total_tokens": prompt + reasoning + answer,
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }

    async def _stream(
        self, head: dict[str, Any], message: dict[str, Any], usage: dict[str, Any], place: str
    ) -> AsyncIterator[bytes]:
        for number, delta in enumerate(self._deltas(message, place)):
            if number == self.cut_after:
                return
            await asyncio.sleep(self.pause)
            yield event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        if self.finish is not None:
            yield event(
                {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": self.finish}]}
            )
        yield event({**head, "choices": [], "usage": usage})
        if self.done:
            yield b"data: [DONE]\n\n"

    def _deltas(self, message: dict[str, Any], place: str) -> Iterator[dict[str, Any]]:
        yield {"role": "assistant", "content": ""}
        for name in (place, "content", *self.extra):
            text = message.get(name)
            for start in range(0, len(text or ""), self.size):
                yield {name: text[start : start + self.size]}


def event(document: Any) -> bytes:
    """One server-sent event."""
    return f"data: {json.dumps(document, ensure_ascii=False)}\n\n".encode()


@dataclass
class Fail:
    """An error of the server, as the servers spell it."""

    status: int
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    code: str | None = None

    def answer(self, sent: Sent, dialect: str) -> Answer:
        """See `Play.answer`."""
        message = self.message or f"error {self.status}"
        document = {"error": {"message": message, "type": "error", "code": self.code}}
        return Answer(parts_of(json.dumps(document).encode()), self.status, headers=self.headers)


@dataclass
class Html:
    """A proxy's page in place of the model's reply."""

    status: int = 200
    body: str = "<!DOCTYPE html><html><body><h1>Sign in to the network</h1></body></html>"

    def answer(self, sent: Sent, dialect: str) -> Answer:
        """See `Play.answer`."""
        return Answer(parts_of(self.body.encode()), self.status, "text/html")


@dataclass
class Raw:
    """Any bytes, whole or as parts with a pause before each; then, maybe, a cut."""

    parts: tuple[bytes, ...]
    content_type: str = "application/json"
    status: int = 200
    pause: float = 0.0
    cut: bool = False

    def answer(self, sent: Sent, dialect: str) -> Answer:
        """See `Play.answer`."""
        return Answer(self._parts(), self.status, self.content_type, cut=self.cut)

    async def _parts(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            await asyncio.sleep(self.pause)
            yield part


@dataclass
class KeepAlive:
    """Sends empty lines (or comments, in a stream) and then another play; without one, for ever."""

    then: Play | None = None
    beats: int = 3
    every: float = 0.01

    def answer(self, sent: Sent, dialect: str) -> Answer:
        """See `Play.answer`."""
        follows = self.then.answer(sent, dialect) if self.then is not None else None
        kind = "text/event-stream" if sent.streamed else "application/json"
        beat = b": keep-alive\n\n" if sent.streamed else b"\n"
        return Answer(
            self._parts(beat, follows), content_type=kind, cut=bool(follows and follows.cut)
        )

    async def _parts(self, beat: bytes, follows: Answer | None) -> AsyncIterator[bytes]:
        for _ in range(self.beats) if follows is not None else itertools.count():
            await asyncio.sleep(self.every)
            yield beat
        assert follows is not None
        async for part in follows.parts:
            yield part


@dataclass
class HangUp:
    """Closes the connection without an answer."""

    def answer(self, sent: Sent, dialect: str) -> Answer:
        """See `Play.answer`."""
        return Answer(parts_of(), status=0, cut=True)


@dataclass
class Silence:
    """Takes the request and never answers."""

    def answer(self, sent: Sent, dialect: str) -> Answer:
        """See `Play.answer`."""
        return Answer(self._forever(), status=0)

    async def _forever(self) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""
