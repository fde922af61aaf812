"""The orchestrator: one object that owns a home and runs the whole loop on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Literal, Self, get_args
from uuid import uuid4

import structlog

from orchestrator.clock import Clock, PlantClock, SystemClock
from orchestrator.config import Settings
from orchestrator.core.advice import Advisor
from orchestrator.core.advice_desk import AdviceDesk, Asked
from orchestrator.core.alert_desk import AlertDesk
from orchestrator.core.assessment import Assessor
from orchestrator.core.criteria import Estimates
from orchestrator.core.decision import Decision
from orchestrator.core.decision_engine import DecisionEngine, Memory, QueryRequest, Turn
from orchestrator.core.events import EventBus
from orchestrator.core.home import MONITORING_MODELS
from orchestrator.core.job_origin import ADVICE, LIVE, REQUEST, decided_live, of_way
from orchestrator.core.live_advice import LiveAdvice
from orchestrator.core.live_loop import LiveLoop
from orchestrator.core.meant_tags import MeantTags
from orchestrator.core.model_desk import ModelDesk
from orchestrator.core.module_coordinator import ModuleCoordinator
from orchestrator.core.operator_parts import open_operator
from orchestrator.core.parts import Parts, open_parts
from orchestrator.core.query_parser import read_query
from orchestrator.core.recommendations import content_of
from orchestrator.core.second_reading import SecondReader, wants_second_reading
from orchestrator.core.sessions import SessionBook
from orchestrator.core.situation import Situation
from orchestrator.core.sources import configured_plant
from orchestrator.core.status import describe
from orchestrator.core.value_answers import ValueAnswers
from orchestrator.errors import DanGError, ParameterError, UnavailableError
from orchestrator.modules.analysis.options import calendar_of
from orchestrator.modules.registry import Registry
from orchestrator.monitoring.alerts import AlertBook
from orchestrator.monitoring.model_store import ModelStore
from orchestrator.monitoring.monitor import Monitor
from orchestrator.plant.sources.base import Source
from orchestrator.plant.tags import Plant, PlantMode
from orchestrator.state.records import (
    DecisionRecord,
    EncodedDocument,
    FeedbackRecord,
    JobRecord,
    OutcomeRecord,
    SessionRecord,
)

log = structlog.get_logger(__name__)

MODE_KEY = "plant_mode"
OBSERVED = timedelta(days=30)
"""Age of the outcomes from which success, time and cost are estimated."""
OLD_NEWS = frozenset({None, "fresh", "in_flight"})
Verdict = Literal["right", "wrong", "unclear"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A decision that is stored, the jobs that its actions became, and the session after the turn."""

    decision: Decision
    jobs: list[JobRecord]
    session: SessionRecord | None = None


class Orchestrator:
    """Observes, decides, coordinates, records and learns on one home.

    Open it with :meth:`open` and close it with :meth:`close`, or use it as a context manager.
    """

    def __init__(
        self,
        settings: Settings,
        parts: Parts,
        *,
        source: Source | None = None,
        train: Source | None = None,
        lockstep: bool = False,
    ) -> None:
        self.settings = settings
        self.registry = parts.registry
        self.store = parts.store
        self.cache = parts.cache
        self.historian = parts.historian
        self.home = parts.home
        self.source = source
        self.plant = source.plant if source is not None else configured_plant(settings) or Plant()
        held = self.historian.span()
        self.clock: Clock = (
            PlantClock(held[1] if held else None) if source is not None else SystemClock()
        )
        self.events = EventBus()
        self.model_report: Callable[[], Awaitable[dict[str, Any]]] | None = None
        kept = ModelStore(self.home.models / MONITORING_MODELS)
        self.monitor = Monitor(self.plant, settings.monitoring, kept) if self.plant.tags else None
        book = self.monitor.alerts if self.monitor is not None else AlertBook()
        self.alerts = AlertDesk(book, self.store, self.events, self.clock)
        self.models = ModelDesk(
            self.monitor,
            kept,
            self.historian,
            self.alerts,
            self.store,
            self._still,
        )
        self.assessor = Assessor(
            self.plant,
            self.monitor,
            settings.plant.maintenance,
            calendar=calendar_of(settings.module("analysis").options),
            interval=timedelta(seconds=settings.plant.assess_interval),
        )
        self.sessions = SessionBook(
            self.store.sessions, self.cache, life=timedelta(days=settings.chat.session_days)
        )
        self.meant_tags = MeantTags(self.plant, self.historian, self.registry)
        self.second_reader: SecondReader | None = None
        self.values = ValueAnswers(self.plant, self.historian, self.monitor)
        self.estimates = Estimates(self.registry)
        self.engine = DecisionEngine(settings, self.registry, self.estimates)
        self.advice = AdviceDesk(
            self.engine,
            self.registry,
            self.store,
            settings.decision_engine.confidence_threshold,
        )
        periods = [tag.period_seconds for tag in self.plant.tags if tag.period_seconds]
        self.memory = Memory(period_seconds=median(periods) if periods else 0.0)
        self.coordinator = ModuleCoordinator(
            settings,
            self.registry,
            self.store,
            self.historian,
            self.plant,
            self.clock,
            self.home,
            self.events,
        )
        self.live_advice = LiveAdvice(
            self.advice,
            self.engine,
            self.memory,
            self.clock,
            situation=self.situation,
            accept=partial(self._accept, way=ADVICE),
            spawn=self._spawn,
        )
        self._lockstep = lockstep
        self.closing = AsyncExitStack()
        self._followers: set[asyncio.Task[None]] = set()
        self._last_shape: tuple[Any, ...] | None = None
        self._rows_before = self.historian.count() // max(1, len(self.plant.tags))
        self.operator = open_operator(
            settings,
            self.plant,
            self.store,
            self.events,
            self.clock,
            self.historian,
            self.assessor,
            self.alerts,
            source=source,
            blind=self.monitor is None,
            still=self._still,
            spawn=self._spawn,
        )
        self.loop = self._make_loop(train)

    def _still(self) -> AbstractAsyncContextManager[object]:
        return self.loop.lock if self.loop is not None else nullcontext()

    # -- opening and closing ------------------------------------------------------------------

    @classmethod
    async def open(
        cls,
        settings: Settings,
        *,
        home: Path | None = None,
        source: Source | None = None,
        train: Source | None = None,
        registry: Registry | None = None,
        lockstep: bool = False,
        advisor: Advisor | None = None,
    ) -> Self:
        """Take the home's lock, open all parts and resume what a crash left unfinished.

        Args:
            settings: The configuration.
            home: Folder of the state; the configured one when ``None``.
            source: Where samples come from; without one only requests are served.
            train: Normal operation on which the monitor is trained first.
            registry: Modules; all installed ones when ``None``.
            lockstep: Plant time stands still while actions run, and nothing that depends on this
                machine (load, durations) enters a decision, so that a run can be repeated exactly.
            advisor: Asked where the policy is not sure; without one the policy decides alone.

        Raises:
            HomeLockedError: another process owns the home.
            DatabaseUnavailableError: the configured database cannot be reached.
        """
        parts = await open_parts(settings, home, registry)
        async with AsyncExitStack() as closing:
            closing.push_async_callback(parts.closing.aclose)
            if source is not None:
                closing.callback(source.close)
            orchestrator = cls(settings, parts, source=source, train=train, lockstep=lockstep)
            orchestrator.advice.advisor = advisor
            closing.push_async_callback(orchestrator.operator.close)
            closing.push_async_callback(orchestrator.coordinator.stop)
            await orchestrator._start()
            orchestrator.closing = closing.pop_all()
            return orchestrator

    async def _start(self) -> None:
        saved = await self.store.settings.get(MODE_KEY)
        self.assessor.operator_mode = saved.get("mode") if isinstance(saved, dict) else None
        await self._learn_from_outcomes()
        await self.store.sessions.forget_expired(SystemClock().now())
        await self.alerts.restore()
        await self.operator.restore()
        await self.coordinator.start()

    async def _learn_from_outcomes(self) -> None:
        if not self._lockstep:
            since = self.clock.now() - OBSERVED
            self.estimates.refresh(await self.store.outcomes.statistics(since))

    async def close(self) -> None:
        """Stop in good order; what is running is resumed at the next start."""
        for task in self._followers:
            task.cancel()
        await asyncio.gather(*self._followers, return_exceptions=True)
        await self.closing.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # -- the live loop ------------------------------------------------------------------------

    def _make_loop(self, train: Source | None) -> LiveLoop | None:
        if self.source is None or self.monitor is None or not isinstance(self.clock, PlantClock):
            return None
        return LiveLoop(
            self.settings,
            self.source,
            clock=self.clock,
            historian=self.historian,
            monitor=self.monitor,
            assessor=self.assessor,
            act=self._assess_and_act,
            on_alerts=self.alerts.take,
            speed=0.0 if self._lockstep else self.settings.plant.source.speed,
            train=train,
            gaps=self.home.gaps,
        )

    async def run(self) -> None:
        """The live loop over the source; returns when the source ends."""
        if self.loop is None:
            raise UnavailableError(
                "there is no source of samples",
                remedy="set plant.source in the configuration, or use dan-g run for the demo's twin",
            )
        await self.loop.run()

    async def settle(self) -> None:
        """Wait until everything that was accepted has its outcome and was learned from."""
        while self._followers:
            await asyncio.gather(*self._followers, return_exceptions=True)

    async def situation(self) -> Situation:
        """The live situation."""
        if self.loop is None:
            return await self._situation(self.clock.now())
        async with self.loop.lock:
            return await self._situation(self.clock.now())

    async def _situation(self, at: datetime) -> Situation:
        modules = await self.coordinator.facts()
        if self._lockstep:
            timeless = {"p95_seconds": None, "success_rate": None}
            modules = {n: fact.model_copy(update=timeless) for n, fact in modules.items()}
        return self.assessor.situation(
            at,
            modules=modules,
            resources=None if self._lockstep else self.coordinator.resources(),
        )

    async def _assess_and_act(self, at: datetime) -> None:
        if getattr(self.source, "live", False):
            self._spawn(self.operator.tick())
        else:
            # The time of a recording or a simulation stands still while the operator agent acts.
            await self.operator.tick()
        try:
            situation = await self._situation(at)
            self.memory.rows = self._rows_before + self._rows_taken()
            decision = self.engine.decide(situation, memory=self.memory, now=at)
            if not self._worth_recording(decision):
                return
            jobs = await self._accept(decision, situation, way=LIVE)
            self.memory.note_started(decision, at)
            if not self._lockstep:
                self.live_advice.ask(decision, situation, at)
        except UnavailableError as error:
            log.error("no decision could be recorded", error=str(error))
            return
        if self._lockstep:
            for job in jobs:
                await self._follow(job, decision)

    def _rows_taken(self) -> int:
        return self.loop.rows + self.loop.history_rows if self.loop is not None else 0

    def _worth_recording(self, decision: Decision) -> bool:
        """Whether it has actions, or differs from the last one in what fired or was held by a gate.

        That a rule was named before, or its operation runs or ran just now, is no news.
        """
        held = [(a.operation, a.gate) for a in decision.alternatives if a.gate not in OLD_NEWS]
        shape = (tuple(trigger.name for trigger in decision.triggers), tuple(held))
        changed, self._last_shape = shape != self._last_shape, shape
        return bool(decision.actions) or (changed and bool(decision.triggers))

    # -- requests -----------------------------------------------------------------------------

    async def decide(
        self,
        *,
        situation: Situation | None = None,
        query: str | None = None,
        session_id: str | None = None,
        user: str = "",
        dry_run: bool = False,
        advise: bool = False,
    ) -> tuple[Decision, list[JobRecord]]:
        """Decide for a query, a given situation, or the live one; store it; and start its actions.

        A given situation is decided without memory and without what this home has observed. A dry run
        starts nothing; its decision is stored and marked, and a session remembers the turn. Where the
        policy is not sure, or with ``advise``, the adviser is heard first, up to its deadline.
        """
        accepted = await self.accept(
            situation=situation,
            query=query,
            session_id=session_id,
            user=user,
            dry_run=dry_run,
            advise=advise,
        )
        return accepted.decision, accepted.jobs

    async def accept(
        self,
        *,
        situation: Situation | None = None,
        query: str | None = None,
        said: str | None = None,
        session_id: str | None = None,
        user: str = "",
        dry_run: bool = False,
        advise: bool = False,
        model_seconds: float | None = None,
    ) -> Accepted:
        """As :meth:`decide`, with the session after the turn; ``said`` are the words as they were given,
        where ``query`` is what they mean in the light of an earlier answer. A model that reads or advises
        is heard for at most ``model_seconds`` in all."""
        loop = asyncio.get_running_loop()
        end = None if model_seconds is None else loop.time() + model_seconds
        basis = situation if situation is not None else await self.situation()
        now = self.clock.now()

        async def read(previous: Turn | None) -> Decision:
            request = await self._read(query, previous, end) if query is not None else None
            given = situation is not None
            decision = self.engine.decide(
                basis, request=request, now=now, dry_run=dry_run, as_given=given
            )
            # Words that a second reader has heard are not asked about once more.
            heard = request is not None and self.second_reader is not None and not advise
            if not heard and self.advice.unsure(decision, asked=advise):
                asked = Asked(basis, now, request, dry_run=dry_run, as_given=given)
                decision = await self.advice.advised(
                    decision, asked, asked=advise, longest=_left(end)
                )
            if query is None:
                return decision
            decision = self.meant_tags.complete(decision, query)
            return await self.values.complete(decision, query, now)

        session = None
        if query is not None and session_id:
            decision, session = await self.sessions.take_turn(
                session_id, user, said or query, now, read
            )
        else:
            decision = await read(None)
        jobs = await self._accept(decision, basis, session_id=session_id)
        return Accepted(decision, jobs, session)

    async def _read(self, text: str, previous: Turn | None, end: float | None) -> QueryRequest:
        """The words with their reading: the parser's, and a second one's where the parser is not sure."""
        reading = read_query(QueryRequest(text, previous))
        if self.second_reader is not None and wants_second_reading(reading):
            reading = await self.second_reader.read(text, previous, reading, _left(end))
        return QueryRequest(text, previous, reading)

    async def _accept(
        self,
        decision: Decision,
        situation: Situation,
        *,
        session_id: str | None = None,
        way: str = REQUEST,
    ) -> list[JobRecord]:
        document = decision.document
        record = DecisionRecord(
            id=decision.id,
            created_at=decision.created_at,
            decided_by=decision.decided_by,
            confidence=decision.confidence,
            policy_version=decision.policy_version,
            situation_digest=decision.situation_digest,
            dry_run=decision.dry_run,
            document=EncodedDocument(document, decision.json_text),
            situation=EncodedDocument(situation.facts(), situation.facts_json.decode()),
            features={c["operation"]: c for c in document["criteria"]},
            session_id=session_id,
        )
        jobs = await self.coordinator.submit(record, decision, origin=of_way(way))
        self.events.publish("decision", decision.created_at, document)
        if not self._lockstep:
            for job in jobs:
                self._spawn(self._follow(job, decision))
        return jobs

    async def invoke(
        self,
        module: str,
        operation: str,
        parameters: dict[str, Any],
        *,
        priority: int = 5,
        idempotency_key: str | None = None,
        origin: dict[str, str] | None = None,
    ) -> JobRecord:
        """Run one operation, asked for directly; ``origin`` says by which way and by whom.

        Raises:
            UnknownModuleError, UnknownOperationError: no such operation.
            ParameterError: the parameters do not fit.
            GateRefusedError: the module is disabled.
        """
        job = await self.coordinator.invoke(
            module,
            operation,
            parameters,
            priority=priority,
            idempotency_key=idempotency_key,
            origin=origin,
        )
        self._spawn(self._follow(job, None))
        return job

    async def set_mode(self, mode: PlantMode | None, by: str) -> None:
        """Set the plant mode by hand, or give it back to the plant with ``None``."""
        if mode is not None and mode not in get_args(PlantMode):
            raise ParameterError(
                f"no plant mode {mode!r}", where="mode", remedy=f"one of {get_args(PlantMode)}"
            )
        await self.store.settings.put(MODE_KEY, {"mode": mode, "by": by})
        await self.store.audit.append(by, "set_mode", "plant", {"mode": mode})
        self.assessor.operator_mode = mode
        self.events.publish("mode", self.clock.now(), {"mode": mode, "by": by})

    async def status(self) -> dict[str, Any]:
        """Health of every part, the live situation, modules, model and versions."""
        return await describe(self)

    async def feedback(
        self,
        decision_id: str,
        verdict: Verdict,
        benefit_usd: float | None = None,
        comment: str = "",
        author: str = "",
    ) -> FeedbackRecord:
        """Keep what came of a decision."""
        await self.store.decisions.get(decision_id)
        record = FeedbackRecord(
            id=uuid4().hex,
            decision_id=decision_id,
            created_at=self.clock.now(),
            verdict=verdict,
            benefit_usd=benefit_usd,
            comment=comment,
            author=author,
        )
        await self.store.feedback.add(record)
        return record

    # -- following jobs -----------------------------------------------------------------------

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._followers.add(task)
        task.add_done_callback(self._followers.discard)

    async def _follow(self, job: JobRecord, decision: Decision | None) -> None:
        try:
            outcome = await self.coordinator.wait(job.id)
            await self._learn(outcome, decision, own=decided_live(job))
        except DanGError as error:
            log.error("an outcome could not be followed", job=job.id, error=str(error))

    async def _learn(self, outcome: OutcomeRecord, decision: Decision | None, *, own: bool) -> None:
        at = self.clock.now()
        self.memory.note_outcome(outcome, at)
        await self._learn_from_outcomes()
        digest = decision.situation_digest if decision is not None else None
        content = content_of(outcome, digest)
        if content is not None:
            await self.operator.take(content, outcome.job_id, own=own)


def _left(end: float | None) -> float | None:
    """Seconds until a moment of the running loop's clock; null where nothing ends."""
    return None if end is None else end - asyncio.get_running_loop().time()
