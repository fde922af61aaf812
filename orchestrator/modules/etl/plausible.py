"""Whether the data as a whole is what the plant file says: its schema, its units and its balances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.etl.models import BalanceQuality, SchemaFault
from orchestrator.modules.frames import Frame
from orchestrator.plant.credible import credible_range
from orchestrator.plant.tags import Balance, Plant, Tag
from orchestrator.plant.units import conversion, known

DEFAULT_SD_PCT = 2.0
OPEN_SIGMAS = 3.0
UNIT_SHARE = 0.9
LEAST_MISTAKEN = 3
# Units that are mixed up in practice.
_OTHER_UNITS = (
    "degC", "degF", "K", "kPa", "bar", "psi", "mbar", "kgf/cm**2", "MPa", "kg/h", "t/h", "kg/s", "lb/h",
    "m**3/h", "bbl/day", "bbl/h", "m**3/day", "l/min", "percent", "ppm", "dimensionless", "m", "mm",
)  # fmt: skip


def schema_faults(frame: Frame, plant: Plant, wanted: Sequence[str]) -> list[SchemaFault]:
    """Tags of the plant file that are absent, columns it does not name, columns without numbers, and
    units that nothing can be converted from. Nothing where there is no plant file."""
    found = [
        SchemaFault(tag=name, fault="not_numeric", text=f"{name} holds no numbers")
        for name in frame.skipped
    ]
    if not plant.tags:
        return found
    held = {*frame.names, *frame.skipped}
    if not wanted and held & plant.by_name.keys():
        found += [
            SchemaFault(
                tag=tag.name,
                fault="absent",
                text=f"{tag.name} of the plant file is not in the data",
            )
            for tag in plant
            if tag.name not in held and tag.expression is None
        ]
    for name in frame.names:
        tag = plant.by_name.get(name)
        if tag is None:
            text = f"{name} is not in the plant file: no range or rate was checked"
            found.append(SchemaFault(tag=name, fault="not_in_plant_file", text=text))
        elif tag.unit and not known(tag.unit):
            text = f"the unit {tag.unit!r} of {name} is not known: nothing can be converted to it"
            found.append(SchemaFault(tag=name, fault="unit_unknown", text=text))
    return found


def mistaken_unit(values: NDArray[np.float64], outside: NDArray[np.bool_], tag: Tag) -> str | None:
    """The unit in which nine of ten of the values that are out of range would be normal; None if none.

    A unit is only named where the plant file gives a normal range, and where it is the only one.
    """
    if tag.normal is None or not tag.unit or int(outside.sum()) < LEAST_MISTAKEN:
        return None
    low, high = tag.normal
    widest = credible_range(tag)
    found = []
    for unit in _OTHER_UNITS:
        factors = conversion(unit, tag.unit)
        if factors is None or factors == (1.0, 0.0):
            continue
        as_meant = values[outside] * factors[0] + factors[1]
        inside = (as_meant >= max(low, widest[0])) & (as_meant <= min(high, widest[1]))
        if float(np.mean(inside)) >= UNIT_SHARE:
            found.append(unit)
    return found[0] if len(found) == 1 else None


def balances_of(frame: Frame, plant: Plant) -> list[BalanceQuality]:
    """The balances of the plant file of which every stream is in the data."""
    found = []
    for balance in plant.balances:
        terms = [*balance.inputs, *balance.outputs]
        if all(term.tag in frame.names for term in terms):
            item = _closure(frame, balance)
            if item is not None:
                found.append(item)
    return found


def _closure(frame: Frame, balance: Balance) -> BalanceQuality | None:
    inputs = np.column_stack([t.factor * frame.column(t.tag) for t in balance.inputs])
    outputs = np.column_stack([t.factor * frame.column(t.tag) for t in balance.outputs])
    both = np.column_stack([inputs, outputs])
    terms = (*balance.inputs, *balance.outputs)
    shares = np.array([(t.sd_pct or DEFAULT_SD_PCT) / 100 for t in terms])
    complete = np.isfinite(both).all(axis=1)
    enters = inputs[complete].sum(axis=1)
    error = enters - outputs[complete].sum(axis=1)
    total = float(np.abs(enters).sum())
    if not complete.any() or total == 0.0:
        return None
    sd = np.linalg.norm(both[complete] * shares, axis=1)
    return BalanceQuality(
        name=balance.name,
        rows=int(complete.sum()),
        mean_error_pct=round(100 * float(error.sum()) / total, 4),
        open_share=round(float(np.mean(np.abs(error) > OPEN_SIGMAS * sd)), 4),
    )
