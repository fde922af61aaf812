"""``/reasoning``: questions that are worked on in several steps."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from orchestrator.api.bodies import documented_body, read_body
from orchestrator.api.dependencies import PROBLEMS, answer, orchestrator_of, unless_closing
from orchestrator.api.schemas import Body
from orchestrator.llm.reasoning_desk import ReasoningDesk
from orchestrator.llm.reasoning_run import ReasoningBudget

router = APIRouter(prefix="/reasoning", tags=["copilot"], responses=PROBLEMS)
User = Annotated[str, Query(max_length=128, description="Whose question; his own only.")]


class ReasoningRequest(Body):
    """A question, and what working on it may use."""

    question: str = Field(min_length=1, max_length=2000)
    user: str = Field(default="", max_length=128)
    most_runs: int = Field(default=6, ge=1, le=20)
    """Operations that may be run for it."""
    most_seconds: float = Field(default=300.0, gt=0, le=3600)
    most_tokens: int = Field(default=120_000, ge=1)
    wait: bool = False
    """Answer when it is done, instead of at once with its address."""


class ReasoningStep(BaseModel):
    """One stored step."""

    number: int
    kind: str
    at: AwareDatetime
    document: dict[str, Any]


class ReasoningRun(BaseModel):
    """A question with its steps; ``answer`` is null until it is done."""

    run_id: str
    question: str
    state: Literal["running", "done"]
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    answer: dict[str, Any] | None = None
    steps: tuple[ReasoningStep, ...] = ()


@router.post(
    "",
    summary="Work on a question in steps",
    openapi_extra=documented_body(ReasoningRequest),
    responses={200: {"model": ReasoningRun}, 202: {"model": ReasoningRun}},
)
async def begin(request: Request) -> Response:
    """Think, run operations through the gates, read, and answer with citations; every number is checked.

    Without `wait` answers 202 at once with the address; progress is in `GET /events?kind=reasoning`. The work
    goes on when the caller leaves, and after a restart. Nothing writes to the plant.
    """
    asked = await read_body(request, ReasoningRequest)
    desk = desk_of(request)
    budget = ReasoningBudget(asked.most_runs, asked.most_seconds, asked.most_tokens)
    run_id = await desk.begin(asked.question, user=asked.user, budget=budget)
    if asked.wait:
        await unless_closing(request, desk.wait(run_id))
    response = await _run(request, run_id, asked.user)
    if not asked.wait:
        response.status_code = 202
        response.headers["location"] = f"/reasoning/{run_id}"
    return response


@router.get("/{run_id}", summary="A question with its steps", response_model=ReasoningRun)
async def show(request: Request, run_id: str, user: User = "") -> Response:
    """What was thought, run and read so far, and the answer when it is there."""
    return await _run(request, run_id, user)


@router.delete("/{run_id}", summary="Forget a question", status_code=204)
async def delete(request: Request, run_id: str, user: User = "") -> Response:
    """Remove it with its steps; work on it ends. Results of what it ran stay, as records of what was done."""
    await desk_of(request).delete(run_id, user)
    return Response(status_code=204)


async def _run(request: Request, run_id: str, user: str) -> Response:
    record, steps = await desk_of(request).show(run_id, user)
    run = ReasoningRun(
        run_id=record.id,
        question=record.question,
        state="running" if record.answer is None else "done",
        started_at=record.started_at,
        ended_at=record.ended_at,
        answer=record.answer,
        steps=tuple(
            ReasoningStep(number=s.number, kind=s.kind, at=s.at, document=s.document) for s in steps
        ),
    )
    return answer(run, ReasoningRun)


def desk_of(request: Request) -> ReasoningDesk:
    """The desk of the application that serves ``request``.

    Raises:
        UnavailableError: the service is starting or ending.
    """
    orchestrator_of(request)
    desk: ReasoningDesk = request.app.state.reasoning
    return desk
