"""Parts of a refinery model: what is bought, mixed, stored and sold; units are in ``unit_parts``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestrator.modules.optimization.refinery.blending_index import INDICES
from orchestrator.modules.optimization.refinery.numbers import (
    Amount,
    Cost,
    Money,
    Plain,
    PlainLeastZero,
    PlainPositive,
    Quality,
    Rate,
    every,
)


class ModelPart(BaseModel):
    """Base of the parts: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def by_name(value: Any) -> Any:
    """A list of names as a mapping of each to nothing more; anything else as it is."""
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return {name: {} for name in value}
    return value


class Period(ModelPart):
    """A span of time in which the refinery runs alike."""

    name: str = Field(min_length=1)
    days: float = Field(default=1.0, gt=0, description="Length, days.")


class Bounded(ModelPart):
    """A flow with a least and a largest amount, per day."""

    min: Rate = Field(default=0.0, description="Least amount, per day.")
    max: Rate | None = Field(default=None, description="Largest amount, per day.")


class Tier(ModelPart):
    """A step of a price: so much a day at this price, before the next step begins."""

    price: Money = Field(description="Money per unit.")
    max: Rate | None = Field(
        default=None, description="Size of the step, per day; null for the rest."
    )


class Priced(Bounded):
    """A flow with one price or with a price by steps."""

    price: Money | None = Field(
        default=None, description="Money per unit; a number, or an expression over tags."
    )
    tiers: tuple[Tier, ...] = Field(
        default=(), description="Instead of price: its steps, in order."
    )

    @model_validator(mode="after")
    def _has_a_price(self) -> Self:
        if self.price is None and not self.tiers:
            raise ValueError("has no price; give price, or tiers")
        if self.price is not None and self.tiers:
            raise ValueError("has both price and tiers; give one of them")
        if any(tier.max is None for tier in self.tiers[:-1]):
            raise ValueError("a tier without max must be the last: nothing comes after it")
        return self


class Cut(ModelPart):
    """A cut of a crude's assay."""

    yield_: PlainLeastZero = Field(alias="yield", description="Share of the crude.")
    properties: dict[str, Quality] = Field(default_factory=dict)

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)


class Supply(Priced):
    """A crude or another feed that can be bought: price, availability, assay."""

    properties: dict[str, Quality] = Field(default_factory=dict)
    cuts: dict[str, Cut] = Field(
        default_factory=dict,
        description="The assay: cut -> yield and properties, or its yield alone.",
    )

    @field_validator("cuts", mode="before")
    @classmethod
    def _yields_alone(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {
            n: item if isinstance(item, Mapping | Cut) else {"yield": item}
            for n, item in value.items()
        }


class Spec(ModelPart):
    """Least and largest value of a property of a product."""

    min: Quality | None = None
    max: Quality | None = None


class Component(ModelPart):
    """Least and largest share of a component in a product."""

    min: PlainLeastZero | None = None
    max: PlainLeastZero | None = None


class Product(Priced):
    """A product: its price and demand, and what it is made of.

    ``components`` are streams that may be mixed in any shares that meet ``specs``; a ``recipe`` gives
    fixed parts instead. Without either the product is the stream of its own name.
    """

    components: dict[str, Component] = Field(
        default_factory=dict, description="Streams that may be mixed, with limits on their shares."
    )
    recipe: dict[str, PlainLeastZero] = Field(
        default_factory=dict, description="Stream -> parts, which are scaled to one."
    )
    specs: dict[str, Spec] = Field(default_factory=dict)
    cost: Cost = Field(default=0.0, description="Money per unit for blending and delivery.")

    @field_validator("components", mode="before")
    @classmethod
    def _list_of_components(cls, value: Any) -> Any:
        return by_name(value)

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.components and self.recipe:
            raise ValueError("has components and recipe; give one of them")
        if self.recipe and not any(max(every(part)) > 0 for part in self.recipe.values()):
            raise ValueError("the parts of a recipe must not all be 0")
        return self


class Stream(ModelPart):
    """Properties of a stream, and whether what is not used may be thrown away.

    ``surplus`` is worth ``surplus_price`` (negative where disposal costs); ``inherit`` takes the
    model's rule. ``emissions`` come of what is burnt as a utility or is surplus.
    """

    properties: dict[str, Quality] = Field(default_factory=dict)
    surplus: Literal["inherit", "allowed", "forbidden"] = "inherit"
    surplus_price: Cost = 0.0
    emissions: dict[str, Plain] = Field(default_factory=dict)


class PropertyRule(ModelPart):
    """How a property blends, and its unit."""

    blends: str = Field(default="linear", description="Name of a blending index.")
    unit: str = ""

    @field_validator("blends")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in INDICES:
            raise ValueError(f"is not a blending index; known are: {', '.join(INDICES)}")
        return value


class Pool(ModelPart):
    """Streams that are mixed before they go on, under the pool's own name.

    With ``computed`` its properties follow from what flows in, which is not linear. Without, they are
    those given for the stream of the pool's name, or what all inputs have in common.
    """

    mixes: tuple[str, ...] = Field(min_length=1)
    computed: bool = False


class Closing(ModelPart):
    """What must be in a tank after the last period."""

    min: Amount | None = None
    max: Amount | None = None


class Tank(ModelPart):
    """Storage of a stream or product, carried from period to period."""

    holds: str = Field(
        default="", description="Stream or product; the tank's own name if left out."
    )
    opening: Amount = Field(default=0.0, description="In store before the first period.")
    heel: Amount = Field(default=0.0, description="Least amount at the end of each period.")
    capacity: Amount | None = Field(default=None, description="Largest amount.")
    closing: Closing = Field(
        default_factory=Closing, description="After the last period: an amount, or min and max."
    )
    closing_price: Money = Field(default=0.0, description="Worth of one unit left at the end.")
    carrying_cost: PlainLeastZero = Field(
        default=0.0, description="Money per unit in store at the end of a period, per day."
    )

    @field_validator("closing", mode="before")
    @classmethod
    def _target(cls, value: Any) -> Any:
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            return {"min": value, "max": value}
        return value


class Utility(ModelPart):
    """Fuel, steam, power, hydrogen and the like: bought, made by units, or burnt from streams."""

    price: Money | None = Field(default=None, description="Money per unit bought.")
    purchase: bool = Field(default=True, description="Whether it can be bought.")
    unit: str = Field(default="", description="Unit of its amounts, for people.")
    max: PlainLeastZero | None = Field(default=None, description="Largest purchase, per day.")
    min: PlainLeastZero = Field(default=0.0, description="Least purchase, per day.")
    sell_price: Money | None = Field(
        default=None, description="Money per unit of surplus that is sold."
    )
    from_: dict[str, PlainPositive] = Field(
        default_factory=dict, alias="from", description="Stream -> amount of utility from one unit."
    )
    emissions: dict[str, Plain] = Field(
        default_factory=dict, description="Emission -> amount per unit bought."
    )

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    @model_validator(mode="after")
    def _has_a_price(self) -> Self:
        if self.purchase and self.price is None:
            raise ValueError(
                "has no price; give price, or purchase: false where none can be bought"
            )
        return self


class Emission(ModelPart):
    """An emission: its price and its caps."""

    price: Money = Field(default=0.0, description="Money per unit emitted.")
    unit: str = "t"
    cap: PlainLeastZero | None = Field(default=None, description="Largest amount a day.")
    cap_total: PlainLeastZero | None = Field(default=None, description="Largest amount in all.")


class SideLimit(ModelPart):
    """A further limit ``min ≤ Σ factor · quantity ≤ max`` over named quantities.

    ``terms`` name ``crudes.NAME``, ``purchases.NAME``, ``products.NAME``, ``units.NAME``,
    ``units.NAME.FEED``, ``units.NAME.MODE``, ``units.NAME.MODE.FEED``, ``blends.PRODUCT.STREAM``,
    ``tanks.NAME``, ``pools.NAME.STREAM``, ``surplus.STREAM``, ``utilities.NAME``, ``emissions.NAME``
    or ``on.UNIT``, which is 1 while a unit with on_off is on and 0 while it is off.
    """

    terms: dict[str, Plain] = Field(min_length=1)
    min: Plain | None = None
    max: Plain | None = None
    over: Literal["period", "horizon"] = Field(
        default="period",
        description="Whether it holds in each period, per day, or for the sum of all.",
    )
