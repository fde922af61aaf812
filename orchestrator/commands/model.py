"""``dan-g model``: check, show, draw and plan with a refinery model."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.options import JsonOption
from orchestrator.commands.output import console, emit, table

if TYPE_CHECKING:
    from orchestrator.modules.optimization.planning.result import PlanResult
    from orchestrator.modules.optimization.refinery.flowsheet import Flowsheet
    from orchestrator.modules.optimization.refinery.show import ModelTable

app = typer.Typer(help="The refinery model of the plan.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The model, YAML or JSON.")]


class Format(StrEnum):
    """How the flowsheet is written."""

    TEXT = "text"
    MERMAID = "mermaid"
    DOT = "dot"
    HTML = "html"
    JSON = "json"


@app.command()
def check(file: FileArgument, as_json: JsonOption = False) -> None:
    """Read a model, look for what is wrong with it, and see whether it has a plan.

    Raises:
        ConfigurationError: something is wrong with it.
    """
    from orchestrator.errors import ConfigurationError
    from orchestrator.modules.optimization.planning.trial import trial
    from orchestrator.modules.optimization.refinery.loading import load_model

    model = load_model(file)
    found = [*model.warnings, *trial(model)]
    errors = [item for item in found if item.level == "error"]
    if errors:
        raise ConfigurationError(
            "; ".join(map(str, errors)),
            where=str(file),
            remedy="mend these in the refinery model",
            context={
                "errors": [
                    {"field": ".".join(item.path), "message": item.text, "type": "finding"}
                    for item in errors
                ]
            },
        )
    if as_json:
        emit(
            {
                "file": str(file),
                "name": model.name,
                "warnings": [
                    {"field": ".".join(item.path), "message": item.text} for item in found
                ],
            }
        )
        return
    for item in found:
        console().print(f"warning: {item}", markup=False)
    parts = {
        "crudes": len(model.crudes),
        "purchases": len(model.purchases),
        "units": len(model.units),
        "products": len(model.products),
        "periods": len(model.spans),
    }
    counted = ", ".join(
        f"{count} {word if count != 1 else word[:-1]}" for word, count in parts.items()
    )
    console().print(f"{file}: {model.name} is a usable model: {counted}", markup=False)


@app.command()
def show(file: FileArgument, as_json: JsonOption = False) -> None:
    """Print a model as tables; with --json as it was read, in its own units."""
    from orchestrator.modules.optimization.refinery.show import tables

    sheet = _sheet(file)
    if as_json:
        emit(sheet.model.model_dump(mode="json", exclude_unset=True))
        return
    console().print(sheet.model.name, markup=False)
    _print(tables(sheet))


@app.command()
def plan(file: FileArgument, as_json: JsonOption = False) -> None:
    """Plan with a model as it stands; prices that follow tags need dan-g invoke optimization plan."""
    from orchestrator.modules.optimization.planning.show import plan_tables

    result = _planned(file)
    if as_json:
        emit(result.model_dump(mode="json"))
        return
    console().print(result.summary, markup=False)
    for warning in result.warnings:
        console().print(f"warning: {warning}", markup=False)
    _print(plan_tables(result))


@app.command()
def graph(
    file: FileArgument,
    form: Annotated[
        Format, typer.Option("--format", "-f", help="text, mermaid, dot, html or json.")
    ] = Format.TEXT,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write.")] = None,
) -> None:
    """Print or write the flowsheet of a model."""
    from orchestrator.modules.optimization.refinery import drawing
    from orchestrator.modules.optimization.refinery import graph as graphs

    made = graphs.Graph(_sheet(file))
    text = {
        Format.TEXT: graphs.as_text,
        Format.MERMAID: graphs.as_mermaid,
        Format.DOT: graphs.as_dot,
        Format.HTML: drawing.as_page,
        Format.JSON: graphs.as_json,
    }[form](made)
    if out is None:
        typer.echo(text)
    else:
        out.expanduser().write_text(f"{text}\n", encoding="utf-8")
        typer.echo(f"written to {out}")


def _sheet(file: Path) -> Flowsheet:
    from orchestrator.modules.optimization.refinery.flowsheet import Flowsheet
    from orchestrator.modules.optimization.refinery.loading import load_model

    return Flowsheet(load_model(file))


def _planned(file: Path) -> PlanResult:
    from datetime import UTC, datetime

    from orchestrator.modules.base import OperationContext
    from orchestrator.modules.optimization.plan import run
    from orchestrator.modules.optimization.planning.result import PlanInput
    from orchestrator.modules.optimization.refinery.loading import load_model
    from orchestrator.plant.tags import Plant

    context = OperationContext(now=datetime.now(UTC), plant=Plant())
    return run(PlanInput(model=load_model(file)), context)


def _print(tables: Iterable[ModelTable]) -> None:
    for item in tables:
        if not item.rows:
            continue
        rows = table(*item.columns, title=item.title)
        for row in item.rows:
            rows.add_row(*row)
        console().print(rows, markup=False)
