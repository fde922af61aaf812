"""Structured logs on standard error, one line an event."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import Any

import structlog

from orchestrator.config import LoggingSettings

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
QUIET_LIBRARIES = ("dbos", "alembic", "asyncio", "httpx", "httpcore", "uvicorn.access")


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
        factory = structlog.WriteLoggerFactory(file=_line_stream())
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


def _dumps(event: dict[str, Any], **_: Any) -> str:
    return json.dumps(event, default=str, ensure_ascii=False)


def _line_stream() -> Any:
    """Standard error; tests and embedders may have put a stream without a file there."""
    return sys.stderr if isinstance(sys.stderr, io.TextIOBase) else sys.__stderr__
