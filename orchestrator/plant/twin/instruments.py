"""What the unit's instruments are: how fast each follows its steady state, and how noisy it is."""

from __future__ import annotations

from typing import NamedTuple


class Response(NamedTuple):
    """How a dependent tag follows its steady state.

    Attributes:
        lag: First-order time constant, min.
        dead: Dead time, min.
    """

    lag: float
    dead: float


RESPONSES: dict[str, Response] = {
    "FI301": Response(5.0, 2.0),
    "FI302": Response(6.0, 2.0),
    "FI307": Response(6.0, 2.0),
    "FI303": Response(7.0, 3.0),
    "FI308": Response(7.0, 3.0),
    "FI304": Response(8.0, 3.0),
    "FI305": Response(9.0, 3.0),
    "FI306": Response(10.0, 2.0),
    "FI151": Response(6.0, 1.0),
    "FI213": Response(5.0, 2.0),
    "FI141": Response(0.0, 0.0),
    "PI101": Response(0.0, 0.0),
    "AI101": Response(2.0, 6.0),
    "AI102": Response(2.0, 6.0),
    "AI150": Response(10.0, 8.0),
    "TI110": Response(4.0, 1.0),
    "TI111": Response(4.0, 1.0),
    "TI150": Response(6.0, 1.0),
    "TI112": Response(10.0, 2.0),
    "TI113": Response(6.0, 2.0),
    "TI102": Response(6.0, 2.0),
    "TI103": Response(8.0, 2.0),
    "TI104": Response(8.0, 2.0),
    "TI105": Response(8.0, 2.0),
    "TI211": Response(7.0, 2.0),
    "TI212": Response(5.0, 1.0),
    "TI221": Response(7.0, 2.0),
    "TI222": Response(5.0, 1.0),
    "TI313": Response(4.0, 1.0),
    "TI314": Response(4.0, 1.0),
    "TI318": Response(4.0, 1.0),
    "TI131": Response(4.0, 1.0),
    "TI132": Response(5.0, 1.0),
    "TI133": Response(3.0, 1.0),
    "AI130": Response(3.0, 1.0),
    "FI130": Response(4.0, 1.0),
    "FI131": Response(4.0, 1.0),
    "FI132": Response(4.0, 1.0),
    "PI130": Response(4.0, 1.0),
    "QI130": Response(4.0, 1.0),
    "PI201": Response(3.0, 0.0),
    "PI202": Response(3.0, 0.0),
    "PDI201": Response(2.0, 0.0),
    "TI204": Response(8.0, 3.0),
    "TI207": Response(5.0, 1.0),
    "TI208": Response(5.0, 1.0),
    "FI210": Response(5.0, 2.0),
    "QI210": Response(5.0, 2.0),
    "AI302": Response(10.0, 12.0),
    "AI307": Response(10.0, 14.0),
    "AI303": Response(10.0, 15.0),
    "AI313": Response(12.0, 15.0),
    "AI308": Response(12.0, 15.0),
    "AI304": Response(12.0, 15.0),
    "AI305": Response(12.0, 15.0),
    "AI306": Response(12.0, 10.0),
    "LB101": Response(4.0, 4.0),
    "LB302": Response(8.0, 4.0),
    "LB303": Response(8.0, 4.0),
    "LB313": Response(8.0, 4.0),
    "LB333": Response(8.0, 4.0),
    "LB304": Response(8.0, 4.0),
    "LB314": Response(8.0, 4.0),
    "LB324": Response(8.0, 4.0),
    "LB334": Response(8.0, 4.0),
    "LB306": Response(8.0, 4.0),
    "LB316": Response(8.0, 4.0),
}
"""Dependent tag -> how it follows."""

NOISE: dict[str, float] = {
    "FI101": 1.2,
    "TI101": 0.15,
    "AI101": 0.40,
    "AI102": 0.015,
    "PI101": 4.0,
    "FI150": 0.15,
    "FI151": 0.20,
    "AI150": 0.12,
    "TI110": 0.20,
    "TI111": 0.20,
    "TI150": 0.20,
    "TI112": 0.20,
    "TI113": 0.20,
    "TI102": 0.25,
    "TI103": 0.30,
    "TI104": 0.30,
    "TI105": 0.30,
    "TI211": 0.20,
    "TI212": 0.20,
    "TI221": 0.25,
    "TI222": 0.25,
    "TI313": 0.20,
    "TI314": 0.20,
    "TI318": 0.20,
    "TI130": 0.25,
    "TI131": 0.60,
    "TI132": 0.60,
    "TI133": 1.50,
    "AI130": 0.03,
    "FI130": 0.02,
    "FI131": 0.60,
    "FI132": 0.08,
    "PI130": 0.80,
    "QI130": 0.25,
    "FI140": 0.05,
    "FI141": 0.02,
    "PI201": 0.25,
    "PI202": 0.40,
    "PDI201": 0.25,
    "TI201": 0.15,
    "TI205": 0.15,
    "TI202": 0.20,
    "TI206": 0.20,
    "TI203": 0.20,
    "TI204": 0.25,
    "TI207": 0.25,
    "TI208": 0.20,
    "LI201": 0.25,
    "LI210": 0.25,
    "FI210": 1.2,
    "FI211": 1.5,
    "FI221": 1.5,
    "FI213": 0.12,
    "QI210": 0.20,
    "FI301": 0.12,
    "FI302": 0.40,
    "FI307": 0.20,
    "FI303": 0.35,
    "FI308": 0.25,
    "FI304": 0.35,
    "FI305": 0.30,
    "FI306": 1.10,
    "AI302": 0.50,
    "AI307": 0.50,
    "AI303": 0.30,
    "AI313": 0.30,
    "AI308": 0.60,
    "AI304": 0.60,
    "AI305": 0.80,
    "AI306": 0.50,
}
"""Tag -> standard deviation of measurement noise, in its unit."""

LOOPS: dict[str, tuple[str, float, float]] = {
    "FC101_SP": ("FI101", 1.5, 20.0),
    "TC130_SP": ("TI130", 0.35, 15.0),
    "TC201_SP": ("TI201", 0.25, 15.0),
    "TC205_SP": ("TI205", 0.25, 15.0),
    "TC202_SP": ("TI202", 0.30, 15.0),
    "TC206_SP": ("TI206", 0.30, 15.0),
    "TC203_SP": ("TI203", 0.35, 15.0),
    "FC140_SP": ("FI140", 0.06, 10.0),
    "FC211_SP": ("FI211", 2.0, 10.0),
    "FC221_SP": ("FI221", 2.0, 10.0),
    "PC201_SP": ("", 0.30, 10.0),
    "FC150_SP": ("FI150", 0.20, 10.0),
}
"""Set point -> controlled tag (empty where the tag is a response), and size (its unit) and memory (min) of
what the loop leaves."""


class Sampling(NamedTuple):
    """How the laboratory samples a property.

    Attributes:
        every_hours: Time between two samples.
        first_hours: Time of the first sample after midnight (UTC).
        delay_hours: Least and most time from sample to result.
        noise: Standard deviation of the method's reproducibility, in the tag's unit.
    """

    every_hours: float
    first_hours: float
    delay_hours: tuple[float, float]
    noise: float


LABORATORY: dict[str, Sampling] = {
    "LB101": Sampling(24.0, 6.0, (4.0, 9.0), 0.02),
    "LB302": Sampling(12.0, 6.0, (1.5, 4.0), 1.2),
    "LB303": Sampling(8.0, 6.0, (1.0, 3.0), 0.8),
    "LB313": Sampling(12.0, 6.0, (2.0, 5.0), 0.7),
    "LB333": Sampling(12.0, 6.0, (1.0, 3.0), 0.3),
    "LB304": Sampling(8.0, 6.0, (1.5, 4.0), 1.8),
    "LB314": Sampling(8.0, 6.0, (1.0, 3.0), 0.3),
    "LB324": Sampling(24.0, 6.0, (3.0, 7.0), 0.01),
    "LB334": Sampling(24.0, 6.0, (3.0, 7.0), 1.5),
    "LB306": Sampling(24.0, 6.0, (2.0, 6.0), 0.6),
    "LB316": Sampling(24.0, 6.0, (4.0, 9.0), 0.04),
}
"""Laboratory tag -> how it is sampled."""
