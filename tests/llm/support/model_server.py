"""A real HTTP server on loopback that stands in for a language model, in the dialects of real servers.

    async with ModelServer([Fail(503), Say('{"action": "none"}', reasoning="…")]) as server:
        settings = LLMSettings(model="deepseek-r1", api_key="key", base_url=server.base_url)
        …
        assert server.requests[1].messages[0]["role"] == "user"

The script is a list of plays, one a request (the last one stands for all that follow), or a function from the
request to its play. Rules that a dialect enforces by itself (a wrong key, a wrong path, parameters that
it refuses) answer before the script and use up no play.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, Self

from model_plays import (
    Answer,
    Fail,
    HangUp,
    Html,
    KeepAlive,
    Play,
    Raw,
    Say,
    Sent,
    Silence,
    event,
)

__all__ = [
    "Fail",
    "HangUp",
    "Html",
    "KeepAlive",
    "ModelServer",
    "Play",
    "Raw",
    "Say",
    "Sent",
    "Silence",
    "event",
]

Script = Sequence[Play] | Callable[[Sent], Play]
WITHOUT_V1 = ("deepseek-hosted",)


class ModelServer:
    """See the module.

    Args:
        script: What it does.
        dialect: Whose rules and fields it follows, one of ``model_plays.PLACES``.
        api_key: The only key that it accepts; ``None`` accepts every request.
        context: Tokens that fit, prompt and reply together; ``None`` for no limit.
        models: Names that it serves; every name when empty.
    """

    def __init__(
        self,
        script: Script,
        *,
        dialect: str = "vllm",
        api_key: str | None = None,
        context: int | None = None,
        models: Sequence[str] = (),
    ) -> None:
        self.script = script
        self.dialect = dialect
        self.api_key = api_key
        self.context = context
        self.models = models
        self.requests: list[Sent] = []
        self.open_now = 0
        self.most_open = 0
        self._played = 0
        self._port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        """The address to configure, with ``/v1`` where the dialect has it."""
        suffix = "" if self.dialect in WITHOUT_V1 else "/v1"
        return f"http://127.0.0.1:{self._port}{suffix}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        sent = Sent(path, headers, json.loads(body) if body else {})
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            return await self._respond(self._answer(method, sent), reader, writer)
        finally:
            self.open_now -= 1

    def _answer(self, method: str, sent: Sent) -> Answer:
        prefix = "" if self.dialect in WITHOUT_V1 else "/v1"
        if (
            self.api_key is not None
            and sent.headers.get("authorization") != f"Bearer {self.api_key}"
        ):
            given = sent.headers.get("authorization", "")
            return Fail(401, f"Authentication Fails, your api key {given} is invalid").answer(
                sent, self.dialect
            )
        if method == "GET" and sent.path == f"{prefix}/models":
            listed = {"object": "list", "data": [{"id": name} for name in self.models]}
            return Raw((json.dumps(listed).encode(),)).answer(sent, self.dialect)
        if sent.path != f"{prefix}/chat/completions":
            return Fail(404, "Not Found").answer(sent, self.dialect)
        self.requests.append(sent)
        objection = self._objection(sent.body)
        if objection is not None:
            return objection.answer(sent, self.dialect)
        return self._next(sent).answer(sent, self.dialect)

    def _next(self, sent: Sent) -> Play:
        if callable(self.script):
            return self.script(sent)
        play = self.script[min(self._played, len(self.script) - 1)]
        self._played += 1
        return play

    def _objection(self, body: dict[str, Any]) -> Fail | None:
        """What the dialect refuses by itself."""
        if self.models and body.get("model") not in self.models:
            return Fail(404, f"The model `{body.get('model')}` does not exist.")
        prompt = sum(len(str(m.get("content"))) for m in body["messages"]) // 4
        room = body.get("max_tokens") or 0
        refuses = self.dialect.startswith(("vllm", "sglang", "llamacpp"))
        if refuses and self.context is not None and prompt + room > self.context:
            return Fail(
                400,
                f"This model's maximum context length is {self.context} tokens. However, you "
                f"requested {prompt + room} tokens ({prompt} in the messages, {room} in the "
                "completion). Please reduce the length of the messages or completion.",
            )
        if self.dialect == "ollama" and body.get("tools"):
            return Fail(400, f"{body.get('model')} does not support tools")
        if self.dialect == "deepseek-hosted":
            return _hosted_objection(body)
        return None

    async def _respond(
        self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if answer.status:
            lines = [
                f"HTTP/1.1 {answer.status} X",
                f"Content-Type: {answer.content_type}",
                "Transfer-Encoding: chunked",
                *(f"{name}: {value}" for name, value in answer.headers.items()),
            ]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        gone = asyncio.ensure_future(reader.read(1))
        parts = asyncio.ensure_future(self._send_parts(answer, writer))
        try:
            await asyncio.wait({gone, parts}, return_when=asyncio.FIRST_COMPLETED)
            if not parts.done():
                return False  # the client hung up
            await parts
        finally:
            parts.cancel()
            gone.cancel()
            await asyncio.gather(parts, gone, return_exceptions=True)
        if answer.cut or not answer.status:
            writer.transport.abort()
            return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return not reader.at_eof()

    async def _send_parts(self, answer: Answer, writer: asyncio.StreamWriter) -> None:
        async for part in answer.parts:
            if part:
                writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                await writer.drain()


def _hosted_objection(body: dict[str, Any]) -> Fail | None:
    if any("reasoning_content" in message for message in body["messages"]):
        return Fail(400, "reasoning_content is not allowed in input messages")
    kind = (body.get("response_format") or {}).get("type")
    if kind == "json_schema":
        return Fail(400, "This response_format type is unavailable now")
    if kind == "json_object" and "json" not in json.dumps(body["messages"]).lower():
        return Fail(400, "Prompt must contain the word 'json' to use 'response_format'")
    if body.get("tool_choice") not in (None, "auto", "none"):
        return Fail(400, "Thinking mode does not support this tool_choice")
    if body.get("logprobs"):
        return Fail(400, "logprobs is not supported")
    return None
