"""What a question that is worked on in steps consists of: budget, steps, events, and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.llm.operation_runner import Observation
from orchestrator.state.records import ReasoningRecord, ReasoningStepRecord

EventKind = Literal["begin", "think", "run", "search", "observe", "verify", "answer"]
SEARCH = "documents.search"
"""What an observation of a search in documents names as its operation."""


class AskedRun(BaseModel):
    """An operation that the model wants run."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    operation: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class NextStep(BaseModel):
    """What the model is asked for in each step."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    thought: str = ""
    run: AskedRun | None = None
    search: str | None = None
    """Words to look for in the plant's documents."""
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class ReasoningBudget:
    """What one question may use.

    Attributes:
        runs: Operations.
        seconds: Time, crashes not counted.
        tokens: Of the model, in and out.
        searches: In documents.
    """

    runs: int = 6
    seconds: float = 300.0
    tokens: int = 120_000
    searches: int = 3

    def document(self) -> dict[str, Any]:
        """The budget as JSON."""
        return {
            "runs": self.runs,
            "seconds": self.seconds,
            "tokens": self.tokens,
            "searches": self.searches,
        }


@dataclass(frozen=True, slots=True)
class ReasoningEvent:
    """Progress: ``run_id``, what happened, and its JSON."""

    run_id: str
    kind: EventKind
    data: dict[str, Any]


@dataclass(slots=True)
class Run:
    """A run under way, as far as its stored steps tell.

    Attributes:
        record: As it was begun.
        steps: In order.
        observations: What the operations and the searches gave, in order; an answer cites them from 1.
        seconds: Used so far.
        tokens: Used so far.
        cost: Used so far, USD; ``None`` where no price is known.
        pending: A run that was asked for and has no observation yet, with its step number.
        looking: A search that was asked for and has found nothing yet.
        draft: An answer that was given and is not verified yet.
        asked_again: Whether an answer was sent back.
    """

    record: ReasoningRecord
    steps: list[ReasoningStepRecord] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    seconds: float = 0.0
    tokens: int = 0
    cost: float | None = None
    pending: tuple[int, AskedRun] | None = None
    looking: str | None = None
    draft: str | None = None
    asked_again: bool = False
    model: str = ""
    fault: str = ""

    @property
    def budget(self) -> ReasoningBudget:
        """What it may use."""
        return ReasoningBudget(**self.record.document["budget"])

    @property
    def searched(self) -> int:
        """Searches in documents so far."""
        return sum(item.operation == SEARCH for item in self.observations)

    @property
    def ran(self) -> int:
        """Operations so far, those included that were refused or failed."""
        return len(self.observations) - self.searched

    @property
    def may_search(self) -> bool:
        """Whether there were documents when the run began, and a search is left."""
        return bool(self.record.document.get("documents")) and self.searched < self.budget.searches

    def take(self, step: ReasoningStepRecord) -> None:
        """Add a step, new or read back."""
        self.steps.append(step)
        document = step.document
        self.seconds += document.get("seconds", 0.0)
        self.tokens += document.get("tokens", 0)
        cost = document.get("cost_usd")
        if cost is not None:
            self.cost = (self.cost or 0.0) + cost
        self.model = document.get("model") or self.model
        if step.kind == "think":
            asked = document.get("run")
            self.pending = (step.number, AskedRun.model_validate(asked)) if asked else None
            self.looking = document.get("search")
            self.draft = document.get("answer")
        elif step.kind == "observe":
            self.observations.append(observation_of(document))
            self.pending = None
            self.looking = None
        elif step.kind == "send_back":
            self.asked_again = True
            self.draft = None
        elif step.kind == "fault":
            self.fault = document.get("why", "")


def observation_of(document: Mapping[str, Any]) -> Observation:
    """The observation that a stored step holds."""
    return Observation(
        operation=document["operation"],
        parameters=document["parameters"],
        status=document["status"],
        result=document["result"],
        text=document["text"],
        job_id=document.get("job_id"),
    )


@dataclass(frozen=True, slots=True)
class ReasonedAnswer:
    """The answer to a question.

    Attributes:
        run_id: Of the run.
        text: With citations ``[1]`` of the observations.
        by: Who wrote it: a model, or templates where there was none to use.
        sound: Whether every number traces to evidence; what did not was taken out.
        sources: The observations that ran, by the numbers that are cited.
        grounding: The check's report.
        note: What a reader must know.
    """

    run_id: str
    text: str
    by: Literal["model", "templates"]
    sound: bool
    sources: tuple[dict[str, Any], ...]
    grounding: dict[str, Any]
    note: str = ""
    model: str = ""
    runs: int = 0
    seconds: float = 0.0
    tokens: int = 0
    cost_usd: float | None = None
    prompt: dict[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {
            "run_id": self.run_id,
            "text": self.text,
            "by": self.by,
            "sound": self.sound,
            "sources": list(self.sources),
            "grounding": self.grounding,
            "note": self.note,
            "model": self.model,
            "runs": self.runs,
            "seconds": round(self.seconds, 3),
            "tokens": self.tokens,
            "cost_usd": self.cost_usd,
            "prompt": self.prompt,
        }


def answer_of(document: Mapping[str, Any]) -> ReasonedAnswer:
    """The answer that a stored run holds."""
    return ReasonedAnswer(**{**document, "sources": tuple(document["sources"])})
