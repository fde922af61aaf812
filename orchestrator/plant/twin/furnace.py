"""The fired heater: fuel, air, flue gas and tube skin from the duty it has to give."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FUEL_HEAT = 46.0e3
"""Lower heating value of fuel gas, kJ/kg."""
STOICHIOMETRIC_AIR = 15.9
"""Air that burns one kg of fuel gas, kg."""
CARBON_DIOXIDE = 2.69
"""Carbon dioxide from one kg of fuel gas, kg (73.4 mass % carbon)."""
FLUE_HEAT = 1.12
"""Heat capacity of flue gas, kJ/(kg K)."""
CASING = 0.018
"""Share of the heat fired at design that leaves through the casing."""
AMBIENT = 15.0
"""Temperature of combustion air and of zero flue gas heat, degC."""
DESIGN_DUTY = 81_100.0
"""Absorbed duty at design, kW."""


class Firing(NamedTuple):
    """What the heater does, each of shape ``(n,)``.

    Attributes:
        fuel: Fuel gas, t/h.
        air: Combustion air, t/h.
        carbon_dioxide: Carbon dioxide in the flue gas, t/h.
        fired: Heat of the fuel, kW.
        stack: Heat that leaves with the flue gas, kW.
        casing: Heat that leaves through the casing, and by a leak, kW.
        stack_temperature: Flue gas into the stack, degC.
        bridgewall: Flue gas leaving the radiant section, degC.
        skin: Hottest tube skin, degC.
    """

    fuel: Array
    air: Array
    carbon_dioxide: Array
    fired: Array
    stack: Array
    casing: Array
    stack_temperature: Array
    bridgewall: Array
    skin: Array


def fire(
    duty: Array, outlet: Array, flow: Array, oxygen: Array, coke: Array, leak: Array
) -> Firing:
    """Fire what the duty asks for.

    The heat of the fuel is absorbed duty, casing loss and flue gas: the indirect (heat loss) efficiency of
    ISO 13705. Excess air follows from dry oxygen in the flue gas.

    Args:
        duty: Absorbed duty, kW.
        outlet: Coil outlet temperature, degC.
        flow: Charge, t/h.
        oxygen: Oxygen in the flue gas, volume %.
        coke: Share from 0 to 1 of the coil's heat transfer lost to coke.
        leak: Heat lost beyond the ordinary casing loss, kW.
    """
    duty = np.maximum(duty, 0.0)
    load = duty / DESIGN_DUTY
    excess = 0.94 * oxygen / np.maximum(20.9 - oxygen, 1.0)
    air = STOICHIOMETRIC_AIR * (1.0 + excess)
    # A coked coil takes up less in the radiant section, and the flue gas leaves hotter.
    stack_temperature = 175.0 + 70.0 * load + 90.0 * coke + 6.0 * (oxygen - 3.0)
    casing = CASING * DESIGN_DUTY / 0.9 + leak
    per_kg = FUEL_HEAT - (1.0 + air) * FLUE_HEAT * (stack_temperature - AMBIENT)
    fuel = (duty + casing) / per_kg
    resistance = 1.0 / np.maximum(1.0 - coke, 0.05)
    film = (600.0 / np.maximum(flow, 60.0)) ** 0.8
    return Firing(
        fuel=3.6 * fuel,
        air=3.6 * fuel * air,
        carbon_dioxide=3.6 * fuel * CARBON_DIOXIDE,
        fired=fuel * FUEL_HEAT,
        stack=fuel * (FUEL_HEAT - per_kg),
        casing=casing,
        stack_temperature=stack_temperature,
        bridgewall=540.0 + 260.0 * load + 80.0 * coke - 9.0 * (oxygen - 3.0),
        skin=outlet + 150.0 * load * (0.55 * film + 0.45) * resistance,
    )
