"""Pooling: time to a proven optimum against SCIP on the plain p-formulation, in the same run.

The reference has a variable for each quality of each pool and no help: no pq-formulation, no implied
rows, no start points. Problems are generated from a seed, of growing size; published ones in the format
of ``optimization.blend`` are added where their folder is named in ``DAN_G_POOLING_CASES``. Each solver has
``DAN_G_POOLING_SECONDS`` (20) a problem.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.modules.base import OperationContext
from orchestrator.modules.optimization.blending.blend import run as blend
from orchestrator.modules.optimization.blending.problem import BlendInput
from orchestrator.plant.tags import Plant

SECONDS = float(os.environ.get("DAN_G_POOLING_SECONDS", "20"))
GAP = 1e-5
SIZES = ((4, 2, 3, 2), (6, 3, 4, 2), (8, 3, 5, 3), (10, 4, 6, 3), (14, 5, 8, 4), (20, 8, 12, 6))
SEEDS = 3
PROVEN_WITHIN = 10.0
"""Published problems are to be proven within this many seconds."""


def run() -> dict[str, Any]:
    """Seconds, gaps and ratios by problem, and what was proven."""
    figures: dict[str, Any] = {}
    within = True
    for name, document in _published():
        ours, reference = _ours(document), _reference(document)
        known = document.get("known_optimum", {}).get("objective")
        figures[f"{name}: seconds"] = ours["seconds"]
        figures[f"{name}: reference over ours"] = reference["seconds"] / ours["seconds"]
        right = known is None or abs(ours["objective"] - known) <= 1e-6 * abs(known)
        within = within and ours["proven"] and right and ours["seconds"] <= PROVEN_WITHIN
    for size in SIZES:
        made = [(_ours(d), _reference(d)) for d in _generated(size)]
        label = "{} feeds, {} pools, {} products, {} qualities".format(*size)
        figures[f"{label}: proven"] = _count(ours for ours, _ in made)
        figures[f"{label}: proven, reference"] = _count(reference for _, reference in made)
        figures[f"{label}: mean seconds"] = _mean(ours["seconds"] for ours, _ in made)
        ratio = _mean(r["seconds"] for _, r in made) / _mean(o["seconds"] for o, _ in made)
        figures[f"{label}: reference over ours"] = ratio
        figures[f"{label}: mean gap"] = _mean(ours["gap"] for ours, _ in made)
        figures[f"{label}: mean gap, reference"] = _mean(r["gap"] for _, r in made)
    figures["within budget"] = within
    return figures


def _count(answers: Iterator[dict[str, Any]]) -> str:
    listed = list(answers)
    return f"{sum(answer['proven'] for answer in listed)} of {len(listed)}"


def _mean(values: Iterator[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def _ours(document: dict[str, Any]) -> dict[str, Any]:
    context = OperationContext(now=datetime(2026, 1, 1, tzinfo=UTC), plant=Plant())
    parameters = BlendInput.model_validate(
        document | {"time_limit_seconds": SECONDS, "gap": GAP, "sense": "min"}
    )
    began = time.perf_counter()
    result = blend(parameters, context)
    return {
        "seconds": time.perf_counter() - began,
        "objective": result.objective,
        "gap": 1.0 if result.gap is None else min(1.0, result.gap),
        "proven": result.status == "optimal",
    }


def _reference(document: dict[str, Any]) -> dict[str, Any]:
    """SCIP on the p-formulation: balances of pools, and of each quality in each pool."""
    from pyscipopt import Model, quicksum

    began = time.perf_counter()
    model: Any = Model()
    model.hideOutput()
    model.setParams({"limits/time": SECONDS, "limits/gap": GAP, "timing/clocktype": 2})
    feeds = {feed["id"]: feed for feed in document["feeds"]}
    products = {product["id"]: product for product in document["products"]}
    flow: dict[tuple[str, str], Any] = {}
    into: dict[str, list[str]] = defaultdict(list)
    out: dict[str, list[str]] = defaultdict(list)
    for kind, arcs in document["arcs"].items():
        start, end = kind.split("_to_")
        for arc in arcs:
            ends = arc[start], arc[end]
            flow[ends] = model.addVar(lb=0, ub=arc.get("max_flow"))
            into[ends[1]].append(ends[0])
            out[ends[0]].append(ends[1])
    quality: dict[tuple[str, str], Any] = {}
    for pool in document["pools"]:
        name, capacity = pool["id"], pool["capacity"]
        fed = quicksum(flow[i, name] for i in into[name])
        model.addCons(fed == quicksum(flow[name, j] for j in out[name]))
        if capacity is not None:
            model.addCons(fed <= capacity)
        for prop in document["qualities"]:
            known = [feeds[i]["quality"][prop] for i in into[name]] or [0.0]
            quality[name, prop] = model.addVar(lb=min(known), ub=max(known))
            carried = quicksum(feeds[i]["quality"][prop] * flow[i, name] for i in into[name])
            left = quicksum(flow[name, j] for j in out[name])
            model.addCons(carried == quality[name, prop] * left)
    for name, feed in feeds.items():
        used = quicksum(flow[name, j] for j in out[name])
        if feed["max"] is not None:
            model.addCons(used <= feed["max"])
    for name, product in products.items():
        made = quicksum(flow[i, name] for i in into[name])
        if product["max"] is not None:
            model.addCons(made <= product["max"])
        model.addCons(made >= (product["min"] or 0))
        for side, sign in (("quality_max", 1), ("quality_min", -1)):
            for prop, bound in (product.get(side) or {}).items():
                if bound is None:
                    continue
                held = quicksum(
                    (feeds[i]["quality"][prop] if i in feeds else quality[i, prop]) * flow[i, name]
                    for i in into[name]
                )
                model.addCons(sign * (held - bound * made) <= 0)
    cost = quicksum(feeds[i]["price"] * v for (i, _), v in flow.items() if i in feeds)
    sales = quicksum(products[j]["price"] * v for (_, j), v in flow.items() if j in products)
    model.setObjective(cost - sales, "minimize")
    model.optimize()
    found = model.getNSols() > 0
    return {
        "seconds": time.perf_counter() - began,
        "objective": model.getPrimalbound() if found else None,
        "gap": min(1.0, model.getGap()) if found else 1.0,
        "proven": model.getStatus() in ("optimal", "gaplimit"),
    }


def _published() -> Iterator[tuple[str, dict[str, Any]]]:
    folder = os.environ.get("DAN_G_POOLING_CASES")
    if folder:
        for path in sorted(Path(folder).glob("*.json")):
            yield path.stem, json.loads(path.read_text(encoding="utf-8"))


def _generated(size: tuple[int, int, int, int]) -> Iterator[dict[str, Any]]:
    """Problems of one size: half of all arcs, a fifth of those past the pools."""
    feeds, pools, products, qualities = size
    for seed in range(SEEDS):
        draw = random.Random(1000 * feeds + seed)
        names = [f"q{k}" for k in range(qualities)]
        document: dict[str, Any] = {"qualities": names}
        document["feeds"] = [
            {
                "id": f"f{i}",
                "min": 0,
                "max": draw.uniform(20, 100),
                "price": draw.uniform(1, 10),
                "quality": {name: draw.uniform(0, 10) for name in names},
            }
            for i in range(feeds)
        ]
        document["products"] = [
            {
                "id": f"p{i}",
                "min": 0,
                "max": draw.uniform(20, 100),
                "price": draw.uniform(6, 16),
                "quality_max": {name: draw.uniform(2.5, 7) for name in names},
            }
            for i in range(products)
        ]
        document["pools"] = [
            {"id": f"t{i}", "capacity": draw.uniform(50, 200)} for i in range(pools)
        ]
        document["arcs"] = {
            kind: [
                {start: a["id"], end: b["id"]}
                for a in document[f"{start}s"]
                for b in document[f"{end}s"]
                if draw.random() < share
            ]
            for kind, share in (
                ("feed_to_pool", 0.5),
                ("pool_to_product", 0.5),
                ("feed_to_product", 0.2),
            )
            for start, end in [kind.split("_to_")]
        }
        yield document
