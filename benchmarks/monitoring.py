"""Throughput of the monitor against scikit-learn's principal components scoring row by row.

``python -m benchmarks.monitoring`` prints a table. The reference computes T² and SPE only, of one row at a
time, as a plain use of scikit-learn would; the monitor does all it does: quality, limits, T² and SPE,
trends, drift, frozen tags, steadiness and the alert book.
"""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.decomposition import PCA

from orchestrator.config import MonitoringSettings
from orchestrator.monitoring.monitor import Monitor
from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.tags import Limits, Plant, Tag

TAGS = 52
COMPONENTS = 10
REFERENCE = "scikit-learn, T² and SPE only, row by row"
STREAMING = "monitor, all checks, row by row"
BATCH = "monitor, all checks, one block"
MANY_TAGS = 5_000
AREA_TAGS = 100
MANY = f"monitor, all checks, {MANY_TAGS} tags, row by row"
MOST_CORE = 0.25
"""Share of one core that a plant of 5 000 tags at one row a second may use."""
RIVER = "river, EWMA and Gaussian score of each tag, one by one"
GOAL = 1_000_000
"""Tag-samples a second on one core, in batch."""


def plant(tags: int = TAGS) -> Plant:
    """Tags that all have limits and a rate limit, so that every check has work to do."""
    limits = Limits(low_low=-9, low=-7, high=7, high_high=9)
    return Plant(
        tags=tuple(
            Tag(
                name=f"T{i:02}",
                area=f"A{i // AREA_TAGS:02}",
                kind="flow",
                normal=(-4, 4),
                limits=limits,
                rate_limit=5000,
            )
            for i in range(tags)
        )
    )


def block(rows: int, seed: int, first: int = 0, tags: int = TAGS) -> SampleBlock:
    """Rows of normal operation, one second apart."""
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).standard_normal((COMPONENTS, tags)) / np.sqrt(COMPONENTS)
    values = random.standard_normal((rows, COMPONENTS)) @ mixing
    values += 0.5 * random.standard_normal((rows, tags))
    times = np.datetime64("2026-01-01", "us") + (first + np.arange(rows)) * np.timedelta64(1, "s")
    names = tuple(f"T{i:02}" for i in range(tags))
    return SampleBlock(names, times, values, np.zeros(values.shape, dtype=np.uint8))


def row_by_row(train: SampleBlock, data: SampleBlock) -> NDArray[np.float64]:
    """The reference: T² and SPE of each row by scikit-learn."""
    mean, sd = train.values.mean(axis=0), train.values.std(axis=0)
    model = PCA(n_components=COMPONENTS).fit((train.values - mean) / sd)
    found = np.empty((len(data), 2))
    for i in range(len(data)):
        z = (data.values[i : i + 1] - mean) / sd
        score = model.transform(z)
        found[i, 0] = (score**2 / model.explained_variance_).sum()
        found[i, 1] = ((z - model.inverse_transform(score)) ** 2).sum()
    return found


def one_by_one(data: SampleBlock) -> None:
    """The reference for single tags: river's moving average and Gaussian score, sample by sample.

    Raises:
        ImportError: river is not installed.
    """
    anomaly = importlib.import_module("river.anomaly")
    stats = importlib.import_module("river.stats")
    averages = [stats.EWMean(fading_factor=0.2) for _ in data.tags]
    scorers = [anomaly.GaussianScorer(grace_period=100) for _ in data.tags]
    for row in data.values.tolist():
        for value, average, scorer in zip(row, averages, scorers, strict=True):
            average.update(value)
            level = average.get()
            scorer.score_one(None, level)
            scorer.learn_one(None, level)


def fitted(train: SampleBlock) -> Monitor:
    """A monitor that knows normal operation."""
    monitor = Monitor(plant(len(train.tags)), MonitoringSettings())
    monitor.fit(train)
    return monitor


def processor_seconds(work: Callable[[], object]) -> float:
    """Least processor time of three runs, s; other load on the machine counts little."""
    best = np.inf
    for _ in range(3):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return float(best)


def in_blocks(monitor: Monitor, data: SampleBlock, size: int) -> None:
    """Feed the monitor with blocks of ``size`` rows; a later run goes on in time."""
    for first in range(0, len(data), size):
        monitor.update(data.rows(first, first + size))


def per_row(train: SampleBlock, data: SampleBlock, size: int) -> float:
    """Processor time of one row in blocks of ``size``, s."""
    monitors = iter([fitted(train) for _ in range(3)])
    return processor_seconds(lambda: in_blocks(next(monitors), data, size)) / len(data)


def measure() -> dict[str, float]:
    """Processor time of one row, s, by what was run; the reference comes first."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    train, few, many = block(1000, 1), block(4_000, 2), block(100_000, 3)
    many_tags = fitted(block(600, 4, tags=MANY_TAGS))
    seconds = block(120, 5, first=600, tags=MANY_TAGS)
    started = time.process_time()
    in_blocks(many_tags, seconds, 1)
    took_many = (time.process_time() - started) / len(seconds)
    found = {
        REFERENCE: processor_seconds(lambda: row_by_row(train, few)) / len(few),
        STREAMING: per_row(train, few, 1),
        "monitor, all checks, blocks of 20 rows": per_row(train, few, 20),
        BATCH: per_row(train, many, len(many)),
        MANY: took_many,
    }
    try:
        found[RIVER] = processor_seconds(lambda: one_by_one(few.rows(0, 500))) / 500
    except ImportError:
        Console(stderr=True).print("river is not installed: its row is left out", markup=False)
    return found


def run() -> dict[str, Any]:
    """The figures."""
    took = measure()
    batch = TAGS / took[BATCH]
    return {
        "tags": TAGS,
        "batch, tag-samples a second of processor time": batch,
        "streaming row by row, µs a row": took[STREAMING] * 1e6,
        "batch over the reference, ratio of rows a second": took[REFERENCE] / took[BATCH],
        "streaming over the reference, ratio of rows a second": took[REFERENCE] / took[STREAMING],
        "5 000 tags at 1 Hz, share of one core": took[MANY],
        "batch over river, ratio of tag-samples a second": (
            took[RIVER] / took[BATCH] if RIVER in took else "river is not installed"
        ),
        "within budget": batch >= GOAL and took[MANY] <= MOST_CORE,
    }


def main() -> None:
    """Print a table: rows a second, tag-samples a second, ratio to the reference."""
    took = measure()
    table = Table(title=f"Monitoring of {TAGS} tags, processor time")
    for column in ("", "µs a row", "rows/s", "tag-samples/s", "times the reference"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for name, each in took.items():
        table.add_row(
            name,
            f"{each * 1e6:.1f}",
            f"{1 / each:,.0f}",
            f"{(MANY_TAGS if name == MANY else TAGS) / each:,.0f}",
            "" if name == MANY else f"{took[REFERENCE] / each:.2f}",
        )
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
