"""What market series are, by the names that sources give them.

Series of the U.S. Energy Information Administration are known by their identifiers: ``RWTC`` and
``RBRTE`` are crude, ``…_DPG`` prices are USD per gallon, ``W…STUS1`` weekly stocks of the United States
in thousand barrels and ``W…UPUS2`` product supplied in thousand barrels a day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.modules.analysis.models import Product, SeriesRole

if TYPE_CHECKING:
    from orchestrator.plant.tags import Plant

_EIA: dict[str, SeriesRole] = {
    "RWTC": SeriesRole(product="crude", unit="USD/bbl", label="WTI Cushing"),
    "RBRTE": SeriesRole(product="crude", unit="USD/bbl", label="Brent"),
    "WCESTUS1": SeriesRole(
        role="stock", product="crude", unit="kbbl", label="U.S. crude stocks without reserve"
    ),
    "WGTSTUS1": SeriesRole(
        role="stock", product="gasoline", unit="kbbl", label="U.S. gasoline stocks"
    ),
    "WDISTUS1": SeriesRole(
        role="stock", product="diesel", unit="kbbl", label="U.S. distillate stocks"
    ),
    "WKJSTUS1": SeriesRole(role="stock", product="jet", unit="kbbl", label="U.S. jet fuel stocks"),
    "WRESTUS1": SeriesRole(
        role="stock", product="residue", unit="kbbl", label="U.S. residual fuel stocks"
    ),
    "WPRSTUS1": SeriesRole(
        role="stock", product="propane", unit="kbbl", label="U.S. propane stocks"
    ),
    "WGFUPUS2": SeriesRole(
        role="demand", product="gasoline", unit="kbbl/d", label="U.S. gasoline demand"
    ),
    "WDIUPUS2": SeriesRole(
        role="demand", product="diesel", unit="kbbl/d", label="U.S. distillate demand"
    ),
    "WKJUPUS2": SeriesRole(role="demand", product="jet", unit="kbbl/d", label="U.S. jet demand"),
    "WREUPUS2": SeriesRole(
        role="demand", product="residue", unit="kbbl/d", label="U.S. residual fuel demand"
    ),
    "WPRUP_NUS_2": SeriesRole(
        role="demand", product="propane", unit="kbbl/d", label="U.S. propane demand"
    ),
    "WRPUPUS2": SeriesRole(role="demand", unit="kbbl/d", label="U.S. total products demand"),
}
_EIA_PRODUCTS: dict[str, Product] = {
    "EPMRU": "gasoline",
    "EPMRR": "gasoline",
    "EPD2F": "diesel",
    "EPD2DXL0": "diesel",
    "EPD2DC": "diesel",
    "EPJK": "jet",
    "EPLLPA": "propane",
}
_EIA_PLACES = {
    "RGC": "Gulf Coast",
    "Y35NY": "New York Harbor",
    "Y05LA": "Los Angeles",
    "Y44MB": "Mont Belvieu",
}
_EIA_SPOT = re.compile(r"EER_(?P<product>\w+?)_PF4_(?P<place>\w+)_DPG")
_WORDS: tuple[tuple[str, Product], ...] = (
    ("naphtha", "naphtha"),
    ("gasoline", "gasoline"),
    ("rbob", "gasoline"),
    ("gasoil", "gas_oil"),
    ("gas_oil", "gas_oil"),
    ("diesel", "diesel"),
    ("distillate", "diesel"),
    ("heating_oil", "diesel"),
    ("ulsd", "diesel"),
    ("jet", "jet"),
    ("kerosene", "jet"),
    ("propane", "propane"),
    ("residue", "residue"),
    ("fuel_oil", "residue"),
    ("wti", "crude"),
    ("brent", "crude"),
    ("crude", "crude"),
)
_UNITS = (
    (re.compile(r"usd_?/?(per_)?gal|dpg$|_gal\b|gal$"), "USD/gal"),
    (re.compile(r"usd_?/?(per_)?bbl|_bbl\b|bbl$"), "USD/bbl"),
)
_STOCK = re.compile(r"stock|inventor")
_DEMAND = re.compile(r"demand|consumption|supplied")
PREFERRED = ("EER_EPMRU_PF4_RGC_DPG", "EER_EPD2DXL0_PF4_RGC_DPG", "EER_EPJK_PF4_RGC_DPG", "RWTC")
"""Series that come first where several are of one product: those that price a Gulf Coast refinery."""


def classify(name: str, given: Mapping[str, SeriesRole], plant: Plant) -> SeriesRole | None:
    """What a column is: as given, by identifier, as a tag of the plant, or by its plain name.

    ``None`` where nothing tells. A unit is taken from identifier, tag or name and never guessed.
    """
    if name in given:
        return _completed(given[name], _known(name, plant))
    return _known(name, plant)


def _completed(given: SeriesRole, known: SeriesRole | None) -> SeriesRole:
    if known is None:
        return given
    return SeriesRole(
        role=given.role,
        product=given.product or known.product,
        unit=given.unit or known.unit,
        label=given.label or known.label,
    )


def _known(name: str, plant: Plant) -> SeriesRole | None:
    if name in _EIA:
        return _EIA[name]
    spot = _EIA_SPOT.fullmatch(name)
    if spot:
        product = _EIA_PRODUCTS.get(spot["product"])
        place = _EIA_PLACES.get(spot["place"], spot["place"])
        return SeriesRole(product=product, unit="USD/gal", label=f"{place} {product or name}")
    tag = plant.by_name.get(name)
    if tag is not None:
        if tag.kind != "price":
            return None
        return SeriesRole(
            product=_product(f"{name} {tag.description}"),
            unit=tag.unit or None,
            label=tag.description or name,
        )
    plain = name.casefold().replace("-", "_").replace(" ", "_")
    product = _product(plain)
    if product is None:
        return None
    if _STOCK.search(plain):
        return SeriesRole(role="stock", product=product, label=name)
    if _DEMAND.search(plain):
        return SeriesRole(role="demand", product=product, label=name)
    unit = next((unit for pattern, unit in _UNITS if pattern.search(plain)), None)
    return SeriesRole(product=product, unit=unit, label=name)


def _product(text: str) -> Product | None:
    plain = text.casefold().replace(" ", "_")
    return next((product for word, product in _WORDS if word in plain), None)
