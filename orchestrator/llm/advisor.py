"""The language model as the engine's adviser: it proposes a selection with reasons, as validated JSON.

What it proposes is only a list of registered operations. The core puts it through the same gates, keeps
both selections on the decision, and decides without it where there is no answer to use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.config import Settings
from orchestrator.core.advice import Advice, Question
from orchestrator.core.policy import policy_of
from orchestrator.errors import ModelReplyError
from orchestrator.llm.fence import fenced, harmless
from orchestrator.llm.port import Budget, LanguageModel, Message, Reply, Usage
from orchestrator.llm.prompts import load_prompt
from orchestrator.llm.situation_text import plant_text, rule_limits, situation_text
from orchestrator.modules.base import Operation
from orchestrator.modules.registry import Registry
from orchestrator.plant.samples import Sample
from orchestrator.plant.tags import Plant

MOST_OPERATIONS = 8
LONGEST_REASON = 400
SECOND_ASKING_SHARE = 0.4
"""Share of the deadline that must be left for asking a second time."""

Samples = Callable[[], Mapping[str, Sample]]


class ProposedOperation(BaseModel):
    """One operation of a proposal."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    operation: str
    reason: str = ""


class ProposedSelection(BaseModel):
    """What the model is asked for."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    evidence: tuple[str, ...] = ()
    reasoning: str = ""
    operations: tuple[ProposedOperation, ...] = Field(max_length=MOST_OPERATIONS)
    confidence: float = Field(ge=0, le=1)


class ModelAdvisor:
    """Implements `orchestrator.core.advice.Advisor` over a language model.

    Args:
        model: Who is asked.
        settings: Deadline, rules and gates.
        registry: The operations that may be proposed.
        plant: Tags, for values with units and limits.
        now: Plant time.
        samples: Newest sample of each tag; ``None`` shows the situation alone.
        zone: Zone of the plant's clocks.
    """

    def __init__(
        self,
        model: LanguageModel,
        settings: Settings,
        registry: Registry,
        plant: Plant,
        now: Callable[[], datetime],
        samples: Samples | None = None,
        zone: tzinfo = UTC,
    ) -> None:
        self._model = model
        self._deadline = settings.llm.timeout
        self._operations = registry.operations
        self._plant = plant
        self._now = now
        self._samples = samples
        self._zone = zone
        self._limits = rule_limits(settings.decision_engine)
        self._prompt = load_prompt("advise")
        self._fixed = {
            "plant": plant_text(plant),
            "operations": operations_text(self._operations),
            "rules": "\n".join(
                f"- {rule.name}: {rule.when} -> {', '.join(rule.operations)}"
                for rule in policy_of(settings.decision_engine).triggers
            ),
        }

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._model.name

    @property
    def deadline(self) -> float:
        """Longest time that an answer takes, s."""
        return self._deadline

    async def advise(self, question: Question) -> Advice:
        """Ask; once more with what was wrong, where an operation is invented and time is left.

        Raises:
            ModelError: there is no answer, or it proposes what no module has.
        """
        end = time.monotonic() + self._deadline
        started = time.monotonic()
        messages = [Message("user", self._text(question))]
        reply = await self._ask(messages, self._deadline)
        flags: tuple[str, ...] = reply.flags
        usage = reply.usage
        wrong = self._wrong(reply)
        left = end - time.monotonic()
        if wrong and left > SECOND_ASKING_SHARE * self._deadline:
            messages += [
                Message("assistant", reply.text),
                Message("user", f"{wrong} Answer again with one json object of the same form."),
            ]
            reply = await self._ask(messages, left)
            usage = _both(usage, reply.usage)
            flags = (*flags, *reply.flags, "asked_again")
            wrong = self._wrong(reply)
        if wrong:
            raise ModelReplyError(wrong, where=f"advice of {reply.model}")
        assert reply.value is not None
        value = reply.value
        return Advice(
            operations=tuple(dict.fromkeys(item.operation for item in value.operations)),
            reasons={
                item.operation: harmless(item.reason)[:LONGEST_REASON] for item in value.operations
            },
            reasoning=harmless(value.reasoning)[:2000],
            evidence=tuple(harmless(item)[:LONGEST_REASON] for item in value.evidence[:20]),
            confidence=value.confidence,
            model=reply.model,
            prompt=self._prompt.stamp,
            seconds=time.monotonic() - started,
            tokens=usage.input_tokens + usage.output_tokens,
            cost_usd=usage.cost,
            flags=tuple(dict.fromkeys(flags)),
        )

    async def _ask(self, messages: list[Message], deadline: float) -> Reply[ProposedSelection]:
        # An answer that was stored for other plant facts never serves: the text holds the facts.
        return await self._model.complete(messages, ProposedSelection, Budget(deadline=deadline))

    def _wrong(self, reply: Reply[ProposedSelection]) -> str | None:
        """What is wrong with a selection, as the model is told it."""
        if reply.value is None:
            return "There was no json object of the form asked for."
        invented = [
            harmless(item.operation)[:60]
            for item in reply.value.operations
            if item.operation not in self._operations
        ]
        if invented:
            return f"These operations do not exist: {', '.join(invented)}."
        return None

    def _text(self, question: Question) -> str:
        held = "\n".join(
            f"- held by a gate: {name}: {harmless(why)}" for name, why in question.held
        )
        selected = ", ".join(question.selected) or "nothing"
        policy = f"- selected: {selected} (confidence {question.confidence:.2f})\n{held}"
        asked = "Nobody asked; this is the watch over the plant."
        if question.text is not None:
            wanted = ", ".join(question.wanted) or "nothing"
            asked = f"{fenced(question.text, 'words of a person')}\nThe words were read as asking for: {wanted}."
        return self._prompt.render(
            **self._fixed,
            situation=situation_text(
                question.situation,
                now=self._now(),
                plant=self._plant,
                samples=self._samples() if self._samples is not None else None,
                limits=self._limits,
                zone=self._zone,
            ),
            policy=policy.strip(),
            request=asked,
        )


def operations_text(operations: Mapping[str, Operation]) -> str:
    """One line an operation: its name and what it answers."""
    return "\n".join(
        f"- {name}: {harmless(operation.summary)}"
        for name, operation in sorted(operations.items())
        if not operation.needs.writes_to_plant
    )


def _both(one: Usage, other: Usage) -> Usage:
    costs: list[Any] = [cost for cost in (one.cost, other.cost) if cost is not None]
    return Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        reasoning_tokens=one.reasoning_tokens + other.reasoning_tokens,
        cost=sum(costs) if costs else None,
    )
