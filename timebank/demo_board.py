"""What stands on the board of a demo community, where people belong, and how they are cared for.

Written at the end of the demo's year, through the functions that real people use.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import (
    affiliations,
    checks,
    communities,
    listing_steps,
    notes,
    own_lists,
    welcoming,
)
from timebank.checks import Standing
from timebank.demo_people import House, Neighbour, Neighbourhood
from timebank.demo_town import Town
from timebank.demo_year import HOUSES_AFTER
from timebank.listing_steps import NewListing
from timebank.listings import ListingKind
from timebank.moment import Moment
from timebank.own_lists import Which

_WEEKS = 10  # how far back what is still on the board was written
_WAITING = 6  # every so many requests wait for an answer


async def fill(town: Town) -> None:
    """Offers and requests, answers to most of them, affiliations, notes and checks."""
    async with town.db.write(town.id) as conn:
        await _offers_and_requests(conn, town)
        await _lately(conn, town)
        await _care(conn, town)


def _here(place: Neighbourhood) -> list[Neighbour]:
    return [who for who in place.people if who.name not in (place.paused, place.left)]


async def _offers_and_requests(conn: AsyncConnection, town: Town) -> None:
    """Everybody's skills as offers, the first of their wishes as a request; houses likewise."""
    people = _here(town.place)
    for number, who in enumerate(people):
        for skill in who.offers:
            await _put(conn, town, who, ListingKind.OFFER, skill, number)
        request = await _put(conn, town, who, ListingKind.REQUEST, who.wishes[0], number)
        if number % _WAITING:
            await _answer(conn, town, request, _who_can(people, who.wishes[0], who), number)
    for number, house in enumerate(town.place.houses):
        for skill in house.gives:
            await _put(conn, town, house, ListingKind.OFFER, skill, number)
        for skill in house.gets:
            request = await _put(conn, town, house, ListingKind.REQUEST, skill, number)
            if number % _WAITING:
                await _answer(conn, town, request, _who_can(people, skill, house), number)


async def _answer(
    conn: AsyncConnection, town: Town, request: UUID, helper: Neighbour, number: int
) -> None:
    """Somebody says that they can, a day later."""
    await listing_steps.answer(
        conn,
        town.id,
        request,
        town.place.words.i_can_help,
        share_contact=bool(helper.phone),
        by=town.ids[helper.name],
        now=town.moment(1, 12, number % 60),
    )


def _who_can(people: list[Neighbour], wish: str, whose: Neighbour | House) -> Neighbour:
    """Somebody with a sign-in who offers what another one would like, or else anybody."""
    others = [
        one
        for one in people
        if one.email and one.name != whose.name and one.name != getattr(whose, "manager", None)
    ]
    return next((one for one in others if wish in one.offers), others[0])


async def _put(
    conn: AsyncConnection,
    town: Town,
    whose: Neighbour | House,
    kind: ListingKind,
    skill: str,
    number: int,
) -> UUID:
    """One listing, written by themselves or by whoever writes for them, some weeks ago."""
    favour = town.place.favours.get(skill)
    categories = await communities.categories_of(conn, town.id)
    new = NewListing(
        kind,
        skill.capitalize(),
        category_id=categories[favour.topic].id if favour else None,
        area=whose.area,
    )
    now = town.moment(2 + 7 * (number % _WEEKS), 18, number % 60)
    by = _writer(town, whose)
    return await listing_steps.write(conn, town.id, town.ids[whose.name], new, by=by, now=now)


def _writer(town: Town, whose: Neighbour | House) -> UUID:
    if isinstance(whose, House):
        return town.ids[whose.manager]
    if whose.email:
        return town.ids[whose.name]
    return town.ids[whose.buddy] if whose.buddy else town.steward


async def belong(town: Town, week: int) -> None:
    """When organisations have joined, say who belongs to them, so that they come as such."""
    if week == town.place.weeks - HOUSES_AFTER and town.place.houses:
        async with town.db.write(town.id) as conn:
            await _affiliations(conn, town, now=town.moment(7 * week + 6, 10))


async def _affiliations(conn: AsyncConnection, town: Town, *, now: Moment) -> None:
    """Whoever keeps an account belongs there, and two others; one of them has yet to say so."""
    since = now.day_in(town.place.timezone)
    for number, house in enumerate(town.place.houses):
        first, second = _others(town.place)[2 * number : 2 * number + 2]
        for who in (house.manager, first.name, second.name):
            if who != _unconfirmed(town.place).name:
                await affiliations.add(
                    conn,
                    town.id,
                    town.ids[who],
                    organisation=town.ids[house.name],
                    since=since,
                    by=town.steward,
                    now=now,
                )


def _others(place: Neighbourhood) -> list[Neighbour]:
    """Those with a sign-in who keep no organisation's account."""
    keepers = {house.manager for house in place.houses}
    return [who for who in _here(place) if who.email and who.name not in keepers]


def _unconfirmed(place: Neighbourhood) -> Neighbour:
    """Who says lately that they belong to the second organisation; nobody has confirmed it."""
    return _others(place)[3]


async def _lately(conn: AsyncConnection, town: Town) -> None:
    """One affiliation that waits to be confirmed, and some who come as neighbours only."""
    since = town.today - timedelta(days=300)
    found = [(_unconfirmed(town.place), house) for house in town.place.houses[1:2]]
    neighbours = [who for who in _here(town.place) if who.email][::5]
    for who, house in (*found, *((who, None) for who in neighbours)):
        await affiliations.add(
            conn,
            town.id,
            town.ids[who.name],
            organisation=town.ids[house.name] if house else None,
            since=since,
            by=town.ids[who.name],
            now=town.moment(3, 11 if house is None else 10),
        )


async def _care(conn: AsyncConnection, town: Town) -> None:
    """Everybody was welcomed but the newest; whoever has a buddy has a note and a check."""
    newest = _here(town.place)[-1]
    ids = [id for name, id in town.ids.items() if name != newest.name]
    await welcoming.tick_all(conn, town.id, ids, by=town.steward, now=town.moment(9, 15))
    kinds = await own_lists.items(conn, town.id, Which.CHECKS)
    for number, who in enumerate(who for who in _here(town.place) if who.buddy):
        await notes.write(
            conn,
            town.id,
            town.ids[who.name],
            town.place.words.note,
            by=town.steward,
            now=town.moment(20 + number, 16),
        )
        await checks.note(
            conn,
            town.id,
            town.ids[who.buddy],
            kind=kinds[number % len(kinds)].id,
            standing=Standing.IN_ORDER,
            checked_on=town.today - timedelta(days=200),
            again_on=town.today + timedelta(days=165),
            by=town.steward,
            now=town.moment(20 + number, 17),
        )
