"""What a tag probably is, from its name, description and unit."""

from __future__ import annotations

import re

from orchestrator.plant.tags import TagKind
from orchestrator.plant.units import conversion, normalise

# ISA-5.1: the first letter of the identification is the measured variable; a final V is a valve.
_ISA = re.compile(
    r"(?:^|[^A-Za-z])(?P<variable>[AFLPT])(?P<function>[CDEIQRSTY]{0,3}V?)[-_ ]?\d{2,}",
    re.IGNORECASE,
)
_ISA_VALVE = re.compile(r"(?:^|[^A-Za-z])[FHLPTX][CXY]?V[-_ ]?\d{1,}", re.IGNORECASE)
_ISA_KINDS: dict[str, TagKind] = {
    "F": "flow",
    "T": "temperature",
    "P": "pressure",
    "L": "level",
    "A": "analyser",
}
_WORDS: tuple[tuple[TagKind, str], ...] = (
    ("state", r"\b(mode|status|state|running|on off)\b"),
    ("valve", r"\b(valve|opening|damper)\b"),
    ("price", r"\b(prices?|spot|usd|dollars?)\b"),
    ("temperature", r"\b(temperatures?|temp)\b"),
    ("pressure", r"\b(pressures?|press|vacuum)\b"),
    ("level", r"\b(levels?|lvl)\b"),
    (
        "lab",
        r"\b(lab|laboratory|api|sulphur|sulfur|viscosity|octane|rvp|flash point|cloud point)\b",
    ),
    ("analyser", r"\b(analysis|analyser|analyzer|composition|component|concentration|ppm|ph)\b"),
    ("flow", r"\b(flow|flows|flowrate|flow rate|underflow|overflow|feed|throughput)\b"),
)
_UNITS: tuple[tuple[TagKind, tuple[str, ...]], ...] = (
    ("temperature", ("degC",)),
    ("pressure", ("kPa",)),
    ("flow", ("m**3/h", "kg/h", "mol/h")),
    ("price", ("USD", "USD/bbl", "USD/kg", "USD/J")),
)


def guess_kind(name: str, description: str = "", unit: str = "") -> TagKind:
    """The likeliest kind of a tag; ``other`` where nothing tells."""
    for kind, samples in _UNITS:
        if unit and any(conversion(unit, sample) for sample in samples):
            return kind
    text = f"{_as_words(description)} {_as_words(name)}".casefold()
    for kind, pattern in _WORDS:
        if re.search(pattern, text):
            # A flow is not measured in percent, but the valve that sets it is.
            is_valve = kind == "flow" and normalise(unit) == "percent"
            return "valve" if is_valve else kind
    if _ISA_VALVE.search(name):
        return "valve"
    match = _ISA.search(name)
    return _ISA_KINDS[match["variable"].upper()] if match else "other"


def _as_words(text: str) -> str:
    """``TotalKerosene_Flow`` as separate words."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return re.sub(r"[^A-Za-z0-9]+", " ", spaced)
