"""Random refineries of several periods against the same program written by hand and solved by SciPy."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from orchestrator.modules.base import OperationContext
from orchestrator.modules.optimization.plan import explain
from orchestrator.modules.optimization.planning.program import PlanProgram
from orchestrator.modules.optimization.refinery.model import RefineryModel
from orchestrator.plant.tags import Plant

CRUDES, STREAMS = ("light", "heavy"), ("top", "bottom")
CONTEXT = OperationContext(now=datetime(2026, 3, 1, tzinfo=UTC), plant=Plant())
whole = st.integers


@st.composite
def refineries(draw):
    spans = draw(whole(1, 3))

    def per_period(low, high):
        return [draw(whole(low, high)) for _ in range(spans)]

    return {
        "days": per_period(1, 31),
        "price": {name: per_period(30, 90) for name in CRUDES},
        "available": {name: per_period(0, 40) for name in CRUDES},
        "yields": {name: [draw(whole(5, 60)) / 100 for _ in STREAMS] for name in CRUDES},
        "capacity": per_period(5, 60),
        "sells": {name: per_period(20, 160) for name in STREAMS},
        "demand": {name: per_period(0, 25) for name in STREAMS},
        "opening": draw(whole(0, 40)),
        "store": draw(whole(40, 90)),
        "closing": draw(whole(0, 30)),
        "carrying": draw(whole(0, 20)) / 10,
        "sulphur": {name: draw(whole(1, 30)) / 10 for name in STREAMS},
        "limit": draw(whole(5, 30)) / 10,
        "blend": (draw(whole(20, 160)), draw(whole(1, 20))),
    }


def as_model(case):
    names = [f"p{number}" for number in range(len(case["days"]))]
    return RefineryModel.model_validate(
        {
            "periods": dict(zip(names, case["days"], strict=True)),
            "crudes": {
                name: {"price": case["price"][name], "max": case["available"][name]}
                for name in CRUDES
            },
            "units": {
                "still": {
                    "capacity": case["capacity"],
                    "feeds": {
                        name: {"yields": dict(zip(STREAMS, case["yields"][name], strict=True))}
                        for name in CRUDES
                    },
                }
            },
            "streams": {
                name: {"properties": {"sulphur": case["sulphur"][name]}} for name in STREAMS
            },
            "products": {
                **{
                    name: {"price": case["sells"][name], "max": case["demand"][name]}
                    for name in STREAMS
                },
                "mix": {
                    "price": case["blend"][0],
                    "max": case["blend"][1],
                    "components": list(STREAMS),
                    "specs": {"sulphur": {"max": case["limit"]}},
                },
            },
            "tanks": {
                "store": {
                    "holds": "bottom",
                    "opening": case["opening"],
                    "capacity": case["store"],
                    "closing": {"min": case["closing"]},
                    "carrying_cost": case["carrying"],
                }
            },
        }
    )


def by_hand(case):
    """The largest margin; None where nothing fits.

    Columns of a period: feed of each crude, sale of each stream, blend of each stream, stock of ``bottom``.
    """
    spans, width = len(case["days"]), 7
    cost, bounds = np.zeros(spans * width), []
    rows, most = [], []
    for t, days in enumerate(case["days"]):
        feed, sale, blend, stock = (t * width + k for k in (0, 2, 4, 6))
        for k, name in enumerate(CRUDES):
            cost[feed + k] = days * case["price"][name][t]
            bounds.append((0, case["available"][name][t]))
        for k, name in enumerate(STREAMS):
            cost[sale + k] = -days * case["sells"][name][t]
            bounds.append((0, case["demand"][name][t]))
        for k in range(2):
            cost[blend + k] = -days * case["blend"][0]
            bounds.append((0, None))
        cost[stock] = days * case["carrying"]
        bounds.append((case["closing"] if t == spans - 1 else 0, case["store"]))
        row = np.zeros(spans * width)
        row[feed : feed + 2] = 1
        rows.append(row)
        most.append(case["capacity"][t])
        for k in range(2):
            row = np.zeros(spans * width)
            row[sale + k] = row[blend + k] = 1
            for c, name in enumerate(CRUDES):
                row[feed + c] = -case["yields"][name][k]
            right = 0.0
            if k == 1:
                row[stock] = 1 / days
                if t:
                    row[stock - width] = -1 / days
                else:
                    right = case["opening"] / days
            rows.append(row)
            most.append(right)
        row = np.zeros(spans * width)
        for k, name in enumerate(STREAMS):
            row[blend + k] = case["sulphur"][name] - case["limit"]
        rows.append(row)
        most.append(0.0)
        row = np.zeros(spans * width)
        row[blend : blend + 2] = 1
        rows.append(row)
        most.append(case["blend"][1])
    found = linprog(cost, A_ub=np.array(rows), b_ub=most, bounds=bounds)
    return -found.fun if found.status == 0 else None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(refineries())
def test_a_plan_is_as_good_as_the_same_program_by_hand(case):
    built = PlanProgram(as_model(case), float)
    result = explain(built, built.program.solve(ranging=True), 10.0)
    known = by_hand(case)
    if known is None:
        assert result.status == "infeasible"
        assert result.conflicts
        return
    assert result.status == "optimal"
    assert result.objective == pytest.approx(known, rel=1e-7, abs=1e-6)
    assert sum(result.margin.values()) == pytest.approx(known, rel=1e-7, abs=1e-6)
