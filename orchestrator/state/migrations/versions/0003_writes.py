"""The journal of writes to the plant, and the stop."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orchestrator.state.columns import UtcTime, Words, document_type

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "writes",
        sa.Column("id", Words(), nullable=False),
        sa.Column("permit_id", Words(), nullable=False),
        sa.Column("recommendation_id", Words(), nullable=False),
        sa.Column("digest", Words(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("tag", Words(), nullable=False),
        sa.Column("before", sa.Float(), nullable=True),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("approvers", document_type(), nullable=False),
        sa.Column("grant_id", Words(), nullable=True),
        sa.Column("state", Words(), nullable=False),
        sa.Column("intended_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("read_back", sa.Float(), nullable=True),
        sa.Column("reasons", document_type(), nullable=False),
        sa.Column("text", Words(), nullable=False),
        sa.Column("settled_by", Words(), nullable=True),
        sa.Column("permit_used", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_writes")),
    )
    op.create_index("ix_writes_time", "writes", ["intended_at", "id"])
    op.create_index("ix_writes_tag", "writes", ["tag", "intended_at"])
    op.create_index("ix_writes_recommendation", "writes", ["recommendation_id", "intended_at"])
    op.create_index("ix_writes_grant", "writes", ["grant_id"])
    for name, columns, condition in (
        ("uq_writes_open_tag", ["tag"], "state IN ('intended', 'unverified')"),
        (
            "uq_writes_step",
            ["recommendation_id", "step"],
            "state IN ('intended', 'done', 'unverified')",
        ),
        ("uq_writes_permit", ["permit_id"], "permit_used"),
    ):
        where = sa.text(condition)
        op.create_index(
            name, "writes", columns, unique=True, sqlite_where=where, postgresql_where=where
        )
    op.create_table(
        "write_stops",
        sa.Column("id", Words(), nullable=False),
        sa.Column("by", Words(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("why", Words(), nullable=False),
        sa.Column("released_by", Words(), nullable=True),
        sa.Column("released_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_write_stops")),
    )
    op.create_index("ix_write_stops_time", "write_stops", ["at"])


def downgrade() -> None:
    op.drop_table("write_stops")
    op.drop_table("writes")
