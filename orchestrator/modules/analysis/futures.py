"""Term structure: what later delivery costs against the nearest month."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.modules.analysis.facts import Evidence, TermStructure
from orchestrator.modules.analysis.series import Series

if TYPE_CHECKING:
    from orchestrator.modules.analysis.models import Product

FLAT_PCT = 1.0
ABSENT = (
    "No futures prices by delivery month are among the data, so nothing is said of contango or "
    "backwardation; give columns such as RCLC1 to RCLC4, or series with contract 1, 2, …"
)


def term_structures(series: Sequence[Series]) -> tuple[TermStructure, ...]:
    """One for each product and place with two delivery months, on the last date that all of them have.

    The carry is the continuous return from the first month to the last, a year: ln(F_n / F_m) over
    (n − m) / 12 years.
    """
    groups: dict[tuple[Product | None, str | None], dict[int, Series]] = {}
    for item in series:
        if item.contract is not None:
            groups.setdefault((item.product, item.region), {})[item.contract] = item
    found = []
    for (product, _), months in groups.items():
        if len(months) < 2:
            continue
        common = reduce(np.intersect1d, [item.times for item in months.values()])
        if len(common):
            found.append(_structure(product, dict(sorted(months.items())), common[-1]))
    return tuple(found)


def _structure(
    product: Product | None, months: dict[int, Series], time: np.datetime64
) -> TermStructure:
    prices = {
        number: float(item.values[np.searchsorted(item.times, time)])
        for number, item in months.items()
    }
    numbers = list(prices)
    first, last = prices[numbers[0]], prices[numbers[-1]]
    years = (numbers[-1] - numbers[0]) / 12
    carry = 100 * math.log(last / first) / years if first > 0 and last > 0 else None
    slope = carry if carry is not None else math.copysign(math.inf, last - first)
    unit = next(iter(months.values())).unit
    day = str(time.astype("datetime64[D]"))
    return TermStructure(
        product=product,
        date=day,
        shape="flat" if abs(slope) < FLAT_PCT else "contango" if slope > 0 else "backwardation",
        carry_pct=carry,
        prompt_spread=prices[numbers[0]] - prices[numbers[1]],
        unit=unit,
        prices=prices,
        evidence=tuple(
            Evidence(series=item.name, date=day, value=prices[number], unit=unit)
            for number, item in months.items()
        ),
    )
