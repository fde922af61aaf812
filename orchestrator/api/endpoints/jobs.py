"""``/jobs``: the progress and the end of long work."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from orchestrator.api.dependencies import PROBLEMS, Cursor, Limit, answer, orchestrator_of
from orchestrator.api.schemas import JobView, Page
from orchestrator.errors import ConflictError
from orchestrator.state.records import FINAL_STATUSES, JobStatus

router = APIRouter(prefix="/jobs", tags=["jobs"], responses=PROBLEMS)


@router.get("", summary="Jobs, newest first", responses={200: {"model": Page[JobView]}})
async def list_jobs(
    request: Request,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: JobStatus | None = None,
    module: str | None = None,
    operation: str | None = None,
    decision_id: str | None = None,
) -> Response:
    """One page of jobs with their outcomes."""
    store = orchestrator_of(request).store
    page = await store.jobs.list(
        status=status,
        module=module,
        operation=operation,
        decision_id=decision_id,
        cursor=cursor,
        limit=limit,
    )
    items = [JobView.of(job, await store.outcomes.get(job.id)) for job in page.items]
    return answer(Page[JobView](items=items, next_cursor=page.next_cursor), Page[JobView])


@router.get("/{job_id}", summary="One job", responses={200: {"model": JobView}})
async def get_job(job_id: str, request: Request) -> Response:
    """A job with its progress, and its result or error once it has ended."""
    store = orchestrator_of(request).store
    job = await store.jobs.get(job_id)
    return answer(JobView.of(job, await store.outcomes.get(job_id)), JobView)


@router.delete("/{job_id}", summary="Cancel a job", responses={200: {"model": JobView}})
async def cancel_job(job_id: str, request: Request) -> Response:
    """Stop a queued or running job; one that has ended stays as it ended (409)."""
    orchestrator = orchestrator_of(request)
    job = await orchestrator.store.jobs.get(job_id)
    if job.status in FINAL_STATUSES:
        raise ConflictError(
            f"job {job_id!r} has ended: {job.status}",
            remedy=f"read its outcome at GET /jobs/{job_id}",
        )
    cancelled = await orchestrator.coordinator.cancel(job_id)
    return answer(JobView.of(cancelled, await orchestrator.store.outcomes.get(job_id)), JobView)
