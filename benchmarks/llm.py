"""What our client adds to a call of a language model: beside a bare client, on the same loopback server, in one run.

The server is a process of its own and answers at once with a reply of R1's size (some 1,500 tokens of reasoning, a
small object), whole or in some 750 pieces. The bare client is the ``openai`` package where it is installed, else bare ``httpx``,
and reads the same bytes to the same end: the answer's text. Ours does what it always does: turn, breaker, the day's budget in
SQLite, parting of reasoning, watch over repetition, checks, validation. Calls alternate, so that both meet
the same machine.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import httpx
from pydantic import BaseModel

from orchestrator.config import Settings
from orchestrator.llm.configured import model_of
from orchestrator.llm.port import Budget, Message
from orchestrator.state.database import Database
from orchestrator.state.repositories.model_use import ModelUse

CALLS = 60
WARM_UP = 5
MOST_ADDED_MS = 10.0
ANSWER = '{"action": "wait", "confidence": 0.7, "reason": "The unit is steady and nothing is due."}'
THOUGHT = "".join(
    f"Reading {n} of TI{100 + n % 37} is {300 + n * 0.37:.2f} degC, within its limits. "
    for n in range(90)
)
PIECE = 8
"""Characters a streamed piece, about what a server sends a token."""
QUESTION = "What should run now?\n" + "\n".join(f"TI{n}: {n * 1.01:.2f} degC" for n in range(400))
Call = Callable[[], Awaitable[str]]


class Choice(BaseModel):
    """The answer that is asked for."""

    action: Literal["wait", "forecast"]
    confidence: float
    reason: str


def run() -> dict[str, Any]:
    """Medians and 95th percentiles of both clients, what ours adds, and the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.llm"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            return asyncio.run(_measure(url, Path(folder)))
        finally:
            server.terminate()
            server.wait(10)


async def _measure(url: str, folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = {
        "bare client": "openai" if find_spec("openai") else "httpx (openai is not installed)",
        "reply, characters": len(THOUGHT) + len(ANSWER),
    }
    within = True
    database = await Database.open(None, folder)
    await database.migrate()
    try:
        for way, streamed in (("whole", False), ("in pieces", True)):
            settings = Settings(
                llm={
                    "api_key": "key-of-the-benchmark",
                    "base_url": url,
                    "cache_ttl": 0,
                    "price": {"input": 0.001, "output": 0.001},
                    "capabilities": {"streamed": streamed},
                }
            )
            model = model_of(settings, use=ModelUse(database))
            assert model is not None
            bare, close = _bare(url, streamed)

            async def ours(model: Any = model) -> str:
                asked = [Message("user", QUESTION)]
                return str((await model.complete(asked, Choice, Budget(30))).text)

            taken = await _alternate({"bare": bare, "ours": ours})
            await model.close()
            await close()
            medians = {name: statistics.median(times) * 1000 for name, times in taken.items()}
            added = medians["ours"] - medians["bare"]
            report[f"{way}: bare, median ms"] = medians["bare"]
            report[f"{way}: ours, median ms"] = medians["ours"]
            report[f"{way}: ours, p95 ms"] = statistics.quantiles(taken["ours"], n=20)[18] * 1000
            report[f"{way}: added, ms"] = added
            report[f"{way}: ratio"] = medians["ours"] / medians["bare"]
            within &= added < MOST_ADDED_MS
    finally:
        await database.close()
    return report | {"within budget": within}


async def _alternate(calls: dict[str, Call]) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(WARM_UP + CALLS):
        for name, call in calls.items():
            begun = time.perf_counter()
            text = await call()
            seconds = time.perf_counter() - begun
            if text != ANSWER:
                raise RuntimeError(f"{name} read {text[:80]!r}")
            if number >= WARM_UP:
                taken[name].append(seconds)
    return taken


def _bare(url: str, streamed: bool) -> tuple[Call, Callable[[], Awaitable[None]]]:
    body: dict[str, Any] = {
        "model": "deepseek-r1",
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": 16384,
        "temperature": 0.6,
        "stream": streamed,
    }
    return _bare_openai(url, body) if find_spec("openai") else _bare_httpx(url, body)


def _bare_openai(url: str, body: dict[str, Any]) -> tuple[Call, Callable[[], Awaitable[None]]]:
    import openai

    client = openai.AsyncOpenAI(base_url=url, api_key="key-of-the-benchmark", max_retries=0)

    async def call() -> str:
        answer = await client.chat.completions.create(**body)
        if not body["stream"]:
            return str(answer.choices[0].message.content)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in answer])

    return call, client.close


def _bare_httpx(url: str, body: dict[str, Any]) -> tuple[Call, Callable[[], Awaitable[None]]]:
    client = httpx.AsyncClient(timeout=30, trust_env=False)

    async def call() -> str:
        if not body["stream"]:
            answer = await client.post(f"{url}/chat/completions", json=body)
            return str(answer.json()["choices"][0]["message"]["content"])
        parts = []
        async with client.stream("POST", f"{url}/chat/completions", json=body) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    delta = json.loads(line[6:])["choices"][0]["delta"]
                    parts.append(delta.get("content") or "")
        return "".join(parts)

    return call, client.aclose


# -- the server, in a process of its own ------------------------------------------------------------


def _replies() -> tuple[bytes, bytes]:
    """The whole reply and the same in pieces, as HTTP bodies."""
    message: dict[str, Any] = {"role": "assistant", "content": ANSWER, "reasoning": THOUGHT}
    usage = {"prompt_tokens": 3000, "completion_tokens": 1600, "total_tokens": 4600}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    whole = json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "m",
                        "choices": [choice], "usage": usage}).encode()  # fmt: skip
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas: list[dict[str, Any]] = [
        {name: text[start : start + PIECE]}
        for name, text in (("reasoning", THOUGHT), ("content", ANSWER))
        for start in range(0, len(text), PIECE)
    ]
    choices: list[dict[str, Any]] = [
        {"index": 0, "delta": delta, "finish_reason": None} for delta in deltas
    ]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    events = [f"data: {json.dumps({**head, 'choices': [c]})}\n\n" for c in choices]
    return whole, "".join([*events, "data: [DONE]\n\n"]).encode()


async def _serve() -> None:
    whole, pieces = _replies()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
                streamed = json.loads(await reader.readexactly(length))["stream"]
                body, kind = (
                    (pieces, "text/event-stream") if streamed else (whole, "application/json")
                )
                writer.write(
                    f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
