"""The day's budget: kept over restarts and between processes, and never overdrawn by requests at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asking import GOOD, QUESTION, Choice, configured, settings_for
from model_server import Fail, ModelServer, Say

from orchestrator.errors import DatabaseUnavailableError, ModelBudgetError
from orchestrator.llm.failures import Failure
from orchestrator.llm.port import Budget, Usage
from orchestrator.llm.prices import cost_of, price_list, price_of
from orchestrator.llm.spending import Spending, UseInMemory
from orchestrator.llm_settings import HOSTED_MODELS, LLMSettings, ModelSettings, PriceSettings
from orchestrator.state.database import Database
from orchestrator.state.records import ModelUseRecord
from orchestrator.state.repositories.model_use import ModelUse

SATURDAY = datetime(2026, 11, 28, 2, 0, tzinfo=UTC)
MODEL = ModelSettings(model="deepseek-r1", price=PriceSettings(input=1, output=2))


class Wall:
    def __init__(self, at: datetime = SATURDAY) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


@pytest.fixture(params=["sqlite", "postgresql"])
async def databases(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[list[Database]]:
    """Two connections to one database, as two processes have."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    opened = [await Database.open(url, tmp_path) for _ in range(2)]
    await opened[0].migrate()
    yield opened
    for database in opened:
        await database.close()


def limits(**given: Any) -> LLMSettings:
    return LLMSettings(**{"daily_usd": None, **given})


# -- prices ---------------------------------------------------------------------------------------


def test_every_hosted_model_has_a_price_and_the_list_its_date() -> None:
    assert price_list().as_of
    assert price_list().source.startswith("https://")
    for name in HOSTED_MODELS:
        assert price_of(ModelSettings(model=name), SATURDAY) is not None


@pytest.mark.parametrize(
    ("at", "price"),
    [
        (datetime(2026, 11, 27, 0, 59, tzinfo=UTC), 0.15),
        (datetime(2026, 11, 27, 1, 0, tzinfo=UTC), 0.30),
        (datetime(2026, 11, 27, 4, 0, tzinfo=UTC), 0.15),
        (datetime(2026, 11, 27, 9, 59, tzinfo=UTC), 0.30),
        (datetime(2026, 11, 28, 2, 0, tzinfo=UTC), 0.15),
    ],
)
def test_the_peak_price_holds_in_peak_hours_of_working_days(at: datetime, price: float) -> None:
    found = price_of(ModelSettings(model="deepseek-flash"), at)
    assert found is not None
    assert found.input == price


def test_a_price_belongs_to_its_host_and_a_site_s_own_goes_before() -> None:
    own = ModelSettings(model="deepseek-flash", base_url="http://gpu-host:8000/v1")
    assert price_of(own, SATURDAY) is None
    assert cost_of(Usage(10, 0, 10), None) is None
    assert price_of(MODEL, SATURDAY) == MODEL.price


def test_cached_tokens_are_paid_at_their_own_price() -> None:
    price = PriceSettings(input=1.0, cached_input=0.1, output=2.0)
    assert cost_of(Usage(1_000_000, 400_000, 500_000), price) == pytest.approx(0.6 + 0.04 + 1.0)
    assert cost_of(Usage(100, 1000, 0), price) == pytest.approx(100 * 0.1 / 1e6)


# -- the budget -----------------------------------------------------------------------------------


async def test_use_adds_up_over_processes_and_restarts(databases: list[Database]) -> None:
    clock = Wall()
    settings = limits(daily_tokens=1000)
    first, second = (Spending(settings, ModelUse(d), clock) for d in databases)
    for spending in (first, second):
        reservation = await spending.reserve(MODEL, Usage(100, output_tokens=200))
        used = spending.settle(reservation, Usage(100, output_tokens=200))
        assert used.cost == pytest.approx(500e-6)
        await spending.close()
    again = Spending(settings, ModelUse(databases[0]), clock)
    today = await again.today()
    assert today["tokens"] == 600
    assert today["models"]["deepseek-r1"] == {"requests": 2, "tokens": 600, "usd": 0.001}
    await again.reserve(MODEL, Usage(400))
    with pytest.raises(Failure, match="600 of 1000 tokens"):
        await again.reserve(MODEL, Usage(1))
    clock.at += timedelta(days=1)
    await again.reserve(MODEL, Usage(1))


async def test_requests_at_once_do_not_overdraw(databases: list[Database]) -> None:
    spending = Spending(limits(daily_tokens=1000), ModelUse(databases[0]), Wall())
    asked = [spending.reserve(MODEL, Usage(150, output_tokens=150)) for _ in range(10)]
    ended = await asyncio.gather(*asked, return_exceptions=True)
    granted = [item for item in ended if not isinstance(item, BaseException)]
    assert len(granted) == 3
    assert all(isinstance(item, Failure) for item in ended if item not in granted)
    for reservation in granted:
        spending.settle(reservation, Usage(10, output_tokens=10))
    assert (await spending.today())["tokens"] == 60
    await spending.reserve(MODEL, Usage(900))


class Away(UseInMemory):
    """A store that is away for a while."""

    away = True

    async def add(self, used: ModelUseRecord) -> None:
        if self.away:
            raise DatabaseUnavailableError("the database is away")
        await super().add(used)

    async def of_day(self, day: str) -> list[ModelUseRecord]:
        if self.away:
            raise DatabaseUnavailableError("the database is away")
        return await super().of_day(day)


async def test_a_database_that_is_away_loses_no_use_and_lifts_no_limit() -> None:
    store = Away()
    spending = Spending(limits(daily_tokens=100), store, Wall())
    spending.settle(await spending.reserve(MODEL, Usage(80)), Usage(80))
    with pytest.raises(Failure, match="80 of 100"):
        await spending.reserve(MODEL, Usage(30))
    store.away = False
    await spending.close()
    assert [used.tokens for used in await store.of_day("2026-11-28")] == [80]


async def test_a_model_is_not_asked_beyond_the_budget() -> None:
    use = UseInMemory()
    async with ModelServer([Say(GOOD)]) as server:
        price = {"input": 1000.0, "output": 1000.0}
        settings = settings_for(server, price=price, daily_usd=1.0, max_tokens=500)
        async with configured(settings, use=use) as model:
            reply = await model.complete(QUESTION, Choice, Budget(5))
            assert reply.usage.cost is not None
            assert reply.usage.cost == pytest.approx(
                (reply.usage.input_tokens + reply.usage.output_tokens) / 1000
            )

            async def ask_nine_times() -> None:
                for _ in range(9):
                    await model.complete(QUESTION, Choice, Budget(5))

            with pytest.raises(ModelBudgetError, match="of 1 USD are spent today"):
                await ask_nine_times()
            assert (await model.report())["today"]["usd"] <= 1.0
        asked = len(server.requests)
        async with configured(settings, use=use) as model:
            with pytest.raises(ModelBudgetError):
                await model.complete(QUESTION, Choice, Budget(5))
        assert len(server.requests) == asked


async def test_a_request_that_was_turned_away_costs_nothing_and_a_cut_one_is_reckoned() -> None:
    async with (
        ModelServer(
            [Fail(503), Say(GOOD, reasoning="word " * 60, cut_after=30), Say(GOOD)]
        ) as server,
        configured(settings_for(server)) as model,
    ):
        reply = await model.complete(QUESTION, Choice, Budget(5))
    turned_away, cut, good = (attempt.usage for attempt in reply.attempts)
    assert turned_away == Usage()
    assert cut.input_tokens > 50
    assert cut.reasoning_tokens > 50
    assert reply.usage.output_tokens == cut.output_tokens + good.output_tokens
