"""What a command prints: JSON for programs, tables for people, errors for both."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from orchestrator.clock import json_default
from orchestrator.errors import DanGError, as_sentence

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PIPED_WIDTH = 100


class RemoteError(DanGError):
    """A problem document that the service answered with."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(
            str(document.get("detail") or document.get("title") or "the request failed")
        )
        self.document = document

    def problem(self, instance: str | None = None) -> dict[str, Any]:
        """The document as it came."""
        return self.document if instance is None else {**self.document, "instance": instance}


def exit_code_of(document: dict[str, Any]) -> int:
    """The exit code for a problem document: that of the error class with its type, else by status."""
    code = str(document.get("type", "")).rpartition(":")[2]
    pending: list[type[DanGError]] = [DanGError]
    while pending:
        kind = pending.pop()
        if kind.code == code and kind is not DanGError:
            return kind.exit_code
        pending.extend(kind.__subclasses__())
    status = int(document.get("status", 500))
    return {400: 2, 413: 2, 422: 2, 403: 4, 404: 3, 405: 2, 409: 4}.get(status, 5)


def console(*, stderr: bool = False) -> Console:
    """A console; without colour and 100 columns wide where the output is not a terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPED_WIDTH
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)


def emit(document: Any) -> None:
    """Print a JSON document on standard output."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False, default=json_default)
    sys.stdout.write("\n")


def report(error: DanGError, *, as_json: bool) -> int:
    """Print an error on standard error and return the exit code."""
    document = error.problem()
    if as_json:
        json.dump(document, sys.stderr, ensure_ascii=False, default=json_default)
        sys.stderr.write("\n")
    else:
        sys.stderr.write(f"error: {_in_words(error, document)}\n")
    return exit_code_of(document) if isinstance(error, RemoteError) else error.exit_code


def _in_words(error: DanGError, document: dict[str, Any]) -> str:
    remedy = error.remedy or document.get("remedy")
    text = str(document.get("detail", error.what)).rstrip(".")
    if remedy:
        remedy = str(remedy).rstrip(".")
        head = text.removesuffix(as_sentence(remedy)).rstrip(". ")
        text = f"{head}\n  remedy: {remedy}"
    return text


def table(*columns: str, title: str | None = None) -> Table:
    """A table that reads well at 100 columns and without colour."""
    from rich import box
    from rich.table import Table

    made = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def short_time(text: Any) -> str:
    """An ISO 8601 time to the second, in UTC, for a table."""
    if not text:
        return ""
    return str(text)[:19].replace("T", " ") + "Z"


def number(value: Any, digits: int = 3) -> str:
    """A number for a table, empty where unknown."""
    if value is None:
        return ""
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)
