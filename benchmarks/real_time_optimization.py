"""Real-time optimization of the simulated reactor of Williams and Otto with a model that does not fit it.

Cases: A (two handles), B (three, G limited), C (three, A and G limited); two sets of rate constants of the
model. Every steady state of the plant counts, probing moves included; at most 15. The best profit of each
case is found in the same run by a search on the true equations, which the optimizer does not see, and so
is what the model says alone, without learning. Noise of 1 % is on every mass fraction: with one reading
a steady state, which is some 8 % on the profit, and with steady values that are means of ten readings.
``DAN_G_SEEDS`` sets the number of noise seeds.
"""

from __future__ import annotations

import copy
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from orchestrator.modules.base import OperationContext
from orchestrator.modules.optimization.models import SetpointsInput, SetpointsResult
from orchestrator.modules.optimization.rto.steady_state import SteadyState
from orchestrator.modules.optimization.setpoints import run as setpoints
from orchestrator.plant.economic_model import EconomicModel
from orchestrator.plant.tags import Plant

SEEDS = int(os.environ.get("DAN_G_SEEDS", "5"))
EXAMPLE = Path(__file__).parents[1] / "examples" / "williams_otto.yaml"
HANDLES: dict[str, dict[str, list[float]]] = {
    "A": {"FB": [3, 6], "TR": [70, 100]},
    "B": {"FA": [3, 4.5], "FB": [6, 11], "TR": [80, 105]},
    "C": {"FA": [3, 4.5], "FB": [6, 11], "TR": [80, 105]},
}
LIMITS: dict[str, list[str]] = {"A": [], "B": ["XG <= 0.08"], "C": ["XA <= 0.12", "XG <= 0.08"]}
STARTS = {
    "A": ({"FB": 4.3, "TR": 80.0}, {"FB": 6.0, "TR": 100.0}, {"FB": 3.0, "TR": 72.0}),
    "B": tuple(
        {"FA": a, "FB": b, "TR": t} for a, b, t in ((3.5, 8, 90), (3, 6, 80), (4.4, 10, 100))
    ),
    "C": tuple(
        {"FA": a, "FB": b, "TR": t} for a, b, t in ((3.5, 8, 90), (3, 6, 80), (4.4, 10, 100))
    ),
}
RATES = {
    "first": ("2.189e8", "8077.6", "4.31e13", "12438.5"),
    "second": ("1.06e7", "7034.0", "3.1e14", "10680.0"),
}
CONTEXT = OperationContext(now=datetime(2026, 3, 1, tzinfo=UTC), plant=Plant())
READINGS = (1, 10)
WITHIN, WITHIN_NOISY, KEPT = 0.01, 0.03, 1e-3


def run() -> dict[str, Any]:
    """Losses of profit against the true optimum, counts of steady states, limits kept, seconds."""
    figures: dict[str, Any] = {"noise seeds": SEEDS}
    good = True
    started, runs = time.perf_counter(), 0
    for case in HANDLES:
        best = _best(case)
        figures[f"{case}: best profit, $/s"] = best
        exact, alone = [], []
        noisy: dict[int, list[tuple[float, int, float]]] = {number: [] for number in READINGS}
        for rates in RATES:
            for start in STARTS[case]:
                exact.append(_judge(_asked(case, rates, start), best))
                alone.append(_judge(_asked(case, rates, start, adapt=False), best)[0])
            for seed in range(SEEDS):
                start = STARTS[case][seed % len(STARTS[case])]
                for readings in READINGS:
                    asked = _asked(case, rates, start, noise=1.0, seed=seed, readings=readings)
                    noisy[readings].append(_judge(asked, best))
        runs += len(exact) + sum(map(len, noisy.values())) + len(alone)
        figures |= {
            f"{case}: loss of the second step of the model alone, worst %": 100 * max(alone),
            f"{case}: loss, worst of {len(exact)} runs, %": 100 * max(j[0] for j in exact),
            f"{case}: steady states until within 1 %, most": max(j[1] for j in exact),
            f"{case}: limits broken at the end by, most": max(j[2] for j in exact),
        }
        for readings, judged in noisy.items():
            name = f"{case}: noise 1 %, readings {readings}"
            figures |= {
                f"{name}: within 3 %, share of {len(judged)}": float(
                    np.mean([j[0] <= WITHIN_NOISY for j in judged])
                ),
                f"{name}: loss, worst %": 100 * max(j[0] for j in judged),
                f"{name}: limits broken by, most": max(j[2] for j in judged),
            }
            good &= all(j[0] <= WITHIN_NOISY for j in judged)
        good &= all(loss <= WITHIN and broken <= KEPT for loss, _, broken in exact)
    figures["seconds a run"] = (time.perf_counter() - started) / runs
    figures["within budget"] = good
    return figures


def _asked(
    case: str,
    rates: str,
    start: dict[str, float],
    noise: float = 0.0,
    seed: int = 0,
    adapt: bool = True,
    readings: int = 1,
) -> SetpointsInput:
    document: dict[str, Any] = copy.deepcopy(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")))
    model, simulated = document["economics"], document["simulate"]
    for equations in (model, simulated["plant"]):
        equations["handles"] = HANDLES[case]
        if case == "A":
            equations["parameters"]["FA"] = 1.8275
    model["constraints"] = LIMITS[case]
    k1, e1, k2, e2 = RATES[rates]
    model["definitions"]["r1"] = f"{k1} * exp(-{e1} / (TR + 273.15)) * XA * XB ** 2 * W"
    model["definitions"]["r2"] = f"{k2} * exp(-{e2} / (TR + 273.15)) * XA * XB * XP * W"
    simulated |= {"noise_percent": noise, "readings": readings, "seed": seed}
    simulated["iterations"] = 15 if adapt else 2
    return SetpointsInput.model_validate(document | {"current": start, "starts": 3})


def _judge(asked: SetpointsInput, best: float) -> tuple[float, int, float]:
    """Loss at the last steady state, the first one from which it is within 1 %, limits broken there."""
    result: SetpointsResult = setpoints(asked, CONTEXT)
    last = result.iterates[-1]
    near = [
        i.number
        for i in result.iterates
        if (i.true_objective or 0.0) >= (1 - WITHIN) * best
        and max(i.excess.values(), default=0.0) <= KEPT
    ]
    assert last.true_objective is not None
    broken = max(0.0, max(last.excess.values(), default=0.0))
    return 1 - last.true_objective / best, near[0] if near else 99, broken


def _best(case: str) -> float:
    """The plant's own optimum by SLSQP from many starts on its true equations."""
    from scipy.optimize import minimize

    asked = _asked(case, "first", STARTS[case][0])
    assert asked.simulate is not None
    assert asked.economics is not None
    limited = {"constraints": dict(asked.economics.constraints)}
    plant = SteadyState(EconomicModel.model_validate(asked.simulate.plant.model_dump() | limited))
    low, high = np.array(list(HANDLES[case].values()), dtype=float).T

    def said(shares: np.ndarray, name: str) -> float:
        return float(plant.at((low + shares * (high - low))[None, :], {}).values[name][0])

    limits: list[dict[str, Any]] = [
        {"type": "ineq", "fun": lambda z, n=name, b=bounds[1]: b - said(z, n)}
        for name, bounds in plant.model.constraints.items()
    ]
    found = []
    for first in np.random.default_rng(0).random((6, len(low))):
        answer = minimize(
            lambda z: -said(z, "objective"),
            first,
            bounds=[(0, 1)] * len(low),
            constraints=limits,
            method="SLSQP",
        )
        if all(limit["fun"](answer.x) >= -1e-7 for limit in limits):
            found.append(-float(answer.fun))
    return max(found)
