"""Every fault and event that a scenario may name: what it strikes, and what its magnitude means."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

FaultKind = Literal[
    "meter_bias",
    "meter_drift",
    "frozen_signal",
    "spikes",
    "missing_signal",
    "lost_communication",
    "analyser_fault",
    "exchanger_fouling",
    "exchanger_cleaning",
    "furnace_fouling",
    "burner_fault",
    "pump_trip",
    "crude_switch",
    "off_spec_crude",
    "water_slug",
    "flooding",
    "tray_damage",
    "heat_leak",
    "product_leak",
    "price_shock",
    "demand_change",
    "startup",
    "shutdown",
    "emergency",
    "maintenance_window",
]
CRUDE_NAMES = ("condensate", "light", "medium", "sour", "heavy", "bitumen")
EXCHANGER_NAMES = ("E-101", "E-102", "E-103", "E-104", "E-105", "E-106")
PUMPS: dict[str, str] = {"P-101": "FC101_SP", "P-102": "FC211_SP", "P-103": "FC221_SP"}
"""Charge, top pumparound and middle pumparound pump -> the set point whose flow they give."""
SECTIONS = ("naphtha", "heavy naphtha", "kerosene", "light diesel", "diesel", "gas oil")
"""Column sections, each named by the lighter of the two products that it parts."""
PRODUCT_TAGS = ("FI301", "FI302", "FI307", "FI303", "FI308", "FI304", "FI305", "FI306")
UNIT = "unit"


class Kind(NamedTuple):
    """What a fault of one kind is.

    Attributes:
        targets: What it can strike; empty where :attr:`strikes` says so.
        strikes: ``tag``, ``analyser``, ``price`` or ``area`` where the plant file decides, else empty.
        least: Least magnitude.
        most: Largest magnitude.
        meaning: What the magnitude is.
    """

    targets: tuple[str, ...]
    strikes: Literal["", "tag", "analyser", "price", "area"]
    least: float
    most: float
    meaning: str


_ANY = 1e9
KINDS: dict[FaultKind, Kind] = {
    "meter_bias": Kind((), "tag", -_ANY, _ANY, "added to the signal, in the unit of the tag"),
    "meter_drift": Kind(
        (), "tag", -_ANY, _ANY, "added to the signal a day, in the unit of the tag"
    ),
    "frozen_signal": Kind((), "tag", -_ANY, _ANY, "not used: the last value is repeated"),
    "spikes": Kind((), "tag", -_ANY, _ANY, "size of single outliers, in the unit of the tag"),
    "missing_signal": Kind((), "tag", -_ANY, _ANY, "not used: there is no sample"),
    "lost_communication": Kind((), "area", -_ANY, _ANY, "not used: there is no sample"),
    "analyser_fault": Kind(
        (), "analyser", -_ANY, _ANY, "added to the held result, in the unit of the tag"
    ),
    "exchanger_fouling": Kind(
        EXCHANGER_NAMES, "", 0.0, 1.0, "a share of the clean heat transfer, lost"
    ),
    "exchanger_cleaning": Kind(EXCHANGER_NAMES, "", 0.0, 1.0, "a share of the fouling, removed"),
    "furnace_fouling": Kind(("H-101",), "", 0.0, 0.9, "a share of the coil's heat transfer, lost"),
    "burner_fault": Kind(("H-101",), "", -2.0, 10.0, "oxygen added to the flue gas, volume %"),
    "pump_trip": Kind(tuple(PUMPS), "", 0.0, 1.0, "a share of the flow, lost"),
    "crude_switch": Kind(CRUDE_NAMES, "", 0.0, 1.0, "a share of the crude, replaced"),
    "off_spec_crude": Kind(("light", "heavy"), "", 0.0, 1.0, "a share of the crude, contaminated"),
    "water_slug": Kind(("D-101",), "", 0.0, 15.0, "water added to the crude, mass %"),
    "flooding": Kind(("C-101",), "", 0.0, 1.0, "a share, 1 where trays hardly separate"),
    "tray_damage": Kind(("C-101", *SECTIONS), "", 0.0, 0.95, "a share of the sharpness, lost"),
    "heat_leak": Kind(("H-101", "C-101"), "", 0.0, 30.0, "heat lost, MW"),
    "product_leak": Kind(PRODUCT_TAGS, "", 0.0, 100.0, "lost before the meter, t/h"),
    "price_shock": Kind((), "price", -_ANY, _ANY, "added to the price, USD/bbl"),
    "demand_change": Kind((), "price", -1.0, 1.0, "a share of the demand, added"),
    "startup": Kind((UNIT,), "", 0.0, 1.0, "a share of the way from cold circulation"),
    "shutdown": Kind((UNIT,), "", 0.0, 1.0, "a share of the way to cold circulation"),
    "emergency": Kind(
        (UNIT,), "", 0.0, 1.0, "a share of the way to a tripped furnace and turndown"
    ),
    "maintenance_window": Kind(
        (*EXCHANGER_NAMES, "P-102", "P-103"), "", 0.0, 1.0, "a share, taken out of service"
    ),
}
"""Kind -> what it strikes and means."""
assert tuple(KINDS) == get_args(FaultKind)

COLD: dict[str, float] = {
    "FC101_SP": 200.0,
    "TC130_SP": 160.0,
    "TC201_SP": 70.0,
    "TC205_SP": 85.0,
    "TC202_SP": 100.0,
    "TC206_SP": 115.0,
    "TC203_SP": 130.0,
    "FC140_SP": 1.0,
    "FC211_SP": 200.0,
    "FC221_SP": 150.0,
    "PC201_SP": 118.0,
    "FC150_SP": 10.0,
}
"""Set points of cold circulation: crude goes round, nothing boils."""

TRIPPED: dict[str, float] = {
    "FC101_SP": 330.0,
    "TC130_SP": 235.0,
    "TC201_SP": 88.0,
    "TC205_SP": 110.0,
    "TC202_SP": 130.0,
    "TC206_SP": 160.0,
    "TC203_SP": 185.0,
    "FC140_SP": 3.0,
}
"""Where an emergency drives the controlled values: the furnace tripped and the feed turned down."""
