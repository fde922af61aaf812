"""The example refineries are usable, have a plan, and the plan closes."""

import math
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.modules.base import OperationContext
from orchestrator.modules.optimization.plan import run
from orchestrator.modules.optimization.planning.result import PlanInput
from orchestrator.modules.optimization.planning.trial import trial
from orchestrator.modules.optimization.refinery.flowsheet import Flowsheet
from orchestrator.modules.optimization.refinery.loading import load_model
from orchestrator.modules.optimization.refinery.numbers import at
from orchestrator.plant.tags import Plant

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "refinery"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.fixture(scope="module", params=FILES, ids=lambda file: file.stem)
def planned(request):
    model = load_model(request.param)
    context = OperationContext(now=datetime(2026, 3, 1, tzinfo=UTC), plant=Plant())
    return model, run(PlanInput(model=model), context)


def test_there_are_three_of_them():
    assert [file.stem for file in FILES] == ["conversion", "textbook", "topping"]
    named = re.findall(r"`(\w+\.yaml)`", (FOLDER / "README.md").read_text())
    assert sorted(named) == [file.name for file in FILES]


def test_it_is_usable_and_has_a_plan(planned):
    model, result = planned
    assert model.warnings == ()
    assert trial(model) == []
    assert result.status == "optimal"
    assert result.objective > 0
    assert sum(result.margin.values()) == pytest.approx(result.objective)


def test_every_stream_closes(planned):
    """Made and bought is used, blended, burnt, stored or left over: worked out from the result alone."""
    model, result = planned
    sheet = Flowsheet(model)
    before = {name: at(tank.opening, "") for name, tank in model.tanks.items()}
    for period in result.periods:
        net = dict.fromkeys(sheet.made, 0.0)
        for name, amount in {**period.crudes, **period.purchases}.items():
            net[name] += amount
        for process in sheet.processes:
            key = f"{process.way}: {process.feed}" if process.way else process.feed
            fed = period.units.get(process.unit, {}).get(key, 0.0)
            net[process.feed] -= fed
            for stream, share in process.yields.items():
                net[stream] += fed * at(share, period.name)
        for product, parts in period.blends.items():
            for stream, amount in parts.items():
                net[stream] -= amount
            drawn = sum(
                (before[name] - period.stocks[name]) / period.days
                for name, tank in model.tanks.items()
                if (tank.holds or name) == product
            )
            sold = period.products.get(product, 0.0)
            assert sum(parts.values()) + drawn == pytest.approx(sold, abs=1e-5)
        for product in model.products.keys() & net.keys():
            net[product] -= period.products.get(product, 0.0)
        for parts in period.burnt.values():
            for stream, amount in parts.items():
                net[stream] -= amount
        for stream, amount in period.surplus.items():
            net[stream] -= amount
        for name, tank in model.tanks.items():
            if (tank.holds or name) in net:
                net[tank.holds or name] += (before[name] - period.stocks[name]) / period.days
        scale = max(1.0, *period.crudes.values())
        for stream, left in net.items():
            assert left == pytest.approx(0.0, abs=1e-6 * scale), stream
        before = dict(period.stocks)


def test_every_limit_is_kept(planned):
    model, result = planned
    for period in result.periods:
        for section in ("crudes", "purchases", "products"):
            for name, item in getattr(model, section).items():
                amount = getattr(period, section).get(name, 0.0)
                assert amount >= at(item.min, period.name) - 1e-6
                if item.max is not None:
                    assert amount <= at(item.max, period.name) + 1e-6
        for properties in period.qualities.values():
            for quality in properties.values():
                slack = 1e-6 * max(1.0, abs(quality.value))
                assert quality.min is None or quality.value >= quality.min - slack
                assert quality.max is None or quality.value <= quality.max + slack
        for name, tank in model.tanks.items():
            assert period.stocks[name] >= at(tank.heel, period.name) - 1e-6
            assert period.stocks[name] <= at(tank.capacity, period.name) + 1e-6


def test_sales_are_what_prices_and_amounts_make(planned):
    model, result = planned
    sales = 0.0
    for period in result.periods:
        for name, amount in period.products.items():
            item, left = model.products[name], amount
            if item.price is not None:
                sales += period.days * amount * at(item.price, period.name)
            for tier in item.tiers:
                step = min(left, math.inf if tier.max is None else at(tier.max, period.name))
                sales += period.days * step * at(tier.price, period.name)
                left -= step
    assert result.margin["sales"] == pytest.approx(sales)
