"""Properties of mixes by the blending rules of a model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.modules.optimization.refinery.blending_index import INDICES, BlendingIndex

if TYPE_CHECKING:
    from orchestrator.modules.optimization.refinery.model import RefineryModel
    from orchestrator.modules.optimization.refinery.quantity import Basis

DENSITY = "density"


class BlendingRules:
    """How the properties of a model blend.

    Attributes:
        basis: Whether the model's amounts are volumes or masses.
    """

    def __init__(self, model: RefineryModel) -> None:
        self.basis: Basis = model.basis
        self._rules = {name: INDICES[rule.blends] for name, rule in model.properties.items()}
        gravity = [name for name, rule in model.properties.items() if rule.blends == "api"]
        self._density = DENSITY if DENSITY in self._rules or not gravity else gravity[0]

    def index(self, prop: str) -> BlendingIndex:
        """The blending index of a property."""
        return self._rules.get(prop, INDICES["linear"])

    def needs_density(self, prop: str) -> bool:
        """Whether a mix of this property weighs amounts by density."""
        return self.index(prop).basis not in ("amount", self.basis)

    @property
    def density_name(self) -> str:
        """The property that density is read from."""
        return self._density

    def weight(self, prop: str, properties: Mapping[str, float]) -> float:
        """What one unit of a stream counts in a mix of a property; NaN without its density."""
        if not self.needs_density(prop):
            return 1.0
        value = properties.get(self._density, math.nan)
        density = self.index(self._density).of(value) if self._is_gravity else value
        if not density > 0:
            return math.nan
        return density if self.basis == "volume" else 1.0 / density

    @property
    def _is_gravity(self) -> bool:
        return self.index(self._density).name == "api"

    def mixed(self, prop: str, parts: Sequence[tuple[float, Mapping[str, float]]]) -> float:
        """Value of a property in a mix.

        Args:
            prop: The property.
            parts: Amount and properties of each part.

        Returns:
            The value; NaN where there is no amount, or a part has no such property or no density.
        """
        index = self.index(prop)
        total = weight = 0.0
        for amount, properties in parts:
            if prop not in properties:
                return math.nan
            share = amount * self.weight(prop, properties)
            weight += share
            total += share * index.of(properties[prop])
        return index.value(total / weight) if weight > 0 else math.nan
