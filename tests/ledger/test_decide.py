"""Deciding: what is posted, what is refused, and what is said about it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import pytest

from ledger import MAX, ZERO, JournalEntry, Minutes, Posted, Refused
from ledger.errors import (
    AccountClosed,
    FloorReached,
    KeyReused,
    NotPositive,
    NoTransfers,
    Refusal,
    SameAccount,
    TooMuch,
    UnknownAccount,
)
from tests.ledger.making import ANA, BEN, CAT, DAY, NOON, after, entry, journal, posted

NOBODY = UUID(int=0xF)


def test_what_one_gives_the_other_gets() -> None:
    book = journal()
    rows = posted(book.post([entry(1, (ANA, BEN, 90))], NOON)[0]).transfers
    assert book.balances()[ANA] == Minutes(-90)
    assert book.balances()[BEN] == Minutes(90)
    assert [(row.seq, row.position, row.source_line, row.destination_line) for row in rows] == [
        (1, 1, 1, 1)
    ]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (entry(1), NoTransfers(entry(1).id)),
        (entry(1, (ANA, BEN, 0)), NotPositive(ZERO)),
        (entry(1, (ANA, BEN, -5)), NotPositive(Minutes(-5))),
        (entry(1, (ANA, BEN, MAX.count + 1)), TooMuch(Minutes(MAX.count + 1))),
        (entry(1, (ANA, ANA, 5)), SameAccount(ANA)),
        (entry(1, (ANA, NOBODY, 5)), UnknownAccount(NOBODY)),
        (entry(1, (NOBODY, ANA, 5)), UnknownAccount(NOBODY)),
        (entry(1, (ANA, BEN, 11)), FloorReached(ANA, Minutes(-10), ZERO, Minutes(11))),
    ],
)
def test_a_bad_entry_is_refused_and_leaves_no_trace(bad: JournalEntry, error: Refusal) -> None:
    book = journal(floor=Minutes(-10))
    before = journal(floor=Minutes(-10))
    assert book.post([bad], NOON) == [Refused(bad.id, error)]
    assert book == before


def test_one_bad_transfer_refuses_the_whole_entry() -> None:
    book = journal()
    mixed = entry(1, (ANA, BEN, 5), (BEN, CAT, 5), (CAT, CAT, 5))
    assert book.post([mixed], NOON) == [Refused(mixed.id, SameAccount(CAT))]
    assert set(book.balances().values()) == {ZERO}


def test_a_closed_account_neither_gives_nor_takes() -> None:
    book = journal()
    book.close_account(BEN)
    verdicts = book.post([entry(1, (ANA, BEN, 5)), entry(2, (BEN, ANA, 5))], NOON)
    assert [verdict.error for verdict in verdicts if isinstance(verdict, Refused)] == [
        AccountClosed(BEN),
        AccountClosed(BEN),
    ]
    book.reopen_account(BEN)
    posted(book.post([entry(1, (ANA, BEN, 5))], NOON)[0])


def test_a_floor_may_be_reached_and_not_passed() -> None:
    book = journal(floor=Minutes(-10))
    posted(book.post([entry(1, (ANA, BEN, 10))], NOON)[0])
    assert book.post([entry(2, (ANA, BEN, 1))], NOON) == [
        Refused(entry(2).id, FloorReached(ANA, Minutes(-10), Minutes(-10), Minutes(1)))
    ]


def test_transfers_of_an_entry_are_judged_strictly_in_order() -> None:
    book = journal(floor=ZERO)
    first_give = entry(1, (ANA, BEN, 5), (CAT, ANA, 5), override=False)
    assert isinstance(book.post([first_give], NOON)[0], Refused)
    posted(book.post([entry(2, (CAT, ANA, 5), override=True)], NOON)[0])
    posted(book.post([entry(3, (ANA, BEN, 5), (BEN, ANA, 2), (ANA, CAT, 2))], NOON)[0])


def test_an_override_passes_the_floor_and_nothing_else() -> None:
    book = journal(floor=ZERO)
    posted(book.post([entry(1, (ANA, BEN, 5), override=True)], NOON)[0])
    book.close_account(CAT)
    assert isinstance(book.post([entry(2, (ANA, CAT, 5), override=True)], NOON)[0], Refused)


def test_below_a_tightened_floor_one_can_still_receive() -> None:
    book = journal()
    book.post([entry(1, (ANA, BEN, 60))], NOON)
    book.set_floor([ANA, BEN], Minutes(-10))
    posted(book.post([entry(2, (BEN, ANA, 5))], NOON)[0])
    assert isinstance(book.post([entry(3, (ANA, BEN, 1))], NOON)[0], Refused)


def test_each_entry_is_judged_on_what_those_before_it_left() -> None:
    book = journal(floor=ZERO)
    posted(book.post([entry(1, (CAT, ANA, 5), override=True)], NOON)[0])
    batch = [entry(2, (ANA, BEN, 3)), entry(3, (ANA, BEN, 3)), entry(4, (ANA, BEN, 2))]
    verdicts = book.post(batch, NOON)
    assert [type(verdict) for verdict in verdicts] == [Posted, Refused, Posted]
    assert [row.seq for row in book.transfers] == [1, 2, 3]


def test_posting_twice_answers_the_same_and_posts_once() -> None:
    book = journal()
    give = entry(1, (ANA, BEN, 5), (ANA, CAT, 5))
    first = posted(book.post([give], NOON)[0])
    again = posted(book.post([give], after(1))[0])
    assert again.replayed
    assert not first.replayed
    assert again.transfers == first.transfers
    assert len(book.transfers) == 2


def test_twice_in_one_batch_posts_once() -> None:
    book = journal()
    give = entry(1, (ANA, BEN, 5))
    first, again = book.post([give, give], NOON)
    assert posted(again).replayed
    assert posted(again).transfers == posted(first).transfers


def test_a_replay_is_answered_even_if_it_would_be_refused_by_now() -> None:
    book = journal(floor=Minutes(-5))
    give = entry(1, (ANA, BEN, 5))
    book.post([give], NOON)
    book.close_account(ANA)
    assert posted(book.post([give], NOON)[0]).replayed


def test_what_was_refused_may_be_tried_again() -> None:
    book = journal(floor=ZERO)
    give = entry(1, (ANA, BEN, 5))
    assert isinstance(book.post([give], NOON)[0], Refused)
    book.set_floor([ANA], None)
    assert not posted(book.post([give], NOON)[0]).replayed


@pytest.mark.parametrize(
    "other",
    [
        entry(1, (ANA, BEN, 6)),
        entry(1, (BEN, ANA, 5)),
        entry(1, (ANA, CAT, 5)),
        entry(1, (ANA, BEN, 5), (ANA, BEN, 5)),
        entry(1),
        entry(1, (ANA, BEN, 5), words="cake"),
        entry(1, (ANA, BEN, 5), day=NOON.date()),
        entry(1, (ANA, BEN, 5), reverses=entry(2).id),
    ],
)
def test_the_same_id_with_other_content_is_refused(other: JournalEntry) -> None:
    book = journal()
    book.post([entry(1, (ANA, BEN, 5))], NOON)
    assert book.post([other], NOON) == [Refused(other.id, KeyReused(other.id))]
    assert len(book.transfers) == 1


def test_an_override_is_no_part_of_the_content() -> None:
    book = journal()
    book.post([entry(1, (ANA, BEN, 5))], NOON)
    assert posted(book.post([entry(1, (ANA, BEN, 5), override=True)], NOON)[0]).replayed


def test_time_in_the_journal_never_runs_backwards() -> None:
    book = journal()
    book.post([entry(1, (ANA, BEN, 5))], after(5))
    book.post([entry(2, (ANA, BEN, 5))], after(2))
    book.post([entry(3, (ANA, BEN, 5))], after(6))
    assert [row.posted_at for row in book.transfers] == [after(5), after(5), after(6)]


def test_a_moment_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        journal().post([], datetime(2026, 1, 1))  # noqa: DTZ001


def test_an_entry_has_a_whole_commitment_and_a_day() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        JournalEntry(ANA, (), DAY, b"short")
    with pytest.raises(TypeError, match="a day"):
        JournalEntry(ANA, (), NOON, bytes(32))


def test_refusals_are_sentences() -> None:
    reached = FloorReached(ANA, Minutes(-600), Minutes(-570), Minutes(90))
    assert str(reached) == (
        f"The account {ANA} stands at -9:30 and may not go below -10:00, so it cannot give 1:30."
    )
