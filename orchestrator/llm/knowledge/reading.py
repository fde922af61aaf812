"""From the bytes of a file to its lines: Markdown, plain text, PDF."""

from __future__ import annotations

import asyncio
import codecs
import json
import os
import signal
import sys
import tempfile
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import Any, Literal

from orchestrator.errors import DataError, PayloadTooLargeError, UnavailableError

Kind = Literal["markdown", "text", "pdf"]

PDF_TIMEOUT_S = 120.0
MEGABYTE = 1_000_000
_MARKDOWN = (".md", ".markdown", ".mdown")
_OTHERS = (
    (b"PK\x03\x04", "an office document or an archive"),
    (b"\xd0\xcf\x11\xe0", "an old office document"),
    (b"{\\rtf", "an RTF document"),
    (b"\x1f\x8b", "a compressed file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
_ACCEPTED = "Markdown, plain text (UTF-8) and PDF with text are taken"
_TEXT_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it stands in the document; ``number`` counts from 1, in a PDF on its page."""

    text: str
    number: int
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds.

    Attributes:
        kind: How it was read.
        lines: Its lines.
        title: The title that a PDF names.
        pages: Pages of a PDF.
        outline: Headings that a PDF lists, with their level from 1.
    """

    kind: Kind
    lines: tuple[Line, ...]
    title: str = ""
    pages: int | None = None
    outline: dict[str, int] = field(default_factory=dict)


async def read(name: str, content: bytes, most_mb: float) -> Contents:
    """The lines of a file.

    Args:
        name: Its name, which tells Markdown from other text.
        content: Its bytes.
        most_mb: Largest file that is taken, MB.

    Raises:
        PayloadTooLargeError: it is larger.
        DataError: it is of another kind, damaged, encrypted, wrongly encoded, or holds no text.
        UnavailableError: it is a PDF, and the library for that is not installed.
    """
    if len(content) > most_mb * MEGABYTE:
        raise PayloadTooLargeError(
            f"{len(content) / MEGABYTE:.1f} MB are above the limit of {most_mb:g} MB",
            where=name,
            remedy="split the document, or raise knowledge.max_file_mb",
        )
    if not content.strip():
        raise DataError("the file is empty", where=name)
    if b"%PDF-" in content[:1024]:
        found = await _pdf(name, content)
    else:
        found = await asyncio.to_thread(_text, name, content)
    if not any(any(letter.isalnum() for letter in line.text) for line in found.lines):
        raise _no_text(name, found)
    return found


def _no_text(name: str, found: Contents) -> DataError:
    if found.kind == "pdf":
        return DataError(
            f"its {found.pages} pages hold no text",
            where=name,
            why="a scanned page is a picture, in which nothing can be found",
            remedy="recognise its text first (OCR), and add the result",
        )
    return DataError("the file holds no words", where=name)


def _text(name: str, content: bytes) -> Contents:
    for magic, what in _OTHERS:
        if content.startswith(magic):
            raise DataError(
                f"it is {what}", where=name, why=_ACCEPTED, remedy="save it as PDF or as text"
            )
    encoding = next((name for bom, name in _TEXT_BOMS if content.startswith(bom)), "utf-8")
    if encoding != "utf-16" and b"\x00" in content:
        raise DataError(
            f"a NUL byte at byte {content.index(0)}: it is no text", where=name, why=_ACCEPTED
        )
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"byte {error.start} is no {encoding.upper().removesuffix('-SIG')}",
            where=name,
            why="a guess at the encoding could turn a number or a unit into another",
            remedy="save the file as UTF-8: iconv -f WINDOWS-1251 -t UTF-8, say",
        ) from error
    if "\x00" in text:
        raise DataError("it holds a NUL character: it is no text", where=name, why=_ACCEPTED)
    # Not splitlines: a form feed or a vertical tab ends no line here, as in the editor of the reader.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kind: Kind = "markdown" if PurePath(name).suffix.lower() in _MARKDOWN else "text"
    return Contents(kind, tuple(Line(line, number) for number, line in enumerate(lines, 1)))


async def _pdf(name: str, content: bytes) -> Contents:
    """Read in a process of its own: a PDF is a program, and a bad one neither ends nor fits."""
    if find_spec("pypdf") is None:
        raise UnavailableError(
            "the library that reads PDF is not installed",
            where=name,
            remedy="install it: pip install 'dan-g-orchestrator[knowledge]', or save the file as text",
        )
    descriptor, path = await asyncio.to_thread(tempfile.mkstemp, ".pdf")
    try:
        with os.fdopen(descriptor, "wb") as file:
            await asyncio.to_thread(file.write, content)
        answer = await _asked(name, path)
    finally:
        await asyncio.to_thread(Path(path).unlink, missing_ok=True)
    if "problem" in answer:
        raise DataError(answer["problem"], where=name, remedy=answer.get("remedy"))
    lines = [
        Line(line, number, page)
        for page, text in enumerate(answer["pages"], 1)
        for number, line in enumerate(text.split("\n"), 1)
    ]
    return Contents(
        "pdf",
        tuple(lines),
        title=str(answer["title"]),
        pages=len(answer["pages"]),
        outline={str(title): int(level) for title, level in answer["outline"]},
    )


async def _asked(name: str, path: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "orchestrator.llm.knowledge.pdf_text",
        path,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(PDF_TIMEOUT_S):
            out, _ = await process.communicate()
    except TimeoutError:
        raise DataError(
            f"it could not be read within {PDF_TIMEOUT_S:g} s",
            where=name,
            remedy="split the document, or save it as text",
        ) from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    try:
        answer: dict[str, Any] = await asyncio.to_thread(json.loads, out)
    except ValueError:
        raise DataError(
            "it cannot be read: it is damaged, or needs too much memory",
            where=name,
            remedy="open it and print it into a new PDF, or save it as text",
        ) from None
    return answer
