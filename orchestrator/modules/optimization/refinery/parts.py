"""Parts of a refinery model: what is bought, run, mixed, stored and sold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestrator.modules.optimization.refinery.blending_index import INDICES
from orchestrator.modules.optimization.refinery.numbers import (
    Amount,
    Money,
    Plain,
    PlainLeastZero,
    PlainPositive,
    Rate,
    every,
)


class ModelPart(BaseModel):
    """Base of the parts: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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
    properties: dict[str, Plain] = Field(default_factory=dict)

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)


class Supply(Priced):
    """A crude or another feed that can be bought: price, availability, assay."""

    properties: dict[str, Plain] = Field(default_factory=dict)
    cuts: dict[str, Cut] = Field(
        default_factory=dict, description="The assay: cut -> yield and properties."
    )


class Load(ModelPart):
    """What running a feed, a mode or a unit takes, per unit of feed."""

    cost: Plain = Field(default=0.0, description="Money per unit of feed.")
    utilities: dict[str, Plain] = Field(
        default_factory=dict,
        description="Utility -> use per unit of feed; negative where it is made.",
    )
    emissions: dict[str, Plain] = Field(
        default_factory=dict, description="Emission -> amount per unit of feed."
    )


class Feed(Load):
    """What one feed becomes in a unit."""

    yields: dict[str, Plain] = Field(
        default_factory=dict,
        description="Stream -> amount per unit of feed; negative for what is used up beside it.",
    )
    use: PlainPositive = Field(default=1.0, description="Capacity taken by one unit of feed.")
    properties: dict[str, dict[str, Plain]] = Field(
        default_factory=dict, description="Stream that is made -> its properties."
    )
    base: dict[str, float] = Field(
        default_factory=dict, description="Properties of the feed for which the yields hold."
    )
    deltas: dict[str, dict[str, float]] = Field(
        default_factory=dict,
        description="Property of the feed -> stream -> change of its yield for one more unit.",
    )

    @model_validator(mode="after")
    def _deltas_have_a_base(self) -> Self:
        for name in self.deltas.keys() - self.base.keys():
            raise ValueError(f"deltas names {name!r}, and base has no {name!r} to start from")
        return self


Feeds = dict[str, Feed]


def _feeds_by_name(value: Any) -> Any:
    """Feeds as a list of names, where all of them become the unit's cuts."""
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return {name: {} for name in value}
    return value


class Running(Load):
    """Feeds with their yields, or with the cuts of each crude's assay."""

    feeds: Feeds = Field(default_factory=dict)
    cuts: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Stream -> cuts of the assay of each feed that it gathers; a list for equal names.",
    )
    mixed: tuple[str, ...] = Field(
        default=(), description="Streams that are not kept apart where segregate is given."
    )

    @field_validator("feeds", mode="before")
    @classmethod
    def _list_of_feeds(cls, value: Any) -> Any:
        return _feeds_by_name(value)

    @field_validator("cuts", mode="before")
    @classmethod
    def _list_of_cuts(cls, value: Any) -> Any:
        if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
            return {name: (name,) for name in value}
        if isinstance(value, Mapping):
            return {
                name: (item,) if isinstance(item, str) else item for name, item in value.items()
            }
        return value


class Mode(Running):
    """A way to run a unit: its own feeds and yields, cost and use of capacity."""

    use: PlainPositive = Field(default=1.0, description="Capacity taken by one unit of feed.")
    max: Rate | None = Field(default=None, description="Largest throughput in this mode, per day.")


class SeverityEnd(Running):
    """One end of a unit's severity."""

    value: float = Field(description="The severity, in the unit's own measure.")


class Severity(ModelPart):
    """A unit run anywhere between two ends; yields, cost and yield × property are linear between them.

    Streams whose properties differ between the ends are kept apart as ``stream@low`` and ``stream@high``;
    mixed again in one place they are what the severity between makes.
    """

    low: SeverityEnd
    high: SeverityEnd

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low.value >= self.high.value:
            raise ValueError(f"low ({self.low.value:g}) must be below high ({self.high.value:g})")
        return self


class Outage(ModelPart):
    """Days of a period in which a unit has only a share of its capacity."""

    days: float = Field(ge=0)
    capacity: float = Field(
        default=0.0, ge=0, le=1, description="Share of the capacity that is left."
    )


class Unit(Running):
    """A process unit: feeds with yields, or modes, or a severity between two ends."""

    capacity: Rate | None = Field(default=None, description="Largest throughput, per day.")
    minimum: Rate = Field(default=0.0, description="Least throughput (turndown), per day.")
    modes: dict[str, Mode] = Field(default_factory=dict)
    one_mode: bool = Field(default=False, description="Whether a period has one mode alone.")
    severity: Severity | None = None
    segregate: Literal["no", "crude", "mode"] = Field(
        default="no",
        description="Keep what is made apart by crude (stream@crude) or by mode (stream@mode).",
    )
    on_off: bool = Field(
        default=False, description="Whether it may be off, else between minimum and capacity."
    )
    on_before: bool = Field(default=True, description="Whether it ran before the first period.")
    fixed_cost: PlainLeastZero = Field(default=0.0, description="Money a day that it is on.")
    startup_cost: PlainLeastZero = Field(default=0.0, description="Money for each start.")
    maintenance: dict[str, Outage] = Field(
        default_factory=dict, description="Period -> days out, or days and the share that is left."
    )

    @field_validator("segregate", mode="before")
    @classmethod
    def _yes_is_by_crude(cls, value: Any) -> Any:
        return {True: "crude", False: "no"}.get(value, value) if isinstance(value, bool) else value

    @field_validator("maintenance", mode="before")
    @classmethod
    def _days_alone(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {
            name: {"days": item} if isinstance(item, int | float) else item
            for name, item in value.items()
        }

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = [
            name
            for name, given in (
                ("feeds", self.feeds),
                ("modes", self.modes),
                ("severity", self.severity),
            )
            if given
        ]
        if not forms:
            raise ValueError("has nothing to run; give feeds, modes or severity")
        if len(forms) > 1:
            raise ValueError(f"has {' and '.join(forms)}; give one of them")
        if self.one_mode and not self.modes:
            raise ValueError("has one_mode, and no modes to choose from")
        if (self.on_off or self.one_mode) and self.capacity is None:
            word = "on_off" if self.on_off else "one_mode"
            raise ValueError(f"has {word} without capacity, which says how much it can run when on")
        if not self.on_off and any(every(self.startup_cost)):
            raise ValueError("has startup_cost without on_off: it is always on")
        return self

    @property
    def ways(self) -> dict[str, Running]:
        """The ways in which it can run: the modes, the ends of severity, or itself under no name."""
        if self.modes:
            return dict(self.modes)
        if self.severity is not None:
            return {"low": self.severity.low, "high": self.severity.high}
        return {"": self}


class Spec(ModelPart):
    """Least and largest value of a property of a product."""

    min: Plain | None = None
    max: Plain | None = None


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
    cost: Plain = Field(default=0.0, description="Money per unit for blending and delivery.")

    @field_validator("components", mode="before")
    @classmethod
    def _list_of_components(cls, value: Any) -> Any:
        return _feeds_by_name(value)

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

    properties: dict[str, Plain] = Field(default_factory=dict)
    surplus: Literal["inherit", "allowed", "forbidden"] = "inherit"
    surplus_price: Plain = 0.0
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
    ``tanks.NAME``, ``pools.NAME.STREAM``, ``surplus.STREAM``, ``utilities.NAME`` or ``emissions.NAME``.
    """

    terms: dict[str, Plain] = Field(min_length=1)
    min: Plain | None = None
    max: Plain | None = None
    over: Literal["period", "horizon"] = Field(
        default="period",
        description="Whether it holds in each period, per day, or for the sum of all.",
    )
