"""A member takes everything along, and is forgotten; the books stay whole."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import select

from ledger import Minutes
from ledger.sql import metadata
from tests.timebank.factories import a_community, a_member, at
from tests.timebank.gathering_scenes import TEA, Circle
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import (
    affiliations,
    agreements,
    batches,
    buddies,
    checks,
    closing,
    entries,
    entry_steps,
    feeds,
    gathering,
    invitations,
    keeping_apart,
    listing_steps,
    listings,
    mail,
    members,
    my_data,
    notes,
    own_lists,
    posting,
    proposing,
    sessions,
    signing_in,
    statements,
    welcoming,
)
from timebank.batches import Source
from timebank.checks import Standing
from timebank.db import EVERYWHERE, Database
from timebank.errors import EntriesWaiting, Forbidden, LastSteward, NotFound, WrongState
from timebank.gatherings import gatherings
from timebank.inbox import Thing, Why, aside
from timebank.listing_steps import NewListing
from timebank.listings import ListingKind
from timebank.members import Member, Role, Status
from timebank.own_lists import Which
from timebank.people import people
from timebank.periods import Month
from timebank.proposals import Proposal, Stance
from timebank.proposing import NewProposal

CANARIES = {
    "name": "Quillonia Canary",
    "email": "canary-mail@example.org",
    "phone": "canary-phone 555",
    "area": "canary-area",
    "about": "canary-about",
    "offer": "canary-offer",
    "hat": "canary-hat",
    "private": "canary-private",
    "apart": "canary-apart",
    "consent": "canary-consent",
    "note": "canary-note",
    "words": "canary-words",
    "reason": "canary-reason",
    "purpose": "canary-purpose",
    "voice": "canary-voice",
    "comment": "canary-comment",
    "reopening": "canary-reopening",
    "aside": "canary-aside",
    "sheet": "canary-sheet",
    "answer": "canary-answer",
}


@dataclass
class Scene:
    """Mill Road with somebody in it whose every word is a canary."""

    road: MillRoad
    canary: Member

    @property
    def db(self) -> Database:
        return self.road.db

    async def close(self, member: Member | None = None, by: Member | None = None) -> None:
        """Close an account, the canary's by themselves unless others are named."""
        who = member or self.canary
        async with self.db.write(EVERYWHERE) as conn:
            await my_data.close(conn, self.road.id, who.id, by=(by or who).id, now=at(days=2))

    async def found(self) -> set[str]:
        """Which canaries stand anywhere in the database."""
        text = ""
        async with self.db.read(EVERYWHERE) as conn:
            for table in metadata.sorted_tables:
                for row in await conn.execute(select(table)):
                    text += repr(tuple(row)) + "\n"
        folded = text.casefold()
        return {key for key, word in CANARIES.items() if word.casefold() in folded}


@pytest.fixture
async def scene(db: Database) -> Scene:
    road = await mill_road(db)
    async with db.write(EVERYWHERE) as conn:
        link = await invitations.invite(
            conn,
            road.id,
            name=CANARIES["name"],
            email=CANARIES["email"],
            by=road.ana.id,
            base_url="https://hours.example.org",
            now=at(),
        )
    person, _, _ = await invitations.accept(
        db,
        link.rpartition("/")[2],
        name=CANARIES["name"],
        email=CANARIES["email"],
        password="our kettle sings at four",
        language="en",
        device="",
        now=at(),
    )
    async with db.write(EVERYWHERE) as conn:
        canary = await members.of_person(conn, road.id, person.id)
        assert canary is not None
        profile: dict[str, Any] = {key: CANARIES[key] for key in ("name", "phone", "area", "about")}
        await members.edit(
            conn, road.id, canary.id, contact_shown=True, by=canary.id, now=at(), **profile
        )
        await buddies.add(
            conn,
            road.id,
            canary.id,
            road.bert.id,
            consent=CANARIES["consent"],
            by=canary.id,
            now=at(),
        )
        await batches.begin(conn, road.id, Source.SHEET, CANARIES["sheet"], by=canary.id, now=at())
        offer = NewListing(ListingKind.OFFER, CANARIES["offer"], CANARIES["offer"])
        listing = await listing_steps.write(conn, road.id, canary.id, offer, by=canary.id, now=at())
        await listing_steps.answer(conn, road.id, listing, "Yes please", by=road.dora.id, now=at())
        request = await listing_steps.write(
            conn, road.id, road.dora.id, offer_of_others(), by=road.dora.id, now=at()
        )
        await listing_steps.answer(
            conn, road.id, request, CANARIES["answer"], by=canary.id, now=at()
        )
        await affiliations.add(
            conn,
            road.id,
            canary.id,
            organisation=road.library.id,
            role=CANARIES["hat"],
            since=at().at.date(),
            by=canary.id,
            now=at(),
        )
        await notes.write(conn, road.id, canary.id, CANARIES["private"], by=road.carla.id, now=at())
        await keeping_apart.begin(
            conn,
            road.id,
            canary.id,
            road.ines.id,
            words=CANARIES["apart"],
            by=canary.id,
            now=at(),
        )
        await checks.note(
            conn,
            road.id,
            canary.id,
            kind=(await own_lists.items(conn, road.id, Which.CHECKS))[0].id,
            standing=Standing.IN_ORDER,
            checked_on=at().at.date(),
            by=road.carla.id,
            now=at(),
        )
        await welcoming.tick_all(conn, road.id, [canary.id], by=road.carla.id, now=at())
    written = await road.record(helped(canary, road.ana, 90, note=CANARIES["note"]), canary)
    await road.approve(written)
    theirs = await road.record(helped(road.bert, canary, 30, note="Bert's own words"), road.bert)
    await road.step(entry_steps.dispute, theirs, canary, CANARIES["words"])
    await road.approve(theirs, words="They talked about it.")
    await _govern(road, canary)
    async with road.db.write(road.id) as conn:
        await aside.put(
            conn,
            road.id,
            [Thing(Why.QUIET, canary.id)],
            until=at(days=30).at,
            words=CANARIES["aside"],
            by=road.carla.id,
            now=at(),
        )
    circle = Circle(road)
    coming = await circle.plan(replace(TEA, roles=(("tea", 1),)))
    await circle.offers(coming, canary, "tea")
    await circle.says(coming, canary, words=CANARIES["answer"])
    await circle.brings(coming, "Guest of theirs", canary)
    await circle.do(feeds.renew, by=canary)
    return Scene(road, canary)


def offer_of_others() -> NewListing:
    return NewListing(ListingKind.REQUEST, "Dora's own request")


async def _govern(road: MillRoad, canary: Member) -> None:
    """They propose a change, speak about another one, and ask to open a month again."""
    await road.agree(closing_day=1)
    community, id, april = road.id, canary.id, Month(2026, 4)
    async with road.db.write(community) as conn:
        current = await agreements.current(conn, community)

        async def propose(by: Member, reason: str, **terms: Any) -> Proposal:
            changed, until = replace(current.terms, **terms), at(days=9).at.date()
            new = NewProposal(changed, reason, (), until, None, current.version)
            return await proposing.propose(conn, community, new, by=by.id, now=at())

        await propose(canary, CANARIES["reason"], purpose=CANARIES["purpose"])
        other = await propose(road.ana, "Half hours are enough.", step=Minutes(30))
        voice = (Stance.CONCERN, CANARIES["voice"])
        await proposing.say(conn, community, other.id, *voice, member=id, by=id, now=at())
        await proposing.comment(conn, community, other.id, CANARIES["comment"], by=id, now=at())
        await members.set_role(conn, community, id, Role.STEWARD, by=road.stella.id, now=at())
        await closing.close(conn, community, april, by=id, now=at())
        words = CANARIES["reopening"]
        await closing.ask_to_reopen(conn, community, april, words, by=id, now=at())
        await members.set_role(conn, community, id, Role.MEMBER, by=road.stella.id, now=at())


async def test_before_it_is_closed_every_canary_is_somewhere(scene: Scene) -> None:
    assert await scene.found() == set(CANARIES)


async def test_afterwards_nothing_of_them_is_left_in_any_table(scene: Scene) -> None:
    await signing_in.ask_link(scene.db, CANARIES["email"], network="192.0.2.7", now=at(days=1))
    while await mail.deliver_due(scene.db, scene.db.settings, now=at(days=1)):
        pass
    await scene.close()
    assert await scene.found() == set()


async def test_not_even_in_mails_that_still_wait_to_be_sent(scene: Scene) -> None:
    await scene.close()
    assert await scene.found() == set()


async def test_where_they_belonged_stays_as_days_and_the_rest_of_the_care_goes(
    scene: Scene,
) -> None:
    await scene.close()
    async with scene.db.read(EVERYWHERE) as conn:
        (hat,) = await affiliations.of(conn, scene.road.id, scene.canary.id)
        assert (hat.role, hat.until) == ("", at(days=2).at.date())
        for table in (notes.notes, checks.checks, welcoming.ticks, keeping_apart.apart_table):
            assert (await conn.execute(select(table))).all() == [], table.name
        (answer,) = await conn.execute(
            select(listings.listings.c.closed_at).where(
                listings.listings.c.member_id == scene.canary.id
            )
        )
        assert answer.closed_at is not None


async def test_the_books_verify_and_balances_stay(scene: Scene) -> None:
    before = {one.id: await scene.road.balance(one) for one in (scene.canary, scene.road.ana)}
    await scene.close()
    await scene.road.assert_sound()
    assert await scene.road.balance(scene.canary) == before[scene.canary.id] == 60
    assert await scene.road.balance(scene.road.ana) == before[scene.road.ana.id]


async def test_what_they_meant_to_come_to_is_free_again(scene: Scene) -> None:
    await scene.close()
    async with scene.db.read(scene.road.id) as conn:
        (row,) = (await conn.execute(select(gatherings.c.id))).all()
        found = await gathering.get(conn, scene.road.id, row.id)
    assert [seat.name for seat in found.coming] == ["Guest of theirs"]
    assert [role.key for role in found.needed] == ["tea"]


async def test_others_read_of_a_former_member_on_their_statements(scene: Scene) -> None:
    await scene.close()
    async with scene.db.read(EVERYWHERE) as conn:
        here = scene.road.id
        page = await statements.page(conn, here, scene.road.ana.account_id, by=scene.road.ana.id)
        gone = await members.get(conn, here, scene.canary.id)
    assert gone.status is Status.LEFT
    assert gone.name.startswith("Former member ")
    assert any(gone.name in str(line) for line in page.lines)


async def test_what_others_wrote_stays_theirs(scene: Scene) -> None:
    await scene.close()
    async with scene.db.read(EVERYWHERE) as conn:
        notes = {row.note for row in await conn.execute(select(entries.entries.c.note))}
    assert "Bert's own words" in notes


async def test_their_sessions_and_sign_in_are_gone(scene: Scene) -> None:
    _, token = await signing_in.sign_in(
        scene.db,
        CANARIES["email"],
        "our kettle sings at four",
        network="192.0.2.7",
        device="",
        now=at(),
    )
    await scene.close()
    async with scene.db.read(EVERYWHERE) as conn:
        assert await sessions.find(conn, token, now=at()) is None
        query = select(people).where(people.c.email == CANARIES["email"])
        assert (await conn.execute(query)).all() == []


async def test_who_belongs_elsewhere_too_keeps_their_sign_in(scene: Scene) -> None:
    async with scene.db.write(EVERYWHERE) as conn:
        elsewhere = await a_community(conn, "elsewhere")
        await members.insert_member(
            conn,
            elsewhere.id,
            name="Q.",
            status=Status.ACTIVE,
            person_id=scene.canary.person_id,
            now=at(),
        )
    await scene.close()
    assert await scene.found() == {"email"}
    async with scene.db.read(EVERYWHERE) as conn:
        assert scene.canary.person_id is not None
        assert await members.of_person(conn, elsewhere.id, scene.canary.person_id) is not None
        assert await members.of_person(conn, scene.road.id, scene.canary.person_id) is None


async def test_entries_that_wait_come_first(scene: Scene) -> None:
    waiting = await scene.road.record(helped(scene.canary, scene.road.ana), scene.canary)
    with pytest.raises(EntriesWaiting) as refused:
        await scene.close()
    assert refused.value.count == 1
    assert await scene.found() == set(CANARIES)
    await scene.road.step(entry_steps.withdraw, waiting, scene.canary)
    await scene.close()


async def test_the_last_steward_is_not_forgotten(scene: Scene) -> None:
    with pytest.raises(LastSteward):
        await scene.close(scene.road.stella)


@pytest.mark.parametrize(("who", "may"), [("carla", True), ("bert", False)])
async def test_a_coordinator_may_do_it_for_somebody_and_nobody_else(
    scene: Scene, who: str, may: bool
) -> None:
    by = getattr(scene.road, who)
    if may:
        await scene.close(by=by)
        assert await scene.found() == set()
        return
    with pytest.raises(Forbidden):
        await scene.close(by=by)
    assert await scene.found() == set(CANARIES)


async def test_a_stranger_is_not_found(scene: Scene) -> None:
    async with scene.db.write(EVERYWHERE) as conn:
        elsewhere = await a_community(conn, "elsewhere")
        stranger = await a_member(conn, elsewhere.id, "Stranger")
    with pytest.raises(NotFound):
        await scene.close(stranger, by=scene.road.stella)
    with pytest.raises(NotFound):
        await scene.close(scene.canary, by=stranger)


async def test_nobody_comes_back_from_being_forgotten(scene: Scene) -> None:
    await scene.close()
    with pytest.raises(WrongState):
        async with scene.db.write(EVERYWHERE) as conn:
            await members.resume(
                conn, scene.road.id, scene.canary.id, by=scene.road.carla.id, now=at(days=3)
            )


async def test_an_entry_of_a_former_member_can_still_be_undone_or_is_refused_plainly(
    scene: Scene,
) -> None:
    """Their account is closed, so undoing says why it does not go, and the books stay sound."""
    await scene.close()
    async with scene.db.read(EVERYWHERE) as conn:
        query = select(entries.entries.c.id).where(entries.entries.c.recorded_by == scene.canary.id)
        id = (await conn.execute(query)).scalar_one()
    asked = posting.Undo(scene.road.id, id, scene.road.carla.id, "Written down twice.")
    (verdict,) = await posting.post(scene.db, [asked], now=at(days=3))
    assert isinstance(verdict, posting.Refused)
    assert str(verdict.error)
    await scene.road.assert_sound()


async def test_an_archive_holds_everything_of_theirs_and_no_secret(scene: Scene) -> None:
    async with scene.db.read(EVERYWHERE) as conn:
        packed = await my_data.archive(conn, scene.road.id, scene.canary.id, now=at(days=2))
    with zipfile.ZipFile(io.BytesIO(packed)) as folder:
        files = {name: folder.read(name).decode() for name in folder.namelist()}
    text = "\n".join(files.values())
    assert {key for key, word in CANARIES.items() if word in text} == set(CANARIES)
    for name, content in files.items():
        if name.endswith(".json"):
            json.loads(content)
    assert "argon2" not in text
    assert "password_hash" not in text
    assert "token_hash" not in text
    assert "@example.org" not in text.replace(CANARIES["email"], ""), "others' addresses"
