"""Which days of a balance are usable, which stand out, and which meter stands out with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.etl.reconciled import PeriodBalance
from orchestrator.modules.frames import iso

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Sides = list[tuple[str, Array]]
MAD_TO_SD = 1.4826
HALF_WINDOW = 15
STANDS_OUT = 4.0
LEAST_EXCESS = 0.02
SHARE_SIGMAS = 5.0
LEAST_SHARE = 0.025
MANY_MOVED = 3
FEED_STEP = 0.12
LEAST_INPUT = 0.3


@dataclass(frozen=True)
class Flags:
    """Closure of each day, NaN where incomplete, and what was made of it."""

    closure: Array
    usable: Mask
    median: float | None
    robust_sd: float | None
    periods: tuple[PeriodBalance, ...]


def judge(times: NDArray[np.datetime64], inputs: Sides, outputs: Sides) -> Flags:
    """Flag the days.

    A day is not steady when the input stepped by more than 12 % from the day before, or when three and
    more streams left their usual share together: a trip or a recirculation. A day stands
    out when its closure leaves the level usual about that time by 4 robust standard deviations and
    2 %; the meters that left their usual share by as much are named.
    """
    into, out = _total(inputs), _total(outputs)
    with np.errstate(invalid="ignore", divide="ignore"):
        closure = np.where(into > 0, out / into, np.nan)
    present = into[np.isfinite(into)]
    if len(present):
        closure[into < LEAST_INPUT * np.median(present)] = np.nan
    stepped = _stepped(times, into)
    unsteady = np.zeros(len(times), dtype=np.bool_)
    # twice: what is usual is found once with, and once without, the days that turn out unsteady
    for _ in range(2):
        shares, usual_shares, moves = _shares(inputs, outputs, ~unsteady)
        unsteady = np.isfinite(closure)
        unsteady &= stepped | ((moves >= SHARE_SIGMAS).sum(axis=1) >= MANY_MOVED)
    calm = np.where(unsteady, np.nan, closure)
    usual = _rolling(calm, HALF_WINDOW)
    spread = max(_robust_sd(calm - usual), 1e-6)
    excess = (closure - usual) / spread
    stands = np.isfinite(excess) & ~unsteady & (np.abs(excess) > STANDS_OUT)
    stands &= np.abs(closure - usual) > LEAST_EXCESS
    names = [name for name, _ in inputs + outputs]
    periods = [
        _period(
            iso(times[day]), float(into[day]), float(out[day]), float(closure[day]),
            float(usual[day]), float(excess[day]), bool(unsteady[day]), bool(stands[day]),
            names, moves[day], _missing(names, inputs + outputs, day),
            _suspects(day, names, len(inputs), shares, usual_shares, moves, closure, usual),
        )
        for day in range(len(times))
    ]  # fmt: skip
    usable = np.isfinite(closure) & ~unsteady & ~stands
    good = closure[usable]
    return Flags(
        closure=closure,
        usable=usable,
        median=float(np.median(good)) if len(good) else None,
        robust_sd=spread if len(good) else None,
        periods=tuple(periods),
    )


def _total(side: Sides) -> Array:
    found: Array = np.sum([column for _, column in side], axis=0)
    return found


def _rolling(series: Array, half: int) -> Array:
    """Median over a centred window of days, where at least a third of it has values."""
    padded = np.pad(series, half, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    enough = np.isfinite(windows).sum(axis=1) >= max(3, half // 2)
    found = np.full(len(series), np.nan)
    if enough.any():
        found[enough] = np.nanmedian(windows[enough], axis=1)
    return found


def _median(series: Array) -> float:
    present = series[np.isfinite(series)]
    return float(np.median(present)) if len(present) else float("nan")


def _robust_sd(series: Array) -> float:
    present = series[np.isfinite(series)]
    if not len(present):
        return 0.0
    return MAD_TO_SD * float(np.median(np.abs(present - np.median(present))))


def _stepped(times: NDArray[np.datetime64], into: Array) -> Mask:
    """Days whose input differs by more than 12 % from that of the day before."""
    found = np.zeros(len(into), dtype=np.bool_)
    following = np.diff(times.astype("datetime64[D]")) == np.timedelta64(1, "D")
    with np.errstate(invalid="ignore", divide="ignore"):
        step = np.abs(np.diff(into)) / into[:-1] > FEED_STEP
    found[1:] = following & step
    return found


def _shares(inputs: Sides, outputs: Sides, calm: Mask) -> tuple[Array, Array, Array]:
    """Each stream over the throughput, its usual level, and how far it is off in robust sd.

    The throughput of a day is the weighted median, over streams, of what each one says of it, so
    that no single meter that lies moves it.
    """
    columns = np.stack([column for _, column in inputs + outputs], axis=1)
    level = np.array([_median(columns[calm, j]) for j in range(columns.shape[1])])
    weight = np.abs(np.nan_to_num(level))
    yields = columns / np.where(weight > 0, level, 1.0)
    throughput = np.array([_weighted_median(row, weight) for row in yields])
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = columns / (throughput * weight[: len(inputs)].sum())[:, None]
    kept = np.where(calm[:, None], shares, np.nan)
    usual = np.stack([_rolling(kept[:, j], HALF_WINDOW) for j in range(shares.shape[1])], 1)
    off = shares - usual
    spread = np.array([_robust_sd(off[calm, j]) for j in range(off.shape[1])])
    floor = np.maximum(spread, LEAST_SHARE / SHARE_SIGMAS)
    return shares, usual, np.nan_to_num(np.abs(off) / floor)


def _weighted_median(values: Array, weight: Array) -> float:
    present = np.isfinite(values) & (weight > 0)
    if not present.any():
        return float("nan")
    order = np.argsort(values[present])
    total = np.cumsum(weight[present][order])
    return float(values[present][order][np.searchsorted(total, total[-1] / 2)])


def _missing(names: list[str], sides: Sides, day: int) -> list[str]:
    return [
        name for name, (_, column) in zip(names, sides, strict=True) if not np.isfinite(column[day])
    ]


def _suspects(
    day: int,
    names: list[str],
    inputs: int,
    shares: Array,
    usual_shares: Array,
    moves: Array,
    closure: Array,
    usual: Array,
) -> list[str]:
    """Meters whose own departure takes away at least half of the day's, the best first."""
    gap = closure[day] - usual[day]
    if not np.isfinite(gap) or gap == 0:
        return []
    sign = np.where(np.arange(len(names)) < inputs, -1.0, 1.0)
    off = sign * (shares[day] - usual_shares[day])
    left = np.abs(gap - off) / abs(gap)
    fits = (moves[day] >= SHARE_SIGMAS / 2) & (left < 0.5) & np.isfinite(off)
    return [names[j] for j in np.argsort(left) if fits[j]]


def _period(
    start: str, into: float, out: float, closure: float, usual: float, excess: float,
    unsteady: bool, stands: bool, names: list[str], moves: Array, missing: list[str],
    suspects: list[str],
) -> PeriodBalance:  # fmt: skip
    moved = [names[j] for j in np.argsort(-moves) if moves[j] >= SHARE_SIGMAS]
    why = None
    if not np.isfinite(closure):
        everything = len(missing) == len(names)
        why = (
            "no data"
            if everything
            else f"no value: {', '.join(missing)}"
            if missing
            else "no input"
        )
    elif unsteady:
        why = f"moved: {', '.join(moved[:5])}" if moved else "the input stepped"
    elif stands:
        why = "no meter stands out alone" if not suspects else f"{suspects[0]} is off by as much"
    status = (
        "incomplete"
        if not np.isfinite(closure)
        else "not_steady"
        if unsteady
        else "stands_out"
        if stands
        else "closes"
    )
    return PeriodBalance(
        start=start,
        input=_or_none(into),
        output=_or_none(out),
        closure=_or_none(closure),
        usual=_or_none(usual),
        excess_sd=_or_none(excess),
        status=status,
        suspects=tuple(suspects) if stands else tuple(moved[:5]) if unsteady else (),
        why=why,
    )


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
