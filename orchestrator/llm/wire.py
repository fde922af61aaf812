"""What goes to an OpenAI-compatible server and what comes back, as far as it is the same whole or in pieces."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json

from orchestrator.llm.dialects import Capabilities
from orchestrator.llm.failures import Failure, Kind
from orchestrator.llm.port import Message, Usage
from orchestrator.llm.reasoning_splitter import part

TOP_P = 0.95
"""As the authors of R1 advise."""
EXCERPT = 300
"""Characters of a server's own text that an error shows."""
_CONTEXT = re.compile(
    r"context (?:length|size|window)|maximum context|too long|exceeds? .*context|n_ctx",
    re.IGNORECASE,
)
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_FINISHES: dict[str, Kind] = {
    "length": "truncated",
    "content_filter": "content-filter",
    "tool_calls": "leaked-tool-tokens",
    "function_call": "leaked-tool-tokens",
    "insufficient_system_resource": "overloaded",
    "abort": "server-error",
    "error": "server-error",
}
_STATUSES: dict[int, Kind] = {
    401: "authentication",
    402: "balance",
    403: "authentication",
    404: "not-found",
    405: "not-found",
    408: "server-error",
    413: "prompt-too-long",
    429: "rate-limited",
    503: "overloaded",
    504: "overloaded",
    529: "overloaded",
}


@dataclass(slots=True)
class Received:
    """What a server answered, before anything is made of it."""

    finish: str | None = None
    usage: Usage | None = None
    refusal: str = ""
    begun: bool = False
    echoed: bool = False
    taken_up_again: bool = False
    _content: list[str] = field(default_factory=list)
    _reasoning: list[str] = field(default_factory=list)

    def add(self, reasoning: str, content: str) -> None:
        """Take over a piece."""
        if reasoning:
            self._reasoning.append(reasoning)
        if content:
            self._content.append(content)

    def drop_content(self) -> bool:
        """Forget the content until now, for it was no answer; whether there was any."""
        had = bool("".join(self._content).strip())
        self._content.clear()
        return had

    @property
    def content(self) -> str:
        """All content until now; reasoning may stand in it, in tags."""
        return "".join(self._content)

    @property
    def reasoning(self) -> str:
        """All reasoning until now that came in a field of its own."""
        return "".join(self._reasoning)


# -- what is sent ---------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def schema_text(schema: type[BaseModel]) -> str:
    """How the answer is to look, in words and as JSON Schema; the word JSON must stand in it."""
    described = json.dumps(schema.model_json_schema(), ensure_ascii=False, separators=(",", ":"))
    return (
        "Answer with exactly one JSON object and nothing before or after it: no heading, no explanation, "
        f"no code fence. It must fit this JSON Schema:\n{described}"
    )


def conversation(
    messages: Sequence[Message], capabilities: Capabilities, schema: type[BaseModel] | None
) -> list[dict[str, str]]:
    """The messages as the model heeds them.

    What is fixed (the system's text, then the schema) comes first, so that a server's prefix cache serves it
    again. Without a system message it opens the first user message. An assistant's turn loses its
    reasoning, and turns of one role in a row become one, for R1 refuses them.

    Raises:
        ValueError: there is no user message.
    """
    if all(message.role != "user" for message in messages):
        raise ValueError("a conversation needs a user message")
    fixed = [message.content for message in messages if message.role == "system"]
    if schema is not None:
        fixed.append(schema_text(schema))
    opening = "\n\n".join(fixed)
    turns: list[dict[str, str]] = []
    if opening:
        turns.append(
            {"role": "system" if capabilities.system_message else "user", "content": opening}
        )
    for message in messages:
        if message.role == "system":
            continue
        text = part(message.content).answer if message.role == "assistant" else message.content
        if turns and turns[-1]["role"] == message.role:
            turns[-1]["content"] += f"\n\n{text}"
        else:
            turns.append({"role": message.role, "content": text})
    return turns


def request_body(
    model: str,
    turns: Sequence[Mapping[str, str]],
    capabilities: Capabilities,
    schema: type[BaseModel] | None,
    *,
    max_tokens: int,
    temperature: float,
    stream: bool,
) -> dict[str, Any]:
    """The request, with what the capability record allows."""
    body: dict[str, Any] = {
        "model": model,
        "messages": list(turns),
        capabilities.max_tokens_field: max_tokens,
        "stream": stream,
    }
    if capabilities.temperature:
        body |= {"temperature": temperature, "top_p": TOP_P}
    if stream and capabilities.usage_in_stream:
        body["stream_options"] = {"include_usage": True}
    if schema is not None and capabilities.structured == "json_object":
        body["response_format"] = {"type": "json_object"}
    if schema is not None and capabilities.structured == "json_schema":
        described = {"name": schema.__name__, "schema": schema.model_json_schema()}
        body["response_format"] = {"type": "json_schema", "json_schema": described}
    return body | capabilities.extra_body


# -- what comes back ------------------------------------------------------------------------------


def document_of(data: bytes, what: str) -> dict[str, Any]:
    """The JSON object in a body or an event.

    Raises:
        Failure: it is none.
    """
    try:
        document = from_json(data)
    except ValueError:
        document = _slowly(data, what)
    if not isinstance(document, dict):
        raise Failure("not-json", f"{what} is no JSON object: {excerpt(data)}")
    return document


def _slowly(data: bytes, what: str) -> Any:
    """As Python's own parser reads it, which takes lone surrogates, or why nobody can read it."""
    try:
        return json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Failure("not-json", f"{what} is no UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise Failure("not-json", f"{what} is nested too deeply") from None
    except ValueError as error:
        begun = data.lstrip()[:1] in (b"{", b"[")
        kind: Kind = "cut-off" if begun else "not-json"
        raise Failure(kind, f"{what} is no JSON ({error}): {excerpt(data)}") from None


def read_message(
    into: Received, document: Mapping[str, Any], key: str, fields: Sequence[str]
) -> tuple[str, str]:
    """Take over a reply (``key`` is ``message``) or a piece of one (``delta``); its new reasoning and content.

    Raises:
        Failure: it is an error, or has not the form of a reply.
    """
    if document.get("error") or document.get("object") == "error":
        raise error_of(document)
    usage = document.get("usage")
    if isinstance(usage, dict):
        into.usage = usage_of(usage)
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices:
        if key == "delta":
            return "", ""
        raise Failure(
            "not-json", f"a reply without choices: {excerpt(json.dumps(document).encode())}"
        )
    choice = choices[0] if isinstance(choices[0], dict) else {}
    said = choice.get(key)
    said = said if isinstance(said, dict) else {}
    finish = choice.get("finish_reason")
    if isinstance(finish, str):
        into.finish = finish
    if isinstance(said.get("refusal"), str):
        into.refusal += said["refusal"]
    content = _text(said.get("content"))
    reasoning = next((text for name in fields if (text := _text(said.get(name)))), "")
    into.add(reasoning, content)
    return reasoning, content


def _text(value: Any) -> str:
    """A text, or the texts of a list of parts; without what no database and no UTF-8 holds."""
    if isinstance(value, str) and value.isascii() and "\x00" not in value:
        return value
    if isinstance(value, list):
        value = "".join(str(item.get("text", "")) for item in value if isinstance(item, dict))
    if not isinstance(value, str):
        return ""
    return _SURROGATES.sub("\ufffd", value).replace("\x00", "")


def usage_of(usage: Mapping[str, Any]) -> Usage:
    """The use of tokens, in whichever of the servers' spellings."""
    prompt, answer = (usage.get(f"{kind}_tokens_details") for kind in ("prompt", "completion"))
    cached = usage.get("prompt_cache_hit_tokens")
    if cached is None and isinstance(prompt, dict):
        cached = prompt.get("cached_tokens")
    reasoning = answer.get("reasoning_tokens") if isinstance(answer, dict) else 0
    return Usage(
        input_tokens=_count(usage.get("prompt_tokens")),
        cached_tokens=_count(cached),
        output_tokens=_count(usage.get("completion_tokens")),
        reasoning_tokens=_count(reasoning),
    )


def _count(value: Any) -> int:
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0


def finished(received: Received, done: bool) -> None:
    """Check that a reply came to its own end.

    Raises:
        Failure: it was cut off, ran out of tokens, or was stopped by the server.
    """
    if received.refusal:
        raise Failure("content-filter", f"the model refuses: {excerpt(received.refusal)}")
    if received.finish is None and not done:
        raise Failure("cut-off", "the reply ends without a finish_reason")
    kind = _FINISHES.get(received.finish or "stop")
    if kind == "truncated":
        raise Failure("truncated", "the reply reached its longest length before its end")
    if kind is not None:
        raise Failure(kind, f"the reply ends with finish_reason {received.finish!r}")


def error_of(
    document: Mapping[str, Any], status: int = 500, retry_after: float | None = None
) -> Failure:
    """The failure that an error document of a server tells."""
    error = document.get("error")
    error = error if isinstance(error, dict) else {"message": error or document}
    code = error.get("code")
    if isinstance(code, int) and 400 <= code < 600:
        status = code
    elif isinstance(code, str) and code.isdigit() and len(code) == 3:
        status = int(code)
    message = error.get("message") or error.get("detail") or document
    return http_failure(status, str(message), str(code or error.get("type") or ""), retry_after)


def http_failure(
    status: int, message: str, code: str = "", retry_after: float | None = None
) -> Failure:
    """The failure that a status tells."""
    kind = _STATUSES.get(status) or ("server-error" if status >= 500 else "rejected")
    if status in (400, 422) and _CONTEXT.search(message):
        kind = "prompt-too-long"
    if kind == "rate-limited" and "insufficient_quota" in code:
        kind = "balance"
    if status == 500 and "overload" in f"{message} {code}".lower():
        kind = "overloaded"
    if 300 <= status < 400:
        kind = "not-json"
    return Failure(kind, f"HTTP {status}: {excerpt(message)}", retry_after=retry_after)


def excerpt(text: str | bytes) -> str:
    """The begin of a text in one line, for an error."""
    if isinstance(text, bytes):
        text = text[: 4 * EXCERPT].decode("utf-8", "replace")
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 2 * EXCERPT]).split())
    return line if len(line) <= EXCERPT else line[:EXCERPT] + "…"
