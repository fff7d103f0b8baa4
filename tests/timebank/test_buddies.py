"""A buddy records for somebody who agreed to it; an organisation has account managers."""

from __future__ import annotations

import pytest

from tests.timebank.factories import a_community, a_member, at
from tests.timebank.scenes import helped, mill_road
from timebank import buddies, communities, members, readers
from timebank.buddies import BuddyKind
from timebank.db import EVERYWHERE, Database
from timebank.errors import AlreadyMember, BadInput, Forbidden, NotFound, NotTakingPart
from timebank.members import Member, MemberKind, Role, Status


class Street:
    """Rosa has no e-mail; Ben would help her; Carol coordinates; Dan is a neighbour."""

    rosa: Member
    ben: Member
    carol: Member
    dan: Member


@pytest.fixture
async def street(db: Database) -> Street:
    found = Street()
    async with db.write(EVERYWHERE) as conn:
        here = (await a_community(conn)).id
        found.rosa = await a_member(conn, here, "Rosa")
        found.ben = await a_member(conn, here, "Ben", email="ben@example.org")
        found.carol = await a_member(conn, here, "Carol", role=Role.COORDINATOR)
        found.dan = await a_member(conn, here, "Dan")
    return found


async def _add(
    db: Database, member: Member, buddy: Member, by: Member, consent: str = "She said so at tea."
) -> None:
    async with db.write(EVERYWHERE) as conn:
        await buddies.add(
            conn, member.community_id, member.id, buddy.id, consent=consent, by=by.id, now=at()
        )


async def _helped_by(db: Database, buddy: Member) -> list[str]:
    async with db.read(EVERYWHERE) as conn:
        return [one.name for one in await buddies.records_for(conn, buddy.community_id, buddy.id)]


@pytest.mark.parametrize("witness", ["carol", "rosa"])
async def test_a_buddy_is_named_by_the_member_or_before_a_coordinator(
    db: Database, street: Street, witness: str
) -> None:
    await _add(db, street.rosa, street.ben, getattr(street, witness))
    assert await _helped_by(db, street.ben) == ["Rosa"]
    assert await _helped_by(db, street.rosa) == []
    async with db.read(EVERYWHERE) as conn:
        found = await buddies.of(conn, street.rosa.community_id, street.rosa.id)
    assert [(one.name, one.consent) for one in found] == [("Ben", "She said so at tea.")]


@pytest.mark.parametrize("who", ["ben", "dan"])
async def test_nobody_makes_themselves_a_buddy(db: Database, street: Street, who: str) -> None:
    actor = getattr(street, who)
    with pytest.raises(Forbidden):
        await _add(db, street.rosa, actor, actor)
    assert await _helped_by(db, actor) == []


async def test_a_buddy_needs_consent_in_words(db: Database, street: Street) -> None:
    with pytest.raises(BadInput):
        await _add(db, street.rosa, street.ben, street.carol, consent="")


async def test_nobody_is_their_own_buddy_or_somebodys_twice(db: Database, street: Street) -> None:
    with pytest.raises(BadInput):
        await _add(db, street.rosa, street.rosa, street.carol)
    await _add(db, street.rosa, street.ben, street.carol)
    with pytest.raises(AlreadyMember):
        await _add(db, street.rosa, street.ben, street.carol)


async def test_who_is_no_active_person_is_no_buddy(db: Database, street: Street) -> None:
    async with db.write(EVERYWHERE) as conn:
        library = await a_member(
            conn, street.rosa.community_id, "Library", kind=MemberKind.ORGANISATION
        )
        gone = await a_member(conn, street.rosa.community_id, "Gone", status=Status.PAUSED)
    for one in (library, gone):
        with pytest.raises(NotTakingPart):
            await _add(db, street.rosa, one, street.carol)


async def test_an_organisation_has_account_managers(db: Database, street: Street) -> None:
    async with db.write(EVERYWHERE) as conn:
        library = await a_member(
            conn, street.rosa.community_id, "Library", kind=MemberKind.ORGANISATION
        )
    await _add(db, library, street.ben, street.carol, consent="Named by its director.")
    assert await _helped_by(db, street.ben) == ["Library"]


@pytest.mark.parametrize(
    ("who", "may"), [("rosa", True), ("ben", True), ("carol", True), ("dan", False)]
)
async def test_it_ends_when_either_of_them_or_a_coordinator_says_so(
    db: Database, street: Street, who: str, may: bool
) -> None:
    await _add(db, street.rosa, street.ben, street.carol)
    here = street.rosa.community_id
    async with db.read(EVERYWHERE) as conn:
        (row,) = await buddies.of(conn, here, street.rosa.id)

    async def end() -> None:
        async with db.write(EVERYWHERE) as conn:
            await buddies.end(conn, here, row.id, by=getattr(street, who).id, now=at(days=1))

    if may:
        await end()
    else:
        with pytest.raises(Forbidden):
            await end()
    assert await _helped_by(db, street.ben) == ([] if may else ["Rosa"])
    if may:
        with pytest.raises(NotFound):
            await end()
        await _add(db, street.rosa, street.ben, street.carol)  # and may begin anew


async def test_nobody_records_for_somebody_who_has_left(db: Database, street: Street) -> None:
    await _add(db, street.rosa, street.ben, street.carol)
    async with db.write(EVERYWHERE) as conn:
        await members.leave(
            conn, street.rosa.community_id, street.rosa.id, by=street.carol.id, now=at()
        )
    assert await _helped_by(db, street.ben) == []


async def test_a_member_of_another_community_is_not_found(db: Database, street: Street) -> None:
    async with db.write(EVERYWHERE) as conn:
        other = await a_community(conn, "elsewhere")
        stranger = await a_member(conn, other.id, "Stranger")
        assert await communities.every(conn)
    with pytest.raises(NotFound):
        await _add(db, street.rosa, stranger, street.carol)
    with pytest.raises(NotFound):
        await _add(db, stranger, street.ben, street.carol)


async def test_what_was_stays_readable_with_who_ended_it(db: Database, street: Street) -> None:
    await _add(db, street.rosa, street.ben, street.carol)
    here = street.rosa.community_id
    async with db.write(EVERYWHERE) as conn:
        (row,) = await buddies.of(conn, here, street.rosa.id)
        await buddies.end(conn, here, row.id, by=street.ben.id, now=at(days=1))
        (past,) = await buddies.of(conn, here, street.rosa.id, ended=True)
        assert await buddies.of(conn, here, street.rosa.id) == []
    assert (past.name, past.ended_by, past.until) == ("Ben", "Ben", at(days=1).at)


async def test_a_guardian_reads_what_concerns_a_member_who_has_a_sign_in(db: Database) -> None:
    road = await mill_road(db)
    async with db.write(road.id) as conn:
        await buddies.add(
            conn,
            road.id,
            road.ana.id,
            road.dora.id,
            consent="She asked for it.",
            kind=BuddyKind.GUARDIAN,
            by=road.ana.id,
            now=at(),
        )
    assert await road.told() == ["dora@example.org"]  # that she is one, and how to step back
    await road.record(helped(road.bert, road.ana), road.bert)
    assert sorted(await road.told()) == ["ana@example.org", "dora@example.org", "dora@example.org"]
    async with db.write(road.id) as conn:
        (row,) = await buddies.of(conn, road.id, road.ana.id)
        await buddies.end(conn, road.id, row.id, by=road.ana.id, now=at())
    await road.record(helped(road.bert, road.ana), road.bert)
    assert (await road.told()).count("dora@example.org") == 2


async def test_who_coordinates_has_no_guardian_nor_has_an_organisation(db: Database) -> None:
    road = await mill_road(db)
    for member in (road.carla, road.library):
        with pytest.raises(BadInput):
            async with db.write(road.id) as conn:
                await buddies.add(
                    conn,
                    road.id,
                    member.id,
                    road.ana.id,
                    consent="Please.",
                    kind=BuddyKind.GUARDIAN,
                    by=road.stella.id,
                    now=at(),
                )
    # Somebody who comes to coordinate later: what they read of others is no guardian's business.
    async with db.write(road.id) as conn:
        await buddies.add(
            conn,
            road.id,
            road.ana.id,
            road.dora.id,
            consent="Please.",
            kind=BuddyKind.GUARDIAN,
            by=road.ana.id,
            now=at(),
        )
        await members.set_role(
            conn, road.id, road.ana.id, Role.COORDINATOR, by=road.stella.id, now=at()
        )
        found = await readers.of(conn, road.id, [road.ana.id])
    assert [one.name for one in found] == ["Ana Lima"]


async def test_a_guardian_is_asked_when_the_member_wants_to_be_reached(db: Database) -> None:
    road = await mill_road(db)
    async with db.write(road.id) as conn:
        await buddies.add(
            conn,
            road.id,
            road.ana.id,
            road.dora.id,
            consent="Please.",
            kind=BuddyKind.GUARDIAN,
            by=road.ana.id,
            now=at(),
        )
    for shown in (False, True, True):
        async with db.write(road.id) as conn:
            await members.edit(
                conn,
                road.id,
                road.ana.id,
                name="Ana Lima",
                phone="1",
                contact_shown=shown,
                area="",
                about="",
                by=road.ana.id,
                now=at(),
            )
    assert await road.told() == ["dora@example.org"] * 2  # named, and asked once
