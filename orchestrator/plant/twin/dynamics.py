"""First-order lags, dead times and coloured disturbances that run block by block.

All keep their state between blocks, so that a run gives the same values however it is cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_CHUNK = 64


class Lags:
    """First-order lags ``τ dy/dt + y = u`` of many signals, exact for inputs held over a step.

    Args:
        time_constants: Time constant of each signal in steps; 0 passes it through.
        start: Outputs before the first step; without it the signals start at rest at their first
            input.
    """

    def __init__(
        self, time_constants: Sequence[float], start: NDArray[np.float64] | None = None
    ) -> None:
        constants = np.asarray(time_constants, dtype=np.float64)
        self._state = start
        positive = np.where(constants > 0, constants, 1.0)
        self._decay = np.where(constants > 0, np.exp(-1.0 / positive), 0.0)
        self._groups: list[tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]] = []
        for constant in np.unique(constants[constants > 0]):
            decay = float(np.exp(-1.0 / constant))
            powers = np.power(decay, np.arange(_CHUNK + 1, dtype=np.float64))
            lag = np.subtract.outer(np.arange(_CHUNK), np.arange(_CHUNK))
            response = np.where(lag >= 0, powers[np.maximum(lag, 0)], 0.0) * (1.0 - decay)
            self._groups.append((np.flatnonzero(constants == constant), response, powers[1:]))

    def run(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Outputs for the next steps, shape as ``inputs`` ``(n, signals)``."""
        if self._state is None:
            self._state = inputs[0].copy()
        if len(inputs) == 1:
            self._state = self._decay * self._state + (1.0 - self._decay) * inputs[0]
            return self._state[None, :].copy()
        outputs = inputs.copy()
        for columns, response, powers in self._groups:
            state = self._state[columns]
            for first in range(0, len(inputs), _CHUNK):
                part = inputs[first : first + _CHUNK, columns]
                n = len(part)
                reached = response[:n, :n] @ part + powers[:n, None] * state
                outputs[first : first + n, columns] = reached
                state = reached[-1]
            self._state[columns] = state
        return outputs


class DeadTimes:
    """Pure delays of many signals.

    Args:
        steps: Delay of each signal in whole steps.
    """

    def __init__(self, steps: Sequence[int]) -> None:
        self._steps = np.asarray(steps, dtype=np.intp)
        self._longest = int(self._steps.max(initial=0))
        self._past: NDArray[np.float64] | None = None

    def run(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Outputs for the next steps, shape as ``inputs`` ``(n, signals)``; starts at rest."""
        if self._longest == 0:
            return inputs
        if self._past is None:
            self._past = np.repeat(inputs[:1], self._longest, axis=0)
        line = np.vstack((self._past, inputs))
        rows = np.arange(len(inputs))[:, None] + (self._longest - self._steps)[None, :]
        self._past = line[len(line) - self._longest :]
        delayed: NDArray[np.float64] = line[rows, np.arange(line.shape[1])[None, :]]
        return delayed


class Coloured:
    """Slow random disturbances: first-order autoregressive noise with mean zero.

    Args:
        sizes: Standard deviation of each signal.
        memories: Correlation time of each signal in steps.
        random: Generator of its own; it must not be shared, or runs depend on how they are cut.
    """

    def __init__(
        self, sizes: Sequence[float], memories: Sequence[float], random: np.random.Generator
    ) -> None:
        decay = np.exp(-1.0 / np.asarray(memories, dtype=np.float64))
        # A lag of white noise has variance (1 - a) / (1 + a); the factor brings it back to one.
        self._scale = np.asarray(sizes, dtype=np.float64) * np.sqrt((1.0 + decay) / (1.0 - decay))
        self._lags = Lags(memories, start=np.zeros(len(self._scale)))
        self._random = random

    def run(self, rows: int) -> NDArray[np.float64]:
        """The next ``rows`` steps, shape ``(rows, signals)``."""
        white = self._random.standard_normal((rows, len(self._scale)))
        return self._lags.run(white * self._scale)

    def calm(self) -> None:
        """No chance from here on: what is there dies away with its memory."""
        self._scale = np.zeros_like(self._scale)
