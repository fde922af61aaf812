"""ETTh1, the usual forecasting benchmark: errors of the direct linear model beside published ones.

The file is named in ``DAN_G_ETT`` (ETTh1 of zhouhaoyi/ETDataset, CSV). Months 1 to 12 are learned from, 13
to 16 choose between one linear map for each column and one shared by all, 17 to 20 are forecast from every
hour. Columns are standardised with the first twelve months; errors are means over columns and steps.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import pandas as pd

from orchestrator.modules.forecasting.direct import DirectLinear
from orchestrator.modules.forecasting.series import History

MONTH = 30 * 24
TRAIN, CHOOSE, TEST = 12 * MONTH, 16 * MONTH, 20 * MONTH
HORIZONS = (96, 192)
PUBLISHED = {
    (96, 96): {
        "DLinear": (0.386, 0.400),
        "RLinear": (0.386, 0.395),
        "iTransformer": (0.386, 0.405),
    },
    (96, 192): {
        "DLinear": (0.437, 0.432),
        "RLinear": (0.437, 0.424),
        "iTransformer": (0.441, 0.436),
    },
    (336, 96): {"DLinear": (0.375, 0.399), "PatchTST": (0.370, 0.400)},
    (336, 192): {"DLinear": (0.405, 0.416), "PatchTST": (0.413, 0.429)},
}
"""MSE and MAE by look-back and horizon. PatchTST's own look-back is 336 or 512, DLinear's 336."""


def run() -> dict[str, Any]:
    """MSE and MAE by look-back and horizon, ours and the published ones, and the seconds ours took."""
    path = os.environ.get("DAN_G_ETT")
    if path is None:
        return {"skipped": "name the file ETTh1.csv in DAN_G_ETT"}
    data = pd.read_csv(path).iloc[:TEST, 1:].to_numpy(dtype=np.float64)
    scaled = (data - data[:TRAIN].mean(axis=0)) / data[:TRAIN].std(axis=0)
    columns = [_history(scaled[:, i]) for i in range(scaled.shape[1])]
    figures: dict[str, Any] = {}
    as_good = True
    for (look_back, horizon), others in PUBLISHED.items():
        started = time.perf_counter()
        kind, ours = _ours(columns, look_back, horizon)
        head = f"look-back {look_back}, {horizon} ahead"
        figures[f"{head}: ours ({kind})"] = _pair(ours)
        figures[f"{head}: seconds"] = time.perf_counter() - started
        figures |= {f"{head}: {name}": _pair(errors) for name, errors in others.items()}
        linear = others["DLinear"]
        as_good &= round(ours[0], 3) <= linear[0] and round(ours[1], 3) <= linear[1]
    figures["last value repeated, 96 ahead"] = _pair(_last_value(columns, 96))
    return figures | {"within budget": as_good}


def _history(values: np.ndarray) -> History:
    rows = len(values)
    return History(
        tag="column",
        values=values,
        observed=np.ones(rows, dtype=np.bool_),
        seams=np.zeros(0, dtype=np.intp),
        last_time=np.datetime64("2018-01-01", "us"),
        period=3600.0,
        season=24,
        missing=0,
        bridged=0,
        kept=np.arange(rows) - (rows - 1),
        floors=False,
    )


def _ours(columns: list[History], look_back: int, horizon: int) -> tuple[str, tuple[float, float]]:
    shared = DirectLinear(look_back, horizon)
    shared.fit_many([(column, TRAIN) for column in columns])
    own = [DirectLinear(look_back, horizon) for _ in columns]
    for model, column in zip(own, columns, strict=True):
        model.fit(column, TRAIN)
    kinds = {"one map for all columns": [shared] * len(columns), "one map a column": own}
    choice = {
        kind: _errors(models, columns, TRAIN, CHOOSE, horizon)[0] for kind, models in kinds.items()
    }
    best = min(choice, key=lambda kind: choice[kind])
    return best, _errors(kinds[best], columns, CHOOSE, TEST, horizon)


def _errors(
    models: list[DirectLinear], columns: list[History], first: int, last: int, horizon: int
) -> tuple[float, float]:
    ends = list(range(first, last - horizon + 1))
    rows = np.asarray(ends)[:, None] + np.arange(horizon)
    errors = [
        model.predict(column, ends, horizon) - column.values[rows]  # noqa: PD011
        for model, column in zip(models, columns, strict=True)
    ]
    return _of(errors)


def _last_value(columns: list[History], horizon: int) -> tuple[float, float]:
    ends = np.arange(CHOOSE, TEST - horizon + 1)
    rows = ends[:, None] + np.arange(horizon)
    return _of([c.values[ends - 1][:, None] - c.values[rows] for c in columns])  # noqa: PD011


def _of(errors: list[np.ndarray]) -> tuple[float, float]:
    mse = float(np.mean([np.mean(e**2) for e in errors]))
    return mse, float(np.mean([np.mean(np.abs(e)) for e in errors]))


def _pair(errors: tuple[float, float]) -> str:
    return f"MSE {errors[0]:.3f}  MAE {errors[1]:.3f}"
