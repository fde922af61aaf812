"""What the live loop remembers from one decision to the next. A given situation is decided without."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestrator.core.decision import Action, Decision
from orchestrator.state.records import OutcomeRecord

WHOLE_PLANT = ""
MOST_REMEMBERED = 10_000
REPLACEMENT = "etl.validate"


@dataclass
class Memory:
    """Which rules have named what, which results there are, and whether the write lock is set.

    ``rows`` is how many rows of history there are, ``None`` where that is not known, and
    ``period_seconds`` the usual time between two of them.

    The live loop hands every decision that it starts to :meth:`note_started` and every outcome to
    :meth:`note_outcome`; the engine only reads.
    """

    write_lock: bool = False
    rows: int | None = None
    period_seconds: float = 0.0
    _named: dict[tuple[str, str, str], datetime] = field(default_factory=dict)
    _asked: OrderedDict[tuple[str, str], str] = field(default_factory=OrderedDict)
    _results: OrderedDict[str, datetime] = field(default_factory=OrderedDict)

    def named_at(self, rule: str, operation: str, subjects: Iterable[str]) -> datetime | None:
        """When ``rule`` last had ``operation`` run for these subjects; ``None`` if one is new."""
        times = [
            self._named.get((rule, operation, subject))
            for subject in tuple(subjects) or (WHOLE_PLANT,)
        ]
        known = [time for time in times if time is not None]
        return min(known) if known and len(known) == len(times) else None

    def result_at(self, operation: str, parameters: Mapping[str, Any]) -> datetime | None:
        """When ``operation`` last succeeded with these parameters."""
        return self._results.get(_key(operation, parameters))

    def note_started(self, decision: Decision, at: datetime) -> None:
        """Remember which rules had which operations started.

        A dry run and a request in words leave the rules as they were.
        """
        if decision.dry_run or decision.interpretation is not None:
            return
        for action in decision.actions:
            self._asked[decision.id, action.name] = _key(action.name, action.parameters)
            for rule, subjects in _behind(action, decision):
                for subject in subjects or (WHOLE_PLANT,):
                    self._named[rule, action.name, subject] = at
        _trim(self._asked)
        if len(self._named) > MOST_REMEMBERED:
            oldest = sorted(self._named, key=self._named.__getitem__)
            for key in oldest[: len(self._named) - MOST_REMEMBERED]:
                del self._named[key]

    def note_outcome(self, outcome: OutcomeRecord, at: datetime) -> None:
        """Remember when an operation succeeded."""
        name = f"{outcome.module}.{outcome.operation}"
        asked = self._asked.pop((outcome.decision_id or "", name), None)
        if asked is not None and outcome.status == "succeeded":
            self._results[asked] = at
            self._results.move_to_end(asked)
            _trim(self._results)


def _behind(action: Action, decision: Decision) -> Iterable[tuple[str, tuple[str, ...]]]:
    """The rules because of which an action runs, also where it stands in for what they named."""
    replaced = {
        alternative.operation
        for alternative in decision.alternatives
        if action.name == REPLACEMENT and alternative.gate == "quality"
    }
    for trigger in decision.triggers:
        if action.name in trigger.operations or replaced.intersection(trigger.operations):
            yield trigger.name, trigger.subjects


def _key(operation: str, parameters: Mapping[str, Any]) -> str:
    return f"{operation} {json.dumps(parameters, sort_keys=True, default=str)}"


def _trim(entries: OrderedDict[Any, Any]) -> None:
    while len(entries) > MOST_REMEMBERED:
        entries.popitem(last=False)
