"""Which errors of a database may be gone with the next try, and which will not."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout


class ConnectionLost(ConnectionError):
    """The connection to the database broke. What was asked last may have been done or not."""


# SQLSTATE classes and codes. The first mean that the connection is gone or of no use: broken,
# ended by an administrator or a crash, starting up, too many of them, or a server that only reads
# (the one that was the primary before). The others, that another transaction was in the way.
_CONNECTION = ("08", "57P01", "57P02", "57P03", "53300", "25006")
_IN_THE_WAY = ("40", "55P03")
_DISK_FULL = "53100"


def may_pass(error: Exception) -> bool:
    """Whether to try the same transaction again: the connection broke, or somebody was in the way.

    Whatever was tried is then undone, or, if the connection broke inside COMMIT, done.
    """
    if isinstance(error, (OSError, TimeoutError, PoolTimeout)):
        return True
    if not isinstance(error, DBAPIError):
        return _state(error).startswith(_CONNECTION + _IN_THE_WAY)
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return error.connection_invalidated or _state(error.orig).startswith(_CONNECTION + _IN_THE_WAY)


def no_room(error: Exception) -> bool:
    """Whether the disk is full: nothing of the transaction was written."""
    if not isinstance(error, DBAPIError):
        return _state(error) == _DISK_FULL
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL
    return _state(error.orig) == _DISK_FULL


def disk_failed(error: Exception) -> bool:
    """Whether the disk broke off a transaction on SQLite; after a restart it may be there."""
    if not (isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.Error)):
        return False
    return error.orig.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR


def _state(error: BaseException | None) -> str:
    """The SQLSTATE of a PostgreSQL error, or nothing."""
    return getattr(error, "sqlstate", None) or ""
