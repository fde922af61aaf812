"""What market series are, by the names that sources give them.

Series of the U.S. Energy Information Administration are known by their identifiers: ``RWTC`` and
``RBRTE`` are crude, ``…_DPG`` prices are USD per gallon, ``W…ST…1`` weekly stocks in thousand barrels,
``W…UPUS2`` product supplied and other ``W…2`` flows in thousand barrels a day; ``US`` is the United States
and ``P1`` to ``P5`` its districts (PADD).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.modules.analysis.models import Product, Role, SeriesRole

if TYPE_CHECKING:
    from orchestrator.plant.tags import Plant

UNITED_STATES = "U.S."
_DISTRICTS = {
    "US": UNITED_STATES,
    "P1": "PADD 1, East Coast",
    "P2": "PADD 2, Midwest",
    "P3": "PADD 3, Gulf Coast",
    "P4": "PADD 4, Rocky Mountain",
    "P5": "PADD 5, West Coast",
}
_WORDS_OF: dict[str, str] = {"diesel": "distillate", "jet": "jet fuel", "residue": "residual fuel"}


def words_of(product: Product) -> str:
    """A product as people name it."""
    return _WORDS_OF.get(product, product.replace("_", " "))


def _weekly(role: Role, product: Product | None, label: str, unit: str = "kbbl/d") -> SeriesRole:
    return SeriesRole(role=role, product=product, unit=unit, label=label, region=UNITED_STATES)


_EIA: dict[str, SeriesRole] = {
    "RWTC": SeriesRole(product="crude", unit="USD/bbl", label="WTI Cushing", region="Cushing"),
    "RBRTE": SeriesRole(product="crude", unit="USD/bbl", label="Brent", region="North Sea"),
    "W_EPC0_SAX_YCUOK_MBBL": SeriesRole(
        role="stock", product="crude", unit="kbbl", label="Cushing crude stocks", region="Cushing"
    ),
    "WPRUP_NUS_2": _weekly("demand", "propane", "U.S. propane demand"),
    "WRPUPUS2": _weekly("demand", None, "U.S. total products demand"),
    "WCRFPUS2": _weekly("flow", "crude", "U.S. crude output"),
    "WCREXUS2": _weekly("flow", "crude", "U.S. crude exports"),
    "WPRTP_NUS_2": _weekly("flow", "propane", "U.S. propane output"),
    "WPRIM_NUS-Z00_2": _weekly("flow", "propane", "U.S. propane imports"),
    "W_EPM0F_EEX_NUS-Z00_MBBLD": _weekly("flow", "gasoline", "U.S. gasoline exports"),
    "WPULEUS3": _weekly("flow", None, "U.S. refinery utilisation", "%"),
}
_EIA_WEEKLY: tuple[tuple[re.Pattern[str], Role, str], ...] = (
    (re.compile(r"W(?P<code>CE|GT|DI|KJ|RE|PR)ST(?P<place>US|P[1-5])1"), "stock", "stocks"),
    (re.compile(r"W(?P<code>GF|DI|KJ|RE)UP(?P<place>US)2"), "demand", "demand"),
    (re.compile(r"W(?P<code>GF|DI|KJ|RE)RP(?P<place>US|P[1-5])2"), "flow", "output"),
    (re.compile(r"W(?P<code>CE|GT|DI|KJ|RE)IM(?P<place>US|P[1-5])2"), "flow", "imports"),
    (re.compile(r"W(?P<code>GT|DI|KJ|RE)IM_R(?P<place>[1-5])0-Z00_2"), "flow", "imports"),
    (re.compile(r"W(?P<code>DI|KJ|RE)EX(?P<place>US)2"), "flow", "exports"),
    (re.compile(r"W(?P<code>CRRI)(?P<place>US|P[1-5])2"), "flow", "crude runs"),
)
_EIA_CODES: dict[str, Product] = {
    "CE": "crude",
    "GT": "gasoline",
    "GF": "gasoline",
    "DI": "diesel",
    "KJ": "jet",
    "RE": "residue",
    "PR": "propane",
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
_KINDS = {
    "EPMRU": "gasoline",
    "EPMRR": "reformulated gasoline",
    "EPD2F": "heating oil",
    "EPD2DXL0": "diesel",
    "EPD2DC": "CARB diesel",
    "EPJK": "jet fuel",
    "EPLLPA": "propane",
}
_EIA_SPOT = re.compile(r"EER_(?P<product>\w+?)_PF4_(?P<place>\w+)_DPG")
_EIA_FUTURES = re.compile(r"EER_(?P<product>\w+?)_PE(?P<contract>[1-4])_(?P<place>\w+)_DPG")
_WTI_FUTURES = re.compile(r"RCLC(?P<contract>[1-4])")
_CONTRACT = re.compile(r"(?:^|_)(?:m|c|month_?|contract_?)(?P<contract>\d{1,2})(?:_|$)")
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
_NO_PRICE = re.compile(r"yield|import|export|run|adjust|output|produc|capacity|utili[sz]|margin")
_STOCK = re.compile(r"stock|inventor")
_DEMAND = re.compile(r"demand|consumption|supplied")
PREFERRED = (
    "EER_EPMRU_PF4_Y35NY_DPG",
    "EER_EPD2DXL0_PF4_Y35NY_DPG",
    "EER_EPMRU_PF4_RGC_DPG",
    "EER_EPD2DXL0_PF4_RGC_DPG",
    "EER_EPJK_PF4_RGC_DPG",
    "RWTC",
    "WCESTUS1",
    "WGTSTUS1",
    "WDISTUS1",
)
"""Series that come first where several are of one product: New York Harbor, as in the crack spreads that
are traded (futures on gasoline and diesel deliver there), then the Gulf Coast."""


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
        region=given.region or known.region,
        contract=given.contract or known.contract,
    )


def _known(name: str, plant: Plant) -> SeriesRole | None:
    identified = public(name)
    if identified is not None:
        return identified
    tag = plant.by_name.get(name)
    if tag is not None:
        if tag.kind != "price":
            return None
        return SeriesRole(
            product=product_of(f"{name} {tag.description}"),
            unit=tag.unit or None,
            label=tag.description or name,
        )
    plain = name.casefold().replace("-", "_").replace(" ", "_")
    product = product_of(plain)
    if product is None:
        return None
    if _STOCK.search(plain):
        return SeriesRole(role="stock", product=product, label=name)
    if _DEMAND.search(plain):
        return SeriesRole(role="demand", product=product, label=name)
    if _NO_PRICE.search(plain):
        return None
    unit = next((unit for pattern, unit in _UNITS if pattern.search(plain)), None)
    contract = _CONTRACT.search(plain)
    return SeriesRole(
        product=product,
        unit=unit,
        label=name,
        contract=int(contract["contract"]) if contract and int(contract["contract"]) else None,
    )


def public(name: str) -> SeriesRole | None:
    """An EIA series by its identifier."""
    if name in _EIA:
        return _EIA[name]
    crude = _WTI_FUTURES.fullmatch(name)
    if crude:
        number = int(crude["contract"])
        label = f"WTI futures, month {number}"
        return SeriesRole(product="crude", unit="USD/bbl", label=label, contract=number)
    spot = _EIA_SPOT.fullmatch(name) or _EIA_FUTURES.fullmatch(name)
    if spot:
        product = _EIA_PRODUCTS.get(spot["product"])
        place = _EIA_PLACES.get(spot["place"], spot["place"])
        number = int(spot.groupdict().get("contract") or 0)
        kind = (
            f"futures, month {number}" if number else _KINDS.get(spot["product"], product or name)
        )
        return SeriesRole(
            product=product,
            unit="USD/gal",
            label=f"{place} {kind}" if not number else f"{place} {product or name} {kind}",
            region=place,
            contract=number or None,
        )
    for pattern, role, what in _EIA_WEEKLY:
        found = pattern.fullmatch(name)
        if found:
            place = found["place"]
            region = _DISTRICTS[place if place in _DISTRICTS else f"P{place}"]
            product = _EIA_CODES.get(found["code"])
            words = f"{words_of(product)} {what}" if product else what
            if name == "WCESTUS1":
                words += " without reserve"
            return SeriesRole(
                role=role,
                product=product,
                unit="kbbl" if role == "stock" else "kbbl/d",
                label=f"{region} {words}",
                region=region,
            )
    return None


def product_of(text: str) -> Product | None:
    plain = text.casefold().replace(" ", "_")
    return next((product for word, product in _WORDS if word in plain), None)
