"""Several models, several samples, and answers that are kept."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from itertools import count
from typing import Any, Literal

import pytest
from asking import (
    GOOD,
    KEY,
    QUESTION,
    Choice,
    ask,
    configured,
    serving,
    settings_for,
    text_of,
)
from model_server import Fail, ModelServer, Say, Sent, Silence
from pydantic import BaseModel, Field

from orchestrator.config import Settings
from orchestrator.errors import ModelError, ModelRejectedError
from orchestrator.llm.asking import attempts_of
from orchestrator.llm.configured import model_of
from orchestrator.llm.port import Budget, LanguageModel, Message
from orchestrator.llm.samples import vote_of
from orchestrator.state.cache import MemoryCache, open_cache

# -- fallbacks ------------------------------------------------------------------------------------


def chained(first: ModelServer, second: ModelServer, **llm: Any) -> Settings:
    fallback = {"model": "spare", "api_key": "", "base_url": second.base_url, "dialect": "vllm"}
    return settings_for(first, fallbacks=[fallback], attempts=2, **llm)


@pytest.mark.parametrize("play", [Fail(503), Fail(402), Fail(400), Say("no object"), Silence()])
async def test_the_next_model_answers_where_the_first_does_not(play: Any) -> None:
    async with (
        ModelServer([play]) as first,
        ModelServer([Say(GOOD)]) as second,
        configured(chained(first, second)) as model,
    ):
        reply = await model.complete(QUESTION, Choice, Budget(1.5))
    assert reply.model == "spare"
    assert "fallback" in reply.flags
    assert {attempt.model for attempt in reply.attempts} == {"deepseek-r1", "spare"}
    assert reply.attempts[-1].outcome == "ok"
    assert KEY not in json.dumps(second.requests[0].headers)


async def test_where_none_answers_the_error_is_the_first_one_s_and_tells_of_all() -> None:
    async with (
        ModelServer([Fail(402, "Insufficient Balance")]) as first,
        ModelServer([Fail(503, "busy")]) as second,
        configured(chained(first, second)) as model,
    ):
        with pytest.raises(ModelRejectedError, match=r"Insufficient Balance.*busy") as caught:
            await model.complete(QUESTION, Choice, Budget(5))
    assert [attempt.outcome for attempt in attempts_of(caught.value)] == [
        "balance",
        "overloaded",
        "overloaded",
    ]


async def test_a_chain_keeps_the_one_deadline() -> None:
    async with (
        ModelServer([Silence()]) as first,
        ModelServer([Silence()]) as second,
        configured(chained(first, second)) as model,
    ):
        begun = time.monotonic()
        with pytest.raises(ModelError):
            await model.complete(QUESTION, Choice, Budget(0.5))
        assert time.monotonic() - begun < 1.5
        assert len(second.requests) == 1


async def test_a_stream_goes_on_to_the_next_model_before_its_first_piece_only() -> None:
    async with ModelServer([Fail(503)]) as first, ModelServer([Say("in words")]) as second:
        async with configured(chained(first, second)) as model:
            pieces = [piece async for piece in model.stream(QUESTION, Budget(5))]
        assert text_of(pieces, "answer") == "in words"
        assert pieces[-1].reply is not None
        assert pieces[-1].reply.model == "spare"
    cut = Say("in words", reasoning="a long thought", cut_after=3)
    async with ModelServer([cut]) as first, ModelServer([Say("other")]) as second:
        async with configured(chained(first, second)) as model:
            with pytest.raises(ModelError):
                [piece async for piece in model.stream(QUESTION, Budget(5))]
        assert second.requests == []


# -- samples --------------------------------------------------------------------------------------


def votes(*answers: Any) -> Any:
    numbers = count()

    def script(_: Sent) -> Any:
        answer = answers[next(numbers) % len(answers)]
        return answer if not isinstance(answer, dict) else Say(json.dumps(answer))

    return script


async def test_the_majority_decides_and_its_numbers_are_the_middle_ones() -> None:
    script = votes(
        {"action": "plan", "hours": 2.0, "reason": "two"},
        {"action": "wait", "hours": 9.0, "reason": "nine"},
        {"action": "plan", "hours": 3.0, "reason": "three"},
        {"action": "plan", "hours": 8.0, "reason": "eight"},
    )
    reply, server = await ask(script, samples=4)
    assert reply.value == Choice(action="plan", hours=3.0, reason="three")
    assert "agreement_3_of_4" in reply.flags
    assert "samples_disagree" not in reply.flags
    assert len(reply.attempts) == len(server.requests) == 4
    assert reply.usage.output_tokens == sum(a.usage.output_tokens for a in reply.attempts)


async def test_without_a_majority_it_is_said() -> None:
    script = votes({"action": "plan"}, {"action": "wait"}, {"action": "forecast"})
    reply, _ = await ask(script, samples=3)
    assert reply.value is not None
    assert {"agreement_1_of_3", "samples_disagree"} <= set(reply.flags)


async def test_samples_that_fail_are_left_out_and_lower_the_agreement() -> None:
    reply, _ = await ask(votes(Fail(400), {"action": "plan"}, {"action": "plan"}), samples=3)
    assert "agreement_2_of_3" in reply.flags
    assert [a.outcome for a in reply.attempts].count("rejected") == 1
    lonely, _ = await ask(votes(Fail(400), Fail(400), {"action": "plan"}), samples=3)
    assert {"agreement_1_of_3", "samples_disagree"} <= set(lonely.flags)
    with pytest.raises(ModelRejectedError):
        await ask(votes(Fail(400)), samples=3)


class Move(BaseModel):
    tag: Literal["FC101", "FC102"]
    up: bool
    by: float


class Plan(BaseModel):
    moves: list[Move]
    worth: float | None = None
    text: str = ""


def test_what_decides_are_switches_and_enumerations_at_any_depth() -> None:
    a, b = {"tag": "FC101", "up": True, "by": 1.0}, {"tag": "FC102", "up": False, "by": 2.0}
    one = vote_of({"moves": [a, b], "worth": 3.0, "text": "x"}, Plan)
    assert one == vote_of({"moves": [{**b, "by": 7.0}, a], "worth": None, "text": "y"}, Plan)
    assert one != vote_of({"moves": [a, {**b, "up": True}], "worth": 3.0, "text": "x"}, Plan)
    assert one != vote_of({"moves": [a], "worth": 3.0, "text": "x"}, Plan)


class Named(BaseModel):
    model_config = {"json_schema_extra": {"agree_on": ["operations"]}}
    operations: list[str]
    careful: bool = False


def test_a_schema_may_name_what_decides() -> None:
    one = vote_of({"operations": ["a.b", "c.d"], "careful": True}, Named)
    assert one == vote_of({"operations": ["c.d", "a.b"], "careful": False}, Named)
    assert one != vote_of({"operations": ["a.b"], "careful": True}, Named)


class Bounded(BaseModel):
    action: Literal["move"]
    low: float
    high: float = Field(gt=0)

    def model_post_init(self, _: object) -> None:
        if self.low >= self.high:
            raise ValueError("low must be under high")


async def test_medians_that_do_not_fit_together_are_not_taken() -> None:
    script = votes(
        {"action": "move", "low": 1.0, "high": 2.0},
        {"action": "move", "low": 5.0, "high": 6.0},
        {"action": "move", "low": 4.0, "high": 4.5},
    )
    reply, _ = await ask(script, Bounded, samples=3)
    assert reply.value.low < reply.value.high


# -- kept answers ---------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    url = request.getfixturevalue("redis_url") if request.param == "redis" else None
    opened = open_cache(url)
    yield opened
    await opened.close()


async def test_the_same_question_is_answered_from_the_cache(cache: Any) -> None:
    async with ModelServer([Say(GOOD, reasoning="hm")]) as server:
        settings = settings_for(server, cache_ttl=60)
        async with configured(settings, cache=cache) as model:
            first = await model.complete(QUESTION, Choice, Budget(5))
            assert not first.from_cache
        async with configured(settings, cache=cache) as model:
            again = await model.complete(QUESTION, Choice, Budget(5))
            assert again.from_cache
            assert (again.value, again.text, again.reasoning) == (
                first.value,
                first.text,
                first.reasoning,
            )
            assert again.usage.output_tokens == 0
            assert again.attempts == ()
            assert len(server.requests) == 1
            await model.complete(QUESTION, Choice, Budget(5, use_cache=False))
            await model.complete(QUESTION, None, Budget(5))
            await model.complete([Message("user", "Another?")], Choice, Budget(5))
            await model.complete(QUESTION, Choice, Budget(5, max_tokens=99))
            assert len(server.requests) == 5
        async with configured(
            settings.with_changes(llm={"temperature": 0.5}), cache=cache
        ) as model:
            assert not (await model.complete(QUESTION, Choice, Budget(5))).from_cache


async def test_a_stream_is_kept_and_given_from_the_cache_too() -> None:
    async with serving([Say("in words")], cache_ttl=60) as (model, server):
        for expected in (False, True):
            pieces = [piece async for piece in model.stream(QUESTION, Budget(5))]
            assert text_of(pieces, "answer") == "in words"
            assert pieces[-1].reply is not None
            assert pieces[-1].reply.from_cache is expected
        assert len(server.requests) == 1


async def test_doubtful_answers_and_errors_are_not_kept() -> None:
    salvaged = Say("", reasoning=GOOD)
    async with serving([salvaged, Say(GOOD)], cache_ttl=60) as (model, server):
        assert (await model.complete(QUESTION, Choice, Budget(5))).flags
        assert not (await model.complete(QUESTION, Choice, Budget(5))).from_cache
        assert len(server.requests) == 2
    async with serving([Fail(400), Say(GOOD)], cache_ttl=60) as (model, _):
        with pytest.raises(ModelRejectedError):
            await model.complete(QUESTION, Choice, Budget(5))
        assert not (await model.complete(QUESTION, Choice, Budget(5))).from_cache


async def test_what_is_kept_cannot_be_read_as_question_or_key_and_may_be_broken() -> None:
    cache = MemoryCache()
    async with serving([Say(GOOD)], parts={"cache": cache}, cache_ttl=60) as (model, _):
        await model.complete(QUESTION, Choice, Budget(5))
        [(name, entry)] = cache._entries.items()
        assert "refinery" not in name + entry.value.decode()
        assert KEY not in name + entry.value.decode()
        for broken in (b"{", b"null", b"[]", b'{"text": "x"}', b'{"value": {"action": "none"}}'):
            await cache.set(name, broken, 60)
            reply = await model.complete(QUESTION, Choice, Budget(5))
            assert not reply.from_cache


# -- the configured model -------------------------------------------------------------------------


def test_without_a_key_there_is_no_model() -> None:
    assert model_of(Settings()) is None
    assert model_of(Settings(llm={"api_key": KEY})) is None


async def test_the_first_model_may_be_missing() -> None:
    async with ModelServer([Say(GOOD)]) as server:
        spare = {"model": "spare", "api_key": "", "base_url": server.base_url}
        async with configured(Settings(llm={"fallbacks": [spare]})) as model:
            assert model.name == "spare"
            assert (await model.complete(QUESTION, Choice, Budget(5))).value is not None


async def test_every_request_is_observed_and_the_report_tells_what_is_known() -> None:
    seen: list[str] = []
    async with ModelServer([Fail(500), Say(GOOD)]) as server:
        settings = settings_for(server)
        async with configured(
            settings, observe=lambda attempt: seen.append(attempt.outcome)
        ) as model:
            await model.complete(QUESTION, Choice, Budget(5))
            report = await model.report()
    assert seen == ["server-error", "ok"]
    [told] = report["models"]
    assert told["model"] == "deepseek-r1"
    assert told["address"] == server.base_url
    assert told["breaker"] == "closed"
    assert report["today"]["models"]["deepseek-r1"]["requests"] == 2
    json.dumps(report)
    named: LanguageModel = model
    assert named.name == "deepseek-r1"


@pytest.mark.parametrize(
    ("llm", "said"),
    [
        ({"model": "deepseek-reasoner"}, "switched off"),
        ({"fallbacks": [{"model": "deepseek-chat"}]}, "switched off"),
        ({"base_url": "gpu-host:8000/v1"}, "must be an address"),
        ({"base_url": "http://user:pass@gpu-host/v1"}, "the key belongs in api_key"),
        ({"base_url": "http://gpu-host/v1?key=abc"}, "the key belongs in api_key"),
        ({"base_url": "http://gpu-host/v1/chat/completions"}, "must end before"),
        ({"capabilities": {"structure": "prompt"}}, "structure"),
    ],
)
def test_a_wrong_configuration_is_refused(llm: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings(llm=llm)


@pytest.mark.parametrize(
    ("llm", "spoken"),
    [
        ({"model": "deepseek-flash"}, "deepseek-hosted"),
        ({"base_url": "https://api.deepseek.com/"}, "deepseek-hosted"),
        ({"base_url": "http://gpu-host:8000/v1"}, "generic"),
        ({"base_url": "http://gpu-host:8000/v1", "dialect": "sglang"}, "sglang"),
    ],
)
def test_the_dialect_is_guessed_from_the_address_alone(llm: dict[str, Any], spoken: str) -> None:
    assert Settings(llm=llm).llm.spoken == spoken
