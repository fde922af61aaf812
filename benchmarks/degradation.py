"""How often the interval of the time to a limit holds the true one, on simulated degradation of known curves.

Forty records a curve: 200 daily values, noise of 1 % of the change that remembers half of itself from day to day. The
curve is chosen from those of its kind. Reported: share of 80 % intervals that hold the true date, share of records whose
curve was named, and the median error of the middle date, in % of the true time to go.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from orchestrator.modules.forecasting.cycles import record
from orchestrator.modules.forecasting.degradation import degraded
from orchestrator.modules.forecasting.degradation_curves import Sign, curves_for
from orchestrator.modules.forecasting.degradation_models import DegradationKind

RECORDS = 40
DAYS = 200
NOISE = 0.01
MEMORY = 0.5
LEAST_HELD = 0.7
AGE = np.arange(float(DAYS))
Truth = tuple[DegradationKind, Sign, np.ndarray, float, float]
TRUTHS: dict[str, Truth] = {
    "linear": ("fouling", 1, 1 + 0.01 * AGE, 4.0, 300.0),
    "asymptotic": ("fouling", 1, 1 + 2 * (1 - np.exp(-AGE / 80)), 2.95, 80 * np.log(40)),
    "falling_rate": ("fouling", 1, 0.5 + 0.5 * np.sqrt(1 + AGE / 10), 4.0, 480.0),
    "exponential": ("filter", 1, np.exp(0.005 * AGE), 6.0, np.log(6) / 0.005),
    "hyperbolic": ("catalyst", -1, 3 / (1 + 0.01 * AGE), 0.75, 300.0),
    "accelerating": ("catalyst", 1, 350 + 2 * np.exp(AGE / 80), 400.0, 80 * np.log(25)),
    "blocking": ("filter", 1, 1 / (1 - 0.004 * AGE), 20.0, 237.5),
}
"""Kind, direction, level by age, limit, and the age at which it is reached."""


def run() -> dict[str, Any]:
    """Shares over all records, and the seconds of one fit with its draws."""
    held, named, errors = [], [], []
    started = time.perf_counter()
    for curve, (kind, sign, level, limit, age) in TRUTHS.items():
        ahead = age - AGE[-1]
        for seed in range(RECORDS):
            values = level + NOISE * float(np.ptp(level)) * _noise(seed)
            times = np.datetime64("2025-01-01", "us") + (AGE * 86_400e6).astype("timedelta64[us]")
            past = record(times, values, curve, sign, None)
            found = degraded(past, curves_for(kind, "auto", sign, positive=True), curve, seed)
            low, middle, high = np.quantile(
                found.days_to(limit), [0.1, 0.5, 0.9], method="inverted_cdf"
            )
            held.append(low <= ahead <= high)
            named.append(found.best.curve.name == curve)
            errors.append(abs(middle - ahead) / ahead)
    seconds = (time.perf_counter() - started) / len(held)
    return {
        "records (simulated)": len(held),
        "80 % intervals that hold the true date, %": 100 * float(np.mean(held)),
        "true curve named, %": 100 * float(np.mean(named)),
        "median error of the middle date, % of the time to go": 100 * float(np.median(errors)),
        "s a record": seconds,
        "within budget": bool(np.mean(held) >= LEAST_HELD),
    }


def _noise(seed: int) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(0, np.sqrt(1 - MEMORY**2), DAYS)
    found = np.zeros(DAYS)
    for day in range(DAYS):
        found[day] = steps[day] + (MEMORY * found[day - 1] if day else 0.0)
    return found
