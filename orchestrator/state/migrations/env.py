"""What Alembic runs: the revisions, on the connection given by `orchestrator.state.migrations`."""

from __future__ import annotations

from alembic import context

from orchestrator.state.tables import metadata

connection = context.config.attributes["connection"]
if connection is None:
    raise RuntimeError("run the migrations through orchestrator.state.database.Database.migrate")

# The transaction is the caller's: the lock, the tables and the revision number stand or fall together.
context.configure(
    connection=connection,
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
context.run_migrations()
