"""Rows of the inbox, taken for what their source says they are."""

from __future__ import annotations

from timebank.inbox import Row
from timebank.inbox.of_entries import WaitingEntry
from timebank.inbox.of_members import Person


def entry_of(row: Row) -> WaitingEntry:
    """The entry of a row."""
    assert isinstance(row.thing, WaitingEntry), row
    return row.thing


def person_of(row: Row) -> Person:
    """The member of a row."""
    assert isinstance(row.thing, Person), row
    return row.thing
