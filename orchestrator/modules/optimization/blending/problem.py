"""Parameters of ``optimization.blend``: feeds, pools and products, and what may flow between them.

Flows are in one unit (volume or mass per period), prices in money per unit of flow. A pool mixes what
flows in, so that whatever leaves it has one quality; a problem without pools is a plain recipe. Fields
that merely describe a case (its source, remarks) are let through.

    feeds:
      - {id: sour, max: 300, price: 6, quality: {sulphur: 3}}
      - {id: sweet, price: 16, quality: {sulphur: 1}}
    pools:
      - {id: tank}
    products:
      - {id: regular, max: 100, price: 9, quality_max: {sulphur: 2.5}}
    arcs:
      feed_to_pool: [{feed: sour, pool: tank}, {feed: sweet, pool: tank}]
      pool_to_product: [{pool: tank, product: regular}]
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from orchestrator.modules import documents
from orchestrator.modules.base import OperationInput
from orchestrator.modules.documents import DocumentPart

MOST = 1e12
"""Largest size of a number: solvers reckon with rounding beyond it."""


def _usual(value: float) -> float:
    if abs(value) > MOST:
        raise ValueError(
            f"is beyond {MOST:g}; take a larger unit, or leave out a limit that is none"
        )
    return value


# Neither true nor "15" is a number here: both are more often a slip than meant.
Number = Annotated[float, Field(strict=True), AfterValidator(_usual)]
Quality = dict[str, Number]
Limits = dict[str, Number | None]


def _not_null(instead: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: instead if value is None else value)


Least = Annotated[Number, _not_null(0.0), Field(ge=0)]
Most = Annotated[Number | None, Field(ge=0)]
QualityLimits = Annotated[Limits, _not_null({})]


class Lots(DocumentPart):
    """Amounts that are not free: all may be left out.

    Attributes:
        minimum_lot: Nothing, or at least this much.
        lot_size: Whole multiples of this only: parcels, tanks, rail cars.
        fixed_cost: Money once, if there is any flow at all.
    """

    minimum_lot: Annotated[Number | None, Field(gt=0)] = None
    lot_size: Annotated[Number | None, Field(gt=0)] = None
    fixed_cost: Annotated[Number, _not_null(0.0), Field(ge=0)] = 0.0

    @property
    def discrete(self) -> bool:
        """Whether any of these is given."""
        return self.minimum_lot is not None or self.lot_size is not None or self.fixed_cost > 0


class Named(Lots):
    """A part with a name that no other has."""

    id: str = Field(min_length=1)


class Feed(Named):
    """Something that can be bought or is on hand: amount, price and quality by property."""

    min: Least = 0.0
    max: Most = None
    price: Number
    quality: Annotated[Quality, _not_null({})] = Field(default_factory=dict)


class Mixture(Named):
    """Something in which flows mix: limits of its quality, and how many arcs may lead into it."""

    quality_min: QualityLimits = Field(default_factory=dict)
    quality_max: QualityLimits = Field(default_factory=dict)
    max_components: Annotated[int | None, Field(strict=True, ge=1)] = None


class BlendProduct(Mixture):
    """Something to be made, between ``min`` and ``max``; null for no limit."""

    min: Least = 0.0
    max: Most = None
    price: Annotated[Number, _not_null(0.0)] = 0.0


class BlendPool(Mixture):
    """A tank or header that mixes, with its largest throughput; null for no limit."""

    capacity: Most = None


class Arc(Lots):
    """A possible flow.

    Attributes:
        min_flow: Least flow.
        max_flow: Largest flow; null for none.
        min_fraction: Least share of all that flows into its end.
        max_fraction: Largest such share.
        cost: Money per unit of flow.
    """

    min_flow: Least = 0.0
    max_flow: Most = None
    min_fraction: Annotated[Number, _not_null(0.0), Field(ge=0, le=1)] = 0.0
    max_fraction: Annotated[Number, _not_null(1.0), Field(ge=0, le=1)] = 1.0
    cost: Annotated[Number, _not_null(0.0)] = 0.0

    @property
    def ends(self) -> tuple[str, str]:
        """Where it comes from and goes to."""
        raise NotImplementedError


class FeedToPool(Arc):
    """From a feed into a pool."""

    feed: str
    pool: str

    @property
    def ends(self) -> tuple[str, str]:
        """Feed and pool."""
        return self.feed, self.pool


class PoolToPool(Arc):
    """From a pool into another: generalised pooling."""

    source: str = Field(validation_alias=AliasChoices("from", "from_pool", "source"))
    target: str = Field(validation_alias=AliasChoices("to", "to_pool", "target"))

    @property
    def ends(self) -> tuple[str, str]:
        """Both pools."""
        return self.source, self.target


class PoolToProduct(Arc):
    """From a pool into a product."""

    pool: str
    product: str

    @property
    def ends(self) -> tuple[str, str]:
        """Pool and product."""
        return self.pool, self.product


class FeedToProduct(Arc):
    """From a feed straight into a product."""

    feed: str
    product: str

    @property
    def ends(self) -> tuple[str, str]:
        """Feed and product."""
        return self.feed, self.product


class Arcs(DocumentPart):
    """All possible flows, by what they join."""

    feed_to_pool: Annotated[tuple[FeedToPool, ...], _not_null(())] = ()
    pool_to_pool: Annotated[tuple[PoolToPool, ...], _not_null(())] = ()
    pool_to_product: Annotated[tuple[PoolToProduct, ...], _not_null(())] = ()
    feed_to_product: Annotated[tuple[FeedToProduct, ...], _not_null(())] = ()

    def listed(self) -> list[tuple[str, Arc]]:
        """Each arc with its place in the document."""
        return [
            (f"arcs.{kind}.{number}", arc)
            for kind in ("feed_to_pool", "pool_to_pool", "pool_to_product", "feed_to_product")
            for number, arc in enumerate(getattr(self, kind))
        ]


class BlendInput(OperationInput):
    """Parameters of ``optimization.blend``; see the file's heading."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    sense: Literal["min", "max"] = Field(
        default="min",
        description="min: the objective is cost less sales, so that a profit is negative; max: sales "
        "less cost.",
    )
    feeds: tuple[Feed, ...] = Field(
        default=(),
        description="What can be used; the module's option blend_problem where neither feeds nor "
        "products are given.",
    )
    products: tuple[BlendProduct, ...] = Field(default=(), description="What can be made.")
    pools: Annotated[tuple[BlendPool, ...], _not_null(())] = ()
    arcs: Arcs = Arcs()
    qualities: Annotated[tuple[str, ...], _not_null(())] = Field(
        default=(), description="Properties that count; all that a limit names when left out."
    )
    blending: dict[str, str] = Field(
        default_factory=dict,
        description="Property -> blending index, where it does not blend linearly by flow.",
    )
    flow_basis: Literal["volume", "mass"] = Field(
        default="volume", description="What one unit of flow is, for indices that count the other."
    )
    time_limit_seconds: float = Field(default=30.0, gt=0, le=3600, description="Longest search, s.")
    gap: float = Field(
        default=1e-5, ge=1e-9, le=1, description="Relative gap at which an answer is optimal."
    )

    @model_validator(mode="before")
    @classmethod
    def _spelt(cls, value: Any) -> Any:
        return documents.refuse_misspelt(cls, value)

    @property
    def mixtures(self) -> tuple[Mixture, ...]:
        """Pools, then products."""
        return (*self.pools, *self.products)

    @property
    def nodes(self) -> tuple[Named, ...]:
        """Feeds, pools, then products."""
        return (*self.feeds, *self.pools, *self.products)

    def unread(self) -> list[str]:
        """A warning for each field that is neither known nor descriptive."""
        parts: list[tuple[str, BaseModel]] = [(part.id, part) for part in self.nodes]
        return documents.of_parts([*parts, ("arcs", self.arcs), *self.arcs.listed()], self)
