"""``optimization.plan`` on a generated refinery over many periods, against HiGHS given the same model.

The refinery (numbers made up) has eight crudes, five units, twelve streams with stores, and six blended
products; it is expanded in time until its program has about a thousand, ten thousand and a hundred thousand
quantities. Each figure of time is the whole call of the operation on a model that is read already: building
the program, solving, proving, ranging, and reading the plan out. Beside it stand the time that HiGHS alone
needs for the same arrays in the same run (``highspy``, its own defaults, one thread) and the share of the
call that is spent outside the solver. A warm re-solve changes a tenth of all prices by up to three percent in
the live program. The largest size takes minutes and is run where ``--large`` stands in the environment
variable ``DAN_G_BENCHMARK``. All times are processor time of this process, in which the solver runs as well.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from datetime import UTC, datetime
from typing import Any

from orchestrator.modules.base import OperationContext
from orchestrator.modules.optimization.linear.arrays import Arrays, assemble
from orchestrator.modules.optimization.plan import price_of
from orchestrator.modules.optimization.plan import run as plan
from orchestrator.modules.optimization.planning.program import PlanProgram
from orchestrator.modules.optimization.planning.result import PlanInput
from orchestrator.modules.optimization.planning.scenario_models import AlternativesOf
from orchestrator.modules.optimization.refinery.loading import validated
from orchestrator.plant.tags import Plant

SIZES = {"1e3": 10, "1e4": 100}
LARGE = {"1e5": 1000}
ROUNDS = 3
MOST_OUTSIDE = 0.5
CRUDES, PRODUCTS = 8, 6
STREAMS = ("gas", "light_naphtha", "heavy_naphtha", "kerosene", "diesel", "gas_oil", "residue",
           "reformate", "cracked", "cycle_oil", "hydrotreated", "coker_naphtha")  # fmt: skip
PRIMARY = STREAMS[:7]
UNITS = {"reformer": ("heavy_naphtha", {"reformate": 0.86, "gas": 0.1}),
         "cracker": ("gas_oil", {"cracked": 0.55, "cycle_oil": 0.3, "gas": 0.1}),
         "hydrotreater": ("diesel", {"hydrotreated": 0.98}),
         "coker": ("residue", {"coker_naphtha": 0.25, "gas_oil": 0.4, "gas": 0.1})}  # fmt: skip


def run() -> dict[str, Any]:
    """Times, ratios and shares by size."""
    large = "--large" in os.environ.get("DAN_G_BENCHMARK", "")
    figures: dict[str, Any] = {}
    shares = []
    for name, periods in {**SIZES, **(LARGE if large else {})}.items():
        rounds = [_round(periods) for _ in range(ROUNDS if periods < 500 else 1)]
        for what in rounds[0]:
            figures[f"{name}: {what}"] = statistics.median(one[what] for one in rounds)
        shares.append(figures[f"{name}: share spent outside the solver"])
    figures["within budget"] = all(share < MOST_OUTSIDE for share in shares)
    return figures


def _round(periods: int) -> dict[str, float]:
    document = refinery(periods)
    start = time.process_time()
    model = validated(document, "generated")
    read = time.process_time() - start
    context = OperationContext(now=datetime(2026, 1, 1, tzinfo=UTC), plant=Plant())
    asked = PlanInput.model_construct(
        **{name: field.get_default() for name, field in PlanInput.model_fields.items()}
        | {"model": model, "time_limit_seconds": 600.0, "alternatives": AlternativesOf(count=0)}
    )
    start = time.process_time()
    result = plan(asked, context)
    whole = time.process_time() - start
    assert result.status == "optimal"
    built = PlanProgram(model, price_of(context))
    start = time.process_time()
    again = PlanProgram(model, price_of(context))
    building = time.process_time() - start
    start = time.process_time()
    live = again.program.live()
    loading = time.process_time() - start
    start = time.process_time()
    solved = live.solve(600.0, ranging=True)
    solving = time.process_time() - start
    direct, objective = _highs(assemble(built.program))
    assert result.objective is not None
    assert abs(objective - result.objective) <= 1e-6 * abs(objective)
    draw = random.Random(3)
    worths = {
        name: column.worth * draw.uniform(0.97, 1.03)
        for name, column in built.program.columns.items()
        if column.worth and draw.random() < 0.1
    }
    start = time.process_time()
    live.set_worths(worths)
    warm = live.solve(600.0)
    resolving = time.process_time() - start
    assert (solved.status, warm.status) == ("optimal", "optimal")
    return {
        "quantities": float(len(built.program.columns)),
        "rows": float(len(built.program.rows)),
        "reading and checking the model, s": read,
        "building the program, s": building,
        "giving it to the solver, s": loading,
        "solving with ranges and proof, s": solving,
        "whole call of plan, s": whole,
        "reference (HiGHS alone on the same arrays), s": direct,
        "whole call / reference": whole / direct,
        "share spent outside the solver": max(0.0, 1.0 - solving / whole),
        "warm re-solve after a change of prices, s": resolving,
        "warm re-solve / reference": resolving / direct,
    }


def _highs(arrays: Arrays) -> tuple[float, float]:
    """Seconds and objective of HiGHS by itself: the arrays are passed and solved once."""
    import highspy

    start = time.process_time()
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    ends = _starts(arrays)
    solver.passModel(
        len(arrays.columns),
        len(arrays.rows),
        len(arrays.value),
        int(highspy.MatrixFormat.kRowwise),
        int(highspy.ObjSense.kMaximize),
        arrays.offset,
        arrays.worth,
        arrays.lower,
        arrays.upper,
        arrays.row_lower,
        arrays.row_upper,
        ends,
        arrays.column,
        arrays.value,
        arrays.integer.astype("int32"),
    )
    solver.run()
    return time.process_time() - start, float(solver.getInfo().objective_function_value)


def _starts(arrays: Arrays) -> Any:
    import numpy as np

    rows = np.arange(len(arrays.rows) + 1)
    return np.searchsorted(arrays.row, rows).astype(np.int32)


def refinery(periods: int) -> dict[str, Any]:
    """A made-up refinery over so many days, as its file would hold it."""
    draw = random.Random(7)
    names = [f"d{number}" for number in range(periods)]

    def by_day(usual: float, spread: float) -> dict[str, float]:
        return {name: round(usual + draw.uniform(-spread, spread), 3) for name in names}

    feeds = {}
    crudes = {}
    for number in range(CRUDES):
        shares = [draw.uniform(0.4, 1.6) for _ in PRIMARY]
        whole = sum(shares) / 0.98
        crude = f"crude_{number}"
        feeds[crude] = {
            "yields": {
                stream: round(share / whole, 4)
                for stream, share in zip(PRIMARY, shares, strict=True)
            },
            "cost": round(draw.uniform(0.4, 0.9), 3),
        }
        crudes[crude] = {"price": by_day(72 + number, 3), "max": round(draw.uniform(15, 40), 1)}
    units: dict[str, Any] = {"still": {"capacity": 100, "minimum": 50, "feeds": feeds}}
    for name, (feed, yields) in UNITS.items():
        units[name] = {
            "capacity": round(draw.uniform(12, 22), 1),
            "feeds": {feed: {"yields": yields, "cost": round(draw.uniform(0.8, 2.5), 2)}},
        }
    products: dict[str, dict[str, Any]] = {}
    for number in range(PRODUCTS):
        products[f"product_{number}"] = {
            "price": by_day(88 + 3 * number, 4),
            "max": by_day(18, 4),
            "components": draw.sample(STREAMS[1:], 5),
            "specs": {"sulphur": {"max": round(draw.uniform(0.6, 1.2), 2)}},
        }
    products["fuel"] = {"price": 45, "components": list(STREAMS)}
    return {
        "name": "generated refinery",
        "periods": dict.fromkeys(names, 1),
        "crudes": crudes,
        "units": units,
        "products": products,
        "streams": {
            stream: {"properties": {"sulphur": round(draw.uniform(0.1, 1.5), 2)}}
            for stream in STREAMS
        },
        "tanks": {
            stream: {"opening": 10, "capacity": 60, "carrying_cost": 0.01, "closing": {"min": 10}}
            for stream in STREAMS[1:]
        },
    }
