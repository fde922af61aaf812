"""Market series for tests: made ones, and the published files where they are."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.modules.analysis.models import StocksInput
from orchestrator.modules.analysis.series import Loaded, Series, load
from orchestrator.modules.base import OperationContext
from orchestrator.plant.tags import Plant


@pytest.fixture
def series_of() -> Callable[..., Series]:
    """``series_of(values, step_days=7, name=…, …)``: a series from 2000-01-07 on."""

    def build(values: Sequence[float], step_days: int = 7, **stated: Any) -> Series:
        start = np.datetime64("2000-01-07", "us")
        step = np.timedelta64(step_days * 86_400_000_000, "us")
        given: dict[str, Any] = {
            "name": "made",
            "label": stated.get("name", "made"),
            "role": "stock",
            "product": "gasoline",
            "unit": "kbbl",
            "period": "week" if step_days == 7 else "day",
            "per_year": 52.18 if step_days == 7 else 365.25,
            "region": "U.S.",
            **stated,
        }
        times = start + np.arange(len(values)) * step
        return Series(times=times, values=np.asarray(values, dtype=float), **given)

    return build


@pytest.fixture
def published_stocks(shared: Path) -> Callable[..., Loaded]:
    """``published_stocks(file, names, now)``: series of one of the weekly files."""

    def read(file: str, names: Sequence[str], now: datetime | None = None) -> Loaded:
        context = OperationContext(
            now=now or datetime(2026, 1, 1, tzinfo=UTC),
            plant=Plant(),
            settings={"market_files": [str(shared / "data" / "market" / file)]},
        )
        return load(StocksInput(series=tuple(names)), context, "stock")

    return read


@pytest.fixture
def rows_of(shared: Path) -> Callable[[str], list[dict[str, str]]]:
    """Rows of a published file as text, read without the product."""

    def read(name: str) -> list[dict[str, str]]:
        with gzip.open(shared / "data" / "market" / name, "rt") as file:
            return list(csv.DictReader(file))

    return read
