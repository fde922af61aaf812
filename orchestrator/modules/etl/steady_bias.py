"""An imbalance that stays: since when, how much, and what follows it.

A single balance cannot say which of its meters is wrong on one day. Over many days it can: a meter
that reads a share too high makes an imbalance that follows its own flow, and not that of the others.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.etl.reconciled import Explanation, SteadyBias
from orchestrator.modules.etl.steadiness import independent
from orchestrator.modules.frames import iso

Array = NDArray[np.float64]
Sides = list[tuple[str, Array]]
MAD_TO_SD = 1.4826
LEAST_DAYS = 14
GAP = np.timedelta64(20, "D")
PENALTY = 12.0
LEAST_BIAS = 0.01
SIGMAS = 4.0
WINSOR = 3.0
TWICE = 0.75
CREDIBLE_SCALE = 1.3


def find(
    times: NDArray[np.datetime64], inputs: Sides, outputs: Sides, usable: NDArray[np.bool_]
) -> tuple[SteadyBias, ...]:
    """Stretches whose median closure is off by more than 1 % and by four standard errors."""
    days = np.flatnonzero(usable)
    if len(days) < LEAST_DAYS:
        return ()
    into = np.sum([c for _, c in inputs], axis=0)[days]
    out = np.sum([c for _, c in outputs], axis=0)[days]
    closure = out / into
    found = []
    for first, last in _stretches(times[days], closure):
        part = slice(first, last)
        middle = float(np.median(closure[part]))
        spread = MAD_TO_SD * float(np.median(np.abs(closure[part] - middle)))
        error = 1.2533 * spread / np.sqrt(independent(closure[part]))
        if abs(middle - 1) < max(LEAST_BIAS, SIGMAS * error):
            continue
        found.append(
            SteadyBias(
                start=iso(times[days[first]]),
                end=iso(times[days[last - 1]]),
                periods=last - first,
                closure=middle,
                rate=float(np.median((out - into)[part])),
                explanations=_explanations(inputs, outputs, days[part], out[part] - into[part]),
            )
        )
    return tuple(found)


def _stretches(times: NDArray[np.datetime64], closure: Array) -> list[tuple[int, int]]:
    """Segments that do not reach over a gap in the data: the plant may have changed in it."""
    gaps = np.flatnonzero(np.diff(times) > GAP) + 1
    edges = [0, *gaps.tolist(), len(times)]
    found: list[tuple[int, int]] = []
    for first, last in itertools.pairwise(edges):
        if last - first >= LEAST_DAYS:
            found += [(first + a, first + b) for a, b in segments(closure[first:last])]
    return found


def segments(series: Array) -> list[tuple[int, int]]:
    """Stretches of constant level ``[first, last)``, by binary segmentation.

    A split is kept where it lowers the sum of squares about the levels, outliers pulled in, by
    more than 12 variances of one independent sample: chance alone rarely gives that over a year.
    """
    noise = (
        MAD_TO_SD * float(np.median(np.abs(np.diff(series) - np.median(np.diff(series))))) / 2**0.5
    )
    middle = np.median(series)
    reach = WINSOR * max(MAD_TO_SD * float(np.median(np.abs(series - middle))), noise)
    pulled = np.clip(series, middle - reach, middle + reach)
    # slow noise makes false steps: judged by the noise that its neighbours do not share
    variance = max(noise**2, 1e-18) * max(1.0, _slowness(pulled))
    done: list[tuple[int, int]] = []
    todo = [(0, len(series))]
    while todo:
        first, last = todo.pop()
        split = _best_split(pulled[first:last], variance)
        if split is None:
            done.append((first, last))
        else:
            todo += [(first, first + split), (first + split, last)]
    return sorted(done)


def _slowness(series: Array) -> float:
    steps = np.diff(series)
    centred = steps - steps.mean()
    power = float(centred @ centred)
    if power <= 0:
        return 1.0
    # white noise about a level has steps of correlation −0.5; slower noise less
    rho = float(centred[1:] @ centred[:-1]) / power
    return 1.0 + 8.0 * max(0.0, rho + 0.5)


def _best_split(series: Array, variance: float) -> int | None:
    count = len(series)
    if count < 2 * LEAST_DAYS:
        return None
    total = np.cumsum(series)
    index = np.arange(LEAST_DAYS, count - LEAST_DAYS + 1)
    left = total[index - 1] / index
    right = (total[-1] - total[index - 1]) / (count - index)
    gain = index * (count - index) / count * np.square(left - right)
    best = int(np.argmax(gain))
    return int(index[best]) if gain[best] > PENALTY * variance else None


def _explanations(
    inputs: Sides, outputs: Sides, days: NDArray[np.intp], imbalance: Array
) -> tuple[Explanation, ...]:
    """How well each meter's flow, or a constant, follows the imbalance (output minus input)."""
    middle = np.median(imbalance)
    reach = WINSOR * MAD_TO_SD * float(np.median(np.abs(imbalance - middle)))
    y = np.clip(imbalance, middle - reach, middle + reach) if reach > 0 else imbalance
    power = float(y @ y)
    if power <= 0:
        return ()
    candidates = [("scale", name, -c[days]) for name, c in inputs]
    candidates += [("scale", name, c[days]) for name, c in outputs]
    if len(inputs) > 1:
        candidates.append(("scale", "all inputs", -np.sum([c for _, c in inputs], axis=0)[days]))
    if len(outputs) > 1:
        candidates.append(("scale", "all outputs", np.sum([c for _, c in outputs], axis=0)[days]))
    candidates.append(("constant", "a constant flow", np.ones(len(y))))
    fits = []
    for kind, name, x in candidates:
        square = float(x @ x)
        if square <= 0:
            continue
        size = float(x @ y) / square
        rest = y - size * x
        left = float(rest @ rest)
        fits.append((left, kind, name, x, size, rest))
    least = min(left for left, *_ in fits)
    worth = min(independent(rest) for *_, rest in fits)
    found = []
    for left, kind, name, x, size, _ in fits:
        error = float(np.sqrt(left / max(1.0, worth - 1) / (float(x @ x) / len(x))))
        weight = float(np.exp(-0.5 * worth * np.log(max(left, 1e-300) / max(least, 1e-300))))
        # a meter that reads a third too much or more would have been noticed
        weight *= 1.0 if abs(size) < CREDIBLE_SCALE - 1 or kind == "constant" else 0.05
        found.append((weight, left, kind, name, size, error))
    total = sum(weight for weight, *_ in found)
    found.sort(key=lambda item: -item[0])
    return tuple(
        Explanation(
            kind="counted_twice" if kind == "scale" and abs(size - 1) < 1 - TWICE else kind,
            id=name,
            size=size,
            size_sd=error,
            explained=1 - left / power,
            confidence=round(weight / total, 4),
            text=_told(kind, name, size, error),
        )
        for weight, left, kind, name, size, error in found[:6]
    )


def _told(kind: str, name: str, size: float, error: float) -> str:
    if kind == "constant":
        return (
            f"{abs(size):.4g} ± {error:.2g} a period {'comes in' if size > 0 else 'is lost'} unmeasured, "
            "whatever the throughput"
        )
    if abs(size - 1) < 1 - TWICE:
        return f"{name} is counted twice: it is part of another stream"
    way = "high" if size > 0 else "low"
    verb = "read" if name.startswith("all ") else "reads"
    return f"{name} {verb} {100 * abs(size):.1f} ± {100 * error:.1f} % too {way}, or holds that much from elsewhere"
