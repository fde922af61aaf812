"""Servers and networks that misbehave: each question ends in time with a right answer or an honest error."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from asking import (
    GOOD,
    KEY,
    QUESTION,
    Choice,
    ask,
    configured,
    listen,
    serving,
    settings_for,
    text_of,
)
from model_server import (
    Fail,
    HangUp,
    KeepAlive,
    ModelServer,
    Raw,
    Say,
    Sent,
    Silence,
    event,
)

from orchestrator.config import Settings
from orchestrator.errors import (
    ModelBusyError,
    ModelDeadlineError,
    ModelError,
    ModelRejectedError,
    ModelReplyError,
    ModelUnreachableError,
)
from orchestrator.llm.asking import attempts_of
from orchestrator.llm.port import Budget, Message, Piece

WHOLE = {"streamed": False}
ways = pytest.mark.parametrize("streamed", [True, False], ids=["in pieces", "whole"])


def outcomes(error: pytest.ExceptionInfo[ModelError]) -> list[str]:
    return [attempt.outcome for attempt in attempts_of(error.value)]


# -- the network ----------------------------------------------------------------------------------


async def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    settings = Settings(llm={"api_key": "", "base_url": url, "retry_base": 0.01, "attempts": 2})
    async with configured(settings) as model:
        with pytest.raises(ModelUnreachableError, match=url) as caught:
            await model.complete(QUESTION, Choice, Budget(5))
    assert outcomes(caught) == ["connection"] * 2
    assert caught.value.retryable


async def test_a_name_that_does_not_resolve() -> None:
    url = "http://no-such-host.invalid/v1"
    settings = Settings(llm={"api_key": "", "base_url": url, "attempts": 1})
    async with configured(settings) as model:
        with pytest.raises(ModelUnreachableError, match="no-such-host"):
            await model.complete(QUESTION, Choice, Budget(5))


async def test_a_server_that_hangs_up_is_tried_again() -> None:
    reply, _ = await ask([HangUp(), HangUp(), Say(GOOD)])
    assert [attempt.outcome for attempt in reply.attempts] == ["cut-off", "cut-off", "ok"]


async def test_silence_ends_at_the_deadline_and_speaks_against_the_server() -> None:
    async with serving([Silence()], breaker_failures=1) as (model, _):
        begun = time.monotonic()
        with pytest.raises(ModelDeadlineError, match=r"within 0\.3 s"):
            await model.complete(QUESTION, Choice, Budget(0.3))
        assert time.monotonic() - begun < 1.5
        with pytest.raises(ModelBusyError, match="left alone"):
            await model.complete(QUESTION, Choice, Budget(5))


async def test_a_slow_drip_ends_at_the_deadline_and_tells_how_far_it_came() -> None:
    drip = Say(GOOD, reasoning="word " * 200, size=5, pause=0.02)
    with pytest.raises(ModelDeadlineError) as caught:
        await ask([drip], deadline=0.4)
    assert outcomes(caught) == ["deadline"]
    assert attempts_of(caught.value)[0].usage.reasoning_tokens > 0


async def test_a_slow_drip_that_ends_in_time_is_an_answer() -> None:
    reply, _ = await ask([Say(GOOD, reasoning="word " * 5, pause=0.01)])
    assert reply.value is not None


async def test_a_stream_stops_at_its_deadline_though_pieces_keep_coming() -> None:
    pieces: list[Piece] = []
    begun = time.monotonic()
    with pytest.raises(ModelDeadlineError):
        await listen([Say("word " * 500, size=5, pause=0.02)], deadline=0.4, into=pieces)
    assert time.monotonic() - begun < 1.5
    assert pieces


@pytest.mark.parametrize("kept_alive", [True, False])
async def test_a_stream_that_never_begins_ends_at_its_deadline(kept_alive: bool) -> None:
    with pytest.raises(ModelDeadlineError):
        await listen([KeepAlive() if kept_alive else Silence()], deadline=0.3)


async def test_who_leaves_a_stream_early_ends_the_request() -> None:
    async with serving([Say("word " * 5000, size=5, pause=0.005)]) as (model, server):
        stream = model.stream(QUESTION, Budget(30))
        async for piece in stream:
            assert piece.kind == "reasoning"
            break
        await stream.aclose()  # type: ignore[attr-defined]
        for _ in range(100):
            if server.open_now == 0:
                break
            await asyncio.sleep(0.01)
        assert server.open_now == 0


async def test_who_is_cancelled_ends_the_request() -> None:
    async with serving([Silence()]) as (model, server):
        task = asyncio.create_task(model.complete(QUESTION, Choice, Budget(30)))
        while not server.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(100):
            if server.open_now == 0:
                break
            await asyncio.sleep(0.01)
        assert server.open_now == 0
        assert (await model.report())["models"][0]["breaker"] == "closed"


# -- too much to do -------------------------------------------------------------------------------


async def test_429_without_a_wait_is_tried_again_after_a_growing_one() -> None:
    begun = time.monotonic()
    reply, _ = await ask([Fail(429), Fail(429), Say(GOOD)], retry_base=0.1)
    assert [attempt.outcome for attempt in reply.attempts] == ["rate-limited"] * 2 + ["ok"]
    assert 0.15 <= time.monotonic() - begun < 2


@pytest.mark.parametrize("as_date", [False, True])
async def test_429_with_a_wait_is_tried_again_after_it(as_date: bool) -> None:
    at = datetime.now(UTC) + timedelta(seconds=2)
    wait = format_datetime(at, usegmt=True) if as_date else "1"
    begun = time.monotonic()
    reply, _ = await ask([Fail(429, headers={"Retry-After": wait}), Say(GOOD)])
    assert reply.value is not None
    assert time.monotonic() - begun >= 0.9


async def test_a_wait_beyond_the_deadline_is_not_waited_for() -> None:
    begun = time.monotonic()
    with pytest.raises(ModelBusyError, match="after the deadline"):
        await ask([Fail(429, headers={"Retry-After": "3600"}), Say(GOOD)])
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("wait", ["soon", "-5", "nan", ""])
async def test_a_wait_that_makes_no_sense_does_no_harm(wait: str) -> None:
    reply, _ = await ask([Fail(429, headers={"Retry-After": wait}), Say(GOOD)])
    assert reply.value is not None


async def test_a_storm_of_503_opens_the_breaker_and_one_request_tries_it_later() -> None:
    busy = True

    def script(_: Sent) -> Any:
        return Fail(503) if busy else Say(GOOD)

    async with serving(script, breaker_failures=3, breaker_seconds=0.3, attempts=3) as (
        model,
        server,
    ):
        with pytest.raises(ModelBusyError):
            await model.complete(QUESTION, Choice, Budget(5))
        assert (await model.report())["models"][0]["breaker"] == "open"
        with pytest.raises(ModelBusyError, match=r"left alone.*HTTP 503"):
            await model.complete(QUESTION, Choice, Budget(5))
        assert len(server.requests) == 3
        today = (await model.report())["today"]
        assert today["models"]["deepseek-r1"]["requests"] == 3
        busy = False
        await asyncio.sleep(0.35)
        reply = await model.complete(QUESTION, Choice, Budget(5))
        assert reply.value is not None
        assert (await model.report())["models"][0]["breaker"] == "closed"


@pytest.mark.parametrize("status", [401, 402])
async def test_a_key_or_a_balance_that_is_refused_stops_all_further_requests(status: int) -> None:
    async with serving([Fail(status, "Insufficient Balance")]) as (model, server):
        for error in (ModelRejectedError, ModelBusyError):
            with pytest.raises(error, match="Insufficient Balance"):
                await model.complete(QUESTION, Choice, Budget(5))
        assert len(server.requests) == 1


async def test_no_more_requests_at_once_than_configured() -> None:
    async with serving([Say(GOOD, pause=0.005)], concurrency=2) as (model, server):
        await asyncio.gather(*(model.complete(QUESTION, Choice, Budget(20)) for _ in range(8)))
        assert server.most_open == 2


async def test_waiting_for_a_turn_counts_against_the_deadline() -> None:
    async with serving([Silence()], concurrency=1) as (model, server):
        first = asyncio.create_task(model.complete(QUESTION, Choice, Budget(2)))
        while not server.requests:
            await asyncio.sleep(0.01)
        with pytest.raises(ModelDeadlineError):
            await model.complete(QUESTION, Choice, Budget(0.2))
        assert len(server.requests) == 1
        first.cancel()


# -- replies that are no answers ------------------------------------------------------------------


@ways
async def test_a_giant_answer_is_not_read_to_its_end(streamed: bool) -> None:
    pieces = (
        event({"choices": [{"index": 0, "delta": {"content": f"value {n} of {n * n}, "}}]})
        for n in range(60_000)
    )
    part = b"".join(pieces)
    kind = "text/event-stream" if streamed else "application/json"
    giant = Raw((part,), content_type=kind)
    with pytest.raises(ModelReplyError, match="larger than 1 MB") as caught:
        await ask([giant], max_reply_mb=1, capabilities={"streamed": streamed})
    assert outcomes(caught) == ["too-large"]


async def test_a_giant_error_page_is_not_read_to_its_end() -> None:
    page = Raw((b"<p>no</p>" * 10_000,) * 100, content_type="text/html", status=502)
    with pytest.raises(ModelUnreachableError, match="HTTP 502") as caught:
        await ask([page], attempts=1)
    assert len(str(caught.value)) < 2000


@ways
async def test_a_reply_that_repeats_itself_is_cut_short_and_asked_for_again_warmer(
    streamed: bool,
) -> None:
    loop = Say("", reasoning="Wait, let me check the reflux again. " * 400)
    reply, server = await ask(
        [loop, Say(GOOD)], temperature=0.2, capabilities={"streamed": streamed}
    )
    assert [attempt.outcome for attempt in reply.attempts] == ["repetition", "ok"]
    assert [sent.body["temperature"] for sent in server.requests] == [0.2, 0.7]


async def test_a_refusal_in_words_is_marked_and_a_refusal_field_is_an_error() -> None:
    reply, _ = await ask([Say("I'm sorry, but as an AI I cannot access your plant.")], None)
    assert "refusal" in reply.flags
    with pytest.raises(ModelReplyError, match="refuses: not this"):
        await ask([Say(None, extra={"refusal": "not this"})], capabilities=WHOLE)
    with pytest.raises(ModelReplyError, match="content_filter"):
        await ask([Say("", finish="content_filter")])


async def test_a_refusal_in_place_of_an_object_ends_in_an_honest_error() -> None:
    with pytest.raises(ModelReplyError, match="no JSON object"):
        await ask([Say("As an AI I cannot access your plant.")], max_retries=1)


async def test_another_language_is_marked() -> None:
    answer = "装置运行稳定,目前不需要运行任何模块。请继续监视进料温度和塔顶压力的变化。"
    reply, _ = await ask([Say(answer)], None)
    assert "language" in reply.flags
    asked = [Message("user", "现在应该运行哪个模块?")]
    same, _ = await ask([Say(answer)], None, messages=asked)
    assert "language" not in same.flags


@ways
async def test_invalid_utf8(streamed: bool) -> None:
    bad = b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'
    raw = (
        Raw((b"data: " + bad + b"\n\n",), content_type="text/event-stream")
        if streamed
        else Raw((bad,))
    )
    reply, _ = await ask([raw, Say(GOOD)], capabilities={"streamed": streamed})
    assert [attempt.outcome for attempt in reply.attempts] == ["not-json", "ok"]


async def test_characters_that_no_database_holds_are_replaced() -> None:
    body = (
        b'{"choices": [{"index": 0, "finish_reason": "stop",'
        b' "message": {"content": "a\\ud800b\\u0000c"}}]}'
    )
    reply, _ = await ask([Raw((body,))], None, capabilities=WHOLE)
    assert reply.text == "a\ufffdbc"


@pytest.mark.parametrize(
    "body",
    [b"", b"   \n", b"[]", b"null", b'"text"', b"{}", b'{"choices": []}', b'{"choices": [null]}',
     b'{"choices": {"a": 1}}', b'{"choices": [{"message": []}]}', b"[" * 100_000],
)  # fmt: skip
async def test_bodies_that_are_no_reply(body: bytes) -> None:
    with pytest.raises((ModelUnreachableError, ModelReplyError)):
        await ask([Raw((body,))], attempts=2, capabilities=WHOLE)


async def test_events_of_other_forms_are_passed_over() -> None:
    script = Raw(
        (
            b": comment\n\nevent: message\nid: 1\nretry: 10\n",
            event({"choices": []}),
            event({"choices": [{"index": 0, "delta": None}]}),
            event({"choices": [{"index": 0, "delta": {"content": None, "role": "assistant"}}]}),
            event(
                {"choices": [{"index": 0, "delta": {"content": [{"type": "text", "text": "ok"}]}}]}
            ),
            event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
            b"data: [DONE]\n\n",
        ),
        content_type="text/event-stream",
    )
    assert text_of(await listen([script]), "answer") == "ok"


async def test_a_question_that_is_sent_back_before_the_reasoning_is_no_answer() -> None:
    deltas = [
        {"content": '<|user|>Answer so: {"action": "plan"}<|assistant|>'},
        {"reasoning_content": "hm"},
        {"content": GOOD},
        {"content": "<|end|>"},
    ]
    events = [event({"choices": [{"index": 0, "delta": delta}]}) for delta in deltas]
    events.append(event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
    script = [Raw(tuple(events), content_type="text/event-stream")]
    reply, _ = await ask(script)
    assert reply.value == Choice(action="wait", hours=2.5, reason="steady")
    assert reply.text == GOOD
    assert reply.reasoning == "hm"
    assert "content_before_reasoning" in reply.flags
    pieces = await listen(script)
    assert text_of(pieces, "answer") == f"{GOOD}<|end|>"
    assert pieces[-1].reply is not None
    assert pieces[-1].reply.text == GOOD


async def test_an_unknown_finish_reason_is_an_end_and_a_known_bad_one_is_not() -> None:
    reply, _ = await ask([Say(GOOD, finish="eos")])
    assert reply.value is not None
    reply, _ = await ask([Say(GOOD, finish="insufficient_system_resource"), Say(GOOD)])
    assert [attempt.outcome for attempt in reply.attempts] == ["overloaded", "ok"]


async def test_a_server_that_does_not_stream_is_taken_as_it_is() -> None:
    body = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "whole"}}]}
    assert text_of(await listen([Raw((json.dumps(body).encode(),))]), "answer") == "whole"


# -- the question ---------------------------------------------------------------------------------


async def test_a_wrong_path_hints_at_the_other_spelling() -> None:
    async with ModelServer([Say(GOOD)]) as server:
        wrong = server.base_url.removesuffix("/v1")
        settings = settings_for(server).with_changes(llm={"base_url": wrong})
        async with configured(settings) as model:
            with pytest.raises(ModelRejectedError, match="must end in /v1"):
                await model.complete(QUESTION, Choice, Budget(5))


async def test_a_model_that_is_not_served() -> None:
    with pytest.raises(ModelRejectedError, match="does not exist"):
        await ask([Say(GOOD)], server={"models": ["other"]})


async def test_a_context_that_the_server_finds_too_short() -> None:
    with pytest.raises(ModelRejectedError, match="maximum context length") as caught:
        await ask([Say(GOOD)], server={"context": 4096})
    assert outcomes(caught) == ["prompt-too-long"]


async def test_a_short_known_context_shortens_the_reply_and_refuses_a_long_question() -> None:
    _, server = await ask([Say(GOOD)], dialect="ollama")
    assert 256 <= server.requests[0].body["max_tokens"] < 4096
    asked = [Message("user", "value 12.5 degC; " * 1000)]
    with pytest.raises(ModelRejectedError, match="OLLAMA_CONTEXT_LENGTH") as caught:
        await ask([Say(GOOD)], dialect="ollama", messages=asked)
    assert outcomes(caught) == ["prompt-too-long"]


async def test_fields_of_the_site_are_sent_as_they_are() -> None:
    extra = {"thinking": {"type": "enabled"}, "top_p": 1.0}
    _, server = await ask(
        [Say(GOOD)], capabilities={"extra_body": extra, "max_tokens_field": "max_completion_tokens"}
    )
    body = server.requests[0].body
    assert body["thinking"] == {"type": "enabled"}
    assert body["top_p"] == 1.0
    assert "max_tokens" not in body
    assert body["max_completion_tokens"] == 16384


# -- secrets --------------------------------------------------------------------------------------


async def test_a_key_is_in_no_error_no_log_and_no_repr(capfd: pytest.CaptureFixture[str]) -> None:
    # The server echoes the key that it refuses.
    async with ModelServer([Say(GOOD)], api_key="another") as server:
        settings = settings_for(server)
        async with configured(settings) as model:
            with pytest.raises(ModelRejectedError) as caught:
                await model.complete(QUESTION, Choice, Budget(5))
            shown = [repr(model), repr(model._models[0].endpoint.transport), repr(settings)]
            shown += [str(await model.report()), json.dumps(caught.value.problem(), default=str)]
    shown += [str(caught.value), repr(caught.value), *capfd.readouterr()]
    assert "(key)" in str(caught.value)
    assert KEY not in "".join(shown)


async def test_a_key_is_sent_once_and_an_empty_one_not_at_all() -> None:
    _, server = await ask([Say(GOOD)])
    sent = server.requests[0]
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in json.dumps(sent.body)
    _, open_server = await ask([Say(GOOD)], api_key="")
    assert "authorization" not in open_server.requests[0].headers


async def test_a_redirect_does_not_carry_the_key_away() -> None:
    async with ModelServer([Say(GOOD)]) as elsewhere:
        away = Fail(307, "moved", headers={"Location": f"{elsewhere.base_url}/chat/completions"})
        with pytest.raises(ModelUnreachableError, match="HTTP 307"):
            await ask([away], attempts=1)
        assert elsewhere.requests == []
