"""What requests to the operator agent carry, and what it answers."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from orchestrator.api.schemas import OPERATOR, Body
from orchestrator.core.operator_modes import OperatorMode
from orchestrator.plant.envelope import GrantedTag
from orchestrator.state.records import (
    ApprovalRecord,
    GrantRecord,
    RecommendationRecord,
    RecommendationState,
    RecommendationTransition,
    StepRecord,
)
from orchestrator.write_records import Stop, WriteRecord

NAME = Field(min_length=1, max_length=200)


class NamedRequest(Body):
    """Who does it, by name; ``operator`` and the like are no names here."""

    by: str = NAME
    reason: str = Field(default="", max_length=1000)


class ApproveRequest(Body):
    """Who approves, and the digest of the content that this person has seen."""

    by: str = NAME
    digest: str = Field(min_length=64, max_length=64)
    comment: str = Field(default="", max_length=1000)


class RejectRequest(Body):
    """Who rejects, and why."""

    by: str = NAME
    reason: str = Field(min_length=1, max_length=1000)


class OperatorModeRequest(NamedRequest):
    """The mode to be in force from now on."""

    mode: OperatorMode


class StopRequest(Body):
    """Who stops all writing, and why; nobody is asked for a name first."""

    by: str = Field(default=OPERATOR, min_length=1, max_length=200)
    reason: str = Field(default="", max_length=1000)


class GrantRequest(NamedRequest):
    """Leave to act without approval: how far and how fast each tag, until when, how often."""

    tags: dict[str, GrantedTag] = Field(min_length=1)
    starts: AwareDatetime | None = None
    until: AwareDatetime | None = None
    minutes: float | None = Field(default=None, gt=0, le=7 * 24 * 60)
    max_moves: int = Field(ge=1)


class SettleRequest(Body):
    """What a person has seen at the panel of a write that nobody knows the end of."""

    by: str = NAME
    state: Literal["done", "not_done"]
    reason: str = Field(min_length=1, max_length=1000)


class RecommendationView(BaseModel):
    """A recommendation with its trail, its approvals, its steps and the safety agent's last verdict."""

    id: str
    job_id: str | None
    created_at: datetime
    expires_at: datetime | None
    state: RecommendationState
    digest: str
    document: dict[str, Any]
    verdict: dict[str, Any] | None
    trail: tuple[RecommendationTransition, ...]
    approvals: tuple[ApprovalRecord, ...]
    steps: tuple[StepRecord, ...]
    writes: tuple[WriteRecord, ...]

    @classmethod
    def of(
        cls,
        record: RecommendationRecord,
        trail: tuple[RecommendationTransition, ...],
        approvals: tuple[ApprovalRecord, ...],
        steps: tuple[StepRecord, ...],
        writes: tuple[WriteRecord, ...],
    ) -> RecommendationView:
        """Put together what is stored of one recommendation."""
        verdicts = [step.details["verdict"] for step in trail if "verdict" in step.details]
        fields = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
        return cls(
            **fields,
            verdict=verdicts[-1] if verdicts else None,
            trail=trail,
            approvals=approvals,
            steps=steps,
            writes=writes,
        )


class UnderWay(BaseModel):
    """A recommendation whose handles are ours, or one that awaits a person."""

    id: str
    state: RecommendationState
    summary: str
    steps_done: int
    steps: int


class OperatorView(BaseModel):
    """How the operator agent stands."""

    mode: OperatorMode
    mode_set_by: str | None
    write_enabled: bool
    stop: Stop | None
    grants: tuple[GrantRecord, ...]
    recommendations: tuple[UnderWay, ...]
    open_writes: tuple[WriteRecord, ...]
