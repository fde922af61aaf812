"""Forecast with a stored model while it is fresh and good; fit a new one when it is not.

A stored model is used again while the series only grew since, by no more than a twentieth, and the errors of
its forecasts on what came since (its live errors) are not half again as large as on its past. A version
that does worse on what came since than the version before it is withdrawn.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from orchestrator.modules.forecasting.candidate import Array
from orchestrator.modules.forecasting.intervals import spread
from orchestrator.modules.forecasting.selection import Selection, actual_after
from orchestrator.modules.forecasting.series import History
from orchestrator.modules.forecasting.store import (
    ModelStore,
    Stored,
    fingerprint,
    withdrawn,
)

GROWTH = 0.05
DRIFT = 1.5
LEAST_LIVE = 10
ROLLBACK = 0.9
KEPT_FIELDS = (
    "baseline",
    "ends",
    "errors",
    "failed",
    "mean",
    "scale",
    "shapes",
    "lower",
    "upper",
    "mae",
)


@dataclass(frozen=True, slots=True)
class Live:
    """How a stored model has done on values that came after it was fitted.

    Attributes:
        mae: Mean absolute error of all steps of all forecasts since, in the tag's unit.
        values: Number of errors in it.
        coverage_80, coverage_95: Share of the values inside the intervals.
    """

    mae: float
    values: int
    coverage_80: float
    coverage_95: float


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a selection comes from.

    Attributes:
        version: Version of the model.
        fitted_at: When it was fitted, ISO 8601 UTC.
        fingerprint: SHA-256 of what it was fitted to.
        reused: Whether it was fitted before this call.
        why: Why it was fitted anew; empty where it was reused.
        live: Its errors since, where there are any.
    """

    version: int
    fitted_at: str
    fingerprint: str
    reused: bool
    why: str
    live: Live | None


def selection_for(
    history: History,
    steps: int,
    store: ModelStore,
    key: str,
    now: datetime,
    fit: Callable[[], Selection],
) -> tuple[Selection, Origin]:
    """The stored selection carried on to the end of ``history``, or a new one from ``fit``."""
    versions = store.recall(key)
    why = "no model of this series is stored"
    fitting = [(item, item.rows_since(history)) for item in versions if not item.withdrawn]
    if fitting:
        current, new_rows = next((pair for pair in fitting if pair[1] is not None), fitting[0])
        if new_rows is None:
            why = "the history is not the one that the stored model was fitted to, continued"
        elif new_rows == 0 and current.same_plan(history):
            return _restored(current, history), _origin(current, None)
        elif new_rows > max(steps, GROWTH * len(history.values)):
            why = f"{new_rows} values have come since the stored model was fitted"
        else:
            best, live = _best(versions, current, history, new_rows, steps)
            if best is not current:
                versions = [withdrawn(v) if v is current else v for v in versions]
                store.keep(key, versions)
                current, new_rows = best, best.rows_since(history) or 0
            drifted = (
                live is not None
                and live.values >= max(LEAST_LIVE, 2 * steps)
                and live.mae > DRIFT * _past_mae(current)
            )
            if not drifted:
                return _carried(current, history, new_rows, steps), _origin(current, live)
            why = "the errors of the stored model have grown by half and more"
    found = fit()
    made = Stored(
        number=max((item.number for item in versions), default=0) + 1,
        fitted_at=now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        model=pickle.dumps(found.model, protocol=pickle.HIGHEST_PROTOCOL),
        fields={"name": found.model.name} | {name: getattr(found, name) for name in KEPT_FIELDS},
        values=history.values,
        known=history.inputs.known,
        past=history.inputs.past,
        last_time=history.last_time,
        season=history.season,
        fingerprint=fingerprint(history),
    )
    store.keep(key, [made, *versions])
    return found, replace(_origin(made, None), reused=False, why=why)


def _origin(stored: Stored, live: Live | None) -> Origin:
    return Origin(stored.number, stored.fitted_at, stored.fingerprint, True, "", live)


def _past_mae(stored: Stored) -> float:
    return float(stored.fields["mae"][stored.fields["name"]])


def _restored(stored: Stored, history: History) -> Selection:
    fields = {name: stored.fields[name] for name in KEPT_FIELDS}
    return Selection(history=history, model=stored.load(), **fields)


def _carried(stored: Stored, history: History, new_rows: int, steps: int) -> Selection:
    """The stored model's forecast from the end of a longer history.

    The errors since count for its intervals as those of its back-test do.
    """
    found = _restored(stored, history)
    mean = found.model.predict(history, [len(history.values)], steps)[0]
    since, errors = _errors_since(found, history, new_rows, steps)
    moved = found.ends + len(history.values) - new_rows - len(stored.values)
    ends = np.concatenate((moved, since))
    own = np.concatenate((found.errors[found.model.name], errors))
    known = np.isfinite(own).any(axis=1)
    profile, local, now = spread(own[known], ends[known], steps)
    return replace(
        found,
        mean=np.clip(mean, found.lower, found.upper),
        ends=ends[known],
        scale=profile * now,
        shapes=own[known] / (profile * local[:, None]),
    )


def _best(
    versions: list[Stored], current: Stored, history: History, new_rows: int, steps: int
) -> tuple[Stored, Live | None]:
    """The current version or the one before it, whichever did better on what came since."""
    live = _live(current, history, new_rows, steps)
    earlier = next(
        (
            item
            for item in versions
            if item.number < current.number
            and not item.withdrawn
            and item.rows_since(history) is not None
        ),
        None,
    )
    if live is None or earlier is None or live.values < max(LEAST_LIVE, 2 * steps):
        return current, live
    before = _live(earlier, history, new_rows, steps)
    if before is not None and before.mae < ROLLBACK * live.mae:
        return earlier, before
    return current, live


def _live(stored: Stored, history: History, new_rows: int, steps: int) -> Live | None:
    """Errors of the forecasts that the stored model makes from each of the last ``new_rows`` origins."""
    found = _restored(stored, history)
    _, signed = _errors_since(found, history, new_rows, steps)
    known = np.isfinite(signed)
    if not known.any():
        return None
    within = {
        name: ((signed >= found.offset(low)) & (signed <= found.offset(high)))[known].mean()
        for name, low, high in (("80", 0.1, 0.9), ("95", 0.025, 0.975))
    }
    return Live(
        mae=float(np.abs(signed[known]).mean()),
        values=int(known.sum()),
        coverage_80=round(float(within["80"]), 4),
        coverage_95=round(float(within["95"]), 4),
    )


def _errors_since(
    found: Selection, history: History, new_rows: int, steps: int
) -> tuple[NDArray[np.intp], Array]:
    """The last ``new_rows`` origins, and actual minus forecast from each, NaN for what has not come."""
    size = len(history.values)
    ends = np.arange(size - new_rows, size)
    ends = ends[history.observed[ends - 1]]
    if len(ends) == 0:
        return ends, np.empty((0, steps))
    forecast = np.clip(
        found.model.predict(history, [int(end) for end in ends], steps), found.lower, found.upper
    )
    return ends, actual_after(history, ends, steps) - forecast
