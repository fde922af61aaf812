"""Decides: rules name candidates, gates hold some back, utility orders the rest into a plan.

:meth:`DecisionEngine.decide` is pure and synchronous. It reads the situation, the words of a request
and, in the live loop, a :class:`Memory`; it changes none of them and does no I/O.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from orchestrator.config import Settings
from orchestrator.core.confidence import ConfidenceRule
from orchestrator.core.criteria import Estimates, Scoring
from orchestrator.core.decision import (
    Alternative,
    Criteria,
    Decision,
    FiredTrigger,
    Interpretation,
    Refusal,
)
from orchestrator.core.gates import Candidate, Gates, Passed, Removal
from orchestrator.core.identity import new_id
from orchestrator.core.memory import Memory
from orchestrator.core.plan import actions_of, parameters_of
from orchestrator.core.policy import policy_of
from orchestrator.core.query_parser import QueryRequest, Reading, Turn, read_query
from orchestrator.core.rationale import rationale_of
from orchestrator.core.situation import Situation
from orchestrator.core.triggers import Fired, RuleBook, normalise
from orchestrator.errors import ConfigurationError
from orchestrator.modules.registry import Registry

__all__ = ["DecisionEngine", "Memory", "QueryRequest", "Turn"]

GATE_FIELDS = frozenset({("modules", "enabled"), ("modules", "in_flight"), ("modules", "running")})


class DecisionEngine:
    """One policy, ready to decide.

    Args:
        settings: The configuration: rules, gates, disabled modules, re-arm and cache times.
        registry: All modules.
        estimates: What operations are expected to bring and to take.

    Raises:
        ConfigurationError: a rule is not a valid expression, or names an operation that no module has.
    """

    def __init__(
        self, settings: Settings, registry: Registry, estimates: Estimates | None = None
    ) -> None:
        engine = settings.decision_engine
        policy = policy_of(engine)
        self._operations = registry.operations
        for rule in policy.triggers:
            for name in rule.operations:
                if name not in self._operations:
                    raise ConfigurationError(
                        f"rule {rule.name!r} names {name!r}, which no module has",
                        where=policy.where,
                        remedy=f"name one of: {', '.join(sorted(self._operations))}",
                    )
        self.policy_version = policy.version
        self._rules = RuleBook(policy.triggers, policy.where)
        self._read_fields = self._rules.read_fields
        self._rearm = {
            rule.name: engine.rearm if rule.rearm is None else rule.rearm
            for rule in policy.triggers
        }
        self._fresh_for = engine.cache_ttl
        disabled = [name for name, module in settings.modules.items() if not module.enabled]
        self._gates = Gates(policy.gates, disabled, self._operations)
        self._confidence = ConfidenceRule(self._rules, policy.gates)
        self._estimates = estimates or Estimates(registry)
        self._alone = settings.llm.why_unusable is not None
        self._threshold = engine.confidence_threshold

    def decide(
        self,
        situation: Situation,
        request: QueryRequest | None = None,
        memory: Memory | None = None,
        *,
        now: datetime | None = None,
        dry_run: bool = False,
        as_given: bool = False,
        decision_id: str | None = None,
        proposed: Mapping[str, str] | None = None,
    ) -> Decision:
        """Decide on a situation, or on a request in words under that situation.

        Args:
            situation: What is known. With words its rules name nothing, but its gates bind.
            request: What somebody asks for.
            memory: Given by the live loop only; without it a situation is decided by itself.
            now: Time of the decision; the present when ``None``.
            dry_run: Marks the decision as one whose actions are not run.
            as_given: Leave out what this home has observed of operations, so that a situation that
                somebody gives has the same decision everywhere.
            decision_id: Identity of the decision; a new one when ``None``.
            proposed: A selection to take in place of the policy's: operation -> why. What a rule names
                with right of way stays, and the gates bind as ever.
        """
        started = time.perf_counter()
        now = now or datetime.now(UTC)
        given = situation.facts()
        facts = normalise(given)
        reading = None if request is None else request.reading or read_query(request)
        fired = self._rules.fired(facts) if reading is None else []
        candidates = _named(fired) if reading is None else self._asked(reading)
        left_out: list[Removal] = []
        if proposed is not None:
            candidates, left_out = self._as_proposed(candidates, proposed)
        passed = self._gates.apply(candidates, facts)
        passed.removed += left_out
        slots = reading.slots if reading is not None else {}
        parameters = {
            candidate.operation: parameters_of(
                candidate, self._operations.get(candidate.operation), slots
            )
            for candidate in passed.selected
        }
        if memory is not None and reading is None:
            self._gates.recall(passed, memory, now, self._rearm, self._fresh_for, parameters)
        scarce = self._gates.defer(passed, facts)
        criteria = self._criteria(passed, facts, observed=not as_given)
        actions = actions_of(_by_utility(passed.selected, criteria), parameters)
        refused = self._refusals(reading, passed)
        confidence = self._confidence(facts) if reading is None else reading.confidence
        return Decision(
            id=decision_id or new_id(),
            created_at=now,
            situation_digest=situation.digest(),
            triggers=tuple([_trigger(item) for item in fired]),
            actions=actions,
            alternatives=tuple(_alternative(removal) for removal in passed.removed),
            confidence=confidence,
            rationale=rationale_of(
                facts, fired, passed, actions, scarce, reading, refused, proposed
            ),
            notes=(*self._notes(situation), *self._unadvised(confidence)),
            criteria=criteria,
            policy_version=self.policy_version,
            dry_run=dry_run,
            interpretation=None if reading is None else _interpretation(reading),
            refused=refused,
            latency_ms=round((time.perf_counter() - started) * 1000, 3),
        )

    def held(self, operation: str, situation: Situation) -> str | None:
        """Why a gate holds ``operation`` now; ``None`` where none does.

        What the gates would run in its place counts as held too.
        """
        facts = normalise(situation.facts())
        passed = self._gates.apply([Candidate(operation)], facts)
        self._gates.defer(passed, facts)
        for removal in passed.removed:
            return removal.reason
        if any(candidate.deferred for candidate in passed.selected):
            return "processor or memory is scarce, and only urgent work starts"
        return None

    def _as_proposed(
        self, candidates: Sequence[Candidate], proposed: Mapping[str, str]
    ) -> tuple[list[Candidate], list[Removal]]:
        """The candidates of a proposal, and those of the policy that it leaves out."""
        named = {candidate.operation for candidate in candidates}
        kept = [c for c in candidates if c.operation in proposed or c.urgent]
        left_out = [
            Removal(candidate, None, "the adviser leaves it out")
            for candidate in candidates
            if candidate not in kept
        ]
        for name in proposed:
            operation = self._operations.get(name)
            if operation is None or name in named:
                continue
            if operation.needs.writes_to_plant:
                reason = "it would write to the plant, which an adviser may not ask for"
                left_out.append(Removal(Candidate(name), "write_lock", reason))
            else:
                kept.append(Candidate(name))
        return kept, left_out

    def _asked(self, reading: Reading) -> list[Candidate]:
        return [Candidate(name) for name in reading.operations if name in self._operations]

    def _criteria(
        self, passed: Passed, facts: Mapping[str, Any], *, observed: bool
    ) -> tuple[Criteria, ...]:
        score, estimate = Scoring(facts), self._estimates.of
        held = [removal.candidate for removal in passed.removed]
        return tuple(
            [
                score(candidate, estimate(candidate.operation, observed=observed), selected=chosen)
                for candidates, chosen in ((passed.selected, True), (held, False))
                for candidate in candidates
            ]
        )

    def _refusals(self, reading: Reading | None, passed: Passed) -> tuple[Refusal, ...]:
        if reading is None:
            return ()
        missing = [
            Refusal(
                operation=name,
                gate="registry",
                reason=f"no installed module has the operation {name}",
            )
            for name in reading.operations
            if name not in self._operations
        ]
        held = [
            Refusal(
                operation=removal.candidate.operation,
                gate=removal.gate or "rearm",
                reason=removal.reason,
            )
            for removal in passed.removed
        ]
        return (*missing, *held)

    def _unadvised(self, confidence: float) -> tuple[str, ...]:
        """Says of a decision under the threshold that there is no model to ask."""
        if not self._alone or confidence >= self._threshold:
            return ()
        return (
            (
                f"the confidence {confidence:.2f} is under {self._threshold:.2f} and there is no language "
                "model to ask: this is the policy's own answer"
            ),
        )

    def _notes(self, situation: Situation) -> tuple[str, ...]:
        return tuple(
            f"{'.'.join(path)} is not a known field, and no rule reads it"
            for path in situation.unknown_fields()
            if not any(
                path[: len(read)] == read or read[: len(path)] == path for read in self._read_fields
            )
        )


def _named(fired: Iterable[Fired]) -> list[Candidate]:
    """One candidate an operation, in the order in which the rules name them."""
    by_operation: dict[str, list[Fired]] = {}
    for item in fired:
        for name in item.rule.operations:
            by_operation.setdefault(name, []).append(item)
    return [
        Candidate(name, tuple(items), urgent=any(item.rule.urgent for item in items))
        for name, items in by_operation.items()
    ]


def _by_utility(candidates: Sequence[Candidate], criteria: Iterable[Criteria]) -> list[Candidate]:
    utility = {item.operation: item.utility for item in criteria if item.selected}
    return sorted(candidates, key=lambda candidate: -utility[candidate.operation])


def _trigger(fired: Fired) -> FiredTrigger:
    return FiredTrigger(
        name=fired.rule.name,
        family=fired.rule.family,
        operations=fired.rule.operations,
        because=fired.because,
        subjects=fired.subjects,
    )


def _alternative(removal: Removal) -> Alternative:
    return Alternative(
        operation=removal.candidate.operation, why_not=removal.reason, gate=removal.gate
    )


def _interpretation(reading: Reading) -> Interpretation:
    return Interpretation(
        operations=reading.operations,
        slots=dict(reading.slots),
        clarify=reading.clarify,
        answer=reading.answer,
        topic=reading.topic,
        pending=dict(reading.pending),
        rivals=reading.rivals,
        named=reading.named,
    )
