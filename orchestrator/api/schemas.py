"""What requests carry and answers show, where it is not a record of the core itself."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from orchestrator.core.decision import Decision
from orchestrator.core.situation import Situation
from orchestrator.plant.tags import PlantMode
from orchestrator.state.records import (
    AlarmState,
    AlertRecord,
    FeedbackRecord,
    JobRecord,
    JobStatus,
    OutcomeRecord,
    RecommendationRecord,
)

Item = TypeVar("Item")
OPERATOR = "operator"


class Body(BaseModel):
    """Base of request bodies: nothing unknown is let through."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class OrchestrateRequest(Body):
    """What to decide on: words, a situation, or (with neither) the live situation."""

    situation: Situation | None = None
    query: str | None = Field(default=None, min_length=1, max_length=4000)
    session_id: str | None = Field(default=None, min_length=1, max_length=128)
    dry_run: bool = False
    """Decide and store the decision, run nothing."""
    advise: bool = False
    """Hear the adviser however sure the policy is, where there is a language model."""


class InvokeRequest(Body):
    """One operation to run; ``parameters`` as ``GET /modules`` describes them."""

    operation: str = Field(min_length=1, max_length=100)
    parameters: dict[str, Any] = Field(default_factory=dict)
    priority: int = Field(default=5, ge=1, le=9)
    """1 is the most urgent, 9 the least."""
    wait: bool = False
    """Answer when it has ended, instead of at once with its address."""


class FeedbackRequest(Body):
    """What came of a decision."""

    verdict: Literal["right", "wrong", "unclear"]
    benefit_usd: float | None = None
    comment: str = Field(default="", max_length=4000)
    author: str = Field(default=OPERATOR, min_length=1, max_length=200)


class PersonRequest(Body):
    """Who does it."""

    by: str = Field(default=OPERATOR, min_length=1, max_length=200)


class ReasonRequest(PersonRequest):
    """Why an alert is withheld."""

    reason: str = Field(min_length=1, max_length=1000)


class ShelveRequest(ReasonRequest):
    """Why an alert is put aside, and until when (plant time) or for how long."""

    until: AwareDatetime | None = None
    minutes: float | None = Field(default=None, gt=0, le=30 * 24 * 60)


class FitRequest(PersonRequest):
    """From when to when the plant ran normally (all that is held, where not said), and why it is learned."""

    start: AwareDatetime | None = None
    end: AwareDatetime | None = None
    reason: str = Field(default="by hand", min_length=1, max_length=1000)


class ModeRequest(PersonRequest):
    """The plant mode that the operator declares; null hands it back to the assessment."""

    mode: PlantMode | None


class JobSummary(BaseModel):
    """A job as a decision's answer lists it."""

    id: str
    module: str
    operation: str
    status: JobStatus


class JobView(JobSummary):
    """A job with its outcome, null until it has ended."""

    decision_id: str | None
    priority: int
    deferred: bool
    depends_on: tuple[str, ...]
    progress: float
    message: str
    cancel_requested: bool
    accepted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float | None = None
    attempts: int | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    origin: dict[str, str] | None = None
    """By which way a direct invocation came, and from whom; null for this API and for decisions."""

    @classmethod
    def of(cls, job: JobRecord, outcome: OutcomeRecord | None) -> JobView:
        """Put the job and its outcome together."""
        shown = {name: getattr(job, name) for name in cls.model_fields if hasattr(job, name)}
        shown["origin"] = job.request.get("origin")
        if outcome is not None:
            shown |= {
                "status": outcome.status,
                "seconds": outcome.seconds,
                "attempts": outcome.attempts,
                "ended_at": outcome.ended_at,
                "result": outcome.result,
                "error": outcome.error,
                "progress": 1.0 if outcome.status == "succeeded" else job.progress,
            }
        return cls(**shown)


class OrchestrateAnswer(BaseModel):
    """The decision, and the jobs that its actions became."""

    decision: Decision
    jobs: tuple[JobSummary, ...]


class InvokeAnswer(BaseModel):
    """How an invocation stands; ``error`` is a problem document when it did not succeed."""

    job_id: str
    status: JobStatus
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class DecisionTrail(BaseModel):
    """A decision with all that it was made from and all that came of it."""

    decision: Decision
    situation: dict[str, Any]
    features: dict[str, Any]
    session_id: str | None
    jobs: tuple[JobView, ...]
    feedback: tuple[FeedbackRecord, ...]


class Page(BaseModel, Generic[Item]):
    """One page of a list; pass ``next_cursor`` as ``cursor`` for the next, null at the end."""

    items: list[Item]
    next_cursor: str | None = None


class AlertView(BaseModel):
    """An alert and where it is in its life cycle."""

    id: str
    key: str
    kind: str
    severity: str
    state: AlarmState
    start: datetime
    end: datetime | None
    tags: tuple[str, ...]
    message: str
    contributions: list[dict[str, Any]]
    diagnosis: str
    levels: list[dict[str, Any]]
    cause: str | None
    shelved_until: datetime | None
    shelve_reason: str | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None

    @classmethod
    def of(cls, alert: AlertRecord) -> AlertView:
        """Show a stored alert."""
        record = {field.name: getattr(alert, field.name) for field in dataclasses.fields(alert)}
        record |= {
            "start": alert.started_at,
            "end": alert.ended_at,
            "message": alert.document.get("message", ""),
            "contributions": alert.document.get("contributions") or [],
            "diagnosis": alert.document.get("diagnosis") or "",
            "levels": alert.document.get("levels") or [],
            "cause": alert.document.get("cause"),
        }
        return cls(**{name: record[name] for name in cls.model_fields})


class ModeAnswer(BaseModel):
    """The plant mode in force, and who says so: the operator or the assessment."""

    mode: PlantMode | None
    source: Literal["operator", "assessment"]


class OperationView(BaseModel):
    """One operation with the JSON schemas of its parameters and its result."""

    name: str
    full_name: str
    summary: str
    reads_data: bool
    writes_to_plant: bool
    cost_seconds: float
    parameters: dict[str, Any]
    result: dict[str, Any]


class ModuleView(BaseModel):
    """One module and its operations."""

    name: str
    summary: str
    enabled: bool
    operations: list[OperationView]


class Problem(BaseModel):
    """An error, as RFC 9457 describes it."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    retryable: bool = False
    request_id: str | None = None


RecommendationPage = Page[RecommendationRecord]
