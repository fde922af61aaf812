"""Agents advise together: they propose, object and revise in rounds, and a coordinator decides.

Each turn of an agent is one question to the model, all turns of a round at once; a turn that fails or is late
is taken by the agent's stand-in. Rounds, turns, tokens and time are bounded. The safety agent looks at what is
proposed after each round, and once more at the decision: it is code, and nobody can answer it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.core.advice import Advice, Question
from orchestrator.core.situation import Situation
from orchestrator.errors import ModelError
from orchestrator.llm.agents.record import SharedRecord, known
from orchestrator.llm.agents.roles import COORDINATOR, ROLES, SAFETY, Role, stand_in
from orchestrator.llm.agents.safety import Safety
from orchestrator.llm.fence import fenced
from orchestrator.llm.port import Budget, LanguageModel, Message, Usage
from orchestrator.llm.prompts import Prompt, load_prompt
from orchestrator.llm.situation_text import situation_text
from orchestrator.modules.base import Operation

STAND_IN = "stand-in"
CODE = "code"
STAND_IN_CONFIDENCE = 0.6
MOST_SAID = 6
"""Operations that one turn may name in each of its lists."""


class Said(BaseModel):
    """An operation and a reason."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    operation: str
    reason: str = ""


class AgentTurn(BaseModel):
    """What an agent is asked for in each turn; the coordinator's proposals are the decision."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    proposals: tuple[Said, ...] = ()
    objections: tuple[Said, ...] = ()
    withdraw: tuple[str, ...] = ()
    confidence: float = Field(default=0.5, ge=0, le=1)


@dataclass(frozen=True, slots=True)
class PanelBudget:
    """What one consultation may use: rounds before the decision, turns, tokens, and time in s."""

    rounds: int = 2
    turns: int = 12
    tokens: int = 60_000
    seconds: float = 120.0


class Panel:
    """Implements `orchestrator.core.advice.Advisor` by several agents.

    Args:
        operations: All operations.
        safety: The safety agent.
        budget: What a consultation may use.
        model: Who speaks for the agents; stand-ins where ``None``.
    """

    def __init__(
        self,
        operations: Mapping[str, Operation],
        safety: Safety,
        budget: PanelBudget | None = None,
        model: LanguageModel | None = None,
    ) -> None:
        self._operations = operations
        self._safety = safety
        self._budget = budget or PanelBudget()
        self._model = model
        self._prompt = load_prompt("agent")

    @property
    def name(self) -> str:
        """Who is asked."""
        return f"panel of {self._model.name if self._model is not None else 'stand-ins'}"

    @property
    def deadline(self) -> float:
        """Longest time that an answer takes, s; the stand-ins need a moment after the models' time."""
        return self._budget.seconds + 5.0

    async def advise(self, question: Question) -> Advice:
        """Consult the agents; it ends within the budget, with the stand-ins' answer at worst."""
        consultation = _Consultation(
            self._operations, self._safety, self._budget, self._model, self._prompt, question
        )
        operations, reasons, confidence = await consultation.run()
        used = consultation.usage
        return Advice(
            operations=operations,
            reasons=reasons,
            reasoning=f"{len(consultation.record.entries)} entries of {len(ROLES) + 2} agents",
            confidence=confidence,
            model=self.name,
            prompt=self._prompt.stamp,
            seconds=consultation.seconds,
            tokens=used.input_tokens + used.output_tokens,
            cost_usd=used.cost,
            flags=tuple(consultation.flags),
            transcript=consultation.record.documents(),
        )


class _Consultation:
    """One consultation under way."""

    def __init__(
        self,
        operations: Mapping[str, Operation],
        safety: Safety,
        budget: PanelBudget,
        model: LanguageModel | None,
        prompt: Prompt,
        question: Question,
    ) -> None:
        self.record = SharedRecord()
        self.usage = Usage()
        self.flags: list[str] = []
        self._operations = operations
        self._safety = safety
        self._budget = budget
        self._model = model
        self._prompt = prompt
        self._question = question
        self._turns = 0
        self._started = time.monotonic()
        self._situation: Situation = question.situation
        self._facts = question.situation.facts()

    @property
    def seconds(self) -> float:
        """Since the begin."""
        return time.monotonic() - self._started

    async def run(self) -> tuple[tuple[str, ...], dict[str, str], float]:
        """Rounds, then the decision: operations, reasons and confidence."""
        for verdict in await self._safety.moves():
            self.record.add(
                SAFETY,
                0,
                "verdict",
                verdict.recommendation_id,
                f"{verdict.outcome}: {verdict.text}",
                CODE,
            )
        for number in range(1, self._budget.rounds + 1):
            turns = await asyncio.gather(*(self._turn(role, number) for role in ROLES))
            for role, (turn, by) in zip(ROLES, turns, strict=True):
                self._write(role, number, turn, by)
            self._veto(self.record.proposed(), number)
        return await self._decide()

    def _write(self, role: Role, number: int, turn: AgentTurn, by: str) -> None:
        said = {item.operation: item.reason for item in turn.proposals}
        for name in known(said, role.operations)[:MOST_SAID]:
            if name in self._operations:
                self.record.add(role.name, number, "propose", name, said[name], by)
        foreign = [name for name in said if name not in role.operations]
        if foreign:
            self.flags.append(f"{role.name} proposed what is not its own")
        against = {item.operation: item.reason for item in turn.objections}
        for name in known(against, self.record.proposed())[:MOST_SAID]:
            self.record.add(role.name, number, "object", name, against[name], by)
        for name in known(turn.withdraw, role.operations)[:MOST_SAID]:
            self.record.add(role.name, number, "withdraw", name, "withdrawn", by)

    def _veto(self, operations: Mapping[str, str], number: int) -> None:
        for name, reason in self._safety.vetoes(operations, self._situation).items():
            if name not in self.record.vetoed():
                self.record.add(SAFETY, number, "veto", name, reason, CODE)

    async def _decide(self) -> tuple[tuple[str, ...], dict[str, str], float]:
        number = self._budget.rounds + 1
        coordinator = Role(
            COORDINATOR, "Decide which of the proposals run.", tuple(self._operations)
        )
        turn, by = await self._turn(coordinator, number)
        standing = self.record.proposed()
        said = {item.operation: item.reason for item in turn.proposals}
        if any(name not in standing for name in said):
            self.flags.append("the coordinator named what was not proposed")
        chosen = known(said, standing)
        self._veto(dict.fromkeys(chosen, ""), number)
        chosen = [name for name in chosen if name not in self.record.vetoed()]
        for name in chosen:
            self.record.add(COORDINATOR, number, "decide", name, said[name] or standing[name], by)
        if not chosen:
            self.record.add(
                COORDINATOR, number, "decide", "nothing", "nothing is worth running", by
            )
        return (
            tuple(chosen),
            {name: said[name] or standing[name] for name in chosen},
            turn.confidence,
        )

    # -- turns ----------------------------------------------------------------------------------

    async def _turn(self, role: Role, number: int) -> tuple[AgentTurn, str]:
        """An agent's turn, and who took it."""
        left = self._budget.seconds - self.seconds
        used = self.usage.input_tokens + self.usage.output_tokens
        within = self._turns < self._budget.turns and used < self._budget.tokens and left > 1.0
        if self._model is None or not within:
            if self._model is not None:
                self.flags.append("budget used")
            return self._stand_in(role, number), STAND_IN
        self._turns += 1
        share = left if role.name == COORDINATOR else left / (self._budget.rounds + 2 - number)
        try:
            async with asyncio.timeout(share):
                reply = await self._model.complete(
                    [Message("user", self._text(role, number))], AgentTurn, Budget(deadline=share)
                )
        except (ModelError, TimeoutError) as error:
            self.flags.append(f"{role.name}: {type(error).__name__}")
            return self._stand_in(role, number), STAND_IN
        self.usage = _sum(self.usage, reply.usage)
        if reply.value is None:
            return self._stand_in(role, number), STAND_IN
        return reply.value, reply.model

    def _stand_in(self, role: Role, number: int) -> AgentTurn:
        """Without a model: proposals in the first round, and the coordinator takes what nobody objects to."""
        if role.name == COORDINATOR:
            objected = self.record.objections()
            stands = {n: why for n, why in self.record.proposed().items() if n not in objected}
            said = tuple(Said(operation=name, reason=why) for name, why in stands.items())
            return AgentTurn(proposals=said, confidence=STAND_IN_CONFIDENCE)
        if number > 1:
            return AgentTurn()
        proposals = stand_in(role, self._facts, self._question.selected)
        return AgentTurn(
            proposals=tuple(Said(operation=n, reason=why) for n, why in proposals.items())
        )

    def _text(self, role: Role, number: int) -> str:
        last = number > self._budget.rounds
        phase = (
            "Decide: your proposals are what runs. Choose only from the proposals on record that stand."
            if last
            else "Propose what should run now, from your operations."
            if number == 1
            else "Object to proposals of others that you think wrong, and withdraw or add to your own."
        )
        standing = self.record.proposed() if last else {}
        mine = [name for name in (standing or role.operations) if name in self._operations]
        told = self.record.text()
        words = self._question.text
        return self._prompt.render(
            role=role.name,
            task=role.task,
            operations="\n".join(f"- {name}: {self._operations[name].summary}" for name in mine)
            or "- none",
            phase=phase,
            situation=situation_text(self._situation, now=self._now()),
            policy=", ".join(self._question.selected) or "nothing",
            request=fenced(words, "words of a person") if words else "Nobody asked.",
            record=fenced(told, "record", longest=8000) if told else "Empty.",
        )

    def _now(self) -> datetime:
        return self._situation.timestamp or datetime.now(UTC)


def _sum(one: Usage, other: Usage) -> Usage:
    costs = [cost for cost in (one.cost, other.cost) if cost is not None]
    return Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        reasoning_tokens=one.reasoning_tokens + other.reasoning_tokens,
        cost=sum(costs) if costs else None,
    )
