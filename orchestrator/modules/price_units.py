"""Units of prices by the volume."""

from __future__ import annotations

GALLONS_A_BARREL = 42.0
_BARREL = frozenset({"usd/bbl", "$/bbl", "usd/oil_bbl", "usd/barrel"})
_GALLON = frozenset({"usd/gal", "$/gal", "usd/gallon"})


def per_barrel(unit: str | None) -> float | None:
    """USD/bbl for one of the unit; ``None`` where that is no price by the barrel or gallon."""
    plain = (unit or "").replace(" ", "").casefold()
    return 1.0 if plain in _BARREL else GALLONS_A_BARREL if plain in _GALLON else None


def conversion(given: str, wanted: str) -> float | None:
    """Factor from one unit to another, 1 for two of one name; ``None`` where there is none."""
    if given.replace(" ", "").casefold() == wanted.replace(" ", "").casefold():
        return 1.0
    one, other = per_barrel(given), per_barrel(wanted)
    return None if one is None or other is None else one / other
