"""The rows by which decisions are found become tables that are their own and only index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from orchestrator.state.columns import UtcTime, Words

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COLUMNS = {
    "decision_actions": ("module", "operation", "created_at", "decision_id"),
    "decision_triggers": ("name", "created_at", "decision_id"),
}


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        former, listed = f"former_{table}", ", ".join(columns)
        op.rename_table(table, former)
        if op.get_bind().dialect.name == "postgresql":
            # The constraint keeps its name, which the new table is to have.
            op.drop_constraint(f"pk_{table}", former, type_="primary")
        op.create_table(
            table,
            *(
                sa.Column(name, UtcTime() if name == "created_at" else Words(), nullable=False)
                for name in columns
            ),
            sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}")),
            sqlite_with_rowid=False,
        )
        op.execute(
            f"INSERT INTO {table} ({listed}) SELECT DISTINCT {listed} FROM {former}"  # noqa: S608
        )
        op.drop_table(former)


def downgrade() -> None:
    raise RuntimeError("what the former tables held besides is gone: restore a backup made before")
