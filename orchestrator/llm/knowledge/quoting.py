"""Answers from documents without a model: which questions they answer, by which passage, and how it is quoted."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.llm.fence import harmless
from orchestrator.llm.knowledge.evidence import Found, Passage
from orchestrator.llm.knowledge.words import asked_words, words_of

LEAST_SHARE = 2 / 3
"""Share of the question's telling words that must stand in the passage, its heading or its document's name."""
LEAST_WORDS = 2
LONGEST_QUOTE = 4000
_DOCUMENTS = re.compile(
    r"\b(?:documents?|manuals?|handbooks?|procedures?|instructions?|guidelines?|passages?|data ?sheets?|sop)\b"
    r"|\b(?:документ|инструкц|регламент|руководств|процедур)\w*",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"^\W*(?:how|what|when|which|where|who|why|may|is|are|does|do|can|как|что|когда|какой|какая|какие|где|почему)\b"
    r"|\?\s*$",
    re.IGNORECASE,
)
_OF_RECORDS = re.compile(
    r"\b(?:alerts?|alarms?|recommend\w*|decisions?|decided?|writes?|wrote|written|status|uptime|version|you|your)\b",
    re.IGNORECASE,
)
_ASKING = frozenset(
    words_of(
        "document documents manual handbook procedure procedures instruction instructions guideline passage "
        "datasheet sop say says describe describes explain find give show need needs may must please quote "
        "according did done make been being any some than then into up down out over "
        "документ инструкция регламент руководство процедура говорит написано сказано"
    )
)
"""Words that tell that something is asked of documents, not what."""


@dataclass(frozen=True, slots=True)
class Quotation:
    """A passage that answers a question."""

    passage: Passage

    def told(self, mark: str = "") -> str:
        """Where the passage stands, with ``mark`` behind it, and the passage word for word behind ``>``."""
        words = harmless(self.passage.text).strip()
        if len(words) > LONGEST_QUOTE:
            words = f"{words[:LONGEST_QUOTE]} […]"
        quote = "\n".join(f"> {line}".rstrip() for line in words.split("\n"))
        return f"{harmless(self.passage.citation)}{mark}:\n{quote}"


def names_documents(question: str) -> bool:
    """Whether the words ask for a manual, a procedure or another document."""
    return _DOCUMENTS.search(question) is not None


def asks(question: str) -> bool:
    """Whether the words are a question, and no order."""
    return _ASKS.search(question) is not None


def of_records(question: str) -> bool:
    """Whether the words name something of which the system keeps records, or the system itself."""
    return _OF_RECORDS.search(question) is not None


def telling_words(question: str) -> list[str]:
    """Stems of the words that say what a question is about."""
    return [word for word in asked_words(question) if word not in _ASKING]


def best_quotation(question: str, found: Found) -> Quotation | None:
    """The first passage found that is good enough to be quoted as an answer; ``None`` where none is.

    Two thirds of the telling words, and at least two of them, must stand in the passage, its heading or its
    document's name. One word is enough only where the question asks for a document and the heading holds it.
    """
    telling = set(telling_words(question))
    for passage in found.passages:
        if _answers(telling, passage, names_documents(question)):
            return Quotation(passage)
    return None


def _answers(telling: set[str], passage: Passage, named: bool) -> bool:
    heading = set(words_of(f"{passage.heading} {passage.title}"))
    if len(telling) < LEAST_WORDS:
        return named and bool(telling) and telling <= heading
    held = telling & (heading | set(words_of(f"{passage.document} {passage.text}")))
    return len(held) >= LEAST_WORDS and len(held) >= LEAST_SHARE * len(telling)
