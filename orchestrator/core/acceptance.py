"""What must be true of an action before it becomes a job; nothing is stored here."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from pydantic import ValidationError

from orchestrator.clock import Clock
from orchestrator.config import Settings
from orchestrator.core.decision import Action, Decision
from orchestrator.core.inputs import DataReference, Inputs
from orchestrator.errors import GateRefusedError, ParameterError
from orchestrator.field_errors import field_errors
from orchestrator.modules.base import DataInput, HistorianRange, Operation
from orchestrator.modules.registry import Registry
from orchestrator.state.records import JobRecord

JOB_NAMESPACE = uuid5(NAMESPACE_OID, "dan-g.job")


class Acceptance:
    """Makes job records of actions that can be run, and refuses the others."""

    def __init__(
        self, settings: Settings, registry: Registry, clock: Clock, inputs: Inputs
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._clock = clock
        self._inputs = inputs

    async def jobs_of(self, decision: Decision) -> list[JobRecord]:
        """The jobs of a decision, in the order of its actions; all or none.

        Raises:
            NotFoundError, GateRefusedError, InputError: as :meth:`job`.
            ParameterError: an operation is named twice, or actions wait for one another.
        """
        actions = decision.actions
        ids = {action.name: job_id(decision.id, action.name) for action in actions}
        if len(ids) < len(actions):
            raise ParameterError("an operation is named twice", where=f"decision {decision.id}")
        waits = _dependencies(actions)
        jobs: list[JobRecord] = []
        try:
            for action in actions:
                waits_for = tuple(ids[name] for name in waits[action.name])
                job = await self.job(
                    ids[action.name], action, decision_id=decision.id, depends_on=waits_for
                )
                jobs.append(job)
        except BaseException:
            self.withdraw(jobs)
            raise
        return jobs

    def withdraw(self, jobs: list[JobRecord]) -> None:
        """Give up the data of jobs that were not stored."""
        for job in jobs:
            self._inputs.forget(DataReference.of(job))

    async def job(
        self,
        identity: str,
        action: Action,
        *,
        decision_id: str | None = None,
        depends_on: tuple[str, ...] = (),
        origin: dict[str, str] | None = None,
    ) -> JobRecord:
        """The job of an action, its parameters checked and its data secured.

        Raises:
            UnknownModuleError, UnknownOperationError: there is no such operation.
            GateRefusedError: the module is disabled.
            ParameterError: a parameter does not fit; the text names it.
            UnknownTagError: a request names a tag that is not there.
            DataError: the input data cannot be used.
        """
        operation = self._registry.operation(action.module, action.operation)
        if not self._settings.module(action.module).enabled:
            raise GateRefusedError(
                f"the module {action.module!r} is disabled",
                where=action.name,
                remedy=f"set modules.{action.module}.enabled to true",
            )
        parameters = _validated(operation, action.parameters)
        if decision_id is None:
            # What a decision names may have no data yet; a person who names it has to hear so.
            await self._inputs.check_tags(operation, parameters)
        now = self._clock.now()
        document = _document(parameters)
        data = await self._inputs.accept(operation, parameters, now)
        digest = digest_of(action)
        return JobRecord(
            id=identity,
            decision_id=decision_id,
            module=action.module,
            operation=action.operation,
            priority=action.priority,
            deferred=action.deferred,
            depends_on=depends_on,
            request={
                "parameters": document,
                "data": data.document() if data is not None else None,
                "now": now.isoformat(),
                "deadline": action.deadline.isoformat() if action.deadline else None,
                "seed": int(digest[:8], 16),
                "digest": digest,
                **({"origin": origin} if origin else {}),
            },
            accepted_at=now,
        )


def _validated(operation: Operation, parameters: dict[str, Any]) -> Any:
    try:
        return operation.input_model.model_validate(parameters)
    except ValidationError as error:
        accepted = ", ".join(sorted(operation.input_model.model_fields)) or "none"
        raise ParameterError.of_fields(
            field_errors(error.errors(), parameters),
            where=operation.full_name,
            remedy=f"its parameters are: {accepted}",
        ) from error


def _document(parameters: Any) -> dict[str, Any]:
    """Parameters as they are stored: a range of the historian stays, rows do not."""
    inline = isinstance(parameters, DataInput) and not isinstance(parameters.data, HistorianRange)
    document: dict[str, Any] = parameters.model_dump(
        mode="json", by_alias=True, exclude={"data"} if inline else None
    )
    return document


def digest_of(action: Action) -> str:
    """SHA-256 over what was asked for; equal requests have equal digests, and so equal seeds."""
    asked = [action.module, action.operation, action.parameters]
    text = json.dumps(asked, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else repr(value)


def job_id(decision_id: str, name: str) -> str:
    """The same decision and action give the same job."""
    return uuid5(JOB_NAMESPACE, f"{decision_id}/{name}").hex


def _dependencies(actions: tuple[Action, ...]) -> dict[str, tuple[str, ...]]:
    """For each action the actions of the same decision that it waits for.

    Raises:
        ParameterError: they wait for one another.
    """
    by_name = {action.name: action for action in actions}
    waits = {
        action.name: tuple(
            name
            for name in action.depends_on
            if name in by_name and (action.deferred or not by_name[name].deferred)
        )
        for action in actions
    }
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        raise ParameterError(
            f"actions wait for one another: {' -> '.join(error.args[1])}", where="depends_on"
        ) from error
    return waits
