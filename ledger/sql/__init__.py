"""The ledger, stored with SQLAlchemy Core on SQLite or PostgreSQL.

    ledger   `Ledger`: posts for many callers at once, in transactions of its own
    store    opens, posts, closes: the only code that writes these tables
    read     balances, statements, pages and the journal itself
    raw      statements past SQLAlchemy's types, where each microsecond counts
    book     takes all of it out, for verifiers that others write
    verify   re-adds and re-hashes everything, on a path of its own
    tables   what is stored; `types` what columns may hold; `guards` what the database refuses

All but `Ledger` works on a connection that the caller opened, in the caller's transaction.
"""

from __future__ import annotations

from ledger.sql.ledger import Ledger
from ledger.sql.tables import metadata

__all__ = ["Ledger", "metadata"]
