"""A real crude unit, product flows a week ahead from past moments, beside plain rules.

The daily file (dates, flows of two crude trains, product flows) is named in ``DAN_G_CRUDE_UNIT``. From each
origin (every ``DAN_G_EVERY``-th day, 3 by default) all products are forecast seven days ahead with what was
known then; days among the last 90 observed ones count. Twice: with the crude flows of the week known, as a
planner knows them, and with nothing known ahead.

The last figure is what the same data would have claimed with a shuffled split: boosted trees learn from days
on both sides of those they are tested on, which no forecast can do.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import pandas as pd

from orchestrator.modules.base import OperationContext
from orchestrator.modules.forecasting.forecast import select_all
from orchestrator.modules.forecasting.models import ForecastInput
from orchestrator.modules.forecasting.series import plan
from orchestrator.modules.frames import Frame
from orchestrator.plant.tags import Plant

FEED = ("Train_A_Raw_Crude_Flow", "Train_B_Raw_Crude_Flow")
PRODUCTS = (
    "Total_Stabilized_Naphtha_Product_Flowrate",
    "Total_Kerosene_Product_Flowrate",
    "Jet_Fuel_Product_Train1_Flowrate",
    "Total_Light_Diesel_Product_Flowrate",
    "Total_Heavy_Diesel_Product_Flowrate",
    "Total_Atmospheric_Residue_Flowrate",
)
STEPS = 7
TESTED_DAYS = 90
LEAST_GAIN = 0.08
INTERVALS = {"80": (0.1, 0.9), "95": (0.025, 0.975)}
MOST_OFF = 0.04


def run() -> dict[str, Any]:
    """WAPE and coverage in both settings, that of the plain rules, and the claim of a shuffled split."""
    path = os.environ.get("DAN_G_CRUDE_UNIT")
    if path is None:
        return {"skipped": "name the daily file of a crude unit in DAN_G_CRUDE_UNIT"}
    days = Days(path)
    planned = days.roll(known=True)
    blind = days.roll(known=False)
    gains = 1 - planned.wape() / planned.wape("rule")
    overall = 1 - planned.wape().mean() / planned.wape("rule").mean()
    against_last = blind.wape().mean() / blind.wape("last").mean()
    within = all(
        abs(share - float(name) / 100) <= MOST_OFF
        for item in (planned, blind)
        for name, share in item.coverage().items()
    )
    figures: dict[str, Any] = {
        "origins": planned.origins,
        "seconds a target and origin": planned.seconds / planned.origins / len(PRODUCTS),
    }
    for name, ours, rule, gain in zip(
        PRODUCTS, planned.wape(), planned.wape("rule"), gains, strict=True
    ):
        figures[f"feed known, {name}"] = f"{ours:.3f}, rule {rule:.3f}, {100 * gain:+.1f} %"
    return figures | {
        "feed known, mean WAPE": float(planned.wape().mean()),
        "feed known, median yield x feed": float(planned.wape("rule").mean()),
        "feed known, gain over it": float(overall),
        "feed known, products better by 8 %": int((gains >= LEAST_GAIN).sum()),
        "feed known, coverage": str(planned.coverage()),
        "nothing known, mean WAPE": float(blind.wape().mean()),
        "nothing known, last value": float(blind.wape("last").mean()),
        "nothing known, relative to last value": float(against_last),
        "nothing known, coverage": str(blind.coverage()),
        "a shuffled split would have claimed": days.shuffled(),
        "within budget": bool(
            (gains >= LEAST_GAIN).sum() >= 5 and overall >= LEAST_GAIN and against_last <= 1.0
        )
        and within,
    }


class Sums:
    """Sums of errors and hits by product."""

    def __init__(self) -> None:
        self._errors = {name: np.zeros(len(PRODUCTS)) for name in ("ours", "rule", "last")}
        self._actual = np.zeros(len(PRODUCTS))
        self._inside = dict.fromkeys(INTERVALS, 0)
        self._values = 0
        self.origins = 0
        self.seconds = 0.0

    def add(self, column: int, actual: np.ndarray, **forecasts: np.ndarray) -> None:
        """Forecasts of one product from one origin, with its interval bounds."""
        self._actual[column] += np.abs(actual).sum()
        for name, sums in self._errors.items():
            sums[column] += np.abs(actual - forecasts[name]).sum()
        for name in INTERVALS:
            inside = (actual >= forecasts[f"low_{name}"]) & (actual <= forecasts[f"high_{name}"])
            self._inside[name] += int(inside.sum())
        self._values += len(actual)

    def wape(self, of: Literal["ours", "rule", "last"] = "ours") -> np.ndarray:
        """Sum of absolute errors over sum of absolute values, by product."""
        return self._errors[of] / self._actual

    def coverage(self) -> dict[str, float]:
        """Share of all values inside the intervals."""
        return {name: round(hits / self._values, 4) for name, hits in self._inside.items()}


class Days:
    """The daily record."""

    def __init__(self, path: str) -> None:
        self._data = pd.read_csv(path, parse_dates=["date"])
        self._times = self._data["date"].to_numpy().astype("datetime64[us]")
        self._values = self._data[[*PRODUCTS, *FEED]].to_numpy(dtype=np.float64)
        self._feed = self._values[:, len(PRODUCTS) :].sum(axis=1)
        self._observed = np.flatnonzero(np.isfinite(self._values).all(axis=1))
        self._tested = self._observed[-TESTED_DAYS:]

    def roll(self, *, known: bool) -> Sums:
        """Forecast from every origin whose week lies in the record."""
        sums = Sums()
        every = int(os.environ.get("DAN_G_EVERY", "3"))
        count = len(PRODUCTS)
        asked = ForecastInput(targets=PRODUCTS, horizon=STEPS, known_future=FEED if known else ())
        context = OperationContext(now=datetime.now(UTC), plant=Plant())
        started = time.perf_counter()
        for origin in self._origins()[::every]:
            ahead = np.arange(origin + 1, origin + 1 + STEPS)
            counted = np.isin(ahead, self._tested)
            empty = np.full((STEPS, count), np.nan)
            coming = np.column_stack((empty, self._values[ahead, count:]))
            frame = Frame(
                np.concatenate((self._times[: origin + 1], self._times[ahead])),
                (*PRODUCTS, *FEED),
                np.concatenate((self._values[: origin + 1], coming)),
            )
            found = select_all(frame, PRODUCTS, plan(frame, STEPS, None), context, asked)
            week = self._observed[self._observed <= origin][-7:]
            yields = np.median(self._values[week, :count] / self._feed[week, None], axis=0)
            for column, product in enumerate(PRODUCTS):
                ours = found.selections[product]
                bounds = {
                    f"{side}_{name}": ours.quantile(level)[counted]
                    for name, levels in INTERVALS.items()
                    for side, level in zip(("low", "high"), levels, strict=True)
                }
                sums.add(
                    column,
                    self._values[ahead, column][counted],
                    ours=ours.mean[counted],
                    rule=yields[column] * self._feed[ahead][counted],
                    last=np.full(int(counted.sum()), self._values[origin, column]),
                    **bounds,
                )
            sums.origins += 1
        sums.seconds = time.perf_counter() - started
        return sums

    def _origins(self) -> list[int]:
        """Observed days whose next seven are all observed and some of them tested."""
        return [
            int(day)
            for day in self._observed
            if day + STEPS < len(self._times)
            and np.isin(np.arange(day + 1, day + 1 + STEPS), self._observed).all()
            and np.isin(np.arange(day + 1, day + 1 + STEPS), self._tested).any()
        ]

    def shuffled(self) -> float:
        """Mean WAPE of boosted trees on date, feed and the day before, five shuffled folds."""
        from lightgbm import LGBMRegressor
        from sklearn.model_selection import KFold, cross_val_predict

        rows = self._observed[1:]
        before = self._observed[:-1]
        scores = []
        for column in range(len(PRODUCTS)):
            features = np.column_stack(
                (rows, self._values[rows, len(PRODUCTS) :], self._values[before, column])
            )
            actual = self._values[rows, column]
            model = LGBMRegressor(n_estimators=200, min_child_samples=5, verbose=-1, n_jobs=1)
            folds = KFold(5, shuffle=True, random_state=0)
            found = cross_val_predict(model, features, actual, cv=folds)
            tested = np.isin(rows, self._tested)
            error = np.abs(actual - found)[tested].sum()
            scores.append(error / np.abs(actual[tested]).sum())
        return float(np.mean(scores))
