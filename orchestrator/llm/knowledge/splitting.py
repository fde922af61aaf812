"""From the lines of a document to passages: small enough to quote, whole enough to be understood.

A passage never crosses a heading, and its text is the document's own, line by line: what is quoted from it
is quoted word for word. A list of steps stays together as long as it is not very long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.llm.knowledge.reading import Contents, Line

SPLITTER = 1
"""Version of the rules: documents that were split by others are split anew when they are added again."""
TARGET = 1_500
"""Length at which the next paragraph begins a new passage, characters."""
LONGEST = 4_000
"""Length at which even a list of steps is divided, characters."""
JOIN = " › "
MOST_HEADING = 120

_ATX = re.compile(r" {0,3}(#{1,6})(?:\s+(.*?))?\s*#*\s*$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})\s*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_NUMBERED = re.compile(r"\s{0,3}(\d{1,2}(?:\.\d{1,2}){1,4})\.?\s+[^\W\d_].{1,90}$")
_ITEM = re.compile(r"\s*(?:[-*+•–]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s+\S")
_CAPITALS = re.compile(r"[^a-zа-яё]{6,80}$")


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage before it is stored; lines count on their page in a PDF."""

    heading: str
    text: str
    page: int | None
    last_page: int | None
    first_line: int
    last_line: int


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines ``start`` to ``end`` (not included), which belong together, under a path of headings."""

    heading: str
    start: int
    end: int
    is_heading: bool = False


def split(contents: Contents) -> list[Piece]:
    """The passages of a document in their order."""
    pieces: list[Piece] = []
    held: list[_Block] = []
    lines = contents.lines

    def release() -> None:
        if held:
            between = lines[held[0].start : held[-1].end]
            pieces.extend(_pieces(held[-1].heading, between))
            held.clear()

    for block in _blocks(contents):
        bare = all(before.is_heading for before in held)
        # Headings that follow one another go with what comes under the last of them.
        if block.is_heading and not bare:
            release()
        elif held and not block.is_heading and not bare:
            size = _length(lines[held[0].start : block.end])
            items = _ITEM.match(lines[block.start].text) is not None
            if size > (LONGEST if items else TARGET):
                release()
        held.append(block)
    release()
    return pieces


def title_of(contents: Contents, name: str) -> str:
    """The document's title: what a PDF names, the first heading of Markdown, or its name."""
    if contents.title.strip():
        return contents.title.strip()[:MOST_HEADING]
    if contents.kind == "markdown":
        for block in _blocks(contents):
            if block.is_heading:
                return block.heading.rpartition(JOIN)[2]
    return name


def _length(lines: Sequence[Line]) -> int:
    return sum(len(line.text) + 1 for line in lines)


def _blocks(contents: Contents) -> Iterator[_Block]:
    """Headings, paragraphs, lists, tables and code, each with the path of headings above it."""
    path: list[tuple[int, str]] = []
    lines = contents.lines
    start: int | None = None
    fence: str | None = None
    index = 0
    while index < len(lines):
        text = lines[index].text
        mark = _FENCE.match(text) if contents.kind == "markdown" else None
        if mark or fence is not None:
            if start is None:
                start = index
            if fence is None and mark:
                fence = mark[1]
            elif mark and fence and mark[1].startswith(fence) and not text.strip(" `~"):
                fence = None
            index += 1
            continue
        found = _heading(contents, index, fresh=start is None)
        ends = found is not None or not (text.strip() or _list_goes_on(lines, start, index))
        if ends and start is not None:
            yield _Block(_joined(path), start, index)
            start = None
        if found is not None:
            level, title, count = found
            path = [(depth, above) for depth, above in path if depth < level]
            path.append((level, title[:MOST_HEADING]))
            yield _Block(_joined(path), index, index + count, is_heading=True)
            index += count
            continue
        if start is None and text.strip():
            start = index
        index += 1
    if start is not None:
        yield _Block(_joined(path), start, len(lines))


def _joined(path: Sequence[tuple[int, str]]) -> str:
    return JOIN.join(text for _, text in path)


def _list_goes_on(lines: Sequence[Line], start: int | None, index: int) -> bool:
    """Whether the list that begins at ``start`` continues after the blank line at ``index``."""
    if start is None or _ITEM.match(lines[start].text) is None:
        return False
    for line in lines[index : index + 3]:
        if line.text.strip():
            return _ITEM.match(line.text) is not None or line.text.startswith(("  ", "\t"))
    return False


def _heading(contents: Contents, index: int, *, fresh: bool) -> tuple[int, str, int] | None:
    """Level, title and number of lines of the heading at ``index``, if there is one.

    ``fresh`` says that no paragraph is open, as a heading of more than marks needs.
    """
    lines = contents.lines
    text = lines[index].text
    if contents.kind == "markdown":
        atx = _ATX.match(text)
        if atx:
            title = " ".join((atx[2] or "").split())
            return (len(atx[1]), title, 1) if title else None
        following = lines[index + 1].text if index + 1 < len(lines) else ""
        under = _SETEXT.match(following)
        if under and fresh and text.strip() and _ITEM.match(text) is None and "|" not in text:
            return (1 if under[1][0] == "=" else 2), " ".join(text.split()), 2
        return None
    title = " ".join(text.split())
    if title and title in contents.outline:
        return contents.outline[title], title, 1
    numbered = _NUMBERED.match(text)
    if numbered and not title.endswith((".", ";", ":", ",")) and not _in_a_run(lines, index):
        return numbered[1].count(".") + 1, title, 1
    if _CAPITALS.match(title) and sum(letter.isalpha() for letter in title) >= 6:
        alone = index + 1 >= len(lines) or not lines[index + 1].text.strip()
        if fresh and (alone or contents.kind == "pdf") and not title.endswith((".", ":", ";", ",")):
            return 1, title, 1
    return None


def _in_a_run(lines: Sequence[Line], index: int) -> bool:
    """Whether a numbered line stands among others: steps of a procedure, or a table of contents.

    A neighbour counts on the very next line; beyond blank lines only one that is numbered as deep.
    """
    own = _NUMBERED.match(lines[index].text)
    for step in (1, -1):
        near = index + step
        while 0 <= near < len(lines) and not lines[near].text.strip():
            near += step
        other = _NUMBERED.match(lines[near].text) if 0 <= near < len(lines) else None
        if own and other:
            as_deep = own[1].count(".") == other[1].count(".")
            if near == index + step or as_deep:
                return True
    return False


def _pieces(heading: str, lines: Sequence[Line]) -> Iterator[Piece]:
    """One passage of lines, or several where they are too long for one."""
    body: list[Line] = []
    size = 0
    for line in lines:
        if size and size + len(line.text) + 1 > LONGEST:
            yield from _piece(heading, body)
            body, size = [], 0
        if len(line.text) > LONGEST:
            for part in _parts(line.text):
                yield from _piece(heading, [Line(part, line.number, line.page)])
            continue
        body.append(line)
        size += len(line.text) + 1
    yield from _piece(heading, body)


def _parts(text: str) -> Iterator[str]:
    """A line too long for a passage, divided between words."""
    while len(text) > LONGEST:
        cut = text.rfind(" ", TARGET, LONGEST)
        cut = LONGEST if cut < 0 else cut + 1
        yield text[:cut]
        text = text[cut:]
    yield text


def _piece(heading: str, lines: Sequence[Line]) -> Iterator[Piece]:
    used = list(lines)
    while used and not used[-1].text.strip():
        used.pop()
    while used and not used[0].text.strip():
        used.pop(0)
    if used:
        yield Piece(
            heading=heading,
            text="\n".join(line.text for line in used),
            page=used[0].page,
            last_page=used[-1].page,
            first_line=used[0].number,
            last_line=used[-1].number,
        )
