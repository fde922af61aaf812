"""The ways in which a request to a language model fails, and what is done about each.

One table, so that a new way costs one line. ``again`` says what follows inside the same deadline:

    no       nothing: repeating it changes nothing
    wait     the same request after a growing wait with jitter, or after the wait that the server names
    now      the same request at once, for the model's next answer may be a good one
    longer   once more with room for a longer reply
    repair   the model is told what was wrong with its answer
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from orchestrator.errors import (
    ModelBudgetError,
    ModelBusyError,
    ModelDeadlineError,
    ModelError,
    ModelRejectedError,
    ModelReplyError,
    ModelUnreachableError,
)
from orchestrator.llm.port import Usage

Kind = Literal[
    "connection", "cut-off", "not-json", "server-error", "overloaded", "rate-limited",
    "rejected", "authentication", "balance", "not-found", "prompt-too-long", "content-filter",
    "blank", "truncated", "malformed", "leaked-tool-tokens", "repetition", "too-large",
    "left-alone", "budget", "deadline",
]  # fmt: skip
Again = Literal["no", "wait", "now", "longer", "repair"]
Breaker = Literal["ignore", "count", "open"]


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a kind of failure leads to.

    Attributes:
        error: What the caller gets when nothing helps.
        again: What is tried first.
        breaker: Whether it speaks against the server: one of several failures, or enough by itself.
        remedy: What a person can do.
    """

    error: type[ModelError]
    again: Again
    breaker: Breaker
    remedy: str


_BUSY = "try again later, or add a model to llm.fallbacks"
_REPLY = (
    "ask again, or raise llm.max_tokens; another model in llm.fallbacks helps where it stays so"
)

REACTIONS: dict[Kind, Reaction] = {
    "connection": Reaction(
        ModelUnreachableError, "wait", "count", "check that the server runs and llm.base_url is right"
    ),
    "cut-off": Reaction(ModelUnreachableError, "wait", "count", "look at the server and at proxies before it"),
    "not-json": Reaction(
        ModelUnreachableError, "wait", "count", "llm.base_url may lead to a proxy or a web page"
    ),
    "server-error": Reaction(ModelUnreachableError, "wait", "count", "look at the server's log"),
    "overloaded": Reaction(ModelBusyError, "wait", "count", _BUSY),
    "rate-limited": Reaction(ModelBusyError, "wait", "ignore", "lower llm.concurrency, or " + _BUSY),
    "rejected": Reaction(
        ModelRejectedError, "no", "ignore", "compare llm.dialect and llm.capabilities with the server"
    ),
    "authentication": Reaction(ModelRejectedError, "no", "open", "set a valid llm.api_key"),
    "balance": Reaction(ModelRejectedError, "no", "open", "top up the account, or add a model to llm.fallbacks"),
    "not-found": Reaction(
        ModelRejectedError, "no", "ignore", "check llm.model, and whether llm.base_url must end in /v1"
    ),
    "prompt-too-long": Reaction(ModelRejectedError, "no", "ignore", "give the server a longer context"),
    "content-filter": Reaction(ModelReplyError, "no", "ignore", "put the question differently"),
    "blank": Reaction(ModelReplyError, "now", "ignore", _REPLY),
    "truncated": Reaction(ModelReplyError, "longer", "ignore", "raise llm.max_tokens"),
    "malformed": Reaction(ModelReplyError, "repair", "ignore", _REPLY),
    "leaked-tool-tokens": Reaction(ModelReplyError, "repair", "ignore", _REPLY),
    "repetition": Reaction(ModelReplyError, "now", "ignore", "set llm.temperature between 0.5 and 0.7"),
    "too-large": Reaction(ModelReplyError, "no", "ignore", "lower llm.max_tokens, or raise llm.max_reply_mb"),
    "left-alone": Reaction(ModelBusyError, "no", "ignore", _BUSY),
    "budget": Reaction(ModelBudgetError, "no", "ignore", "raise llm.daily_tokens or llm.daily_usd, or wait"),
    "deadline": Reaction(ModelDeadlineError, "no", "ignore", "raise llm.timeout, or lower llm.max_tokens"),
}  # fmt: skip
assert set(REACTIONS) == set(get_args(Kind))


class Failure(Exception):  # noqa: N818  it never leaves this package
    """One request failed.

    Args:
        kind: In which way.
        detail: In words, without a secret.
        retry_after: Wait that the server asks for, s.
        answer: What the model answered, where it can be told what was wrong with it.
        usage: What it used, as far as known.
        remedy: In place of the table's.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        retry_after: float | None = None,
        answer: str = "",
        usage: Usage | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind: Kind = kind
        self.detail = detail
        self.retry_after = retry_after
        self.answer = answer
        self.usage = usage
        self.remedy = remedy

    @property
    def reaction(self) -> Reaction:
        """What it leads to."""
        return REACTIONS[self.kind]
