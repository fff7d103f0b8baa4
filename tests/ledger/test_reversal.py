"""Undoing: a new entry moves the same minutes back, once, and both stay."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import ZERO, JournalEntry, Minutes, Refused, Transfer
from ledger.entry import mirrored
from ledger.errors import AccountClosed, AlreadyReversed, FloorReached, NotPosted, ReversalDiffers
from tests.ledger.making import ANA, BEN, CAT, COMMONS, DAY, NOON, after, entry, journal, posted

GIVE = entry(1, (ANA, BEN, 30), (BEN, CAT, 20))
UNDO = GIVE.reversal(entry(2).id, DAY, bytes(32))


def test_undoing_restores_every_balance_and_keeps_both() -> None:
    book = journal()
    book.post([GIVE], NOON)
    posted(book.post([UNDO], after(1))[0])
    assert set(book.balances().values()) == {ZERO}
    assert [row.reverses_id for row in book.transfers] == [None, None, GIVE.id, GIVE.id]


def test_a_reversal_goes_back_the_way_it_came() -> None:
    assert UNDO.transfers == (Transfer(CAT, BEN, Minutes(20)), Transfer(BEN, ANA, Minutes(30)))
    assert UNDO.reverses == GIVE.id


def test_an_entry_is_undone_once() -> None:
    book = journal()
    book.post([GIVE, UNDO], NOON)
    again = replace(UNDO, id=entry(3).id)
    assert book.post([again], NOON) == [Refused(again.id, AlreadyReversed(GIVE.id, UNDO.id))]


def test_two_reversals_in_one_batch_undo_once() -> None:
    book = journal()
    again = replace(UNDO, id=entry(3).id)
    first, second = book.post([GIVE, UNDO, again], NOON)[1:]
    posted(first)
    assert second == Refused(again.id, AlreadyReversed(GIVE.id, UNDO.id))


def test_undoing_twice_with_one_id_answers_the_same() -> None:
    book = journal()
    book.post([GIVE, UNDO], NOON)
    assert posted(book.post([UNDO], after(1))[0]).replayed


def test_what_was_never_posted_cannot_be_undone() -> None:
    book = journal()
    assert book.post([UNDO, GIVE], NOON)[0] == Refused(UNDO.id, NotPosted(GIVE.id))
    itself = entry(9, (ANA, BEN, 5), reverses=entry(9).id)
    assert book.post([itself], NOON) == [Refused(itself.id, NotPosted(itself.id))]


@pytest.mark.parametrize(
    "wrong",
    [
        entry(2, (BEN, ANA, 30), reverses=GIVE.id),
        entry(2, (BEN, ANA, 30), (CAT, BEN, 20), reverses=GIVE.id),
        entry(2, (CAT, BEN, 20), (BEN, ANA, 29), reverses=GIVE.id),
        entry(2, (ANA, BEN, 30), (BEN, CAT, 20), reverses=GIVE.id),
        entry(2, reverses=GIVE.id),
    ],
)
def test_a_reversal_moves_back_exactly_what_was_moved(wrong: JournalEntry) -> None:
    book = journal()
    book.post([GIVE], NOON)
    assert book.post([wrong], NOON) == [Refused(wrong.id, ReversalDiffers(wrong.id, GIVE.id))]


def test_a_reversal_respects_floors_unless_overridden() -> None:
    book = journal(floor=Minutes(-10))
    give = entry(1, (COMMONS, ANA, 30))
    book.post([give, entry(2, (ANA, BEN, 30))], NOON)
    undo = give.reversal(entry(3).id, DAY, bytes(32))
    refusal = FloorReached(ANA, Minutes(-10), ZERO, Minutes(30))
    assert book.post([undo], NOON) == [Refused(undo.id, refusal)]
    posted(book.post([replace(undo, override=True)], NOON)[0])


def test_undoing_waits_until_a_closed_account_is_opened_again() -> None:
    book = journal()
    book.post([GIVE], NOON)
    book.close_account(ANA)
    assert book.post([UNDO], NOON) == [Refused(UNDO.id, AccountClosed(ANA))]
    book.reopen_account(ANA)
    posted(book.post([UNDO], NOON)[0])


transfers = st.builds(
    Transfer,
    st.sampled_from([ANA, BEN]),
    st.sampled_from([CAT, COMMONS]),
    st.integers(1, 9).map(Minutes),
)


@given(st.lists(transfers, max_size=5).map(tuple))
def test_undoing_the_undoing_is_the_entry_again(moves: tuple[Transfer, ...]) -> None:
    assert mirrored(mirrored(moves)) == moves
