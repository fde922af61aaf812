"""What a model may know besides the target's own past: known-future inputs and past inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import DataError, InsufficientDataError, ParameterError
from orchestrator.modules.frames import Frame, iso

if TYPE_CHECKING:
    from orchestrator.modules.forecasting.series import History

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Columns beside a target, on the rows of its history.

    Attributes:
        known_names: Columns whose values are known for the horizon (planned feed, calendar).
        known: Their values on the history and the steps ahead, ``(n + steps, len(known_names))``.
        past_names: Columns known only up to now.
        past: Their values on the history, the last one known carried forward, ``(n, len(past_names))``.
    """

    known_names: tuple[str, ...] = ()
    known: Array | None = None
    past_names: tuple[str, ...] = ()
    past: Array | None = None


NO_INPUTS = Inputs()


def with_inputs(
    history: History,
    frame: Frame,
    steps: int,
    known_names: Sequence[str],
    past_names: Sequence[str],
) -> History:
    """The history with its inputs; rows whose known inputs are missing no longer count as observed.

    Raises:
        UnknownTagError: the data has no such column.
        ParameterError: the target is among the known inputs.
        DataError: an input is infinite.
        InsufficientDataError: a known input has no value for some step of the horizon, or a past input
            has none at all.
    """
    if history.tag in known_names:
        raise ParameterError(
            f"{history.tag!r} is a target and cannot be known ahead",
            where="known_future",
            remedy="name other columns, whose rows reach past the target's last value",
        )
    past_names = tuple(name for name in past_names if name not in (history.tag, *known_names))
    if not known_names and not past_names:
        return history
    at = history.steps_from_last(frame.times)
    known, complete = _known(history, frame, steps, known_names, at)
    past = []
    for name in past_names:
        carried = _carried(_on_rows(frame, name, history.kept, at), name)
        complete &= np.isfinite(carried)
        past.append(np.nan_to_num(carried, nan=float(np.nanmean(carried))))
    return replace(
        history,
        observed=history.observed & complete,
        inputs=Inputs(
            tuple(known_names),
            known,
            past_names,
            np.column_stack(past) if past else None,
        ),
    )


def _known(
    history: History, frame: Frame, steps: int, names: Sequence[str], at: NDArray[np.intp]
) -> tuple[Array | None, NDArray[np.bool_]]:
    complete = np.ones(len(history.values), dtype=np.bool_)
    if not names:
        return None, complete
    columns = []
    ahead = np.arange(1, steps + 1)
    for name in names:
        future = _on_rows(frame, name, ahead, at)
        lacking = np.flatnonzero(np.isnan(future))
        if len(lacking):
            first = history.future(steps)[lacking[0]]
            raise InsufficientDataError(
                f"{name} is to be known ahead and has no value at {iso(first)} "
                f"({len(lacking)} of {steps} steps lack one)",
                where="known_future",
                why=f"the last value of {history.tag} is at {iso(history.last_time)}",
                remedy="give a row with its planned value for each step of the horizon, leave it out "
                "of known_future, or give a shorter horizon",
            )
        past = _on_rows(frame, name, history.kept, at)
        missing = np.isnan(past)
        complete &= ~missing
        rows = np.arange(len(past))
        if missing.all():
            raise InsufficientDataError(
                f"{name} has no value in the past of {history.tag}",
                where="known_future",
                remedy="give its past values too, so that its effect can be learned",
            )
        columns.append(np.concatenate((np.interp(rows, rows[~missing], past[~missing]), future)))
    return np.column_stack(columns), complete


def _on_rows(frame: Frame, name: str, wanted: NDArray[np.intp], at: NDArray[np.intp]) -> Array:
    """Mean of the column's values at each wanted step from the last value, NaN where there is none."""
    raw = frame.column(name)
    if np.isinf(raw).any():
        raise DataError(
            f"{int(np.isinf(raw).sum())} values are infinite",
            where=name,
            remedy="correct them, or leave them empty so that they count as missing",
        )
    present = np.isfinite(raw)
    if not present.any():
        return np.full(len(wanted), np.nan)
    steps, index = np.unique(at[present], return_inverse=True)
    means = np.bincount(index, weights=raw[present]) / np.bincount(index)
    place = np.minimum(np.searchsorted(steps, wanted), len(steps) - 1)
    return np.where(steps[place] == wanted, means[place], np.nan)


def _carried(values: Array, name: str) -> Array:
    """The last value known at each row, NaN before the first."""
    present = np.isfinite(values)
    if not present.any():
        raise InsufficientDataError(
            f"{name} has no value in the past of the target",
            where="inputs",
            remedy="leave it out, or give its past values",
        )
    last = np.maximum.accumulate(np.where(present, np.arange(len(values)), -1))
    return np.where(last >= 0, values[np.maximum(last, 0)], np.nan)
