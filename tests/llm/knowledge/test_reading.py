"""Files of every kind: read, or refused with the reason."""

from __future__ import annotations

import pytest
from pdf_files import pdf

from orchestrator.errors import DataError, PayloadTooLargeError
from orchestrator.llm.knowledge.reading import read


async def test_a_pdf_gives_lines_with_their_pages_and_its_outline() -> None:
    content = pdf([["Desalter", "Keep the level."], [], ["Shutdown (cold)"]], [("Desalter", 1)])
    found = await read("m.pdf", content, 1.0)
    assert found.kind == "pdf"
    assert found.pages == 3
    assert [(line.text, line.page) for line in found.lines if line.text] == [
        ("Desalter", 1),
        ("Keep the level.", 1),
        ("Shutdown (cold)", 3),
    ]
    assert found.outline == {"Desalter": 1}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.md", b"", "empty"),
        ("blank.txt", b" \n\t ", "empty"),
        ("marks.txt", b"---\n***\n", "no words"),
        ("scan.pdf", pdf([[], []]), "2 pages hold no text"),
        ("none.pdf", b"%PDF-1.4\n%%EOF\n", "damaged"),
        ("cut.pdf", pdf([["words"]])[:300], "damaged|no text"),
        ("report.docx", b"PK\x03\x04rest", "office document"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\x00", "picture"),
        ("binary.txt", b"abc\x00def", "NUL byte at byte 3"),
        ("wide.txt", b"\xff\xfea\x00\x00\x00", "NUL character"),
        ("noise.bin", bytes(range(1, 256)) * 4, "no UTF-8"),
        ("cp1251.txt", "Печь П-101".encode("cp1251"), "no UTF-8"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_the_reason(
    name: str, content: bytes, words: str
) -> None:
    with pytest.raises(DataError, match=words) as refused:
        await read(name, content, 1.0)
    assert refused.value.where == name


async def test_an_encrypted_pdf_says_so() -> None:
    import io

    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf([["secret"]]))))
    writer.encrypt("word", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    with pytest.raises(DataError, match="encrypted"):
        await read("locked.pdf", out.getvalue(), 1.0)


async def test_a_file_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(PayloadTooLargeError, match=r"2\.0 MB are above the limit of 1 MB"):
        await read("huge.txt", b"word " * 400_000, 1.0)


async def test_a_pdf_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.llm.knowledge.reading.PDF_TIMEOUT_S", 0.05)
    with pytest.raises(DataError, match=r"could not be read within 0\.05 s"):
        await read("slow.pdf", pdf([["words"]]), 1.0)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("\ufeffwords °C".encode(), "words °C"),
        ("words °C".encode("utf-16"), "words °C"),
        (b"words\r\nmore\rlast", "words"),
        (b"page\x0cbreak", "page\x0cbreak"),
    ],
)
async def test_text_of_usual_encodings_and_line_ends_is_read(content: bytes, text: str) -> None:
    found = await read("notes.txt", content, 1.0)
    assert found.lines[0].text == text
