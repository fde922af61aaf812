"""Reasoning and answer, however the reply is cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.llm.failures import Failure
from orchestrator.llm.reasoning_splitter import Parted, ReasoningSplitter, part


@pytest.mark.parametrize(
    ("content", "parted"),
    [
        ("answer", Parted("", "answer")),
        ("<think>\nhm\n</think>\n\nanswer", Parted("hm", "answer")),
        ("hm\n</think>\nanswer", Parted("hm", "answer")),
        ("<think>\n\n</think>\n\nanswer", Parted("", "answer")),
        ("  <think>hm", Parted("hm", "", unclosed=True)),
        ("a</think>b</think>answer", Parted("ab", "answer")),
        ("<think>a</think>b<think>c</think>answer", Parted("abc", "answer")),
        ("<think>hm</think>", Parted("hm", "")),
        ("", Parted("", "")),
    ],
)
def test_a_whole_reply_is_parted_at_the_last_end_of_reasoning(content: str, parted: Parted) -> None:
    assert part(content) == parted


def streamed(pieces: list[str], *, starts_in_reasoning: bool) -> tuple[str, str, ReasoningSplitter]:
    splitter = ReasoningSplitter(starts_in_reasoning)
    out = [found for piece in pieces for found in splitter.feed(piece)] + splitter.end()
    texts = {k: "".join(t for kind, t in out if kind == k) for k in ("reasoning", "answer")}
    return texts["reasoning"], texts["answer"], splitter


words = st.text(st.sampled_from("abc <>/think\n"), max_size=40).filter(
    lambda text: "</think>" not in text and "<think>" not in text
)
cuts = st.lists(st.integers(0, 120), max_size=12)


def cut(text: str, places: list[int]) -> list[str]:
    ends = [0, *sorted(place for place in places if place < len(text)), len(text)]
    return [text[a:b] for a, b in pairwise(ends)]


@given(words, words, st.booleans(), cuts)
def test_a_stream_cut_anywhere_gives_what_the_whole_gives(
    thought: str, answer: str, opened: bool, places: list[int]
) -> None:
    content = f"{'<think>' if opened else ''}{thought}</think>{answer}"
    reasoning, answered, _ = streamed(cut(content, places), starts_in_reasoning=True)
    whole = part(content)
    assert answered.strip() == whole.answer
    assert reasoning.strip() == whole.reasoning


@given(words, cuts)
def test_a_stream_without_tags_is_all_answer(answer: str, places: list[int]) -> None:
    for implicit in (True, False):
        _, answered, _ = streamed(cut(answer, places), starts_in_reasoning=implicit)
        assert answered.strip() == answer.strip()


def test_nothing_of_a_tag_is_given_out_before_it_is_whole() -> None:
    splitter = ReasoningSplitter(starts_in_reasoning=False)
    given_out = [text for character in "hm</thi" for _, text in splitter.feed(character)]
    assert "".join(given_out) == "hm"
    assert splitter.feed("s is no tag") == [("answer", "</this is no tag")]


def test_reasoning_that_is_taken_up_again_is_noticed() -> None:
    pieces = ["<think>a</think>b", "</think>c"]
    reasoning, answer, splitter = streamed(pieces, starts_in_reasoning=True)
    assert (reasoning, answer) == ("a", "bc")
    assert splitter.late
    assert part("".join(pieces)).answer == "c"


def test_a_call_of_a_tool_is_refused_before_any_of_it_is_given_out() -> None:
    splitter = ReasoningSplitter(starts_in_reasoning=False)
    assert splitter.feed("So: <|to") == [("answer", "So: ")]
    with pytest.raises(Failure) as caught:
        splitter.feed("ol▁calls▁begin|>")
    assert caught.value.kind == "leaked-tool-tokens"
