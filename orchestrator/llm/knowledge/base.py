"""The plant's documents: taken in, listed, found, removed."""

from __future__ import annotations

import asyncio
import hashlib
import unicodedata
from dataclasses import replace
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

import structlog
from pydantic import BaseModel, ConfigDict

from orchestrator.clock import Clock, SystemClock
from orchestrator.errors import DataError, NotFoundError, ParameterError, UnavailableError
from orchestrator.knowledge_settings import KnowledgeSettings
from orchestrator.llm.knowledge.embeddings import EmbeddingsUnavailableError
from orchestrator.llm.knowledge.evidence import Found, FoundBy, as_passage
from orchestrator.llm.knowledge.meaning import Meaning
from orchestrator.llm.knowledge.ranking import bm25, fused
from orchestrator.llm.knowledge.reading import Contents, read
from orchestrator.llm.knowledge.splitting import SPLITTER, Piece, split, title_of
from orchestrator.llm.knowledge.words import asked_words, words_of
from orchestrator.state.document_records import DocumentRecord, NewPassage
from orchestrator.state.paging import Page
from orchestrator.state.repositories import Store

log = structlog.get_logger(__name__)

LONGEST_QUERY = 4_000
MOST_FOUND = 50
CANDIDATES = 300
"""Passages that are ranked by words, and by meaning."""
LONGEST_NAME = 300
FILL_PATIENCE_S = 10.0
"""How long the making of vectors is waited for; it goes on beside everything else."""
_NAMES = uuid5(NAMESPACE_URL, "urn:dan-g:document")
Change = Literal["added", "changed", "unchanged"]


class Taken(BaseModel):
    """What became of a document that was given."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    title: str
    kind: str
    change: Change
    passages: int
    pages: int | None
    warnings: tuple[str, ...] = ()


class KnowledgeBase:
    """Documents of one service. It is a :class:`~orchestrator.llm.knowledge.evidence.PassageSearch`."""

    def __init__(
        self, settings: KnowledgeSettings, store: Store, clock: Clock | None = None
    ) -> None:
        self._settings = settings
        self._store = store
        self._documents = store.documents
        self._clock = clock or SystemClock()
        self._adding = asyncio.Lock()
        self._filling: asyncio.Task[str | None] | None = None
        embeddings = settings.embeddings
        self._meaning = (
            Meaning(embeddings, store.documents) if embeddings.base_url is not None else None
        )

    def start(self) -> None:
        """Make vectors that are missing, beside everything else; returns at once."""
        if self._meaning is not None:
            self._filling = asyncio.create_task(self._filled(self._meaning))

    async def close(self) -> None:
        """Stop making vectors, and close the connections to their server."""
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.gather(self._filling, return_exceptions=True)
        if self._meaning is not None:
            await self._meaning.close()

    async def add(self, name: str, content: bytes, by: str) -> Taken:
        """Take a document in, in place of the one of that name; one that is the same is left as it is.

        Raises:
            ParameterError: the name cannot be used.
            DataError: the file cannot be used; the text says why.
            PayloadTooLargeError: it is too large.
            UnavailableError: a library that it needs is not installed.
            DatabaseUnavailableError: it cannot be kept.
        """
        name = _clean_name(name)
        identity = uuid5(_NAMES, name).hex
        digest = hashlib.sha256(content).hexdigest()
        async with self._adding:
            before = await self._before(identity)
            if before is not None and (before.digest, before.splitter) == (digest, SPLITTER):
                return _taken(before, "unchanged", await self._fill())
            contents = await read(name, content, self._settings.max_file_mb)
            title, found = await asyncio.to_thread(
                _passages, contents, name, self._settings.max_passages
            )
            record = DocumentRecord(
                id=identity,
                name=name,
                title=title,
                kind=contents.kind,
                digest=digest,
                splitter=SPLITTER,
                bytes=len(content),
                pages=contents.pages,
                passages=len(found),
                added_at=self._clock.now(),
                added_by=by,
            )
            change: Change = "added" if before is None else "changed"
            await self._store.audit.append(
                by, f"document_{change}", name, {"sha256": digest, "passages": len(found)}
            )
            await self._documents.put(record, await self._with_old_vectors(identity, found))
            return _taken(record, change, await self._fill())

    async def page(self, *, cursor: str | None = None, limit: int = 50) -> Page[DocumentRecord]:
        """Documents, the newest first; see :meth:`Documents.list`."""
        return await self._documents.list(cursor=cursor, limit=limit)

    async def get(self, document_id: str) -> DocumentRecord:
        """One document; see :meth:`Documents.get`."""
        return await self._documents.get(document_id)

    async def remove(self, document_id: str, by: str) -> DocumentRecord:
        """Forget a document; what was forgotten.

        Raises:
            NotFoundError: there is none of that id.
        """
        async with self._adding:
            found = await self._documents.get(document_id)
            await self._store.audit.append(
                by, "document_removed", found.name, {"sha256": found.digest}
            )
            return await self._documents.remove(document_id)

    async def holds_any(self) -> bool:
        """Whether there is any document to look in."""
        return bool((await self._documents.list(limit=1)).items)

    async def search(self, query: str, limit: int = 5) -> Found:
        """The passages that fit ``query`` best, word for word; nothing in it is an operator.

        Raises:
            ParameterError: the query holds no word or is too long, or the limit is out of range.
            DatabaseUnavailableError: the documents cannot be read now.
        """
        words = self._checked(query, limit)
        candidates = await self._documents.search(words, CANDIDATES)
        known = await self._documents.statistics(words)
        by_words = await asyncio.to_thread(bm25, words, candidates, known)
        meant, warnings = await self._meant(query)
        if meant is None:
            scores = by_words
            ranked_by = "words (BM25)"
        else:
            scores = fused(list(by_words), meant)
            ranked_by = (
                f"words (BM25) and meaning ({self._settings.embeddings.model}), "
                "by reciprocal rank fusion"
            )
        best = list(scores)[:limit]
        close: set[int] = set(meant or ())
        passages = []
        for record in await self._documents.passages(best):
            ways: list[FoundBy] = []
            if record.id in by_words:
                ways.append("words")
            if record.id in close:
                ways.append("meaning")
            passages.append(as_passage(record, scores[record.id], ways))
        return Found(
            query=query, passages=tuple(passages), ranked_by=ranked_by, warnings=tuple(warnings)
        )

    def _checked(self, query: str, limit: int) -> list[str]:
        if not 1 <= limit <= MOST_FOUND:
            raise ParameterError.of_field(
                "limit", f"{limit} is outside 1 to {MOST_FOUND}", where="search of documents"
            )
        if len(query) > LONGEST_QUERY:
            raise ParameterError.of_field(
                "query",
                f"{len(query)} characters are more than {LONGEST_QUERY}",
                where="search of documents",
            )
        words = asked_words(query)
        if not words:
            raise ParameterError.of_field(
                "query",
                "holds no word to look for",
                where="search of documents",
                remedy="name what is looked for: a tag, an equipment, a procedure",
            )
        return words

    async def _meant(self, query: str) -> tuple[list[int] | None, list[str]]:
        if self._meaning is None:
            return None, []
        try:
            return await self._meaning.search(query, CANDIDATES), []
        except EmbeddingsUnavailableError as error:
            return None, [str(error)]

    async def _fill(self) -> tuple[str, ...]:
        """Make missing vectors; a warning where that cannot be done, or not at once."""
        if self._meaning is None:
            return ()
        if self._filling is not None:
            await asyncio.wait({self._filling}, timeout=FILL_PATIENCE_S)
        if self._filling is None or self._filling.done():
            self._filling = asyncio.create_task(self._filled(self._meaning))
            await asyncio.wait({self._filling}, timeout=FILL_PATIENCE_S)
        if not self._filling.done():
            return ("vectors are still being made; until then words alone find it",)
        problem = self._filling.result()
        return (f"found by words only until vectors can be made: {problem}",) if problem else ()

    async def _filled(self, meaning: Meaning) -> str | None:
        try:
            await meaning.fill()
        except UnavailableError as error:
            log.warning("vectors of passages are missing", error=str(error))
            return str(error)
        return None

    async def _before(self, identity: str) -> DocumentRecord | None:
        try:
            return await self._documents.get(identity)
        except NotFoundError:
            return None

    async def _with_old_vectors(self, identity: str, found: list[NewPassage]) -> list[NewPassage]:
        """What has not changed keeps its vector."""
        if self._meaning is None:
            return found
        model = self._meaning.model
        old = await self._documents.vectors_of(identity, model)
        return [
            replace(item, vector=old[item.digest], vector_model=model)
            if item.digest in old
            else item
            for item in found
        ]


def _clean_name(name: str) -> str:
    cleaned = unicodedata.normalize("NFC", " ".join(name.split()))
    if not cleaned or len(cleaned) > LONGEST_NAME or not cleaned.isprintable():
        raise ParameterError.of_field(
            "name",
            f"must be 1 to {LONGEST_NAME} printable characters",
            where="document",
            remedy="give it a name such as manuals/desalter.pdf",
        )
    return cleaned


def _passages(contents: Contents, name: str, most: int) -> tuple[str, list[NewPassage]]:
    """The document's title and passages."""
    pieces = split(contents)
    if len(pieces) > most:
        raise DataError(
            f"it holds {len(pieces)} passages, more than {most}",
            where=name,
            remedy="split the document, or raise knowledge.max_passages",
        )
    made = [_new(position, piece) for position, piece in enumerate(pieces)]
    return title_of(contents, name), made


def _new(position: int, piece: Piece) -> NewPassage:
    whole = f"{piece.heading}\0{piece.text}".encode("utf-8", "replace")
    return NewPassage(
        position=position,
        heading=piece.heading,
        text=piece.text,
        digest=hashlib.sha256(whole).hexdigest(),
        page=piece.page,
        last_page=piece.last_page,
        first_line=piece.first_line,
        last_line=piece.last_line,
        heading_words=" ".join(words_of(piece.heading)),
        words=" ".join(words_of(piece.text)),
    )


def _taken(record: DocumentRecord, change: Change, warnings: tuple[str, ...]) -> Taken:
    return Taken(
        id=record.id,
        name=record.name,
        title=record.title,
        kind=record.kind,
        change=change,
        passages=record.passages,
        pages=record.pages,
        warnings=warnings,
    )
