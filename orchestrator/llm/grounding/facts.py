"""One known number, and what the names of fields say of the numbers that they hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Role = Literal["value", "limit", "change", "count", "passage"]

FIELD_UNITS = (
    ("_usd_per_bbl", "USD/bbl"),
    ("_usd_per_hour", "USD/h"),
    ("_usd_per_h", "USD/h"),
    ("_usd_per_day", "USD/day"),
    ("_usd_per_t", "USD/t"),
    ("_usd", "USD"),
    ("_pct_per_hour", "percent/h"),
    ("_pct", "percent"),
    ("_percent", "percent"),
    ("_minutes", "min"),
    ("_seconds", "s"),
    ("_hours", "h"),
    ("_days", "day"),
    ("_degc", "degC"),
    ("_bar", "bar"),
    ("_t_per_h", "t/h"),
    ("_m3_per_h", "meter**3/h"),
    ("_bpd", "bbl/day"),
    ("_kbd", "kbbl/day"),
)
DIMENSIONLESS = re.compile(
    r"(?:score|share|health|probability|confidence|ratio|zscore|index|rate|count|tags|rows|samples|number|factor|coverage|r2|depth)$"
)
SHARES = re.compile(r"(?:score|share|health|probability|confidence|rate|coverage|fraction)$")
CHANGES = re.compile(
    r"change|trend|deviation|delta|gain|saving|drift|error|slope|shift|move_by|bias"
)
LIMITS = re.compile(
    r"limit|low_low|high_high|^low$|^high$|threshold|bound|min_allowed|max_allowed|target|spec"
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One number that is known.

    Attributes:
        value: In ``unit``.
        unit: As ``plant.units`` reads it; ``"1"`` where it has none, empty where that is not known.
        subject: Key of what it is about.
        words: Names of its fields, in lower case.
        role: What sort of number it is.
        source: Where it comes from: ``situation``, ``tag X at time``, ``forecasting.forecast``, a document.
        share: Whether it is a share of one, which may be said in percent.
    """

    value: float
    unit: str
    subject: str
    words: frozenset[str]
    role: Role
    source: str
    share: bool = False
