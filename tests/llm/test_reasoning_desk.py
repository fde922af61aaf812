"""Questions under way in one process: how many at once, and what everybody hears of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from reasoning_home import filled_home, loop_over

from orchestrator.core.events import Event
from orchestrator.errors import NotFoundError, UnavailableError
from orchestrator.llm.reasoning_desk import MOST_AT_ONCE, ReasoningDesk


async def test_places_are_taken_before_anything_is_waited_for_and_events_tell_no_words(
    tmp_path: Path,
) -> None:
    heard: list[Event] = []
    async with filled_home(tmp_path) as plant, loop_over(plant, None) as loop:
        plant.events.listen(heard.append)
        desk = ReasoningDesk(plant, loop)
        question = "Is the data of the secret trial good?"
        begun = await asyncio.gather(
            *(desk.begin(question, user="anna") for _ in range(MOST_AT_ONCE + 3)),
            return_exceptions=True,
        )
        ids = [one for one in begun if isinstance(one, str)]
        refused = [one for one in begun if isinstance(one, UnavailableError)]
        assert (len(ids), len(refused)) == (MOST_AT_ONCE, 3)
        await asyncio.gather(*(desk.wait(one) for one in ids))
        steps = [event.payload for event in heard if event.kind == "reasoning"]
        assert {step["run_id"] for step in steps} == set(ids)
        assert all(step.keys() <= {"run_id", "step", "operation"} for step in steps)
        assert {step["operation"] for step in steps if "operation" in step} == {"etl.validate"}
        assert (await desk.show(ids[0], "anna"))[0].question == question
        with pytest.raises(NotFoundError):
            await desk.show(ids[0], "berta")
        later = await desk.begin(question, user="anna")
        await desk.delete(later, "anna")
        with pytest.raises(NotFoundError):
            await desk.show(later, "anna")
        await desk.close()
