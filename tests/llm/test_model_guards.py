"""What stands before a server: breaker, turns, and the watch over what it sends."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.llm.answer_checks import RepetitionWatch, in_other_script, refuses
from orchestrator.llm.breaker import CircuitBreaker
from orchestrator.llm.failures import Failure
from orchestrator.llm.turns import Turns


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


# -- the breaker ----------------------------------------------------------------------------------


def test_a_breaker_opens_after_failures_in_a_row_only() -> None:
    breaker = CircuitBreaker(3, 30, Time())
    for weight in ("count", "count", "ignore", "count", "count"):
        breaker.enter()
        breaker.failed(weight, "no answer")
    assert breaker.state == "closed"
    breaker.enter()
    breaker.failed("count", "HTTP 503")
    assert (breaker.state, breaker.why) == ("open", "HTTP 503")


def test_a_half_open_breaker_lets_one_request_try() -> None:
    time = Time()
    breaker = CircuitBreaker(1, 30, time)
    breaker.enter()
    breaker.failed("count", "HTTP 503")
    with pytest.raises(Failure, match="30 s more"):
        breaker.enter()
    time.now += 31
    assert breaker.state == "half-open"
    breaker.enter()
    with pytest.raises(Failure, match="one request tries it now"):
        breaker.enter()
    breaker.failed("count", "HTTP 500")
    assert breaker.state == "open"
    time.now += 31
    breaker.enter()
    breaker.abandoned()
    breaker.enter()
    breaker.succeeded()
    assert (breaker.state, breaker.why) == ("closed", "")


def test_a_refused_key_opens_it_at_once_and_for_longer() -> None:
    time = Time()
    breaker = CircuitBreaker(5, 30, time)
    breaker.enter()
    breaker.failed("open", "HTTP 401")
    time.now += 299
    assert breaker.state == "open"
    time.now += 2
    assert breaker.state == "half-open"


# -- turns ----------------------------------------------------------------------------------------


async def test_turns_are_given_in_order() -> None:
    turns, order = Turns(1), []

    async def one(name: int) -> None:
        async with turns.turn():
            order.append(name)
            await asyncio.sleep(0)

    await asyncio.gather(*(one(name) for name in range(5)))
    assert order == [0, 1, 2, 3, 4]


async def test_too_many_halves_the_turns_and_success_brings_them_back() -> None:
    turns = Turns(8)
    turns.too_many()
    turns.too_many()
    assert turns.allowed == 2
    for _ in range(2 + 3):
        turns.went_well()
    assert turns.allowed == 4
    for _ in range(100):
        turns.went_well()
    assert turns.allowed == 8
    for _ in range(10):
        turns.too_many()
    assert turns.allowed == 1


@pytest.mark.parametrize("seed", range(5))
async def test_no_turn_is_lost_when_waiters_give_up(seed: int) -> None:
    turns, chance = Turns(3), random.Random(seed)
    running = most = 0

    async def one() -> None:
        nonlocal running, most
        async with turns.turn():
            running += 1
            most = max(most, running)
            try:
                await asyncio.sleep(chance.random() / 500)
            finally:
                running -= 1

    tasks = [asyncio.create_task(one()) for _ in range(60)]
    for _ in tasks:
        await asyncio.sleep(chance.random() / 1000)
        if chance.random() < 0.5:
            chance.choice(tasks).cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (running, turns.waiting) == (0, 0)
    assert most == 3
    async with asyncio.timeout(1), turns.turn(), turns.turn(), turns.turn():
        pass


# -- the watch over a reply -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "passage", [" ", "Wait, again. ", "x" * 7, "The reflux is 102.5 m3/h. " * 9]
)
@pytest.mark.parametrize("size", [1, 7, 100, 5000])
def test_a_loop_is_seen_while_it_grows(passage: str, size: int) -> None:
    text = "First some thought that is all its own. " + passage * (8000 // len(passage))
    watch = RepetitionWatch()

    def grow() -> None:
        for start in range(0, len(text), size):
            watch.see(text[start : start + size])

    with pytest.raises(Failure, match="repeats itself"):
        grow()


@given(st.integers(1, 40))
def test_a_table_of_readings_is_no_loop(size: int) -> None:
    table = "".join(
        f'{{"tag": "TI{n}", "value": {n * 0.37:.2f}, "unit": "degC"}},\n' for n in range(300)
    )
    watch = RepetitionWatch()
    for start in range(0, len(table), size):
        watch.see(table[start : start + size])
    RepetitionWatch().check(table)
    RepetitionWatch().check("-" * 400)


@pytest.mark.parametrize(
    ("answer", "asked", "strange"),
    [
        ("The reflux is steady at 102 m³/h, ΔT = 3 °C.", "What is it?", False),
        ("Die Rücklaufmenge ist gestiegen, läuft aber ruhig.", "What is it?", False),
        ("The 回流量 is steady 但是塔顶温度正在升高 so wait.", "What is it?", True),
        ("Расход орошения стабилен, ждём.", "What is it?", True),
        ("Расход орошения стабилен, ждём.", "Что с расходом?", False),
        ("OK 好", "What is it?", False),
    ],
)
def test_another_script_than_the_question_s(answer: str, asked: str, strange: bool) -> None:
    assert in_other_script(answer, [asked]) is strange


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ("As an AI language model, I cannot access your plant.", True),
        ("I'm sorry, but I can't help with that.", True),
        ("I do not have access to live data.", True),
        ("The furnace cannot reach 370 °C: wait.", False),
        ("Nothing should run now.", False),
    ],
)
def test_a_refusal_is_known_by_its_words(answer: str, refused: bool) -> None:
    assert refuses(answer) is refused
