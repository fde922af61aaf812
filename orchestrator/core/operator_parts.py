"""The operator agent put together from what an orchestrator has: door, gate, rules and desk."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from statistics import median

from orchestrator.clock import Clock, SystemClock
from orchestrator.config import Settings
from orchestrator.core.alert_desk import AlertDesk
from orchestrator.core.application import Application
from orchestrator.core.approvals import Approvals
from orchestrator.core.assessment import Assessor
from orchestrator.core.events import EventBus
from orchestrator.core.operator_desk import OperatorDesk, Spawn
from orchestrator.core.operator_gate import Gate
from orchestrator.core.operator_modes import OperatorModes
from orchestrator.core.plant_facts import PlantFacts
from orchestrator.core.recommendation_intake import Intake
from orchestrator.core.recommendation_journal import RecommendationJournal
from orchestrator.core.response_watch import ResponseWatch
from orchestrator.core.write_alarms import WriteAlarms
from orchestrator.modules.optimization.safety import Rehearse, SteadyRehearsal
from orchestrator.plant.envelope import Envelope
from orchestrator.plant.historian import Historian
from orchestrator.plant.sources.base import Source
from orchestrator.plant.tags import Plant
from orchestrator.plant.write_target import WriteTarget
from orchestrator.plant.writer import Writer
from orchestrator.state.repositories import Store

DEFAULT_PERIOD = 60.0


def open_operator(
    settings: Settings,
    plant: Plant,
    store: Store,
    events: EventBus,
    clock: Clock,
    historian: Historian,
    assessor: Assessor,
    alerts: AlertDesk,
    *,
    source: Source | None,
    blind: bool,
    still: Callable[[], AbstractAsyncContextManager[object]],
    spawn: Spawn,
) -> OperatorDesk:
    """The desk over everything that belongs to it.

    Args:
        alerts: Where alerts are kept, the operator agent's own among them.
        source: What is written to, where that can be written to.
        blind: Whether no monitor runs.
        still: Gives what keeps the monitor from being used meanwhile.
        spawn: Runs work beside the request that asked for it.

    Raises:
        ConfigurationError: ``plant.write`` is wider than the plant file, or cannot be used.
    """
    live = bool(getattr(source, "live", False))
    if live:
        # Plant time stands still when a live source falls silent, and what is known must grow old then.
        clock = SystemClock()
    enabled = settings.plant.write_enabled
    envelope = Envelope.of(settings.plant.write, plant)
    facts = PlantFacts(
        plant,
        historian,
        assessor,
        alerts.book,
        store,
        clock,
        envelope=envelope,
        write_enabled=enabled,
        blind=blind,
        still=still,
    )
    modes = OperatorModes(
        store,
        events,
        clock,
        configured=settings.operator.mode,
        write_enabled=enabled,
        envelope=envelope,
    )
    alarms = WriteAlarms(alerts, clock, still)
    target = write_target(settings, source, clock) if enabled else None
    writer = None

    def clock_seconds() -> float:
        return clock.now().timestamp()

    if target is not None:
        writer = Writer(
            target,
            envelope,
            store.writes,
            facts.now,
            clock,
            enabled=enabled,
            grant=modes.grant_called,
            alarm=alarms.not_as_wanted,
            # A simulation's time passes at its own pace, and stands still between its samples. A live
            # source keeps ours, also where what it serves is simulated.
            plant_seconds=clock_seconds if target.simulated and not live else time.monotonic,
        )
    gate = Gate(
        envelope,
        modes,
        store,
        clock,
        writer=writer,
        target=target,
        rehearse=rehearsal(plant, source),
        alarms=alarms,
    )
    journal = RecommendationJournal(store, events, clock, alarms)
    settle = settings.operator.settle_minutes
    periods = [tag.period_seconds for tag in plant.tags if tag.period_seconds]
    rows = settings.monitoring.planned_move_rows
    watch = ResponseWatch(
        store,
        facts,
        clock,
        settings.operator,
        timedelta(minutes=settle)
        if settle is not None
        else timedelta(seconds=rows * (median(periods) if periods else DEFAULT_PERIOD)),
    )
    application = Application(store, journal, modes, facts, gate, clock, settings.operator, watch)
    approvals = Approvals(store, journal, modes, gate, clock)
    return OperatorDesk(
        store,
        journal,
        modes,
        facts,
        gate,
        approvals,
        Intake(journal, modes, facts, gate, approvals, settings.operator),
        application,
        clock,
        settings.operator,
        spawn=spawn if live else None,
    )


def write_target(settings: Settings, source: Source | None, clock: Clock) -> WriteTarget | None:
    """What set points are written to; null where the source cannot be written to."""
    kind = settings.plant.source.kind
    if source is None:
        return None
    if kind == "opcua":
        from orchestrator.plant.opcua.target import OpcUaTarget

        assert settings.plant.source.url is not None
        return OpcUaTarget(
            settings.plant.source.url,
            settings.plant.source.opcua,
            source.plant,
            tuple(settings.plant.write.tags),
        )
    if source.simulated:
        from orchestrator.plant.twin.source import TwinSource
        from orchestrator.plant.twin.target import TwinTarget

        if isinstance(source, TwinSource):
            return TwinTarget(source, clock)
    return None


def rehearsal(plant: Plant, source: Source | None) -> Rehearse | None:
    """What moves are tried on before they are offered: the simulated unit itself, or the plant's model."""
    if source is not None and source.simulated:
        from orchestrator.plant.twin.source import TwinSource

        if isinstance(source, TwinSource):
            from orchestrator.modules.optimization.safety.twin_rehearsal import TwinRehearsal

            return TwinRehearsal(plant, source.standing)
    return SteadyRehearsal(plant) if plant.economics is not None else None
