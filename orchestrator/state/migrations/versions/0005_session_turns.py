"""Sessions keep their turns, and a change of one is checked against the state that it was made from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orchestrator.state.columns import UtcTime, Words, document_type

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("origin", "summary"):
        op.add_column("sessions", sa.Column(name, Words(), nullable=False, server_default=""))
    op.add_column(
        "sessions", sa.Column("summarised", sa.Integer(), nullable=False, server_default="0")
    )
    op.create_table(
        "session_turns",
        sa.Column("session_id", Words(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("plant_time", UtcTime(), nullable=False),
        sa.Column("text", Words(), nullable=False),
        sa.Column("reading", document_type(), nullable=False),
        sa.Column("decision_id", Words(), nullable=True),
        sa.Column("state", Words(), nullable=False),
        sa.Column("jobs", document_type(), nullable=False),
        sa.Column("answer", Words(), nullable=False),
        sa.Column("answered_by", Words(), nullable=False),
        sa.Column("items", document_type(), nullable=False),
        sa.Column("evidence", document_type(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["sessions.id"],
            name=op.f("fk_session_turns_session_id_sessions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_id", "number", name=op.f("pk_session_turns")),
    )


def downgrade() -> None:
    op.drop_table("session_turns")
    for name in ("origin", "summary", "summarised"):
        op.drop_column("sessions", name)
