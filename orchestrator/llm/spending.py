"""The day's budget: tokens and money of all models together, kept where a restart does not forget them.

A request is let through only if what was used today, what all requests under way may still use, and the most that
this one may use (its prompt and the longest reply) stay within the limits. So a limit is kept as long as
the server keeps to ``max_tokens``. What other processes on the same database use is known some seconds later,
and what they have under way is not. Days are UTC days.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import structlog

from orchestrator.clock import Clock, SystemClock
from orchestrator.errors import DanGError
from orchestrator.llm.failures import Failure
from orchestrator.llm.port import Usage
from orchestrator.llm.prices import cost_of, price_list, price_of
from orchestrator.llm_settings import LLMSettings, ModelSettings
from orchestrator.state.records import ModelUseRecord

REFRESH = 5.0
"""Age up to which what other processes have used need not be read anew, s."""
log = structlog.get_logger(__name__)


class UseStore(Protocol):
    """Where use is kept; the database's ``model_use`` is one."""

    async def add(self, used: ModelUseRecord) -> None: ...

    async def of_day(self, day: str) -> list[ModelUseRecord]: ...


class UseInMemory:
    """Use of this process only, for one that has no database."""

    def __init__(self) -> None:
        self._added: list[ModelUseRecord] = []

    async def add(self, used: ModelUseRecord) -> None:
        """See `UseStore`."""
        self._added.append(used)

    async def of_day(self, day: str) -> list[ModelUseRecord]:
        """See `UseStore`."""
        return [used for used in self._added if used.day == day]


@dataclass(frozen=True, eq=False, slots=True)
class Reservation:
    """What one request may use at most."""

    model: ModelSettings
    day: str
    usage: Usage


class Spending:
    """Counts, and refuses what would go over a limit.

    Args:
        settings: The limits.
        store: Where use is kept.
        clock: Wall time.
        monotonic: Seconds that never go back.
    """

    def __init__(
        self,
        settings: LLMSettings,
        store: UseStore | None = None,
        clock: Clock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._settings = settings
        self._store = store or UseInMemory()
        self._clock = clock or SystemClock()
        self._reserved: set[Reservation] = set()
        self._unsaved: list[ModelUseRecord] = []
        self._known: list[ModelUseRecord] = []
        self._saving: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._fresh_until = -math.inf

    async def reserve(self, model: ModelSettings, usage: Usage) -> Reservation:
        """Set aside the most that a request may use; end it with :meth:`settle`.

        Raises:
            Failure: ``budget``.
        """
        if self._monotonic() >= self._fresh_until:
            await self._refresh()
        now = self._clock.now()
        most = replace(usage, cost=cost_of(usage, price_of(model, now)))
        day = now.date().isoformat()
        # No await from here on: two requests must not both take the last of it.
        self._check(day, most)
        reservation = Reservation(model, day, most)
        self._reserved.add(reservation)
        return reservation

    def release(self, reservation: Reservation) -> None:
        """Give back what was set aside for a request that was never sent."""
        self._reserved.discard(reservation)

    def settle(self, reservation: Reservation, usage: Usage) -> Usage:
        """Count what was used; it is saved soon after, and again and again while the store is away.

        Returns:
            The use with its cost, where a price is known.
        """
        self._reserved.discard(reservation)
        now = self._clock.now()
        cost = cost_of(usage, price_of(reservation.model, now))
        self._unsaved.append(
            ModelUseRecord(
                day=now.date().isoformat(),
                model=reservation.model.model,
                requests=1,
                input_tokens=usage.input_tokens,
                cached_tokens=usage.cached_tokens,
                output_tokens=usage.output_tokens,
                cost_usd=cost or 0.0,
            )
        )
        if self._saving is None or self._saving.done():
            self._saving = asyncio.get_running_loop().create_task(self._save())
        return replace(usage, cost=cost)

    async def today(self) -> dict[str, Any]:
        """Use of today by model, the limits, and the price list's date, for a status page."""
        await self._refresh()
        day = self._clock.now().date().isoformat()
        models: dict[str, dict[str, float]] = {}
        for used in (*self._known, *self._unsaved):
            if used.day == day:
                sums = models.setdefault(used.model, {"requests": 0, "tokens": 0, "usd": 0.0})
                sums["requests"] += used.requests
                sums["tokens"] += used.tokens
                sums["usd"] = round(sums["usd"] + used.cost_usd, 6)
        return {
            "day": day,
            "models": models,
            "tokens": sum(sums["tokens"] for sums in models.values()),
            "usd": round(sum(sums["usd"] for sums in models.values()), 6),
            "most_tokens": self._settings.daily_tokens,
            "most_usd": self._settings.daily_usd,
            "prices_as_of": price_list().as_of,
        }

    async def close(self) -> None:
        """Save what is not saved yet."""
        if self._saving is not None:
            await self._saving
        await self._save()

    def _check(self, day: str, most: Usage) -> None:
        settings = self._settings
        used = [record for record in (*self._known, *self._unsaved) if record.day == day]
        ahead = [r.usage for r in self._reserved if r.day == day]
        if settings.daily_tokens is not None:
            tokens = sum(record.tokens for record in used)
            asked = sum(u.input_tokens + u.output_tokens for u in (*ahead, most))
            if tokens + asked > settings.daily_tokens:
                raise Failure(
                    "budget",
                    f"{tokens} of {settings.daily_tokens} tokens are used today (UTC), and requests "
                    f"under way with this one may use {asked} more",
                )
        if settings.daily_usd is not None and most.cost is not None:
            money = sum(record.cost_usd for record in used)
            asked_money = sum(u.cost or 0.0 for u in (*ahead, most))
            if money + asked_money > settings.daily_usd:
                raise Failure(
                    "budget",
                    f"{money:.4f} of {settings.daily_usd:g} USD are spent today (UTC), and requests "
                    f"under way with this one may cost {asked_money:.4f} more",
                )

    async def _refresh(self) -> None:
        """Read what all processes have used; without the store, this process goes on with what it knows."""
        async with self._lock:
            await self._save_all()
            try:
                self._known = await self._store.of_day(self._clock.now().date().isoformat())
                self._fresh_until = self._monotonic() + REFRESH
            except DanGError as error:
                log.warning("the use of language models cannot be read", error=str(error))

    async def _save(self) -> None:
        async with self._lock:
            await self._save_all()

    async def _save_all(self) -> None:
        while self._unsaved:
            try:
                await self._store.add(self._unsaved[0])
            except DanGError as error:
                log.warning("the use of a language model could not be saved yet", error=str(error))
                return
            self._known = [*self._known, self._unsaved.pop(0)]
