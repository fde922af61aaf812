"""Columns beside the balances: which cannot be used and why, and which check a stream of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.etl.reconciled import Comparison, LeftOut
from orchestrator.modules.frames import Frame, iso
from orchestrator.plant.tags import Balance

Array = NDArray[np.float64]
STUCK_DAYS = 10
STUCK_RANGE = 0.004
UNIT_JUMP = 300.0
FOLLOWS = 0.85
LEAST_DAYS = 20
LIKE = (0.5, 2.0)


def stuck(column: Array) -> list[tuple[int, int]]:
    """Stretches ``(first, last)`` of ten values and more in which a meter hardly moves, zero apart."""
    present = np.flatnonzero(np.isfinite(column))
    series = column[present]
    found: list[tuple[int, int]] = []
    first = 0
    while first < len(series):
        last = first
        low = high = float(series[first])
        while last + 1 < len(series):
            low, high = min(low, series[last + 1]), max(high, series[last + 1])
            if high - low > STUCK_RANGE * max(abs(low), abs(high)):
                break
            last += 1
        if last - first + 1 >= STUCK_DAYS and series[first] != 0:
            begin, end = _trimmed(series, first, last)
            found.append((int(present[begin]), int(present[end])))
            first = last + 1
        else:
            first += 1
    return found


def _trimmed(series: Array, first: int, last: int) -> tuple[int, int]:
    """Without readings at the ends that only happen to lie near the frozen value."""
    part = series[first : last + 1]
    middle = float(np.median(part))
    spread = 1.4826 * float(np.median(np.abs(part - middle)))
    near = np.flatnonzero(np.abs(part - middle) <= max(5 * spread, 1e-9 * abs(middle)))
    return first + int(near[0]), first + int(near[-1])


def monthly(times: NDArray[np.datetime64], column: Array) -> bool:
    """Whether a column holds one value a month: no measurement of the day."""
    months = times.astype("datetime64[M]")
    present = np.isfinite(column)
    if present.sum() < 2 * STUCK_DAYS:
        return False
    return all(np.ptp(column[present & (months == m)]) == 0 for m in np.unique(months[present]))


def unit_change(column: Array) -> int | None:
    """Row at which the level jumps by a factor of 300 and more and stays there."""
    present = np.flatnonzero(np.isfinite(column) & (column > 0))
    if len(present) < 2 * STUCK_DAYS:
        return None
    series = np.log(column[present])
    for k in range(STUCK_DAYS, len(series) - STUCK_DAYS):
        if abs(series[k] - series[k - 1]) < np.log(UNIT_JUMP) / 4:
            continue
        before = float(np.median(series[max(0, k - 60) : k]))
        if abs(float(np.median(series[k : k + 60])) - before) > np.log(UNIT_JUMP):
            return int(present[k])
    return None


def unused(daily: Frame, ids: Sequence[str]) -> list[LeftOut]:
    """Columns outside the balances that say nothing, or not what their name says."""
    found: list[LeftOut] = []
    repeated: list[str] = []
    for name in daily.names:
        if name in ids:
            continue
        column = daily.column(name)
        jump = unit_change(column)
        if jump is not None:
            found.append(
                LeftOut(
                    id=name,
                    start=iso(daily.times[jump]),
                    end=None,
                    count=int(np.isfinite(column).sum()),
                    why=f"its level changes by a factor of {UNIT_JUMP:g} and more and stays there: "
                    "another unit, or another thing measured, so it is not used",
                )
            )
        elif monthly(daily.times, column):
            repeated.append(name)
        else:
            found += _standing(daily, name, column)
    if repeated:
        shown = ", ".join(repeated[:3]) + (
            f" and {len(repeated) - 3} more" if len(repeated) > 3 else ""
        )
        found.append(
            LeftOut(
                id=shown, start=None, end=None, count=len(repeated),
                why="one value a month, repeated on each day: no measurement of the day",
            )
        )  # fmt: skip
    return found


def _standing(daily: Frame, name: str, column: Array) -> list[LeftOut]:
    stretches = stuck(column)
    days = sum(int(np.isfinite(column[a : b + 1]).sum()) for a, b in stretches)
    if not stretches:
        return []
    return [
        LeftOut(
            id=name,
            start=iso(daily.times[stretches[0][0]]),
            end=iso(daily.times[stretches[-1][1]]),
            count=days,
            why=f"stands at {column[stretches[0][0]]:.5g} to within {100 * STUCK_RANGE:g} %: frozen, "
            "so it is no evidence",
        )
    ]


def comparisons(
    daily: Frame, balances: Sequence[Balance], ids: Sequence[str]
) -> tuple[Comparison, ...]:
    """For each usable column outside, the stream or side of a balance that it follows best."""
    inside: dict[str, Array] = {name: daily.column(name) for name in ids if name in daily.names}
    for balance in balances:
        for side in ("inputs", "outputs"):
            terms = [t for t in getattr(balance, side) if t.tag in inside]
            if len(terms) > 1:
                inside[f"all {side} of {balance.name}"] = np.nansum(
                    [t.factor * inside[t.tag] for t in terms], axis=0
                )
    found = []
    for name in daily.names:
        column = daily.column(name)
        if name in ids or monthly(daily.times, column) or stuck(column):
            continue
        best: Comparison | None = None
        for other, series in inside.items():
            compared = _compared(name, column, other, series)
            if compared and (best is None or compared.correlation > best.correlation):
                best = compared
        if best is not None:
            found.append(best)
    return tuple(found)


def _compared(name: str, column: Array, other: str, series: Array) -> Comparison | None:
    both = np.isfinite(column) & np.isfinite(series) & (series > 0)
    if both.sum() < LEAST_DAYS or np.std(column[both]) == 0 or np.std(series[both]) == 0:
        return None
    ratio = float(np.median(column[both] / series[both]))
    correlation = float(np.corrcoef(column[both], series[both])[0, 1])
    if correlation < FOLLOWS or not LIKE[0] <= ratio <= LIKE[1]:
        return None
    return Comparison(
        id=name,
        follows=other,
        correlation=correlation,
        difference=float(np.median(column[both] - series[both])),
        ratio=ratio,
        days=int(both.sum()),
    )
