"""The tables of the state database. A change here comes with a revision under ``migrations/versions``."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from orchestrator.state.columns import UtcTime, Words, document_type

SCHEMA_REVISION = "0008"
"""The newest revision; kept here so that a start on a current database need not load Alembic."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Words, primary_key=True),
    Column("created_at", UtcTime, nullable=False),
    Column("decided_by", Words, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("policy_version", Words, nullable=False),
    Column("situation_digest", Words, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("session_id", Words),
    Column("document", document_type(), nullable=False),
    Column("situation", document_type(), nullable=False),
    Column("features", document_type(), nullable=False),
    Index("ix_decisions_time", "created_at", "id"),
    Index("ix_decisions_decided_by", "decided_by", "created_at", "id"),
    Index("ix_decisions_confidence", "confidence"),
)
Index(
    "ix_decisions_session",
    decisions.c.session_id,
    decisions.c.created_at,
    sqlite_where=text("session_id IS NOT NULL"),
    postgresql_where=text("session_id IS NOT NULL"),
)

# What the filters and the statistics look for inside the documents of decisions: each table is its own
# and only index, since a decision with twelve of these rows is to cost little more than one without.
# They are written with their decision and never without it, so no foreign key checks each of them.
decision_actions = Table(
    "decision_actions",
    metadata,
    Column("module", Words, nullable=False),
    Column("operation", Words, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("decision_id", Words, nullable=False),
    PrimaryKeyConstraint("module", "operation", "created_at", "decision_id"),
    sqlite_with_rowid=False,
)

decision_triggers = Table(
    "decision_triggers",
    metadata,
    Column("name", Words, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("decision_id", Words, nullable=False),
    PrimaryKeyConstraint("name", "created_at", "decision_id"),
    sqlite_with_rowid=False,
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Words, primary_key=True),
    Column("decision_id", Words, ForeignKey("decisions.id", ondelete="CASCADE")),
    Column("module", Words, nullable=False),
    Column("operation", Words, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("deferred", Boolean, nullable=False),
    Column("depends_on", document_type(), nullable=False),
    Column("request", document_type(), nullable=False),
    Column("accepted_at", UtcTime, nullable=False),
    Column("status", Words, nullable=False),
    Column("progress", Float, nullable=False),
    Column("message", Words, nullable=False),
    Column("started_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("cancel_requested", Boolean, nullable=False),
    Index("ix_jobs_time", "accepted_at", "id"),
    Index("ix_jobs_status", "status", "accepted_at", "id"),
    Index("ix_jobs_operation", "module", "operation", "accepted_at", "id"),
    Index("ix_jobs_decision", "decision_id"),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("job_id", Words, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("decision_id", Words),
    Column("module", Words, nullable=False),
    Column("operation", Words, nullable=False),
    Column("status", Words, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("ended_at", UtcTime, nullable=False),
    Column("result", document_type()),
    Column("error", document_type()),
    Index("ix_outcomes_operation", "module", "operation", "status", "ended_at", "seconds"),
    Index("ix_outcomes_time", "ended_at"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", Words, primary_key=True),
    Column("decision_id", Words, ForeignKey("decisions.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("verdict", Words, nullable=False),
    Column("benefit_usd", Float),
    Column("comment", Words, nullable=False),
    Column("author", Words, nullable=False),
    Index("ix_feedback_decision", "decision_id", "created_at"),
    Index("ix_feedback_time", "created_at", "id"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Words, primary_key=True),
    Column("key", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("severity", Words, nullable=False),
    Column("state", Words, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("tags", document_type(), nullable=False),
    Column("document", document_type(), nullable=False),
    Column("shelved_until", UtcTime),
    Column("shelve_reason", Words),
    Column("acknowledged_by", Words),
    Column("acknowledged_at", UtcTime),
    Index("ix_alerts_time", "started_at", "id"),
    Index("ix_alerts_state", "state", "started_at", "id"),
    Index("ix_alerts_severity", "severity", "started_at", "id"),
    Index("ix_alerts_kind", "kind", "started_at", "id"),
    Index("ix_alerts_key", "key", "started_at"),
)

alert_transitions = Table(
    "alert_transitions",
    metadata,
    Column("alert_id", Words, ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("from_state", Words),
    Column("to_state", Words, nullable=False),
    Column("by", Words, nullable=False),
    Column("reason", Words, nullable=False),
    PrimaryKeyConstraint("alert_id", "sequence"),
)

recommendations = Table(
    "recommendations",
    metadata,
    Column("id", Words, primary_key=True),
    Column("job_id", Words, ForeignKey("jobs.id", ondelete="SET NULL")),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("state", Words, nullable=False),
    Column("digest", Words, nullable=False),
    Column("document", document_type(), nullable=False),
    Index("ix_recommendations_time", "created_at", "id"),
    Index("ix_recommendations_state", "state", "created_at", "id"),
    Index("ix_recommendations_job", "job_id"),
)

# One row a write to the plant. The partial indexes are what keeps two processes from writing one tag at
# a time, and a permit or a step from being carried out twice.
writes = Table(
    "writes",
    metadata,
    Column("id", Words, primary_key=True),
    Column("permit_id", Words, nullable=False),
    Column("recommendation_id", Words, nullable=False),
    Column("digest", Words, nullable=False),
    Column("step", Integer, nullable=False),
    Column("tag", Words, nullable=False),
    Column("before", Float),
    Column("value", Float, nullable=False),
    Column("approvers", document_type(), nullable=False),
    Column("grant_id", Words),
    Column("state", Words, nullable=False),
    Column("intended_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("read_back", Float),
    Column("reasons", document_type(), nullable=False),
    Column("text", Words, nullable=False),
    Column("settled_by", Words),
    Column("permit_used", Boolean, nullable=False),
    Index("ix_writes_time", "intended_at", "id"),
    Index("ix_writes_tag", "tag", "intended_at"),
    Index("ix_writes_recommendation", "recommendation_id", "intended_at"),
    Index("ix_writes_grant", "grant_id"),
)
_LOCKING = text("state IN ('intended', 'unverified')")
_MOVED = text("state IN ('intended', 'done', 'unverified')")
Index(
    "uq_writes_open_tag",
    writes.c.tag,
    unique=True,
    sqlite_where=_LOCKING,
    postgresql_where=_LOCKING,
)
Index(
    "uq_writes_step",
    writes.c.recommendation_id,
    writes.c.step,
    unique=True,
    sqlite_where=_MOVED,
    postgresql_where=_MOVED,
)
Index(
    "uq_writes_permit",
    writes.c.permit_id,
    unique=True,
    sqlite_where=text("permit_used"),
    postgresql_where=text("permit_used"),
)

write_stops = Table(
    "write_stops",
    metadata,
    Column("id", Words, primary_key=True),
    Column("by", Words, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("why", Words, nullable=False),
    Column("released_by", Words),
    Column("released_at", UtcTime),
    Index("ix_write_stops_time", "at"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", Words, primary_key=True),
    Column("route", Words, nullable=False),
    Column("digest", Words, nullable=False),
    Column("claimed_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("response", document_type()),
    Index("ix_idempotency_time", "claimed_at"),
)

settings = Table(
    "settings",
    metadata,
    Column("key", Words, primary_key=True),
    Column("value", document_type()),
    Column("updated_at", UtcTime, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Words, primary_key=True),
    Column("user", Words, nullable=False),
    Column("operations", document_type(), nullable=False),
    Column("turn", document_type(), nullable=False),
    Column("turns", Integer, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("origin", Words, nullable=False, server_default=""),
    Column("summary", Words, nullable=False, server_default=""),
    Column("summarised", Integer, nullable=False, server_default="0"),
    Index("ix_sessions_user", "user", "updated_at", "id"),
    Index("ix_sessions_expiry", "expires_at"),
)

session_turns = Table(
    "session_turns",
    metadata,
    Column("session_id", Words, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("plant_time", UtcTime, nullable=False),
    Column("text", Words, nullable=False),
    Column("reading", document_type(), nullable=False),
    Column("decision_id", Words),
    Column("state", Words, nullable=False),
    Column("jobs", document_type(), nullable=False),
    Column("answer", Words, nullable=False),
    Column("answered_by", Words, nullable=False),
    Column("items", document_type(), nullable=False),
    Column("evidence", document_type(), nullable=False),
    PrimaryKeyConstraint("session_id", "number"),
)

recommendation_transitions = Table(
    "recommendation_transitions",
    metadata,
    Column(
        "recommendation_id",
        Words,
        ForeignKey("recommendations.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("sequence", Integer, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("event", Words, nullable=False),
    Column("from_state", Words, nullable=False),
    Column("to_state", Words, nullable=False),
    Column("by", Words, nullable=False),
    Column("actor", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("details", document_type(), nullable=False),
    PrimaryKeyConstraint("recommendation_id", "sequence"),
)

approvals = Table(
    "approvals",
    metadata,
    Column(
        "recommendation_id",
        Words,
        ForeignKey("recommendations.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("sequence", Integer, nullable=False),
    Column("by", Words, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("digest", Words, nullable=False),
    Column("situation_digest", Words, nullable=False),
    Column("mode", Words, nullable=False),
    Column("comment", Words, nullable=False),
    Column("grant_id", Words),
    Column("void", Boolean, nullable=False),
    PrimaryKeyConstraint("recommendation_id", "sequence"),
)

recommendation_steps = Table(
    "recommendation_steps",
    metadata,
    Column(
        "recommendation_id",
        Words,
        ForeignKey("recommendations.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("number", Integer, nullable=False),
    Column("direction", Words, nullable=False),
    Column("tag", Words, nullable=False),
    Column("before", Float, nullable=False),
    Column("value", Float, nullable=False),
    Column("at_minutes", Float, nullable=False),
    Column("state", Words, nullable=False),
    Column("changed_at", UtcTime),
    Column("detail", Words, nullable=False),
    PrimaryKeyConstraint("recommendation_id", "number"),
)

grants = Table(
    "grants",
    metadata,
    Column("id", Words, primary_key=True),
    Column("granted_by", Words, nullable=False),
    Column("granted_at", UtcTime, nullable=False),
    Column("starts_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Column("envelope", document_type(), nullable=False),
    Column("max_moves", Integer, nullable=False),
    Column("reason", Words, nullable=False),
    Column("revoked_at", UtcTime),
    Column("revoked_by", Words),
    Index("ix_grants_end", "ends_at"),
)

# Every process that shares the database adds to the row of a day and a model.
model_use = Table(
    "model_use",
    metadata,
    Column("day", Words, nullable=False),
    Column("model", Words, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_usd", Float, nullable=False),
    PrimaryKeyConstraint("day", "model"),
)

# The digest covers the details byte for byte, and jsonb would rewrite them: so they are text.
audit = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("actor", Words, nullable=False),
    Column("action", Words, nullable=False),
    Column("subject", Words, nullable=False),
    Column("details", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("digest", Text, nullable=False),
)

# One row a decision on which an adviser was heard; with feedback and outcomes it tells how far to believe
# the next advice. Written with its decision and never without it.
advice = Table(
    "advice",
    metadata,
    Column("decision_id", Words, primary_key=True),
    Column("created_at", UtcTime, nullable=False),
    Column("model", Words, nullable=False),
    Column("prompt", Words, nullable=False),
    Column("outcome", Words, nullable=False),
    Column("stated_confidence", Float),
    Column("confidence", Float),
    Column("policy_confidence", Float, nullable=False),
    Column("proposed", document_type(), nullable=False),
    Column("policy", document_type(), nullable=False),
    Index("ix_advice_model", "model", "created_at"),
)

reasoning_runs = Table(
    "reasoning_runs",
    metadata,
    Column("id", Words, primary_key=True),
    Column("question", Words, nullable=False),
    Column("user", Words, nullable=False),
    Column("session_id", Words),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("document", document_type(), nullable=False),
    Column("answer", document_type()),
    Index("ix_reasoning_runs_time", "started_at", "id"),
)

reasoning_steps = Table(
    "reasoning_steps",
    metadata,
    Column("run_id", Words, ForeignKey("reasoning_runs.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", Words, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("document", document_type(), nullable=False),
    PrimaryKeyConstraint("run_id", "number"),
)
