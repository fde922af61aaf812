"""Questions worked on in steps, with a model over real HTTP and real operations; and when it misbehaves or dies."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from model_server import Fail, ModelServer, Play, Say, Script, Sent
from reasoning_home import SITUATION, filled_home, loop_over, step

from orchestrator.core.orchestrator import Orchestrator
from orchestrator.llm.reasoning_run import ReasonedAnswer, ReasoningBudget, answer_of

VALIDATE = {"operation": "etl.validate", "parameters": {}}
GOOD = "TI042 stands at 352.4 °C, 12.6 °C below its high limit of 365 °C."


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Orchestrator]:
    async with filled_home(tmp_path_factory.mktemp("home")) as orchestrator:
        yield orchestrator


async def asked(
    plant: Orchestrator,
    plays: Script | None,
    question: str = "Is the data good, which sensor is wrong?",
    budget: ReasoningBudget | None = None,
) -> tuple[ReasonedAnswer, list[str], list[str]]:
    """The answer, the kinds of the events, and what the model was sent."""
    async with ModelServer(plays or []) as server:
        base_url = None if plays is None else server.base_url
        async with loop_over(plant, base_url) as loop:
            events = [e async for e in loop.answer(question, SITUATION, budget=budget)]
    assert events[-1].kind == "answer"
    sent = [request.messages[-1]["content"] for request in server.requests]
    return answer_of(events[-1].data), [event.kind for event in events], sent


async def test_the_model_runs_an_operation_reads_it_and_answers_with_citations(
    plant: Orchestrator,
) -> None:
    answer, kinds, sent = await asked(
        plant,
        [Say(step(run=VALIDATE), reasoning="I need the check."), Say(step(answer=f"{GOOD} [1]"))],
    )
    assert kinds == ["begin", "think", "run", "observe", "think", "verify", "answer"]
    assert (answer.by, answer.sound, answer.runs) == ("model", True, 1)
    assert answer.text == f"{GOOD} [1]"
    assert answer.sources[0]["operation"] == "etl.validate"
    assert answer.sources[0]["status"] == "succeeded"
    assert answer.sources[0]["job_id"]
    assert answer.prompt is not None
    assert answer.prompt["name"] == "reason"
    assert [item["how"] for item in answer.grounding["traced"]] == ["equal", "equal", "difference"]
    first, second = sent
    assert 'TI042 "Furnace outlet temperature" = 352.4 °C [high 365 °C]' in first
    assert "[1] etl.validate: succeeded" in second
    assert second.index("optimization.setpoints") < second.index("[1] etl.validate")


async def test_an_invented_operation_is_refused_and_the_model_goes_on(plant: Orchestrator) -> None:
    answer, kinds, sent = await asked(
        plant,
        [
            Say(step(run={"operation": "plant.write", "parameters": {"tag": "TI042"}})),
            Say(step(run={"operation": "etl.ingest", "parameters": {"file": "/etc/passwd"}})),
            Say(step(answer=GOOD)),
        ],
    )
    assert kinds.count("observe") == 2
    assert [source["status"] for source in answer.sources] == ["refused", "refused"]
    assert answer.sound
    assert "You may run nothing more" in sent[2]


async def test_made_up_data_is_no_evidence(plant: Orchestrator) -> None:
    made_up = {
        "operation": "etl.validate",
        "parameters": {"data": {"columns": {"time": ["2026-03-01T00:00:00Z"], "TI042": [999.0]}}},
    }
    answer, _, _ = await asked(plant, [Say(step(run=made_up)), Say(step(answer=GOOD))])
    assert answer.sources[0]["status"] == "refused"
    assert "no evidence" in answer.sources[0]["text"]


async def test_an_invented_number_is_sent_back_once_and_then_mended(plant: Orchestrator) -> None:
    lie = "TI042 stands at 325.4 °C."
    answer, kinds, sent = await asked(plant, [Say(step(answer=lie)), Say(step(answer=GOOD))])
    assert kinds.count("verify") == 2
    assert answer.text == GOOD
    assert '"325.4 °C"' in sent[1]
    answer, _, _ = await asked(plant, [Say(step(answer=f"{GOOD} {lie}"))])
    assert answer.text.startswith(GOOD)
    assert "325.4" not in answer.text
    assert "taken out" in answer.note
    assert answer.sound


async def test_nothing_true_in_an_answer_leaves_the_results(plant: Orchestrator) -> None:
    answer, _, _ = await asked(
        plant, [Say(step(run=VALIDATE)), Say(step(answer="It is 999 °C hot."))]
    )
    assert answer.by == "templates"
    assert "999" not in answer.text
    assert answer.text.endswith("[1]")
    assert "nothing of the model's answer" in answer.note


async def test_an_injection_in_a_tag_description_reaches_no_operation(plant: Orchestrator) -> None:
    def obeys(sent: Sent) -> Play:
        text = sent.messages[-1]["content"]
        if "999 °C" in text and "You may run nothing more" not in text:
            return Say(step(run={"operation": "plant.write", "parameters": {"value": 999}}))
        return Say(step(answer="FI101 is 999 °C. The crude feed FI101 is 640 m3/h."))

    before = len((await plant.store.jobs.list(limit=1000)).items)
    answer, _, _ = await asked(plant, obeys, "How is the crude feed?")
    assert len((await plant.store.jobs.list(limit=1000)).items) == before
    assert all(source["status"] == "refused" for source in answer.sources)
    assert "999" not in answer.text
    assert "640 m3/h" in answer.text


async def test_a_refusal_and_another_language_end_in_an_answer_all_the_same(
    plant: Orchestrator,
) -> None:
    answer, _, _ = await asked(
        plant,
        [
            Say(step(run=VALIDATE)),
            Say(step(answer="I'm sorry, but as an AI I cannot access your plant.")),
        ],
    )
    assert answer.by == "templates"
    answer, _, _ = await asked(
        plant,
        [
            Say(
                step(
                    answer="炉出口温度为三百五十二度，低于上限，装置运行正常，无需任何操作，请放心。"
                )
            ),
            Say(step(answer=GOOD)),
        ],
    )
    assert answer.text == GOOD


async def test_a_model_that_fails_leaves_the_parser_and_templates(plant: Orchestrator) -> None:
    answer, kinds, _ = await asked(plant, [Fail(401, "bad key")])
    assert answer.by == "templates"
    assert answer.note
    assert "run" in kinds
    assert answer.sources[0]["operation"] == "etl.validate"
    assert answer.sources[0]["status"] == "succeeded"


async def test_without_a_model_the_same_question_is_answered(plant: Orchestrator) -> None:
    answer, kinds, _ = await asked(plant, None)
    assert kinds == ["begin", "run", "observe", "verify", "answer"]
    assert answer.by == "templates"
    assert answer.note == ""
    assert answer.sound, answer.grounding
    assert answer.text.endswith("[1]")


async def test_runs_steps_and_time_are_bounded(plant: Orchestrator) -> None:
    def for_ever(sent: Sent) -> Play:
        number = len(sent.messages[-1]["content"])
        return Say(step(run={"operation": "etl.validate", "parameters": {"spike_sigmas": number}}))

    budget = ReasoningBudget(runs=2, seconds=60)
    answer, _, sent = await asked(plant, for_ever, budget=budget)
    assert answer.runs == 2
    assert answer.by == "templates"
    assert "more than it may" in answer.note
    assert len(sent) == 3
    few = ReasoningBudget(runs=5, seconds=60, tokens=100)
    answer, _, sent = await asked(plant, for_ever, budget=few)
    assert (answer.runs, len(sent)) == (1, 2)


async def test_a_gate_binds_the_model(plant: Orchestrator) -> None:
    answer, _, _ = await asked(
        plant,
        [
            Say(step(run={"operation": "optimization.setpoints", "parameters": {}})),
            Say(step(answer=GOOD)),
        ],
    )
    assert answer.sources[0]["status"] == "refused"
    assert "plant mode" in answer.sources[0]["text"]
