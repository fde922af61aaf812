"""Meters that stand out, day by day: what each one read, and what the balances make of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.etl import least_squares
from orchestrator.modules.etl.reconciled import MeterPeriods, Periods

Array = NDArray[np.float64]
SURE_OF_BIAS = 0.4


def named(periods: Periods, ids: Sequence[str]) -> dict[str, list[int]]:
    """Meters that stand out -> the days on which they do, those with most days first.

    A meter that only a steady bias is laid to, with 40 % confidence and more, has no day of its own.
    """
    found: dict[str, list[int]] = {}
    for day, period in enumerate(periods.periods):
        if period.status == "stands_out":
            for name in period.suspects:
                found.setdefault(name, []).append(day)
    for bias in periods.steady_bias:
        for explanation in bias.explanations[:1]:
            if explanation.id in ids and explanation.confidence >= SURE_OF_BIAS:
                found.setdefault(explanation.id, [])
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def records(
    periods: Periods,
    ids: Sequence[str],
    coefficients: Array,
    values: Array,
    sd: Array,
) -> tuple[MeterPeriods, ...]:
    """The record of each meter that stands out.

    Each steady day is reconciled by itself. The likeliest suspect of a day that stands out is not used on
    that day: its reconciled value is what the other meters say of it.

    Args:
        coefficients: Balances ``(m, n)``.
        values: Readings ``(days, n)``, NaN where missing.
        sd: Standard deviation of a reading of a day ``(n,)``, NaN where it is not known.
    """
    meters = named(periods, ids)
    if not meters:
        return ()
    best, spread = np.full(values.shape, np.nan), np.full(values.shape, np.nan)
    for day, period in enumerate(periods.periods):
        used = np.isfinite(values[day]) & np.isfinite(sd)
        if period.status == "stands_out" and period.suspects:
            used[ids.index(period.suspects[0])] = False
        if period.status in ("closes", "stands_out") and used.any():
            best[day], spread[day] = _reconciled(coefficients, values[day], sd, used)
    return tuple(
        MeterPeriods(
            id=name,
            measured=_listed(values[:, ids.index(name)]),
            reconciled=_listed(best[:, ids.index(name)]),
            reconciled_sd=_listed(spread[:, ids.index(name)]),
            flagged=tuple(periods.periods[day].start for day in days),
        )
        for name, days in meters.items()
    )


def _reconciled(
    coefficients: Array, values: Array, sd: Array, used: NDArray[np.bool_]
) -> tuple[Array, Array]:
    best, spread = np.full(len(values), np.nan), np.full(len(values), np.nan)
    problem = least_squares.Problem(
        measured=coefficients[:, used],
        unmeasured=coefficients[:, ~used],
        constants=np.zeros(len(coefficients)),
        values=values[used],
        sd=sd[used],
    )
    solution = least_squares.solve(problem)
    best[used], best[~used] = solution.measured, solution.unmeasured
    spread[used] = sd[used] * np.sqrt(1.0 - np.square(solution.adjustment_sd))
    spread[~used] = solution.estimate_sd
    return best, spread


def _listed(column: Array) -> tuple[float | None, ...]:
    return tuple(float(value) if np.isfinite(value) else None for value in column)
