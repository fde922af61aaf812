"""A server on loopback that speaks the forms of the EIA Open Data API, and plays its failures.

Answers follow https://www.eia.gov/opendata/documentation.php: totals and values as text, the request echoed
(here with the key, so that a client that keeps or shows it is found out).
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qsl, urlsplit

KEY = "0123456789abcdefGHIJ0123456789abcdefGHIJ"
MOST_ROWS = 5000
Headers = dict[str, str]
Failure = Callable[["Request"], None]


@dataclass
class DataSet:
    """Rows of one route: series -> period -> value, and the unit of each series."""

    frequency: str
    unit: str
    date_format: str = "YYYY-MM-DD"
    series: dict[str, dict[str, str | float | None]] = field(default_factory=dict)


class Request(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: EiaServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        with self.server.lock:
            self.server.asked.append((parts.path, query, dict(self.headers)))
            failure = self.server.failures.pop(0) if self.server.failures else None
        if failure is not None:
            failure(self)
        else:
            self.usual(parts.path, query)

    def usual(self, path: str, query: dict[str, str]) -> None:
        """The answer of a server in order."""
        if "api_key" not in query:
            self.error(403, {"code": "API_KEY_MISSING", "message": "No api_key was supplied."})
            return
        if query["api_key"] != KEY:
            text = f"An invalid api_key {query['api_key']} was supplied."
            self.error(403, {"code": "API_KEY_INVALID", "message": text})
            return
        route = path.removeprefix("/v2/").removesuffix("/data/")
        data = self.server.data.get(route)
        if data is None:
            self.answer(404, {"error": "Not found.", "code": 404})
            return
        if query.get("frequency") != data.frequency:
            text = f"Invalid frequency '{query.get('frequency')}' provided. The only valid frequency is '{data.frequency}'."
            self.answer(400, {"error": text, "code": 400})
            return
        rows = [
            {
                "period": period,
                "duoarea": "NUS",
                "series": name,
                **({query["data[0]"]: value} if query.get("data[0]") == "value" else {}),
                "units": data.unit,
            }
            for name, values in data.series.items()
            if query.get("facets[series][]", name) == name
            for period, value in values.items()
            if period >= query.get("start", "")
        ]
        rows.sort(key=lambda row: str(row["period"]))
        offset, length = int(query.get("offset", 0)), int(query.get("length", MOST_ROWS))
        page = rows[offset : offset + min(length, self.server.page_rows)]
        document: dict[str, object] = {
            "response": {
                "total": str(len(rows)),
                "dateFormat": data.date_format,
                "frequency": data.frequency,
                "data": page,
            },
            "request": {"command": path, "params": query},
            "apiVersion": "2.1.12",
        }
        if len(page) < min(length, len(rows) - offset):
            document["warning"] = "parameter out of range"
            document["description"] = "The API can only return 5000 rows in JSON format."
        headers: Headers = {}
        if self.server.etags:
            content = json.dumps([page, len(rows)], sort_keys=True).encode()
            headers["ETag"] = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            if self.headers.get("If-None-Match") == headers["ETag"]:
                self.answer(304, None, headers)
                return
        self.answer(200, document, headers)

    def error(self, status: int, error: object) -> None:
        self.answer(status, {"error": error})

    def answer(self, status: int, document: object, headers: Headers | None = None) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        self.raw(status, body, "application/json", headers)

    def raw(self, status: int, body: bytes, kind: str, headers: Headers | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class EiaServer(ThreadingHTTPServer):
    """The server; use it as a context manager."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.lock = threading.Lock()
        self.data: dict[str, DataSet] = {}
        self.asked: list[tuple[str, dict[str, str], Headers]] = []
        self.failures: list[Failure] = []
        self.etags = False
        self.page_rows = MOST_ROWS
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v2"

    def __enter__(self) -> Self:
        # Where the tests run behind a proxy it must not be asked for this server.
        self._before = os.environ.get("NO_PROXY")
        os.environ["NO_PROXY"] = "127.0.0.1"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is None:
            del os.environ["NO_PROXY"]
        else:
            os.environ["NO_PROXY"] = self._before
        self.stopping.set()
        self.shutdown()
        self.server_close()
        self._thread.join(5)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is part of what is played."""


def too_often(retry_after: str) -> Failure:
    """429 with ``Retry-After``."""

    def play(request: Request) -> None:
        error = {"code": "OVER_RATE_LIMIT", "message": "You have exceeded your rate limit."}
        body = json.dumps({"error": error}).encode()
        request.raw(429, body, "application/json", {"Retry-After": retry_after})

    return play


def status(code: int, body: str = "") -> Failure:
    """A status with an HTML page."""
    return lambda request: request.raw(code, body.encode(), "text/html")


def maintenance(request: Request) -> None:
    """A page of HTML with status 200."""
    request.raw(200, b"<html><body>Down for maintenance</body></html>", "text/html")


def cut(request: Request) -> None:
    """Half of the JSON, and the length of that half."""
    request.raw(200, b'{"response": {"total": "3", "data": [{"period": "2026-', "application/json")


def broken_off(request: Request) -> None:
    """Fewer bytes than were announced, then the connection ends."""
    request.send_response(200)
    request.send_header("Content-Length", "100000")
    request.end_headers()
    request.wfile.write(b'{"response": {')
    request.close_connection = True


def silent(request: Request) -> None:
    """No answer at all."""
    request.server.stopping.wait(30)
    request.close_connection = True


def dripping(request: Request) -> None:
    """A byte now and then, so that no read ever times out."""
    request.send_response(200)
    request.send_header("Content-Length", "100000")
    request.end_headers()
    end = time.monotonic() + 30
    while time.monotonic() < end and not request.server.stopping.wait(0.05):
        request.wfile.write(b" ")
        request.wfile.flush()


def echoing_error(request: Request) -> None:
    """An error that quotes the key."""
    request.answer(400, {"error": f"Invalid parameter api_key={KEY}", "code": 400})
