"""What a candidate is worth: utility = P(success) x benefit x urgency - costs, in USD.

Benefit and run time start from what the operation declares (``Needs``) and P(success) from
``INITIAL_SUCCESS``; what was observed replaces them as it comes in. Costs are processor time and the
attention of the person who reads the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.core.decision import Criteria
from orchestrator.core.gates import Candidate
from orchestrator.modules.base import Needs
from orchestrator.modules.registry import Registry

INITIAL_SUCCESS = 0.95
PRIOR_RUNS = 5
"""Observed runs after which observation and prior weigh the same."""
USD_PER_COMPUTE_SECOND = 0.0001
USD_PER_LOOK = 0.5
SEVERITY_URGENCY = {"low": 0.7, "medium": 1.0, "high": 1.5, "critical": 2.0}
FAILING_HEALTH_URGENCY = 1.5
RIGHT_OF_WAY_URGENCY = 1.25
MOST_URGENT = 2.0
FIRST, USUAL, LAST = 1, 5, 9


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one run of an operation is expected to bring and to take."""

    success_probability: float
    seconds: float
    benefit_usd: float


class Estimates:
    """Estimates of every operation, updated from observed statistics."""

    def __init__(self, registry: Registry) -> None:
        self._estimates = {
            name: _initial(operation.needs) for name, operation in registry.operations.items()
        }
        self._priors = dict(self._estimates)

    def of(self, operation: str, *, observed: bool = True) -> Estimate:
        """The estimate for ``module.operation``; without ``observed`` the one it began with."""
        known = self._estimates if observed else self._priors
        return known.get(operation) or _initial(Needs())

    def refresh(self, statistics: Mapping[str, Mapping[str, Any]]) -> None:
        """Replace estimates by what was observed.

        Args:
            statistics: Operation -> ``{success_rate, p95_seconds, count}``, as the outcomes give it.
        """
        for name, observed in statistics.items():
            prior = self._priors.get(name, _initial(Needs()))
            count, rate = observed.get("count") or 0, observed.get("success_rate")
            weight = count / (count + PRIOR_RUNS)
            estimate = prior
            if rate is not None:
                success = weight * rate + (1 - weight) * prior.success_probability
                estimate = replace(estimate, success_probability=success)
            if observed.get("p95_seconds") is not None:
                estimate = replace(estimate, seconds=float(observed["p95_seconds"]))
            self._estimates[name] = estimate


class Scoring:
    """Scores the candidates of one situation; what they share is read once.

    Args:
        facts: The normalised facts of the situation.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        resources = facts.get("resources", {})
        shares = [resources[n] for n in ("cpu_free_share", "memory_free_share") if n in resources]
        self._free = min(shares) if shares else None
        self._quality = facts.get("data_quality", {}).get("score")

    def __call__(self, candidate: Candidate, estimate: Estimate, *, selected: bool) -> Criteria:
        """The criteria of one candidate."""
        success = estimate.success_probability
        urgent = urgency(candidate)
        benefit = estimate.benefit_usd * urgent
        cost = estimate.seconds * USD_PER_COMPUTE_SECOND + USD_PER_LOOK
        return Criteria(
            operation=candidate.operation,
            data_quality=self._quality,
            resources=self._free,
            priority=urgent / MOST_URGENT,
            success_probability=success,
            benefit=benefit,
            cost=cost,
            utility=success * benefit - cost,
            selected=selected,
        )


def urgency(candidate: Candidate) -> float:
    """How much the benefit counts, 1 as usual: from the worst alert, failing equipment, right of way."""
    most = RIGHT_OF_WAY_URGENCY if candidate.urgent else 1.0
    for fired in candidate.fired:
        for alert in fired.elements.get("alerts", ()):
            most = max(most, SEVERITY_URGENCY.get(alert.get("severity", "medium"), 1.0))
        if candidate.urgent and fired.elements.get("equipment"):
            most = max(most, FAILING_HEALTH_URGENCY)
    return most


def priority(candidate: Candidate) -> int:
    """Place in the queue, 1 first to 9 last."""
    if candidate.deferred:
        return LAST
    if not candidate.urgent:
        return USUAL
    return FIRST if urgency(candidate) >= MOST_URGENT else FIRST + 2


def _initial(needs: Needs) -> Estimate:
    return Estimate(INITIAL_SUCCESS, needs.cost_seconds, needs.benefit_usd)
