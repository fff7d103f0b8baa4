"""Offers and requests: on the board for a while, answered with a word, and turned into hours."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.timebank.factories import at
from tests.timebank.scenes import DAY, MillRoad, helped, mill_road
from timebank import (
    acting,
    buddies,
    communities,
    directory,
    keeping_apart,
    listing_steps,
    listings,
    members,
)
from timebank.agreements import Terms
from timebank.buddies import BuddyKind
from timebank.db import Database
from timebank.errors import BadInput, Forbidden, NotFound, NotTakingPart
from timebank.listing_steps import NewListing
from timebank.listings import Listing, ListingKind, Wanted
from timebank.members import Member
from timebank.moment import Moment
from timebank.outbox import outbox

LIFT = NewListing(
    ListingKind.REQUEST, "A lift to the eye clinic", "On Thursdays.", area="Mill Road"
)
SOUP = NewListing(ListingKind.OFFER, "Soup", "For the week after an operation.")


@pytest.fixture
async def road(db: Database) -> MillRoad:
    return await mill_road(db)


async def _write(
    road: MillRoad,
    member: Member,
    new: NewListing = LIFT,
    by: Member | None = None,
    now: Moment | None = None,
    **more: Any,
) -> UUID:
    async with road.db.write(road.id) as conn:
        return await listing_steps.write(
            conn, road.id, member.id, new, by=(by or member).id, now=now or at(), **more
        )


async def _do(road: MillRoad, verb: Any, *args: Any, by: Member, **more: Any) -> Any:
    async with road.db.write(road.id) as conn:
        return await verb(conn, road.id, *args, by=by.id, **({"now": at(hours=1)} | more))


async def _board(
    road: MillRoad,
    by: Member,
    wanted: Wanted | None = None,
    *,
    today: date = DAY,
) -> list[str]:
    async with road.db.read(road.id) as conn:
        found = await listings.page(conn, road.id, wanted or Wanted(), by=by.id, today=today)
    return [one.title for one in found]


async def _get(road: MillRoad, id: UUID) -> Listing:
    async with road.db.read(road.id) as conn:
        return await listings.get(conn, road.id, id)


async def _mails(road: MillRoad) -> list[tuple[str, str]]:
    async with road.db.read(road.id) as conn:
        rows = await conn.execute(select(outbox.c.to_address, outbox.c.subject))
        return sorted((row.to_address, row.subject) for row in rows)


# ── On the board ─────────────────────────────────────────────────────────────────────────────────


async def test_one_writes_for_oneself_as_a_buddy_or_as_a_coordinator(road: MillRoad) -> None:
    with pytest.raises(Forbidden):
        await _write(road, road.bert, by=road.ana)
    assert await _board(road, road.ana) == []
    for member, writer in (
        (road.ana, road.ana),
        (road.ines, road.ana),  # her buddy
        (road.library, road.bert),  # who keeps its account
        (road.ines, road.carla),
    ):
        listing = await _get(road, await _write(road, member, by=writer))
        assert (listing.member.id, listing.written_by) == (member.id, writer.id)
    assert await _board(road, road.dora) == ["A lift to the eye clinic"] * 4


async def test_it_stays_for_three_months_and_longer_with_a_click(road: MillRoad) -> None:
    id = await _write(road, road.ana)
    last = DAY + listings.LASTS
    assert (await _get(road, id)).until == last
    assert await _board(road, road.bert, today=last) == ["A lift to the eye clinic"]
    assert await _board(road, road.bert, today=last + timedelta(days=1)) == []
    until = await _do(road, listing_steps.renew, id, by=road.ana, now=at(days=100))
    assert until == DAY + timedelta(days=100) + listings.LASTS
    assert await _board(road, road.bert, today=until) == ["A lift to the eye clinic"]
    with pytest.raises(Forbidden):
        await _do(road, listing_steps.renew, id, by=road.bert)


async def test_whoever_has_something_on_the_board_hears_before_it_ends_once(
    road: MillRoad,
) -> None:
    await _write(road, road.ana)
    await _write(road, road.ana, SOUP)
    await _write(road, road.ines, by=road.carla)  # her mail goes to Ana, her buddy
    for days in (80, 86, 87, 95):
        async with road.db.write(road.id) as conn:
            await listing_steps.remind(conn, road.id, now=at(days=days))
    found = await _mails(road)
    assert [address for address, _ in found] == ["ana@example.org"] * 2
    async with road.db.read(road.id) as conn:
        bodies = [row.body for row in await conn.execute(select(outbox.c.body))]
    assert any("Soup" in body and "eye clinic" in body for body in bodies)


async def test_it_comes_off_and_back(road: MillRoad) -> None:
    id = await _write(road, road.ana)
    with pytest.raises(Forbidden):
        await _do(road, listing_steps.close, id, by=road.bert)
    await _do(road, listing_steps.close, id, by=road.ana)
    await _do(road, listing_steps.close, id, by=road.ana)
    assert await _board(road, road.bert) == []
    await _do(road, listing_steps.renew, id, by=road.ana)
    assert await _board(road, road.bert) == ["A lift to the eye clinic"]


async def test_it_is_said_otherwise_and_found_by_the_new_words(road: MillRoad) -> None:
    id = await _write(road, road.ana)
    new = NewListing(LIFT.kind, "A lift to the market", until=DAY + timedelta(days=5))
    await _do(road, listing_steps.change, id, new, by=road.carla)
    changed = await _get(road, id)
    assert (changed.title, changed.words, changed.area, changed.until) == (
        "A lift to the market",
        "",
        "",
        DAY + timedelta(days=5),
    )
    assert await _board(road, road.bert, Wanted(search="MÄRKET")) == ["A lift to the market"]
    assert await _board(road, road.bert, Wanted(search="clinic")) == []


async def test_what_cannot_stand_on_the_board_is_refused_and_a_double_click_writes_once(
    road: MillRoad,
) -> None:
    for new in (
        NewListing(ListingKind.OFFER, " "),
        NewListing(ListingKind.OFFER, "x" * (listing_steps.LONGEST_TITLE + 1)),
        NewListing(ListingKind.OFFER, "Soup", "x" * (listing_steps.LONGEST_WORDS + 1)),
        NewListing(ListingKind.OFFER, "Soup", until=DAY - timedelta(days=1)),
        NewListing(ListingKind.OFFER, "Soup", until=DAY + timedelta(days=400)),
    ):
        with pytest.raises(BadInput):
            await _write(road, road.ana, new)
    assert await _board(road, road.ana) == []
    id = at().new_id()
    for _ in range(2):
        assert await _write(road, road.ana, id=id) == id
    assert await _board(road, road.bert) == ["A lift to the eye clinic"]


async def test_the_board_is_read_by_kind_category_area_name_and_page_by_page(
    road: MillRoad,
) -> None:
    async with road.db.read(road.id) as conn:
        garden = next(
            one for one in await communities.categories_of(conn, road.id) if one.name == "Garden"
        )
    await _write(road, road.ana)
    await _write(road, road.bert, SOUP, now=at(minutes=1))
    beans = NewListing(ListingKind.OFFER, "Beans", category_id=garden.id)
    await _write(road, road.library, beans, by=road.bert, now=at(minutes=2))
    assert await _board(road, road.dora) == ["Beans", "Soup", "A lift to the eye clinic"]
    assert await _board(road, road.dora, Wanted(kind=ListingKind.OFFER)) == ["Beans", "Soup"]
    assert await _board(road, road.dora, Wanted(category=garden.id)) == ["Beans"]
    assert await _board(road, road.dora, Wanted(area="Mill Road")) == ["A lift to the eye clinic"]
    assert await _board(road, road.dora, Wanted(search="okoro")) == ["Soup"]
    assert await _board(road, road.dora, Wanted(search="%")) == []
    with pytest.raises(NotFound):
        await _write(road, road.ana, NewListing(ListingKind.OFFER, "x", category_id=at().new_id()))
    async with road.db.read(road.id) as conn:
        first = await listings.page(conn, road.id, Wanted(), by=road.dora.id, today=DAY, limit=2)
        rest = await listings.page(
            conn,
            road.id,
            Wanted(),
            by=road.dora.id,
            today=DAY,
            after=(first[-1].written_at, first[-1].id),
        )
        assert [one.title for one in rest] == ["A lift to the eye clinic"]
        assert await listings.areas(conn, road.id, today=DAY) == ["Mill Road"]
        rows = await directory.page(conn, road.id, search="soup", today=DAY)
        assert [(row.member.name, row.offers) for row in rows] == [("Bert Okoro", ("Soup",))]


async def test_whoever_takes_a_break_rests_with_all_they_offer(road: MillRoad) -> None:
    id = await _write(road, road.ana)
    await _do(road, members.pause, road.ana.id, by=road.ana)
    assert await _board(road, road.bert) == []
    with pytest.raises(NotFound):
        await _do(road, listing_steps.answer, id, "I can help.", by=road.bert)
    with pytest.raises(NotTakingPart):
        await _write(road, road.ana, SOUP, by=road.carla)
    await _do(road, members.resume, road.ana.id, by=road.ana)
    assert await _board(road, road.bert) == ["A lift to the eye clinic"]


# ── Answers ──────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_reaches_the_one_who_asked(road: MillRoad) -> None:
    id = await _write(road, road.ana)
    await _do(road, listing_steps.answer, id, "On Thursday?", by=road.bert)
    await _do(road, listing_steps.answer, id, "Or on Friday.", by=road.bert)
    assert (
        await _mails(road)
        == [("ana@example.org", "Bert Okoro can help: A lift to the eye clinic")] * 2
    )
    async with road.db.read(road.id) as conn:
        (answer,) = await listings.answers_to(conn, road.id, id)
    assert (answer.member.id, answer.words) == (road.bert.id, "Or on Friday.")
    assert (await _get(road, id)).answers == 1
    await _do(road, listing_steps.take_back, id, road.bert.id, by=road.bert)
    assert (await _get(road, id)).answers == 0
    with pytest.raises(NotFound):
        await _do(road, listing_steps.take_back, id, road.bert.id, by=road.bert)


async def test_who_reads_no_mail_hears_through_a_buddy_or_else_a_coordinator(
    road: MillRoad,
) -> None:
    id = await _write(road, road.ines, by=road.carla)
    await _do(road, listing_steps.answer, id, "I can.", by=road.bert)
    assert [address for address, _ in await _mails(road)] == ["ana@example.org"]
    async with road.db.write(road.id) as conn:
        (row,) = await buddies.of(conn, road.id, road.ines.id)
        await buddies.end(conn, road.id, row.id, by=road.ines.id, now=at(hours=2))
    await _do(road, listing_steps.answer, id, "Still can.", by=road.bert)
    assert {address for address, _ in await _mails(road)} == {
        "ana@example.org",
        "carla@example.org",
        "dora@example.org",
        "stella@example.org",
    }


async def test_how_to_reach_somebody_goes_along_only_if_they_and_their_guardian_like(
    road: MillRoad,
) -> None:
    id = await _write(road, road.ana)
    async with road.db.write(road.id) as conn:
        await members.edit(
            conn,
            road.id,
            road.bert.id,
            name="Bert Okoro",
            phone="07700 900100",
            contact_shown=False,
            area="",
            about="",
            by=road.bert.id,
            now=at(),
        )

    async def shared() -> tuple[str, str]:
        async with road.db.read(road.id) as conn:
            (answer,) = await listings.answers_to(conn, road.id, id)
        return answer.phone, answer.email

    answer = listing_steps.answer
    await _do(road, answer, id, "I can.", by=road.bert)
    assert await shared() == ("", "")
    await _do(road, answer, id, "I can.", share_contact=True, by=road.bert)
    assert await shared() == ("07700 900100", "bert@example.org")
    async with road.db.write(road.id) as conn:
        await buddies.add(
            conn,
            road.id,
            road.bert.id,
            road.dora.id,
            consent="He asked.",
            kind=BuddyKind.GUARDIAN,
            by=road.bert.id,
            now=at(),
        )
    await _do(road, answer, id, "I can.", share_contact=True, by=road.bert)
    assert await shared() == ("", "")
    async with road.db.write(road.id) as conn:
        (row,) = await buddies.of(conn, road.id, road.bert.id)
        await buddies.let_contact_be_seen(
            conn, road.id, row.id, True, by=road.dora.id, now=at(hours=1)
        )
    await _do(road, answer, id, "I can.", share_contact=True, by=road.bert)
    assert await shared() == ("07700 900100", "bert@example.org")


async def test_nobody_answers_themselves_what_is_over_or_with_nothing(road: MillRoad) -> None:
    id = await _write(road, road.ana)
    answer = listing_steps.answer
    with pytest.raises(Forbidden):
        await _do(road, answer, id, "I can.", by=road.ana)
    with pytest.raises(Forbidden):
        await _do(road, answer, id, "They can.", member=road.dora.id, by=road.bert)
    with pytest.raises(BadInput):
        await _do(road, answer, id, "  ", by=road.bert)
    with pytest.raises(BadInput):
        await _do(road, answer, id, "x" * (listing_steps.LONGEST_ANSWER + 1), by=road.bert)
    await _do(road, answer, id, "She can.", member=road.ines.id, by=road.carla)
    await _do(road, listing_steps.close, id, by=road.ana)
    with pytest.raises(NotFound):
        await _do(road, answer, id, "I can.", by=road.bert)


async def test_two_who_are_kept_apart_do_not_meet_on_the_board(road: MillRoad) -> None:
    anas, berts = await _write(road, road.ana), await _write(road, road.bert, SOUP)
    await _do(road, keeping_apart.begin, road.ana.id, road.bert.id, by=road.ana)
    assert await _board(road, road.ana) == ["A lift to the eye clinic"]
    assert await _board(road, road.bert) == ["Soup"]
    assert sorted(await _board(road, road.dora)) == ["A lift to the eye clinic", "Soup"]
    for id, who in ((anas, road.bert), (berts, road.ana)):
        with pytest.raises(NotFound):
            await _do(road, listing_steps.answer, id, "I can.", by=who)
        async with road.db.read(road.id) as conn:
            actor = await acting.one(conn, road.id, who.id)
            with pytest.raises(NotFound):
                await listings.seen(conn, road.id, id, actor, today=DAY)
    # Nor does a buddy answer for somebody who is.
    with pytest.raises(NotFound):
        await _do(road, listing_steps.answer, berts, "I can.", member=road.ana.id, by=road.carla)


async def test_what_is_over_is_seen_by_who_wrote_it_who_answered_and_coordinators(
    road: MillRoad,
) -> None:
    id = await _write(road, road.ines, by=road.carla)
    await _do(road, listing_steps.answer, id, "I can.", by=road.bert)
    await _do(road, listing_steps.close, id, by=road.ana)
    async with road.db.read(road.id) as conn:
        for who in (road.ana, road.bert, road.carla):
            actor = await acting.one(conn, road.id, who.id)
            assert (await listings.seen(conn, road.id, id, actor, today=DAY)).id == id
    await _write(road, road.bert, SOUP, now=at(hours=1))
    other = await _write(road, road.bert, SOUP)
    await _do(road, listing_steps.close, other, by=road.bert)
    async with road.db.read(road.id) as conn:
        ana = await acting.one(conn, road.id, road.ana.id)
        with pytest.raises(NotFound):
            await listings.seen(conn, road.id, other, ana, today=DAY)


# ── What comes of it ─────────────────────────────────────────────────────────────────────────────


async def test_hours_name_the_listing_they_came_from(road: MillRoad) -> None:
    id = await _write(road, road.ana)
    entry_id = at().new_id()
    new = helped(road.bert, road.ana, listing_id=id)
    for _ in range(2):  # a double click
        await road.record(new, road.bert, entry_id=entry_id)
    strange = await road.record(helped(road.bert, road.dora, listing_id=id), road.bert)
    async with road.db.read(road.id) as conn:
        found = await listings.of_entry(conn, road.id, entry_id)
        assert found is not None
        assert found.id == id
        assert await listings.of_entry(conn, road.id, strange.id) is None  # Ana is not in it
    with pytest.raises(NotFound):
        await road.record(helped(road.bert, road.ana, listing_id=at().new_id()), road.bert)


async def test_a_request_nobody_answered_for_a_week_waits_for_a_coordinator(
    road: MillRoad,
) -> None:
    id = await _write(road, road.ana)
    await _write(road, road.bert, SOUP)  # an offer waits for nobody

    async def waiting(days: int) -> list[UUID]:
        async with road.db.read(road.id) as conn:
            query = listings.waits(road.id, terms=Terms(), now=at(days=days))
            return [row.id for row in await conn.execute(query)]

    assert await waiting(6) == []
    assert await waiting(8) == [id]
    assert await waiting(100) == []  # it came off the board by itself
    await _do(road, listing_steps.answer, id, "I can.", by=road.bert)
    assert await waiting(8) == []
    await _do(road, listing_steps.take_back, id, road.bert.id, by=road.bert)
    assert await waiting(8) == [id]
    await road.record(helped(road.bert, road.ana, listing_id=id), road.bert)
    assert await waiting(8) == []
