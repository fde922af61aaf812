"""Market series from request data, files of the configuration, or price tags of the historian."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.errors import (
    ConfigurationError,
    DataError,
    InsufficientDataError,
    ParameterError,
    UnknownTagError,
)
from orchestrator.modules.analysis.catalogue import PREFERRED, classify, public
from orchestrator.modules.analysis.models import SeriesRole
from orchestrator.modules.analysis.stored import stored_frames, stored_roles
from orchestrator.modules.frames import Frame, read_frame
from orchestrator.modules.price_units import per_barrel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orchestrator.modules.analysis.models import Product, Role, SeriesInput
    from orchestrator.modules.base import OperationContext

    Array = NDArray[np.float64]

DAY = np.timedelta64(86_400_000_000, "us")
PERIODS = (
    ("week", 4.0, 9.5, 52.18),
    ("fortnight", 12.5, 14.5, 26.09),
    ("month", 26.0, 35.0, 12.0),
    ("quarter", 85.0, 95.0, 4.0),
    ("year", 355.0, 375.0, 1.0),
)
"""Name, days from and to, how many a year; what comes more often than a week is daily."""
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
        role: Price, stock, demand, flow or other.
        product: What it is of.
        unit: Its unit, where known.
        times: ``datetime64[us]``, UTC.
        values: ``float64``, finite.
        period: ``day``, ``week``, ``fortnight``, ``month``, ``quarter``, ``year``; else just ``period``.
        per_year: Values in a year.
        region: Where it is, where known.
        contract: Delivery month of a futures price.
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
    region: str | None = None
    contract: int | None = None

    @property
    def in_barrels(self) -> Array | None:
        """The price in USD/bbl; ``None`` where its unit does not tell."""
        factor = per_barrel(self.unit)
        return None if factor is None else self.values * factor


@dataclass(frozen=True, slots=True)
class Loaded:
    """Market series of a request.

    Attributes:
        asked: Those that the parameters ask for, preferred ones first.
        all: Every series that the data holds, for what moves together.
    """

    asked: list[Series]
    all: list[Series]


def load(parameters: SeriesInput, context: OperationContext, default: Role | None = None) -> Loaded:
    """The series of the data; a listed column takes the role ``default`` unless an identifier or tag says
    what it is.

    Data given with the request stand alone. Without them the price tags of the historian, the files of the
    option ``market_files`` and the stored series are read; of one name the first of these counts.
    Values after ``context.now`` are not known yet and are left out.

    Raises:
        ConfigurationError: a configured file cannot be read.
        DataError: rows or times cannot be used.
        InsufficientDataError: no column is a market series.
        ParameterError: ``as_known_at`` is asked of data given with the request.
        UnknownTagError: a listed column is not among the data.
    """
    if context.data_given and parameters.as_known_at is not None:
        raise ParameterError(
            "as_known_at is about stored series, but data were given with the request",
            where="parameters, as_known_at",
            remedy="leave it out, or give no data",
        )
    frames: list[Frame] = []
    if context.data_file is not None:
        table = context.table()
        if table.num_rows:
            frames.append(read_frame(table))
    files = context.settings.get("market_files") or ()
    if files and not context.data_given:
        frames += [_file(path) for path in ([files] if isinstance(files, str | Path) else files)]
    names = {name for frame in frames for name in frame.names}
    roles = dict(parameters.roles)
    if not context.data_given:
        stored = [
            f for f in stored_frames(context, parameters.as_known_at) if f.names[0] not in names
        ]
        if stored:
            frames += stored
            names |= {frame.names[0] for frame in stored}
            roles = {**stored_roles(context), **roles}
    if default is not None:
        for name in parameters.only:
            roles[name] = _listed(name, default, context)
    found = _from_frames(frames, roles, context)
    _require_listed(parameters, found, names)
    asked = [item for item in found if _wanted(parameters, item)]
    if not asked:
        if found and parameters.product is not None and not parameters.tags:
            held = ", ".join(sorted({item.product for item in found if item.product})) or "none"
            raise InsufficientDataError(
                f"no series is of the product {parameters.product!r}",
                where="parameters, product",
                remedy=f"the data has series of: {held}",
            )
        seen = ", ".join(name for frame in frames for name in frame.names[:8]) or "none"
        raise InsufficientDataError(
            f"no column is a known market series (columns: {seen})",
            where="input data",
            remedy=f"{SOURCES}; name unknown columns in series",
        )
    order = {name: rank for rank, name in enumerate(PREFERRED)}

    def rank(series: Series) -> int:
        if series.name in parameters.only:
            return parameters.only.index(series.name)
        return len(parameters.only) + order.get(series.name, len(order))

    return Loaded(sorted(asked, key=rank), sorted(found, key=rank))


def require(names: Iterable[str], known: Iterable[str], where: str, what: str) -> None:
    """That a parameter names only what is there.

    Raises:
        UnknownTagError: it names something else.
    """
    there = sorted(known)
    for name in names:
        if name not in there:
            raise UnknownTagError(
                f"{where} names {name!r}, which is no {what} of the data",
                where=f"parameters, {where}",
                remedy=f"name one of: {', '.join(there[:12]) or 'none'}",
            )


def spot_prices(series: list[Series]) -> list[Series]:
    """Prices to reckon with: spot ones, and the nearest month of a product that has no spot price."""
    prices = [item for item in series if item.role == "price"]
    spot = {item.product for item in prices if item.contract is None}
    nearest: dict[tuple[Product | None, str | None], int] = {}
    for item in prices:
        if item.contract is not None:
            group = item.product, item.region
            nearest[group] = min(item.contract, nearest.get(group, item.contract))
    return [
        item
        for item in prices
        if item.contract is None
        or (item.product not in spot and item.contract == nearest[item.product, item.region])
    ]


def _listed(name: str, default: Role, context: OperationContext) -> SeriesRole:
    """What a listed column is: its plain name may tell its product, but not what was asked of it."""
    known = classify(name, {}, context.plant)
    if known is None:
        return SeriesRole(role=default, label=name)
    if public(name) is None and name not in context.plant.by_name:
        return known.model_copy(update={"role": default})
    return known


def _require_listed(parameters: SeriesInput, found: list[Series], names: set[str]) -> None:
    known = {item.name for item in found}
    for name in parameters.only:
        if name not in names:
            listed = ", ".join(sorted(names)[:12]) or "none"
            raise UnknownTagError(
                f"series names {name!r}, which the data does not hold",
                where="parameters, series",
                remedy=f"the data has: {listed}",
            )
        if name not in known:
            raise InsufficientDataError(
                f"{name} has fewer than two values, or nothing tells what it is",
                where="input data",
                remedy="give its values, or say in series what it is: "
                f'{{"{name}": {{"role": "price", "product": "crude", "unit": "USD/bbl"}}}}',
            )


def _from_frames(
    frames: list[Frame], roles: dict[str, SeriesRole], context: OperationContext
) -> list[Series]:
    found: dict[str, Series] = {}
    now = np.datetime64(context.now.astimezone(UTC).replace(tzinfo=None), "us")
    for frame in frames:
        ordered = frame.in_order()
        for column, name in enumerate(ordered.names):
            role = classify(name, roles, context.plant)
            if role is None or name in found:
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
                role.region,
                role.contract,
            )
    return list(found.values())


def _wanted(parameters: SeriesInput, series: Series) -> bool:
    if parameters.only:
        return series.name in parameters.only
    if parameters.tags:
        return any(named(series, tag) for tag in parameters.tags)
    if parameters.product is None or _same(parameters.product, series.product, series.name):
        return True
    # A crack spread needs its crude whatever product is asked for.
    return series.product == "crude" and series.role == "price"


def named(series: Series, tag: str) -> bool:
    """Whether a series goes by a tag: its name, or part of its name or label."""
    return tag == series.name or tag.casefold() in f"{series.name} {series.label}".casefold()


def _same(asked: str, product: str | None, name: str) -> bool:
    plain = asked.casefold().replace(" ", "_")
    aliases = {"distillate": "diesel", "kerosene": "jet", "jet_fuel": "jet", "fuel_oil": "residue"}
    wanted = aliases.get(plain, plain)
    return wanted == product or plain in name.casefold()


def _daily(times: NDArray[np.datetime64], values: Array) -> tuple[NDArray[np.datetime64], Array]:
    """Means of each UTC day that holds several values; else the values at their own times."""
    if len(times) < 2:
        return times, values
    days = times.astype("datetime64[D]")
    unique, index, counts = np.unique(days, return_index=True, return_counts=True)
    if len(unique) == len(days):
        return times, values
    means = np.add.reduceat(values, index) / counts
    return unique.astype("datetime64[us]"), means


def _period(times: NDArray[np.datetime64]) -> tuple[str, float]:
    """What usually lies between two values, and how many of these make a year."""
    usual = float(np.median(np.diff(times) / DAY))
    if usual < 4.0:
        # Trading days where weekends are missing, calendar days where they are not.
        rate = len(times) / max(float((times[-1] - times[0]) / DAY), 1.0)
        return "day", 365.25 if rate > 0.9 else 252.0
    for name, least, most, per_year in PERIODS:
        if least <= usual <= most:
            return name, per_year
    return "period", max(1.0, 365.25 / usual)


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
