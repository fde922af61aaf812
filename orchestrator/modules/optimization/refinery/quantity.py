"""The unit of a model's flows: a volume or a mass."""

from __future__ import annotations

import re
from typing import Literal

from orchestrator.plant.units import conversion

Basis = Literal["volume", "mass"]

_PER_DAY = re.compile(r"\s*(/|per)\s*(d|day)\s*$", re.IGNORECASE)
# The usual units, which need no unit library to be loaded.
_USUAL: dict[str, Basis] = {
    **dict.fromkeys(("bbl", "kbbl", "m3", "km3", "gal", "L"), "volume"),
    **dict.fromkeys(("t", "kt", "kilotonne", "kg"), "mass"),
}
_SPELLINGS = {"bpd": "bbl", "kbpd": "kbbl", "kbd": "kbbl", "kt": "kilotonne", "ktd": "kilotonne"}


def plain_unit(unit: str) -> str:
    """The unit without ``per day`` (``bbl/d`` is ``bbl``), in the spelling of the unit library."""
    plain = _PER_DAY.sub("", unit.strip())
    return _SPELLINGS.get(plain.casefold(), plain)


def basis_of(unit: str) -> Basis | None:
    """Whether a unit is of volume or mass; null for neither."""
    plain = plain_unit(unit)
    if plain in _USUAL:
        return _USUAL[plain]
    if conversion(plain, "m3") is not None:
        return "volume"
    return "mass" if conversion(plain, "t") is not None else None
