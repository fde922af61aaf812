"""A network whose streams take their measured values from columns of data.

A stream, or a property that it carries, reads the column that its ``tag`` names, else the one called
like the stream (``feed``) or the property (``feed.sulphur``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import InsufficientDataError, ParameterError, UnknownTagError
from orchestrator.modules.base import OperationContext
from orchestrator.modules.etl import plant_balances, steadiness, topology, variances
from orchestrator.modules.etl.network import Reading, ReconcileInput, Stream
from orchestrator.modules.etl.reconciled import LeftOut, SdSource
from orchestrator.modules.frames import Frame, read_frame
from orchestrator.plant.tags import Plant
from orchestrator.plant.units import conversion

Array = NDArray[np.float64]
MOST_LISTED = 12


@dataclass(frozen=True)
class Measured:
    """A network with measured values, and what was learned from the data on the way.

    Attributes:
        parameters: The network; ``measured`` and ``sd`` of what the data hold are filled in.
        sources: Stream or property -> where its standard deviation comes from.
        moved: Those that moved over the data, most first.
        hours: Span of the data; None for a single row.
        unit: Unit of the flows, where the plant file tells.
        prices: The last value of every column.
    """

    parameters: ReconcileInput
    sources: Mapping[str, SdSource | None]
    moved: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    hours: float | None
    unit: str | None
    prices: Mapping[str, float]


def measure(parameters: ReconcileInput, context: OperationContext) -> Measured | None:
    """Fill in the means over the data; None where the network reads none.

    Data that were given with the network come before its own ``measured``. Of a historian that is
    merely there, only what names a ``tag`` and has no ``measured`` is read, or, where nothing at all
    is measured, what is called like a column.

    Raises:
        ParameterError: no column is one of the network's, or flows are in units that do not add up.
        UnknownTagError: a ``tag`` is not in the data.
        InsufficientDataError: none of the columns holds a value.
    """
    readings = _readings(parameters)
    tagged = [n for n, r in readings.items() if r.tag is not None and r.measured is None]
    given = context.data_given
    bare = all(reading.measured is None for reading in readings.values())
    if context.data_file is None:
        if tagged:
            raise InsufficientDataError(
                f"{tagged[0]!r} reads {readings[tagged[0]].tag!r}, and there is no data",
                where="streams",
                remedy="give data with that column, or measured in its place",
            )
        return None
    if not given and not bare and not tagged:
        return None
    frame = read_frame(context.table()).in_order()
    columns = _columns(readings, frame, every=given or bare, given=given)
    if not columns:
        if not given:
            return None
        raise ParameterError(
            "no column of the data is called like a stream of the network",
            where="streams",
            remedy=f"name the column of a stream with tag; the data has: {_listed(frame.names)}",
        )
    return _measured(parameters, context.plant, frame, columns, readings)


def _readings(parameters: ReconcileInput) -> dict[str, Reading]:
    found: dict[str, Reading] = {}
    for stream in parameters.streams:
        found[stream.id] = stream
        found.update((f"{stream.id}.{p}", r) for p, r in stream.properties.items())
    return found


def _columns(
    readings: Mapping[str, Reading], frame: Frame, *, every: bool, given: bool
) -> dict[str, str]:
    """Stream or property -> the column that it reads."""
    there = {*frame.names, *frame.skipped}
    found = {}
    for name, reading in readings.items():
        if reading.tag is not None and (given or reading.measured is None):
            if reading.tag not in there:
                raise UnknownTagError(
                    f"{name!r} reads {reading.tag!r}, which is not in the data",
                    where="streams",
                    remedy=f"the data has: {_listed(frame.names)}",
                )
            found[name] = reading.tag
        elif every and name in there:
            found[name] = name
    return found


def _measured(
    parameters: ReconcileInput,
    plant: Plant,
    frame: Frame,
    columns: dict[str, str],
    readings: Mapping[str, Reading],
) -> Measured:
    names = tuple(readings)
    read = plant_balances.readings(frame, list(dict.fromkeys(columns.values())))
    place = {column: j for j, column in enumerate(read.ids)}
    unit, scales = _units(parameters, plant, columns)
    values = np.full((len(frame.times), len(names)), np.nan)
    for j, name in enumerate(names):
        if name in columns:
            values[:, j] = scales.get(name, 1.0) * read.values[:, place[columns[name]]]
    over_data = plant_balances.means_of(values)
    if not np.isfinite(over_data).any():
        raise InsufficientDataError(
            "no stream of the network has a value in the data",
            where="streams",
            remedy=f"give values for: {_listed(tuple(columns.values()))}",
        )
    # what has no column keeps its own value
    fixed = np.array(
        [np.nan if r.measured is None or n in columns else r.measured for n, r in readings.items()]
    )
    means = np.where(np.isfinite(fixed), fixed, over_data)
    sd, sources, notes = _spreads(parameters, readings, values, means)
    limits = {n: float(s) for n, s in zip(names, sd, strict=True) if np.isfinite(s)}
    moved = steadiness.moved({n: values[:, j] for j, n in enumerate(names)}, limits)
    replaced = [n for n in columns if readings[n].measured is not None]
    if replaced:
        notes.append(f"the data were taken instead of the network's own {_listed(replaced)}")
    hidden = [n for n, m in zip(names, means, strict=True) if n in columns and not np.isfinite(m)]
    if hidden:
        notes.append(f"taken as unmeasured: {_listed(hidden)}")
    filled = {
        name: {"measured": _or_none(means[j]), "sd": _or_none(sd[j])}
        for j, name in enumerate(names)
    }
    return Measured(
        parameters=parameters.model_copy(
            update={"streams": tuple(_with(s, filled) for s in parameters.streams)}
        ),
        sources=dict(zip(names, sources, strict=True)),
        moved=tuple(moved),
        left_out=read.left_out,
        notes=tuple(notes),
        hours=plant_balances.hours_of(frame),
        unit=unit,
        prices=plant_balances.latest(frame),
    )


def _spreads(
    parameters: ReconcileInput, readings: Mapping[str, Reading], values: Array, means: Array
) -> tuple[Array, list[SdSource | None], list[str]]:
    """Standard deviations given, from the scatter of the balances, or from the steps."""
    names = tuple(readings)
    given = np.array([np.nan if r.sd is None else r.sd for r in readings.values()])
    given_by: list[SdSource | None] = [
        None if r.sd is None else "given" if r.sd > 0 else "exact" for r in readings.values()
    ]
    flows = [j for j, n in enumerate(names) if isinstance(readings[n], Stream)]
    estimates = [_step(values[:, j]) if np.isnan(given[j]) else None for j in range(len(names))]
    _, coefficients = topology.incidence(parameters)
    for j, found in zip(
        flows, variances.estimate(values[:, flows], coefficients, given[flows]), strict=True
    ):
        estimates[j] = found
    return plant_balances.spreads(parameters, names, values, means, given, given_by, estimates)


def _step(column: Array) -> variances.Estimate | None:
    sd = variances.from_differences(column)
    return None if sd is None else variances.Estimate(sd, "differences")


def _units(
    parameters: ReconcileInput, plant: Plant, columns: Mapping[str, str]
) -> tuple[str | None, dict[str, float]]:
    """The unit of all flows, and the factor of each flow whose tag has another one."""
    flows = {s.id for s in parameters.streams}
    units = {
        name: plant.by_name[column].unit
        for name, column in columns.items()
        if name in flows and column in plant.by_name and plant.by_name[column].unit
    }
    if not units:
        return parameters.flow_unit, {}
    wanted = parameters.flow_unit or next(iter(units.values()))
    scales = {}
    for name, unit in units.items():
        factor = conversion(unit, wanted)
        if factor is None:
            raise ParameterError(
                f"{columns[name]!r} of stream {name!r} is in {unit!r}, which cannot be added to "
                f"{wanted!r}",
                where="streams",
                remedy="measure all flows in mass, or all in volume",
            )
        scales[name] = factor[0]
    return wanted, scales


def _with(stream: Stream, filled: Mapping[str, Mapping[str, float | None]]) -> Stream:
    properties = {
        name: reading.model_copy(update=dict(filled[f"{stream.id}.{name}"]))
        for name, reading in stream.properties.items()
    }
    return stream.model_copy(update={**filled[stream.id], "properties": properties})


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _listed(names: tuple[str, ...] | list[str]) -> str:
    more = ", …" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + more
