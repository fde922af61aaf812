"""The first tables: decisions, jobs, outcomes, feedback, alerts, recommendations, audit and the rest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orchestrator.state.columns import UtcTime, Words, document_type

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", Words(), nullable=False),
        sa.Column("key", Words(), nullable=False),
        sa.Column("kind", Words(), nullable=False),
        sa.Column("severity", Words(), nullable=False),
        sa.Column("state", Words(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("tags", document_type(), nullable=False),
        sa.Column("document", document_type(), nullable=False),
        sa.Column("shelved_until", UtcTime(), nullable=True),
        sa.Column("shelve_reason", Words(), nullable=True),
        sa.Column("acknowledged_by", Words(), nullable=True),
        sa.Column("acknowledged_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index("ix_alerts_key", "alerts", ["key", "started_at"], unique=False)
    op.create_index("ix_alerts_kind", "alerts", ["kind", "started_at", "id"], unique=False)
    op.create_index("ix_alerts_severity", "alerts", ["severity", "started_at", "id"], unique=False)
    op.create_index("ix_alerts_state", "alerts", ["state", "started_at", "id"], unique=False)
    op.create_index("ix_alerts_time", "alerts", ["started_at", "id"], unique=False)
    op.create_table(
        "audit",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("actor", Words(), nullable=False),
        sa.Column("action", Words(), nullable=False),
        sa.Column("subject", Words(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit")),
    )
    op.create_table(
        "decisions",
        sa.Column("id", Words(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("decided_by", Words(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("policy_version", Words(), nullable=False),
        sa.Column("situation_digest", Words(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("session_id", Words(), nullable=True),
        sa.Column("document", document_type(), nullable=False),
        sa.Column("situation", document_type(), nullable=False),
        sa.Column("features", document_type(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index("ix_decisions_confidence", "decisions", ["confidence"], unique=False)
    op.create_index(
        "ix_decisions_decided_by", "decisions", ["decided_by", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_decisions_session",
        "decisions",
        ["session_id", "created_at"],
        unique=False,
        sqlite_where=sa.text("session_id IS NOT NULL"),
        postgresql_where=sa.text("session_id IS NOT NULL"),
    )
    op.create_index("ix_decisions_time", "decisions", ["created_at", "id"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("key", Words(), nullable=False),
        sa.Column("route", Words(), nullable=False),
        sa.Column("digest", Words(), nullable=False),
        sa.Column("claimed_at", UtcTime(), nullable=False),
        sa.Column("finished_at", UtcTime(), nullable=True),
        sa.Column("response", document_type(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_time", "idempotency", ["claimed_at"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", Words(), nullable=False),
        sa.Column("user", Words(), nullable=False),
        sa.Column("operations", document_type(), nullable=False),
        sa.Column("turn", document_type(), nullable=False),
        sa.Column("turns", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_expiry", "sessions", ["expires_at"], unique=False)
    op.create_index("ix_sessions_user", "sessions", ["user", "updated_at", "id"], unique=False)
    op.create_table(
        "settings",
        sa.Column("key", Words(), nullable=False),
        sa.Column("value", document_type(), nullable=True),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_settings")),
    )
    op.create_table(
        "alert_transitions",
        sa.Column("alert_id", Words(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("from_state", Words(), nullable=True),
        sa.Column("to_state", Words(), nullable=False),
        sa.Column("by", Words(), nullable=False),
        sa.Column("reason", Words(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"],
            ["alerts.id"],
            name=op.f("fk_alert_transitions_alert_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("alert_id", "sequence", name=op.f("pk_alert_transitions")),
    )
    op.create_table(
        "decision_actions",
        sa.Column("decision_id", Words(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("module", Words(), nullable=False),
        sa.Column("operation", Words(), nullable=False),
        sa.Column("deferred", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["decisions.id"],
            name=op.f("fk_decision_actions_decision_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("decision_id", "position", name=op.f("pk_decision_actions")),
    )
    op.create_index(
        "ix_decision_actions_operation",
        "decision_actions",
        ["module", "operation", "created_at"],
        unique=False,
    )
    op.create_index("ix_decision_actions_time", "decision_actions", ["created_at"], unique=False)
    op.create_table(
        "decision_triggers",
        sa.Column("decision_id", Words(), nullable=False),
        sa.Column("name", Words(), nullable=False),
        sa.Column("family", Words(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["decisions.id"],
            name=op.f("fk_decision_triggers_decision_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("decision_id", "name", name=op.f("pk_decision_triggers")),
    )
    op.create_index(
        "ix_decision_triggers_name", "decision_triggers", ["name", "created_at"], unique=False
    )
    op.create_index("ix_decision_triggers_time", "decision_triggers", ["created_at"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("id", Words(), nullable=False),
        sa.Column("decision_id", Words(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("verdict", Words(), nullable=False),
        sa.Column("benefit_usd", sa.Float(), nullable=True),
        sa.Column("comment", Words(), nullable=False),
        sa.Column("author", Words(), nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["decisions.id"],
            name=op.f("fk_feedback_decision_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
    )
    op.create_index("ix_feedback_decision", "feedback", ["decision_id", "created_at"], unique=False)
    op.create_index("ix_feedback_time", "feedback", ["created_at", "id"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("id", Words(), nullable=False),
        sa.Column("decision_id", Words(), nullable=True),
        sa.Column("module", Words(), nullable=False),
        sa.Column("operation", Words(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("deferred", sa.Boolean(), nullable=False),
        sa.Column("depends_on", document_type(), nullable=False),
        sa.Column("request", document_type(), nullable=False),
        sa.Column("accepted_at", UtcTime(), nullable=False),
        sa.Column("status", Words(), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("message", Words(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=True),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decisions.id"], name=op.f("fk_jobs_decision_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_decision", "jobs", ["decision_id"], unique=False)
    op.create_index(
        "ix_jobs_operation", "jobs", ["module", "operation", "accepted_at", "id"], unique=False
    )
    op.create_index("ix_jobs_status", "jobs", ["status", "accepted_at", "id"], unique=False)
    op.create_index("ix_jobs_time", "jobs", ["accepted_at", "id"], unique=False)
    op.create_table(
        "outcomes",
        sa.Column("job_id", Words(), nullable=False),
        sa.Column("decision_id", Words(), nullable=True),
        sa.Column("module", Words(), nullable=False),
        sa.Column("operation", Words(), nullable=False),
        sa.Column("status", Words(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=False),
        sa.Column("result", document_type(), nullable=True),
        sa.Column("error", document_type(), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_outcomes_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_outcomes")),
    )
    op.create_index(
        "ix_outcomes_operation",
        "outcomes",
        ["module", "operation", "status", "ended_at", "seconds"],
        unique=False,
    )
    op.create_index("ix_outcomes_time", "outcomes", ["ended_at"], unique=False)
    op.create_table(
        "recommendations",
        sa.Column("id", Words(), nullable=False),
        sa.Column("job_id", Words(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=True),
        sa.Column("state", Words(), nullable=False),
        sa.Column("digest", Words(), nullable=False),
        sa.Column("document", document_type(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_recommendations_job_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recommendations")),
    )
    op.create_index("ix_recommendations_job", "recommendations", ["job_id"], unique=False)
    op.create_index(
        "ix_recommendations_state", "recommendations", ["state", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_recommendations_time", "recommendations", ["created_at", "id"], unique=False
    )


def downgrade() -> None:
    for table in (
        "recommendations",
        "outcomes",
        "jobs",
        "feedback",
        "decision_triggers",
        "decision_actions",
        "alert_transitions",
        "settings",
        "sessions",
        "idempotency",
        "decisions",
        "audit",
        "alerts",
    ):
        op.drop_table(table)
