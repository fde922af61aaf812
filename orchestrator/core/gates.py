"""The gates: what may not run now, in the order in which they act.

    plant_mode   emergency or shutdown: nothing; optimization only on a steady plant
    enabled      a disabled module is not selected, and nothing replaces it
    in_flight    a busy module is not selected, unless it says what runs and this is not it
    quality      what needs better plant data than there is gives way to etl.validate
    history      live loop only: what needs more history than there is waits for it
    fresh        live loop only: a result that is still fresh is used instead of run again
    write_lock   live loop only: whatever would write to the plant is held
    resources    scarce processor or memory: urgent work goes ahead, the rest is deferred

A candidate that one gate removes is not seen by the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from orchestrator.clock import iso
from orchestrator.config import GateSettings
from orchestrator.core.decision import Gate
from orchestrator.core.memory import REPLACEMENT, Memory
from orchestrator.core.triggers import Fired
from orchestrator.modules.base import Operation

LEAST_NEW_ROWS = 4
"""Rows that must have come before a rule that keeps holding names its operations again."""
STOPPED = frozenset({"emergency", "shutdown"})
STEADY = "steady"
STEADY_ONLY = frozenset({"optimization"})
BUILT_IN = frozenset({"etl", "forecasting", "analysis", "optimization"})
FREE_SHARES = (
    ("cpu_free_share", "of the processor"),
    ("memory_free_share", "of the memory"),
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An operation that a rule or a person names.

    Attributes:
        operation: ``module.operation``.
        fired: The rules that name it; none for a request in words.
        urgent: Whether it has right of way when resources are scarce.
        deferred: Whether it must wait for resources.
        instead_of: Operations whose place it takes.
    """

    operation: str
    fired: tuple[Fired, ...] = ()
    urgent: bool = False
    deferred: bool = False
    instead_of: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """Name of the module."""
        return self.operation.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Removal:
    """A candidate that a gate removed, and why."""

    candidate: Candidate
    gate: Gate | None
    reason: str


@dataclass
class Passed:
    """What is left after the gates, and what is not."""

    selected: list[Candidate] = field(default_factory=list)
    removed: list[Removal] = field(default_factory=list)


class Gates:
    """The gates of one policy.

    Args:
        settings: Thresholds.
        disabled: Modules that the configuration disables.
        operations: All registered operations by name; those that are unknown here need nothing.
    """

    def __init__(
        self, settings: GateSettings, disabled: Iterable[str], operations: Mapping[str, Operation]
    ) -> None:
        self._settings = settings
        self._disabled = frozenset(disabled)
        self._operations = operations

    def apply(self, candidates: Iterable[Candidate], facts: Mapping[str, Any]) -> Passed:
        """Gates 1 to 4. Facts are normalised: what is null is not there."""
        passed = Passed()
        selected: dict[str, Candidate] = {}
        quality = _Quality(facts)
        for candidate in candidates:
            held = self._before_quality(candidate.operation, facts)
            if held is not None:
                passed.removed.append(Removal(candidate, *held))
                continue
            reason = quality.too_low_for(self.min_quality(candidate.operation))
            if reason is None:
                _merge(selected, candidate)
                continue
            stand_in, why_not = self._stand_in(candidate, facts)
            if stand_in is not None:
                _merge(selected, stand_in)
                outcome = f"{REPLACEMENT} runs instead"
            else:
                outcome = f"{REPLACEMENT} cannot run instead: {why_not}"
            passed.removed.append(Removal(candidate, "quality", f"{reason}; {outcome}"))
        passed.selected = list(selected.values())
        return passed

    def recall(
        self,
        passed: Passed,
        memory: Memory,
        now: datetime,
        rearm: Mapping[str, float],
        fresh_for: float,
        parameters: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Gates of the live loop: what was named, run or locked before. Changes ``passed``.

        Args:
            passed: What gates 1 to 4 let through.
            memory: What the live loop remembers.
            now: Plant time.
            rearm: Re-arm time of each rule, s.
            fresh_for: Age up to which a result is fresh, s.
            parameters: Parameters of each selected operation.
        """
        kept = []
        for candidate in passed.selected:
            held = (
                self._too_early(candidate, memory)
                or _still_named(candidate, memory, now, rearm)
                or _still_fresh(candidate, memory, now, fresh_for, parameters)
                or self.write_locked(candidate, memory)
            )
            if held is None:
                kept.append(candidate)
            else:
                passed.removed.append(Removal(candidate, *held))
        passed.selected = kept

    def _too_early(self, candidate: Candidate, memory: Memory) -> tuple[Gate | None, str] | None:
        operation = self._operations.get(candidate.operation)
        needed = operation.needs.min_rows if operation is not None else 0
        if memory.rows is None or memory.rows >= needed:
            return None
        return "history", f"there are {memory.rows} rows of history, {needed} are needed"

    def write_locked(self, candidate: Candidate, memory: Memory) -> tuple[Gate | None, str] | None:
        """Whether the write lock holds it."""
        operation = self._operations.get(candidate.operation)
        if not memory.write_lock or operation is None or not operation.needs.writes_to_plant:
            return None
        return "write_lock", "the write lock is set, and it would write to the plant"

    def defer(self, passed: Passed, facts: Mapping[str, Any]) -> str | None:
        """Gate 5: what is not urgent waits while resources are scarce; says which are. Changes ``passed``."""
        resources = facts.get("resources", {})
        scarce = [
            f"{resources[name]:.0%} {what} is free"
            for name, what in FREE_SHARES
            if name in resources and resources[name] < self._settings.min_free_share
        ]
        if not scarce:
            return None
        passed.selected = [
            candidate if candidate.urgent else replace(candidate, deferred=True)
            for candidate in passed.selected
        ]
        return f"{' and '.join(scarce)}, under {self._settings.min_free_share:.0%}"

    def min_quality(self, operation: str) -> float | None:
        """Least data-quality score for an operation; the declared need for a module of others."""
        module = operation.partition(".")[0]
        configured = self._settings.min_quality.get(module)
        if configured is not None or module in BUILT_IN:
            return configured
        declared = self._operations.get(operation)
        return declared.needs.min_quality if declared is not None else None

    def _before_quality(self, operation: str, facts: Mapping[str, Any]) -> tuple[Gate, str] | None:
        mode = facts.get("plant_mode")
        module = operation.partition(".")[0]
        if mode in STOPPED:
            return "plant_mode", f"the plant is in {mode}: nothing runs"
        if module in STEADY_ONLY and mode != STEADY:
            known = "not known" if mode is None else str(mode)
            return "plant_mode", f"the plant mode is {known}: nothing of {module} runs"
        return self._enabled_and_free(operation, facts)

    def _enabled_and_free(
        self, operation: str, facts: Mapping[str, Any]
    ) -> tuple[Gate, str] | None:
        module = operation.partition(".")[0]
        fact = facts.get("modules", {}).get(module, {})
        if module in self._disabled or fact.get("enabled") is False:
            return "enabled", f"the module {module} is disabled"
        count = fact.get("in_flight", 0)
        if count > 0:
            running = fact.get("running")
            if running is None:
                return "in_flight", f"{module} is busy ({count} in flight)"
            if operation in running:
                return "in_flight", f"{operation} is already running"
        return None

    def _stand_in(
        self, candidate: Candidate, facts: Mapping[str, Any]
    ) -> tuple[Candidate | None, str]:
        held = self._enabled_and_free(REPLACEMENT, facts)
        if held is not None:
            return None, held[1]
        return (
            Candidate(
                REPLACEMENT,
                fired=candidate.fired,
                urgent=candidate.urgent,
                instead_of=(candidate.operation,),
            ),
            "",
        )


class _Quality:
    """The data-quality score as the gate counts it."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        given = facts.get("data_quality", {})
        self._score = given.get("score", 1.0 if not given else None)

    def too_low_for(self, needed: float | None) -> str | None:
        if needed is None or (self._score is not None and self._score >= needed):
            return None
        if self._score is None:
            return f"the data-quality score is not known, {needed:.2f} is needed"
        return f"the data-quality score is {self._score:.2f}, {needed:.2f} is needed"


def _merge(selected: dict[str, Candidate], candidate: Candidate) -> None:
    """Add a candidate; one that is there already gains its rules and its right of way."""
    there = selected.get(candidate.operation)
    if there is None:
        selected[candidate.operation] = candidate
        return
    known = {fired.rule.name for fired in there.fired}
    selected[candidate.operation] = replace(
        there,
        fired=(*there.fired, *(f for f in candidate.fired if f.rule.name not in known)),
        urgent=there.urgent or candidate.urgent,
        instead_of=(*there.instead_of, *candidate.instead_of),
    )


def _still_named(
    candidate: Candidate, memory: Memory, now: datetime, rearm: Mapping[str, float]
) -> tuple[Gate | None, str] | None:
    if not candidate.fired:
        return None
    latest: tuple[datetime, datetime] | None = None
    for fired in candidate.fired:
        at = memory.named_at(fired.rule.name, candidate.operation, fired.subjects)
        wait = max(rearm[fired.rule.name], LEAST_NEW_ROWS * memory.period_seconds)
        again = None if at is None else at + timedelta(seconds=wait)
        if at is None or again is None or now >= again:
            return None
        latest = max(latest, (at, again)) if latest else (at, again)
    assert latest is not None
    named, next_time = (iso(time.replace(microsecond=0)) for time in latest)
    return None, f"its rules named it at {named} and still hold; again from {next_time}"


def _still_fresh(
    candidate: Candidate,
    memory: Memory,
    now: datetime,
    fresh_for: float,
    parameters: Mapping[str, Mapping[str, Any]],
) -> tuple[Gate | None, str] | None:
    at = memory.result_at(candidate.operation, parameters.get(candidate.operation, {}))
    if at is None or now - at >= timedelta(seconds=fresh_for):
        return None
    return "fresh", f"the result of {iso(at.replace(microsecond=0))} is still fresh"
