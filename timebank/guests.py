"""What somebody does who holds a personal link to a gathering, and signs in nowhere.

They read what it is, say yes, maybe or no, and may become a member: then the seat is theirs as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import communities, guest_links, invitations, members, policy, seats, tokens
from timebank import gathering as gathering_values
from timebank.communities import Community
from timebank.errors import BadInput, Forbidden, LinkSpent, NotFound
from timebank.gathering import Gathering, Seat
from timebank.gatherings import Answer
from timebank.guest_links import GuestLink
from timebank.members import Member, Status
from timebank.moment import Moment
from timebank.tokens import Purpose


@dataclass(frozen=True, slots=True)
class Personal:
    """What a link opens. Without a `seat` it is a card on which nobody has given a name yet."""

    link: GuestLink
    here: Community
    gathering: Gathering
    seat: Seat | None
    inviter: Member


async def look(conn: AsyncConnection, token: str, *, now: Moment) -> Personal:
    """What a link opens; `LinkSpent` if it does not work, or its seat is gone."""
    link = await guest_links.look(conn, token, now=now)
    return await _personal(conn, link)


async def _personal(conn: AsyncConnection, link: GuestLink) -> Personal:
    found = await gathering_values.get(conn, link.community_id, link.gathering_id)
    seat = found.seat(link.seat_id) if link.seat_id else None
    if link.seat_id is not None and seat is None:
        raise LinkSpent
    return Personal(
        link,
        await communities.by_id(conn, link.community_id),
        found,
        seat,
        await members.get(conn, link.community_id, link.by),
    )


async def answer(
    conn: AsyncConnection,
    token: str,
    said: Answer,
    *,
    words: str = "",
    name: str = "",
    from_words: str = "",
    now: Moment,
) -> Seat:
    """Whoever holds the link says whether they come; on a blank card, also who they are.

    Refuses with `LinkSpent`, `SignUpClosed`, `BadInput`, and `OnTheList` for a name on a card that
    another guest has.
    """
    if said is Answer.ASKED:
        raise BadInput("answer", "not_offered")
    link = await guest_links.look(conn, token, now=now)
    found = await gathering_values.lock(conn, link.community_id, link.gathering_id)
    link = await guest_links.look(conn, token, now=now)  # as it is now that nobody else holds it
    known = await _personal(conn, link)
    seats.refuse_closed(found, now)
    seat_id = link.seat_id
    if seat_id is None:
        seat_id = await _take_card(conn, found, link, name, from_words, now)
    elif known.seat is not None and known.seat.member_id is not None:
        raise Forbidden("answer")  # a member by now, who answers there
    found = await seats.settle_answer(
        conn, known.here, found, seat_id, said, words, by=link.by, now=now
    )
    await gathering_values.note(conn, found, "gathering.guest_answered", by=None, now=now)
    seat = found.seat(seat_id)
    assert seat is not None, "just written"
    return seat


async def _take_card(
    conn: AsyncConnection,
    found: Gathering,
    link: GuestLink,
    name: str,
    from_words: str,
    now: Moment,
) -> UUID:
    """A blank card becomes somebody's."""
    seat_id = await seats.put_guest(conn, found, name, from_words=from_words, by=link.by, now=now)
    await guest_links.tie(conn, link, seat_id)
    return seat_id


async def become_member(conn: AsyncConnection, token: str, *, now: Moment) -> str | None:
    """An invitation for the guest who holds the link, its secret; their seat comes along.

    Whoever gave them the link vouches for them, as with every invitation. None where nobody can: on
    a card without a name, or when the inviter is not active here any more. Then they ask to join.
    """
    known = await look(conn, token, now=now)
    link, seat = known.link, known.seat
    if seat is None or link.on_card or not policy.may_invite(known.inviter):
        return None
    if seat.member_id is not None:
        raise Forbidden("become_member")
    await _end_earlier(conn, known, now)
    return await tokens.make(
        conn,
        Purpose.INVITATION,
        community=link.community_id,
        facts={
            "name": seat.name,
            "email": seat.email,
            "by": str(link.by),
            "member": None,
            "gathering": str(link.gathering_id),
            "seat": str(seat.id),
        },
        lifetime=invitations.LIFETIME,
        now=now,
    )


async def _end_earlier(conn: AsyncConnection, known: Personal, now: Moment) -> None:
    """One invitation for one guest: asking again takes the place of the one before."""
    waiting = await tokens.waiting(conn, known.here.id, Purpose.INVITATION, now=now)
    seat = known.seat
    earlier = [one.key for one in waiting if seat and one.facts.get("seat") == str(seat.id)]
    await tokens.revoke(conn, earlier)


async def claim(conn: AsyncConnection, token: str, *, person_id: UUID, now: Moment) -> Personal:
    """Somebody who is signed in and a member here: the seat is theirs. `Forbidden` for others."""
    known = await look(conn, token, now=now)
    member = await members.of_person(conn, known.here.id, person_id)
    if member is None or member.status is not Status.ACTIVE:
        raise Forbidden("claim")
    if known.seat is None:
        raise NotFound("seat")
    await seats.becomes(conn, known.here.id, known.gathering.id, known.seat.id, member.id, now=now)
    return known
