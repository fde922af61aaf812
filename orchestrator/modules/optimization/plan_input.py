"""The model of ``optimization.plan``: what can be bought, run and sold, as data.

One period; flows in one volume or mass unit per day, money in one currency. A **stream** is anything
that flows: a crude, an intermediate, a component. Crudes are bought; units turn feeds into streams;
products are blended from streams and sold.

    crudes:
      light: {price: 78.0, max: 60}
    units:
      cdu:
        capacity: 100
        feeds:
          light: {yields: {naphtha: 0.25, gas_oil: 0.35, residue: 0.38}, cost: 0.5}
    products:
      gasoline: {price: 95.0, max: 30, components: [naphtha]}
      diesel: {price: 101.0, components: [gas_oil], specs: {sulphur: {max: 0.5}}}
    streams:
      gas_oil: {properties: {sulphur: 0.4}}
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Price = float | str


class PlanPart(BaseModel):
    """Base of the plan's parts: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Bounded(PlanPart):
    """A quantity with a least and a largest amount, per day."""

    min: float = Field(default=0.0, ge=0, description="Least amount, per day.")
    max: float | None = Field(default=None, ge=0, description="Largest amount, per day.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max is not None and self.min > self.max:
            raise ValueError(f"min ({self.min}) is above max ({self.max})")
        return self


class CrudeSupply(Bounded):
    """A crude or other feed that can be bought: price and availability."""

    price: Price = Field(description="Money per unit; a number, or an expression over tags.")


class Feed(PlanPart):
    """What one feed becomes in a unit."""

    yields: dict[str, float] = Field(
        description="Stream -> amount per unit of feed; negative for what is used up beside it."
    )
    cost: float = Field(default=0.0, description="Money per unit of feed.")
    use: float = Field(default=1.0, gt=0, description="Capacity taken by one unit of feed.")


class Unit(PlanPart):
    """A process unit with the feeds it can run."""

    capacity: float | None = Field(default=None, ge=0, description="Largest throughput, per day.")
    minimum: float = Field(default=0.0, ge=0, description="Least throughput, per day.")
    feeds: dict[str, Feed] = Field(min_length=1)


class Spec(PlanPart):
    """Least and largest value of a property that blends linearly."""

    min: float | None = None
    max: float | None = None


class Product(Bounded):
    """A product: its price and demand, and what it is made of.

    ``components`` are streams that may be mixed in any shares that meet ``specs``; a ``recipe`` gives
    fixed parts instead. Without either the product is the stream of its own name.
    """

    price: Price = Field(description="Money per unit; a number, or an expression over tags.")
    components: tuple[str, ...] = ()
    recipe: dict[str, float] = Field(default_factory=dict)
    specs: dict[str, Spec] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.components and self.recipe:
            raise ValueError("give either components or recipe")
        if self.recipe and (min(self.recipe.values()) < 0 or sum(self.recipe.values()) <= 0):
            raise ValueError("the parts of a recipe must be positive")
        return self


class Stream(PlanPart):
    """Properties of a stream, and whether what is not used may be thrown away.

    ``surplus`` is worth ``surplus_price`` (negative where disposal costs); ``inherit`` takes the
    model's rule.
    """

    properties: dict[str, float] = Field(default_factory=dict)
    surplus: Literal["inherit", "allowed", "forbidden"] = "inherit"
    surplus_price: float = 0.0


class SideLimit(PlanPart):
    """A further limit ``min ≤ Σ factor · quantity ≤ max`` over named quantities.

    ``terms`` name ``crudes.NAME``, ``products.NAME``, ``units.NAME`` or ``units.NAME.FEED``.
    """

    terms: dict[str, float] = Field(min_length=1)
    min: float | None = None
    max: float | None = None


class PlanModel(PlanPart):
    """A refinery for one period; see the file's heading for the meaning of each part."""

    name: str = "plan"
    quantity_unit: str = Field(default="bbl", description="Unit of flows, per day.")
    money_unit: str = Field(default="USD", description="Unit of money.")
    surplus: Literal["allowed", "forbidden"] = Field(
        default="allowed", description="Whether streams that are not used may be thrown away."
    )
    crudes: dict[str, CrudeSupply] = Field(min_length=1)
    units: dict[str, Unit] = Field(default_factory=dict)
    products: dict[str, Product] = Field(min_length=1)
    streams: dict[str, Stream] = Field(default_factory=dict)
    limits: dict[str, SideLimit] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _streams_exist(self) -> Self:
        made = set(self.crudes)
        for unit in self.units.values():
            for feed in unit.feeds.values():
                made |= feed.yields.keys()
        for name, unit in self.units.items():
            for feed_name in unit.feeds.keys() - made:
                raise ValueError(
                    f"units.{name} feeds {feed_name!r}, which is neither a crude nor the yield of a unit"
                )
        for name, product in self.products.items():
            for component in sorted({*product.components, *product.recipe} or {name}):
                if component not in made:
                    raise ValueError(
                        f"products.{name} takes {component!r}, which is neither a crude nor a yield"
                    )
                known = self.streams.get(component, Stream()).properties
                for prop in sorted(product.specs.keys() - known.keys()):
                    raise ValueError(
                        f"streams.{component} has no {prop!r}, which a spec of products.{name} needs"
                    )
        for name in sorted(self.streams.keys() - made):
            raise ValueError(f"streams.{name} is neither a crude nor the yield of a unit")
        for name, limit in self.limits.items():
            for term in limit.terms:
                if not self._names(term):
                    raise ValueError(
                        f"limits.{name} names {term!r}; write crudes.NAME, products.NAME, "
                        "units.NAME or units.NAME.FEED"
                    )
        return self

    def _names(self, term: str) -> bool:
        kind, _, rest = term.partition(".")
        if kind == "crudes":
            return rest in self.crudes
        if kind == "products":
            return rest in self.products
        if kind == "units":
            return rest in self.units or any(
                rest == f"{unit}.{feed}" for unit, item in self.units.items() for feed in item.feeds
            )
        return False
