"""Admission: places, limits of modules, and the order of those who wait."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.admission import Admission


async def test_the_most_urgent_goes_first_and_then_the_one_that_waited_longest() -> None:
    admission = Admission(1, lambda module: 5)
    order: list[str] = []
    go = asyncio.Event()

    async def run(name: str, priority: int) -> None:
        async with admission.place("m", priority):
            order.append(name)
            await go.wait()

    tasks = [asyncio.create_task(run("first", 9))]
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(run(n, p)) for n, p in [("b", 5), ("c", 5), ("a", 1), ("d", 9)]]
    await asyncio.sleep(0)
    assert (admission.running, admission.waiting) == (1, 4)
    go.set()
    await asyncio.gather(*tasks)
    assert order == ["first", "a", "b", "c", "d"]
    assert (admission.running, admission.waiting) == (0, 0)


async def test_a_module_at_its_limit_does_not_hold_up_another() -> None:
    admission = Admission(2, lambda module: 1)
    async with admission.place("slow", 1):
        waiting = asyncio.create_task(_pass(admission, "slow", 1))
        await asyncio.wait_for(_pass(admission, "other", 9), 1)
        assert not waiting.done()
    await asyncio.wait_for(waiting, 1)


async def test_one_that_gives_up_waiting_leaves_no_trace() -> None:
    admission = Admission(1, lambda module: 1)
    async with admission.place("m", 1):
        waiting = asyncio.create_task(_pass(admission, "m", 1))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert (admission.running, admission.waiting) == (0, 0)


async def test_one_that_gives_up_as_it_is_admitted_gives_its_place_back() -> None:
    admission = Admission(1, lambda module: 1)
    async with admission.place("m", 1):
        waiting = asyncio.create_task(_pass(admission, "m", 1))
        await asyncio.sleep(0)
    waiting.cancel()  # admitted by the end of the block above, and has not run since
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(_pass(admission, "m", 1), 1)


runs = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(1, 9), st.integers(0, 3), st.booleans()),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(places=st.integers(1, 4), limit=st.integers(1, 3), given_runs=runs)
def test_limits_hold_and_everyone_who_stays_gets_a_place(
    places: int, limit: int, given_runs: list[tuple[str, int, int, bool]]
) -> None:
    admission = Admission(places, lambda module: limit)
    inside: Counter[str] = Counter()
    served: list[int] = []

    async def run(number: int, module: str, priority: int, turns: int) -> None:
        async with admission.place(module, priority):
            inside[module] += 1
            assert inside[module] <= limit
            assert inside.total() <= places
            for _ in range(turns):
                await asyncio.sleep(0)
            inside[module] -= 1
            served.append(number)

    async def all_runs() -> None:
        tasks = []
        for number, (module, priority, turns, gives_up) in enumerate(given_runs):
            task = asyncio.create_task(run(number, module, priority, turns))
            tasks.append(task)
            await asyncio.sleep(0)
            if gives_up and number not in served and not inside[module]:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        stayed = {i for i, task in enumerate(tasks) if not task.cancelled()}
        assert set(served) == stayed
        assert [t.exception() for i, t in enumerate(tasks) if i in stayed] == [None] * len(stayed)

    asyncio.run(all_runs())
    assert (admission.running, admission.waiting) == (0, 0)


async def _pass(admission: Admission, module: str, priority: int) -> None:
    async with admission.place(module, priority):
        pass
