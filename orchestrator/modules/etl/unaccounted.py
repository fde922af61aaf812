"""The loss that stays unaccounted for, in tonnes and money."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DanGError, ParameterError
from orchestrator.modules.etl.network import ReconcileInput
from orchestrator.modules.etl.reconciled import GrossError, Loss
from orchestrator.modules.etl.topology import Network
from orchestrator.plant.tags import Plant

Array = NDArray[np.float64]
DAY_HOURS = 24.0
SIGMAS = 2.0
NO_BOUNDARY = "no loss is given: equations do not say which flows enter and which leave"
BARRELS_PER_CUBIC_METRE = 6.2898108
CRUDE_DENSITY = 860.0


def of_network(
    parameters: ReconcileInput,
    network: Network,
    culprits: Sequence[GrossError],
    plant: Plant,
    *,
    hours: float | None = None,
    unit: str | None = None,
    prices: dict[str, float] | None = None,
) -> Loss | None:
    """All balances together, input minus output, after the named biases are taken out.

    A named leak is part of the loss, a named bias is not. None where a stream across the boundary
    has no value, since then nothing is known of the loss.
    """
    whole = network.coefficients.sum(axis=0)
    crossing = np.abs(whole) > 1e-12
    if not crossing.any() or not np.isfinite(network.values[crossing]).all():
        return None
    biases = {e.id: e.size for e in culprits if e.kind == "bias"}
    corrected = network.values - np.array([biases.get(name, 0.0) for name in network.ids])
    sd = np.where(np.isfinite(network.sd), network.sd, 0.0)
    # a corrected meter knows no more than the balance that corrected it: its value is an estimate
    spread = np.where([name in biases for name in network.ids], 0.0, sd)
    rate = float(whole[crossing] @ corrected[crossing] - network.constants.sum())
    rate_sd = float(np.linalg.norm(whole[crossing] * spread[crossing]))
    return valued(
        rate,
        rate_sd,
        parameters,
        plant,
        hours=hours,
        unit=unit,
        prices=prices,
        leaks=[e for e in culprits if e.kind == "leak"],
    )


def valued(
    rate: float,
    rate_sd: float | None,
    parameters: ReconcileInput,
    plant: Plant,
    *,
    hours: float | None = None,
    unit: str | None = None,
    prices: dict[str, float] | None = None,
    leaks: list[GrossError] | None = None,
) -> Loss:
    """A rate of loss over a time, in tonnes and money as far as unit and price are known."""
    unit = parameters.flow_unit or unit or ""
    hours = parameters.hours or hours or DAY_HOURS
    each = _tonnes_per_hour(unit, parameters.density_kg_m3)
    price, source = _price(parameters, plant, prices or {})
    tonnes = None if each is None else rate * each * hours
    return Loss(
        rate=rate,
        rate_sd=rate_sd,
        unit=unit,
        hours=hours,
        tonnes=tonnes,
        usd=None if tonnes is None or price is None else tonnes * price,
        price_usd_per_t=price,
        price_source=source,
        significant=bool(leaks) or (rate_sd is not None and abs(rate) > SIGMAS * rate_sd),
    )


def _tonnes_per_hour(unit: str, density: float | None) -> float | None:
    """Tonnes an hour in one of ``unit``; None where it is no mass flow and no density is given."""
    if not unit:
        return None
    from orchestrator.plant.units import conversion

    mass = conversion(unit, "t/h")
    if mass is not None:
        return mass[0]
    volume = conversion(unit, "m**3/h")
    if volume is not None:
        return None if density is None else volume[0] * density / 1000.0
    if density is not None:
        raise ParameterError(
            f"{unit!r} is neither a mass flow nor a volume flow",
            where="flow_unit",
            remedy="give a unit such as t/h, kg/s, m**3/h or bbl/day",
        )
    return None


def _price(
    parameters: ReconcileInput, plant: Plant, latest: dict[str, float]
) -> tuple[float | None, str | None]:
    if parameters.price_usd_per_t is not None:
        return parameters.price_usd_per_t, "given"
    if plant.market.crude is None or not latest:
        return None, None
    from orchestrator.plant.expressions import Expression

    try:
        value = float(Expression.parse(plant.market.crude).evaluate(dict(latest)))
    except DanGError:
        return None, None
    if not math.isfinite(value):
        return None, None
    density = parameters.density_kg_m3 or CRUDE_DENSITY
    per_tonne = value * BARRELS_PER_CUBIC_METRE * 1000.0 / density
    return per_tonne, f"{plant.market.crude} of the plant file, USD/bbl at {density:g} kg/m³"
