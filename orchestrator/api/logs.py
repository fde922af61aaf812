"""Structured logs on standard error, one line an event."""

from __future__ import annotations

import asyncio
import atexit
import io
import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog

from orchestrator.config import LoggingSettings

access_log = structlog.get_logger("orchestrator.api.access")

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
ACCESS_LEVEL = LEVELS["info"]
ACCESS_DELAY_S = 0.05
QUIET_LIBRARIES = ("dbos", "alembic", "asyncio", "httpx", "httpcore", "mcp", "uvicorn.access")


class _StandardErrorHandler(logging.Handler):
    """Sends what libraries log through ``logging`` into the same stream and form."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("uvicorn") and record.levelno < logging.WARNING:
            return
        log = structlog.get_logger(record.name)
        try:
            log.log(record.levelno, record.getMessage(), exc_info=record.exc_info or None)
        except Exception:  # noqa: BLE001  a log line must never raise into the library
            self.handleError(record)


def configure_logging(settings: LoggingSettings) -> None:
    """Set the level and form of all logs of this process."""
    level = LEVELS[settings.level]
    _access.flush()
    _access.shown = level <= ACCESS_LEVEL
    _access.stream = None
    console = settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    factory: Any
    if console:
        shared.append(structlog.dev.ConsoleRenderer())
        factory = structlog.WriteLoggerFactory(file=sys.stderr)
    else:
        shared += [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ]
        stream = _line_stream()
        _access.stream = stream
        factory = structlog.WriteLoggerFactory(file=stream)
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_StandardErrorHandler()]
    root.setLevel(max(level, logging.INFO))
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


class _Access:
    """Where the access log goes: to a stream of JSON lines, or through the log.

    Lines gather for a moment: each write is a system call that gives the interpreter's lock away,
    and with a request a line those cost more than the lines.
    """

    def __init__(self) -> None:
        self.shown = False
        self.stream: TextIO | None = None
        self._lines: list[str] = []

    def add(self, line: str) -> None:
        """Write ``line`` soon; at once where no event loop runs."""
        self._lines.append(line)
        if len(self._lines) > 1:
            return
        try:
            asyncio.get_running_loop().call_later(ACCESS_DELAY_S, self.flush)
        except RuntimeError:
            self.flush()

    def flush(self) -> None:
        """Write what has gathered."""
        lines, self._lines = self._lines, []
        if lines and self.stream is not None:
            self.stream.write("".join(lines))
            self.stream.flush()


_access = _Access()
atexit.register(_access.flush)


def log_access(request_id: str, method: str, path: str, status: int, seconds: float) -> None:
    """One line for an answered request. In JSON it costs a few µs: it is on the hottest path."""
    if not _access.shown:
        return
    milliseconds = round(seconds * 1000, 2)
    if _access.stream is None:
        access_log.info(
            "request", method=method, path=path, status=status, milliseconds=milliseconds
        )
        return
    _access.add(
        f'{{"event": "request", "request_id": {_quoted(request_id)}, "method": {_quoted(method)}, '
        f'"path": {_quoted(path)}, "status": {status}, "milliseconds": {milliseconds}, '
        f'"level": "info", "timestamp": "{datetime.now(UTC).isoformat()}"}}\n'
    )


_quoted = json.encoder.encode_basestring
_encode = json.JSONEncoder(default=str, ensure_ascii=False, check_circular=False).encode


def _dumps(event: dict[str, Any], **_: Any) -> str:
    return _encode(event)


def _line_stream() -> Any:
    """Standard error; tests and embedders may have put a stream without a file there."""
    return sys.stderr if isinstance(sys.stderr, io.TextIOBase) else sys.__stderr__
