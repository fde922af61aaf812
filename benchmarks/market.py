"""Weekly stocks of crude, gasoline and distillate, forecast one to four weeks ahead.

``python -m benchmarks.market [--data FOLDER]`` prints, for the last 104 weeks of each published file and for
earlier spans, the mean absolute error (and root mean square error) of the shipped forecast over that of two
plain ones: the last value, and the last value plus the average change of the season (the mean change over
the same weeks of all earlier years; also of the last five). At each week everything is fitted anew on what
was known there, and whether the combination or a plain forecast is used is decided from errors known there.
The spans before the last 104 weeks are those by which free figures are chosen; a figure that is better only in
the last weeks was fitted to them.

Values are the latest revision, since the files hold no first prints: the forecasts of the past are made from
figures a little better than those of the day, and so are the plain ones.
"""

from __future__ import annotations

import argparse
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.fault_detection import DATA_VARIABLE
from orchestrator.modules.analysis.models import StocksInput
from orchestrator.modules.analysis.outlook import (
    CALIBRATION_YEARS,
    JUDGED_YEARS,
    LEVELS,
    Track,
    choose,
    outlook,
    track,
    width,
)
from orchestrator.modules.analysis.panel import Panel, panel
from orchestrator.modules.analysis.season import change, lagged
from orchestrator.modules.analysis.series import Loaded, load
from orchestrator.modules.base import OperationContext
from orchestrator.plant.tags import Plant

SERIES = {"WCESTUS1": "crude", "WGTSTUS1": "gasoline", "WDISTUS1": "distillate"}
STEPS = 4
LAST_WEEKS = 104
WARM_UP_YEARS = 3
LONG, WIDE = "weekly_stocks_1982_2022.csv.gz", "weekly_petroleum.csv.gz"
EARLIER: dict[str, tuple[tuple[str, str], ...]] = {
    LONG: (
        ("1998-01-01", "2004-12-31"),
        ("2005-01-01", "2014-12-31"),
        ("2015-01-01", "2019-12-31"),
    ),
    WIDE: (("2020-01-01", "2022-12-29"),),
}
PLAIN = ("last_value", "season_average", "five_years")

Array = NDArray[np.float64]


def data_folder(given: Path | None = None) -> Path | None:
    """The folder with market/: the option, the environment, or one beside the project."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    named = os.environ.get(DATA_VARIABLE)
    for path in (given, Path(named) if named else None, beside):
        if path is not None and (path / "market" / LONG).is_file():
            return path
    return None


def loaded(file: Path) -> Loaded:
    """All series of a file, the three stocks asked for."""
    context = OperationContext(
        now=datetime.now(UTC), plant=Plant(), settings={"market_files": [str(file)]}
    )
    return load(StocksInput(series=tuple(SERIES)), context, "stock")


def five_years(given: Panel, origins: NDArray[np.intp], steps: int) -> Array:
    """Mean change from the same week of the five years before."""
    changes = change(given.values[given.target.name], steps)
    past = np.stack([lagged(changes, round(k * given.per_year)) for k in range(1, 6)])
    known = np.isfinite(past)
    count = known.sum(axis=0)
    mean = np.where(known, past, 0.0).sum(axis=0) / np.maximum(count, 1)
    found: Array = mean[origins]
    return found


def measure(given: Panel, spans: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Errors by span: method -> (MAE, RMSE) by step, the coverage, and how often the mean was used."""
    values = given.values[given.target.name]
    found = track(given, STEPS, len(values) - WARM_UP_YEARS * round(given.per_year))
    days = np.array([given.time(int(row)) for row in found.origins], dtype="datetime64[D]")
    found.forecasts["five_years"] = np.column_stack(
        [five_years(given, found.origins, step) for step in range(1, STEPS + 1)]
    )
    judged = JUDGED_YEARS * round(given.per_year)
    chosen = [choose(found, at, judged) for at in range(len(found.origins))]
    shipped = np.stack([found.forecasts[name][at] for at, name in enumerate(chosen)])
    figures = []
    for start, end in spans:
        rows = np.flatnonzero((days >= np.datetime64(start)) & (days <= np.datetime64(end)))
        errors = {"shipped": found.actual[rows] - shipped[rows]}
        errors.update({name: found.errors(name)[rows] for name in PLAIN})
        figures.append(
            {
                "span": f"{days[rows[0]]} to {days[rows[-1]]}",
                "mae": {name: np.nanmean(np.abs(e), axis=0) for name, e in errors.items()},
                "rmse": {name: np.sqrt(np.nanmean(e**2, axis=0)) for name, e in errors.items()},
                "coverage": coverage(found, chosen, rows, round(given.per_year)),
                "combination": float(np.mean([chosen[row] == "combination" for row in rows])),
            }
        )
    return figures


def coverage(
    found: Track, chosen: list[str], rows: NDArray[np.intp], year: int
) -> dict[str, float]:
    """Share of values inside the intervals that were given at the time."""
    inside: dict[str, list[bool]] = {name: [] for name in LEVELS}
    for row in rows:
        for step in range(STEPS):
            error = found.errors(chosen[row])[row, step]
            past = found.known_errors(chosen[row], step, int(row), CALIBRATION_YEARS * year)
            if np.isfinite(error):
                for name, level in LEVELS.items():
                    inside[name].append(bool(abs(error) <= width(past, level)))
    return {name: float(np.mean(held)) for name, held in inside.items()}


def all_figures(folder: Path) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """File -> series -> figures by span, the last 104 weeks first."""
    figures: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for file, earlier in EARLIER.items():
        data = loaded(folder / "market" / file)
        figures[file] = {}
        for item in data.asked:
            given = panel(item, data.all)
            # The last origins whose value four weeks later is known.
            end, start = (str(item.times[-1 - STEPS - back])[:10] for back in (0, LAST_WEEKS - 1))
            figures[file][item.name] = measure(given, [(start, end), *earlier])
    return figures


def over(figure: dict[str, Any], plain: str, kind: str = "mae") -> Array:
    """Error of the shipped forecast over that of a plain one, by step."""
    found: Array = figure[kind]["shipped"] / figure[kind][plain]
    return found


def run() -> dict[str, Any]:
    """Mean ratios of the last 104 weeks and the time of one forecast; without the files, the reason."""
    folder = data_folder()
    if folder is None:
        return {"skipped": f"no files: set {DATA_VARIABLE} to a folder with market/"}
    result: dict[str, Any] = {}
    for file, by_series in all_figures(folder).items():
        for plain in PLAIN:
            ratios = [over(figures[0], plain) for figures in by_series.values()]
            name = file.partition(".")[0]
            result[f"{name}: MAE over {plain.replace('_', ' ')}"] = float(np.mean(ratios))
    data = loaded(folder / "market" / LONG)
    start = time.perf_counter()
    for item in data.asked:
        outlook(item, data.all, STEPS)
    result["seconds for three forecasts of the longest file"] = time.perf_counter() - start
    return result


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path)
    folder = data_folder(parser.parse_args().data)
    if folder is None:
        parser.error(f"no files: give --data, or set {DATA_VARIABLE} to a folder with market/")
    out = Console(width=150)
    for file, by_series in all_figures(folder).items():
        for number in range(len(next(iter(by_series.values())))):
            one = next(iter(by_series.values()))[number]
            table = Table(
                "series", "MAE, kbbl, 1 to 4 weeks", "/ last value", "/ season average",
                "/ five years", "RMSE / last", "/ season", "inside 80 %", "95 %", "combination",
                title=f"{file}, {one['span']}",
            )  # fmt: skip
            sums: dict[tuple[str, str], list[float]] = {}
            for name, figures in by_series.items():
                figure = figures[number]
                for plain in PLAIN:
                    sums.setdefault(("mae", plain), []).append(float(over(figure, plain).mean()))
                for plain in PLAIN[:2]:
                    ratio = float(over(figure, plain, "rmse").mean())
                    sums.setdefault(("rmse", plain), []).append(ratio)
                table.add_row(
                    SERIES[name],
                    " ".join(f"{value:,.0f}" for value in figure["mae"]["shipped"]),
                    *(" ".join(f"{v:.3f}" for v in over(figure, plain)) for plain in PLAIN),
                    *(f"{over(figure, plain, 'rmse').mean():.3f}" for plain in PLAIN[:2]),
                    *(f"{100 * figure['coverage'][level]:.0f}" for level in LEVELS),
                    f"{100 * figure['combination']:.0f} %",
                )
            table.add_row(
                "mean", "", *(f"{np.mean(values):.3f}" for values in sums.values()), "", "", ""
            )
            out.print(table)


if __name__ == "__main__":
    main()
