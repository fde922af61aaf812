"""The life of recommendations: transitions, approvals, steps, and grants."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orchestrator.state.columns import UtcTime, Words, document_type

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recommendation_transitions",
        sa.Column("recommendation_id", Words(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("event", Words(), nullable=False),
        sa.Column("from_state", Words(), nullable=False),
        sa.Column("to_state", Words(), nullable=False),
        sa.Column("by", Words(), nullable=False),
        sa.Column("actor", Words(), nullable=False),
        sa.Column("reason", Words(), nullable=False),
        sa.Column("details", document_type(), nullable=False),
        *_of_a_recommendation("recommendation_transitions", "sequence"),
    )
    op.create_table(
        "approvals",
        sa.Column("recommendation_id", Words(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("by", Words(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("digest", Words(), nullable=False),
        sa.Column("situation_digest", Words(), nullable=False),
        sa.Column("mode", Words(), nullable=False),
        sa.Column("comment", Words(), nullable=False),
        sa.Column("grant_id", Words(), nullable=True),
        sa.Column("void", sa.Boolean(), nullable=False),
        *_of_a_recommendation("approvals", "sequence"),
    )
    op.create_table(
        "recommendation_steps",
        sa.Column("recommendation_id", Words(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("direction", Words(), nullable=False),
        sa.Column("tag", Words(), nullable=False),
        sa.Column("before", sa.Float(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("at_minutes", sa.Float(), nullable=False),
        sa.Column("state", Words(), nullable=False),
        sa.Column("changed_at", UtcTime(), nullable=True),
        sa.Column("detail", Words(), nullable=False),
        *_of_a_recommendation("recommendation_steps", "number"),
    )
    op.create_table(
        "grants",
        sa.Column("id", Words(), nullable=False),
        sa.Column("granted_by", Words(), nullable=False),
        sa.Column("granted_at", UtcTime(), nullable=False),
        sa.Column("starts_at", UtcTime(), nullable=False),
        sa.Column("ends_at", UtcTime(), nullable=False),
        sa.Column("envelope", document_type(), nullable=False),
        sa.Column("max_moves", sa.Integer(), nullable=False),
        sa.Column("reason", Words(), nullable=False),
        sa.Column("revoked_at", UtcTime(), nullable=True),
        sa.Column("revoked_by", Words(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    op.create_index("ix_grants_end", "grants", ["ends_at"], unique=False)


def _of_a_recommendation(table: str, key: str) -> tuple[sa.Constraint, ...]:
    return (
        sa.ForeignKeyConstraint(
            ["recommendation_id"],
            ["recommendations.id"],
            name=op.f(f"fk_{table}_recommendation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("recommendation_id", key, name=op.f(f"pk_{table}")),
    )


def downgrade() -> None:
    for table in ("grants", "recommendation_steps", "approvals", "recommendation_transitions"):
        op.drop_table(table)
