"""What days of the simulated unit were worth, and what was broken in them: judged by true values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.plant.expressions import Expression
from orchestrator.plant.tags import Plant
from orchestrator.plant.twin.optimum import margin_of

Array = NDArray[np.float64]

EXTERNAL = ("AI101", "AI102", "TI101")
"""Crude and weather: no set point moves them."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a run of the days was worth, and what it broke.

    Attributes:
        margin: Mean, USD/h.
        hard: Hard limit -> minutes beyond it, and the farthest value.
        alarms: Alarm limit -> minutes beyond it.
        off: Specification -> minutes beyond it, and the farthest value.
        on_time: Share of minutes with every product on specification.
        on_mass: Share of the mass of the specified products that was on specification.
    """

    margin: float
    hard: dict[str, tuple[int, float]]
    alarms: dict[str, int]
    off: dict[str, tuple[int, float]]
    on_time: float
    on_mass: float


def scored(days: Sequence[Array], plant: Plant) -> Score:
    """Judge true values of every minute, ``(n, n_tags)`` by block."""
    values = dict(zip(plant.tag_names, np.vstack(days).T, strict=True))
    margin = margin_of(Expression.parse(plant.kpis["margin_usd_per_bbl"].expression), values)
    hard: dict[str, tuple[int, float]] = {}
    alarms: dict[str, int] = {}
    for tag in plant:
        if tag.name in values and tag.name not in EXTERNAL:
            hard |= _beyond(tag.name, values[tag.name], tag.limits.hard)
            outer = _beyond(tag.name, values[tag.name], tag.limits.operating)
            alarms |= {name: minutes for name, (minutes, _) in outer.items()}
    off: dict[str, tuple[int, float]] = {}
    all_on = np.ones(len(margin), dtype=bool)
    made = on_mass = 0.0
    for product in plant.products.values():
        on = np.ones(len(margin), dtype=bool)
        for tag_name, (low, high) in product.specifications.items():
            value = values[tag_name]
            off |= _beyond(tag_name, value, (low, high))
            on &= (value >= (-np.inf if low is None else low)) & (
                value <= (np.inf if high is None else high)
            )
        all_on &= on
        made += float(values[product.flow].sum())
        on_mass += float(values[product.flow][on].sum())
    return Score(
        float(margin.mean()), hard, alarms, off, float(all_on.mean()), on_mass / max(made, 1e-9)
    )


def _beyond(
    name: str, value: Array, span: tuple[float | None, float | None]
) -> dict[str, tuple[int, float]]:
    found = {}
    for sign, side, bound in ((-1.0, "<", span[0]), (1.0, ">", span[1])):
        if bound is not None and (beyond := sign * (value - bound) > 0).any():
            found[f"{name} {side} {bound:g}"] = (
                int(beyond.sum()),
                float(sign * (sign * value).max()),
            )
    return found
