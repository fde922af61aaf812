"""Leaves a server alone that keeps failing, so that questions go on to a fallback at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from orchestrator.llm.failures import Breaker, Failure

State = Literal["closed", "open", "half-open"]
LONGER = 10.0
"""How many times longer a server is left alone that refuses the key or has no balance."""


class CircuitBreaker:
    """Closed while all is well; open after failures in a row; then half-open: one request tries the server.

    Args:
        failures: How many in a row open it.
        seconds: How long it stays open.
        monotonic: Seconds that never go back.
    """

    def __init__(
        self, failures: int, seconds: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = failures
        self._seconds = seconds
        self._monotonic = monotonic
        self._failed = 0
        self._open_until: float | None = None
        self._trying = False
        self._why = ""

    @property
    def state(self) -> State:
        """Which of the three it is now."""
        if self._open_until is None:
            return "closed"
        return "open" if self._monotonic() < self._open_until else "half-open"

    @property
    def why(self) -> str:
        """The failure that opened it; empty while it is closed."""
        return self._why if self._open_until is not None else ""

    def enter(self) -> None:
        """Ask to send a request; each one that may must end in one of the three methods below.

        Raises:
            Failure: ``left-alone``.
        """
        if self._open_until is None:
            return
        left = self._open_until - self._monotonic()
        if left > 0:
            raise Failure("left-alone", f"left alone for {left:.0f} s more, because: {self._why}")
        if self._trying:
            raise Failure("left-alone", f"one request tries it now, after: {self._why}")
        self._trying = True

    def succeeded(self) -> None:
        """The server answered, with whatever."""
        self._failed, self._open_until, self._trying = 0, None, False

    def failed(self, weight: Breaker, why: str) -> None:
        """The request failed in a way that speaks against the server, or does not (``ignore``)."""
        if weight == "ignore":
            self.succeeded()
            return
        self._failed += 1
        if weight == "open" or self._trying or self._failed >= self._most:
            longer = LONGER if weight == "open" else 1.0
            self._open_until = self._monotonic() + longer * self._seconds
            self._why = why
        self._trying = False

    def abandoned(self) -> None:
        """The request ended before anything was known."""
        self._trying = False
