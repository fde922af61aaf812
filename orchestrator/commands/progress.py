"""Progress on standard error, only where a person watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator.commands.output import console


@contextmanager
def waiting(what: str) -> Iterator[Callable[[float, str], None]]:
    """Show a bar while ``what`` runs; call what it gives with a share from 0 to 1 and a message."""
    if not sys.stderr.isatty():
        yield lambda _share, _message: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=1.0)

        def advance(share: float, message: str) -> None:
            progress.update(task, completed=share, description=f"{what}: {message}"[:70])

        yield advance
