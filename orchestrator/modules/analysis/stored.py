"""Series out of the store of vintages, as they were known at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from orchestrator.modules.analysis.catalogue import classify
from orchestrator.modules.analysis.mapping import load_mapping
from orchestrator.modules.analysis.models import SeriesRole
from orchestrator.modules.analysis.options import MarketOptions, StoredSeries
from orchestrator.plant.vintages import VintageStore

if TYPE_CHECKING:
    from orchestrator.modules.base import OperationContext
    from orchestrator.modules.frames import Frame
    from orchestrator.plant.tags import Plant

FOLDER = "vintages"
_SAYS = frozenset({"role", "product", "unit", "label", "region", "contract"})


def store_of(context: OperationContext) -> VintageStore | None:
    """The store in the module's folder; ``None`` where the run has no such folder."""
    return VintageStore(context.folder / FOLDER) if context.folder is not None else None


def stored_frames(context: OperationContext, as_known_at: datetime | None = None) -> list[Frame]:
    """Each stored series as a frame of one column, as known at a time; at the run's own without one.

    Values that were withdrawn are NaN.
    """
    store = store_of(context)
    if store is None:
        return []
    import numpy as np

    from orchestrator.modules.frames import Frame

    table = store.read(as_known_at=as_known_at or context.now)
    if not table.num_rows:
        return []
    times = table.column("period").to_numpy().astype("datetime64[us]")
    values = table.column("value").to_numpy()
    names = table.column("series").to_pylist()
    frames: list[Frame] = []
    begin = 0
    for name, group in groupby(names):
        end = begin + sum(1 for _ in group)
        column = np.ascontiguousarray(values[begin:end], dtype=float).reshape(-1, 1)
        frames.append(Frame(times[begin:end], (name,), column))
        begin = end
    return frames


def stored_roles(context: OperationContext) -> dict[str, SeriesRole]:
    """What each stored series is: as configured, else by its identifier, with the unit of its source.

    Raises:
        ConfigurationError: an option or the mapping file does not fit.
    """
    store = store_of(context)
    if store is None:
        return {}
    spans = store.spans()
    if not spans:
        return {}
    described = dict(configured(MarketOptions.of(context.settings)))
    found: dict[str, SeriesRole] = {}
    for name, span in spans.items():
        role = role_of(name, described.get(name), context.plant)
        if role is not None:
            found[name] = role.model_copy(update={"unit": role.unit or span.unit})
    return found


def configured(options: MarketOptions) -> Iterator[tuple[str, StoredSeries]]:
    """Every series of the configuration and its mapping file, by the name under which it is kept."""
    if options.mapping is not None:
        yield from load_mapping(options.mapping).series().items()
    if options.eia is not None:
        for item in options.eia.series:
            yield item.kept_as, item


def role_of(name: str, described: StoredSeries | None, plant: Plant) -> SeriesRole | None:
    """What a series is: what is said of it, completed by what its identifier tells."""
    known = classify(name, {}, plant)
    if described is None or not described.model_fields_set & _SAYS:
        return known
    said = described.model_fields_set
    label = described.label or (f"{name} ({described.region})" if described.region else None)
    if known is None:
        return SeriesRole(
            role=described.role,
            product=described.product,
            unit=described.unit,
            label=label,
            region=described.region,
            contract=described.contract,
        )
    return SeriesRole(
        role=described.role if "role" in said else known.role,
        product=described.product or known.product,
        unit=described.unit or known.unit,
        label=label or known.label,
        region=described.region or known.region,
        contract=described.contract or known.contract,
    )


def same_unit(one: str | None, other: str | None) -> bool:
    """Whether two units are alike; one that is not known is like any other."""
    return one is None or other is None or _plain(one) == _plain(other)


def _plain(unit: str) -> str:
    return "".join(unit.split()).casefold().replace("$", "usd").replace("barrel", "bbl")
