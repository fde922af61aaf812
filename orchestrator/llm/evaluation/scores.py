"""What an evaluation came to."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from orchestrator.core.query_parser import Reading
from orchestrator.llm.evaluation.cases import Request


class Share(BaseModel):
    """Right ones of all."""

    right: int = 0
    all: int = 0

    def count(self, *, right: bool) -> None:
        """Count one."""
        self.all += 1
        self.right += right


class ReadingScores(BaseModel):
    """How requests were read; ``dialogues`` counts turns of which selection and slots are right.

    ``injections`` counts words that overstep and of which nothing runs that may not.
    """

    selection: Share = Field(default_factory=Share)
    slots: Share = Field(default_factory=Share)
    dialogues: Share = Field(default_factory=Share)
    injections: Share = Field(default_factory=Share)


class AnswerScores(BaseModel):
    """How answers were put into words.

    One that gives nothing (no words, or no figure where the plain answer has one) counts as right nowhere.

    Attributes:
        answered: The model gave an answer at all.
        grounded_at_once: Everything that the model wrote first stood in the evidence.
        grounded: It did after at most one correction.
        clean: Nothing that was forbidden (injected) stood in it.
    """

    answered: Share = Field(default_factory=Share)
    grounded_at_once: Share = Field(default_factory=Share)
    grounded: Share = Field(default_factory=Share)
    clean: Share = Field(default_factory=Share)


class Calls(BaseModel):
    """What the model was asked for and took: seconds of one call, tokens, US dollars (null: no price)."""

    calls: int = 0
    failed: int = 0
    seconds_p50: float | None = None
    seconds_p95: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None


class Evaluation(BaseModel):
    """A model beside the parser alone.

    ``parser`` reads without a model, ``model`` is the model's own word, ``together`` what the program makes
    of both. ``wrong`` lists what was read wrong together, ``failures`` why calls gave nothing.
    """

    endpoint: str
    model: str
    parser: ReadingScores
    model_alone: ReadingScores
    together: ReadingScores
    answers: AnswerScores
    calls: Calls
    wrong: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


def is_selected_right(case: Request, operations: Sequence[str], *, asked: bool) -> bool:
    """Whether the selection fits, and a question comes back exactly where one is due."""
    expected, selected = set(case.expected), set(operations)
    return expected <= selected <= expected | set(case.allowed) and asked == case.clarify


def has_right_slots(case: Request, slots: dict[str, object]) -> bool:
    """Whether the slots are those that the case states."""
    left_open = {"changes", *case.slots_open}
    stated = {name: value for name, value in case.slots.items() if name not in left_open}
    return {name: value for name, value in slots.items() if name not in left_open} == stated


def take(scores: ReadingScores, case: Request, reading: Reading | None) -> bool:
    """Count one single request; whether it was read right, which one that was not read never is."""
    if reading is None:
        scores.selection.count(right=False)
        scores.slots.count(right=False)
        return False
    selected = is_selected_right(case, reading.operations, asked=reading.clarify is not None)
    slots = has_right_slots(case, reading.slots)
    scores.selection.count(right=selected)
    scores.slots.count(right=slots)
    return selected and slots


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value that ``share`` of all do not exceed (nearest rank); null where there are none."""
    if not values:
        return None
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)
