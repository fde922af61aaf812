"""Plant documents and their passages, found by words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.errors import NotFoundError
from orchestrator.state.database import Database
from orchestrator.state.document_records import (
    Candidate,
    DocumentRecord,
    NewPassage,
    PassageRecord,
    WordStatistics,
)
from orchestrator.state.document_tables import documents, passages
from orchestrator.state.paging import Page, fetch_page

_CHUNK = 500

# Every word is a quoted string here, so that no word is an operator of either query language.
_SQLITE_SEARCH = text(
    "SELECT rowid AS id, heading, words FROM passage_index "
    "WHERE passage_index MATCH :query ORDER BY bm25(passage_index, 3.0, 1.0), rowid LIMIT :most"
)
_POSTGRES_SEARCH = text(
    "SELECT passage_id AS id, heading, words FROM passage_index "
    "WHERE found_by @@ CAST(:query AS tsquery) "
    "ORDER BY ts_rank(found_by, CAST(:query AS tsquery), 1) DESC, passage_id LIMIT :most"
)
_SQLITE_HOLDING = text("SELECT count(*) FROM passage_index WHERE passage_index MATCH :query")
_POSTGRES_HOLDING = text(
    "SELECT count(*) FROM passage_index WHERE found_by @@ CAST(:query AS tsquery)"
)
_SQLITE_INDEX = text(
    "INSERT INTO passage_index (rowid, heading, words) VALUES (:id, :heading, :words)"
)
_SQLITE_FORGET = text("DELETE FROM passage_index WHERE rowid = :id")
_POSTGRES_INDEX = text(
    "INSERT INTO passage_index (passage_id, heading, words, found_by) VALUES (:id, :heading, :words, "
    "setweight(to_tsvector('simple', :heading), 'A') || "
    "setweight(to_tsvector('simple', :words), 'B'))"
)


class Documents:
    """Documents by name, passages by words."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sqlite = database.dialect == "sqlite"

    async def put(self, document: DocumentRecord, found: Sequence[NewPassage]) -> None:
        """Keep a document with its passages, in place of the one of its id.

        A long one is written in several transactions, so that nothing else waits long to be stored: its
        digest is empty until all of it is there, and so it counts as changed when the process ends before.
        """
        values = {name: getattr(document, name) for name in documents.c.keys()}  # noqa: SIM118
        long = len(found) > _CHUNK
        await self._shorten(document.id)
        async with self._database.write() as connection:
            await self._clear(connection, document.id)
            await connection.execute(
                insert(documents).values(**values | ({"digest": ""} if long else {}))
            )
            await self._insert(connection, document.id, found[:_CHUNK])
        for start in range(_CHUNK, len(found), _CHUNK):
            async with self._database.write() as connection:
                await self._insert(connection, document.id, found[start : start + _CHUNK])
        if long:
            async with self._database.write() as connection:
                whole = update(documents).where(documents.c.id == document.id)
                await connection.execute(whole.values(digest=document.digest))

    async def get(self, document_id: str) -> DocumentRecord:
        """One document.

        Raises:
            NotFoundError: there is none of that id.
        """
        async with self._database.read() as connection:
            query = select(documents).where(documents.c.id == document_id)
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise NotFoundError(
                f"no document {document_id!r}", remedy="list them with: dan-g documents"
            )
        return DocumentRecord(**row)

    async def remove(self, document_id: str) -> DocumentRecord:
        """Forget a document and its passages; what was forgotten.

        Raises:
            NotFoundError: there is none of that id.
        """
        removed = await self.get(document_id)
        await self._shorten(document_id)
        async with self._database.write() as connection:
            await self._clear(connection, document_id)
        return removed

    async def search(self, words: Sequence[str], most: int) -> list[Candidate]:
        """Passages that hold any of ``words``, which consist of letters and digits only.

        Where there are more than ``most``, those that the database itself ranks first: by BM25 in SQLite,
        by ``ts_rank`` in PostgreSQL.
        """
        if not words:
            return []
        if self._sqlite:
            statement, query = _SQLITE_SEARCH, " OR ".join(f'"{word}"' for word in words)
        else:
            statement, query = _POSTGRES_SEARCH, " | ".join(f"'{word}'" for word in words)
        async with self._database.read() as connection:
            rows = await connection.execute(statement, {"query": query, "most": most})
            return [Candidate(row.id, row.heading, row.words) for row in rows]

    async def statistics(self, words: Sequence[str]) -> WordStatistics:
        """How many passages there are, and how many hold each of ``words``."""
        statement = _SQLITE_HOLDING if self._sqlite else _POSTGRES_HOLDING
        quote = '"' if self._sqlite else "'"
        holding: dict[str, int] = {}
        async with self._database.read() as connection:
            count = (await connection.execute(select(func.count()).select_from(passages))).scalar()
            for word in words:
                found = await connection.execute(statement, {"query": f"{quote}{word}{quote}"})
                holding[word] = int(found.scalar() or 0)
        return WordStatistics(int(count or 0), holding)

    async def passages(self, ids: Sequence[int]) -> list[PassageRecord]:
        """Passages by id, in that order; one that was removed meanwhile is left out."""
        query = (
            select(
                passages.c.id,
                passages.c.document_id,
                documents.c.name.label("document"),
                documents.c.title,
                *(
                    passages.c[name]
                    for name in (
                        "heading",
                        "text",
                        "digest",
                        "page",
                        "last_page",
                        "first_line",
                        "last_line",
                    )
                ),
            )
            .join(documents, documents.c.id == passages.c.document_id)
            .where(passages.c.id.in_(list(ids)))
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        by_id = {row["id"]: PassageRecord(**row) for row in rows}
        return [by_id[identity] for identity in ids if identity in by_id]

    async def vectors_of(self, document_id: str, model: str) -> dict[str, bytes]:
        """Vectors of a document's passages, by the digest of the passage."""
        query = select(passages.c.digest, passages.c.vector).where(
            passages.c.document_id == document_id, passages.c.vector_model == model
        )
        async with self._database.read() as connection:
            return {row.digest: row.vector for row in await connection.execute(query)}

    async def without_vector(self, model: str, limit: int) -> list[tuple[int, str, str]]:
        """Passages that have no vector of ``model`` yet: id, heading, text."""
        query = (
            select(passages.c.id, passages.c.heading, passages.c.text)
            .where(passages.c.vector_model.is_distinct_from(model))
            .order_by(passages.c.id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return [(row.id, row.heading, row.text) for row in rows]

    async def keep_vectors(self, model: str, vectors: Mapping[int, bytes]) -> None:
        """Keep vectors by the id of the passage; one that was removed meanwhile is passed over."""
        async with self._database.write() as connection:
            for identity, vector in vectors.items():
                await connection.execute(
                    update(passages)
                    .where(passages.c.id == identity)
                    .values(vector=vector, vector_model=model)
                )

    async def vectors(self, model: str) -> list[tuple[int, bytes]]:
        """All vectors of ``model`` by the id of the passage."""
        query = (
            select(passages.c.id, passages.c.vector)
            .where(passages.c.vector_model == model)
            .order_by(passages.c.id)
        )
        async with self._database.read() as connection:
            return [(row.id, row.vector) for row in await connection.execute(query)]

    async def vector_stamp(self, model: str) -> tuple[int, int, int]:
        """Count, largest and sum of the ids of the passages that have a vector; ids are used once only,
        so that it changes with every change of them."""
        of_model = passages.c.vector_model == model
        query = select(
            func.count(),
            func.coalesce(func.max(passages.c.id), 0),
            func.coalesce(func.sum(passages.c.id), 0),
        ).where(of_model)
        async with self._database.read() as connection:
            count, largest, total = (await connection.execute(query)).one()
        return int(count), int(largest), int(total)

    async def _insert(
        self, connection: AsyncConnection, document_id: str, found: Sequence[NewPassage]
    ) -> None:
        kept = [name for name in passages.c.keys() if name not in ("id", "document_id")]  # noqa: SIM118
        rows = [
            {"document_id": document_id, **{name: getattr(item, name) for name in kept}}
            for item in found
        ]
        made = insert(passages).returning(passages.c.id, sort_by_parameter_order=True)
        ids = (await connection.execute(made, rows)).scalars().all()
        await connection.execute(
            _SQLITE_INDEX if self._sqlite else _POSTGRES_INDEX,
            [
                {"id": identity, "heading": item.heading_words, "words": item.words}
                for identity, item in zip(ids, found, strict=True)
            ],
        )

    async def _shorten(self, document_id: str) -> None:
        """Forget passages of a long document piece by piece, until few are left."""
        first = (
            select(passages.c.id)
            .where(passages.c.document_id == document_id)
            .order_by(passages.c.position)
            .limit(_CHUNK)
        )
        while True:
            async with self._database.write() as connection:
                ids = (await connection.execute(first)).scalars().all()
                if len(ids) < _CHUNK:
                    return
                unfinished = update(documents).where(documents.c.id == document_id)
                await connection.execute(unfinished.values(digest=""))
                await self._forget(connection, ids)

    async def _clear(self, connection: AsyncConnection, document_id: str) -> None:
        own = select(passages.c.id).where(passages.c.document_id == document_id)
        await self._forget(connection, (await connection.execute(own)).scalars().all())
        await connection.execute(delete(documents).where(documents.c.id == document_id))

    async def _forget(self, connection: AsyncConnection, ids: Sequence[int]) -> None:
        if self._sqlite and ids:
            await connection.execute(_SQLITE_FORGET, [{"id": identity} for identity in ids])
        await connection.execute(delete(passages).where(passages.c.id.in_(ids)))

    async def list(self, *, cursor: str | None = None, limit: int = 50) -> Page[DocumentRecord]:
        """Documents, the newest first.

        Raises:
            ParameterError: the cursor is of another list, or the limit is not in 1 to 1000.
        """
        async with self._database.read() as connection:
            return await fetch_page(
                connection,
                select(documents),
                lambda row: DocumentRecord(**row),
                kind="documents",
                time=documents.c.added_at,
                identity=documents.c.id,
                cursor=cursor,
                limit=limit,
            )
