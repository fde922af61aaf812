"""A chain of models: where one gives no usable answer, the next is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import asdict, replace

from orchestrator.errors import ModelError
from orchestrator.llm.asking import attempts_of, total
from orchestrator.llm.deepseek_r1 import DeepSeekR1
from orchestrator.llm.port import Attempt, Budget, Message, Piece, Reply, Schema

SHARE = 0.6
"""Of the time that is left, the part that a model gets while another one follows."""


class FallbackChain:
    """Implements `LanguageModel` by several, asked in order within one deadline.

    A model before the last gets three fifths of what is left, so that a server that hangs leaves time for the
    next. The error, where none answers, is of the first model's kind and tells of all.
    """

    def __init__(self, models: Sequence[DeepSeekR1]) -> None:
        self._models = tuple(models)

    @property
    def name(self) -> str:
        """Name of the first model."""
        return self._models[0].name

    async def complete(
        self, messages: Sequence[Message], schema: type[Schema] | None, budget: Budget
    ) -> Reply[Schema]:
        """See `LanguageModel.complete`."""
        clock = asyncio.get_running_loop().time
        end = clock() + budget.deadline
        errors: list[ModelError] = []
        for number, model in enumerate(self._models):
            left = end - clock()
            if left <= 0:
                break
            try:
                reply = await model.complete(messages, schema, self._part(budget, left, number))
            except ModelError as error:
                errors.append(error)
            else:
                return _with_trail(reply, errors)
        raise _of_all(errors)

    async def stream(self, messages: Sequence[Message], budget: Budget) -> AsyncIterator[Piece]:
        """See `LanguageModel.stream`. The next model is asked only while nothing was given out yet."""
        clock = asyncio.get_running_loop().time
        end = clock() + budget.deadline
        errors: list[ModelError] = []
        for number, model in enumerate(self._models):
            left = end - clock()
            if left <= 0:
                break
            given = False
            try:
                pieces = model.stream(messages, self._part(budget, left, number))
                async with aclosing(pieces):
                    async for piece in pieces:
                        given = True
                        if piece.reply is not None:
                            piece = replace(piece, reply=_with_trail(piece.reply, errors))
                        yield piece
                return
            except ModelError as error:
                errors.append(error)
                if given:
                    break
        raise _of_all(errors)

    def _part(self, budget: Budget, left: float, number: int) -> Budget:
        last = number == len(self._models) - 1
        return replace(budget, deadline=left if last else SHARE * left)


def _with_trail(reply: Reply[Schema], errors: Sequence[ModelError]) -> Reply[Schema]:
    if not errors:
        return reply
    trail = (*_attempts(errors), *reply.attempts)
    return replace(reply, attempts=trail, usage=total(trail), flags=(*reply.flags, "fallback"))


def _attempts(errors: Sequence[ModelError]) -> list[Attempt]:
    return [attempt for error in errors for attempt in attempts_of(error)]


def _of_all(errors: Sequence[ModelError]) -> ModelError:
    first = errors[0]
    if len(errors) == 1:
        return first
    return type(first)(
        f"none of {len(errors)} models gave a usable answer: {'; '.join(e.what for e in errors)}",
        where=first.where,
        why=first.why,
        remedy=first.remedy,
        context={**first.context, "attempts": [asdict(a) for a in _attempts(errors)]},
    )
