"""What the copilot's routes take and show."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from orchestrator.api.schemas import Body
from orchestrator.state.records import SessionRecord, TurnRecord, TurnState


class ChatRequest(Body):
    """One turn of a conversation."""

    message: str = Field(min_length=1, max_length=4000)
    session_id: str | None = Field(default=None, min_length=1, max_length=128)
    """Null begins a conversation; the event ``session`` names it."""
    show_reasoning: bool = False
    """Whether a model's reasoning is sent, as events of its own."""
    user: str = Field(default="", max_length=200)
    """A label that keeps the conversations of people apart; it proves nobody's identity."""
    deadline: float | None = Field(default=None, gt=0, le=600)
    """Longest time to the end of the answer, s; the configured one where null."""


class TurnView(BaseModel):
    """One turn; ``open`` until it is answered, ``partial`` where results were not there in time."""

    number: int
    at: datetime
    plant_time: datetime
    text: str
    state: TurnState
    operations: tuple[str, ...]
    slots: dict[str, Any]
    clarify: str | None
    decision_id: str | None
    jobs: tuple[dict[str, Any], ...]
    answer: str
    answered_by: str
    items: tuple[dict[str, Any], ...]
    evidence: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, turn: TurnRecord) -> TurnView:
        """Show a stored turn."""
        reading = turn.reading
        shown = {name: getattr(turn, name) for name in cls.model_fields if hasattr(turn, name)}
        return cls(
            **shown,
            operations=tuple(reading.get("operations") or ()),
            slots=reading.get("slots") or {},
            clarify=reading.get("clarify"),
        )


class SessionSummary(BaseModel):
    """A conversation as a list shows it."""

    id: str
    user: str
    turns: int
    operations: tuple[str, ...]
    slots: dict[str, Any]
    updated_at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, session: SessionRecord) -> SessionSummary:
        """Show a stored session."""
        return cls(
            id=session.id,
            user=session.user,
            turns=session.turns,
            operations=session.operations,
            slots=session.turn.get("slots") or {},
            updated_at=session.updated_at,
            expires_at=session.expires_at,
        )


class SessionView(SessionSummary):
    """A conversation: what it carries on, the summary of its first turns, and its turns."""

    summary: str
    summarised: int
    history: tuple[TurnView, ...]
