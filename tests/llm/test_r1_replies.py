"""Each way in which servers of R1 are known to answer, row by row of a measured list, over a real socket."""

from __future__ import annotations

import json
import time

import pytest
from asking import (
    GOOD,
    QUESTION,
    Choice,
    ask,
    listen,
    serving,
    text_of,
)
from model_server import (
    Fail,
    HangUp,
    Html,
    KeepAlive,
    Raw,
    Say,
    event,
)

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

WHOLE = {"capabilities": {"streamed": False}}
THOUGHT = "The unit is steady. Nothing is due, so it can wait."
IN_WORDS = "Nothing should run now: the unit is steady."

ways = pytest.mark.parametrize("streamed", [True, False], ids=["in pieces", "whole"])


def outcomes(error: pytest.ExceptionInfo[ModelError]) -> list[str]:
    return [attempt.outcome for attempt in attempts_of(error.value)]


# -- rows 1 to 5: where the reasoning is ----------------------------------------------------------


@ways
@pytest.mark.parametrize(
    ("dialect", "place"),
    [
        pytest.param("sglang", "reasoning_content", id="row 1"),
        pytest.param("vllm", "reasoning", id="row 2"),
        pytest.param("ollama", "thinking", id="row 2, thinking"),
        pytest.param("llamacpp", "tags", id="row 3"),
        pytest.param("vllm", "no_opening_tag", id="row 5"),
    ],
)
async def test_rows_1_2_3_5_an_object_wherever_the_reasoning_is(
    dialect: str, place: str, streamed: bool
) -> None:
    script = [Say(GOOD, reasoning=THOUGHT, place=place)]
    reply, server = await ask(script, dialect=dialect, capabilities={"streamed": streamed})
    assert reply.value == Choice(action="wait", hours=2.5, reason="steady")
    assert reply.reasoning == THOUGHT
    assert [attempt.outcome for attempt in reply.attempts] == ["ok"]
    assert reply.flags == ()
    assert server.requests[0].streamed is streamed


@ways
async def test_row_4_without_an_opening_tag_the_chain_of_thought_is_no_answer(
    streamed: bool,
) -> None:
    script = [Say(IN_WORDS, reasoning=THOUGHT, place="no_opening_tag")]
    reply, _ = await ask(script, None, capabilities={"streamed": streamed})
    assert reply.text == IN_WORDS
    assert reply.reasoning == THOUGHT


# -- rows 6 to 10: no answer, or a hidden one -----------------------------------------------------


@ways
async def test_row_6_unclosed_reasoning_is_never_the_answer(streamed: bool) -> None:
    script = [Say(None, reasoning=THOUGHT, place="unclosed", finish="length")]
    with pytest.raises(ModelReplyError) as caught:
        await ask(script, None, capabilities={"streamed": streamed})
    assert outcomes(caught) == ["truncated", "truncated"]
    assert THOUGHT not in str(caught.value)


async def test_row_6_unclosed_reasoning_that_claims_to_have_stopped() -> None:
    script = [Say(None, reasoning=THOUGHT, place="unclosed", finish="stop")]
    with pytest.raises(ModelReplyError) as caught:
        await ask(script, None)
    assert outcomes(caught) == ["truncated", "truncated"]


@ways
async def test_row_7_a_reply_cut_by_its_length_gets_more_room_once(streamed: bool) -> None:
    script = [Say("", reasoning=THOUGHT, finish="length"), Say(GOOD, reasoning=THOUGHT)]
    reply, server = await ask(script, max_tokens=1000, capabilities={"streamed": streamed})
    assert reply.value is not None
    assert [sent.body["max_tokens"] for sent in server.requests] == [1000, 2000]
    assert [attempt.outcome for attempt in reply.attempts] == ["truncated", "ok"]


@ways
@pytest.mark.parametrize("content", ["", None, "   \n  "])
async def test_row_8_a_blank_reply_is_asked_for_again(content: str | None, streamed: bool) -> None:
    capabilities = {"streamed": streamed}
    reply, _ = await ask([Say(content), Say(GOOD)], capabilities=capabilities)
    assert [attempt.outcome for attempt in reply.attempts] == ["blank", "ok"]
    with pytest.raises(ModelReplyError) as caught:
        await ask([Say(content)], attempts=3, capabilities=capabilities)
    assert outcomes(caught) == ["blank"] * 3


async def test_row_9_an_object_only_in_the_reasoning_is_salvaged_and_marked() -> None:
    thought = f'First {{"action": "plan"}} came to mind. Better: {GOOD}'
    reply, _ = await ask([Say("", reasoning=thought)])
    assert reply.value == Choice(action="wait", hours=2.5, reason="steady")
    assert "salvaged_from_reasoning" in reply.flags
    with pytest.raises(ModelReplyError):
        await ask([Say("", reasoning=thought)], salvage=False)


LEAK = "<|tool▁calls▁begin|><|tool▁call▁begin|>function<|tool▁sep|>forecast\n```json\n{}\n```"


@ways
@pytest.mark.parametrize("leak", [LEAK, LEAK.replace("|", "｜"), f"{GOOD}\n{LEAK}"])
async def test_row_10_leaked_tool_tokens_are_refused_and_counted(leak: str, streamed: bool) -> None:
    reply, server = await ask([Say(leak), Say(GOOD)], capabilities={"streamed": streamed})
    assert [attempt.outcome for attempt in reply.attempts] == ["leaked-tool-tokens", "ok"]
    assert "leaked_tool_tokens" in reply.flags
    assert "no tools" in server.requests[1].messages[-1]["content"]


# -- rows 11 to 15: the object in the answer ------------------------------------------------------


async def test_row_11_a_fenced_object_after_a_preamble() -> None:
    reply, _ = await ask([Say(f"Here is my decision:\n\n```json\n{GOOD}\n```")])
    assert reply.value == Choice(action="wait", hours=2.5, reason="steady")


async def test_row_12_an_object_with_prose_behind_it() -> None:
    reply, _ = await ask([Say(f"{GOOD}\n\nThis keeps {{the unit}} steady, as asked.")])
    assert reply.value == Choice(action="wait", hours=2.5, reason="steady")
    assert len(reply.attempts) == 1


async def test_row_13_what_does_not_fit_is_mended_by_its_specific_error() -> None:
    wrong = '{"action": "wait", "hours": "soon"}'
    reply, server = await ask([Say(wrong, reasoning="SECRET THOUGHT"), Say(GOOD)])
    assert reply.value is not None
    assert [attempt.outcome for attempt in reply.attempts] == ["malformed", "ok"]
    repair = server.requests[1].messages
    assert [turn["role"] for turn in repair] == ["user", "assistant", "user"]
    assert repair[1]["content"] == wrong
    assert 'hours: must be a number, got "soon"' in repair[2]["content"]
    assert "SECRET THOUGHT" not in json.dumps(repair)


async def test_row_13_repairs_end_after_as_many_as_are_configured() -> None:
    with pytest.raises(ModelReplyError, match="hours") as caught:
        await ask([Say('{"action": "wait", "hours": -1}')], max_retries=2)
    assert outcomes(caught) == ["malformed"] * 3


async def test_row_14_no_tools_are_sent_so_no_tool_choice_is_refused() -> None:
    _, server = await ask([Say(GOOD)], dialect="deepseek-hosted")
    assert not {"tools", "tool_choice"} & set(server.requests[0].body)


async def test_row_15_json_is_asked_for_as_each_server_takes_it() -> None:
    _, hosted = await ask([Say(GOOD)], dialect="deepseek-hosted")
    assert hosted.requests[0].body["response_format"] == {"type": "json_object"}
    assert "JSON" in hosted.requests[0].messages[0]["content"]
    _, plain = await ask([Say(GOOD)])
    assert "response_format" not in plain.requests[0].body
    assert '"enum":["wait","forecast","plan"]' in plain.requests[0].messages[0]["content"]
    _, guided = await ask([Say(GOOD)], capabilities={"structured": "json_schema"})
    wanted = guided.requests[0].body["response_format"]["json_schema"]
    assert wanted["schema"]["properties"]["hours"]["exclusiveMinimum"] == 0
    with pytest.raises(ModelRejectedError, match="response_format type is unavailable"):
        await ask(
            [Say(GOOD)], dialect="deepseek-hosted", capabilities={"structured": "json_schema"}
        )


# -- rows 16 to 21: the server and the network ----------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "error", "tries"),
    [
        (400, "rejected", ModelRejectedError, 1),
        (401, "authentication", ModelRejectedError, 1),
        (402, "balance", ModelRejectedError, 1),
        (404, "not-found", ModelRejectedError, 1),
        (422, "rejected", ModelRejectedError, 1),
        (429, "rate-limited", ModelBusyError, 3),
        (500, "server-error", ModelUnreachableError, 3),
        (502, "server-error", ModelUnreachableError, 3),
        (503, "overloaded", ModelBusyError, 3),
    ],
)
async def test_row_16_each_status_has_its_error_and_only_some_are_tried_again(
    status: int, kind: str, error: type[ModelError], tries: int
) -> None:
    with pytest.raises(error, match=f"HTTP {status}: what is wrong") as caught:
        await ask([Fail(status, "what is wrong")], attempts=3)
    assert outcomes(caught) == [kind] * tries
    assert caught.value.remedy
    assert caught.value.retryable is (tries > 1)


@ways
async def test_row_17_a_page_in_place_of_a_reply_is_tried_again(streamed: bool) -> None:
    reply, _ = await ask([Html(), Say(GOOD)], capabilities={"streamed": streamed})
    assert [attempt.outcome for attempt in reply.attempts] == ["not-json", "ok"]
    with pytest.raises(ModelUnreachableError, match="html"):
        await ask([Html()], attempts=2)


@ways
async def test_row_18_keep_alives_before_the_reply(streamed: bool) -> None:
    reply, _ = await ask([KeepAlive(Say(GOOD))], capabilities={"streamed": streamed})
    assert reply.value is not None
    assert len(reply.attempts) == 1


async def test_row_19_keep_alives_and_then_a_body_that_is_cut() -> None:
    cut = KeepAlive(Raw((b'{"choices": [{"mess',), cut=True))
    reply, _ = await ask([cut, Say(GOOD)], **WHOLE)
    assert [attempt.outcome for attempt in reply.attempts] == ["cut-off", "ok"]
    # a proxy that closes in good order half-way
    reply, _ = await ask([Raw((b'\n\n{"choices": [{"mess',)), Say(GOOD)], **WHOLE)
    assert [attempt.outcome for attempt in reply.attempts] == ["cut-off", "ok"]


@ways
async def test_row_20_endless_keep_alives_end_at_the_deadline(streamed: bool) -> None:
    begun = time.monotonic()
    with pytest.raises(ModelDeadlineError) as caught:
        await ask([KeepAlive()], deadline=0.4, capabilities={"streamed": streamed})
    assert time.monotonic() - begun < 1.5
    assert outcomes(caught) == ["deadline"]


async def test_row_21_there_is_one_retry_layer() -> None:
    async with serving([Fail(500)], attempts=4) as (model, server):
        with pytest.raises(ModelUnreachableError):
            await model.complete(QUESTION, Choice, Budget(5))
        assert len(server.requests) == 4


# -- rows 22 to 27: streams -----------------------------------------------------------------------


async def test_row_22_a_stream_with_a_field_for_reasoning() -> None:
    pieces = await listen([Say(IN_WORDS, reasoning=THOUGHT, place="reasoning")])
    assert text_of(pieces, "reasoning") == THOUGHT
    assert text_of(pieces, "answer") == IN_WORDS
    assert len([piece for piece in pieces if piece.kind == "answer"]) > 3
    assert pieces[-1].kind == "end"
    assert pieces[-1].reply is not None
    assert pieces[-1].reply.text == IN_WORDS


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 1000])
@pytest.mark.parametrize("place", ["tags", "no_opening_tag"])
async def test_rows_23_24_a_stream_with_tags_cut_anywhere_or_without_the_first(
    place: str, size: int
) -> None:
    pieces = await listen([Say(IN_WORDS, reasoning=THOUGHT, place=place, size=size)])
    assert text_of(pieces, "reasoning").strip() == THOUGHT
    assert text_of(pieces, "answer") == IN_WORDS
    assert "think" not in "".join(piece.text for piece in pieces)


async def test_row_24_a_stream_without_any_tag_is_an_answer_in_the_end() -> None:
    pieces = await listen([Say(IN_WORDS)])
    assert text_of(pieces, "answer") == IN_WORDS
    at_once = await listen([Say(IN_WORDS)], capabilities={"starts_in_reasoning": False})
    assert text_of(at_once, "reasoning") == ""
    assert text_of(at_once, "answer") == IN_WORDS


async def test_row_24_a_stream_that_takes_up_its_reasoning_again_is_right_in_the_end() -> None:
    twice = f"<think>{THOUGHT}</think>Perhaps.</think>{IN_WORDS}"
    pieces = await listen([Say(twice)])
    assert pieces[-1].reply is not None
    assert pieces[-1].reply.text == IN_WORDS
    assert "reasoning_taken_up_again" in pieces[-1].reply.flags


async def test_row_25_a_stream_that_breaks_in_the_reasoning_is_an_error_of_the_network() -> None:
    pieces: list[Piece] = []
    with pytest.raises(ModelUnreachableError) as caught:
        await listen([Say(IN_WORDS, reasoning=THOUGHT, cut_after=4)], into=pieces)
    assert outcomes(caught) == ["cut-off"]
    assert {piece.kind for piece in pieces} == {"reasoning"}


async def test_row_25_a_stream_that_just_ends_is_no_whole_answer() -> None:
    with pytest.raises(ModelUnreachableError, match="without a finish_reason"):
        await listen([Say(IN_WORDS, finish=None, done=False)])
    answered = await listen([Say(IN_WORDS, finish="stop", done=False)])
    assert text_of(answered, "answer") == IN_WORDS


async def test_row_25_a_whole_answer_that_is_streamed_underneath_is_asked_for_again() -> None:
    reply, _ = await ask([Say(GOOD, reasoning=THOUGHT, cut_after=4), Say(GOOD)])
    assert [attempt.outcome for attempt in reply.attempts] == ["cut-off", "ok"]


async def test_row_26_an_error_inside_a_stream() -> None:
    error = event({"error": {"message": "engine overloaded", "code": 503, "type": "overloaded"}})
    script = [Raw((error,), content_type="text/event-stream")]
    with pytest.raises(ModelBusyError, match="engine overloaded") as caught:
        await listen(script, attempts=2)
    assert outcomes(caught) == ["overloaded", "overloaded"]


async def test_row_27_a_stream_is_asked_for_again_only_while_nothing_was_given_out() -> None:
    pieces = await listen([Fail(503), HangUp(), Say(IN_WORDS)])
    assert text_of(pieces, "answer") == IN_WORDS
    assert pieces[-1].reply is not None
    assert [a.outcome for a in pieces[-1].reply.attempts] == ["overloaded", "cut-off", "ok"]
    leaking: list[Piece] = []
    with pytest.raises(ModelReplyError, match="tool") as caught:
        await listen(
            [Say(f"I shall look. {LEAK}")],
            into=leaking,
            capabilities={"starts_in_reasoning": False},
        )
    assert outcomes(caught) == ["leaked-tool-tokens"]
    assert "tool" not in text_of(leaking, "answer")


# -- row 28: the next turn ------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["vllm", "deepseek-hosted"])
async def test_row_28_reasoning_is_never_sent_back(dialect: str) -> None:
    history = [
        Message("user", "What now?"),
        Message("assistant", f"<think>\n{THOUGHT}\n</think>\n\nWait."),
        Message("user", "And then?"),
    ]
    _, server = await ask([Say(IN_WORDS)], None, messages=history, dialect=dialect)
    sent = server.requests[0].messages
    assert [turn["content"] for turn in sent] == ["What now?", "Wait.", "And then?"]
    assert all(set(turn) == {"role", "content"} for turn in sent)


async def test_row_28_the_original_r1_gets_its_instructions_before_the_question() -> None:
    _, server = await ask([Say(GOOD)])
    turns = server.requests[0].messages
    assert [turn["role"] for turn in turns] == ["user"]
    text = turns[0]["content"]
    assert text.index("You advise") < text.index("JSON Schema") < text.index("What should run")
    _, newer = await ask([Say(GOOD)], capabilities={"system_message": True})
    assert [turn["role"] for turn in newer.requests[0].messages] == ["system", "user"]
    assert newer.requests[0].messages[1]["content"] == "What should run now?"
