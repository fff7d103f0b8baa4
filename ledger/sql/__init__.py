"""The ledger, stored with SQLAlchemy Core on SQLite or PostgreSQL.

    store    opens, posts, closes: the only code that writes these tables
    read     balances, statements, pages and the journal itself
    verify   re-adds and re-hashes everything, on a path of its own
    tables   what is stored; `types` what columns may hold; `guards` what the database refuses

All of it works on a connection that the caller opened, in the caller's transaction.
"""

from __future__ import annotations

from ledger.sql.tables import metadata

__all__ = ["metadata"]
