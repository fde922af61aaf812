"""``dan-g replay FILE``."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.clock import json_default
from orchestrator.commands.options import ConfigOption, HomeOption, JsonOption, Target
from orchestrator.commands.output import console, emit, number, short_time, table
from orchestrator.errors import ConfigurationError

if TYPE_CHECKING:
    from orchestrator.core.orchestrator import Orchestrator

LISTED = 40


def replay(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file, wide or long.")],
    train: Annotated[
        Path | None, typer.Option("--train", help="Normal operation to train the monitor on.")
    ] = None,
    tags: Annotated[
        Path | None, typer.Option("--tags", help="Plant file; else one is inferred.")
    ] = None,
    time_column: Annotated[
        str | None, typer.Option("--time-column", help="Else the first that parses as time.")
    ] = None,
    speed: Annotated[
        float, typer.Option("--speed", min=0, help="Times real time; 0 as fast as possible.")
    ] = 0.0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the JSON document here.")
    ] = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run recorded plant data through the whole loop and report what happened."""
    from orchestrator.api.logs import configure_logging
    from orchestrator.core.replay import replay as run_replay
    from orchestrator.core.sources import configured_plant
    from orchestrator.plant.tags import load_plant

    target = Target(config, None)
    settings = target.settings()
    configure_logging(settings.logging.model_copy(update={"level": "error"}))
    plant = load_plant(tags.expanduser()) if tags else configured_plant(settings)
    if output is not None and not output.expanduser().absolute().parent.is_dir():
        raise ConfigurationError("its folder does not exist", where=f"--output {output}")

    async def main() -> dict[str, Any]:
        follower = _Follower(str(file))
        try:
            return await run_replay(
                settings,
                file.expanduser(),
                train=train.expanduser() if train else None,
                plant=plant,
                time_column=time_column,
                speed=speed,
                home=home,
                on_orchestrator=follower.start,
            )
        finally:
            await follower.stop()

    document = asyncio.run(main())
    if output is not None:
        text = json.dumps(document, indent=2, ensure_ascii=False, default=json_default)
        output.expanduser().write_text(text + "\n", encoding="utf-8")
    if as_json:
        emit(document)
    else:
        _show(document)


class _Follower:
    """A line on standard error with how far the replay is, where a person watches."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._task: asyncio.Task[None] | None = None

    def start(self, orchestrator: Orchestrator) -> None:
        if sys.stderr.isatty():
            self._task = asyncio.ensure_future(self._follow(orchestrator))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self, orchestrator: Orchestrator) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        loop = orchestrator.loop
        assert loop is not None
        expected = _rows_expected(orchestrator)
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console(stderr=True), transient=True) as progress:
            task = progress.add_task(self._what, total=expected)
            while True:
                at = f" to {short_time(loop.ended_at)}" if loop.ended_at else ""
                progress.update(task, completed=loop.rows, description=f"{loop.rows} rows{at}")
                await asyncio.sleep(0.2)


def _rows_expected(orchestrator: Orchestrator) -> int | None:
    """How many rows the file holds, where the source knows."""
    rows: Any = getattr(orchestrator.source, "rows", None)
    return rows if isinstance(rows, int) else None


def _show(document: dict[str, Any]) -> None:
    out = console()
    mark = "SIMULATED, " if document.get("simulated") else ""
    out.print(
        f"{document['source']}: {mark}{document['samples']} rows, "
        f"{document.get('tags', '?')} tags, {short_time(document.get('start'))} to "
        f"{short_time(document.get('end'))}",
        markup=False,
    )
    for note in document.get("notes", ()):
        out.print(f"note: {note}", markup=False)
    for name, make in (("alerts", _alerts), ("decisions", _decisions), ("results", _results)):
        items = document[name]
        out.print(f"\n{len(items)} {name}", markup=False)
        if items:
            out.print(make(items[:LISTED]))
        if len(items) > LISTED:
            out.print(f"… and {len(items) - LISTED} more; --json shows all", markup=False)


def _alerts(alerts: list[dict[str, Any]]) -> Any:
    rows = table("start", "end", "severity", "kind", "largest contributions")
    for alert in alerts:
        share = ", ".join(f"{c['tag']} {c['share']:.0%}" for c in alert["contributions"][:3])
        rows.add_row(
            short_time(alert["start"]),
            short_time(alert["end"]) or "open",
            alert.get("severity", ""),
            alert.get("kind", ""),
            share or ", ".join(alert["tags"][:3]),
        )
    return rows


def _decisions(decisions: list[dict[str, Any]]) -> Any:
    rows = table("time", "runs", "because")
    for decision in decisions:
        rows.add_row(
            short_time(decision["time"]),
            ", ".join(f"{a['module']}.{a['operation']}" for a in decision["actions"]) or "nothing",
            "; ".join(dict.fromkeys(t["because"] for t in decision["triggers"])),
        )
    return rows


def _results(results: list[dict[str, Any]]) -> Any:
    rows = table("operation", "status", "seconds", "summary")
    for result in results:
        rows.add_row(
            f"{result['module']}.{result['operation']}",
            result["status"],
            number(result["seconds"]),
            result["summary"],
        )
    return rows
