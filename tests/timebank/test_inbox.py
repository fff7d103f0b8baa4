"""The inbox: what waits for a coordinator, and what this one may do about it.

Seen to turn red: newest first; leaving out contested entries; leaving out what nobody could be
asked about.
"""

from __future__ import annotations

from typing import Any

import pytest

from ledger import Minutes
from tests.timebank.factories import a_member, at
from tests.timebank.scenes import MillRoad, counted, helped, mill_road
from timebank import entry_steps, inbox
from timebank.agreements import Approval, OtherSide
from timebank.db import Database
from timebank.errors import Forbidden, NotConfirmed, NotFound, OwnGain, ReasonMissing
from timebank.inbox import Inbox, Why
from timebank.members import Member, Status


@pytest.fixture
async def place(db: Database) -> MillRoad:
    return await mill_road(db)


async def look(place: MillRoad, by: Member | None = None, **asked: Any) -> Inbox:
    async with place.db.read(place.id) as conn:
        found = await inbox.page(conn, place.id, by=(by or place.carla).id, **asked)
        if not asked:
            assert found.total == await inbox.count(conn, place.id)
        return found


async def test_only_coordinators_look(place: MillRoad) -> None:
    with pytest.raises(Forbidden):
        await look(place, place.ana)
    assert (await look(place)).total == 0


async def test_each_row_says_why_it_is_here_and_what_stands_in_its_way(
    place: MillRoad,
) -> None:
    fine = await place.record(helped(place.ana, place.bert), place.ana)
    own = await place.record(helped(place.carla, place.bert), place.carla, at(minutes=1))
    disputed = await place.record(helped(place.ana, place.bert), place.ana, at(minutes=2))
    await place.step(entry_steps.dispute, disputed, place.bert, "No.")
    contested = await place.record(helped(place.ana, place.dora), place.ana, at(minutes=3))
    await place.approve(contested)
    await place.step(entry_steps.dispute, contested, place.dora, "No.", at(hours=2))
    returned = await place.record(helped(place.ana, place.bert), place.ana, at(minutes=4))
    await place.step(entry_steps.return_with_question, returned, place.carla, "When?")
    found = await look(place)
    rows = [
        (row.entry.id, row.why_here, row.may_approve, type(row.why_not)) for row in found.entries
    ]
    assert rows == [
        (fine.id, Why.APPROVAL, True, type(None)),
        (own.id, Why.APPROVAL, False, OwnGain),
        (disputed.id, Why.DISPUTED, False, ReasonMissing),
        (contested.id, Why.CONTESTED, False, type(None)),
    ]
    assert (found.total, found.oldest_at) == (4, at().at)


async def test_unconfirmed_entries_wait_where_the_agreement_asks(place: MillRoad) -> None:
    await place.agree(other_side=OtherSide.CONFIRMS)
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    (row,) = (await look(place)).entries
    assert (row.may_approve, type(row.why_not)) == (False, NotConfirmed)
    (row,) = (await look(place, now=at(days=7))).entries
    assert row.may_approve  # silence agrees
    await place.step(entry_steps.confirm, entry, place.bert)
    (row,) = (await look(place)).entries
    assert row.may_approve


async def test_what_goes_by_itself_is_not_here_unless_somebody_could_not_be_asked(
    place: MillRoad,
) -> None:
    await place.agree(approval=Approval.ABOVE, approval_above=Minutes(90))
    await place.record(helped(place.ana, place.bert), place.ana)
    long = await place.record(helped(place.ana, place.bert, 105), place.ana, at(minutes=1))
    unasked = await place.record(helped(place.bert, place.ines), place.bert, at(minutes=2))
    commons = await place.record(helped(place.bert, place.commons), place.bert, at(minutes=3))
    found = await look(place)
    assert [row.entry.id for row in found.entries] == [long.id, unasked.id, commons.id]


async def test_pages_follow_one_another(place: MillRoad) -> None:
    recorded = [await place.record(helped(place.ana, place.bert), place.ana) for _ in range(7)]
    seen, after = [], None
    while True:
        found = await look(place, after=after, limit=3)
        assert found.total == 7
        seen += [row.entry.id for row in found.entries]
        after = found.next_after
        if after is None:
            break
    assert seen == sorted(entry.id for entry in recorded)
    for wrong in ("", "x", "1-2", "-" * 40, "9" * 30 + "-" + "0" * 32):
        with pytest.raises(NotFound):
            await look(place, after=wrong)


async def test_people_who_asked_to_join_wait_here(place: MillRoad) -> None:
    async with place.db.write(place.id) as conn:
        zora = await a_member(
            conn, place.id, "Zora", email="zora@example.org", status=Status.APPLIED
        )
    found = await look(place)
    assert [member.id for member in found.applications] == [zora.id]
    assert found.total == 1
    assert found.oldest_at is not None


async def test_fifty_rows_take_as_many_queries_as_two(place: MillRoad) -> None:
    numbers = []
    for count in (2, 50):
        for _ in range(count):
            await place.record(helped(place.ana, place.bert), place.ana)
        async with place.db.read(place.id) as conn, counted(place.db) as sent:
            await inbox.page(conn, place.id, by=place.carla.id)
        numbers.append(len(sent))
    assert numbers[0] == numbers[1]
    assert numbers[0] <= 12
