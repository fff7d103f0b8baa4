"""Small, plain values for the ledger's tests."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from ledger import Journal, JournalEntry, Minutes, Posted, Transfer, Verdict, commitment

HERE = UUID(int=0xC0)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAY = date(2026, 1, 3)

ANA, BEN, CAT, COMMONS = (UUID(int=number) for number in (0xA, 0xB, 0xC, 0xD))

Move = tuple[UUID, UUID, int]


def after(hours: float) -> datetime:
    """So many hours after noon of the first day."""
    return NOON + timedelta(hours=hours)


def entry(
    number: int,
    *moves: Move,
    words: str = "soup",
    day: date = DAY,
    reverses: UUID | None = None,
    override: bool = False,
) -> JournalEntry:
    """The entry with this number, moving (source, destination, minutes)."""
    transfers = tuple(Transfer(source, to, Minutes(minutes)) for source, to, minutes in moves)
    salt = number.to_bytes(16, "big")
    return JournalEntry(
        UUID(int=0xE000 + number), transfers, day, commitment(salt, words), reverses, override
    )


def journal(floor: Minutes | None = None) -> Journal:
    """A journal with Ana, Ben, Cat (with this floor) and the commons (without one)."""
    journal = Journal.open(HERE, NOON)
    for account in (ANA, BEN, CAT):
        journal.open_account(account, floor)
    journal.open_account(COMMONS)
    return journal


def posted(verdict: Verdict) -> Posted:
    """The verdict, which has to be that the entry was posted."""
    assert isinstance(verdict, Posted), verdict
    return verdict
