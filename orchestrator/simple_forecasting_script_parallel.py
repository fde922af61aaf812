"""Forecast many tags of a file in parallel, on its own: no service, no configuration.

    python orchestrator/simple_forecasting_script_parallel.py --data plant.csv --targets A,B --horizon 7

reads a CSV or Parquet file (wide or long, time column found by itself), chooses for each target the
model that did best on its own past, and writes ``forecast.csv`` (one row a target and step, with 80 %
and 95 % intervals) and ``forecast.png``. ``--targets all`` takes every numeric column, ``--models fast``
compares only models that need no iteration, and ``--engine ray`` runs the same on a Ray cluster
(``--ray-address host:port``) or on a Ray started here.

Exit codes: 0 done, 2 wrong usage or data, 3 file not found, 5 the forecast failed, 130 interrupted.
"""

from __future__ import annotations

import argparse
import csv
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ in ("__main__", "__mp_main__"):
    # run by its path, Python looks for modules in this file's folder, where ours would hide others
    _FOLDER = Path(__file__).resolve().parent
    sys.path[:] = [item for item in sys.path if not item or Path(item).resolve() != _FOLDER]
    sys.path.insert(0, str(_FOLDER.parent))

from orchestrator.errors import DanGError, DataError, NotFoundError, OperationError, ParameterError

if TYPE_CHECKING:
    from types import FrameType

    from rich.console import Console

    from orchestrator.modules.forecasting.chunks import TargetForecast
    from orchestrator.modules.forecasting.series import Plan
    from orchestrator.modules.frames import Frame

COLUMNS = ("target", "time", "mean", "lo_95", "lo_80", "hi_80", "hi_95", "model")
LEVELS = ("0.025", "0.1", "0.9", "0.975")
MAX_PLOTTED = 24
PLOTTED_ROWS = 200
ALL = "all"


class _Interrupts:
    """Interrupts, remembered: Python drops one that is raised in a destructor or a callback."""

    seen = False

    def take(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        self.seen = True
        signal.default_int_handler(number, frame)

    def check(self) -> None:
        """Raise again what was dropped."""
        if self.seen:
            raise KeyboardInterrupt


_INTERRUPTS = _Interrupts()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code."""
    options = _parser().parse_args(arguments)
    from rich.console import Console

    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        _run(options, errors)
    except DanGError as error:
        errors.print(f"error: {error}", markup=False, style="red")
        return error.exit_code
    except KeyboardInterrupt:
        errors.print("interrupted", style="red")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Forecast tags of a CSV or Parquet file, in parallel.",
        epilog="Exit codes: 0 done, 2 wrong usage or data, 3 file not found, 5 failed.",
    )
    parser.add_argument("--data", type=Path, required=True, help="CSV or Parquet file")
    parser.add_argument(
        "--targets",
        required=True,
        help="tags to forecast, separated by commas (or one whose name holds a comma); all: every "
        "numeric column",
    )
    parser.add_argument("--horizon", type=int, required=True, help="steps ahead, 1 or more")
    parser.add_argument(
        "--known-future",
        default="",
        help="columns known ahead, such as planned feed, separated by commas; their values for the "
        "horizon stand in rows after the last value of the targets",
    )
    parser.add_argument("--jobs", type=int, default=None, help="processes (default: all cores)")
    parser.add_argument(
        "--models",
        choices=("full", "fast"),
        default="full",
        help="fast leaves out statistical models and boosting: for thousands of tags",
    )
    parser.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="this machine, or Ray"
    )
    parser.add_argument(
        "--ray-address", default=None, help="host:port of a Ray cluster (default: start one here)"
    )
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the two files")
    parser.add_argument("--time-column", default=None, help="found by itself when not given")
    return parser


def _names(text: str, columns: Sequence[str] = ()) -> list[str]:
    """The names in a list with commas; the whole text where a column has that name."""
    if text.strip() in columns:
        return [text.strip()]
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _run(options: argparse.Namespace, console: Console) -> None:
    from orchestrator.modules.forecasting.series import plan

    if not _names(options.targets):
        raise ParameterError("no targets are given", where="--targets", remedy="name some: A,B")
    if options.jobs is not None and options.jobs < 1:
        raise ParameterError(f"{options.jobs} processes", where="--jobs", remedy="give 1 or more")
    if options.ray_address and options.engine != "ray":
        raise ParameterError(
            "an address of a Ray cluster is given, and the engine is local",
            where="--ray-address",
            remedy="add --engine ray",
        )
    started = time.perf_counter()
    frame, targets, known, notes = _read(options)
    if targets == [ALL] and ALL not in frame.names:
        targets = [name for name in frame.names if name not in known]
    if not targets:
        raise DataError(
            "no column holds numbers",
            where=str(options.data),
            remedy="look at what it holds with: dan-g invoke etl validate",
        )
    grid = plan(frame, options.horizon, None)
    results = _forecast(frame, targets, known, grid, options, console)
    for note in (*notes, *grid.notes):
        console.print(f"note: {note}", markup=False)
    done = [item for item in results if item.error is None]
    refused = [item for item in results if item.error is not None]
    failure = refused[0].error if not done else None
    for item in refused:
        if item.error is not failure:
            console.print(f"not forecast: {item.error}", markup=False, style="yellow")
    if failure is not None:
        raise failure
    table, plot = _write(options.out, done, frame)
    seconds = time.perf_counter() - started
    console.print(
        f"{len(done)} of {len(targets)} targets forecast {grid.steps} steps ahead in {seconds:.1f} s: "
        f"{table}, {plot}",
        markup=False,
    )


def _read(options: argparse.Namespace) -> tuple[Frame, list[str], list[str], list[str]]:
    """The data, the targets, the columns known ahead, and notes."""
    from orchestrator.modules.frames import read_frame
    from orchestrator.plant.tables import Table

    path: Path = options.data
    if not path.is_file():
        raise NotFoundError(
            "there is no such file",
            where=str(path),
            remedy="give the path of a CSV or Parquet file",
        )
    table = Table(path, time_column=options.time_column)
    targets, known = (_names(x, table.tags) for x in (options.targets, options.known_future))
    wanted = [] if ALL in targets and ALL not in table.tags else [*targets, *known]
    for name, count in table.infinite.items():
        if not wanted or name in wanted:
            raise DataError(
                f"{count} values are infinite",
                where=f"{path}, {name}",
                remedy="correct them, or leave them empty so that they count as missing",
            )
    frame = read_frame(table.read(wanted or None), wanted).in_order()
    twice = table.duplicates
    if twice.conflicting:
        raise DataError(
            f"values that contradict one another stand at the same time ({twice.conflicting})",
            where=str(path),
            why="a forecast needs one value at one time",
            remedy="remove the duplicates, or resolve them with: dan-g invoke etl ingest",
        )
    notes = list(table.notes)
    if twice.identical:
        notes.append(f"{twice.identical} repeated values were left out")
    return frame, targets, known, notes


def _forecast(
    frame: Frame,
    targets: list[str],
    known: list[str],
    grid: Plan,
    options: argparse.Namespace,
    console: Console,
) -> list[TargetForecast]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from orchestrator.modules.forecasting.batch import forecast_all

    found: dict[str, TargetForecast] = {}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    results: Iterator[TargetForecast] = forecast_all(
        frame,
        targets,
        grid,
        jobs=options.jobs,
        models=options.models,
        known_future=known,
        engine=options.engine,
        ray_address=options.ray_address,
    )
    where = " on Ray" if options.engine == "ray" else ""
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"Forecasting{where}", total=len(targets))
        for item in results:
            found[item.target] = item
            progress.advance(task)
            _INTERRUPTS.check()
    return [found[target] for target in targets]


def _write(folder: Path, results: list[TargetForecast], frame: Frame) -> tuple[Path, Path]:
    table, picture = folder / "forecast.csv", folder / "forecast.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for item in results:
                model = item.score.model if item.score else ""
                for point in item.points:
                    bands = [repr(point.quantiles[level]) for level in LEVELS]
                    writer.writerow([point.target, point.time, repr(point.mean), *bands, model])
        _plot(picture, results[:MAX_PLOTTED], frame)
    except OSError as error:
        raise OperationError(
            f"cannot write ({error.strerror})", where=str(folder), remedy="give another --out"
        ) from error
    return table, picture


def _plot(path: Path, results: list[TargetForecast], frame: Frame) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import numpy as np
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        len(results), 1, figsize=(10, 2.6 * len(results)), squeeze=False, layout="constrained"
    )
    for axis, item in zip(axes[:, 0], results, strict=True):
        times = np.array([point.time.rstrip("Z") for point in item.points], dtype="datetime64[us]")
        bands = {level: [point.quantiles[level] for point in item.points] for level in LEVELS}
        past = frame.column(item.target)[-PLOTTED_ROWS:]
        axis.plot(frame.times[-PLOTTED_ROWS:], past, color="#30363d", linewidth=1)
        axis.fill_between(times, bands["0.025"], bands["0.975"], color="#1f77b4", alpha=0.15)
        axis.fill_between(times, bands["0.1"], bands["0.9"], color="#1f77b4", alpha=0.3)
        axis.plot(times, [point.mean for point in item.points], color="#1f77b4", linewidth=1.8)
        model = item.score.model.replace("_", " ") if item.score else ""
        axis.set_title(f"{item.target} ({model})", loc="left", fontsize=9)
        axis.grid(alpha=0.25)
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    # SIGTERM too, so that no process of the pool outlives this one
    for _number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(_number, _INTERRUPTS.take)
    sys.exit(main())
