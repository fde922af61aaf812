"""Plant documents, their passages, and the full-text index over them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orchestrator.state.columns import UtcTime, Words

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column("id", Words(), nullable=False),
        sa.Column("name", Words(), nullable=False),
        sa.Column("title", Words(), nullable=False),
        sa.Column("kind", Words(), nullable=False),
        sa.Column("digest", Words(), nullable=False),
        sa.Column("splitter", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("passages", sa.Integer(), nullable=False),
        sa.Column("added_at", UtcTime(), nullable=False),
        sa.Column("added_by", Words(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
    )
    op.create_index("uq_documents_name", "documents", ["name"], unique=True)
    op.create_index("ix_documents_time", "documents", ["added_at", "id"])
    op.create_table(
        "passages",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("document_id", Words(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("heading", Words(), nullable=False),
        sa.Column("text", Words(), nullable=False),
        sa.Column("digest", Words(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.Column("last_page", sa.Integer(), nullable=True),
        sa.Column("first_line", sa.Integer(), nullable=False),
        sa.Column("last_line", sa.Integer(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.Column("vector_model", Words(), nullable=True),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name=op.f("fk_passages_document_id"),
            ondelete="CASCADE",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_passages_document", "passages", ["document_id", "position"])
    op.create_index("ix_passages_vector", "passages", ["vector_model", "id"])
    if op.get_context().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE passage_index USING fts5("
            "heading, words, tokenize = 'unicode61 remove_diacritics 0')"
        )
        return
    op.execute(
        "CREATE TABLE passage_index ("
        "passage_id bigint PRIMARY KEY REFERENCES passages (id) ON DELETE CASCADE, "
        "heading text NOT NULL, words text NOT NULL, found_by tsvector NOT NULL)"
    )
    op.execute("CREATE INDEX ix_passage_index_found_by ON passage_index USING gin (found_by)")
