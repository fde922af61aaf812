"""One call of a tool: the same way into the service as ``POST /invoke``, and recorded as what it is."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import mcp_types as types
import structlog

from orchestrator.api.mcp.catalogue import Catalogue, NotGrantedError
from orchestrator.clock import json_default
from orchestrator.errors import DanGError, OperationTimedOutError, UnavailableError
from orchestrator.state.records import JobRecord, OutcomeRecord

if TYPE_CHECKING:
    from orchestrator.core.orchestrator import Orchestrator

log = structlog.get_logger(__name__)

PROGRESS_EVERY_S = 0.25
LONGEST_TEXT = 60_000
"""Longest result that is repeated as text, characters; a longer one is in the structured content only."""
LARGEST_RESULT = 900_000
"""Largest result, bytes: clients take no event above 1 MiB."""
Progress = Callable[[float, str], Awaitable[None]]


class StillRunningError(OperationTimedOutError):
    """The job goes on; only the waiting for it has ended."""

    code = "still-running"
    title = "The job is still running"


class ResultTooLargeError(DanGError):
    """The operation succeeded, and its result does not fit into an answer."""

    code = "result-too-large"
    title = "The result is too large"


class Caller:
    """Runs operations for the clients of one service."""

    def __init__(
        self, orchestrator: Orchestrator, catalogue: Catalogue, closing: asyncio.Event
    ) -> None:
        self._orchestrator = orchestrator
        self._catalogue = catalogue
        self._closing = closing
        self._cancelling: set[asyncio.Task[Any]] = set()

    async def call(
        self, name: str, arguments: dict[str, Any], client: str, progress: Progress
    ) -> types.CallToolResult:
        """Run a tool and wait for its end, with ``progress`` on the way.

        Whatever goes wrong is the tool's error with a problem document, so that the model sees it.
        """
        try:
            try:
                operation = self._catalogue.operation(name)
            except NotGrantedError as refused:
                await self._record(client, "mcp_refused", refused.where or name, arguments)
                raise
            await self._record(client, "mcp_call", operation.full_name, arguments)
            job = await self._orchestrator.invoke(
                operation.module,
                operation.name,
                arguments,
                origin={"way": "mcp", "client": client},
            )
            return _answer(await self._end_of(job, progress), job)
        except DanGError as error:
            return problem(error.problem())

    async def _record(self, client: str, action: str, subject: str, arguments: Any) -> None:
        text = json.dumps(arguments, sort_keys=True, default=json_default)
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        await self._orchestrator.store.audit.append(
            f"mcp:{client}", action, subject, {"arguments_sha256": digest}
        )

    async def _end_of(self, job: JobRecord, progress: Progress) -> OutcomeRecord:
        wait = self._orchestrator.settings.mcp.wait
        ended = asyncio.ensure_future(self._orchestrator.coordinator.wait(job.id))
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            async with asyncio.timeout(wait):
                await self._watch(job.id, ended, closing, progress)
        except TimeoutError:
            raise StillRunningError(
                f"the job {job.id} has not ended within {wait:g} s; it goes on",
                where=f"{job.module}.{job.operation}",
                remedy=f"read dan-g://jobs/{job.id} later",
                context={"job_id": job.id},
            ) from None
        except asyncio.CancelledError:
            # Nobody waits any more. At the end of the service the job stays, and goes on with the next.
            if not self._closing.is_set():
                self._cancel(job.id)
            raise
        finally:
            ended.cancel()
            closing.cancel()
        return ended.result()

    async def _watch(
        self,
        job_id: str,
        ended: asyncio.Future[OutcomeRecord],
        closing: asyncio.Future[Any],
        progress: Progress,
    ) -> None:
        told = None
        while not ended.done():
            await asyncio.wait(
                {ended, closing}, timeout=PROGRESS_EVERY_S, return_when=asyncio.FIRST_COMPLETED
            )
            if closing.done() and not ended.done():
                raise UnavailableError(
                    "the service is ending",
                    where=f"job {job_id}",
                    remedy=f"the job goes on at the next start; read dan-g://jobs/{job_id} then",
                    context={"job_id": job_id},
                )
            job = self._orchestrator.coordinator.progress(job_id)
            if job is not None and not ended.done():
                state = (job.progress, job.message or job.status)
                # The share has to grow with each notification.
                if told is None or state[0] > told[0]:
                    told = state
                    await progress(*state)

    def _cancel(self, job_id: str) -> None:
        async def cancel() -> None:
            with contextlib.suppress(DanGError):
                await self._orchestrator.coordinator.cancel(job_id)

        task = asyncio.get_running_loop().create_task(cancel())
        self._cancelling.add(task)
        task.add_done_callback(self._cancelling.discard)


def problem(document: dict[str, Any]) -> types.CallToolResult:
    """A tool's error: the problem document, and its detail as text."""
    document = json.loads(json.dumps(document, default=json_default))
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=str(document.get("detail", "")))],
        structured_content=document,
        is_error=True,
    )


def _answer(outcome: OutcomeRecord, job: JobRecord) -> types.CallToolResult:
    name = f"{job.module}.{job.operation}"
    if outcome.status != "succeeded":
        failed = {
            "type": "urn:dan-g:problem:operation-failed",
            "title": "The operation failed",
            "status": 500,
            "detail": f"{name} ended as {outcome.status}",
            "retryable": False,
        }
        failed |= outcome.error or {}
        return problem({**failed, "job_id": job.id, "job_status": outcome.status})
    result = outcome.result or {}
    text = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode("utf-8", "replace")) > LARGEST_RESULT:
        raise ResultTooLargeError(
            f"its result has {len(text) / 1e6:.1f} MB, more than an answer holds",
            where=name,
            remedy="ask for fewer tags, a shorter range or fewer details; the whole result is at "
            f"GET /jobs/{job.id} of the service",
            context={"job_id": job.id},
        )
    if len(text) > LONGEST_TEXT:
        text = f"{result.get('summary', '')} (The whole result is in the structured content.)"
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], structured_content=result
    )
