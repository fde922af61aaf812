"""A deck of price scenarios: what ``analysis.market`` gives and ``optimization.plan`` takes."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class PriceScenario(BaseModel):
    """Prices that belong together, and how likely they are.

    ``prices`` go by the name that the plan's model has for them: a tag in its price expressions, or one
    of its crudes or products. They are in the deck's ``unit``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Literal["low", "base", "high"]
    probability: float = Field(ge=0, le=1)
    prices: dict[str, float] = Field(min_length=1)


class PriceDeck(BaseModel):
    """Scenarios of the same prices whose probabilities make 1, with one called ``base``.

    Attributes:
        scenarios: Low, base and high.
        as_of: Date of the prices from which they are made.
        horizon_days: Days after it for which they hold; null where the maker of the deck says none.
        unit: Unit of the prices.
        units: Unit of the series behind a price, where known: an expression of the plan that reads the
            name gets the price in it, as it would from the data.
        method: How they were made.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    scenarios: tuple[PriceScenario, ...] = Field(min_length=1)
    as_of: str | None = None
    horizon_days: int | None = None
    unit: str = "USD/bbl"
    units: dict[str, str] = Field(default_factory=dict)
    method: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        names = [scenario.name for scenario in self.scenarios]
        if len(set(names)) < len(names) or "base" not in names:
            raise ValueError(f"scenarios need different names, one of them base, got {names}")
        total = sum(scenario.probability for scenario in self.scenarios)
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            raise ValueError(f"the probabilities make {total:g}, not 1")
        every = {price for scenario in self.scenarios for price in scenario.prices}
        for scenario in self.scenarios:
            missing = sorted(every - scenario.prices.keys())
            if missing:
                raise ValueError(
                    f"scenario {scenario.name} has no price of {', '.join(missing)}, which others have"
                )
        return self

    @property
    def base(self) -> PriceScenario:
        """The scenario to plan by."""
        return next(scenario for scenario in self.scenarios if scenario.name == "base")
