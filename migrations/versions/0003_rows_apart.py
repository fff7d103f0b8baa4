"""On PostgreSQL, a session sees and writes the rows of the one community it names.

And its planner knows these tables soon: see `ledger.sql.planner`.
"""

from __future__ import annotations

from alembic import op

from ledger.sql.planner import known_soon
from ledger.sql.rights import rows_apart

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = (
    "journal",
    "account",
    "transfer",
    "agreement",
    "audit",
    "buddy",
    "category",
    "entry",
    "member",
    "outbox",
    "part",
    "step",
    "tally",
    "token",
    "verification",
)


def upgrade() -> None:
    """Put a policy on every table that has a community, and on the communities themselves."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in _TABLES:
        op.execute(known_soon(table))
        for statement in rows_apart(table):
            op.execute(statement)
    for statement in rows_apart("community", "id"):
        op.execute(statement)


def downgrade() -> None:
    """Show every row to whoever may read the table."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in (*_TABLES, "community"):
        op.execute(f"DROP POLICY {table}_of_the_community ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} RESET (autovacuum_analyze_threshold)")
