"""Inviting to a gathering: members, organisations, and people who are not members yet.

Who invited whom is kept with the seat. Across which boundary follows from where both come from on
that day: see `crossings`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import (
    affiliations,
    communities,
    gathering_mails,
    guest_links,
    members,
    people,
    policy,
    seats,
    whence,
)
from timebank import gathering as gathering_values
from timebank.acting import Actor
from timebank.communities import Community
from timebank.errors import BadInput, Forbidden, NotFound, WrongState
from timebank.gathering import Gathering, Seat, note
from timebank.gatherings import Answer, State, gatherings, invited_organisations
from timebank.gatherings import seats as seat_table
from timebank.members import Member, MemberKind, Status
from timebank.moment import Moment

MOST_AT_ONCE = 200
MOST_CARDS = 40
LONGEST_WORDS = 1000


@dataclass(frozen=True, slots=True)
class Card:
    """A card to print: its link's secret, and whose it is; "" for whoever it is given to."""

    token: str
    name: str


@dataclass(frozen=True, slots=True)
class Crossing:
    """One invitation, and the boundaries it crossed: between organisations, sectors, areas.

    Names as they are today; empty for a neighbour, or where nobody said.
    """

    seat_id: UUID
    inviter: str
    organisations: tuple[str, str] | None
    sectors: tuple[str, str] | None
    areas: tuple[str, str] | None


async def several(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    ids: Sequence[UUID],
    words: str = "",
    *,
    organisation: UUID | None = None,
    by: UUID,
    now: Moment,
) -> int:
    """Invite these members, with a word; how many of them were not on the list yet.

    Who has a seat already keeps it as it is. Refuses with `Forbidden`, `SignUpClosed`, and with
    `BadInput` for more than `MOST_AT_ONCE`. `organisation` is where they come from, as its account
    manager says.
    """
    actor, found = await seats.at_hand(conn, community, id, by)
    seats.refuse_no_inviter(actor, found, organisation)
    seats.refuse_closed(found, now)
    if len(ids) > MOST_AT_ONCE:
        raise BadInput("names", "too_many_at_once", MOST_AT_ONCE)
    known = await members.get_many(conn, community, ids)
    there = {seat.member_id for seat in found.seats}
    new = [
        known[one]
        for one in dict.fromkeys(ids)
        if one in known and one not in there and _can_come(known[one])
    ]
    here = await communities.by_id(conn, community)
    put = await _put(conn, here, found, new, organisation, by, now)
    found = await gathering_values.get(conn, community, id)
    invited = [seat for seat in found.seats if seat.id in put]
    await gathering_mails.invited(
        conn, here, found, invited, words, inviter=actor.member.name, now=now
    )
    if invited:
        facts = {"members": len(invited)}
        await note(conn, found, "gathering.invited", by=by, now=now, facts=facts)
    return len(invited)


def _can_come(member: Member) -> bool:
    return member.kind is MemberKind.PERSON and member.status is Status.ACTIVE


async def _put(
    conn: AsyncConnection,
    here: Community,
    found: Gathering,
    new: Sequence[Member],
    organisation: UUID | None,
    by: UUID,
    now: Moment,
) -> set[UUID]:
    """A seat for each, from the organisation named or their first one of that day."""
    day = Moment(found.starts_at).day_in(here.timezone)
    worn = await affiliations.of_many(conn, here.id, [one.id for one in new], on=day)
    ids = set()
    for member in new:
        houses = [hat.organisation_id for hat in worn.get(member.id, []) if hat.organisation_id]
        ids.add(
            await seats.put(
                conn,
                found,
                member_id=member.id,
                organisation_id=organisation or (houses[0] if houses else None),
                invited_by=by,
                invited_at=now.at,
                now=now,
            )
        )
    return ids


async def last_time(conn: AsyncConnection, found: Gathering) -> list[UUID]:
    """Everyone who came last time: those who were there or, if nobody ticked, who said yes.

    Last time is the date before in the same series, or the last one of the same title.
    """
    before = (
        select(gatherings.c.id)
        .where(
            gatherings.c.community_id == found.community_id,
            gatherings.c.starts_at < found.starts_at,
            gatherings.c.id != found.id,
            gatherings.c.state != State.CANCELLED.value,
            or_(
                gatherings.c.title == found.title,
                and_(
                    gatherings.c.series_id.is_not(None), gatherings.c.series_id == found.series_id
                ),
            ),
        )
        .order_by(gatherings.c.starts_at.desc())
        .limit(1)
    )
    row = (await conn.execute(before)).first()
    if row is None:
        return []
    rows = (
        await conn.execute(
            select(seat_table.c.member_id, seat_table.c.present, seat_table.c.answer)
            .where(
                seat_table.c.community_id == found.community_id,
                seat_table.c.gathering_id == row.id,
                seat_table.c.member_id.is_not(None),
            )
            .order_by(seat_table.c.id)
        )
    ).all()
    ticked = any(one.present is not None for one in rows)
    return [
        one.member_id
        for one in rows
        if (bool(one.present) if ticked else one.answer == Answer.YES.value)
    ]


async def organisation(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    house: UUID,
    words: str = "",
    *,
    by: UUID,
    now: Moment,
) -> None:
    """Invite an organisation: its account managers are told, and say who comes.

    Refuses one that is invited already (`WrongState`), and what is no active organisation
    (`BadInput`).
    """
    actor, found = await seats.at_hand(conn, community, id, by)
    seats.refuse_no_inviter(actor, found)
    seats.refuse_closed(found, now)
    invited = await members.get(conn, community, house)
    if invited.kind is not MemberKind.ORGANISATION or invited.status is not Status.ACTIVE:
        raise BadInput("organisation", "not_offered")
    if any(one.id == house for one in found.invited):
        raise WrongState("invited", "invite")
    await conn.execute(
        insert(invited_organisations).values(
            community_id=community,
            gathering_id=id,
            organisation_id=house,
            invited_by=by,
            invited_at=now.at,
        )
    )
    here = await communities.by_id(conn, community)
    await gathering_mails.invited_organisation(
        conn, here, found, house, invited.name, words, inviter=actor.member.name, now=now
    )
    facts = {"organisation": str(house)}
    await note(conn, found, "gathering.invited", by=by, now=now, facts=facts)


async def nobody_from(
    conn: AsyncConnection, community: UUID, id: UUID, house: UUID, *, by: UUID, now: Moment
) -> None:
    """An account manager says that nobody comes from there this time."""
    actor, found = await seats.at_hand(conn, community, id, by)
    if all(one.id != house for one in found.invited):
        raise NotFound("organisation")
    if house not in actor.manages or not policy.may_act(actor.member):
        raise Forbidden("nobody_from")
    seats.refuse_closed(found, now)
    await conn.execute(
        update(invited_organisations)
        .where(
            invited_organisations.c.community_id == community,
            invited_organisations.c.gathering_id == id,
            invited_organisations.c.organisation_id == house,
        )
        .values(declined_at=now.at)
    )
    facts = {"organisation": str(house)}
    await note(conn, found, "gathering.declined", by=by, now=now, facts=facts)


async def guest(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    name: str,
    *,
    email: str = "",
    from_words: str = "",
    words: str = "",
    by: UUID,
    now: Moment,
) -> str:
    """Invite somebody who is not a member, by a personal link; its secret, shown this once.

    Mailed where an address is given. Refuses with `Forbidden`, `SignUpClosed`, `OnTheList` and
    `BadInput`.
    """
    actor, found = await seats.at_hand(conn, community, id, by)
    seats.refuse_no_inviter(actor, found)
    seats.refuse_closed(found, now)
    address = people.normalise(email) if email else ""
    seat_id = await seats.put_guest(
        conn, found, name, email=address, from_words=from_words, by=by, now=now
    )
    found = await gathering_values.get(conn, community, id)
    seat = found.seat(seat_id)
    here = await communities.by_id(conn, community)
    if address and seat is not None:
        await gathering_mails.invited(
            conn, here, found, [seat], words, inviter=actor.member.name, now=now
        )
    await note(conn, found, "gathering.invited", by=by, now=now, facts={"guests": 1})
    return await guest_links.make(conn, found, seat_id, by=by, now=now)


async def cards(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    seat_ids: Sequence[UUID],
    blank: int,
    *,
    by: UUID,
    now: Moment,
) -> list[Card]:
    """Cards to print: one for each of these guests, and so many with nobody's name on them.

    Refuses with `Forbidden`, `SignUpClosed`, and with `BadInput` for none, or more than
    `MOST_CARDS`.
    """
    actor, found = await seats.at_hand(conn, community, id, by)
    seats.refuse_no_inviter(actor, found)
    seats.refuse_closed(found, now)
    guests = [seat for seat in found.seats if seat.member_id is None and seat.id in seat_ids]
    number = len(guests) + max(0, blank)
    if not 1 <= number <= MOST_CARDS:
        raise BadInput("blank", "too_many_cards" if number else "missing", MOST_CARDS)
    made = [
        Card(await guest_links.make(conn, found, seat.id, by=by, now=now), seat.name)
        for seat in guests
    ]
    made += [
        Card(await guest_links.make(conn, found, None, by=by, now=now), "") for _ in range(blank)
    ]
    await note(conn, found, "gathering.cards", by=by, now=now, facts={"cards": number})
    return made


# ── Across which boundary ────────────────────────────────────────────────────────────────────────


async def crossings(conn: AsyncConnection, here: Community, found: Gathering) -> list[Crossing]:
    """Each invitation of a gathering with the boundaries it crossed, in four queries.

    An inviter comes from where their own seat says, else from their first affiliation of that day.
    Where one side is a neighbour, or nobody said, no boundary of organisation or sector is named.
    """
    invited = [seat for seat in found.seats if seat.invited_by is not None]
    by = {seat.invited_by for seat in invited if seat.invited_by is not None}
    day = Moment(found.starts_at).day_in(here.timezone)
    worn = await affiliations.of_many(conn, here.id, by, on=day)
    from_ = {one: _whence(found.seat_of(one), worn.get(one, [])) for one in by}
    houses = {house for house in from_.values() if house is not None}
    houses |= {seat.organisation_id for seat in invited if seat.organisation_id is not None}
    sectors = await whence.sectors_of(conn, here.id, houses)
    people_ = {*by, *(seat.member_id for seat in invited if seat.member_id is not None)}
    known = await members.get_many(conn, here.id, people_ | houses)
    return [
        _crossing(seat, seat.invited_by, from_[seat.invited_by], known, sectors)
        for seat in invited
        if seat.invited_by is not None
    ]


def _whence(seat: Seat | None, worn: Sequence[affiliations.Hat]) -> UUID | None:
    if seat is not None:
        return seat.organisation_id
    return next((hat.organisation_id for hat in worn if hat.organisation_id is not None), None)


def _crossing(
    seat: Seat,
    inviter: UUID,
    house: UUID | None,
    known: dict[UUID, Member],
    sectors: dict[UUID, str],
) -> Crossing:
    from_house = known[house].name if house else ""
    guest_area = known[seat.member_id].area if seat.member_id else ""
    return Crossing(
        seat.id,
        known[inviter].name,
        _apart(from_house, seat.organisation),
        _apart(
            sectors.get(house, "") if house else "",
            sectors.get(seat.organisation_id, "") if seat.organisation_id else "",
        ),
        _apart(known[inviter].area, guest_area),
    )


def _apart(one: str, other: str) -> tuple[str, str] | None:
    """The two, where they are known and differ."""
    return (one, other) if one and other and one != other else None


def invites(actor: Actor, found: Gathering) -> bool:
    """Whether somebody may invite to it, for a page to show."""
    return policy.may_invite_to(actor.member, found, actor.acts_for)
