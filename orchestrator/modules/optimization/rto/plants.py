"""Plants that a loop can run on: anything that answers handles with what is measured at steady state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import OperationError, ParameterError
from orchestrator.modules.optimization.rto.steady_state import SteadyState
from orchestrator.plant.economic_model import EconomicModel

Array = NDArray[Any]
Measured = dict[str, float]


class SteadyPlant(Protocol):
    """A plant that is given handles and waits until it is steady.

    Attributes:
        truth: True values at the last place, ``objective`` among them; empty where nobody can tell.
    """

    truth: Mapping[str, float]

    def apply(self, handles: Mapping[str, float]) -> Measured:
        """Move there, wait, and measure: name -> value."""
        ...


class ModelPlant:
    """A simulated plant given as expressions, with noise on what it measures.

    Args:
        model: Its equations; their solution is the truth of this plant.
        measured: Names that are measured.
        noise: Name -> standard deviation of one steady value, as a share of the value.
        seed: Seed of the noise.
        fixed: What its equations read besides handles and parameters.

    Raises:
        ParameterError: the plant does not have what is to be measured.
    """

    def __init__(
        self,
        model: EconomicModel,
        measured: tuple[str, ...],
        noise: Mapping[str, float] | None = None,
        seed: int = 0,
        fixed: Mapping[str, float] | None = None,
    ) -> None:
        self._state = SteadyState(model, "simulate.plant")
        self._fixed = dict(fixed or {})
        self._noise = dict(noise or {})
        self._random = np.random.default_rng(seed)
        self._measured = measured
        known = {*model.unknowns, *model.definitions, *model.responses}
        missing = sorted(set(measured) - known)
        if missing:
            raise ParameterError(
                f"the simulated plant has no {', '.join(missing)}, which the model has measured",
                where="simulate.plant",
                remedy=f"it has {', '.join(sorted(known))}",
            )
        absent = sorted(self._state.reads - self._fixed.keys())
        if absent:
            raise ParameterError(
                f"the simulated plant reads {', '.join(absent)}, which has no value",
                where="simulate.plant",
                remedy="give it among its parameters, or in current",
            )
        self.truth: Mapping[str, float] = {}

    def apply(self, handles: Mapping[str, float]) -> Measured:
        """The steady state there, measured with noise; ``truth`` keeps it without.

        Raises:
            OperationError: the plant has no steady state there.
        """
        position = np.array([[handles[name] for name in self._state.handles]], dtype=np.float64)
        states = self._state.steady_states(position, self._fixed)
        if not np.isfinite(states).all():
            raise self._state.no_steady_state(dict(handles))
        said = self._state.at(position, self._fixed, states).values
        self.truth = {name: float(value[0]) for name, value in said.items()}
        return {
            name: self.truth[name]
            * (1.0 + self._noise.get(name, 0.0) * self._random.standard_normal())
            for name in self._measured
        }


class EnvironmentPlant:
    """A Gymnasium environment, stepped at one action until what it shows is steady.

    Args:
        environment: Has ``reset()`` and ``step(action)``; reset once, at the first move.
        action_of: Handle -> value, as the environment's action.
        values_of: The environment's observation, as name -> value.
        tolerance: Largest change in a step, over each value's own size, that counts as steady.
        quiet: Steps in a row for which it must be steady.
        most: Steps after which waiting is given up.
    """

    def __init__(
        self,
        environment: Any,
        action_of: Callable[[Mapping[str, float]], Array],
        values_of: Callable[[Array], Mapping[str, float]],
        tolerance: float = 1e-4,
        quiet: int = 3,
        most: int = 2000,
    ) -> None:
        self._environment = environment
        self._action_of, self._values_of = action_of, values_of
        self._tolerance, self._quiet, self._most = tolerance, quiet, most
        self._started = False
        self.truth: Mapping[str, float] = {}

    def apply(self, handles: Mapping[str, float]) -> Measured:
        """Step until steady.

        Raises:
            OperationError: it ended or cut off its episode, or did not become steady.
        """
        if not self._started:
            self._environment.reset()
            self._started = True
        action = self._action_of(handles)
        last, quiet = None, 0
        for _ in range(self._most):
            observation, _, ended, cut_off, _ = self._environment.step(action)
            if ended or cut_off:
                raise OperationError(
                    "the environment ended its episode while it was being moved",
                    remedy="make its episodes longer, or ask for fewer steady states",
                )
            values = dict(self._values_of(observation))
            now = np.array(list(values.values()), dtype=np.float64)
            if last is not None:
                change = np.abs(now - last) / np.maximum(np.abs(last), 1e-6)
                quiet = quiet + 1 if change.max() <= self._tolerance else 0
            last = now
            if quiet >= self._quiet:
                return values
        raise OperationError(
            f"the environment is not steady after {self._most} steps",
            remedy="give more steps, or a wider tolerance where its measurements are noisy",
        )
