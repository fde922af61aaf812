"""Contexts for handlers: data as an Arrow file, as a worker process gets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from orchestrator.modules.base import OperationContext
from orchestrator.plant.tags import Plant

ContextFor = Callable[..., OperationContext]


@pytest.fixture
def context_for(tmp_path: Path) -> ContextFor:
    """``context_for(columns, plant=None, now=None)``: a context over these columns."""

    def build(
        columns: Mapping[str, Sequence[Any]] | pa.Table,
        plant: Plant | None = None,
        now: datetime | None = None,
        **more: Any,
    ) -> OperationContext:
        table = columns if isinstance(columns, pa.Table) else pa.table(dict(columns))
        path = tmp_path / "data.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        return OperationContext(
            now=now or datetime(2025, 1, 1, tzinfo=UTC),
            plant=plant or Plant(),
            data_file=path,
            scratch=scratch,
            **more,
        )

    return build


@pytest.fixture
def shared() -> Path:
    """Reference data beside the repository; the test is skipped where it is absent."""
    folder = Path(__file__).parents[2].parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"reference data is absent: {folder}")
    return folder
