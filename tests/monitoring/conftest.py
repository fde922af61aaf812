"""A small plant whose tags move together, and blocks of its samples."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from orchestrator.plant.samples import SampleBlock
from orchestrator.plant.tags import Limits, Plant, Tag

START = datetime(2026, 1, 1, tzinfo=UTC)
PERIOD = 60
SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def times(rows: int, first: int = 0) -> np.ndarray:
    start = np.datetime64(START.replace(tzinfo=None), "us")
    return start + (first + np.arange(rows)) * np.timedelta64(PERIOD, "s")


def at(row: float) -> datetime:
    """Time of a row of the blocks made here."""
    return START + timedelta(seconds=PERIOD * row)


def row_of(time: datetime) -> int:
    return round((time - START).total_seconds() / PERIOD)


def make_block(tags: tuple[str, ...], values: np.ndarray, first: int = 0) -> SampleBlock:
    values = np.asarray(values, dtype=np.float64)
    quality = np.where(np.isfinite(values), 0, 3).astype(np.uint8)
    return SampleBlock(tags, times(len(values), first), values, quality)


TAGS = ("FI-1", "FI-2", "TI-1", "TI-2", "PI-1", "AI-1")


@pytest.fixture
def plant() -> Plant:
    """Two latent movements in six tags; the first has limits, the last is an analyser held for 5 rows."""
    return Plant(
        tags=(
            Tag(
                name="FI-1",
                kind="flow",
                unit="m**3/h",
                normal=(80.0, 120.0),
                limits=Limits(low_low=60, low=75, high=125, high_high=140),
                rate_limit=20.0,
            ),
            Tag(name="FI-2", kind="flow"),
            Tag(name="TI-1", kind="temperature"),
            Tag(name="TI-2", kind="temperature"),
            Tag(name="PI-1", kind="pressure"),
            Tag(name="AI-1", kind="analyser"),
        )
    )


@pytest.fixture
def normal() -> Callable[[int, int], np.ndarray]:
    """Values of normal operation: ``normal(rows, seed)``."""

    def values(rows: int, seed: int) -> np.ndarray:
        random = np.random.default_rng(seed)
        latent = random.standard_normal((rows, 2))
        loadings = np.array([[3, 2, 0, 0, 0.2], [0, 0, 2, 1.5, 0.4]])
        noise = random.standard_normal((rows, 5)) * [0.8, 0.8, 0.5, 0.5, 0.1]
        fast = np.array([100.0, 50.0, 300.0, 200.0, 5.0]) + latent @ loadings + noise
        analyser = 10 + np.repeat(random.standard_normal(rows // 5 + 1), 5)[:rows]
        return np.column_stack([fast, analyser])

    return values
