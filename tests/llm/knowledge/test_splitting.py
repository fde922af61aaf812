"""Passages are the document's own lines, under the right headings, and cover all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.llm.knowledge.reading import Contents, Kind, Line
from orchestrator.llm.knowledge.splitting import LONGEST, split, title_of


def contents(text: str, kind: Kind = "markdown", outline: dict[str, int] | None = None) -> Contents:
    lines = tuple(Line(line, number) for number, line in enumerate(text.split("\n"), 1))
    return Contents(kind, lines, outline=outline or {})


MANUAL = """\
# Desalter manual

Purpose and scope.

## Start-up

Before start-up check the interface level.

1. Open the crude inlet valve slowly.

2. Raise the temperature to 130 °C,
   no faster than 30 °C/h.

3. Energise the grids.

## Shutdown

```
# no heading, a comment in code
## nor this
```

Interface
---------
Keep it at 40 %.
"""


def test_markdown_is_split_at_its_headings_and_steps_stay_together() -> None:
    pieces = split(contents(MANUAL))
    assert [piece.heading for piece in pieces] == [
        "Desalter manual",
        "Desalter manual › Start-up",
        "Desalter manual › Shutdown",
        "Desalter manual › Interface",
    ]
    start_up = pieces[1]
    assert (start_up.first_line, start_up.last_line) == (5, 14)
    assert start_up.text == "\n".join(MANUAL.split("\n")[4:14])
    assert "3. Energise the grids." in start_up.text
    assert title_of(contents(MANUAL), "x.md") == "Desalter manual"


def test_a_list_of_steps_is_longer_than_a_paragraph_may_be() -> None:
    steps = "\n\n".join(f"{n}. Step {n}: {'do it with care ' * 6}" for n in range(1, 25))
    text = f"Words before. {'x' * 1200}\n\n{steps}\n"
    pieces = split(contents(text, "text"))
    assert len(pieces) == 1 or pieces[1].text.startswith("1. Step 1")
    assert "24. Step 24" in pieces[-1].text
    assert "1. Step 1:" in pieces[-1].text


def test_long_text_is_divided_between_paragraphs() -> None:
    text = "\n\n".join(f"Paragraph {n}. " + "words " * 100 for n in range(20))
    pieces = split(contents(text, "text"))
    assert len(pieces) > 5
    assert all(piece.text.startswith("Paragraph") for piece in pieces)


def test_a_line_beyond_all_measure_is_divided_between_words() -> None:
    line = "word " * 3000
    pieces = split(contents(line, "text"))
    assert all(len(piece.text) <= LONGEST for piece in pieces)
    assert "".join(piece.text for piece in pieces) == line
    assert {(piece.first_line, piece.last_line) for piece in pieces} == {(1, 1)}


def test_numbered_headings_of_plain_text_are_told_from_steps() -> None:
    text = (
        "4.2 Start-up of the desalter\n\nOpen the valve.\n\n"
        "4.2.1 Open the inlet\n4.2.2 Close the drain\n4.2.3 Watch the level\n\n"
        "4.3 Shutdown\n\nClose it.\n"
    )
    headings = [piece.heading for piece in split(contents(text, "text"))]
    assert headings == ["4.2 Start-up of the desalter", "4.3 Shutdown"]


def test_headings_of_a_pdf_outline_are_headings() -> None:
    text = "Desalter\nGeneral words here\nInterface control\nKeep it low"
    found = split(contents(text, "pdf", {"Desalter": 1, "Interface control": 2}))
    assert [piece.heading for piece in found] == ["Desalter", "Desalter › Interface control"]


LINES = st.lists(
    st.one_of(
        st.sampled_from(
            ["", "", "# A", "## B", "1. do", "- item", "===", "---", "```", "| a | b |"]
        ),
        st.text(
            st.characters(exclude_characters="\n\r\0", exclude_categories=("Cs",)), max_size=90
        ),
    ),
    max_size=60,
)


@given(LINES, st.sampled_from(["markdown", "text", "pdf"]))
def test_every_line_is_in_one_passage_word_for_word(lines: list[str], kind: Kind) -> None:
    pieces = split(contents("\n".join(lines), kind))
    last = 0
    for piece in pieces:
        assert piece.first_line > last
        assert piece.text == "\n".join(lines[piece.first_line - 1 : piece.last_line])
        assert not any(line.strip() for line in lines[last : piece.first_line - 1])
        last = piece.last_line
    assert not any(line.strip() for line in lines[last:])


@pytest.mark.parametrize("kind", ["markdown", "text"])
def test_splitting_takes_time_in_proportion_to_the_length(kind: Kind) -> None:
    import time

    text = "1.1 Not a heading among its like\n" * 20_000 + "\n" * 20_000 + "- item\n\n" * 20_000
    started = time.perf_counter()
    split(contents(text, kind))
    assert time.perf_counter() - started < 10
