"""A first draft of a plant file from data.

What data can tell is drafted: names, kinds, sampling periods, normal ranges, credible rates of change
and dead bands. What it cannot tell is left out: alarm limits, balances, and which tags may be moved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.errors import DataError
from orchestrator.plant.sources.descriptions import Description, read_descriptions
from orchestrator.plant.sources.naming import guess_kind
from orchestrator.plant.tables import Table
from orchestrator.plant.tags import Plant, Tag, TagKind
from orchestrator.plant.units import known, normalise

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE_CELLS = 4_000_000
SAMPLE_ROWS = 20_000
RUN_ROWS = 64
_NORMAL_QUANTILES = (0.005, 0.995)
_NORMAL_MARGIN = 0.5
_RATE_QUANTILE = 0.995
_RATE_MARGIN = 3.0
# Customary first dead bands of alarm rationalisation, as shares of the span.
_DEAD_BANDS: dict[TagKind, float] = {
    "flow": 0.05,
    "level": 0.05,
    "pressure": 0.02,
    "temperature": 0.01,
}
_OTHER_DEAD_BAND = 0.02


def infer_plant(
    path: Path | str,
    *,
    name: str | None = None,
    time_column: str | None = None,
    descriptions: Path | str | None = None,
) -> Plant:
    """Draft a plant from a file of samples.

    Args:
        path: CSV or Parquet, wide or long.
        name: Name of the plant; by default the file's.
        time_column: The column with the time.
        descriptions: A CSV that describes the tags: a column of names, and columns ``description``
            and ``unit``, of which one may be absent.

    Raises:
        DataError: a file cannot be used.
    """
    table = Table(path, time_column=time_column)
    described = read_descriptions(Path(descriptions), table.tags) if descriptions else {}
    return draft_plant(table, name=name, described=described)


def draft_plant(
    table: Table,
    *,
    tags: Sequence[str] | None = None,
    name: str | None = None,
    described: dict[str, Description] | None = None,
) -> Plant:
    """Draft a plant from an open table; see :func:`infer_plant`."""
    names = tuple(tags if tags is not None else table.tags)
    times, values = _sampled(table, names)
    drafts = []
    for column, tag in enumerate(names):
        given = (described or {}).get(tag, Description())
        unit = normalise(given.unit or table.units.get(tag, ""))
        text = given.text
        if unit and not known(unit):
            text, unit = f"{text} [{unit}]".strip(), ""
        drafts.append(_draft(tag, text, unit, times, values[:, column]))
    return Plant(name=name or table.path.name.split(".")[0], tags=tuple(drafts))


def _sampled(
    table: Table, names: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Runs of consecutive rows spread over the file: times in s, shape (n,), values (n, n_tags)."""
    most = max(RUN_ROWS, min(SAMPLE_ROWS, SAMPLE_CELLS // max(1, len(names))))
    every = max(1, math.ceil(table.rows / most))
    times: list[NDArray[np.float64]] = []
    values: list[NDArray[np.float64]] = []
    done = 0
    for block in table.blocks(names):
        rows = np.arange(done, done + len(block))
        done += len(block)
        picked = (rows // RUN_ROWS) % every == 0
        times.append(block.times[picked].view(np.int64) / 1e6)
        values.append(block.values[picked])
    if not times:
        raise DataError("there is no row to learn from", where=str(table.path))
    return np.concatenate(times), np.concatenate(values)


def _draft(
    name: str, description: str, unit: str, times: NDArray[np.float64], values: NDArray[np.float64]
) -> Tag:
    present = np.isfinite(values)
    numbers = values[present]
    kind = guess_kind(name, description, unit)
    steps = np.diff(times[present])
    period = float(np.median(steps)) if len(steps) else None
    normal = _normal_range(numbers, unit)
    width = normal[1] - normal[0] if normal else 0.0
    return Tag(
        name=name,
        description=description,
        unit=unit,
        kind=kind,
        normal=normal,
        rate_limit=_rate_limit(numbers, steps, period),
        dead_band=_rounded(width * _DEAD_BANDS.get(kind, _OTHER_DEAD_BAND), 2),
        period_seconds=period,
    )


def _normal_range(numbers: NDArray[np.float64], unit: str) -> tuple[float, float] | None:
    """The central 99 %, widened by half the interquartile range but not past zero or 100 %."""
    if not len(numbers):
        return None
    low, high = np.quantile(numbers, _NORMAL_QUANTILES)
    quarter, three_quarters = np.quantile(numbers, (0.25, 0.75))
    margin = _NORMAL_MARGIN * (three_quarters - quarter)
    bottom, top = _rounded(float(low - margin)), _rounded(float(high + margin))
    if numbers.min() >= 0:
        bottom = max(0.0, bottom)
    if unit == "percent" and numbers.max() <= 100:
        top = min(100.0, top)
    return (bottom, top) if bottom < top else None


def _rate_limit(
    numbers: NDArray[np.float64], steps: NDArray[np.float64], period: float | None
) -> float | None:
    """Three times the fastest usual change, per minute; gaps do not count."""
    if period is None or len(numbers) < 3:
        return None
    close = steps <= 1.5 * period
    rates = np.abs(np.diff(numbers))[close] / (steps[close] / 60)
    fastest = float(np.quantile(rates, _RATE_QUANTILE)) if len(rates) else 0.0
    return _rounded(_RATE_MARGIN * fastest, 2) or None


def _rounded(value: float, digits: int = 4) -> float:
    return float(f"{value:.{digits}g}")
