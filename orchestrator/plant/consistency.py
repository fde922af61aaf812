"""What is wrong in a plant file beyond its single fields: units, expressions, tags they name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orchestrator.errors import DanGError
from orchestrator.plant.tags import Plant


def faults_of(plant: Plant) -> Iterator[str]:
    """Unknown units, broken expressions, and expressions over tags that there are not."""
    from orchestrator.plant.expressions import Expression
    from orchestrator.plant.units import alike, known, misfit, normalise

    names = set(plant.tag_names)
    for tag in plant.tags:
        if tag.unit and not known(normalise(tag.unit)):
            yield f"tag {tag.name}: unit {tag.unit!r} is not known"
        elif tag.unit and (expected := misfit(normalise(tag.unit), tag.kind)):
            yield f"tag {tag.name}: unit {tag.unit!r} does not measure {expected}, as its kind ({tag.kind}) does"
    units = {tag.name: normalise(tag.unit) for tag in plant.tags if tag.unit}
    for balance in plant.balances:
        # A factor may well convert one unit to another.
        terms = [term for term in (*balance.inputs, *balance.outputs) if term.factor == 1]
        listed = [term.tag for term in terms if term.tag in units]
        if not alike(units[name] for name in listed):
            yield f"balance {balance.name}: its tags measure different things: " + ", ".join(
                f"{name} [{units[name]}]" for name in listed
            )
    for name, product in plant.products.items():
        if missing := sorted({product.flow, *product.specifications} - names):
            yield f"product {name}: names unknown tags {', '.join(missing)}"
        for quality, (low, high) in product.specifications.items():
            if low is not None and high is not None and low >= high:
                yield f"product {name}: of {quality} at least {low:g} and at most {high:g} are asked for"
    for place, text in _expressions(plant):
        try:
            unknown = Expression.parse(text).names - names
        except DanGError as error:
            yield f"{place}: {error.what}"
            continue
        if unknown:
            yield f"{place}: names unknown tags {', '.join(sorted(unknown))}"


def _expressions(plant: Plant) -> Iterator[tuple[str, str]]:
    for tag in plant.tags:
        if tag.expression:
            yield f"tag {tag.name}: expression", tag.expression
    for name, kpi in plant.kpis.items():
        yield f"kpi {name}", kpi.expression
    for equipment in plant.equipment:
        yield f"equipment {equipment.id}: health", equipment.health
    fields: dict[str, Any] = plant.market.model_dump(exclude_none=True)
    for name, text in fields.items():
        yield f"market.{name}", text
