"""The soft sensor beside simpler ways: on a debutanizer's records, and on the simulated crude unit.

``python -m benchmarks.soft_sensor [--data FOLDER]`` prints tables; the folder holds
``softsensor/debutanizer_data.txt`` (public, Fortuna et al. 2007) and may be named in DAN_G_BENCHMARK_DATA.

Debutanizer: rows 0 to 999 to learn from, rows 1600 to 2389 to estimate, values known 8 rows after their
sample. Crude unit (simulated): six weeks of one-minute rows in which set points and crude move; a sample
every 12 h, with the laboratory's error, known 2 h later; the last two weeks are estimated and held against
the true property of every minute.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from orchestrator.modules.base import OperationContext
from orchestrator.modules.forecasting.soft_sensor.handler import run as soft_sensor
from orchestrator.modules.forecasting.soft_sensor.parameters import (
    SoftSensorInput,
    SoftSensorResult,
)
from orchestrator.plant.tags import Plant, load_plant
from orchestrator.plant.twin import PLANT_FILE
from orchestrator.plant.twin.instruments import LABORATORY
from orchestrator.plant.twin.scenario import Fault, Move, Scenario
from orchestrator.plant.twin.simulation import Simulation

DATA_VARIABLE = "DAN_G_BENCHMARK_DATA"
FILE = Path("softsensor") / "debutanizer_data.txt"
TRAIN, TEST, DELAY = (0, 999), (1600, 2389), 8
LAGS = 30
DAYS, LEARNT_DAYS, EVERY, LATE = 42, 28, 720, 120
PROPERTIES = {
    "LB302": "naphtha end point, degC",
    "LB303": "kerosene flash point, degC",
    "LB304": "diesel 95 % point, degC",
}
MOVED = (
    "FC101_SP",
    "TC130_SP",
    "TC201_SP",
    "TC202_SP",
    "TC203_SP",
    "TC205_SP",
    "TC206_SP",
    "PC201_SP",
)
SEEDS = (11, 12)
LEAST_GAINS = 0.25, 0.30
"""Least share of the error of carrying forward to be saved: debutanizer, crude unit."""

Array = NDArray[np.float64]


def data_file(given: Path | None = None) -> Path | None:
    """Where the records are: the option, the environment, or a folder beside the project."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    named = os.environ.get(DATA_VARIABLE)
    for folder in (given, Path(named) if named else None, beside):
        if folder is not None and (folder / FILE).is_file():
            return folder / FILE
    return None


def estimated(columns: Mapping[str, Array], **parameters: Any) -> tuple[SoftSensorResult, float]:
    """The operation's result on columns without times, and what it took, s."""
    import pyarrow as pa

    table = pa.table(dict(columns))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.arrow"
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        context = OperationContext(
            now=datetime(2026, 1, 1, tzinfo=UTC), plant=Plant(), data_file=file
        )
        started = time.perf_counter()
        result = soft_sensor(SoftSensorInput.model_validate(parameters), context)
        return result, time.perf_counter() - started


def debutanizer(file: Path) -> dict[str, float]:
    """Root mean square error on the test rows, by method, with coverage and time of ours."""
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.linear_model import LinearRegression, Ridge
    from sklearn.preprocessing import StandardScaler

    data = np.loadtxt(file, skiprows=2)
    inputs, quality = data[:, :-1], data[:, -1]
    test = np.arange(TEST[0], TEST[1] + 1)
    lagged = np.hstack([np.roll(inputs, lag, axis=0) for lag in range(LAGS + 1)])
    rows = np.arange(LAGS, TRAIN[1] + 1)
    scaled = StandardScaler().fit(lagged[rows]).transform(lagged)

    def rmse(estimate: Array) -> float:
        return float(np.sqrt(np.mean((estimate - quality[test]) ** 2)))

    static = LinearRegression().fit(inputs[: TRAIN[1] + 1], quality[: TRAIN[1] + 1])
    pls = PLSRegression(n_components=5, scale=False).fit(scaled[rows], quality[rows])
    # the penalty that does best on the last third of the training rows
    early, late = rows[: 2 * len(rows) // 3], rows[2 * len(rows) // 3 :]
    penalty = min(
        (10.0**power for power in range(6)),
        key=lambda each: float(
            np.mean(
                (
                    Ridge(alpha=each).fit(scaled[early], quality[early]).predict(scaled[late])
                    - quality[late]
                )
                ** 2
            )
        ),
    )
    ridge = Ridge(alpha=penalty).fit(scaled[rows], quality[rows])
    names = [f"u{i + 1}" for i in range(inputs.shape[1])]
    result, seconds = estimated(
        {**dict(zip(names, inputs.T, strict=True)), "y": quality},
        target="y", inputs=names, delay=DELAY, train_rows=TRAIN, predict_rows=TEST,
    )  # fmt: skip
    if result.held_out is None:
        raise RuntimeError("the test rows hold no values")
    return {
        "static least squares, no past values": rmse(static.predict(inputs[test])),
        "PLS(5), inputs 0 to 30 rows back, no past values": rmse(pls.predict(scaled[test]).ravel()),
        f"ridge (penalty {penalty:g}, by validation), the same": rmse(ridge.predict(scaled[test])),
        f"carrying the value of {DELAY} rows before forward": rmse(quality[test - DELAY]),
        "soft sensor": rmse(np.array([point.mean for point in result.predictions])),
        "coverage of its 95 % intervals": result.held_out.coverage,
        "share of rows applicable": float(np.mean([p.applicable for p in result.predictions])),
        "seconds": seconds,
    }


def unit_weeks(seed: int) -> tuple[tuple[str, ...], Array, Array]:
    """Tags, measured and true values of simulated weeks in which the unit is moved about."""
    plant = load_plant(PLANT_FILE)
    random = np.random.default_rng(seed)
    minutes = DAYS * 24 * 60
    moves = []
    for name in MOVED:
        low, high = plant.tag(name).normal or (0.0, 0.0)
        at = random.exponential(1500.0)
        while at < minutes:
            to = low + (high - low) * random.uniform(0.2, 0.8)
            moves.append(Move(tag=name, to=float(to), at_minutes=float(at)))
            at += random.exponential(1800.0)
    faults: list[Fault] = []
    at = 2000.0
    while at < minutes:
        crude = ("light", "heavy", "sour")[len(faults) % 3]
        lasts = random.uniform(2000.0, 5000.0)
        faults.append(
            Fault(
                name=f"crude {len(faults) + 1}", kind="crude_switch", target=crude,
                magnitude=float(random.uniform(0.1, 0.35)), onset_minutes=float(at), shape="ramp",
                rise_minutes=240.0, duration_minutes=float(lasts),
            )
        )  # fmt: skip
        at += lasts + random.uniform(500.0, 3000.0)
    scenario = Scenario(
        name="moved about", hours=24.0 * DAYS, moves=tuple(moves), faults=tuple(faults)
    )
    simulation = Simulation(scenario, plant, seed, 0)
    days = [simulation.advance(24 * 60) for _ in range(DAYS)]
    measured = np.vstack([day.measured for day in days])
    return simulation.tags, measured, np.vstack([day.true for day in days])


def crude_unit(seed: int) -> dict[str, dict[str, float]]:
    """Errors against the true property, by property, from process tags without product analysers."""
    tags, measured, true = unit_weeks(seed)
    plant = load_plant(PLANT_FILE)
    inputs = [
        i
        for i, name in enumerate(tags)
        if plant.tag(name).kind not in ("lab", "price", "state", "total")
        and not name.startswith("AI3")
    ]
    random = np.random.default_rng(seed)
    columns = {tags[i]: measured[:, i] for i in inputs}
    first = LEARNT_DAYS * 24 * 60
    found = {}
    for name in PROPERTIES:
        quality = true[:, tags.index(name)]
        at = np.arange(EVERY // 2, len(quality), EVERY)
        samples = np.full(len(quality), np.nan)
        samples[at] = quality[at] + LABORATORY[name].noise * random.standard_normal(len(at))
        result, seconds = estimated(
            {**columns, name: samples},
            target=name, delay=LATE, train_rows=(0, first - 1), predict_rows=(first, len(quality) - 1),
        )  # fmt: skip
        rows = np.arange(first, len(quality))
        last = samples[at[np.searchsorted(at, rows - LATE, side="right") - 1]]
        means, lower, upper = (
            np.array([getattr(point, field) for point in result.predictions])
            for field in ("mean", "lower", "upper")
        )
        ours, carried = (
            float(np.sqrt(np.mean((estimate - quality[rows]) ** 2))) for estimate in (means, last)
        )
        found[name] = {
            "soft sensor": ours,
            "last sample": carried,
            "smaller by": 1 - ours / carried,
            "coverage": float(np.mean((lower <= quality[rows]) & (quality[rows] <= upper))),
            "applicable": float(np.mean([point.applicable for point in result.predictions])),
            "seconds": seconds,
        }
    return found


def run() -> dict[str, Any]:
    """The figures."""
    figures: dict[str, Any] = {}
    good = True
    file = data_file()
    if file is None:
        figures["debutanizer skipped"] = f"set {DATA_VARIABLE} to a folder with {FILE}"
    else:
        table = debutanizer(file)
        carried = table[f"carrying the value of {DELAY} rows before forward"]
        figures |= {f"debutanizer: {name}": value for name, value in table.items()}
        gain = 1 - table["soft sensor"] / carried
        figures["debutanizer: smaller than carrying forward by"] = gain
        good = gain >= LEAST_GAINS[0]
    for seed in SEEDS:
        for name, values in crude_unit(seed).items():
            for what, value in values.items():
                figures[f"simulated unit, seed {seed}, {PROPERTIES[name]}: {what}"] = value
            good = good and values["smaller by"] >= LEAST_GAINS[1]
    figures["within budget"] = good
    return figures


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path)
    file = data_file(parser.parse_args().data)
    out = Console(width=110)
    if file is None:
        out.print(f"no debutanizer records: give --data, or set {DATA_VARIABLE}")
    else:
        table = Table("", "", title=f"Debutanizer, rows {TEST[0]} to {TEST[1]}, RMSE")
        for name, value in debutanizer(file).items():
            table.add_row(name, f"{value:.4g}")
        out.print(table)
    for seed in SEEDS:
        found = crude_unit(seed)
        heads = list(next(iter(found.values())))
        table = Table(
            "", *heads, title=f"Simulated crude unit, seed {seed}, error against the truth"
        )
        for name, values in found.items():
            table.add_row(PROPERTIES[name], *(f"{values[head]:.3g}" for head in heads))
        out.print(table)


if __name__ == "__main__":
    main()
