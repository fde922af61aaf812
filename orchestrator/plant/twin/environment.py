"""The simulated unit as a Gymnasium environment: set points in, margin out.

Needs the extra ``twin`` (gymnasium). Registered by no side effect: make it with ``CrudeUnit(...)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.errors import UnavailableError
from orchestrator.plant.expressions import Expression
from orchestrator.plant.twin.scenario import Scenario
from orchestrator.plant.twin.stepping import Reading, Twin

try:
    import gymnasium
except ImportError as error:
    raise UnavailableError(
        "gymnasium is not installed",
        where="orchestrator.plant.twin.environment",
        remedy="pip install 'dan-g-orchestrator[twin]'",
    ) from error

if TYPE_CHECKING:
    from numpy.typing import NDArray

BARRELS = 6289.81
"""One cubic metre, 1000 times, in barrels."""
PENALTY = 1.0
"""Cost of a tag at twice its band outside an alarm limit, USD/bbl a step."""
FAR = 100.0
"""Observations are cut off here."""


class CrudeUnit(gymnasium.Env["NDArray[np.float32]", "NDArray[np.float32]"]):
    """Run the crude unit for margin without leaving its limits.

    *Action*: every set point between its limits as -1 to 1. *Observation*: all tags sampled at every step,
    over the mean of their normal range in half its width; what is lost keeps its last value. *Reward*: true
    margin in USD/bbl times charge over design, less what true values stand outside their alarm limits. An
    episode is cut off after ``hours``; it never ends by itself.

    Args:
        scenario: As for :class:`~orchestrator.plant.twin.stepping.Twin`.
        hours: Length of an episode, h.
        steps_per_action: Steps of the twin that one action holds.
        render_mode: Not used; there is nothing to draw.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - the base class declares it so

    def __init__(
        self,
        scenario: Scenario | Path | None = None,
        *,
        hours: float = 24.0,
        steps_per_action: int = 5,
        render_mode: str | None = None,
    ) -> None:
        self.render_mode = render_mode
        self.twin = Twin(scenario)
        self._steps_per_action = steps_per_action
        period = self.twin.scenario.period_seconds * steps_per_action
        self._most = max(1, round(hours * 3600 / period))
        self.handles = tuple(self.twin.limits)
        self._low, self._high = np.array(list(self.twin.limits.values())).T
        plant = self.twin.plant
        seen = [tag for tag in plant.tags if tag.normal and tag.period_seconds == self._period]
        self.observed = tuple(tag.name for tag in seen)
        self._columns = np.array([plant.tag_names.index(name) for name in self.observed])
        band = np.array([tag.normal for tag in seen], dtype=np.float64)
        self._centre, self._half = band.mean(axis=1), np.maximum(np.ptp(band, axis=1) / 2, 1e-9)
        limits = [(tag.limits.low, tag.limits.high) for tag in seen]
        self._alarm_low = np.array([-np.inf if low is None else low for low, _ in limits])
        self._alarm_high = np.array([np.inf if high is None else high for _, high in limits])
        self._margin = Expression.parse(plant.kpis["margin_usd_per_bbl"].expression)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (len(self.handles),), np.float32)
        self.observation_space = gymnasium.spaces.Box(-FAR, FAR, (len(self.observed),), np.float32)
        self._held = np.zeros(len(self.observed))
        self._done = 0

    @property
    def _period(self) -> float:
        return float(self.twin.scenario.period_seconds)

    def action_of(self, set_points: Mapping[str, float]) -> NDArray[np.float32]:
        """The action that sends set points (tag -> value in its unit); those not named stay."""
        now = self.twin.set_points | dict(set_points)
        wanted = np.array([now[name] for name in self.handles], dtype=np.float64)
        part = (wanted - self._low) / (self._high - self._low)
        action: NDArray[np.float32] = (2.0 * part - 1.0).astype(np.float32)
        return action

    def values_of(self, observation: NDArray[np.float32]) -> dict[str, float]:
        """An observation as tag -> value in its unit."""
        values = self._centre + np.asarray(observation, dtype=np.float64) * self._half
        return dict(zip(self.observed, values.tolist(), strict=True))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode at steady state; without a seed the generator of the environment draws one."""
        super().reset(seed=seed, options=options)
        drawn = int(self.np_random.integers(2**31)) if seed is None else seed
        reading = self.twin.reset(drawn)
        self._done = 0
        self._held = np.zeros(len(self.observed))
        return self._seen(reading), self._told(reading)

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Send the set points where the action says, and run on."""
        part = (np.clip(np.asarray(action, dtype=np.float64), -1.0, 1.0) + 1.0) / 2.0
        wanted = self._low + part * (self._high - self._low)
        reading = self.twin.step(dict(zip(self.handles, wanted.tolist(), strict=True)))
        for _ in range(self._steps_per_action - 1):
            reading = self.twin.step()
        self._done += 1
        told = self._told(reading)
        reward = told["margin_usd_per_bbl"] * told["charge_share"] - told["penalty"]
        return self._seen(reading), float(reward), False, self._done >= self._most, told

    def _seen(self, reading: Reading) -> NDArray[np.float32]:
        now = (reading.measured[self._columns] - self._centre) / self._half
        self._held = np.where(np.isfinite(now), now, self._held)
        return np.clip(self._held, -FAR, FAR).astype(np.float32)

    def _told(self, reading: Reading) -> dict[str, Any]:
        true = dict(zip(reading.tags, reading.true.tolist(), strict=True))
        values = reading.true[self._columns]
        outside = np.maximum(self._alarm_low - values, values - self._alarm_high) / self._half
        return {
            "time": reading.time.isoformat(),
            "margin_usd_per_bbl": float(self._margin.evaluate(true)),
            "charge_share": true["FI101"] / 600.0,
            "penalty": float(PENALTY * np.clip(outside, 0.0, 10.0).sum()),
            "faults": self.twin.active_faults,
        }
