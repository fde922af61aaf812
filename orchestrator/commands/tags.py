"""``dan-g tags``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError

from orchestrator.commands.options import ConfigOption, HomeOption, JsonOption, Target
from orchestrator.commands.output import console, emit, number, table
from orchestrator.errors import ConfigurationError

if TYPE_CHECKING:
    from orchestrator.plant.tags import Plant

BROWSED_HEADER = """\
# Drafted from the variables of {source}. Look through it before use:
#   tags            leave out what is not wanted; a tag may be renamed, its node stays
#   unit            empty where the server tells none that is known
#   normal, limits  none are drafted
"""

app = typer.Typer(help="The tag table of the plant.", no_args_is_help=True)


@app.command()
def infer(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file, wide or long.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the plant file here.")
    ] = None,
    time_column: Annotated[
        str | None, typer.Option("--time-column", help="Else the first that parses as time.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Draft a plant file from data: names, periods, normal ranges, credible rates of change."""
    import yaml

    from orchestrator.plant.sources.infer import infer_plant

    plant = infer_plant(file, time_column=time_column)
    document = plant.model_dump(mode="json", exclude_defaults=True)
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    if output is not None:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                f"cannot be written: {error.strerror or error}", where=str(output)
            ) from error
        console(stderr=True).print(f"{len(plant.tags)} tags written to {output}", markup=False)
    if as_json:
        emit(document)
    elif output is None:
        sys.stdout.write(text)


@app.command()
def browse(
    url: Annotated[str, typer.Argument(help="OPC UA server, opc.tcp://host:port.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the plant file here.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draft a plant file from the variables of an OPC UA server: names, nodes, units, areas.

    Security, certificates and user are those of plant.source.opcua in the configuration.
    """
    from orchestrator.config import SourceSettings
    from orchestrator.field_errors import field_errors, in_words
    from orchestrator.plant.plant_yaml import plant_yaml, write_plant
    from orchestrator.plant.sources.opcua import browsed_plant

    try:
        address = SourceSettings(url=url).url or ""
    except ValidationError as error:
        raise ConfigurationError(in_words(field_errors(error.errors(), {"url": url}))) from None
    plant = browsed_plant(address, Target(config).settings().plant.source.opcua)
    header = BROWSED_HEADER.format(source=address)
    if output is not None:
        write_plant(plant, output, header=header)
        console(stderr=True).print(f"{len(plant.tags)} tags written to {output}", markup=False)
    if as_json:
        emit(plant.model_dump(mode="json", exclude_defaults=True))
    elif output is None:
        sys.stdout.write(plant_yaml(plant, header))


@app.command("list")
def list_tags(
    plant_file: Annotated[
        Path | None, typer.Option("--plant", help="Plant file; else the configured one.")
    ] = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the tags; without a plant file, those of the demo's simulated unit."""
    plant = _plant(plant_file, Target(config, home))
    if as_json:
        emit([tag.model_dump(mode="json") for tag in plant.tags])
        return
    rows = table("tag", "description", "unit", "area", "kind", "normal", "limits")
    for tag in plant.tags:
        limits = tag.limits
        ends = (limits.low_low, limits.low, limits.high, limits.high_high)
        rows.add_row(
            tag.name,
            tag.description,
            tag.unit,
            tag.area,
            tag.kind + (" (handle)" if tag.controllable else ""),
            " – ".join(number(end) for end in tag.normal) if tag.normal else "",
            " / ".join(number(end) or "·" for end in ends)
            if any(e is not None for e in ends)
            else "",
        )
    out = console()
    mark = " (SIMULATED)" if plant.simulated else ""
    out.print(f"{plant.name}{mark}: {len(plant.tags)} tags", markup=False)
    out.print(rows)


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="Plant file; else the configured one.")
    ] = None,
    config: ConfigOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Validate a plant file: fields, units, and every expression with the tags it names."""
    plant = _plant(file, Target(config, home))
    document = {"name": plant.name, "tags": len(plant.tags), "valid": True}
    if as_json:
        emit(document)
    else:
        console().print(f"{plant.name}: valid, {len(plant.tags)} tags", markup=False)


def _plant(file: Path | None, target: Target) -> Plant:
    from orchestrator.core.sources import configured_plant
    from orchestrator.plant.tags import load_plant

    if file is not None:
        return load_plant(file.expanduser())
    settings = target.settings()
    found = configured_plant(settings)
    if found is not None:
        return found
    if settings.plant.source.kind == "replay" and settings.plant.source.path is not None:
        from orchestrator.plant.sources.infer import infer_plant

        return infer_plant(settings.plant.source.path)
    from orchestrator.plant.twin import PLANT_FILE

    return load_plant(PLANT_FILE)
