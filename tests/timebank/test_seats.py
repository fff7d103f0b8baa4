"""Who comes: room for so many, a line of those who wait, and one winner of the last seat.

Seen to turn red: not locking the gathering; counting maybe as a yes; nobody moving up.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.timebank.factories import a_member, at
from tests.timebank.gathering_scenes import EVENING, TEA, Circle, a_circle
from timebank import inviting, mail, planning, seats
from timebank.db import Database
from timebank.errors import (
    BadInput,
    Forbidden,
    NotFound,
    NotTakingPart,
    OnTheList,
    SignUpClosed,
    WrongState,
)
from timebank.gatherings import Answer, Openness


@pytest.fixture
async def circle(db: Database) -> Circle:
    return await a_circle(db)


async def test_the_first_who_say_yes_have_room_and_the_next_moves_up_when_somebody_leaves(
    circle: Circle,
) -> None:
    here = circle.place
    id = await circle.plan(replace(TEA, capacity=2))
    assert (await circle.says(id, here.ana)).comes
    await circle.says(id, here.carla, Answer.MAYBE)  # takes no room
    assert (await circle.says(id, here.bert, now=at(minutes=6))).comes
    assert (await circle.says(id, here.dora, now=at(minutes=7), words="Late")).waiting
    guest = await circle.brings(id, "Rosa", here.stella, now=at(minutes=8))
    assert guest.waiting
    # Saying it again, with another word, keeps the place in the line.
    assert (await circle.says(id, here.dora, now=at(minutes=9), words="A little late")).waiting
    assert await circle.to("dora") == []

    left = await circle.says(id, here.ana, Answer.NO, now=at(minutes=10), words="A cold")
    assert not left.comes
    found = await circle.get(id)
    assert [seat.name for seat in found.coming] == ["Bert Okoro", "Dora Winter"]
    assert await circle.to("dora") == ["There is room for you now: Tea and talk"]

    # More room, and the guest moves up as well.
    await circle.do(
        planning.edit, id, replace(TEA, capacity=3), EVENING, by=here.ana, now=at(minutes=11)
    )
    found = await circle.get(id)
    assert [seat.name for seat in found.coming][-1] == "Rosa"

    # Less room throws nobody out.
    await circle.do(
        planning.edit, id, replace(TEA, capacity=1), EVENING, by=here.ana, now=at(minutes=12)
    )
    assert len((await circle.get(id)).coming) == 3


async def test_of_many_who_want_the_last_seat_at_once_exactly_one_has_it(circle: Circle) -> None:
    here = circle.place
    id = await circle.plan(replace(TEA, capacity=1))
    everyone = [here.ana, here.bert, here.carla, here.dora, here.stella]
    async with here.db.write(circle.id) as conn:
        everyone += [
            await a_member(conn, circle.id, f"Neighbour {number}", email=f"n{number}@example.org")
            for number in range(5)
        ]
    found = await asyncio.gather(
        *(circle.says(id, who, now=at(seconds=place)) for place, who in enumerate(everyone))
    )
    assert sum(seat.comes for seat in found) == 1
    after = await circle.get(id)
    assert len(after.coming) == 1
    assert len(after.seats) == len(everyone)
    assert sum(seat.waiting for seat in after.seats) == len(everyone) - 1


async def test_an_answer_waits_for_another_that_is_being_given(circle: Circle) -> None:
    here = circle.place
    id = await circle.plan(replace(TEA, capacity=1))
    async with here.db.write(circle.id) as conn:
        await seats.answer(conn, circle.id, id, Answer.YES, by=here.ana.id, now=at())
        other = asyncio.create_task(circle.says(id, here.bert))
        await asyncio.sleep(0.3)
        assert not other.done()
    assert (await other).waiting


async def test_who_has_no_sign_in_is_signed_up_by_a_buddy_a_coordinator_or_an_organiser(
    circle: Circle,
) -> None:
    here = circle.place
    id = await circle.plan(by=here.bert)
    with pytest.raises(Forbidden):
        await circle.says(id, here.carla, by=here.ana)
    with pytest.raises(Forbidden):
        await circle.says(id, here.carla, by=here.bert)  # organises it, but Carla signs in herself
    async with here.db.write(circle.id) as conn:
        alone = await a_member(conn, circle.id, "Ivo Brandt")
    with pytest.raises(Forbidden):
        await circle.says(id, alone, by=here.ana)
    for by in (here.bert, here.carla):
        assert (await circle.says(id, alone, by=by)).comes
    assert (await circle.says(id, here.ines, by=here.ana)).comes
    with pytest.raises(NotTakingPart):
        await circle.says(id, here.library, by=here.carla)


async def test_one_by_invitation_is_there_for_those_invited_only(circle: Circle) -> None:
    here = circle.place
    id = await circle.plan(replace(TEA, openness=Openness.INVITED))
    with pytest.raises(NotFound):
        await circle.says(id, here.bert)
    with pytest.raises(NotFound):
        await circle.brings(id, "Rosa", here.bert)
    assert await circle.invites(id, here.ana, here.bert, here.bert) == 1
    assert (await circle.says(id, here.bert)).comes
    with pytest.raises(Forbidden):  # coming is no right to invite others
        await circle.brings(id, "Rosa", here.bert)


async def test_guests_come_by_name_and_whoever_brought_them_takes_them_off(
    circle: Circle,
) -> None:
    here = circle.place
    id = await circle.plan(by=here.carla)
    rosa = await circle.brings(id, "Rosa Díaz", here.bert, from_words="Shelter")
    assert rosa.organisation == "Shelter"
    assert rosa.invited_by_name == "Bert Okoro"
    with pytest.raises(OnTheList):
        await circle.brings(id, "rosa diaz", here.ana)
    with pytest.raises(BadInput):
        await circle.brings(id, "", here.ana)
    own = await circle.says(id, here.ana)
    for seat, by in ((rosa, here.ana), (own, here.bert), (own, here.carla)):
        with pytest.raises(Forbidden):
            await circle.do(seats.take_off, id, seat.id, by=by)
    await circle.do(seats.take_off, id, rosa.id, by=here.bert)
    assert [seat.name for seat in (await circle.get(id)).seats] == ["Ana Lima"]


async def test_nobody_answers_any_more_once_it_is_over_or_called_off(circle: Circle) -> None:
    here = circle.place
    id = await circle.plan()
    with pytest.raises(SignUpClosed):
        await circle.says(id, here.bert, now=at(days=8, hours=7))
    await circle.do(planning.call_off, id, "The pipes burst.", by=here.ana)
    for attempt in (circle.says(id, here.bert), circle.brings(id, "Rosa", here.bert)):
        with pytest.raises(SignUpClosed):
            await attempt
    with pytest.raises(WrongState):
        await circle.do(planning.call_off, id, "", by=here.ana)


async def test_where_somebody_comes_from_is_one_of_their_hats(circle: Circle) -> None:
    here = circle.place
    id = await circle.plan()
    assert (await circle.says(id, here.bert)).organisation_id is None
    await circle.belongs(here.bert, here.library, "culture")
    assert (await circle.says(id, here.bert)).organisation_id is None  # as they said before
    assert (await circle.says(id, here.bert, whence=here.library.id)).organisation == "The Library"
    assert (await circle.says(id, here.bert, whence=None)).organisation_id is None
    with pytest.raises(BadInput):
        await circle.says(id, here.dora, whence=here.library.id)
    await circle.belongs(here.dora, here.library)
    assert (await circle.says(id, here.dora)).organisation_id == here.library.id


async def test_what_we_know_of_guests_goes_two_months_after_and_members_stay(
    circle: Circle,
) -> None:
    here = circle.place
    id = await circle.plan()
    await circle.do(
        inviting.guest, id, "Rosa Díaz", email="rosa@x.example", from_words="Shelter", by=here.ana
    )
    await circle.says(id, here.bert, words="With my dog")
    while await mail.deliver_due(here.db, here.db.settings, now=at(hours=1)):
        pass
    assert len(await circle.to("rosa")) == 1  # it was sent, and still names her address
    await seats.forget_guests(here.db, now=at(days=8 + 59))
    assert "Rosa Díaz" in [seat.name for seat in (await circle.get(id)).seats]
    for _ in range(2):
        await seats.forget_guests(here.db, now=at(days=8 + 61))
        by_name = {seat.name: seat for seat in (await circle.get(id)).seats}
        assert set(by_name) == {"A guest", "Bert Okoro"}
        assert by_name["A guest"].organisation == "Shelter"
        assert await circle.to("rosa") == []
        assert by_name["Bert Okoro"].words == "With my dog"
