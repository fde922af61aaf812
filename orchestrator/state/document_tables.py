"""The tables of plant documents, beside those of :mod:`orchestrator.state.tables`.

The full-text index ``passage_index`` is not among them: it is an FTS5 table in SQLite and a table with a
``tsvector`` in PostgreSQL, made by the migration and used by its repository alone.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table

from orchestrator.state.columns import UtcTime, Words
from orchestrator.state.tables import metadata

INDEX_TABLE = "passage_index"

documents = Table(
    "documents",
    metadata,
    Column("id", Words, primary_key=True),
    Column("name", Words, nullable=False),
    Column("title", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("digest", Words, nullable=False),
    Column("splitter", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("pages", Integer),
    Column("passages", Integer, nullable=False),
    Column("added_at", UtcTime, nullable=False),
    Column("added_by", Words, nullable=False),
    Index("uq_documents_name", "name", unique=True),
    Index("ix_documents_time", "added_at", "id"),
)

passages = Table(
    "passages",
    metadata,
    # SQLite gives a number once only where its type is exactly INTEGER.
    Column(
        "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    Column("document_id", Words, ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("heading", Words, nullable=False),
    Column("text", Words, nullable=False),
    Column("digest", Words, nullable=False),
    Column("page", Integer),
    Column("last_page", Integer),
    Column("first_line", Integer, nullable=False),
    Column("last_line", Integer, nullable=False),
    Column("vector", LargeBinary),
    Column("vector_model", Words),
    Index("ix_passages_document", "document_id", "position"),
    Index("ix_passages_vector", "vector_model", "id"),
    sqlite_autoincrement=True,
)
