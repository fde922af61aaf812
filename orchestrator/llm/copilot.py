"""The copilot: one turn of a conversation, from the words to an answer with its evidence.

Words are read and decided on as every request is, so the same gates bind. What runs, runs as jobs, which go
on whatever becomes of the one who asked. The plain answer is made from results by templates; a model may put
it into better words, never add to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from orchestrator.core.decision import Decision
from orchestrator.core.query_patterns import ANSWERS
from orchestrator.errors import InputError, NotFoundError
from orchestrator.llm.answers.compose import WHICH_CHANGE, Composed, compose
from orchestrator.llm.answers.documents import quotation_of
from orchestrator.llm.answers.draft import Draft, Evidence, as_sentence, joined
from orchestrator.llm.answers.own import OwnAnswers, asks_what_is_wrong
from orchestrator.llm.knowledge.evidence import PassageSearch
from orchestrator.llm.knowledge.quoting import of_records
from orchestrator.llm.port import LanguageModel, Message, Usage
from orchestrator.llm.references import Meant, resolve
from orchestrator.llm.sessions import (
    SUMMARISED_AT_ONCE,
    listed_last,
    messages_of,
    summary_of,
    to_be_summarised,
)
from orchestrator.llm.verification import Grounded, grounds_of
from orchestrator.llm.wording import Verifier, Worded, Wording
from orchestrator.state.records import (
    FINAL_STATUSES,
    JobRecord,
    OutcomeRecord,
    SessionRecord,
    TurnRecord,
    TurnState,
)

if TYPE_CHECKING:
    from orchestrator.core.orchestrator import Orchestrator

EventKind = Literal[
    "session", "reading", "decision", "progress", "reasoning", "answer", "evidence", "end", "error"
]
TEMPLATES = "templates"
UNFINISHED = ("open", "partial")
READING_SHARE = 0.25
"""Share of a turn's deadline in which a model may read the words and advise; the rest is for the answer."""
RECORDS = ("alert", "decision", "recommendation", "operation")
"""Things of which a record is kept, other than what is measured."""


@dataclass(frozen=True, slots=True)
class ChatEvent:
    """One thing that happens while a turn is answered; ``data`` is JSON."""

    kind: EventKind
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """A message.

    Attributes:
        text: What was said.
        session_id: The conversation; null begins one.
        user: Whose conversation it is.
        show_reasoning: Whether a model's reasoning is wanted, apart from the answer.
        deadline: Longest time to the end of the answer, s; null takes the configured one.
    """

    text: str
    session_id: str | None = None
    user: str = ""
    show_reasoning: bool = False
    deadline: float | None = None


class Copilot:
    """Answers on one orchestrator.

    Args:
        orchestrator: Reads, decides and runs.
        model: Puts answers into words; templates alone where ``None``.
        documents: Quoted where they answer what nothing else does; ``None`` where there are none.
    """

    def __init__(
        self,
        orchestrator: Orchestrator,
        model: LanguageModel | None = None,
        documents: PassageSearch | None = None,
    ) -> None:
        self._documents = documents
        self._orchestrator = orchestrator
        self._settings = orchestrator.settings.chat
        self._own = OwnAnswers(orchestrator)
        self._store = orchestrator.store
        self._wording = Wording(model) if model is not None else None

    async def answer(self, said: Said) -> AsyncGenerator[ChatEvent]:
        """Everything that happens until the turn is answered.

        Closing the iterator ends the waiting; jobs that were started go on, and their results are with the
        turn when the session is looked at or used again.

        Raises:
            DanGError: before anything was decided: the session is another user's, or the state is gone.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        deadline = said.deadline or self._settings.deadline
        session_id = said.session_id or uuid4().hex
        before = await self._orchestrator.sessions.find(session_id, said.user)
        if before is None and said.session_id is not None:
            await self._orchestrator.sessions.check_owner(session_id, said.user)
        history = await self._history(before) if before else []
        yield ChatEvent(
            "session", {"session_id": session_id, "turns": before.turns if before else 0}
        )
        meant = resolve(said.text, listed_last(history))
        try:
            accepted = await self._orchestrator.accept(
                query=meant.text,
                said=said.text,
                session_id=session_id,
                user=said.user,
                dry_run=meant.missing is not None,
                model_seconds=READING_SHARE * (begun + deadline - loop.time()),
            )
        except InputError as error:
            async for event in self._not_run(said, session_id, before, error):
                yield event
            return
        decision, session = accepted.decision, accepted.session
        assert session is not None
        yield ChatEvent("reading", _reading(decision, session, meant))
        yield ChatEvent("decision", _decided(decision, accepted.jobs))
        waited = [job for job in accepted.jobs if not job.deferred]
        share = self._settings.results_share if self._wording else 1.0
        outcomes: list[OutcomeRecord] = []
        async for found in self._results(waited, begun + share * deadline):
            if isinstance(found, ChatEvent):
                yield found
            else:
                outcomes.append(found)
        composed = await self._compose(decision, meant, accepted.jobs, outcomes)
        text, by, notes, usage = composed.text, TEMPLATES, list[str](), Usage()
        if self._wording is not None and composed.worth_wording:
            async for piece in self._wording.put(
                said.text,
                composed.text,
                composed.evidence,
                self._before(before, history),
                await self._verifier(decision, outcomes, composed),
                begun + deadline - loop.time(),
            ):
                if isinstance(piece, Worded):
                    usage = piece.usage
                    notes += [piece.note] if piece.note else []
                    text, by = (piece.text, piece.model) if piece.text else (text, by)
                elif said.show_reasoning:
                    yield ChatEvent("reasoning", {"text": piece.text})
        await self._keep(session, session.turns, composed, text, by, accepted.jobs)
        await self._summarise(session)
        for part in _parts(text):
            yield ChatEvent("answer", {"text": part})
        yield ChatEvent(
            "evidence",
            {"items": [item.model_dump(exclude_defaults=True) for item in composed.evidence]},
        )
        yield ChatEvent(
            "end",
            _end(
                session, composed.state, by,
                notes=notes, seconds=loop.time() - begun, usage=usage,
            ),
        )  # fmt: skip

    async def settle(self, session: SessionRecord, last: int = 1000) -> list[TurnRecord]:
        """The last turns of a session; those that were left unanswered are answered from their jobs' results.

        So a turn whose reader went away, whose time was up, or whose process was killed has its answer.
        """
        turns = await self._orchestrator.sessions.turns(session, last=last)
        return [await self._settled(session, turn) for turn in turns]

    async def _settled(self, session: SessionRecord, turn: TurnRecord) -> TurnRecord:
        if turn.state not in UNFINISHED or turn.decision_id is None:
            return turn
        try:
            record = await self._store.decisions.get(turn.decision_id)
        except NotFoundError:
            return turn  # it is being decided, or the process ended before it was
        jobs = (await self._store.jobs.list(decision_id=record.id, limit=100)).items
        if any(job.status not in FINAL_STATUSES for job in jobs):
            return turn
        outcomes = await self._store.outcomes.of_decision(record.id)
        decision = Decision.model_validate(record.document)
        composed = await self._compose(decision, Meant(turn.text), jobs, outcomes)
        await self._keep(session, turn.number, composed, composed.text, TEMPLATES, jobs)
        return replace(
            turn, state=composed.state, answer=composed.text, answered_by=TEMPLATES,
            items=tuple(i.model_dump() for i in composed.items),
            evidence=tuple(e.model_dump() for e in composed.evidence),
        )  # fmt: skip

    async def _history(self, session: SessionRecord) -> list[TurnRecord]:
        return await self.settle(session, self._settings.whole_turns + SUMMARISED_AT_ONCE)

    async def _verifier(
        self, decision: Decision, outcomes: Sequence[OutcomeRecord], composed: Composed
    ) -> Verifier:
        record = await self._store.decisions.get(decision.id)
        values = decision.interpretation.values if decision.interpretation else ()
        plant = self._orchestrator.plant
        grounds = await asyncio.to_thread(
            grounds_of,
            plant,
            record.situation,
            outcomes,
            values,
            composed.evidence,
            composed.text,
            [f"{item.what}\n{item.value}" for item in _passages(composed)],
        )
        return Grounded(grounds, composed.text, [str(item.value) for item in _passages(composed)])

    def _before(self, session: SessionRecord | None, turns: Sequence[TurnRecord]) -> list[Message]:
        if session is None:
            return []
        return messages_of(session, [turn for turn in turns if turn.number > session.summarised])

    async def _results(
        self, jobs: Sequence[JobRecord], end: float
    ) -> AsyncIterator[ChatEvent | OutcomeRecord]:
        """Progress of jobs, and each outcome as it is there, until all are or the time is up."""
        loop = asyncio.get_running_loop()
        ids = {job.id for job in jobs}
        waits: set[asyncio.Future[Any]] = {
            asyncio.ensure_future(self._orchestrator.coordinator.wait(job.id)) for job in jobs
        }
        upcoming: asyncio.Future[Any] | None = None
        with self._orchestrator.events.subscribe() as listener:
            try:
                while waits and loop.time() < end:
                    upcoming = upcoming or asyncio.ensure_future(anext(listener))
                    done, _ = await asyncio.wait(
                        {*waits, upcoming},
                        timeout=end - loop.time(),
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    if upcoming in done:
                        event, upcoming = upcoming.result(), None
                        if event.kind == "job" and event.payload["id"] in ids:
                            yield _progress(event.payload)
                    for ended in done & waits:
                        waits.discard(ended)
                        yield ended.result()
            finally:
                for waiting in (*waits, *([upcoming] if upcoming is not None else [])):
                    waiting.cancel()

    async def _compose(
        self,
        decision: Decision,
        meant: Meant,
        jobs: Sequence[JobRecord],
        outcomes: Sequence[OutcomeRecord],
    ) -> Composed:
        reading, item = decision.interpretation, meant.item
        own = None
        if meant.missing is not None:
            own = Draft("status", "list")
            own.say(f"The last answer lists only {meant.missing}. Which one do you mean?")
        elif item is not None and item.kind in RECORDS:
            own = await self._own.about(item)
        elif reading is not None and reading.answer == ANSWERS["system"]:
            own = await self._own.answer(meant.text)
        elif reading is not None and reading.clarify and asks_what_is_wrong(meant.text):
            # Nothing of the words says what to look at: what is open is what the system knows to be wrong.
            own = await self._own.alerts()
            heard = reading.model_copy(update={"clarify": None})
            decision = decision.model_copy(update={"interpretation": heard})
        order = {job.id: number for number, job in enumerate(jobs)}
        ordered = sorted(outcomes, key=lambda outcome: order[outcome.job_id])
        quoted = None
        if meant.missing is None and (item is None or item.kind not in RECORDS):
            quoted = await quotation_of(self._documents, meant.text, reading)
        if quoted is not None and reading is not None and reading.answer == ANSWERS["system"]:
            own = own if of_records(meant.text) else None
        composed = compose(decision, jobs, ordered, own, quoted)
        return composed if meant.missing is None else replace(composed, state="asked")

    async def _keep(
        self,
        session: SessionRecord,
        number: int,
        composed: Composed,
        text: str,
        by: str,
        jobs: Sequence[JobRecord],
    ) -> None:
        await self._store.sessions.finish(
            session,
            number,
            composed.state,
            answer=text,
            answered_by=by,
            jobs=[{"id": job.id, "operation": f"{job.module}.{job.operation}"} for job in jobs],
            items=[item.model_dump() for item in composed.items],
            evidence=[item.model_dump() for item in composed.evidence],
        )

    async def _summarise(self, session: SessionRecord) -> None:
        reach = to_be_summarised(session, self._settings.whole_turns)
        if reach:
            turns = await self._orchestrator.sessions.turns(
                session, after=session.summarised, last=session.turns
            )
            told = [turn for turn in turns if turn.number <= reach]
            await self._store.sessions.summarise(session, summary_of(session.summary, told), reach)

    async def _not_run(
        self, said: Said, session_id: str, before: SessionRecord | None, error: InputError
    ) -> AsyncIterator[ChatEvent]:
        """The words were understood, but do not say all that what they ask for needs."""
        session = await self._orchestrator.sessions.find(session_id, said.user)
        if session is None or (before is not None and session.turns == before.turns):
            raise error
        missing = [
            e["field"] for e in error.context.get("errors", ()) if e.get("type") == "missing"
        ]
        supposed = any(
            str(e.get("field", "")).startswith("changes") for e in error.context.get("errors", ())
        )
        state: TurnState = "asked" if missing or supposed else "failed"
        text = (
            WHICH_CHANGE
            if supposed
            else (
                f"{error.where or 'That'} needs {joined(missing)}, which your words do not say. "
                "Which tag, product or property do you mean?"
                if missing
                else f"That cannot be run: {as_sentence(str(error))}"
            )
        )
        await self._store.sessions.finish(
            session, session.turns, state, answer=text, answered_by=TEMPLATES
        )
        yield ChatEvent(
            "reading",
            {
                "turn": session.turns,
                **{name: session.turn.get(name) for name in ("operations", "slots", "clarify")},
            },
        )
        yield ChatEvent("answer", {"text": text})
        yield ChatEvent("evidence", {"items": []})
        yield ChatEvent("end", _end(session, state, TEMPLATES))


def _reading(decision: Decision, session: SessionRecord, meant: Meant) -> dict[str, Any]:
    reading = decision.interpretation
    shown = (
        reading.model_dump(mode="json", include={"operations", "slots", "clarify"})
        if reading
        else {}
    )
    return {"turn": session.turns, "meant": meant.text, **shown}


def _passages(composed: Composed) -> list[Evidence]:
    """The passages that an answer quotes."""
    return [item for item in composed.evidence if item.source == "document"]


def _decided(decision: Decision, jobs: Sequence[JobRecord]) -> dict[str, Any]:
    document = decision.document
    return {
        "id": decision.id,
        "decided_by": decision.decided_by,
        "confidence": decision.confidence,
        "rationale": decision.rationale,
        "notes": document["notes"],
        "refused": document["refused"],
        "jobs": [
            {
                "id": job.id,
                "module": job.module,
                "operation": job.operation,
                "status": job.status,
                "deferred": job.deferred,
            }
            for job in jobs
        ],
    }


def _progress(payload: dict[str, Any]) -> ChatEvent:
    names = ("id", "module", "operation", "status", "progress", "message", "seconds", "summary")
    return ChatEvent("progress", {name: payload[name] for name in names if name in payload})


def _parts(text: str) -> list[str]:
    """An answer in the pieces in which it is given out: paragraph by paragraph."""
    lines = text.split("\n")
    return [line + ("\n" if number < len(lines) - 1 else "") for number, line in enumerate(lines)]


def _end(
    session: SessionRecord,
    state: TurnState,
    by: str,
    *,
    notes: Sequence[str] = (),
    seconds: float = 0.0,
    usage: Usage = Usage(),  # noqa: B008  immutable
) -> dict[str, Any]:
    return {
        "session_id": session.id,
        "turn": session.turns,
        "state": state,
        "answered_by": by,
        "notes": list(notes),
        "seconds": round(seconds, 3),
        "usage": asdict(usage),
    }
