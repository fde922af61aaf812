"""Market series for tests, the published files where they are, and the server of the EIA's forms."""

from __future__ import annotations

import csv
import gzip
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.modules.analysis.models import StocksInput
from orchestrator.modules.analysis.series import Loaded, Series, load
from orchestrator.modules.base import OperationContext
from orchestrator.plant.tags import Plant

SUPPORT = str(Path(__file__).parent / "support")
if SUPPORT not in sys.path:
    sys.path.insert(0, SUPPORT)

from eia_server import KEY, EiaServer  # noqa: E402  its folder is added above


@pytest.fixture
def eia() -> Iterator[EiaServer]:
    with EiaServer() as server:
        yield server


@pytest.fixture
def market_context(tmp_path: Path, eia: EiaServer) -> Callable[..., OperationContext]:
    """``market_context(series, now=…, **options)``: settings that ask the server for ``series``."""

    def build(
        series: list[dict[str, Any]] | None = None,
        now: datetime | None = None,
        options: dict[str, Any] | None = None,
        **settings: Any,
    ) -> OperationContext:
        if series is not None:
            settings["eia"] = {
                "base_url": eia.url,
                "api_key": KEY,
                "series": series,
                "timeout": 1.0,
                "deadline": 5.0,
                "requests_per_second": 5.0,
                **(options or {}),
            }
        return OperationContext(
            now=now or datetime.now(UTC),
            plant=Plant(),
            settings=settings,
            folder=tmp_path / "modules" / "analysis",
        )

    return build


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
