"""How well faults are found: Tennessee Eastman, SKAB valve 1, and episodes on the simulated crude unit.

``python -m benchmarks.fault_detection [--data FOLDER] [--curve FILE.csv] [--episodes N]`` prints the
tables. FOLDER holds ``tep/`` and ``skab/``; the records are not part of the project.

The configuration is the shipped one, and was chosen on normal records only: ``d00``, ``d00_te`` and
disturbances made up in this program's terms (biases, ramps, noise, oscillations of single tags, steps of
the innovations of a fitted autoregression) added to ``d00_te``. No fault record had a part in it.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from orchestrator.config import MonitoringSettings
from orchestrator.monitoring.judgement import Judge, Judgement
from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.tags import Plant, Tag

FAULT_ROW = 160
SKAB_TRAINING = 400
RATES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05)
DATA_VARIABLE = "DAN_G_BENCHMARK_DATA"
PUBLISHED = {1: 99.9, 4: 100.0, 5: 33.6, 11: 78.9, 14: 100.0}
"""Detection rate of static principal components, %, k = 9, false alarms 6.1 % (Yin and others 2012)."""
LEADERBOARD = {
    "Conv-AE": (0.78, 13.6, 28.0),
    "MSET": (0.78, 39.7, 14.1),
    "T²+Q": (0.76, 26.6, 24.9),
    "LSTM-AE": (0.74, 30.0, 25.9),
    "T²": (0.66, 19.2, 42.6),
    "isolation forest": (0.29, 2.6, 82.9),
}
"""F1, false alarms %, missed %: the published leaderboard, over all groups of SKAB."""


def read(path: Path, delimiter: str = ",") -> tuple[list[str], SampleBlock]:
    """A wide file with the time in its first column."""
    with gzip.open(path, "rt") as file:
        header, *lines = csv.reader(file, delimiter=delimiter)
    values = np.array([[float(cell) for cell in line[1:]] for line in lines])
    times = np.array([line[0].rstrip("Z") for line in lines], dtype="datetime64[us]")
    names = tuple(header[1:])
    return header, SampleBlock(names, times, values, np.zeros(values.shape, dtype=np.uint8))


def plant_of(block: SampleBlock) -> Plant:
    """Tags of which nothing but the name is known."""
    return Plant(tags=tuple(Tag(name=name) for name in block.tags))


def with_rate(rate: float) -> MonitoringSettings:
    """The shipped configuration at another false-alarm rate."""
    return MonitoringSettings(false_alarm_rate=rate)


def first_alert(block: SampleBlock, judgement: Judgement) -> int | None:
    """Rows from the fault to the start of the first alert that begins with it or after it."""
    fault = block.times[FAULT_ROW]
    rows = [
        int(np.searchsorted(block.times, np.datetime64(alert["start"].rstrip("Z"), "us")))
        for alert in judgement.alerts
        if np.datetime64(alert["start"].rstrip("Z"), "us") >= fault
    ]
    return min(rows) - FAULT_ROW if rows else None


def tennessee(folder: Path) -> dict[str, Any]:
    """Detection rate and delay of each fault there is, limits from ``d00`` alone and matched."""
    _, train = read(folder / "d00.csv.gz")
    _, normal = read(folder / "d00_te.csv.gz")
    judges = {
        "d00 alone": Judge(train, plant_of(train), with_rate(0.01)),
        "matched": Judge(train, plant_of(train), with_rate(0.02), normal),
    }
    found: dict[str, Any] = {"faults": {}}
    for name, judge in judges.items():
        found[f"false, {name}"] = float(judge.judge(normal).alarm[FAULT_ROW:].mean())
    for path in sorted(folder.glob("d[0-9][0-9]_te.csv.gz")):
        number = int(path.name[1:3])
        if number == 0:
            continue
        _, block = read(path)
        entry = {}
        for name, judge in judges.items():
            judgement = judge.judge(block)
            alarm = judgement.alarm[FAULT_ROW:]
            entry[name] = (
                float(alarm.mean()),
                int(np.argmax(alarm)) if alarm.any() else None,
                first_alert(block, judgement),
                float(judgement.alarm[:FAULT_ROW].mean()),
            )
        found["faults"][number] = entry
    return found


def curve(folder: Path) -> list[tuple[str, float, float, float]]:
    """Setting, stated rate, false alarms on rows 160+ of ``d00_te``, mean detection of the faults."""
    _, train = read(folder / "d00.csv.gz")
    _, normal = read(folder / "d00_te.csv.gz")
    faults = [
        read(path)[1]
        for path in sorted(folder.glob("d[0-9][0-9]_te.csv.gz"))
        if path.name != "d00_te.csv.gz"
    ]
    points = []
    for setting, calibrate in (("d00 alone", None), ("matched", normal)):
        for rate in RATES:
            judge = Judge(train, plant_of(train), with_rate(rate), calibrate)
            false = float(judge.judge(normal).alarm[FAULT_ROW:].mean())
            rates = [float(judge.judge(block).alarm[FAULT_ROW:].mean()) for block in faults]
            points.append((setting, rate, false, float(np.mean(rates))))
    return points


def skab(folder: Path) -> dict[str, Any]:
    """F1, false and missed alarms over the rows of all files, each trained on its first 400 rows.

    ``textbook`` has the same of plain T² and SPE on the very same files.
    """
    true, said, textbook = [], [], []
    for path in sorted(folder.glob("valve1/*.csv.gz")):
        _, block = read(path, ";")
        sensors = block.select([n for n in block.tags if n not in ("anomaly", "changepoint")])
        label = block.values[:, block.tags.index("anomaly")] > 0
        judge = Judge(sensors.rows(0, SKAB_TRAINING), plant_of(sensors), MonitoringSettings())
        alarm = judge.judge(sensors).alarm
        true.append(label[SKAB_TRAINING:])
        said.append(alarm[SKAB_TRAINING:])
        textbook.append(t2_or_spe(sensors.values)[SKAB_TRAINING:])
    labels = np.concatenate(true)
    return {
        "files": len(true),
        **scores(labels, np.concatenate(said)),
        "textbook": scores(labels, np.concatenate(textbook)),
    }


def t2_or_spe(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows over the 99 % quantile of T² or SPE of the training rows; components for 80 % of variance."""
    scaler = StandardScaler().fit(values[:SKAB_TRAINING])
    z = scaler.transform(values)
    model = PCA(0.8).fit(z[:SKAB_TRAINING])
    score = model.transform(z)
    t2 = (score**2 / model.explained_variance_).sum(axis=1)
    spe = ((z - model.inverse_transform(score)) ** 2).sum(axis=1)
    statistics = np.stack([t2, spe])
    limits = np.quantile(statistics[:, :SKAB_TRAINING], 0.99, axis=1, keepdims=True)
    over: NDArray[np.bool_] = (statistics > limits).any(axis=0)
    return over


def scores(true: NDArray[np.bool_], said: NDArray[np.bool_]) -> dict[str, float]:
    """F1, false-alarm and missed-alarm rate by row."""
    hits = int((true & said).sum())
    return {
        "F1": 2 * hits / max(2 * hits + int((true ^ said).sum()), 1),
        "false": float((said & ~true).sum() / max((~true).sum(), 1)),
        "missed": float((true & ~said).sum() / max(true.sum(), 1)),
    }


def data_folder(given: Path | None = None) -> Path | None:
    """Where the records are: the option, the environment, or a folder beside the project."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    named = os.environ.get(DATA_VARIABLE)
    for path in (given, Path(named) if named else None, beside):
        if path is not None and (path / "tep").is_dir():
            return path
    return None


def run() -> dict[str, Any]:
    """The figures; without the records, the reason."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    folder = data_folder()
    if folder is None:
        return {"skipped": f"no records: set {DATA_VARIABLE} to a folder with tep/ and skab/"}
    tep, valve = tennessee(folder / "tep"), skab(folder / "skab")
    figures: dict[str, Any] = {}
    for name in ("d00 alone", "matched"):
        rates = [entry[name][0] for entry in tep["faults"].values()]
        figures[f"Tennessee Eastman, {name}: mean detection, %"] = 100 * float(np.mean(rates))
        figures[f"Tennessee Eastman, {name}: false alarms, %"] = 100 * tep[f"false, {name}"]
    textbook = valve.pop("textbook")
    figures |= {f"SKAB valve 1: {name}": value for name, value in valve.items()}
    figures |= {f"SKAB valve 1, T² or SPE by scikit-learn: {k}": v for k, v in textbook.items()}
    return figures


def show(out: Console, folder: Path, curve_file: Path | None) -> None:
    """Print the tables."""
    tep = tennessee(folder / "tep")
    rows = Table(title="Tennessee Eastman, one configuration")
    for column in (
        "fault",
        "PCA %",
        "d00 alone %",
        "first row",
        "alert",
        "matched %",
        "first row",
        "alert",
    ):
        rows.add_column(column, justify="right")
    for number, entry in tep["faults"].items():
        alone, matched = entry["d00 alone"], entry["matched"]
        rows.add_row(
            str(number),
            f"{PUBLISHED.get(number, float('nan')):.1f}",
            *(f"{alone[0]:.1%}", str(alone[1]), str(alone[2])),
            *(f"{matched[0]:.1%}", str(matched[1]), str(matched[2])),
        )
    out.print(rows)
    out.print(
        f"false alarms on rows 160+ of d00_te: PCA 6.1 %, d00 alone {tep['false, d00 alone']:.1%}, "
        f"matched {tep['false, matched']:.1%}"
    )
    points = curve(folder / "tep")
    found = Table(
        title="Trade-off: stated rate, false alarms on rows 160+ of d00_te, mean detection"
    )
    for column in ("limits from", "stated", "false", "detection"):
        found.add_column(column, justify="right")
    for setting, rate, false, detection in points:
        found.add_row(setting, f"{rate:.2%}", f"{false:.1%}", f"{detection:.2%}")
    out.print(found)
    if curve_file is not None:
        with curve_file.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["limits_from", "stated_rate", "false_alarms", "mean_detection"])
            writer.writerows(points)
    valve = skab(folder / "skab")
    board = Table(title=f"SKAB valve 1, {valve['files']} files (leaderboard: all groups)")
    for column in ("", "F1", "false %", "missed %"):
        board.add_column(column, justify="right")
    for name, own in (
        ("this", valve),
        ("T² or SPE by scikit-learn, same files", valve["textbook"]),
    ):
        shares = (f"{100 * own[part]:.1f}" for part in ("false", "missed"))
        board.add_row(name, f"{own['F1']:.2f}", *shares)
    for name, (f1, false_rate, missed) in LEADERBOARD.items():
        board.add_row(name, f"{f1:.2f}", f"{false_rate:.1f}", f"{missed:.1f}")
    out.print(board)


def main() -> None:
    """Print the tables."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--curve", type=Path, help="write the trade-off as CSV here")
    parser.add_argument("--episodes", type=int, default=0, help="fault episodes on the twin")
    parser.add_argument("--normal-days", type=float, default=0.0, help="normal days on the twin")
    given = parser.parse_args()
    out = Console(width=110)
    folder = data_folder(given.data)
    if folder is None:
        out.print(f"no records: give --data, or set {DATA_VARIABLE}")
    else:
        show(out, folder, given.curve)
    if given.episodes or given.normal_days:
        from benchmarks.twin_episodes import show_episodes

        show_episodes(out, given.episodes, given.normal_days)


if __name__ == "__main__":
    main()
