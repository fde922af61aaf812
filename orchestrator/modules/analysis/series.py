"""Market series from request data, files of the configuration, or price tags of the historian."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.errors import ConfigurationError, DataError, InsufficientDataError
from orchestrator.modules.analysis.catalogue import PREFERRED, classify
from orchestrator.modules.analysis.stored import stored_frames, stored_roles
from orchestrator.modules.frames import Frame, read_frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.modules.analysis.models import MarketInput, Product, Role, SeriesRole
    from orchestrator.modules.base import OperationContext

    Array = NDArray[np.float64]

GALLONS_A_BARREL = 42.0
DAY = np.timedelta64(86_400_000_000, "us")
SOURCES = (
    "give data with a column of dates, or set the option market_files of modules.analysis to a list "
    "of CSV files, or keep series with analysis.update, or run with a source that has price tags"
)


@dataclass(frozen=True, slots=True)
class Series:
    """One market series, oldest first, without gaps.

    Attributes:
        name: Column or tag.
        label: For people.
        role: Price, stock, demand or other.
        product: What it is of.
        unit: Its unit, where known.
        times: ``datetime64[us]``, UTC.
        values: ``float64``, finite.
        period: ``day``, ``week`` or ``month``.
        per_year: Values in a year.
    """

    name: str
    label: str
    role: Role
    product: Product | None
    unit: str | None
    times: NDArray[np.datetime64]
    values: Array
    period: str
    per_year: float

    @property
    def in_barrels(self) -> Array | None:
        """The price in USD/bbl; ``None`` where its unit does not tell."""
        unit = (self.unit or "").replace(" ", "").casefold()
        if unit in ("usd/bbl", "$/bbl", "usd/oil_bbl", "usd/barrel"):
            return self.values
        if unit in ("usd/gal", "$/gal", "usd/gallon"):
            return self.values * GALLONS_A_BARREL
        return None


def load(parameters: MarketInput, context: OperationContext) -> list[Series]:
    """All series that the parameters ask for, preferred ones first.

    Values after ``context.now`` are not known yet and are left out.

    Raises:
        ConfigurationError: a configured file cannot be read.
        DataError: rows or times cannot be used.
        InsufficientDataError: no column is a market series.
    """
    frames: list[Frame] = []
    if context.data_file is not None:
        table = context.table()
        if table.num_rows:
            frames.append(read_frame(table))
    found = _from_frames(frames, parameters, context)
    files = context.settings.get("market_files") or ()
    if files and parameters.data is None:
        known = {series.name for series in found}
        read = [_file(path) for path in ([files] if isinstance(files, str | Path) else files)]
        found += [s for s in _from_frames(read, parameters, context) if s.name not in known]
    if parameters.data is None:
        found += _stored(parameters, context, {series.name for series in found})
    if not found:
        seen = ", ".join(name for frame in frames for name in frame.names[:8]) or "none"
        raise InsufficientDataError(
            f"no column is a known market series (columns: {seen})",
            where="input data",
            remedy=f"{SOURCES}; name unknown columns in series",
        )
    order = {name: rank for rank, name in enumerate(PREFERRED)}
    return sorted(found, key=lambda series: order.get(series.name, len(order)))


def _stored(parameters: MarketInput, context: OperationContext, known: set[str]) -> list[Series]:
    """Series of the store of vintages, as they were known at the time asked for."""
    frames = stored_frames(context, parameters.as_known_at)
    frames = [frame for frame in frames if frame.names[0] not in known]
    roles = {**stored_roles(context), **parameters.series} if frames else {}
    return _from_frames(frames, parameters.model_copy(update={"series": roles}), context)


def _from_frames(
    frames: list[Frame], parameters: MarketInput, context: OperationContext
) -> list[Series]:
    found: dict[str, Series] = {}
    now = np.datetime64(context.now.astimezone(UTC).replace(tzinfo=None), "us")
    for frame in frames:
        ordered = frame.in_order()
        for column, name in enumerate(ordered.names):
            role = classify(name, parameters.series, context.plant)
            if role is None or name in found or not _wanted(parameters, name, role):
                continue
            values = ordered.values[:, column]
            known = np.isfinite(values) & (ordered.times <= now)
            times, values = _daily(ordered.times[known], values[known])
            if len(values) < 2:
                continue
            period, per_year = _period(times)
            found[name] = Series(
                name,
                role.label or name,
                role.role,
                role.product,
                role.unit,
                times,
                values,
                period,
                per_year,
            )
    return list(found.values())


def _wanted(parameters: MarketInput, name: str, role: SeriesRole) -> bool:
    if parameters.tags:
        named = f"{name} {role.label or ''}".casefold()
        return any(tag == name or tag.casefold() in named for tag in parameters.tags)
    if parameters.product is None or _same(parameters.product, role.product, name):
        return True
    # A crack spread needs its crude whatever product is asked for.
    return role.product == "crude" and role.role == "price"


def _same(asked: str, product: str | None, name: str) -> bool:
    plain = asked.casefold().replace(" ", "_")
    aliases = {"distillate": "diesel", "kerosene": "jet", "jet_fuel": "jet", "fuel_oil": "residue"}
    wanted = aliases.get(plain, plain)
    return wanted == product or plain in name.casefold()


def _daily(times: NDArray[np.datetime64], values: Array) -> tuple[NDArray[np.datetime64], Array]:
    """Means of each UTC day where samples come more often; of equal dates the last one else."""
    if len(times) < 2:
        return times, values
    days = times.astype("datetime64[D]")
    unique, index, counts = np.unique(days, return_index=True, return_counts=True)
    if len(unique) == len(days):
        return times, values
    means = np.add.reduceat(values, index) / counts
    return unique.astype("datetime64[us]"), means


def _period(times: NDArray[np.datetime64]) -> tuple[str, float]:
    usual = float(np.median(np.diff(times) / DAY))
    if usual < 4.0:
        # Trading days where weekends are missing, calendar days where they are not.
        rate = len(times) / max(float((times[-1] - times[0]) / DAY), 1.0)
        return "day", 365.25 if rate > 0.9 else 252.0
    return ("week", 52.18) if usual < 15.0 else ("month", 12.0)


def _file(path: Any) -> Frame:
    """A CSV file whose first column of dates is the time."""
    import pyarrow as pa
    from pyarrow import csv

    file = Path(str(path)).expanduser()
    remedy = "give a CSV file with a header, dates in one column and one series in each other"
    try:
        table = csv.read_csv(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise ConfigurationError(
            f"the market file cannot be read ({error})", where=str(file), remedy=remedy
        ) from error
    dated = [
        name
        for name in table.column_names
        if pa.types.is_date(table.column(name).type)
        or pa.types.is_timestamp(table.column(name).type)
    ]
    if not dated:
        raise DataError("no column holds dates", where=str(file), remedy=remedy)
    names = ["time" if name == dated[0] else name for name in table.column_names]
    return read_frame(table.rename_columns(names))
