"""A server with ``/embeddings`` on loopback: words of one meaning have one direction."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from orchestrator.llm.knowledge.words import words_of

LENGTH = 64
MEANINGS = {"heater": "furnace", "fire": "furnace", "fired": "furnace", "blaze": "furnace"}


def vector_of(text: str, length: int = LENGTH) -> list[float]:
    vector = [0.0] * length
    for word in words_of(text):
        meant = MEANINGS.get(word, word)
        vector[hashlib.sha256(meant.encode()).digest()[0] % length] += 1.0
    return vector


@dataclass
class EmbeddingServer:
    """What it was asked, and how it is to fail."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """Statuses of the next answers."""
    body: bytes | None = None
    """What it answers instead of vectors."""
    hangs: bool = False
    length: int = LENGTH

    @property
    def texts(self) -> int:
        """Texts that it was given."""
        return sum(len(request["input"]) for request in self.requests)


@contextmanager
def embedding_server() -> Iterator[EmbeddingServer]:
    state = EmbeddingServer()
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers["content-length"])))
            state.requests.append(given)
            state.keys.append(self.headers.get("authorization"))
            if state.hangs:
                released.wait(10)
                return
            status = state.statuses.pop(0) if state.statuses else 200
            rows = [
                {"index": index, "embedding": vector_of(text, state.length)}
                for index, text in enumerate(given["input"])
            ]
            # The order of rows is the server's own affair; their index counts.
            body = state.body or json.dumps({"data": rows[::-1]}).encode()
            self.send_response(status if self.path == "/v1/embeddings" else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield state
    finally:
        released.set()
        server.shutdown()
        thread.join(5)
        server.server_close()
