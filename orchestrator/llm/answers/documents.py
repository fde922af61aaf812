"""A turn answered from documents: whether they are looked at, and the passage that is quoted."""

from __future__ import annotations

import asyncio

import structlog

from orchestrator.core.decision import Interpretation
from orchestrator.core.query_patterns import ANSWERS
from orchestrator.errors import DanGError
from orchestrator.llm.answers.draft import Draft
from orchestrator.llm.knowledge.evidence import PassageSearch
from orchestrator.llm.knowledge.quoting import (
    asks,
    best_quotation,
    names_documents,
    of_records,
    telling_words,
)

log = structlog.get_logger(__name__)
LOOKED_AT = 5
"""Passages of a search that may be the one to quote."""
SEARCH_SECONDS = 5.0


async def quotation_of(
    documents: PassageSearch | None, question: str, reading: Interpretation | None
) -> Draft | None:
    """The passage that answers a turn; ``None`` where none does, or something else answers it.

    Documents that cannot be searched in time are no reason to leave a turn without its answer.
    """
    if documents is None or not _wanted(question, reading or Interpretation()):
        return None
    try:
        async with asyncio.timeout(SEARCH_SECONDS):
            found = await documents.search(question, LOOKED_AT)
    except (DanGError, TimeoutError) as error:
        log.warning("documents are not searched", error=str(error) or "it took too long")
        return None
    best = best_quotation(question, found)
    if best is None:
        return None
    passage = best.passage
    draft = Draft("document", str(passage.id))
    draft.say(best.told())
    draft.cite(passage.document, passage.citation, passage.text)
    return draft


def _wanted(question: str, reading: Interpretation) -> bool:
    if not asks(question) or not telling_words(question):
        return False
    if reading.answer in (ANSWERS["injection"], ANSWERS["greeting"]):
        return False
    if names_documents(question):
        return True
    if reading.operations or reading.values or reading.clarify:
        return False
    return not (reading.answer == ANSWERS["system"] and of_records(question))
