"""Seats: who comes. Yes, maybe or no, with a word; room for so many, and a line of those who wait.

The first who say yes have room. When somebody leaves, or there is more room, the next in the line
moves up and is told. Whoever carries a role that is needed has a seat whatever the room: the room
counts them, and is for those who take part.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import (
    acting,
    affiliations,
    communities,
    gathering_mails,
    guest_links,
    members,
    policy,
)
from timebank import gathering as gathering_values
from timebank.acting import Actor
from timebank.communities import Community
from timebank.db import EVERYWHERE, Database
from timebank.errors import (
    BadInput,
    Forbidden,
    NotFound,
    NotTakingPart,
    OnTheList,
    SignUpClosed,
    WrongState,
)
from timebank.gathering import Gathering, Seat, note
from timebank.gatherings import Answer, DutyState, State, duties, gatherings, seats
from timebank.i18n import translations
from timebank.members import Member, MemberKind, Status
from timebank.moment import Moment
from timebank.outbox import outbox
from timebank.text import fold

LONGEST_WORDS = 300
"""Characters that go with an answer."""
_AT_ONCE = 1000  # guests that are forgotten in one go; the others an hour later


class _AsEver:
    """The type of `AS_EVER`."""


AS_EVER: Final = _AsEver()
"""Instead of an organisation: the one of their seat, else the only or first one they have."""

Whence = UUID | None | _AsEver


# ── Members ──────────────────────────────────────────────────────────────────────────────────────


async def answer(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    said: Answer,
    *,
    words: str = "",
    whence: Whence = AS_EVER,
    member: UUID | None = None,
    by: UUID,
    now: Moment,
) -> Seat:
    """Say whether one comes, or (`member`) whether somebody does for whom one may answer.

    When there is no room, a yes waits in the line. Who said yes before keeps their place; a maybe
    or a no frees it, and the roles they carried. `whence` is the organisation they come from, one
    of their affiliations; None: as a neighbour. Refuses with `Forbidden`, `SignUpClosed`,
    `NotTakingPart` and `BadInput`.
    """
    if said is Answer.ASKED:
        raise BadInput("answer", "not_offered")
    actor, found = await at_hand(conn, community, id, by)
    who = await _who(conn, found, actor, member or by)
    refuse_closed(found, now)
    here = await communities.by_id(conn, community)
    organisation = await _whence(conn, here, found, who, whence)
    seat = found.seat_of(who.id)
    if seat is None:
        seat_id = await put(conn, found, member_id=who.id, organisation_id=organisation, now=now)
    else:
        seat_id = seat.id
        await keep(conn, found, seat_id, organisation_id=organisation)
    found = await settle_answer(conn, here, found, seat_id, said, words, by=by, now=now)
    facts = {"answer": said.value, "member": str(who.id)}
    await note(conn, found, "gathering.answered", by=by, now=now, facts=facts)
    return _there(found, seat_id)


async def at_hand(
    conn: AsyncConnection, community: UUID, id: UUID, by: UUID
) -> tuple[Actor, Gathering]:
    """An active member, and the gathering, locked; `NotFound` if they may not see it."""
    actor = await acting.active(conn, community, by)
    found = await gathering_values.lock(conn, community, id)
    if not policy.may_see_gathering(actor.member, found, actor.acts_for):
        raise NotFound("gathering")
    return actor, found


def refuse_closed(found: Gathering, now: Moment) -> None:
    """Raise `SignUpClosed` once it is over, or was called off."""
    if found.state is not State.PLANNED or now.at >= found.ends_at:
        raise SignUpClosed


async def _who(conn: AsyncConnection, found: Gathering, actor: Actor, member: UUID) -> Member:
    """Whom the answer is for; a person who is active, and for whom this member may answer."""
    who = await members.get(conn, found.community_id, member)
    if not policy.may_answer_for(actor.member, who, found, actor.acts_for):
        raise Forbidden("answer")
    if who.kind is not MemberKind.PERSON or who.status is not Status.ACTIVE:
        raise NotTakingPart(who.name)
    return who


async def hats_of(
    conn: AsyncConnection, here: Community, found: Gathering, member: UUID
) -> list[affiliations.Hat]:
    """What a member may come as: their affiliations with organisations on that day."""
    day = Moment(found.starts_at).day_in(here.timezone)
    worn = await affiliations.of_many(conn, here.id, [member], on=day)
    return [hat for hat in worn.get(member, []) if hat.organisation_id is not None]


async def _whence(
    conn: AsyncConnection, here: Community, found: Gathering, who: Member, whence: Whence
) -> UUID | None:
    if whence is None:
        return None
    houses = [hat.organisation_id for hat in await hats_of(conn, here, found, who.id)]
    if isinstance(whence, _AsEver):
        seat = found.seat_of(who.id)
        if seat is not None:
            return seat.organisation_id
        return houses[0] if houses else None
    if whence not in houses:
        raise BadInput("whence", "not_offered")
    return whence


# ── Guests ───────────────────────────────────────────────────────────────────────────────────────


async def bring(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    name: str,
    *,
    from_words: str = "",
    organisation: UUID | None = None,
    by: UUID,
    now: Moment,
) -> Seat:
    """Put somebody who is no member on the list by name: they said that they come.

    By who may invite to it (`Forbidden`), and for an organisation that was invited by its account
    managers. Refuses a name that is there already (`OnTheList`).
    """
    actor, found = await at_hand(conn, community, id, by)
    refuse_no_inviter(actor, found, organisation)
    refuse_closed(found, now)
    here = await communities.by_id(conn, community)
    seat_id = await put_guest(
        conn, found, name, from_words=from_words, organisation=organisation, by=by, now=now
    )
    found = await gathering_values.get(conn, community, id)
    found = await settle_answer(conn, here, found, seat_id, Answer.YES, "", by=by, now=now)
    await note(conn, found, "gathering.guest", by=by, now=now)
    return _there(found, seat_id)


def refuse_no_inviter(actor: Actor, found: Gathering, organisation: UUID | None = None) -> None:
    """Raise `Forbidden` unless they may put others on the list.

    In the name of an organisation that was invited, those who keep its account do, and nobody else.
    """
    if organisation is not None:
        sends = {one.id for one in found.invited} & actor.manages
        allowed = organisation in sends and policy.may_act(actor.member)
    else:
        allowed = policy.may_invite_to(actor.member, found, actor.acts_for)
    if not allowed:
        raise Forbidden("invite")


async def put_guest(
    conn: AsyncConnection,
    found: Gathering,
    name: str,
    *,
    email: str = "",
    from_words: str = "",
    organisation: UUID | None = None,
    by: UUID,
    now: Moment,
) -> UUID:
    """Write a guest's seat, not answered yet; its id. Refuses `BadInput` and `OnTheList`."""
    if not name:
        raise BadInput("name", "missing")
    if any(seat.member_id is None and fold(seat.name) == fold(name) for seat in found.seats):
        raise OnTheList(name)
    return await put(
        conn,
        found,
        name=name,
        email=email,
        from_words="" if organisation else from_words,
        organisation_id=organisation,
        invited_by=by,
        invited_at=now.at,
        now=now,
    )


async def take_off(
    conn: AsyncConnection, community: UUID, id: UUID, seat_id: UUID, *, by: UUID, now: Moment
) -> None:
    """A guest is on the list no more: whoever invited them says so, or an organiser.

    Members say for themselves (`Forbidden`). As long as it is planned (`WrongState`).
    """
    actor, found = await at_hand(conn, community, id, by)
    seat = found.seat(seat_id)
    if seat is None:
        raise NotFound("seat")
    mine = seat.invited_by == by or policy.may_organise(actor.member, found, actor.manages)
    if seat.member_id is not None or not mine:
        raise Forbidden("take_off")
    if found.state is not State.PLANNED or seat.present is not None:
        raise WrongState(found.state.value, "take_off")
    here = await communities.by_id(conn, community)
    await guest_links.end(conn, community, id, seat_id, now=now)
    await _forget_mail(conn, community, [seat.email])
    await _remove(conn, found, seat_id)
    found = await gathering_values.get(conn, community, id)
    await move_up(conn, here, found, now=now)
    await note(conn, found, "gathering.guest_off", by=by, now=now)


async def becomes(
    conn: AsyncConnection, community: UUID, id: UUID, seat_id: UUID, member: UUID, *, now: Moment
) -> None:
    """A guest is a member now: the seat is theirs, under one name and counted once.

    If they have a seat as a member already, the two become one, and a yes with room wins.
    """
    found = await gathering_values.lock(conn, community, id)
    guest, own = found.seat(seat_id), found.seat_of(member)
    if guest is None or guest.member_id is not None:
        return
    if own is None:
        await keep(conn, found, seat_id, member_id=member, name="", email="", from_words="")
        return
    if guest.present is not None or found.state is not State.PLANNED:
        return  # attendance knows two people; whoever takes it puts them together
    if guest.comes and not own.comes:
        await keep(
            conn,
            found,
            own.id,
            answer=guest.answer.value,
            answered_at=guest.answered_at,
            waiting=False,
            words=own.words or guest.words,
        )
    await _remove(conn, found, seat_id)
    here = await communities.by_id(conn, community)
    found = await gathering_values.get(conn, community, id)
    await move_up(conn, here, found, now=now)


async def forget_guests(db: Database, *, now: Moment) -> None:
    """Two months after a gathering, what we know of its guests goes; that somebody came stays."""
    async with db.read(EVERYWHERE) as conn:
        every = await communities.every(conn)
    for here in every:
        nameless = translations(here.language).gettext("A guest")
        async with db.read(here.id) as conn:
            known = (await conn.execute(_known_guests(here.id, nameless, now))).all()
        if known:
            async with db.write(here.id) as conn:
                await _forget_mail(conn, here.id, [row.email for row in known])
                await conn.execute(
                    update(seats)
                    .where(
                        seats.c.community_id == here.id,
                        seats.c.id.in_([row.id for row in known]),
                    )
                    .values(name=nameless, email="", words="")
                )


def _known_guests(community: UUID, nameless: str, now: Moment) -> Select[Any]:
    """Guests of gatherings that ended long ago, of whom something is still known."""
    return (
        select(seats.c.id, seats.c.email)
        .join(
            gatherings,
            and_(
                gatherings.c.community_id == seats.c.community_id,
                gatherings.c.id == seats.c.gathering_id,
            ),
        )
        .where(
            seats.c.community_id == community,
            seats.c.member_id.is_(None),
            gatherings.c.ends_at < now.at - guest_links.AFTERWARDS,
            or_(seats.c.name != nameless, seats.c.email != "", seats.c.words != ""),
        )
        .limit(_AT_ONCE)
    )


async def _forget_mail(conn: AsyncConnection, community: UUID, addresses: list[str]) -> None:
    """That mail went to these addresses; the same person may be guest elsewhere, or come again."""
    known = [address for address in addresses if address]
    if known:
        await conn.execute(
            delete(outbox).where(
                outbox.c.community_id == community,
                outbox.c.to_address.in_(known),
                outbox.c.sent_at.is_not(None),
            )
        )


# ── Room ─────────────────────────────────────────────────────────────────────────────────────────


async def settle_answer(
    conn: AsyncConnection,
    here: Community,
    found: Gathering,
    seat_id: UUID,
    said: Answer,
    words: str,
    *,
    needed: bool = False,
    by: UUID,
    now: Moment,
) -> Gathering:
    """Write an answer into a seat of a gathering that is locked, with all that follows from it.

    `needed`: they carry a role, so there is room. For here and the files beside, which decide who
    may answer. The gathering as it is then.
    """
    community = here.id
    found = await gathering_values.get(conn, community, found.id)
    seat = _there(found, seat_id)
    values: dict[str, Any] = {"words": words, "answer": said.value}
    if said is Answer.YES:
        if needed and not seat.comes:
            values |= {"waiting": False, "answered_at": now.at}
        elif seat.answer is not Answer.YES:
            values |= {"waiting": found.is_full, "answered_at": now.at}
    else:
        values |= {"waiting": False, "answered_at": now.at}
    await keep(conn, found, seat_id, **values)
    if said is not Answer.YES:
        await _free_roles(conn, here, found, seat, said, by=by, now=now)
    found = await gathering_values.get(conn, community, found.id)
    return await move_up(conn, here, found, now=now)


async def _free_roles(
    conn: AsyncConnection,
    here: Community,
    found: Gathering,
    seat: Seat,
    said: Answer,
    *,
    by: UUID,
    now: Moment,
) -> None:
    """Who does not come for certain carries nothing; the organisers are told what is free again."""
    carried = [duty.role_key for duty in found.duties_of(seat.id) if duty.carried]
    of_theirs = and_(
        duties.c.community_id == here.id,
        duties.c.gathering_id == found.id,
        duties.c.seat_id == seat.id,
    )
    await conn.execute(delete(duties).where(of_theirs, duties.c.role_key.in_(carried)))
    if said is Answer.NO:
        await conn.execute(
            update(duties)
            .where(of_theirs, duties.c.state == DutyState.ASKED.value)
            .values(state=DutyState.DECLINED.value, at=now.at)
        )
    if carried:
        roles = [(role.key, role.name) for role in found.roles if role.key in carried]
        await gathering_mails.freed(conn, here, found, seat.name, roles, by=by, now=now)


async def move_up(
    conn: AsyncConnection, here: Community, found: Gathering, *, now: Moment
) -> Gathering:
    """As many of those who wait as there is room for have a seat now, and are told.

    The gathering is locked. The gathering as it is then.
    """
    line = [seat for seat in found.seats if seat.answer is Answer.YES and seat.waiting]
    if found.capacity is not None:
        line = line[: max(0, found.capacity - len(found.coming))]
    if not line or found.state is not State.PLANNED or now.at >= found.ends_at:
        return found
    await conn.execute(
        update(seats)
        .where(seats.c.community_id == here.id, seats.c.id.in_([seat.id for seat in line]))
        .values(waiting=False)
    )
    await gathering_mails.moved_up(conn, here, found, line, now)
    return await gathering_values.get(conn, here.id, found.id)


async def wait_after_all(
    conn: AsyncConnection, found: Gathering, seat_id: UUID, *, now: Moment
) -> None:
    """Somebody gave back the role they had a seat for: without room, they wait like everyone."""
    over = found.capacity is not None and len(found.coming) > found.capacity
    carries = any(duty.carried for duty in found.duties_of(seat_id))
    if over and not carries and _there(found, seat_id).comes:
        await keep(conn, found, seat_id, waiting=True, answered_at=now.at)


# ── Rows ─────────────────────────────────────────────────────────────────────────────────────────


async def put(
    conn: AsyncConnection,
    found: Gathering,
    *,
    member_id: UUID | None = None,
    name: str = "",
    email: str = "",
    from_words: str = "",
    organisation_id: UUID | None = None,
    invited_by: UUID | None = None,
    invited_at: Any = None,
    now: Moment,
) -> UUID:
    """Write a seat nobody has answered for yet; its id. For the files beside, which decide."""
    id = now.new_id()
    await conn.execute(
        insert(seats).values(
            community_id=found.community_id,
            id=id,
            gathering_id=found.id,
            member_id=member_id,
            name=name,
            email=email,
            organisation_id=organisation_id,
            from_words=from_words,
            answer=Answer.ASKED.value,
            words="",
            waiting=False,
            invited_by=invited_by,
            invited_at=invited_at,
            ticked_how="",
            to_confirm=False,
        )
    )
    return id


async def keep(conn: AsyncConnection, found: Gathering, seat_id: UUID, **values: Any) -> None:
    """Change a seat's columns."""
    await conn.execute(
        update(seats)
        .where(seats.c.community_id == found.community_id, seats.c.id == seat_id)
        .values(**values)
    )


async def _remove(conn: AsyncConnection, found: Gathering, seat_id: UUID) -> None:
    for table, column in ((duties, duties.c.seat_id), (seats, seats.c.id)):
        await conn.execute(
            delete(table).where(
                table.c.community_id == found.community_id,
                column == seat_id,
            )
        )


def _there(found: Gathering, seat_id: UUID) -> Seat:
    seat = found.seat(seat_id)
    if seat is None:
        raise NotFound("seat")
    return seat
