"""Units as texts write them, read where they stand after a number."""

from __future__ import annotations

import re

from orchestrator.plant.units import normalise

UNITS: dict[str, str] = {
    **dict.fromkeys(
        ("°c", "degc", "deg c", "℃", "degrees celsius", "degree celsius", "celsius", "c"), "degC"
    ),
    **dict.fromkeys(("°f", "degf", "deg f", "℉", "degrees fahrenheit", "fahrenheit", "f"), "degF"),
    **dict.fromkeys(("k", "kelvin", "kelvins"), "K"),
    **dict.fromkeys(("degrees", "degree"), "degC"),
    **dict.fromkeys(
        ("%", "percent", "per cent", "pct", "percentage points", "percentage point", "pp"),
        "percent",
    ),
    **dict.fromkeys(("wt%", "wt %", "% by weight", "mass %", "mass%"), "wt%"),
    **dict.fromkeys(("vol%", "vol %", "% by volume"), "vol%"),
    **dict.fromkeys(("mol%", "mol %"), "mol%"),
    **dict.fromkeys(("bar", "bars"), "bar"),
    "barg": "barg",
    "bar(g)": "barg",
    "bar gauge": "barg",
    "bara": "bara",
    "mbar": "mbar",
    "kpa": "kPa",
    "mpa": "MPa",
    "pa": "Pa",
    "psi": "psi",
    "psig": "psig",
    "psia": "psia",
    "kg/cm2": "kg/cm2",
    **dict.fromkeys(
        ("m3", "m³", "m**3", "cubic metres", "cubic meters", "cubic metre"), "meter**3"
    ),
    **dict.fromkeys(("nm3", "nm³", "sm3", "sm³"), "sm3"),
    **dict.fromkeys(("t", "tonne", "tonnes", "ton", "tons", "mt"), "t"),
    "kt": "kt",
    **dict.fromkeys(("kg", "kilogram", "kilograms"), "kg"),
    **dict.fromkeys(("g", "gram", "grams"), "g"),
    **dict.fromkeys(("bbl", "bbls", "barrel", "barrels"), "bbl"),
    **dict.fromkeys(("kbbl", "thousand barrels"), "kbbl"),
    **dict.fromkeys(("bpd", "b/d", "bbl/d"), "bbl/day"),
    **dict.fromkeys(("kbd", "kb/d", "kbpd"), "kbbl/day"),
    "tph": "t/h",
    **dict.fromkeys(("usd", "$", "dollar", "dollars", "us dollars"), "USD"),
    **dict.fromkeys(("cent", "cents"), "0.01*USD"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "day"),
    **dict.fromkeys(("week", "weeks"), "week"),
    **dict.fromkeys(("month", "months"), "month"),
    **dict.fromkeys(("year", "years"), "year"),
    "w": "W",
    "kw": "kW",
    "mw": "MW",
    "kwh": "kWh",
    "mwh": "MWh",
    "gj": "GJ",
    "mj": "MJ",
    "kj": "kJ",
    "gcal": "Gcal",
    "mmbtu": "MBtu",
    "ppm": "ppm",
    "ppmw": "ppm",
    "mg/kg": "ppm",
    "mm": "mm",
    "cm": "cm",
    "m": "m",
    "cst": "cSt",
    "rpm": "rpm",
    "hz": "Hz",
}
"""Spellings, in lower case, and what :func:`orchestrator.plant.units.normalise` makes a unit of."""
_CASED = {"C": "degC", "F": "degF", "K": "K", "MW": "MW", "mW": "mW", "Mpa": "MPa"}
_SINGLE_CASED = {"c", "f", "k"}
PER = {
    **dict.fromkeys(("bbl", "barrel"), "bbl"),
    **dict.fromkeys(("h", "hr", "hour"), "h"),
    **dict.fromkeys(("day", "d"), "day"),
    **dict.fromkeys(("min", "minute"), "min"),
    **dict.fromkeys(("s", "sec", "second"), "s"),
    **dict.fromkeys(("week",), "week"),
    **dict.fromkeys(("month",), "month"),
    **dict.fromkeys(("year", "yr", "annum"), "year"),
    **dict.fromkeys(("t", "tonne", "ton", "mt"), "t"),
    **dict.fromkeys(("m3", "m³", "m**3", "cubic metre", "cubic meter"), "meter**3"),
    **dict.fromkeys(("kg",), "kg"),
    **dict.fromkeys(("gal", "gallon"), "gallon"),
    **dict.fromkeys(("°c", "degc", "degree"), "delta_degC"),
    **dict.fromkeys(("mmbtu",), "MBtu"),
}


def unit_after(clean: str, at: int) -> tuple[str, int]:
    """The unit that begins at ``at``, a ``/h`` or ``per hour`` included, and where it ends."""
    read = read_unit(clean, at)
    if read is None:
        return "", at
    unit, end = read
    per = PER_PATTERN.match(clean, end)
    if per is not None:
        unit, end = f"{unit}/{PER[per['per'].lower()]}", per.end()
    return unit, end


_UNIT_PATTERN = re.compile(
    rf"\s?-?(?P<unit>{'|'.join(re.escape(s) for s in sorted(UNITS, key=len, reverse=True))})(?![A-Za-zÀ-ÿ0-9_])",
    re.IGNORECASE,
)
PER_PATTERN = re.compile(
    rf"\s?(?:/|per\s|an?\s|each\s|every\s)\s?(?P<per>{'|'.join(re.escape(s) for s in sorted(PER, key=len, reverse=True))})(?![A-Za-z0-9_])",
    re.IGNORECASE,
)


def read_unit(clean: str, at: int) -> tuple[str, int] | None:
    match = _UNIT_PATTERN.match(clean, at)
    if match is None:
        return None
    written = match["unit"]
    if written in _CASED:
        return _CASED[written], match.end()
    if written in _SINGLE_CASED or (
        written in ("m", "g", "M", "D", "S", "H", "T", "W") and written.isupper()
    ):
        return None
    if written == "m" and re.match(r"\s+[a-z]", clean[match.end() :]):
        return None
    return UNITS[written.lower()], match.end()


def pint_unit(unit: str) -> str:
    """A unit of any spelling as ``plant.units`` wants it, slashes worked through."""
    if not unit or unit == "1":
        return ""
    if unit.lower() in UNITS:
        return UNITS[unit.lower()]
    head, slash, tail = unit.partition("/")
    if slash and head.lower() in UNITS:
        return f"{UNITS[head.lower()]}/{PER.get(tail.lower(), tail)}"
    return normalise(unit)
