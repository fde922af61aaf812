"""The steady state of the simulated crude unit.

    tank ─► preheat and desalter ─► furnace H-101 ─► column C-101 ─► gas, naphtha, heavy naphtha, kerosene,
                  ▲                                     │            light diesel, diesel, gas oil
                  └──── residue, products, pumparounds ◄┘

Flows are t/h, temperatures degC, pressures kPa, heat kW inside and MW or GJ/h at the edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.plant.twin import column, fractionation
from orchestrator.plant.twin.crudes import LIQUID, MASS, MOLES, VAPOUR, VOLUME
from orchestrator.plant.twin.exchangers import Stream
from orchestrator.plant.twin.fractionation import PRODUCTS
from orchestrator.plant.twin.furnace import fire
from orchestrator.plant.twin.products import qualities
from orchestrator.plant.twin.thermodynamics import (
    KELVIN,
    WATER_HEAT,
    atmospheric_equivalent,
    steam_enthalpy,
)
from orchestrator.plant.twin.train import EXCHANGERS, WASH_TEMPERATURE, Hot, preheat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

SET_POINTS: dict[str, tuple[float, float]] = {
    "FC101_SP": (600.0, 4.0),
    "TC130_SP": (364.0, 9.0),
    "TC201_SP": (118.0, 7.0),
    "TC205_SP": (152.0, 7.0),
    "TC202_SP": (192.0, 7.0),
    "TC206_SP": (243.0, 8.0),
    "TC203_SP": (292.0, 8.0),
    "FC140_SP": (12.0, 2.0),
    "FC211_SP": (520.0, 3.0),
    "FC221_SP": (400.0, 3.0),
    "PC201_SP": (150.0, 3.0),
    "FC150_SP": (30.0, 2.0),
}
"""Set point -> value at design, and time constant of its closed loop in minutes."""

STEAM_TEMPERATURE = 230.0
"""Stripping steam, degC."""
COLUMN_LOSS = 450.0
"""Heat that the column and its lines lose, kW."""
DRUM = 43.0
"""Overhead drum at design, degC."""
CONDENSER_LIMIT = 46_000.0
"""Overhead duty that the condensers give at design pressure, kW."""


@dataclass(frozen=True, slots=True)
class Drivers:
    """What drives the unit, each of shape ``(n,)`` unless said otherwise.

    Attributes:
        handles: Reached values of the set points, in the order of :data:`SET_POINTS`, ``(n, 12)``.
        oil: Components of one tonne of crude without water, ``(n, n_components, n_quantities)``.
        boiling_shift: Shift of all boiling points, K.
        water: Water in the raw crude, mass %.
        tank: Crude tank temperature, degC.
        exchangers: Share of its clean heat transfer that each exchanger has left.
        oxygen: Oxygen in the flue gas of H-101, %.
        coke: Share of the heat transfer of the furnace coil lost to coke.
        furnace_leak: Heat that H-101 loses beyond the ordinary, kW.
        column_leak: Heat that C-101 loses beyond the ordinary, kW.
        flooded: Flooding of C-101 from a cause outside its load, 0 to 1.
        trays: Share of sharpness that each boundary keeps, ``(n, 7)``.
    """

    handles: Array
    oil: Array
    boiling_shift: Array
    water: Array
    tank: Array
    exchangers: dict[str, Array]
    oxygen: Array
    coke: Array
    furnace_leak: Array
    column_leak: Array
    flooded: Array
    trays: Array


def steady_state(drivers: Drivers) -> dict[str, Array]:
    """Values that everything would reach if the drivers stood still.

    Keys are tags; those in lower case are flows of heat (kW) that no instrument shows, for the balance. The
    mass balance closes to rounding, since products are the feed times shares that add up to one. The energy
    balance closes because every exchanger does and the overhead condenser takes what is left.
    """
    (
        charge, outlet, top, heavy_naphtha, kerosene, light_diesel, diesel,
        steam, top_flow, middle_flow, pressure, wash,
    ) = drivers.handles.T  # fmt: skip
    raw_water = charge * drivers.water / 100.0
    dry = charge - raw_water
    one = np.ones_like(charge)
    carried = np.maximum(raw_water - 0.02 * dry, 0.0) * 0.5 + 0.0015 * dry
    pressure = pressure + 0.9 * np.maximum(carried - 2.0, 0.0)
    flash_zone = outlet - 10.0 - 0.25 * (steam - 12.0) - 1.2 * np.maximum(carried - 2.0, 0.0)

    coil = fractionation.lifted(
        _coil_cut(outlet, pressure), np.full((len(charge), 1), 1.25), drivers.boiling_shift
    )[:, 0, :]
    # Liquid and vapour leaving the coil, for one tonne of charge.
    vapour = np.einsum("nc,ncq->nq", coil, drivers.oil)
    whole = drivers.oil.sum(axis=1)
    trays = np.stack(
        (DRUM * one, top, heavy_naphtha, kerosene, light_diesel, diesel, flash_zone), axis=1
    )
    apart = column.separation(
        trays,
        dry,
        vapour[:, MASS],
        steam,
        carried,
        (top_flow, middle_flow),
        pressure,
        drivers.flooded,
        drivers.trays,
    )
    parts = fractionation.divided(
        fractionation.lifted(apart.cuts, apart.sharpness, drivers.boiling_shift)
    )
    # Everything that adds up, for each product: t/h, m³/h, kmol/h, and heat over temperature in MJ/h.
    made = dry[:, None, None] * (parts @ drivers.oil)
    flows = made[:, :, MASS]

    drum = DRUM + 0.25 * (drivers.tank - 32.0) + 14.0 * (apart.load - 1.0)
    residue_temperature = outlet - 12.0 - 0.4 * (steam - 12.0)
    gas_oil = 0.32 * diesel + 0.68 * flash_zone + 4.0
    draws = (
        drum,
        drum,
        heavy_naphtha,
        kerosene,
        light_diesel,
        diesel,
        gas_oil,
        residue_temperature,
    )
    top_draw = 0.45 * top + 0.55 * heavy_naphtha + 5.0
    middle_draw = 0.5 * light_diesel + 0.5 * diesel - 8.0

    liquids = [_liquid(made, k) for k in range(len(PRODUCTS))]
    hot = {
        "E-102": Hot(_pumparound(made, 3, top_flow), top_draw),
        "E-103": Hot(liquids[3], kerosene),
        "E-106": Hot(liquids[4], light_diesel),
        "E-104": Hot(liquids[5], diesel),
        "E-105": Hot(_pumparound(made, 5, middle_flow), middle_draw),
        "E-101": Hot(liquids[7], residue_temperature),
    }
    crude = Stream(dry * whole[:, LIQUID.start] / 3.6, dry * whole[:, LIQUID.start + 1] / 3.6, dry)
    train = preheat(crude, raw_water, wash, drivers.tank, hot, drivers.exchangers)
    inlet = train.crude[-1]

    water_heat = train.water * np.asarray(steam_enthalpy(outlet)) / 3.6
    to_column = (
        dry
        * (_polynomial(whole[:, LIQUID] - vapour[:, LIQUID], outlet) + _gas(vapour, outlet))
        / 3.6
        + water_heat
    )
    duty = to_column - train.feed.heat(inlet)
    firing = fire(duty, outlet, charge, drivers.oxygen, drivers.coke, drivers.furnace_leak)

    live = (steam + column.SIDE_STEAM) * float(steam_enthalpy(STEAM_TEMPERATURE)) / 3.6
    sour = train.water + steam + column.SIDE_STEAM
    sour_heat = sour * WATER_HEAT / 3.6 * drum
    leaving = [_gas(made[:, 0], drum) / 3.6] + [liquids[k].heat(draws[k]) for k in range(1, 8)]
    loss = COLUMN_LOSS + drivers.column_leak
    pumped = train.duty["E-102"] + train.duty["E-105"]
    condenser = to_column + live - sum(leaving) - pumped - loss - sour_heat
    lifted = _gas(made[:, 1], top) / 3.6 - leaving[1]
    per_tonne = np.maximum(lifted, 1.0) / np.maximum(flows[:, 1], 0.05)
    gas_heat = _gas(made[:, 0], top) / 3.6 - leaving[0]
    steam_heat = sour * np.asarray(steam_enthalpy(top)) / 3.6 - sour_heat
    reflux = np.maximum((condenser - lifted - gas_heat - steam_heat) / per_tonne, 0.0)
    # Beyond what the condensers give, vapour collects and the pressure rises.
    choked = np.maximum(condenser / CONDENSER_LIMIT - pressure / 150.0, 0.0)

    volume = np.maximum(whole[:, VOLUME], 1e-9)
    rundown = [*draws]
    rundown[3], rundown[4], rundown[5], rundown[7] = (
        train.hot[name] for name in ("E-103", "E-106", "E-104", "E-101")
    )
    carried_out = [leaving[0]] + [liquids[k].heat(rundown[k]) for k in range(1, 8)]
    return {
        **{tag: flows[:, k] for k, tag in enumerate(PRODUCTS)},
        **qualities(made, parts, drivers),
        "AI101": 1000.0 * whole[:, MASS] / volume,
        "AI102": drivers.water * one,
        "PI101": 1900.0 - 700.0 * (charge / 600.0) ** 2 + 0.0 * one,
        "FI151": train.brine,
        "AI150": train.salt,
        "TI110": train.crude[0],
        "TI111": train.crude[1],
        "TI150": train.crude[2],
        "TI112": train.crude[3],
        "TI113": train.crude[4],
        "TI102": train.crude[5],
        "TI103": inlet,
        "TI104": residue_temperature,
        "TI105": train.hot["E-101"],
        "TI211": top_draw,
        "TI212": train.hot["E-102"],
        "TI221": middle_draw,
        "TI222": train.hot["E-105"],
        "TI313": train.hot["E-103"],
        "TI314": train.hot["E-104"],
        "TI318": train.hot["E-106"],
        "TI131": firing.skin,
        "TI132": firing.stack_temperature,
        "TI133": firing.bridgewall,
        "AI130": drivers.oxygen,
        "FI130": firing.fuel,
        "FI131": firing.air,
        "FI132": firing.carbon_dioxide,
        "PI130": 60.0 + 90.0 * (firing.fuel / 6.8) ** 2,
        "QI130": duty / 1000.0,
        "PI201": pressure + 90.0 * choked,
        "PI202": pressure + 90.0 * choked + apart.drop + 6.0,
        "PDI201": apart.drop,
        "FI141": column.SIDE_STEAM * one,
        "TI204": gas_oil,
        "TI207": flash_zone,
        "TI208": drum,
        "FI210": reflux,
        "FI213": sour,
        "QI210": condenser / 1000.0,
        "crude_heat": crude.heat(drivers.tank) + raw_water * WATER_HEAT / 3.6 * drivers.tank,
        "wash_heat": wash * WATER_HEAT / 3.6 * WASH_TEMPERATURE,
        "brine_heat": train.brine * WATER_HEAT / 3.6 * train.crude[3],
        "steam_heat": live,
        "sour_heat": sour_heat,
        "fired": firing.fired,
        "stack": firing.stack,
        "casing": firing.casing,
        "column_loss": loss * one,
        "product_heat": np.sum(carried_out, axis=0),
        "flooding": apart.flooding,
        "moles": made[:, :, MOLES].sum(axis=1),
    }


def energy_imbalance(values: dict[str, Array]) -> Array:
    """What the energy balance around furnace, preheat and column misses, as a share of the heat fired."""
    into = values["crude_heat"] + values["wash_heat"] + values["steam_heat"] + values["fired"]
    out = (
        values["product_heat"]
        + values["brine_heat"]
        + values["sour_heat"]
        + values["stack"]
        + values["casing"]
        + values["column_loss"]
        + 1000.0 * values["QI210"]
    )
    share: Array = (into - out) / np.maximum(values["fired"], 1.0)
    return share


def clean_exchangers(rows: int) -> dict[str, Array]:
    """All exchangers clean."""
    return {name: np.ones(rows) for name in EXCHANGERS}


def _coil_cut(outlet: Array, pressure: Array) -> Array:
    """Cut point of the flash at the coil outlet, degC, ``(n, 1)``: 90 kPa above the top of the column."""
    boiling = atmospheric_equivalent(outlet + KELVIN, pressure + 90.0) - KELVIN
    return (boiling + 36.0)[:, None]


def _liquid(made: Array, product: int) -> Stream:
    mass = made[:, product, LIQUID] / 3.6
    return Stream(mass[:, 0], mass[:, 1], made[:, product, MASS])


def _pumparound(made: Array, product: int, flow: Array) -> Stream:
    """Liquid of a product's kind at a pumparound's flow."""
    mass = np.maximum(made[:, product, MASS], 1e-6)
    scale = flow / mass / 3.6
    heat = made[:, product, LIQUID]
    return Stream(heat[:, 0] * scale, heat[:, 1] * scale, flow)


def _polynomial(coefficients: Array, temperature: Array) -> Array:
    total: Array = (coefficients[:, 0] + coefficients[:, 1] * temperature) * temperature
    return total


def _gas(table: Array, temperature: Array) -> Array:
    """Enthalpy of vapour, MJ, from a row of quantities."""
    v = table[:, VAPOUR]
    total: Array = v[:, 0] + temperature * (
        v[:, 1] + temperature * (v[:, 2] + temperature * v[:, 3])
    )
    return total
