"""``dan-g invoke MODULE OPERATION``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from orchestrator.clock import iso
from orchestrator.commands.options import (
    ConfigOption,
    HomeOption,
    JsonOption,
    Target,
    UrlOption,
)
from orchestrator.commands.output import RemoteError, console, emit
from orchestrator.errors import DataError, InputError, InsufficientDataError, ParameterError
from orchestrator.field_errors import field_errors
from orchestrator.yaml_files import read_yaml

if TYPE_CHECKING:
    from orchestrator.modules.base import Operation
    from orchestrator.plant.tables import Table as TimedTable


def invoke(
    module: Annotated[str, typer.Argument(help="etl, forecasting, analysis, optimization, …")],
    operation: Annotated[str, typer.Argument(help="Operation of the module.")],
    params: Annotated[
        str, typer.Option("--params", help="Parameters as JSON, or @FILE with them (JSON or YAML).")
    ] = "{}",
    data: Annotated[
        Path | None, typer.Option("--data", help="CSV, Parquet or Excel file with the input data.")
    ] = None,
    time_column: Annotated[
        str | None, typer.Option("--time-column", help="Of --data; else the first that is time.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option("--timezone", help="IANA zone of times in --data that carry none.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--start", help="Time of the first row, where the rows of --data hold none."),
    ] = None,
    period_seconds: Annotated[
        float | None, typer.Option("--period-seconds", help="Distance of such rows, s.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            help="HTML file for the report of an operation that makes one; analysis also writes .md.",
        ),
    ] = None,
    priority: Annotated[int, typer.Option("--priority", min=1, max=9, help="1 goes first.")] = 5,
    config: ConfigOption = None,
    home: HomeOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run one operation and print its result."""
    parameters = _parameters(params)
    notes: list[str] = []
    stated: dict[str, Any] = {}
    if data is not None:
        if "data" in parameters:
            raise ParameterError(
                "data is in --params and in --data", where="--data", remedy="give it once"
            )
        stated = {
            "time_column": time_column,
            "timezone": timezone,
            "start": start,
            "period_seconds": period_seconds,
        }
        stated = {name: value for name, value in stated.items() if value is not None}
        declared = _declared(module, operation)
        if declared is not None and "file" in declared.input_model.model_fields:
            parameters = {**stated, **parameters}
        else:
            timeless = declared is not None and not declared.needs_time
            exact = _named(parameters) if declared is not None and declared.exact else None
            columns, notes = _columns(data, stated, timeless=timeless, exact=exact)
            parameters["data"] = {"columns": columns}
    if report is not None:
        _check_folder(report)
        declared = _declared(module, operation)
        if declared is not None and "report" not in declared.input_model.model_fields:
            raise _no_report(f"{module}.{operation}")
        parameters["report"] = "markdown" if report.suffix.lower() == ".md" else True
    from orchestrator.commands.client import Api, call
    from orchestrator.commands.progress import waiting

    body = {"operation": operation, "parameters": parameters, "priority": priority}

    async def work(api: Api) -> dict[str, Any]:
        if data is not None and "data" not in parameters:
            if api.in_process:
                # Read where it lies, so that a file of any size streams.
                parameters["file"] = str(data.expanduser().absolute())
            else:
                parameters.update(_content(data, stated))
        accepted = await api.post(f"/invoke/{quote(module, safe='')}", body)
        with waiting(f"{module}.{operation}") as progress:
            job: dict[str, Any] = await api.wait_for_job(accepted["job_id"], progress)
        return job

    # Who runs the command on this machine may read what the command may.
    job = call(Target(config, home, url), work, {"etl": {"local_access": True}})
    if job["status"] != "succeeded":
        raise RemoteError(_problem(job))
    if notes:
        # What the reader mended is not in the columns that were sent, and must not be lost.
        job["result"]["warnings"] = [*job["result"].get("warnings", ()), *notes]
    if report is not None:
        _write(report, job["result"].pop("report", None), f"{module}.{operation}")
    if as_json:
        emit(job["result"])
        return
    _show(job)
    if report is not None:
        console().print(f"report: {report}", markup=False)


def _check_folder(report: Path) -> None:
    if not report.expanduser().absolute().parent.is_dir():
        raise InputError(
            "the folder of the report does not exist",
            where=str(report),
            remedy="make the folder, or name a file in one that exists",
        )


def _no_report(name: str) -> ParameterError:
    return ParameterError(f"{name} makes no report", where="--report", remedy="leave --report out")


def _write(report: Path, page: Any, name: str) -> None:
    if not isinstance(page, str):
        raise _no_report(name)
    try:
        report.expanduser().write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"the report cannot be written: {error}", where=str(report), remedy="name another file"
        ) from error


def _problem(job: dict[str, Any]) -> dict[str, Any]:
    name = f"{job['module']}.{job['operation']}"
    failed = {
        "type": "urn:dan-g:problem:operation-failed",
        "title": "The operation failed",
        "status": 500,
        "detail": f"{name} ended as {job['status']}",
        "retryable": False,
    }
    return {**failed, **(job["error"] or {}), "job_id": job["id"], "job_status": job["status"]}


def _parameters(text: str) -> dict[str, Any]:
    where = "--params"
    if text.startswith("@"):
        where = text[1:]
        if where.endswith((".yaml", ".yml")):
            return _mapping(read_yaml(Path(where).expanduser()), where)
        try:
            text = Path(where).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"cannot be read: {error}",
                where=where,
                remedy="give a JSON or YAML file after the @",
            ) from error
    try:
        parameters = json.loads(text)
    except ValueError as error:
        raise InputError(
            f"not JSON: {error}", where=where, remedy="for example --params '{\"horizon\": 24}'"
        ) from error
    return _mapping(parameters, where)


def _mapping(parameters: Any, where: str) -> dict[str, Any]:
    if not isinstance(parameters, dict):
        raise InputError(
            f"an object is expected, got {type(parameters).__name__}",
            where=where,
            remedy="for example --params '{\"horizon\": 24}'",
        )
    return parameters


def _declared(module: str, operation: str) -> Operation | None:
    from orchestrator.modules.registry import load_registry

    return load_registry().operations.get(f"{module}.{operation}")


def _content(path: Path, stated: dict[str, Any]) -> dict[str, Any]:
    """A file as parameters for a service that cannot read it: text as it is, else its columns."""
    from orchestrator.plant.csv_head import first_bytes
    from orchestrator.plant.spreadsheets import is_spreadsheet

    magic = first_bytes(path, str(path))
    if magic.startswith(b"PAR1") or is_spreadsheet(magic):
        columns, _ = _columns(path, stated)
        return {
            "data": {"columns": columns},
            "time_column": "time",
            "start": None,
            "period_seconds": None,
        }
    return {"text": _text(path)}


def _text(path: Path) -> str:
    """A text file to be sent to a service, decompressed and decoded.

    Raises:
        InputError: it is no text.
    """
    from orchestrator.plant.csv_head import read_head

    _, encoding = read_head(path, str(path))
    import pyarrow as pa

    try:
        with pa.input_stream(str(path), compression="detect") as stream:
            return bytes(stream.read()).decode(encoding).lstrip("\ufeff")
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot be read: {error}",
            where=str(path),
            remedy="put the file where the service may read it, and give its path as the parameter file",
        ) from error


def _columns(
    path: Path,
    stated: dict[str, Any],
    *,
    timeless: bool = False,
    exact: frozenset[str] | None = None,
) -> tuple[dict[str, list[Any]], list[str]]:
    """The file's columns as JSON (times as ISO 8601, no number as null), and what was mended.

    Args:
        path: The file.
        stated: What is stated about it.
        timeless: Whether it may hold no times; then there is no column ``time``.
        exact: Columns of which nothing may be mended (all where empty), for an operation that is exact.

    Raises:
        DataError: the file cannot be used.
        InsufficientDataError: a column that is to be exact has no value.
        ParameterError: what is stated about it cannot be read.
    """
    from pydantic import ValidationError

    from orchestrator.modules.etl.models import IngestInput
    from orchestrator.plant.reading import Reading
    from orchestrator.plant.tables import Table

    try:
        given = IngestInput.model_validate({**stated, "text": ""}).model_dump(include=set(stated))
    except ValidationError as error:
        raise ParameterError.of_fields(field_errors(error.errors(), stated)) from error
    file = Table(path, reading=Reading(**given, timeless=timeless))
    table = file.read()
    if exact is not None:
        _refuse_mended(file, exact)
    columns: dict[str, list[Any]] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = column.to_pylist()
        if name == "time":
            columns[name] = [iso(value) for value in values]
        else:
            columns[name] = [_finite(value) for value in values]
    notes = [*file.notes, *([file.duplicates.note] if file.duplicates.note else [])]
    return columns, [f"{path.name}: {note}" for note in notes]


def _named(parameters: dict[str, Any]) -> frozenset[str]:
    """Columns that parameters name as targets or inputs."""
    found: set[str] = set()
    for key in ("target", "targets", "tags", "inputs", "known_future"):
        value = parameters.get(key) or ()
        named = [value] if isinstance(value, str) else value
        if isinstance(named, list | tuple):
            found.update(name for name in named if isinstance(name, str))
    return frozenset(found)


def _refuse_mended(file: TimedTable, names: frozenset[str]) -> None:
    """Refuse what the reader would mend: two values at one time, infinite values, empty columns."""
    for name in sorted(names & set(file.empty)):
        raise InsufficientDataError(
            f"all {file.rows} values are missing",
            where=f"{file.name}, {name}",
            remedy="give values, or name another column",
        )
    twice = file.duplicates.conflicting
    if twice and file.timed:
        raise DataError(
            f"{twice} values stand at a time that already has another one",
            where=file.name,
            why="one value at one time is needed",
            remedy="remove the duplicates, or resolve them with etl.ingest (duplicates: last, first or mean)",
        )
    for name, count in file.infinite.items():
        if not names or name in names:
            raise DataError(
                f"{count} values are infinite",
                where=f"{file.name}, {name}",
                remedy="correct them, or leave them empty so that they count as missing",
            )


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _show(job: dict[str, Any]) -> None:
    out = console()
    result = job["result"] or {}
    out.print(f"{job['module']}.{job['operation']}: {result.get('summary', '')}", markup=False)
    for warning in result.get("warnings", ()):
        out.print(f"warning: {warning}", markup=False)
    rest = {k: v for k, v in result.items() if k not in ("summary", "warnings")}
    if rest:
        out.print(json.dumps(rest, indent=2, ensure_ascii=False)[:6000], markup=False)
    out.print(f"job {job['id']}, {job['seconds']:.2f} s", markup=False)
