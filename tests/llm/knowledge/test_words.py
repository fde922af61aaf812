"""Words of texts and questions."""

from __future__ import annotations

import pytest

from orchestrator.llm.knowledge.words import MOST_WORDS, asked_words, words_of


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("E-101", "e101"),
        ("11-TI-042", "11ti042"),
        ("11-TI-042", "ti042"),
        ("tag 11TI042.", "11ti042"),
        ("start-up", "startup"),
        ("Печь П-101", "п101"),
        ("ﬁred heater", "fire"),
        ("pH_low", "ph"),
    ],
)
def test_a_name_is_found_by_each_way_of_writing_it(text: str, word: str) -> None:
    assert word in words_of(text)


def test_a_question_is_its_telling_words() -> None:
    assert asked_words("What is the start-up procedure of the desalter?") == [
        "start",
        "up",
        "startup",
        "procedur",
        "desalt",
    ]
    assert asked_words("what is it") == ["what", "is", "it"]
    assert asked_words("\"*():^ -- ' ;") == []
    assert len(asked_words(" ".join(f"w{n}" for n in range(500)))) == MOST_WORDS
