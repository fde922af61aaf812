"""Whatever is to be loaded as one checked table: a file, text, rows, or the answer of a database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.errors import DataError, ParameterError
from orchestrator.modules.base import InlineData, OperationContext
from orchestrator.modules.etl.models import IngestInput
from orchestrator.modules.etl.sql import rows_of
from orchestrator.plant.reading import Reading
from orchestrator.plant.spreadsheets import StagedCsv
from orchestrator.plant.tables import Table


@contextmanager
def opened(parameters: IngestInput, context: OperationContext) -> Iterator[Table]:
    """The one source that the parameters name, checked; what is not a file is written as one first.

    Raises:
        DataError: there is nothing to read, or it cannot be used.
        ParameterError: a file or database that this service may not read.
    """
    reading = Reading(
        time_column=parameters.time_column,
        timezone=parameters.timezone,
        ambiguous=parameters.ambiguous,
        nonexistent=parameters.nonexistent,
        day_first=parameters.day_first,
        decimal=parameters.decimal,
        separator=parameters.separator,
        layout=parameters.layout,
        sheet=parameters.sheet,
        duplicates=parameters.duplicates,
        start=parameters.start,
        period_seconds=parameters.period_seconds,
        lenient=True,
    )
    if parameters.file is not None:
        path = _allowed(parameters.file, context.settings)
        yield Table(path, reading=reading, name=path.name)
        return
    staged = StagedCsv()
    name = _stage(parameters, context, staged)
    yield Table(staged.path, reading=reading, name=name)


def _stage(parameters: IngestInput, context: OperationContext, staged: StagedCsv) -> str:
    """Write what is no file; its name in errors."""
    data = parameters.data
    if parameters.text is not None:
        if not parameters.text.strip():
            raise DataError(
                "the text is empty", where="text", remedy="give CSV text with a header line"
            )
        staged.path.write_text(parameters.text, encoding="utf-8")
        return "text"
    if parameters.sql is not None:
        with rows_of(parameters.sql, context.settings) as (names, rows):
            if not staged.write(names, rows):
                raise DataError(
                    "the query gives no row",
                    where="sql",
                    remedy="check the query and the range of time that it asks for",
                )
        return "sql"
    if isinstance(data, InlineData):
        names, rows = _inline(data)
        staged.write(names, rows)
        return "data"
    import pyarrow.csv

    table = context.table()
    if table.num_rows == 0:
        raise DataError("there are no rows", where="data", remedy="give at least one row")
    pyarrow.csv.write_csv(table, staged.path)
    return "data"


def _inline(data: InlineData) -> tuple[list[str], Iterator[Any]]:
    if data.columns is not None:
        lengths = {name: len(column) for name, column in data.columns.items()}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name}: {length}" for name, length in list(lengths.items())[:12])
            raise DataError(
                f"the columns have different lengths ({shown})",
                where="data.columns",
                remedy="give each column one value a row, null where there is none",
            )
        return list(data.columns), zip(*data.columns.values(), strict=True)
    rows = data.rows or ()
    names = list(dict.fromkeys(name for row in rows for name in row))
    return names, ([row.get(name) for name in names] for row in rows)


def _allowed(file: str, options: Mapping[str, Any]) -> Path:
    """The file, if it lies in a folder that this service may read from."""
    path = Path(file).expanduser()
    folders = [Path(str(folder)).expanduser().resolve() for folder in options.get("folders", ())]
    if options.get("local_access"):
        return path
    if not path.is_absolute() and len(folders) == 1:
        path = folders[0] / path
    if not any(path.resolve().is_relative_to(folder) for folder in folders):
        raise ParameterError.of_field(
            "file",
            f"{file!r} is in no folder that this service may read from",
            why="who can reach the service could read with it whatever the service can",
            remedy="put it in a folder named in the configuration under modules.etl.options.folders, "
            "or send the rows as text or data",
        )
    return path
