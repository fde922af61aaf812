"""What the state database keeps, as immutable records; documents are JSON as the API shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

JobStatus = Literal["queued", "running", "succeeded", "failed", "cancelled", "timed_out"]
FINAL_STATUSES: frozenset[str] = frozenset({"succeeded", "failed", "cancelled", "timed_out"})
AlarmState = Literal[
    "normal",
    "unacknowledged",
    "acknowledged",
    "returned_unacknowledged",
    "shelved",
    "suppressed_by_design",
    "out_of_service",
]
RecommendationState = Literal[
    "proposed",
    "awaiting_approval",
    "awaiting_second_approval",
    "approved",
    "applying",
    "verifying",
    "held",
    "rolling_back",
    "completed",
    "followed",
    "rolled_back",
    "rejected",
    "vetoed",
    "expired",
    "superseded",
    "stopped",
]
StepState = Literal["pending", "writing", "done", "not_done", "unverified", "dropped"]
TurnState = Literal["open", "answered", "asked", "refused", "partial", "failed"]
"""``open`` until it is answered; ``partial`` where the time was up before all results were there."""


class EncodedDocument(dict[str, Any]):
    """A document with its JSON text at hand, so that it is not encoded once more to be stored."""

    def __init__(self, document: dict[str, Any], text: str) -> None:
        super().__init__(document)
        self.text = text


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision with all that later learning needs.

    ``document`` is the Decision as JSON, ``situation`` the facts it was made on, ``features`` the
    numbers the policy looked at.
    """

    id: str
    created_at: datetime
    decided_by: str
    confidence: float
    policy_version: str
    situation_digest: str
    dry_run: bool
    document: dict[str, Any]
    situation: dict[str, Any]
    features: dict[str, Any] = field(default_factory=dict)
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """An accepted action of a decision, or an invocation asked for directly.

    ``id`` is also the identity of the durable workflow. ``decision_id`` is null for a direct
    invocation. ``request`` holds parameters and the reference to the input data.
    """

    id: str
    decision_id: str | None
    module: str
    operation: str
    priority: int
    deferred: bool
    depends_on: tuple[str, ...]
    request: dict[str, Any]
    accepted_at: datetime
    status: JobStatus = "queued"
    progress: float = 0.0
    message: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cancel_requested: bool = False


@dataclass(frozen=True, slots=True)
class OutcomeRecord:
    """How a job ended, written exactly once for each job."""

    job_id: str
    decision_id: str | None
    module: str
    operation: str
    status: JobStatus
    seconds: float
    attempts: int
    ended_at: datetime
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class FeedbackRecord:
    """What came of a decision, as a person or a measurement says."""

    id: str
    decision_id: str
    created_at: datetime
    verdict: Literal["right", "wrong", "unclear"]
    benefit_usd: float | None = None
    comment: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """An alert and where it is in its ISA-18.2 life cycle; ``document`` holds the details."""

    id: str
    key: str
    kind: str
    severity: str
    state: AlarmState
    started_at: datetime
    ended_at: datetime | None
    tags: tuple[str, ...]
    document: dict[str, Any]
    shelved_until: datetime | None = None
    shelve_reason: str | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AlertTransition:
    """One step of an alert's life cycle; ``from_state`` is null when the alert began."""

    alert_id: str
    sequence: int
    at: datetime
    from_state: AlarmState | None
    to_state: AlarmState
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RecommendationRecord:
    """A recommendation and its state."""

    id: str
    job_id: str | None
    created_at: datetime
    expires_at: datetime | None
    state: RecommendationState
    digest: str
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecommendationTransition:
    """One step of a recommendation's life: who caused it, when (plant time), and why."""

    recommendation_id: str
    sequence: int
    at: datetime
    event: str
    from_state: RecommendationState
    to_state: RecommendationState
    by: str
    actor: str
    reason: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ApprovalRecord:
    """A person's (or a grant's) approval, bound to the digests of content and relevant situation.

    ``mode`` is the operator agent's mode at that time: an approval given in advisory mode is for a
    person's own hands and never becomes a write.
    """

    recommendation_id: str
    by: str
    at: datetime
    digest: str
    situation_digest: str
    mode: str
    comment: str = ""
    grant_id: str | None = None
    void: bool = False


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One write of a recommendation's path, or of the way back; values in the tag's unit."""

    recommendation_id: str
    number: int
    direction: Literal["apply", "roll_back"]
    tag: str
    before: float
    value: float
    at_minutes: float
    state: StepState = "pending"
    changed_at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class GrantRecord:
    """Leave to act without approval: on these tags, inside this envelope, for this time.

    ``envelope`` is tag -> its own limits, which are never wider than the plant's.
    """

    id: str
    granted_by: str
    granted_at: datetime
    starts_at: datetime
    ends_at: datetime
    envelope: dict[str, Any]
    max_moves: int
    reason: str = ""
    revoked_at: datetime | None = None
    revoked_by: str | None = None


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One link of the audit chain: ``digest`` covers the entry and the digest before it."""

    sequence: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class AuditVerification:
    """Whether the audit chain holds; ``broken_at`` is the sequence of the first link that does not."""

    intact: bool
    links: int
    broken_at: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """A key that a caller gave with a request; ``response`` is null until the request is done."""

    key: str
    route: str
    digest: str
    claimed_at: datetime
    finished_at: datetime | None = None
    response: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """What a conversation carries from its last turn to the next one.

    ``turn`` is how the last turn was read: operations, slots, topic, and what was asked back.
    ``turns`` counts them and is the version of the record; ``origin`` is new with each session, so that
    one which was deleted and begun again is not taken for the former. ``summary`` tells the first
    ``summarised`` turns in short.
    """

    id: str
    user: str
    operations: tuple[str, ...]
    turn: dict[str, Any]
    updated_at: datetime
    expires_at: datetime | None = None
    turns: int = 1
    origin: str = ""
    summary: str = ""
    summarised: int = 0


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One turn of a conversation: what was said, how it was read, what ran, what was answered.

    ``at`` is wall time, ``plant_time`` that of the decision. ``items`` are what the answer lists, in its
    order, so that a later turn may mean "the second one"; ``evidence`` is what the answer rests on.
    """

    session_id: str
    number: int
    at: datetime
    plant_time: datetime
    text: str
    reading: dict[str, Any]
    decision_id: str | None = None
    state: TurnState = "open"
    jobs: tuple[dict[str, Any], ...] = ()
    answer: str = ""
    answered_by: str = ""
    items: tuple[dict[str, Any], ...] = ()
    evidence: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class AdviceLabel:
    """What came of one piece of advice: its stated confidence (0 to 1), whether it was right, and the weight.

    A person's verdict weighs 1; that all its operations merely succeeded, or one failed, a quarter.
    """

    stated: float
    right: bool
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ReasoningRecord:
    """A question that is worked on in steps; ``answer`` is null until it is done."""

    id: str
    question: str
    started_at: datetime
    document: dict[str, Any]
    user: str = ""
    session_id: str | None = None
    ended_at: datetime | None = None
    answer: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ReasoningStepRecord:
    """One step of such a run, stored before the next begins; ``number`` counts from 0."""

    run_id: str
    number: int
    kind: str
    at: datetime
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModelUseRecord:
    """What one language model used on one day (UTC, ``2026-03-01``); money in US dollars, where known."""

    day: str
    model: str
    requests: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.input_tokens + self.output_tokens
