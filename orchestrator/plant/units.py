"""Units as plants write them, and conversion between them with pint.

``normalise("m3/h")`` is ``"m**3/h"`` and ``normalise("°C")`` is ``"degC"``: what a plant file holds.
A word that narrows a unit without changing its size ("gauge", "mol", "wt") is not part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

_SPELLINGS = {
    "%": "percent",
    "pct": "percent",
    "deg c": "degC",
    "degc": "degC",
    "°c": "degC",
    "deg f": "degF",
    "degf": "degF",
    "°f": "degF",
    "c": "degC",
    "f": "degF",
    "barg": "bar",
    "bara": "bar",
    "kpag": "kPa",
    "kpaa": "kPa",
    "psig": "psi",
    "psia": "psi",
    "kscmh": "ksm3/h",
    "nm3/h": "sm3/h",
    "kg/cm2": "kgf/cm**2",
    "kg/cm2g": "kgf/cm**2",
    "bpd": "bbl/day",
    "b/d": "bbl/day",
    "kbd": "kbbl/day",
    "kbpd": "kbbl/day",
    "tph": "t/h",
    "-": "",
    "none": "",
    "n/a": "",
}
# Pint's own barrel is the US one of 31.5 gallons; in this trade a barrel is 42.
_DEFINITIONS = (
    "USD = [currency] = usd",
    "standard_meter_cubed = meter ** 3 = sm3",
    "barrel_of_oil = 42 * gallon = bbl = barrel",
)
_SORTS = {
    "temperature": ("temperature", ("degC",)),
    "pressure": ("pressure", ("bar",)),
    "flow": ("mass, volume or amount a time", ("t/h", "meter**3/h", "mol/s")),
}
_QUALIFIER = re.compile(
    r"\s*\(?\b(gauge|gage|absolute|abs|mol|mole|wt|vol|weight|volume|mass)\b\.?\)?\s*|"
    r"\b(mol|wt|vol)(?=\s*%)",
    re.IGNORECASE,
)
_BASES = {
    "gauge": r"gauge|gage|(bar|kpa|psi|cm2)g$",
    "absolute": r"abs|(bar|kpa|psi|cm2)a$",
    "mol": r"^mol(e)?%",
    "mass": r"^(wt|mass|weight)%",
    "volume": r"^vol(ume)?%",
}
_POWER = re.compile(r"(?<=[A-Za-z])([23])(?=$|[^0-9A-Za-z])")


def normalise(text: str) -> str:
    """``text`` in pint's spelling where it is known, else trimmed as it is; never an error."""
    trimmed = text.strip()
    key = trimmed.casefold()
    if key in _SPELLINGS:
        return _SPELLINGS[key]
    plain = _QUALIFIER.sub("", trimmed).strip(" ()[]")
    key = plain.casefold()
    if key in _SPELLINGS:
        return _SPELLINGS[key]
    if known(plain):
        return plain
    plain = plain.replace("³", "3").replace("²", "2").replace("·", "*")
    return _POWER.sub(r"**\1", plain)


def known(unit: str) -> bool:
    """Whether pint can read ``unit`` as it is spelled."""
    return _parse(unit) is not None


def misfit(unit: str, kind: str) -> str | None:
    """What a tag of ``kind`` is measured in, where ``unit`` (normalised, known) is not of that sort."""
    expected = _SORTS.get(kind)
    found = _parse(unit)
    if expected is None or found is None:
        return None
    name, examples = expected
    fits = any(found.dimensionality == _parse(example).dimensionality for example in examples)
    return None if fits else name


def alike(units: Iterable[str]) -> bool:
    """Whether normalised units measure the same sort of quantity; unknown ones are not judged."""
    parsed = [found for unit in units if (found := _parse(unit)) is not None]
    return len({str(found.dimensionality) for found in parsed}) <= 1


def conversion(given: str, wanted: str) -> tuple[float, float] | None:
    """``(scale, offset)`` so that ``wanted = scale * given + offset``; None if there is none.

    Spelling is normalised on both sides. Two spellings that pint does not know are convertible only
    when they are the same; gauge and absolute pressure, or mol and wt %, never are.
    """
    if _basis(given) and _basis(wanted) and _basis(given) != _basis(wanted):
        return None
    given, wanted = normalise(given), normalise(wanted)
    if given == wanted:
        return 1.0, 0.0
    source, target = _parse(given), _parse(wanted)
    if source is None or target is None or source.dimensionality != target.dimensionality:
        return None
    quantity = _registry().Quantity
    at_zero, at_one = (float(quantity(x, source).to(target).magnitude) for x in (0.0, 1.0))
    # Twelve digits drop what floating point adds to 9/5 and the like.
    return float(f"{at_one - at_zero:.12g}"), float(f"{at_zero:.12g}")


def _basis(text: str) -> str | None:
    """What a unit is relative to, where it says so."""
    plain = text.casefold().replace(" ", "")
    for basis, pattern in _BASES.items():
        if re.search(pattern, plain):
            return basis
    return None


@cache
def _registry() -> Any:
    """Pint's units with currency and standard gas volumes; gauge pressure stays as it is read."""
    import pint

    registry: Any = pint.UnitRegistry(cache_folder=None, on_redefinition="ignore")
    for definition in _DEFINITIONS:
        registry.define(definition)
    return registry


@cache
def _parse(unit: str) -> Any:
    if not unit:
        return None
    try:
        return _registry().Unit(unit)
    except Exception:  # noqa: BLE001  pint raises its own, token, assertion and type errors here
        return None
