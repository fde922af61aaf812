"""What the state database keeps of plant documents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A document whose passages can be found.

    Attributes:
        id: Follows from the name, so that it stays when the document changes.
        name: Name under which it was added; one document a name.
        title: Its own title, or its name.
        kind: ``markdown``, ``text`` or ``pdf``.
        digest: SHA-256 of the file.
        splitter: Version of the splitting by which its passages were made.
        bytes: Size of the file.
        pages: Pages of a PDF.
        passages: How many passages it has.
        added_at: When it was added or last changed.
        added_by: By whom.
    """

    id: str
    name: str
    title: str
    kind: str
    digest: str
    splitter: int
    bytes: int
    pages: int | None
    passages: int
    added_at: datetime
    added_by: str


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A passage to be stored; ``words`` and ``heading_words`` are what it is found by."""

    position: int
    heading: str
    text: str
    digest: str
    page: int | None
    last_page: int | None
    first_line: int
    last_line: int
    heading_words: str
    words: str
    vector: bytes | None = None
    vector_model: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that holds a word that is looked for, with its words as they were stored."""

    id: int
    heading_words: str
    words: str


@dataclass(frozen=True, slots=True)
class WordStatistics:
    """How many passages there are, and how many hold each word."""

    passages: int
    holding: dict[str, int]


@dataclass(frozen=True, slots=True)
class PassageRecord:
    """A stored passage with what is needed to cite it."""

    id: int
    document_id: str
    document: str
    title: str
    heading: str
    text: str
    digest: str
    page: int | None
    last_page: int | None
    first_line: int
    last_line: int
