"""``dan-g models``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.options import (
    ConfigOption,
    HomeOption,
    JsonOption,
    Target,
    person,
    utc_text,
)
from orchestrator.commands.output import console, emit, short_time, table
from orchestrator.errors import NotFoundError, ParameterError

if TYPE_CHECKING:
    from orchestrator.config import Settings
    from orchestrator.plant.samples import SampleBlock
    from orchestrator.plant.tags import Plant

app = typer.Typer(help="What was learned from data, and when.", no_args_is_help=True)
MODELS = ("monitoring",)

ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="Which: monitoring.")]


@app.command()
def fit(
    model: ModelArgument,
    file: Annotated[
        Path | None,
        typer.Argument(help="Normal operation, CSV or Parquet; else from the historian."),
    ] = None,
    start: Annotated[
        datetime | None, typer.Option("--start", help="First time, UTC, of the historian.")
    ] = None,
    end: Annotated[
        datetime | None, typer.Option("--end", help="Last time, UTC, of the historian.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the journal.")] = "by hand",
    time_column: Annotated[
        str | None, typer.Option("--time-column", help="Of FILE; else the first that is time.")
    ] = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn normal operation and keep it in the home; a service that runs on it judges by it at once."""
    _known(model)
    from orchestrator.api.logs import configure_logging
    from orchestrator.commands.client import call, running_service

    target = Target(config, home)
    settings = target.settings()
    configure_logging(settings.logging.model_copy(update={"level": "error"}))
    service = running_service(settings)
    by = {"by": person(None)}
    if service is not None and file is None:
        span = {"start": utc_text(start), "end": utc_text(end), "reason": reason}
        document = call(target, lambda api: api.post("/models/monitoring/fit", span | by))
    else:
        document = _stored(settings, file, start, end, reason, time_column)
        if service is not None:
            call(target, lambda api: api.post("/models/monitoring/take-up", by))
    if as_json:
        emit(document)
        return
    taken = "; the service judges by it" if service is not None else ""
    console().print(
        f"version {document['version']}: {document['rows']} rows of {len(document['tags'])} tags, "
        f"{short_time(document['start'])} to {short_time(document['end'])}, "
        f"fingerprint {document['fingerprint'][:12]}{taken}",
        markup=False,
    )


@app.command("list")
def list_models(
    model: ModelArgument = "monitoring",
    config: ConfigOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """The journal: every version, when it was made, from what and why."""
    _known(model)
    from orchestrator.core.home import MONITORING_MODELS, Home
    from orchestrator.monitoring.model_store import ModelStore

    settings = Target(config, home).settings()
    records = ModelStore(Home(settings.home).models / MONITORING_MODELS).records()
    documents: list[dict[str, Any]] = [record.model_dump(mode="json") for record in records]
    if as_json:
        emit(documents)
        return
    rows = table("version", "rows", "from", "to", "fingerprint", "why")
    for item in documents:
        rows.add_row(
            str(item["version"]),
            str(item["rows"]),
            short_time(item["start"]),
            short_time(item["end"]),
            item["fingerprint"][:12],
            item["reason"],
        )
    console().print(rows)


def _known(model: str) -> None:
    if model not in MODELS:
        raise ParameterError(
            f"no model is called {model!r}", where="MODEL", remedy=f"one of: {', '.join(MODELS)}"
        )


def _stored(
    settings: Settings,
    file: Path | None,
    start: datetime | None,
    end: datetime | None,
    reason: str,
    time_column: str | None,
) -> dict[str, Any]:
    """The record of a version that is learned here: from a file, or from a historian that nobody owns."""
    from orchestrator.core.home import MONITORING_MODELS, Home
    from orchestrator.monitoring.model_store import ModelStore
    from orchestrator.monitoring.monitor import Monitor

    place = Home(settings.home)
    if file is not None:
        plant, block = _of_file(settings, file, time_column)
        source = file.name
    else:
        plant, block = _of_historian(settings, place, start, end)
        source = "historian"
    # Fitted once here, so that rows that nothing can be learned from are refused now.
    Monitor(plant, settings.monitoring).fit(block)
    record = ModelStore(place.models / MONITORING_MODELS).save(block, reason=reason, source=source)
    return record.model_dump(mode="json")


def _of_file(settings: Settings, file: Path, time_column: str | None) -> tuple[Plant, SampleBlock]:
    from orchestrator.core.sources import configured_plant
    from orchestrator.monitoring.judgement import WHOLE, joined
    from orchestrator.plant.sources.replay import ReplaySource

    source = ReplaySource(
        file.expanduser(), plant=configured_plant(settings), time_column=time_column
    )
    return source.plant, joined(source.blocks(WHOLE), source.plant)


def _of_historian(
    settings: Settings, home: Any, start: datetime | None, end: datetime | None
) -> tuple[Plant, SampleBlock]:
    from datetime import UTC

    from orchestrator.core.sources import configured_plant, configured_sources
    from orchestrator.monitoring.model_store import MOST_ROWS
    from orchestrator.plant.arrow import to_block
    from orchestrator.plant.historian import Historian

    plant = configured_plant(settings)
    if plant is None:
        source, _ = configured_sources(settings)
        if source is None:
            raise ParameterError(
                "no plant is configured, so that no tags are known",
                where="plant.file",
                remedy="give a FILE, or set plant.file",
            )
        plant = source.plant
        source.close()
    home.acquire()
    try:
        with Historian(home.historian) as historian:
            held = set(historian.tags())
            tags = [name for name in plant.tag_names if name in held]
            found = historian.read(
                tags,
                start.replace(tzinfo=UTC) if start else None,
                end.replace(tzinfo=UTC) if end else None,
            )
    finally:
        home.release()
    if not tags or not found.num_rows:
        raise NotFoundError(
            "the historian holds no samples of the plant's tags in this range",
            where=str(home.historian),
            remedy="give a FILE, or another range with --start and --end",
        )
    return plant, to_block(found.slice(max(found.num_rows - MOST_ROWS, 0)))
