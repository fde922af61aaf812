"""Works on a question in steps: think, run an operation, read, think again, answer, verify.

The model needs no tool calls of its own: each step is one JSON object. Each step is stored before the next
begins, and an operation runs under a key of its step, so that a run that a crash interrupts goes on where it
was and runs nothing twice. Whatever the model does, the run ends within its budget with an answer: where the
model gives none that holds, templates write it from the results.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from uuid import uuid4

import structlog

from orchestrator.core.query_parser import QueryRequest, read_query
from orchestrator.core.query_patterns import ANSWERS
from orchestrator.core.situation import Situation
from orchestrator.errors import DanGError, ModelError
from orchestrator.llm.answer_checks import in_other_script, refuses
from orchestrator.llm.fence import fenced, harmless
from orchestrator.llm.grounding import Report, complaint, mended
from orchestrator.llm.knowledge.evidence import PassageSearch
from orchestrator.llm.knowledge.quoting import asks, names_documents, telling_words
from orchestrator.llm.operation_runner import Observation, Runner
from orchestrator.llm.port import Budget, LanguageModel, Message
from orchestrator.llm.prompts import load_prompt
from orchestrator.llm.reasoning_run import (
    SEARCH,
    AskedRun,
    EventKind,
    NextStep,
    ReasonedAnswer,
    ReasoningBudget,
    ReasoningEvent,
    Run,
    answer_of,
)
from orchestrator.llm.reasoning_search import offer, quoted, search
from orchestrator.llm.reasoning_text import held, samples_of, steps_text, stored, told
from orchestrator.llm.result_text import catalogue
from orchestrator.llm.situation_text import plant_text, situation_text
from orchestrator.plant.samples import Sample
from orchestrator.plant.tags import Plant
from orchestrator.state.records import ReasoningRecord, ReasoningStepRecord
from orchestrator.state.repositories.reasoning import Reasoning

log = structlog.get_logger(__name__)

STEP_SECONDS = 120.0
"""Longest time of one question to the model, s."""
LEAST_SECONDS = 2.0
"""Under this rest of the time nothing new is begun, s."""
MOST_USELESS = 2
"""Runs in a row that are refused or repeated, after which the model has to answer."""
LONGEST_ANSWER = 6000
LONGEST_QUESTION = 2000

Facts = Callable[[], Mapping[str, Sample]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the loop knows of the plant.

    Attributes:
        plant: Tags with units and limits.
        now: Plant time.
        samples: Newest sample of each tag.
        zone: Zone of the plant's clocks.
    """

    plant: Plant
    now: Callable[[], datetime]
    samples: Facts
    zone: tzinfo = UTC


class ReasoningLoop:
    """Works on questions.

    Args:
        store: Where runs and steps are kept.
        runner: Runs operations.
        surroundings: The plant.
        model: ``None`` where there is none: the parser's operations run, and templates answer.
        documents: Where passages are looked for; ``None`` where there is nothing to look in.
    """

    def __init__(
        self,
        store: Reasoning,
        runner: Runner,
        surroundings: Surroundings,
        model: LanguageModel | None = None,
        documents: PassageSearch | None = None,
    ) -> None:
        self._store = store
        self._runner = runner
        self._around = surroundings
        self._model = model
        self._documents = documents
        self._prompt = load_prompt("reason")

    async def answer(
        self,
        question: str,
        situation: Situation,
        *,
        budget: ReasoningBudget | None = None,
        run_id: str | None = None,
        user: str = "",
        session_id: str | None = None,
    ) -> AsyncIterator[ReasoningEvent]:
        """Work on a question; the last event is ``answer``.

        Raises:
            DatabaseUnavailableError: a step cannot be stored; the run can be resumed.
            ConflictError: a run of that id is there already.
        """
        record = ReasoningRecord(
            id=run_id or uuid4().hex,
            question=question[:LONGEST_QUESTION],
            started_at=self._around.now(),
            user=user,
            session_id=session_id,
            document={
                "budget": (budget or ReasoningBudget()).document(),
                "situation": situation.facts(),
                "samples": stored(self._around.samples()),
                "prompt": self._prompt.stamp.model_dump(),
                "documents": self._documents is not None and await self._documents.holds_any(),
            },
        )
        await self._store.begin(record)
        yield ReasoningEvent(record.id, "begin", {"question": record.question})
        async for event in self._work(Run(record)):
            yield event

    async def resume(self, run_id: str) -> AsyncIterator[ReasoningEvent]:
        """Go on with a run where its last stored step left it; a run that is done tells its answer.

        Raises:
            NotFoundError: there is no such run.
        """
        record, steps = await self._store.get(run_id)
        if record.answer is not None:
            yield ReasoningEvent(run_id, "answer", record.answer)
            return
        run = Run(record)
        for step in steps:
            run.take(step)
        yield ReasoningEvent(run_id, "begin", {"question": record.question, "steps": len(steps)})
        async for event in self._work(run):
            yield event

    # -- the loop -------------------------------------------------------------------------------

    async def _work(self, run: Run) -> AsyncIterator[ReasoningEvent]:
        while True:
            if run.pending is not None:
                number, asked = run.pending
                yield self._event(run, "run", asked.model_dump())
                observation = await self._observe(run, number, asked)
                yield self._event(run, "observe", told(observation))
                continue
            if run.looking is not None:
                yield self._event(run, "search", {"query": run.looking})
                yield self._event(run, "observe", told(await self._look(run, run.looking)))
                continue
            if run.draft is not None:
                answer, report = await self._verified(run, run.draft)
                yield self._event(run, "verify", report.document())
                if answer is not None:
                    break
                continue
            step = await self._think(run)
            if step is None:
                async for event in self._by_templates(run):
                    yield event
                return
            yield self._event(run, "think", {"thought": harmless(step.thought)[:1000]})
        await self._end(run, answer)
        yield self._event(run, "answer", answer.document())

    async def _think(self, run: Run) -> NextStep | None:
        """The model's next step, stored; ``None`` where it can give none any more."""
        left = self._seconds_left(run)
        if self._model is None or run.fault or left < LEAST_SECONDS:
            return None
        must_answer = self._must_answer(run)
        started = time.monotonic()
        try:
            reply = await self._model.complete(
                [Message("user", self._text(run, must_answer))],
                NextStep,
                Budget(deadline=min(left, STEP_SECONDS)),
            )
        except ModelError as error:
            await self._fault(run, str(error), time.monotonic() - started)
            return None
        used = reply.usage.input_tokens + reply.usage.output_tokens
        step = reply.value or NextStep(answer=reply.text)
        answer = (step.answer or "").strip()
        document: dict[str, Any] = {
            "thought": harmless(step.thought)[:2000],
            "run": None,
            "search": None,
            "answer": None,
            "model": reply.model,
            "seconds": round(time.monotonic() - started, 3),
            "tokens": used,
            "cost_usd": reply.usage.cost,
            "flags": list(reply.flags),
        }
        words = (step.search or "").strip()
        if step.run is not None and not must_answer:
            document["run"] = step.run.model_dump(mode="json")
        elif words and not must_answer:
            document["search"] = words[:LONGEST_QUESTION]
        elif answer:
            document["answer"] = harmless(answer)[:LONGEST_ANSWER]
        else:
            why = (
                "it wants to run more than it may"
                if step.run or words
                else "it neither runs nor answers"
            )
            await self._store_step(run, "think", document)
            await self._fault(run, f"the model gave no answer: {why}", 0.0)
            return None
        await self._store_step(run, "think", document)
        return step

    async def _observe(self, run: Run, number: int, asked: AskedRun) -> Observation:
        started = time.monotonic()
        before = next(
            (
                index
                for index, item in enumerate(run.observations, start=1)
                if item.operation == asked.operation and dict(item.parameters) == asked.parameters
            ),
            None,
        )
        if run.ran >= run.budget.runs:
            text = "no operation is left to run"
            observation = Observation(asked.operation, asked.parameters, "refused", text=text)
        elif before is not None:
            text = f"it was run already, see [{before}]"
            observation = Observation(asked.operation, asked.parameters, "refused", text=text)
        else:
            key = f"reasoning:{run.record.id}:{number}"
            left = max(1.0, self._seconds_left(run))
            observation = await self._runner.run(asked.operation, asked.parameters, key, left)
        document = observation.document() | {"seconds": round(time.monotonic() - started, 3)}
        await self._store_step(run, "observe", document)
        return observation

    async def _look(self, run: Run, words: str) -> Observation:
        """Look into the documents, and store what was found; a search that is over the budget is refused."""
        started = time.monotonic()
        before = next(
            (
                number
                for number, item in enumerate(run.observations, start=1)
                if item.operation == SEARCH and item.parameters.get("query") == words
            ),
            None,
        )
        if before is not None or not run.may_search:
            why = f"it was looked for already, see [{before}]" if before else "no search is left"
            observation = Observation(SEARCH, {"query": words}, "refused", text=why)
        else:
            observation = await search(self._documents, words, self._seconds_left(run))
        document = observation.document() | {"seconds": round(time.monotonic() - started, 3)}
        await self._store_step(run, "observe", document)
        return observation

    async def _verified(self, run: Run, draft: str) -> tuple[ReasonedAnswer | None, Report]:
        """The answer where it holds or has been sent back already; else it is sent back."""
        report = held(draft, run, self._around.plant)
        strange = in_other_script(draft, [run.record.question])
        refused = refuses(draft) and any(o.status == "succeeded" for o in run.observations)
        if report.sound and not strange and not refused:
            return self._answered(run, draft, report, ""), report
        can_ask = self._seconds_left(run) > LEAST_SECONDS and run.tokens < run.budget.tokens
        if not run.asked_again and can_ask:
            why = complaint(report) if not report.sound else ""
            if strange:
                why += "\nAnswer in the language of the question."
            if refused:
                why += "\nYou have the results below: answer from them."
            await self._store_step(run, "send_back", {"answer": draft, "why": why.strip()})
            return None, report
        if strange or refused:
            return self._from_results(run, "the model's answer could not be used"), report
        text = mended(report)
        if text.startswith("("):
            return self._from_results(run, "nothing of the model's answer is supported"), report
        note = "what no evidence supports was taken out of the model's answer"
        return self._answered(run, text, held(text, run, self._around.plant), note), report

    # -- without a model ------------------------------------------------------------------------

    async def _by_templates(self, run: Run) -> AsyncIterator[ReasoningEvent]:
        """Run what the parser reads, unless something ran already, and answer from the results."""
        question = run.record.question
        why = run.fault or ("" if self._model is None else "the model's budget is used")
        if not any(item.status == "succeeded" for item in run.observations):
            reading = read_query(QueryRequest(run.record.question))
            tried = {item.operation for item in run.observations if item.status != "refused"}
            for operation in reading.operations[: run.budget.runs]:
                known = self._runner.operations.get(operation)
                if operation in tried or known is None:
                    continue
                fields = known.input_model.model_fields
                given = {n: v for n, v in reading.slots.items() if n in fields}
                asked = {"operation": operation, "parameters": given}
                document = {"thought": "", "run": asked, "answer": None, "seconds": 0.0}
                await self._store_step(run, "think", document)
                assert run.pending is not None
                yield self._event(run, "run", asked)
                observation = await self._observe(run, *run.pending)
                yield self._event(run, "observe", told(observation))
        if self._worth_looking(run):
            document = {
                "thought": "",
                "run": None,
                "search": question,
                "answer": None,
                "seconds": 0.0,
            }
            await self._store_step(run, "think", document)
            yield self._event(run, "search", {"query": question})
            yield self._event(run, "observe", told(await self._look(run, question)))
        answer = self._from_results(run, why)
        yield self._event(run, "verify", answer.grounding)
        await self._end(run, answer)
        yield self._event(run, "answer", answer.document())

    def _worth_looking(self, run: Run) -> bool:
        """Whether documents may answer what no operation did, or what asks for them."""
        question = run.record.question
        open_still = not any(item.status == "succeeded" for item in run.observations)
        return (
            run.may_search
            and not run.searched
            and (open_still or names_documents(question))
            and asks(question)
            and bool(telling_words(question))
            and read_query(QueryRequest(question)).answer != ANSWERS["injection"]
        )

    def _from_results(self, run: Run, why: str) -> ReasonedAnswer:
        """What the results say of themselves."""
        lines = []
        for number, item in enumerate(run.observations, start=1):
            if item.operation == SEARCH:
                lines.append(quoted(run.record.question, number, item))
            elif item.status == "succeeded" and item.result is not None:
                warnings = [str(text) for text in item.result.get("warnings", ())][:3]
                lines.append(f"{' '.join((item.text, *warnings)).strip()} [{number}]")
        lines += [
            f"{item.operation} gave nothing: {item.text.rstrip('.')}."
            for item in run.observations
            if item.status != "succeeded" and item.operation != SEARCH
        ]
        text = "\n".join(line for line in lines if line)
        reading = read_query(QueryRequest(run.record.question))
        if text and run.searched and reading.answer == ANSWERS["operator"]:
            text = f"{text}\n{reading.answer}"
        if not text:
            text = reading.answer or reading.clarify or "Nothing is known that answers this."
        report = held(text, run, self._around.plant)
        return self._answered(run, text, report, why, by_model=False)

    # -- parts ----------------------------------------------------------------------------------

    def _must_answer(self, run: Run) -> bool:
        useless = [item.status == "refused" for item in run.observations[-MOST_USELESS:]]
        return (
            (run.ran >= run.budget.runs and not run.may_search)
            or run.tokens >= run.budget.tokens
            or run.asked_again
            or (len(useless) == MOST_USELESS and all(useless))
        )

    def _seconds_left(self, run: Run) -> float:
        return run.budget.seconds - run.seconds

    def _text(self, run: Run, must_answer: bool) -> str:
        facts = Situation.model_validate(run.record.document["situation"])
        ran = max(0, run.budget.runs - run.ran)
        left = (
            "You may run nothing more. Give the answer now."
            if must_answer
            else f"You may run {ran} more operation{'s' if ran != 1 else ''}, or answer."
        )
        return self._prompt.render(
            plant=plant_text(self._around.plant),
            operations=catalogue(self._runner.operations),
            situation=situation_text(
                facts,
                now=run.record.started_at,
                plant=self._around.plant,
                samples=samples_of(run.record.document["samples"]),
                zone=self._around.zone,
            ),
            documents=offer(run.budget.searches - run.searched if run.may_search else 0),
            question=fenced(run.record.question, "question of a person"),
            language="Answer in the language of the question.",
            steps=steps_text(run),
            left=left,
        )

    def _answered(
        self, run: Run, text: str, report: Report, note: str, *, by_model: bool = True
    ) -> ReasonedAnswer:
        return ReasonedAnswer(
            run_id=run.record.id,
            text=text,
            by="model" if by_model else "templates",
            sound=report.sound,
            sources=tuple(
                {"number": number, **told(item)}
                for number, item in enumerate(run.observations, start=1)
            ),
            grounding=report.document(),
            note=note,
            model=run.model if by_model else "",
            runs=run.ran,
            seconds=run.seconds,
            tokens=run.tokens,
            cost_usd=run.cost,
            prompt=run.record.document["prompt"] if by_model else None,
        )

    async def _fault(self, run: Run, why: str, seconds: float) -> None:
        log.warning("the model cannot go on", run=run.record.id, why=why)
        await self._store_step(run, "fault", {"why": why, "seconds": round(seconds, 3)})

    async def _store_step(self, run: Run, kind: str, document: dict[str, Any]) -> None:
        step = ReasoningStepRecord(
            run.record.id, len(run.steps), kind, self._around.now(), document
        )
        await self._store.step(step)
        run.take(step)

    async def _end(self, run: Run, answer: ReasonedAnswer) -> None:
        await self._store.end(run.record.id, self._around.now(), answer.document())

    def _event(self, run: Run, kind: EventKind, data: dict[str, Any]) -> ReasoningEvent:
        return ReasoningEvent(run.record.id, kind, data)


async def answered(events: AsyncIterator[ReasoningEvent]) -> ReasonedAnswer:
    """The answer at the end of a run.

    Raises:
        DanGError: the run ended without one.
    """
    last: ReasoningEvent | None = None
    async for event in events:
        last = event
    if last is None or last.kind != "answer":
        raise DanGError("the run ended without an answer")
    return answer_of(last.data)
