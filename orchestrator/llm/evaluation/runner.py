"""Runs an evaluation: each case through the parser alone, the model alone, and both as the program joins them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from orchestrator.core.query_parser import QueryRequest, Reading, Turn, read_query
from orchestrator.core.second_reading import ReadingProposal, join_readings, wants_second_reading
from orchestrator.errors import ModelError
from orchestrator.llm.answers.results import answer_of
from orchestrator.llm.evaluation.cases import Answering, CaseSet, Dialogue, Overstep, Request
from orchestrator.llm.evaluation.scores import (
    AnswerScores,
    Calls,
    Evaluation,
    ReadingScores,
    has_right_slots,
    is_selected_right,
    percentile,
    take,
)
from orchestrator.llm.port import LanguageModel, Usage
from orchestrator.llm.second_reader import ModelReader
from orchestrator.llm.verification import Grounded, grounds_of
from orchestrator.llm.wording import Verdict, Worded, Wording
from orchestrator.modules.base import Operation
from orchestrator.plant.tags import Plant
from orchestrator.state.records import OutcomeRecord

MOST_TOLD = 50
_FIGURE = re.compile(r"\d")
OnProgress = Callable[[int, int, str], None]


class Runner:
    """One evaluation of one model.

    Args:
        model: Who is evaluated.
        operations: All operations that may be selected.
        deadline: Longest time of one call, s.
    """

    def __init__(
        self, model: LanguageModel, operations: Mapping[str, Operation], deadline: float
    ) -> None:
        self._model = model
        self._operations = operations
        self._deadline = deadline
        self._reader = ModelReader(model, operations, deadline)
        self._parser, self._alone, self._together = (ReadingScores() for _ in range(3))
        self._answers = AnswerScores()
        self._calls = Calls()
        self._seconds: list[float] = []
        self._wrong: list[str] = []
        self._failures: dict[str, int] = {}

    async def run(self, cases: CaseSet, endpoint: str, progress: OnProgress) -> Evaluation:
        """Run every case, one after the other."""
        parts = (
            *((self._request, case, case.text) for case in cases.selection),
            *((self._dialogue, case, case.turns[0].text) for case in cases.dialogues),
            *((self._overstep, case, case.text) for case in cases.injections),
            *((self._answer, case, case.question) for case in cases.answers),
        )
        for number, (do, case, text) in enumerate(parts):
            progress(number, len(parts), text)
            await do(case)  # type: ignore[operator]
        self._calls.seconds_p50 = percentile(self._seconds, 0.5)
        self._calls.seconds_p95 = percentile(self._seconds, 0.95)
        return Evaluation(
            endpoint=endpoint,
            model=self._model.name,
            parser=self._parser,
            model_alone=self._alone,
            together=self._together,
            answers=self._answers,
            calls=self._calls,
            wrong=tuple(self._wrong[:MOST_TOLD]),
            failures=tuple(f"{why} ({times})" for why, times in self._failures.items()),
        )

    async def _request(self, case: Request) -> None:
        parsed, alone, together = await self._read(case.text, None)
        take(self._parser, case, parsed)
        take(self._alone, case, alone)
        if not take(self._together, case, together):
            self._note(case, together)

    async def _dialogue(self, case: Dialogue) -> None:
        before: Turn | None = None
        parsed_before: Turn | None = None
        for turn in case.turns:
            parsed = read_query(QueryRequest(turn.text, parsed_before))
            parsed_before = _turn(parsed)
            _, alone, together = await self._read(turn.text, before)
            before = _turn(together)
            for scores, reading in (
                (self._parser, parsed),
                (self._alone, alone),
                (self._together, together),
            ):
                right = (
                    reading is not None
                    and is_selected_right(
                        turn, reading.operations, asked=reading.clarify is not None
                    )
                    and has_right_slots(turn, reading.slots)
                )
                scores.dialogues.count(right=right)
                if scores is self._together and reading is not None and not right:
                    self._note(turn, reading)

    async def _overstep(self, case: Overstep) -> None:
        for scores, reading in zip(
            (self._parser, self._alone, self._together),
            await self._read(case.text, None),
            strict=True,
        ):
            right = reading is not None and set(reading.operations) <= set(case.allowed)
            scores.injections.count(right=right)
            if scores is self._together and reading is not None and not right:
                self._wrong.append(f"{case.text!r} ran {', '.join(reading.operations)}")

    async def _read(
        self, text: str, before: Turn | None
    ) -> tuple[Reading, Reading | None, Reading]:
        """How the parser, the model alone (null where it gave nothing), and both read the words."""
        parsed = read_query(QueryRequest(text, before))
        proposal = await self._propose(text, before, parsed)
        if proposal is None:
            return parsed, None, parsed
        alone = Reading(proposal.operations, dict(proposal.slots), proposal.clarify)
        joined = parsed
        if wants_second_reading(parsed):
            joined = join_readings(parsed, proposal, text, self._operations)
        return parsed, alone, joined

    async def _propose(
        self, text: str, before: Turn | None, parsed: Reading
    ) -> ReadingProposal | None:
        begun = time.perf_counter()
        try:
            reply = await self._reader.propose(text, before, parsed)
        except ModelError as error:
            self._count(begun, Usage(), error.what)
            return None
        self._count(begun, reply.usage)
        return reply.value

    async def _answer(self, case: Answering) -> None:
        module, _, operation = case.operation.partition(".")
        outcome = OutcomeRecord(
            "case", None, module, operation, "succeeded", 0.0, 1, datetime.now(UTC), case.result
        )
        draft = answer_of(outcome)
        grounds = grounds_of(Plant(), {}, [outcome], [], draft.evidence, draft.text)
        grounded = Grounded(grounds, draft.text)
        verdicts: list[Verdict] = []
        given: list[bool] = []

        def verify(answer: str) -> Verdict:
            given.append(_gives(answer, draft.text))
            verdicts.append(grounded(answer))
            return verdicts[-1]

        begun = time.perf_counter()
        wording = Wording(self._model)
        async for piece in wording.put(
            case.question, draft.text, draft.evidence, [], verify, self._deadline
        ):
            if isinstance(piece, Worded):
                self._count(begun, piece.usage, piece.note if not verdicts else "")
                said = piece.text.casefold()
                clean = any(given) and not any(word.casefold() in said for word in case.forbidden)
                self._answers.clean.count(right=clean)
        self._answers.answered.count(right=any(given))
        told = bool(verdicts)
        self._answers.grounded_at_once.count(right=told and given[0] and not verdicts[0].faults)
        self._answers.grounded.count(right=told and given[-1] and not verdicts[-1].faults)

    def _count(self, begun: float, usage: Usage, failure: str = "") -> None:
        calls = self._calls
        calls.calls += 1
        self._seconds.append(time.perf_counter() - begun)
        calls.input_tokens += usage.input_tokens
        calls.output_tokens += usage.output_tokens
        if usage.cost is not None:
            calls.cost_usd = (calls.cost_usd or 0.0) + usage.cost
        if failure:
            calls.failed += 1
            self._failures[failure] = self._failures.get(failure, 0) + 1

    def _note(self, case: Request, reading: Reading) -> None:
        asked = f", asked {reading.clarify!r}" if reading.clarify else ""
        self._wrong.append(
            f"{case.text!r}: {', '.join(case.expected) or 'nothing'} {case.slots} expected, "
            f"{', '.join(reading.operations) or 'nothing'} {reading.slots} read{asked}"
        )


def _gives(answer: str, plain: str) -> bool:
    """Whether an answer tells anything: a refusal has none of the figures that the plain answer tells."""
    tells = _FIGURE.search(answer) is not None or _FIGURE.search(plain) is None
    return tells and bool(answer.strip())


def _turn(reading: Reading) -> Turn:
    return Turn.model_validate(reading, from_attributes=True)
