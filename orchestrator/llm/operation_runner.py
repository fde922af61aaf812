"""The narrow way in which a reasoning model has operations run: registered, read-only, and the gates bind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from orchestrator.errors import DanGError, DatabaseUnavailableError
from orchestrator.modules.base import Operation

if TYPE_CHECKING:
    from orchestrator.core.orchestrator import Orchestrator

Status = Literal["succeeded", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Observation:
    """What came of running an operation.

    Attributes:
        operation: ``module.operation``, as it was asked for.
        parameters: As they were asked for.
        status: ``refused`` where a gate or the registry holds it, ``failed`` where it ran or could not.
        result: Of a success.
        text: One sentence: the result's summary, or the reason.
        job_id: Of the job, where one was accepted.
    """

    operation: str
    parameters: Mapping[str, Any]
    status: Status
    result: Mapping[str, Any] | None = None
    text: str = ""
    job_id: str | None = None

    def document(self) -> dict[str, Any]:
        """The observation as JSON."""
        return {
            "operation": self.operation,
            "parameters": dict(self.parameters),
            "status": self.status,
            "result": dict(self.result) if self.result is not None else None,
            "text": self.text,
            "job_id": self.job_id,
        }


class Runner(Protocol):
    """Runs operations for somebody who reasons."""

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Those that may be asked for."""
        ...

    async def run(
        self, operation: str, parameters: Mapping[str, Any], key: str, deadline: float
    ) -> Observation:
        """Run one and wait for it up to ``deadline`` seconds; never raises for what it is asked.

        Raises:
            DatabaseUnavailableError: the state database cannot be reached; the step is over.

        The same key gives the same run, so that a step that is repeated after a crash runs nothing twice.
        """
        ...


@dataclass
class GatedRunner:
    """Runs operations on an orchestrator.

    Args:
        orchestrator: An open one.
    """

    orchestrator: Orchestrator
    _operations: dict[str, Operation] = field(init=False)

    def __post_init__(self) -> None:
        self._operations = {
            name: operation
            for name, operation in self.orchestrator.registry.operations.items()
            if not operation.needs.writes_to_plant
            and operation.changes is None
            and operation.appends is None
        }

    @property
    def operations(self) -> Mapping[str, Operation]:
        """Those that only read and compute: no writes, no recommendations, no fetching, no other servers."""
        return self._operations

    async def run(
        self, operation: str, parameters: Mapping[str, Any], key: str, deadline: float
    ) -> Observation:
        """See `Runner.run`."""
        known = self._operations.get(operation)
        if known is None:
            why = f"there is no operation {operation[:60]!r} that may be run here"
            return Observation(operation, parameters, "refused", text=why)
        data = parameters.get("data")
        if isinstance(data, Mapping) and not {"start", "end"} <= data.keys():
            why = "data that is made up in a request is no evidence; give a range of the historian"
            return Observation(operation, parameters, "refused", text=why)
        try:
            if await self._job_of(key) is None:
                held = self.orchestrator.engine.held(operation, await self.orchestrator.situation())
                if held is not None:
                    why = f"a gate holds it: {held}"
                    return Observation(operation, parameters, "refused", text=why)
            job = await self.orchestrator.invoke(
                known.module,
                known.name,
                dict(parameters),
                idempotency_key=key,
                origin={"way": "reasoning"},
            )
            outcome = await self.orchestrator.coordinator.wait(job.id, timeout=deadline)
        except TimeoutError:
            why = f"it has not ended within {deadline:.0f} s and goes on"
            return Observation(operation, parameters, "failed", text=why)
        except DatabaseUnavailableError:
            # No step can be stored either; the run goes on from its last one later.
            raise
        except DanGError as error:
            return Observation(operation, parameters, "failed", text=str(error))
        if outcome.status != "succeeded" or outcome.result is None:
            why = (outcome.error or {}).get("detail") or f"it ended as {outcome.status}"
            return Observation(operation, parameters, "failed", text=str(why), job_id=job.id)
        summary = str(outcome.result.get("summary", ""))
        return Observation(operation, parameters, "succeeded", outcome.result, summary, job.id)

    async def _job_of(self, key: str) -> str | None:
        """The job that was accepted under this key before a crash; its gate was passed then."""
        from uuid import uuid5

        from orchestrator.core.acceptance import JOB_NAMESPACE
        from orchestrator.errors import NotFoundError

        job_id = uuid5(JOB_NAMESPACE, f"key:{key}").hex
        try:
            return (await self.orchestrator.store.jobs.get(job_id)).id
        except NotFoundError:
            return None
