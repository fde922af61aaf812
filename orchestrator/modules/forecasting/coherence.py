"""Forecasts that keep the plant's balances: products add up to feed.

Each step's forecasts are moved to the nearest point at which the balances hold, nearest in units of what is
known of their errors: minimum-trace reconciliation (MinT, Wickramasuriya et al. 2019) with the covariance of
past errors shrunk towards its diagonal (Schäfer and Strimmer 2005). A balance is kept as the data keeps it:
meters that close to 103 % in the past are forecast to close to 103 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from orchestrator.errors import ParameterError
from orchestrator.modules.forecasting.candidate import Array
from orchestrator.modules.forecasting.models import BalanceKept
from orchestrator.modules.forecasting.selection import Selection
from orchestrator.modules.frames import Frame
from orchestrator.plant.tags import Plant

RECENT_ROWS = 30
MIN_ROWS = 10
MOST_OPEN = 0.15


@dataclass(frozen=True, slots=True)
class Sum:
    """Columns with their factors: positive for what goes in, negative for what comes out."""

    name: str
    factors: Mapping[str, float]


def coherent(
    selections: Mapping[str, Selection],
    frame: Frame,
    plant: Plant,
    sums: Mapping[str, tuple[str, ...]],
    refused: Mapping[str, str],
) -> tuple[dict[str, Selection], dict[str, BalanceKept], list[str]]:
    """The selections moved so that balances hold, which ones were kept, and why others were not.

    A balance of the plant is kept where each of its columns is forecast or known ahead. ``sums`` names
    further ones: total -> parts.

    Raises:
        ParameterError: a total or part of ``sums`` is neither forecast nor known ahead.
    """
    known = _known(selections)
    usable: list[tuple[Sum, float]] = []
    notes: list[str] = []
    for item in _candidates(selections, known, plant, sums, refused):
        share = _usual_share(frame, item)
        ends = {selections[name].history.last_time for name in item.factors if name in selections}
        if len(ends) > 1:
            notes.append(f"balance {item.name} was not kept: its columns end at different times")
        elif share is None:
            notes.append(f"balance {item.name} was not kept: too few rows have all its columns")
        elif abs(share - 1) > MOST_OPEN:
            notes.append(
                f"balance {item.name} was not kept: in the data what comes out is "
                f"{100 * share:.0f} % of what goes in"
            )
        else:
            usable.append((item, share))
    moved = dict(selections)
    if usable:
        moved = _moved(moved, known, usable)
    kept = {
        item.name: BalanceKept(
            out_pct_of_in=round(100 * share, 3),
            largest_move_pct=_largest_move(selections, moved, item),
        )
        for item, share in usable
    }
    return moved, kept, notes


def _known(selections: Mapping[str, Selection]) -> dict[str, Array]:
    """Known inputs by name, over the steps ahead."""
    found: dict[str, Array] = {}
    for item in selections.values():
        inputs = item.history.inputs
        if inputs.known is not None:
            ahead = inputs.known[len(item.history.values) :]
            found |= {name: ahead[:, i] for i, name in enumerate(inputs.known_names)}
    return found


def _candidates(
    selections: Mapping[str, Selection],
    known: Mapping[str, Array],
    plant: Plant,
    sums: Mapping[str, tuple[str, ...]],
    refused: Mapping[str, str],
) -> Iterator[Sum]:
    for total, parts in sums.items():
        lacking = [n for n in (total, *parts) if n not in selections and n not in known]
        if lacking:
            why = next((refused[name] for name in lacking if name in refused), None)
            raise ParameterError(
                f"{', '.join(lacking)} is neither forecast nor known ahead",
                where=f"sums.{total}",
                why=why,
                remedy="add it to targets or known_future, or leave it out of the sum",
            )
        yield Sum(total, {total: 1.0} | dict.fromkeys(parts, -1.0))
    for balance in plant.balances:
        if balance.kind == "energy":
            continue
        factors: dict[str, float] = {}
        for sign, terms in ((1.0, balance.inputs), (-1.0, balance.outputs)):
            for term in terms:
                factors[term.tag] = factors.get(term.tag, 0.0) + sign * term.factor
        forecast = [name for name in factors if name in selections]
        if len(forecast) > 1 and all(n in selections or n in known for n in factors):
            yield Sum(balance.name, factors)


def _usual_share(frame: Frame, item: Sum) -> float | None:
    """What comes out over what goes in, over the newest rows that have all columns."""
    if any(name not in frame.names for name in item.factors):
        return None
    columns = np.column_stack([frame.column(name) for name in item.factors])
    rows = columns[np.isfinite(columns).all(axis=1)][-RECENT_ROWS:]
    factors = np.array(list(item.factors.values()))
    into = float((rows[:, factors > 0] @ factors[factors > 0]).sum())
    out = -float((rows[:, factors < 0] @ factors[factors < 0]).sum())
    return out / into if len(rows) >= MIN_ROWS and into > 0 else None


def _moved(
    selections: dict[str, Selection], known: Mapping[str, Array], usable: list[tuple[Sum, float]]
) -> dict[str, Selection]:
    names = [name for name in selections if any(name in item.factors for item, _ in usable)]
    forecast = np.column_stack([selections[name].mean for name in names])
    steps = len(forecast)
    weights = np.zeros((len(usable), len(names)))
    right = np.zeros((steps, len(usable)))
    for row, (item, share) in enumerate(usable):
        for name, factor in item.factors.items():
            scaled = factor * share if factor > 0 else factor
            if name in names:
                weights[row, names.index(name)] = scaled
            else:
                right[:, row] -= scaled * known[name]
    covariance = _covariance([selections[name] for name in names])
    gain = covariance @ weights.T @ np.linalg.pinv(weights @ covariance @ weights.T)
    adjusted = forecast + (right - forecast @ weights.T) @ gain.T
    found = dict(selections)
    for column, name in enumerate(names):
        before = selections[name]
        mean = np.clip(adjusted[:, column], before.lower, before.upper)
        found[name] = replace(before, mean=mean)
    return found


def _covariance(items: list[Selection]) -> Array:
    """Covariance of the errors, correlations shrunk by as much as they are uncertain."""
    errors = [item.errors[item.model.name] for item in items]
    scales = np.array([float(np.sqrt(np.nanmean(e**2))) or 1e-12 for e in errors])
    if len({e.shape for e in errors}) > 1 or len(items) == 1:
        return np.diag(scales**2)
    rows = np.column_stack([e.ravel() for e in errors])
    rows = rows[np.isfinite(rows).all(axis=1)] / scales
    count = len(rows)
    if count < 2 * len(items):
        return np.diag(scales**2)
    products = rows[:, :, None] * rows[:, None, :]
    correlation = products.mean(axis=0)
    uncertain = products.var(axis=0) / (count / errors[0].shape[1])
    off = ~np.eye(len(items), dtype=np.bool_)
    size = float((correlation[off] ** 2).sum())
    shrink = min(1.0, float(uncertain[off].sum()) / size) if size > 0 else 1.0
    shrunk = np.where(off, (1 - shrink) * correlation, correlation)
    found: Array = shrunk * np.outer(scales, scales)
    return found


def _largest_move(
    before: Mapping[str, Selection], after: Mapping[str, Selection], item: Sum
) -> float:
    moves = [
        float(
            np.max(np.abs(after[name].mean - before[name].mean))
            / max(float(np.mean(np.abs(before[name].mean))), 1e-12)
        )
        for name in item.factors
        if name in before
    ]
    return round(100 * max(moves), 3)
