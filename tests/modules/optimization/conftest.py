"""Contexts without data, and the published planning cases in the plan's own model."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.modules.base import OperationContext
from orchestrator.modules.optimization.plan import run
from orchestrator.modules.optimization.planning.result import PlanInput, PlanLimit, PlanResult
from orchestrator.modules.optimization.refinery.model import RefineryModel
from orchestrator.plant.tags import Plant

CASES = Path(__file__).parents[3].parent / "shared" / "cases" / "planning"


@pytest.fixture
def bare() -> OperationContext:
    """A context of a plant without economics and without data."""
    return OperationContext(now=datetime(2026, 3, 1, tzinfo=UTC), plant=Plant())


@pytest.fixture
def solved(bare):
    """``solved(document)``: the plan of a refinery model."""

    def solve(document: dict[str, Any]) -> PlanResult:
        return run(PlanInput(model=RefineryModel.model_validate(document)), bare)

    return solve


@pytest.fixture
def moved():
    """``moved(model, limit, step)``: the model with the number of one limit moved."""
    return _moved


@pytest.fixture
def case():
    """``case(name)``: a published planning case; skips where the cases are absent."""

    def read(name: str) -> dict[str, Any]:
        path = CASES / f"{name}.json"
        if not path.is_file():
            pytest.skip(f"reference data is absent: {path}")
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return document

    return read


@pytest.fixture
def as_plan():
    """``as_plan.seborg(case, variant)`` and so on: the cases in the plan's own model."""
    return SimpleNamespace(seborg=_seborg, williams=_williams, marco=_marco)


def _seborg(case: dict[str, Any], variant: str) -> dict[str, Any]:
    data = case["variants"][variant]
    classic = case["variants"]["textbook_classic"]
    most = data.get("product_max", classic["product_max"])
    return {
        "surplus": "forbidden",
        "crudes": {
            name: {"price": price, "max": data.get("crude_max", {}).get(name)}
            for name, price in data["crude_cost"].items()
        },
        "units": {
            "still": {
                "feeds": {
                    crude: {
                        "cost": data["processing"][crude],
                        "yields": {k: v / 100 for k, v in shares.items()},
                    }
                    for crude, shares in case["yields_percent"].items()
                }
            }
        },
        "products": {
            name: {"price": price, "max": most.get(name)}
            for name, price in data["product_price"].items()
        },
    }


def _williams(case: dict[str, Any]) -> dict[str, Any]:
    octane, pressure = case["octane"], case["vapour_pressure"]
    names = sorted({*octane, *pressure})
    properties = {
        name: {
            **({"octane": octane[name]} if name in octane else {}),
            **({"vapour_pressure": pressure[name]} if name in pressure else {}),
        }
        for name in names
    }
    products: dict[str, Any] = {}
    for name, item in case["products"].items():
        made: dict[str, Any] = {"price": item["price"]}
        if "fixed_recipe_parts" in item:
            made["recipe"] = item["fixed_recipe_parts"]
        if "components" in item:
            made["components"] = item["components"]
        if "octane_min" in item:
            made["specs"] = {"octane": {"min": item["octane_min"]}}
        if "vapour_pressure_max" in item:
            made["specs"] = {"vapour_pressure": {"max": item["vapour_pressure_max"]}}
        products[name] = made
    products["lube_oil"] |= {"min": case["lube"]["min"], "max": case["lube"]["max"]}
    reformed = case["reformer"]["yields_reformed_gasoline"]
    return {
        "surplus": "forbidden",
        "crudes": {k: {"price": 0, "max": v["max"]} for k, v in case["crudes"].items()},
        "units": {
            "distillation": {
                "capacity": case["distillation"]["capacity"],
                "feeds": {k: {"yields": v} for k, v in case["distillation"]["yields"].items()},
            },
            "reformer": {
                "capacity": case["reformer"]["capacity"],
                "feeds": {k: {"yields": {"reformed_gasoline": v}} for k, v in reformed.items()},
            },
            "cracker": {
                "capacity": case["cracker"]["capacity"],
                "feeds": {k: {"yields": v} for k, v in case["cracker"]["yields"].items()},
            },
            "lube_plant": {
                "feeds": {"residuum": {"yields": {"lube_oil": case["lube"]["yield_from_residuum"]}}}
            },
        },
        "products": products,
        "streams": {k: {"properties": v} for k, v in properties.items()},
        "limits": {
            "premium share": {"terms": {"products.premium": 1, "products.regular": -0.4}, "min": 0}
        },
    }


def _marco(case: dict[str, Any], fuel_oil_sulphur: float | None = None) -> dict[str, Any]:
    """Intermediates are kept apart by crude: ``sr-gas@mid-c`` is a stream of its own."""
    unit_of = {p: u for u, users in case["capacity_use"].items() for p in users}
    units: dict[str, Any] = {}
    made: set[str] = set()
    for crude, processes in case["io_coefficients[crude][process][commodity]"].items():
        for process, amounts in processes.items():
            feed = next(k for k, v in amounts.items() if v == -1)
            unit = unit_of.get(process, process)
            entry = units.setdefault(
                unit,
                {
                    "capacity": case["capacity"].get(unit),
                    "segregate": "crude",
                    "mixed": ["fuel-gas"],
                    "feeds": {},
                },
            )
            entry["feeds"][crude if feed == "crude" else f"{feed}@{crude}"] = {
                "yields": {k: v for k, v in amounts.items() if v != -1},
                "cost": case["operating_cost"][process],
            }
            made |= amounts.keys()
    prices = case["purchase_price"]
    common = case["properties"]["common"]
    streams = {name: {"properties": given} for name, given in common.items() if name in made}
    for crude in case["crude_max"]:
        for name, given in case["properties"][crude].items():
            streams[f"{name}@{crude}"] = {"properties": given}
    products: dict[str, Any] = {}
    for name, price in case["product_price"].items():
        if name == "fuel-gas":
            products[name] = {"price": price}
            continue
        specs = {k: dict(v) for k, v in case["specs"][name].items()}
        if name == "fuel-oil" and fuel_oil_sulphur is not None:
            specs["sulfur"]["max"] = fuel_oil_sulphur
        products[name] = {
            "price": price,
            "components": case["blending_components"][name],
            "specs": specs,
        }
    return {
        "quantity_unit": "kbbl",
        "money_unit": "kUSD",
        "crudes": {
            name: {"price": prices[name], "max": most} for name, most in case["crude_max"].items()
        },
        "purchases": {"butane": {"price": prices["butane"], "properties": common["butane"]}},
        "units": units,
        "products": products,
        "streams": streams,
    }


def _moved(model: RefineryModel, limit: PlanLimit, step: float) -> RefineryModel:
    """The model with the number of a limit moved, in the limit's period alone."""
    document = copy.deepcopy(model.model_dump())
    place: Any = document
    *parents, last = limit.key.split(".")
    # A name of the model may hold points: parts are joined until they are a key.
    joined = ""
    for part in parents:
        joined = f"{joined}.{part}" if joined else part
        if isinstance(place, tuple):
            place, joined = place[int(part)], ""
        elif joined in place:
            place, joined = place[joined], ""
    value = place[last]
    if limit.period:
        spans = [span.name for span in model.periods]
        by_period = value if isinstance(value, dict) else dict.fromkeys(spans, value)
        place[last] = {**by_period, limit.period: by_period[limit.period] + step}
    else:
        place[last] = value + step
    return RefineryModel.model_validate(document)
