"""What the plant makes of moves: trouble on the way, and its response once it has settled."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from orchestrator.clock import Clock
from orchestrator.config import OperatorSettings
from orchestrator.core.plant_facts import PlantFacts, good_values
from orchestrator.core.response_windows import measured
from orchestrator.modules.optimization.operator.response import (
    TagResponse,
    judge_response,
)
from orchestrator.modules.optimization.operator.watch import beyond_limits, touched_tags
from orchestrator.plant.write_facts import ActiveAlert, Facts
from orchestrator.state.records import RecommendationRecord, RecommendationTransition
from orchestrator.state.repositories import Store

TROUBLING = frozenset({"limit", "predicted_limit", "frozen"})
"""Alerts that end a move. Anomalies and trends are what a move looks like to the monitor."""


class ResponseWatch:
    """Looks at the tags that moves act on.

    Args:
        settle: How long the plant takes to answer to the last move.
    """

    def __init__(
        self,
        store: Store,
        facts: PlantFacts,
        clock: Clock,
        settings: OperatorSettings,
        settle: timedelta,
    ) -> None:
        self._store = store
        self._facts = facts
        self._clock = clock
        self._settings = settings
        self._settle = settle

    def baseline(self, record: RecommendationRecord, facts: Facts) -> dict[str, Any]:
        """What is the matter with the touched tags before the first step, kept with the begin."""
        touched = touched_tags(record.document)
        return {
            "alerts": sorted(alert.id for alert in _alerts_on(touched, facts)),
            "beyond": list(beyond_limits(touched, self._facts.plant, good_values(facts))),
        }

    async def trouble(self, record: RecommendationRecord, facts: Facts) -> list[str]:
        """What has come up on the touched tags since the begin, in words.

        Optimal set points lie near limits, and chance carries the plant over an inner one at times: such
        an alert is trouble once it has lasted. Outer limits are trouble at once.
        """
        trail = await self._store.recommendations.trail(record.id)
        before = _begun(trail).details
        touched = touched_tags(record.document)
        alerts = _alerts_on(touched, facts)
        patience = timedelta(minutes=self._settings.patience_minutes)
        found = [
            text
            for alert, text in alerts.items()
            if alert.id not in before.get("alerts", ()) and not _passing(alert, facts.at, patience)
        ]
        beyond = beyond_limits(touched, self._facts.plant, good_values(facts))
        found += [f"limit crossed: {item}" for item in beyond if item not in before["beyond"]]
        return found

    async def response(self, record: RecommendationRecord) -> list[TagResponse] | None:
        """How the touched tags answered; null while the plant has not had the time to."""
        trail = await self._store.recommendations.trail(record.id)
        now = self._clock.now()
        if now < _applied(trail).at + self._settle:
            return None
        expected = record.document.get("expected_response") or {}
        seen = await asyncio.to_thread(
            measured,
            self._facts.historian,
            sorted(expected),
            _begun(trail).at,
            now,
            window=timedelta(minutes=self._settings.measure_minutes),
            past=timedelta(hours=self._settings.variability_hours),
        )
        return judge_response(expected, seen, share=self._settings.response_share)


def as_details(responses: list[TagResponse]) -> dict[str, Any]:
    """Responses as they are kept with a transition."""
    return {"response": [{**asdict(item), "text": item.words} for item in responses]}


def _begun(trail: Sequence[RecommendationTransition]) -> RecommendationTransition:
    """The first entry upon its steps."""
    return next(step for step in trail if step.to_state == "applying")


def _applied(trail: Sequence[RecommendationTransition]) -> RecommendationTransition:
    """The last step's end."""
    return next(step for step in reversed(trail) if step.to_state == "verifying")


def _passing(alert: ActiveAlert, at: datetime, patience: timedelta) -> bool:
    """Whether an alert may yet pass by itself: an inner limit that has not been crossed for long."""
    return alert.kind == "limit" and alert.since is not None and at - alert.since < patience


def _alerts_on(tags: frozenset[str], facts: Facts) -> dict[ActiveAlert, str]:
    """Alerts on some tags that a planned move does not explain, in words."""
    return {
        alert: f"{alert.severity or ''} {alert.kind} alert on {alert.tags[0]}".strip()
        for alert in facts.alerts or ()
        if alert.tags and alert.kind in TROUBLING and alert.tags[0] in tags
    }
