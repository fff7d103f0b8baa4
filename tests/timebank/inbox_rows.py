"""Rows of the inbox, taken for what their source says they are."""

from __future__ import annotations

from timebank.inbox import Row
from timebank.inbox.of_entries import WaitingEntry


def entry_of(row: Row) -> WaitingEntry:
    """The entry of a row."""
    assert isinstance(row.thing, WaitingEntry), row
    return row.thing
