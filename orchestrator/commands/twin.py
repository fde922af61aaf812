"""``dan-g twin``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.commands.options import JsonOption
from orchestrator.commands.output import console, emit, table
from orchestrator.commands.twin_opcua import serve
from orchestrator.errors import ParameterError

OTHER_FORMATS = frozenset({".csv", ".txt", ".xlsx", ".xls", ".json", ".arrow", ".feather"})

app = typer.Typer(help="The simulated crude unit.", no_args_is_help=True)
app.command("serve")(serve)


@app.command()
def run(
    out: Annotated[Path, typer.Option("--out", "-o", help="Parquet file to write.")],
    scenario: Annotated[
        Path | None,
        typer.Option("--scenario", "-s", help="YAML file or name of a shipped scenario."),
    ] = None,
    hours: Annotated[
        float | None, typer.Option("--hours", min=0, help="Length; else the scenario's.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of all randomness.")] = 0,
    truth: Annotated[
        bool, typer.Option("--truth/--no-truth", help="Write true values as TAG.truth.")
    ] = True,
    warm_up: Annotated[
        bool, typer.Option("--warm-up", help="Write the normal operation before it too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a scenario as fast as possible and write measurements, truth and faults."""
    if out.suffix.lower() in OTHER_FORMATS:
        raise ParameterError(
            f"it writes Parquet, and {out.name} would call it something else",
            where="--out",
            remedy=f"name it {out.stem}.parquet",
        )
    from orchestrator.plant.twin.recording import record
    from orchestrator.plant.twin.source import TwinSource

    source = TwinSource(scenario, seed=seed)
    length = source.scenario.hours if hours is None else hours
    written = record(source, out.expanduser(), length, truth=truth, warm_up=warm_up)
    document = {
        "scenario": source.scenario.name,
        "simulated": True,
        "seed": seed,
        "file": str(out),
        "rows": written.rows,
        "tags": written.tags,
        "start": written.start.isoformat(),
        "end": written.end.isoformat(),
    }
    if as_json:
        emit(document)
        return
    console().print(
        f"{written.rows} rows of {written.tags} tags (SIMULATED), {written.start:%Y-%m-%d %H:%M} to "
        f"{written.end:%Y-%m-%d %H:%M} UTC, written to {out}",
        markup=False,
    )


@app.command()
def scenarios(as_json: JsonOption = False) -> None:
    """List the scenarios that come with the package."""
    from orchestrator.plant.twin.scenario import load_scenario, shipped

    found = [load_scenario(Path(name)) for name in shipped()]
    if as_json:
        emit([{"name": item.name, "description": item.description} for item in found])
        return
    rows = table("scenario", "what it shows", "hours", "faults")
    for item in found:
        rows.add_row(item.name, item.description, f"{item.hours:g}", str(len(item.faults)))
    console().print(rows)
