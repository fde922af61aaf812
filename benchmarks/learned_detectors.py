"""Would a learned detector earn its place? Against the shipped ones, at equal false alarms.

``python -m benchmarks.learned_detectors [--data FOLDER] [--repeats N]``. All learn from ``d00`` of the
Tennessee Eastman records. Disturbances made up here (bias, ramp, noise, random walk and oscillation of one
tag, over ranges fixed beforehand) are added to the second half of ``d00_te``. The limit of each statistic is
its own quantile on the undisturbed record, so that all give 2 % false alarms there. No fault record is used.

Each learned statistic is also shown as a moving average, as the shipped detector has memory too.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.fault_detection import DATA_VARIABLE, plant_of, read
from orchestrator.config import MonitoringSettings
from orchestrator.monitoring.baseline import learn, training_rows
from orchestrator.monitoring.fitted import fit_model, modelled

FALSE_ALARMS = 0.02
REPEATS = 10
SIZE = 1.0
"""Size of the disturbances, standard deviations of the tag in normal operation."""
MEMORY = 0.05
"""Weight of a new row in the moving averages."""
SEED = 7

FloatArray = NDArray[np.float64]
Score = Callable[[FloatArray], FloatArray]
"""Statistic of each row, the larger the less normal."""


def disturbances(rows: int, random: np.random.Generator) -> dict[str, FloatArray]:
    """What is added to one tag, in standard deviations, by kind."""
    time = np.arange(rows)
    return {
        "bias": np.full(rows, SIZE * random.choice([-1, 1])),
        "ramp": 3 * SIZE * time / rows * random.choice([-1, 1]),
        "noise": SIZE * random.standard_normal(rows),
        "random walk": 0.1 * SIZE * np.cumsum(random.standard_normal(rows)),
        "oscillation": SIZE * np.sqrt(2) * np.sin(2 * np.pi * time / random.uniform(10, 60)),
    }


def learned(train: FloatArray) -> dict[str, Score]:
    """The learned detectors, fitted on scaled rows."""
    from sklearn.ensemble import IsolationForest
    from sklearn.neural_network import MLPRegressor
    from sklearn.svm import OneClassSVM

    forest = IsolationForest(n_estimators=300, random_state=SEED).fit(train)
    machine = OneClassSVM(nu=0.05, gamma="scale").fit(train)
    network = MLPRegressor(
        hidden_layer_sizes=(20, 10, 20),
        activation="tanh",
        alpha=1e-3,
        max_iter=3000,
        random_state=SEED,
    ).fit(train, train)
    return {
        "isolation forest": lambda z: -forest.score_samples(z),
        "one-class SVM": lambda z: -machine.score_samples(z),
        "autoencoder": lambda z: ((z - network.predict(z)) ** 2).sum(axis=1),
    }


def averaged(values: FloatArray) -> FloatArray:
    """Exponentially weighted moving average."""
    found, level = np.empty(len(values)), float(values[:20].mean())
    for row, value in enumerate(values):
        level += MEMORY * (value - level)
        found[row] = level
    return found


def measure(folder: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Detector -> kind of disturbance -> share of the disturbed rows over the limit."""
    _, train_block = read(folder / "d00.csv.gz")
    _, normal_block = read(folder / "d00_te.csv.gz")
    tags = plant_of(train_block).tags
    rows = training_rows(train_block)
    baseline = learn(rows, tags)
    columns = modelled(tags, baseline)
    train = baseline.for_models(rows)[:, columns]
    model = fit_model(train, rows.times, baseline, MonitoringSettings(false_alarm_rate=0.01))
    dynamic = model.dynamic
    assert dynamic is not None
    times = normal_block.times.astype("datetime64[us]").astype(np.int64)

    def shipped(z: FloatArray) -> FloatArray:
        dynamic.reset()
        judged = model.judge(times, z)
        return np.maximum(judged.t2, judged.spe)

    def components(z: FloatArray) -> FloatArray:
        scores = model.components.score(z)
        return np.maximum(scores.t2, scores.spe)

    detectors: dict[str, Score] = {"shipped, with memory": shipped, "T² and SPE": components}
    for name, score in learned(train).items():
        detectors[name] = score
        detectors[f"{name}, averaged"] = lambda z, score=score: averaged(score(z))  # type: ignore[misc]
    normal = baseline.scaled(normal_block.values)[:, columns]
    half = len(normal) // 2
    limits = {
        name: float(np.quantile(score(normal), 1 - FALSE_ALARMS))
        for name, score in detectors.items()
    }
    random = np.random.default_rng(SEED)
    found: dict[str, dict[str, list[float]]] = {name: {} for name in detectors}
    for _ in range(repeats):
        tag = int(random.integers(len(columns)))
        for kind, added in disturbances(len(normal) - half, random).items():
            disturbed = normal.copy()
            disturbed[half:, tag] += added
            for name, score in detectors.items():
                over = score(disturbed)[half:] > limits[name]
                found[name].setdefault(kind, []).append(float(over.mean()))
    return {
        name: {kind: float(np.mean(shares)) for kind, shares in kinds.items()}
        for name, kinds in found.items()
    }


def run() -> dict[str, Any]:
    """Mean share of disturbed rows over the limit, by detector; needs the records."""
    folder = os.environ.get(DATA_VARIABLE)
    if folder is None:
        return {"not measured": f"set {DATA_VARIABLE} to the folder of the records"}
    found = measure(Path(folder) / "tep", REPEATS)
    return {name: float(np.mean(list(kinds.values()))) for name, kinds in found.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get(DATA_VARIABLE))
    parser.add_argument("--repeats", type=int, default=REPEATS)
    given = parser.parse_args()
    if given.data is None:
        parser.error(f"give --data, or set {DATA_VARIABLE}")
    found = measure(given.data / "tep", given.repeats)
    kinds = list(next(iter(found.values())))
    table = Table(
        "detector", *kinds, "mean", title=f"share of disturbed rows found, {FALSE_ALARMS:.0%} false"
    )
    for name, shares in found.items():
        mean = np.mean(list(shares.values()))
        table.add_row(name, *(f"{shares[kind]:.2f}" for kind in kinds), f"{mean:.2f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
