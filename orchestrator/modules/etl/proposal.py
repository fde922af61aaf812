"""A balance proposed from the names of columns, for data that come without a plant file.

Only a proposal: it is returned with what was taken for what, and refused where it does not close to a
quarter. Columns that measure again what others do already, or that are part of another, are found in
the data and left out of the sums.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.frames import Frame
from orchestrator.plant.tags import Balance, Term

Array = NDArray[np.float64]
_NO_FLOW = re.compile(
    r"mean|median|plan|frac|month|price|temp|press|level|density|api\b|_api|sul|count|blend|"
    r"set_?point|_sp$|yield|quality",
    re.IGNORECASE,
)
_OUTPUT = re.compile(
    r"product|residue|naphtha|kero|jet|diesel|gas_?oil|lpg|distillate|bottoms|overhead|off_?gas",
    re.IGNORECASE,
)
_INPUT = re.compile(r"crude|feed|charge|intake|supply|_to_(cdu|unit|column|plant)", re.IGNORECASE)
_RETURNED = re.compile(r"_to_(cdu|unit|column|plant)(_|$)", re.IGNORECASE)
_ONWARD = re.compile(r"_to_(?!cdu|column|plant)", re.IGNORECASE)
_TOTAL = re.compile(r"total|product", re.IGNORECASE)
LEAST_COVERAGE = 0.6
LEAST_ROWS = 6
CREDIBLE = (0.75, 1.25)
TWICE = 0.9
AGREES = 0.1
PART_OF = 0.35
MOST_OF_SUM = 0.8


@dataclass(frozen=True)
class Proposal:
    """A balance and what was decided on the way."""

    balance: Balance
    notes: tuple[str, ...]


def propose(frame: Frame) -> Proposal | None:
    """The balance that the names suggest, or None where they suggest none that closes."""
    inputs: list[str] = []
    outputs: list[str] = []
    notes: list[str] = []
    for name in frame.names:
        column = frame.column(name)
        if _NO_FLOW.search(name) or np.isfinite(column).sum() < LEAST_ROWS:
            continue
        if _RETURNED.search(name) or (_INPUT.search(name) and not _OUTPUT.search(name)):
            inputs.append(name)
        elif _OUTPUT.search(name) and not _ONWARD.search(name):
            outputs.append(name)
    if any(_TOTAL.search(name) for name in outputs):
        outputs = [name for name in outputs if _TOTAL.search(name)]
    inputs, outputs = _covered(frame, inputs, notes), _covered(frame, outputs, notes)
    inputs = _without_repeats(frame, inputs, notes)
    if not inputs or not outputs:
        return None
    outputs = _without_parts(frame, inputs, outputs, notes)
    ratio = _closure(frame, inputs, outputs)
    if not CREDIBLE[0] <= ratio <= CREDIBLE[1]:
        return None
    notes.insert(
        0,
        "no balance was given; one was proposed from the columns' names, check it: "
        f"{' + '.join(inputs)} = {' + '.join(outputs)}",
    )
    balance = Balance(
        name="feed against products",
        inputs=tuple(Term(tag=name) for name in inputs),
        outputs=tuple(Term(tag=name) for name in outputs),
    )
    return Proposal(balance, tuple(notes))


def _sum(frame: Frame, names: list[str]) -> Array:
    found: Array = np.sum([frame.column(name) for name in names], axis=0)
    return found


def _closure(frame: Frame, inputs: list[str], outputs: list[str]) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = _sum(frame, outputs) / _sum(frame, inputs)
    ratio = ratio[np.isfinite(ratio)]
    return float(np.median(ratio)) if len(ratio) else float("nan")


def _covered(frame: Frame, names: list[str], notes: list[str]) -> list[str]:
    count = {name: int(np.isfinite(frame.column(name)).sum()) for name in names}
    most = max(count.values(), default=0)
    kept = [name for name in names if count[name] >= LEAST_COVERAGE * most]
    notes += [
        f"{name} has values in {count[name]} of {most} rows only: left out"
        for name in names
        if name not in kept
    ]
    return kept


def _without_repeats(frame: Frame, names: list[str], notes: list[str]) -> list[str]:
    """Without columns that are the sum of the others: a second meter of the same streams."""
    for name in names:
        others = [other for other in names if other != name]
        if len(others) < 1:
            continue
        column, rest = frame.column(name), _sum(frame, others)
        both = np.isfinite(column) & np.isfinite(rest) & (rest > 0)
        if both.sum() < LEAST_ROWS or np.std(column[both]) == 0 or np.std(rest[both]) == 0:
            continue
        level = float(np.median(column[both] / rest[both]))
        alike = float(np.corrcoef(column[both], rest[both])[0, 1])
        # two parallel trains are alike too: a sum has more than one large part
        largest = max(float(np.median(frame.column(other)[both])) for other in others)
        summed = largest < MOST_OF_SUM * float(np.median(rest[both]))
        if summed and abs(level - 1) < AGREES and alike > TWICE:
            notes.append(f"{name} measures the sum of the other inputs again: left out")
            return others
    return names


def _without_parts(
    frame: Frame, inputs: list[str], outputs: list[str], notes: list[str]
) -> list[str]:
    """Without outputs that are part of another one.

    Where such a column varies, the input does not follow it while it follows the others: its
    coefficient in the regression of input on outputs is near 0 and not near 1.
    """
    into = _sum(frame, inputs)
    while len(outputs) > 2:
        columns = np.stack([frame.column(name) for name in outputs], axis=1)
        rows = np.isfinite(into) & np.isfinite(columns).all(axis=1)
        x, y = columns[rows], into[rows]
        usual = np.abs(x.sum(axis=1) / y - np.median(x.sum(axis=1) / y)) < 0.25
        x, y = x[usual], y[usual]
        if len(x) < 5 * len(outputs):
            return outputs
        solved, *_ = np.linalg.lstsq(x, y, rcond=None)
        rest = y - x @ solved
        error = np.sqrt(
            np.diag(np.linalg.pinv(x.T @ x)) * float(rest @ rest) / max(1, len(x) - len(outputs))
        )
        share = np.median(x, axis=0) / np.median(y)
        ranged = np.quantile(x, 0.95, axis=0) - np.quantile(x, 0.05, axis=0)
        weak = (
            (solved + 3 * error < 1 - PART_OF)
            & (solved < PART_OF)
            & (np.maximum(share, ranged / np.median(y)) > 0.02)
        )
        without = np.abs(np.median((x.sum(axis=1, keepdims=True) - x) / y[:, None], axis=0) - 1)
        weak &= without <= abs(float(np.median(x.sum(axis=1) / y)) - 1) + 0.01
        if not weak.any():
            return outputs
        worst = int(np.argmin(np.where(weak, solved, np.inf)))
        notes.append(
            f"{outputs[worst]} is taken for part of another product: the feed does not follow it "
            f"(coefficient {solved[worst]:.2f} ± {error[worst]:.2f}, a stream of its own has 1)"
        )
        outputs = [name for i, name in enumerate(outputs) if i != worst]
    return outputs
