"""The server of the EIA's forms, and contexts with a folder of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

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
