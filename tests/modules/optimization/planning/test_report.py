"""The page of a plan: its numbers are those of the plan, and it opens whatever the names are."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import yaml

from orchestrator.modules.optimization import what_if
from orchestrator.modules.optimization.models import ChangeOf
from orchestrator.modules.optimization.plan import price_of, run
from orchestrator.modules.optimization.planning.flow_picture import flows
from orchestrator.modules.optimization.planning.program import PlanProgram
from orchestrator.modules.optimization.planning.report import _limits, _parts
from orchestrator.modules.optimization.planning.result import PlanInput
from orchestrator.modules.optimization.planning.what_if_models import WhatIfInput
from orchestrator.modules.optimization.refinery.loading import validated

EXAMPLES = Path(__file__).parents[4] / "examples" / "refinery"
HEADINGS = ("Margin", "Flows", "Plan", "Qualities of the products", "What holds the plan back")


def example(name):
    return yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))


def solved(name, context):
    built = PlanProgram(validated(example(name), name), price_of(context))
    return built, built.program.solve()


@pytest.mark.parametrize("name", ["textbook", "topping", "conversion"])
def test_what_flows_into_a_unit_is_what_it_runs(bare, name):
    built, solution = solved(name, bare)
    drawn = flows(built, solution)
    result = run(PlanInput.model_validate({"model": example(name)}), bare)
    index = {node.name: number for number, node in enumerate(drawn.nodes)}
    for unit, feeds in result.units.items():
        run_a_day = sum(feeds.values()) / result.days
        if run_a_day < 1e-3:
            continue
        fed = sum(link.amount for link in drawn.links if link.target == index[unit])
        # A unit may take more than its feed, such as what is used up beside it.
        assert fed >= run_a_day * (1 - 1e-3), unit
    for product, amount in result.products.items():
        made = sum(link.amount for link in drawn.links if link.target == index[product])
        stored = any((t.holds or n) == product for n, t in built.model.tanks.items())
        if not stored:
            assert made == pytest.approx(amount / result.days, rel=1e-3), product


@pytest.mark.parametrize("name", ["textbook", "topping", "conversion"])
def test_the_steps_of_the_margin_add_up_to_it(bare, name):
    built, solution = solved(name, bare)
    steps = _parts(built, solution)
    assert math.fsum(money for _, money in steps) == pytest.approx(solution.objective, rel=1e-9)


def test_the_page_has_all_parts_and_its_margin(bare):
    asked = {"model": example("textbook"), "report": True}
    result = run(PlanInput.model_validate(asked), bare)
    for heading in (*HEADINGS, "Other plans that are nearly as good"):
        assert f"<h2>{heading}</h2>" in result.report
    assert f"{result.objective:,.0f}" in result.report
    assert "plotly" in result.report


def test_markdown_says_the_same_in_tables(bare):
    asked = {"model": example("topping"), "report": "markdown"}
    page = run(PlanInput.model_validate(asked), bare).report
    for heading in HEADINGS:
        assert f"## {heading}" in page
    assert re.search(r"\| margin \| [\d,]+ \|", page)
    assert "crude\\_unit" in page


def test_an_infeasible_plan_s_page_names_its_conflicts(bare):
    model = example("textbook")
    model["products"]["gasoline"]["min"] = 40
    result = run(PlanInput.model_validate({"model": model, "report": True}), bare)
    assert result.status == "infeasible"
    assert "Limits that cannot all be kept" in result.report
    assert "<h2>Flows</h2>" not in result.report


def test_names_cannot_write_into_the_page(bare):
    evil = "</script><script>alert(1)</script>"
    model = example("textbook")
    model["name"] = evil
    model["products"][f"fuel {evil}"] = {
        "price": 1.0,
        "components": model["products"]["fuel_oil"]["components"],
    }
    asked = PlanInput.model_validate({"model": model, "report": True})
    assert "<script>alert(1)" not in run(asked, bare).report


def test_the_page_of_a_supposed_change_shows_what_became_of_the_margin(bare):
    asked = WhatIfInput(
        of="plan",
        model=validated(example("textbook"), "textbook"),
        changes=(ChangeOf(what="heavy", by=1), ChangeOf(what="still", by=5)),
        report=True,
    )
    result = what_if.run(asked, bare)
    assert "<h2>What changed</h2>" in result.report
    assert "<h2>What each change adds</h2>" in result.report
    before, after = (
        sum(getattr(step, end) for step in result.accounts) for end in ("base", "changed")
    )
    assert (before, after) == pytest.approx((result.base, result.changed))


def test_a_plan_can_be_compared_with_another_model(bare):
    cheaper = example("textbook")
    cheaper["crudes"]["heavy"]["price"] -= 1
    asked = {"model": cheaper, "compare_with": example("textbook"), "report": True}
    result = run(PlanInput.model_validate(asked), bare)
    other = run(PlanInput.model_validate({"model": example("textbook")}), bare)
    assert sum(result.compared.values()) == pytest.approx(other.objective)
    assert "<h2>What changed</h2>" in result.report


def test_the_map_of_limits_has_one_row_a_limit_and_prices_a_step_of_a_quality(bare):
    built, _ = solved("conversion", bare)
    result = run(PlanInput.model_validate({"model": example("conversion")}), bare)
    (drawn,) = [part for part in _limits(result, built) if type(part).__name__ == "NumberMap"]
    rows = dict(zip(drawn.names, drawn.values, strict=True))
    vapour = [name for name in rows if name.startswith("rvp of regular (max")]
    assert vapour == ["rvp of regular (max, per 0.1)"]
    price = {b.period: b.shadow_price for b in result.binding if b.limit == "sulphur of diesel"}
    shown = rows["sulphur of diesel (max, per 0.0001)"]
    assert shown == pytest.approx(tuple(1e-4 * price[name] for name in drawn.columns))
