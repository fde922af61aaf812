"""What the orchestrator decided, and why: the record that is stored, shown and learned from."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

DecidedBy = Literal["policy", "advisor", "cache", "operator"]
Gate = Literal[
    "plant_mode", "enabled", "in_flight", "quality", "resources", "history", "fresh", "write_lock"
]
Statistic = Literal["last", "at", "mean", "minimum", "maximum", "change"]
TriggerFamily = Literal["performance", "market", "equipment", "schedule", "prediction", "data"]


class Record(BaseModel):
    """Base of the decision's parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FiredTrigger(Record):
    """A rule that held: its name, family, the operations it names and the facts that made it hold.

    ``subjects`` are the tags and equipment that it is about; none for a rule over the whole plant.
    """

    name: str
    family: TriggerFamily
    operations: tuple[str, ...]
    because: str
    subjects: tuple[str, ...] = ()


class Action(Record):
    """An operation to run.

    ``depends_on`` lists operations of the same decision (``module.operation``) that must end first.
    ``deferred`` actions are accepted and queued, not started, until resources are free.
    """

    module: str
    operation: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    priority: int = 5
    depends_on: tuple[str, ...] = ()
    deadline: datetime | None = None
    deferred: bool = False

    @property
    def name(self) -> str:
        """``module.operation``."""
        return f"{self.module}.{self.operation}"


class Criteria(Record):
    """The scores of one candidate; benefit, cost and utility in USD, the rest from 0 to 1."""

    operation: str
    data_quality: float | None
    resources: float | None
    priority: float
    success_probability: float
    benefit: float
    cost: float
    utility: float
    propensity: float = 1.0
    selected: bool = False


class Alternative(Record):
    """An operation that was considered and not selected, with the reason."""

    operation: str
    why_not: str
    gate: Gate | None = None


class Refusal(Record):
    """An operation that the words ask for and a gate holds."""

    operation: str
    gate: str
    reason: str


class ValueAnswer(Record):
    """A present or past value of a tag, from the historian: evidence, or why there is none.

    ``statistic`` is ``last`` (the newest sample), ``at`` (the one that held at ``end``), or taken over
    ``start`` to ``end``. ``time`` is that of the sample; absent for a mean or a change. ``reason`` says
    why there is no value, or what limits the trust in it.
    """

    source: Literal["historian"] = "historian"
    tag: str | None = None
    description: str = ""
    statistic: Statistic = "last"
    value: float | None = None
    unit: str = ""
    quality: Literal["good", "uncertain", "bad"] | None = None
    time: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None
    samples: int | None = None
    reason: str | None = None


class Interpretation(Record):
    """What the words of a query ask for, before the gates.

    ``answer`` is what the system says itself where nothing runs for it, and ``values`` the present and
    past values of tags that it rests on. ``topic`` holds the
    operations that a follow-up refers to: those of this turn, or of the last one that had any;
    ``pending`` the slots of a turn that asked back or asked for a value. ``rivals`` are operations that the
    words may mean instead, with their probabilities; ``named`` the tags named so far in the session.
    """

    operations: tuple[str, ...] = ()
    slots: dict[str, Any] = Field(default_factory=dict)
    clarify: str | None = None
    answer: str | None = None
    values: tuple[ValueAnswer, ...] = ()
    topic: tuple[str, ...] = ()
    pending: dict[str, Any] = Field(default_factory=dict)
    rivals: tuple[tuple[str, float], ...] = ()
    named: tuple[str, ...] = ()


class PromptStamp(Record):
    """Which prompt was used: name, version, and SHA-256 of its file."""

    name: str
    version: int
    sha256: str


class AdviceRecord(Record):
    """What the adviser said of a decision, and what became of it.

    ``agreed``: it selects what the policy selects. ``taken``: its selection is the decision's.
    ``not_taken``: it differs, and the policy's stands. ``failed``: there was no answer to use.
    ``policy`` and ``proposed`` are the two selections, ``stated_confidence`` the adviser's own word and
    ``confidence`` what is made of it, by ``calibration``. ``follows`` is the decision of the live loop that
    had started the policy's selection already when the answer came.
    """

    outcome: Literal["agreed", "taken", "not_taken", "failed"]
    because: str
    model: str
    policy: tuple[str, ...]
    policy_confidence: float
    proposed: tuple[str, ...] = ()
    reasons: dict[str, str] = Field(default_factory=dict)
    reasoning: str = ""
    evidence: tuple[str, ...] = ()
    stated_confidence: float | None = None
    confidence: float | None = None
    calibration: str = ""
    prompt: PromptStamp | None = None
    seconds: float = 0.0
    tokens: int = 0
    cost_usd: float | None = None
    flags: tuple[str, ...] = ()
    transcript: tuple[dict[str, Any], ...] = ()
    follows: str | None = None


class Decision(Record):
    """A decision, with or without actions."""

    id: str
    created_at: datetime
    situation_digest: str
    triggers: tuple[FiredTrigger, ...] = ()
    actions: tuple[Action, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    confidence: float = Field(ge=0, le=1)
    calibrated: bool = False
    decided_by: DecidedBy = "policy"
    rationale: str
    notes: tuple[str, ...] = ()
    criteria: tuple[Criteria, ...] = ()
    policy_version: str
    latency_ms: float
    dry_run: bool = False
    interpretation: Interpretation | None = None
    refused: tuple[Refusal, ...] = ()
    advice: AdviceRecord | None = None

    @cached_property
    def document(self) -> dict[str, Any]:
        """The decision as a JSON document, made once for all who show, store or send it; do not change it."""
        return self.model_dump(mode="json")

    @cached_property
    def json_text(self) -> str:
        """The text of :attr:`document`."""
        return to_json(self.document).decode()
