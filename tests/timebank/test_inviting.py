"""Inviting: members, organisations and people who are not members, and how a guest becomes one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.timebank.factories import START, at
from tests.timebank.gathering_scenes import EVENING, TEA, Circle, a_circle
from timebank import guests, invitations, inviting, members, planning, seats
from timebank.communities import by_id
from timebank.db import EVERYWHERE, Database
from timebank.errors import BadInput, Forbidden, LinkSpent, OnTheList, SignUpClosed, WrongState
from timebank.gatherings import Answer, Openness
from timebank.moment import Moment


@pytest.fixture
async def circle(db: Database) -> Circle:
    return await a_circle(db)


async def personal(circle: Circle, token: str, *, days: int = 0) -> guests.Personal:
    """What a link opens."""
    async with circle.place.db.read(EVERYWHERE) as conn:
        return await guests.look(conn, token, now=at(days=days))


async def answers(circle: Circle, token: str, said: Answer, **more: str) -> None:
    """Whoever holds the link answers."""
    async with circle.place.db.write(circle.id) as conn:
        await guests.answer(conn, token, said, now=at(minutes=20), **more)


async def test_members_are_invited_once_each_and_those_of_last_time_in_one_go(
    circle: Circle,
) -> None:
    here = circle.place
    first = await circle.plan(TEA, replace(EVENING, day=START.date()), by=here.bert)
    for who in (here.ana, here.ines, here.dora):
        await circle.says(first, who, by=here.ana if who is here.ines else who)
    await circle.says(first, here.stella, Answer.NO)
    id = await circle.plan(by=here.bert)
    async with here.db.read(circle.id) as conn:
        found = await circle.get(id)
        again = await inviting.last_time(conn, found)
    assert set(again) == {here.ana.id, here.ines.id, here.dora.id}
    assert await circle.invites(id, here.bert, here.ana, here.library, words="Bring a friend") == 1
    assert await circle.do(inviting.several, id, again, by=here.bert) == 2
    seat = (await circle.get(id)).seat_of(here.ines.id)
    assert seat is not None
    assert seat.invited_by_name == "Bert Okoro"
    letters = [one for one in await circle.letters() if one.to_address.startswith("ana")]
    mine, for_ines = sorted(letters, key=lambda one: "Inés" in one.body)
    assert mine.subject == "Bert Okoro invites you: Tea and talk"
    assert "In their words: Bring a friend" in mine.body
    assert mine.path == f"/c/mill-road/gatherings/{id}"
    assert "This is about Inés García" in for_ines.body
    with pytest.raises(BadInput):
        await circle.do(inviting.several, id, [at().new_id()] * 201, by=here.bert)


async def test_an_organisation_sends_whom_its_account_manager_names(circle: Circle) -> None:
    here = circle.place
    id = await circle.plan(replace(TEA, openness=Openness.INVITED))
    with pytest.raises(BadInput):
        await circle.do(inviting.organisation, id, here.dora.id, by=here.ana)
    await circle.do(inviting.organisation, id, here.library.id, "Two of you?", by=here.ana)
    with pytest.raises(WrongState):
        await circle.do(inviting.organisation, id, here.library.id, by=here.carla)
    assert await circle.to("bert") == ["Ana Lima invites The Library: Tea and talk"]
    rosa = await circle.brings(id, "Rosa", here.bert, organisation=here.library.id)
    assert rosa.organisation == "The Library"
    named = [here.dora.id]
    assert (
        await circle.do(inviting.several, id, named, organisation=here.library.id, by=here.bert)
        == 1
    )
    dora = (await circle.get(id)).seat_of(here.dora.id)
    assert dora is not None
    assert (dora.answer, dora.organisation) == (Answer.ASKED, "The Library")
    with pytest.raises(Forbidden):
        await circle.brings(id, "Ivo", here.bert)  # for the library he may, on his own account not
    with pytest.raises(Forbidden):
        await circle.do(inviting.nobody_from, id, here.library.id, by=here.dora)
    await circle.do(inviting.nobody_from, id, here.library.id, by=here.bert)
    assert (await circle.get(id)).invited[0].declined_at is not None


async def test_who_invited_whom_across_which_boundary_is_kept(circle: Circle) -> None:
    here = circle.place
    await circle.belongs(here.bert, here.library, "culture")
    async with here.db.write(circle.id) as conn:
        surgery = await members.add(
            conn,
            circle.id,
            name="The Surgery",
            kind=members.MemberKind.ORGANISATION,
            by=here.carla.id,
            now=at(),
        )
    await circle.belongs(here.dora, surgery, "health")
    id = await circle.plan(by=here.bert)
    await circle.invites(id, here.bert, here.dora, here.stella)
    await circle.brings(id, "Rosa", here.bert, from_words="Shelter")
    async with here.db.read(circle.id) as conn:
        found = await circle.get(id)
        crossed = await inviting.crossings(conn, await by_id(conn, circle.id), found)
    by_name = {found.seat(one.seat_id).name: one for one in crossed}  # type: ignore[union-attr]
    assert by_name["Dora Winter"].organisations == ("The Library", "The Surgery")
    assert by_name["Dora Winter"].sectors == ("culture", "health")
    assert by_name["Stella Novak"].organisations is None
    assert by_name["Rosa"].organisations == ("The Library", "Shelter")
    assert by_name["Rosa"].sectors is None
    assert {one.inviter for one in crossed} == {"Bert Okoro"}


async def test_a_guest_answers_by_a_personal_link_and_becomes_a_member_with_their_seat(
    circle: Circle,
) -> None:
    here = circle.place
    id = await circle.plan(by=here.bert)
    token = await circle.do(
        inviting.guest,
        id,
        "Rosa Díaz",
        email="Rosa@Elsewhere.example",
        from_words="Shelter",
        words="You would like it",
        by=here.ana,
    )
    (letter,) = [one for one in await circle.letters() if "rosa" in one.to_address]
    mailed = letter.path.removeprefix("/gathering/")
    known = await personal(circle, mailed)
    assert known.seat is not None
    assert (known.seat.name, known.inviter.name) == ("Rosa Díaz", "Ana Lima")
    await answers(circle, mailed, Answer.MAYBE, words="If I find a sitter")
    await answers(circle, token, Answer.YES)
    seat = (await circle.get(id)).seats[0]
    assert (seat.comes, seat.member_id) == (True, None)
    for _ in range(2):  # asking twice leaves one invitation that works
        async with here.db.write(circle.id) as conn:
            secret = await guests.become_member(conn, token, now=at(minutes=30))
    assert secret is not None
    async with here.db.read(circle.id) as conn:
        assert len(await invitations.waiting(conn, circle.id, now=at(minutes=31))) == 1
    person, _, _ = await invitations.accept(
        here.db,
        secret,
        name="Rosa Díaz",
        email="rosa@elsewhere.example",
        password="seven kettles on the canal",
        language="en",
        device="",
        now=at(minutes=40),
    )
    seat = (await circle.get(id)).seats[0]
    async with here.db.read(circle.id) as conn:
        rosa = await members.of_person(conn, circle.id, person.id)
    assert rosa is not None
    assert (seat.member_id, seat.name, seat.email, seat.comes) == (rosa.id, "Rosa Díaz", "", True)
    with pytest.raises(Forbidden):  # she answers as a member now
        await answers(circle, token, Answer.NO)


async def test_a_blank_card_becomes_somebodys_and_vouches_for_nobody(circle: Circle) -> None:
    here = circle.place
    id = await circle.plan()
    guest = await circle.brings(id, "Ivo", here.ana)
    made = await circle.do(inviting.cards, id, [guest.id], 2, by=here.ana)
    assert [card.name for card in made] == ["Ivo", "", ""]
    for blank in (0, 41):
        with pytest.raises(BadInput):
            await circle.do(inviting.cards, id, [], blank, by=here.ana)
    card = made[1].token
    assert (await personal(circle, card)).seat is None
    with pytest.raises(BadInput):
        await answers(circle, card, Answer.YES)
    with pytest.raises(OnTheList):
        await answers(circle, card, Answer.YES, name="ivo")
    await answers(circle, card, Answer.YES, name="Nadia", from_words="Shelter")
    await answers(circle, card, Answer.NO, name="Somebody Else")
    seats_ = {seat.name: seat for seat in (await circle.get(id)).seats}
    assert set(seats_) == {"Ivo", "Nadia"}
    assert seats_["Nadia"].answer is Answer.NO
    async with here.db.write(circle.id) as conn:
        assert await guests.become_member(conn, card, now=at(minutes=30)) is None
    # Taken off the list, their links open nothing more.
    await circle.do(seats.take_off, id, guest.id, by=here.ana)
    with pytest.raises(LinkSpent):
        await personal(circle, made[0].token)
    # Links outlast the gathering by two months, also when it was moved.
    await circle.do(
        planning.edit, id, TEA, replace(EVENING, day=EVENING.day.replace(month=9)), by=here.ana
    )
    assert (await personal(circle, card, days=180)).gathering.id == id
    with pytest.raises(LinkSpent):
        await personal(circle, card, days=200)
    with pytest.raises(SignUpClosed):
        async with here.db.write(circle.id) as conn:
            await guests.answer(conn, card, Answer.YES, now=at(days=140))


async def test_a_member_who_opens_the_link_of_their_former_self_takes_the_seat(
    circle: Circle,
) -> None:
    here = circle.place
    id = await circle.plan(replace(TEA, capacity=1))
    token = await circle.do(inviting.guest, id, "Bert O.", by=here.ana)
    await answers(circle, token, Answer.YES)
    await circle.says(id, here.bert)  # waits behind his former self
    assert here.bert.person_id is not None

    async def claims(person: object, now: Moment) -> None:
        async with here.db.write(EVERYWHERE) as conn:
            await guests.claim(conn, token, person_id=person, now=now)  # type: ignore[arg-type]

    with pytest.raises(Forbidden):
        await claims(at().new_id(), at(minutes=30))
    await claims(here.bert.person_id, at(minutes=30))
    (seat,) = (await circle.get(id)).seats
    assert (seat.member_id, seat.comes) == (here.bert.id, True)
