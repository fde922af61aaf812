"""Advice on decisions, and questions that are worked on in steps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orchestrator.state.columns import UtcTime, Words, document_type

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "advice",
        sa.Column("decision_id", Words(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("model", Words(), nullable=False),
        sa.Column("prompt", Words(), nullable=False),
        sa.Column("outcome", Words(), nullable=False),
        sa.Column("stated_confidence", sa.Float(), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("policy_confidence", sa.Float(), nullable=False),
        sa.Column("proposed", document_type(), nullable=False),
        sa.Column("policy", document_type(), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_advice")),
    )
    op.create_index("ix_advice_model", "advice", ["model", "created_at"], unique=False)
    op.create_table(
        "reasoning_runs",
        sa.Column("id", Words(), nullable=False),
        sa.Column("question", Words(), nullable=False),
        sa.Column("user", Words(), nullable=False),
        sa.Column("session_id", Words(), nullable=True),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("document", document_type(), nullable=False),
        sa.Column("answer", document_type(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reasoning_runs")),
    )
    op.create_index("ix_reasoning_runs_time", "reasoning_runs", ["started_at", "id"], unique=False)
    op.create_table(
        "reasoning_steps",
        sa.Column("run_id", Words(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", Words(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("document", document_type(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["reasoning_runs.id"],
            name=op.f("fk_reasoning_steps_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_reasoning_steps")),
    )


def downgrade() -> None:
    for table in ("reasoning_steps", "reasoning_runs", "advice"):
        op.drop_table(table)
