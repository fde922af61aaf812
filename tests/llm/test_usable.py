"""What is no answer is known as such: refusals, other scripts, thinking aloud, control characters."""

from __future__ import annotations

import pytest

from orchestrator.llm.usable import OTHER_LANGUAGE, REFUSED, THINKS, shown, unusable, unusual


@pytest.mark.parametrize(
    "answer",
    [
        "Okay, so the user asks about the outlet. Let me think. I should check the evidence first.",
        "Hmm, the outlet is at 352.4 °C.",
        "Alright, let's see. TI042 is at 352.4 °C.",
        "First, I need to look at the evidence. TI042 is at 352.4 °C.",
        "TI042 is at 352.4 °C. Wait, is that its limit?",
        "We are asked for the outlet. It is 352.4 °C.",
    ],
)
def test_thinking_aloud_is_no_answer(answer: str) -> None:
    assert unusable(answer, ["How is the outlet?"]) == (THINKS,)


@pytest.mark.parametrize(
    "answer",
    [
        "TI042 stands at 352.4 °C, so it is inside its limits.",
        "So far nothing is wrong: three tags are good.",
        "Wait until the laboratory has reported.",
        "First, the furnace outlet is at 352.4 °C; second, the feed is at 640 m3/h.",
        "Well within its limits: 352.4 °C.",
        "Right now the plant is steady.",
        "What is known: the feed is 640 m3/h.",
    ],
)
def test_an_answer_is_not_taken_for_thinking(answer: str) -> None:
    assert unusable(answer, ["How is the outlet?"]) == ()


def test_a_refusal_counts_only_where_something_was_found() -> None:
    refusal = "I'm sorry, but I cannot help."
    assert unusable(refusal, ["How is it?"]) == (REFUSED,)
    assert unusable(refusal, ["How is it?"], found=False) == ()
    chinese = "炉出口温度为三百五十二度，低于上限，装置运行正常，无需任何操作。"
    assert unusable(chinese, ["How is it?"]) == (OTHER_LANGUAGE,)


def test_terminal_sequences_are_taken_out_whole() -> None:
    assert shown("\x1b[2J\x1b]0;title\x07TI042\x1b[0m is\nfine\x00") == "TI042 is\nfine"


def test_flags_are_told_once() -> None:
    assert unusual(["refusal", "language"]) == ""
    assert "reasoning taken up again" in unusual(["reasoning_taken_up_again"])
