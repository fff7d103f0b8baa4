"""Roles at a gathering: people offer themselves, or are asked and say yes or no.

    offered ─► agreed         asked ─► agreed / declined

Whoever carries a role comes. Carrying one that leads (to host, to facilitate) makes somebody an
organiser once an organiser has agreed: by asking them, or by taking up their offer.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import communities, gathering_mails, members, policy, seats
from timebank import gathering as gathering_values
from timebank.acting import Actor
from timebank.errors import BadInput, Forbidden, NotFound, NotTakingPart, RoleTaken, WrongState
from timebank.gathering import Gathering, Seat, WantedRole, note
from timebank.gatherings import Answer, DutyState, duties
from timebank.members import MemberKind, Status
from timebank.moment import Moment
from timebank.roles import BuiltIn
from timebank.seats import AS_EVER, Whence


async def offer(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    key: str,
    *,
    whence: Whence = AS_EVER,
    member: UUID | None = None,
    by: UUID,
    now: Moment,
) -> Seat:
    """Somebody says: I will. They carry a role from now on, and comes.

    For oneself, or (`member`) for whom one may answer. Refuses with `RoleTaken` when as many as it
    needs do so already, and as answering does.
    """
    seat = await _comes(conn, community, id, key, whence, member, by, now)
    found = await gathering_values.get(conn, community, id)
    role, duty = _role(found, key), found.duty(key, seat.id)
    if duty is not None and duty.carried:
        return seat
    refuse_taken(found, role)
    asked = duty is not None and duty.state is DutyState.ASKED
    state = DutyState.AGREED if asked else DutyState.OFFERED
    if duty is None:
        await _put(conn, found, key, seat.id, state, None, now)
    else:
        await _move(conn, found, key, seat.id, state, now)
    facts = {"role": key, "member": str(seat.member_id)}
    await note(conn, found, "gathering.offered", by=by, now=now, facts=facts)
    return seat


async def _comes(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    key: str,
    whence: Whence,
    member: UUID | None,
    by: UUID,
    now: Moment,
) -> Seat:
    """Their seat, with a yes and room in it; refused first where the role is not to be had."""
    _actor, found = await seats.at_hand(conn, community, id, by)
    own = found.seat_of(member or by)
    duty = found.duty(key, own.id) if own else None
    if duty is None or not duty.carried:
        refuse_taken(found, _role(found, key))
    words = own.words if own else ""
    seat = await seats.answer(
        conn,
        community,
        id,
        Answer.YES,
        words=words,
        whence=whence,
        member=member,
        by=by,
        now=now,
    )
    if seat.comes:
        return seat
    here = await communities.by_id(conn, community)
    found = await seats.settle_answer(
        conn, here, found, seat.id, Answer.YES, words, needed=True, by=by, now=now
    )
    return _seat(found, seat.id)


async def release(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    key: str,
    seat_id: UUID,
    *,
    by: UUID,
    now: Moment,
) -> None:
    """Somebody does not carry a role any more, or is not asked: they say so, or an organiser.

    They still come, if there is room. The organisers are told, or the one it was taken from.
    """
    actor, found = await seats.at_hand(conn, community, id, by)
    seats.refuse_closed(found, now)
    seat, duty = _seat(found, seat_id), found.duty(key, seat_id)
    if duty is None:
        raise NotFound("duty")
    mine = _speaks_for(actor, seat)
    if not mine and not policy.may_organise(actor.member, found, actor.manages):
        raise Forbidden("release")
    await conn.execute(delete(duties).where(_is(found, key, seat_id)))
    here = await communities.by_id(conn, community)
    role = _role(found, key)
    after = await gathering_values.get(conn, community, id)
    await seats.wait_after_all(conn, after, seat_id, now=now)
    if mine and duty.carried:
        roles = [(role.key, role.name)]
        await gathering_mails.freed(conn, here, found, seat.name, roles, by=by, now=now)
    elif not mine:
        await gathering_mails.released(
            conn, here, found, seat, key, role.name, by=by, by_name=actor.member.name, now=now
        )
    facts = {"role": key}
    await note(conn, found, "gathering.released", by=by, now=now, facts=facts)


async def ask(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    key: str,
    member: UUID,
    words: str = "",
    *,
    by: UUID,
    now: Moment,
) -> None:
    """An organiser asks a member whether they would carry a role; the answer is theirs.

    Asking invites, too. Several may be asked; the first who say yes have it. Refuses with
    `Forbidden`, `RoleTaken`, `NotTakingPart` and, where they were asked already, `WrongState`.
    """
    actor, found = await seats.at_hand(conn, community, id, by)
    if not policy.may_organise(actor.member, found, actor.manages):
        raise Forbidden("ask")
    seats.refuse_closed(found, now)
    role = _role(found, key)
    refuse_taken(found, role)
    who = await members.get(conn, community, member)
    if who.kind is not MemberKind.PERSON or who.status is not Status.ACTIVE:
        raise NotTakingPart(who.name)
    seat = found.seat_of(member)
    duty = found.duty(key, seat.id) if seat else None
    if duty is not None and duty.state is not DutyState.DECLINED:
        raise WrongState(duty.state.value, "ask")
    here = await communities.by_id(conn, community)
    if seat is None:
        houses = [hat.organisation_id for hat in await seats.hats_of(conn, here, found, member)]
        seat_id = await seats.put(
            conn,
            found,
            member_id=member,
            organisation_id=houses[0] if houses else None,
            invited_by=by,
            invited_at=now.at,
            now=now,
        )
    else:
        seat_id = seat.id
    if duty is None:
        await _put(conn, found, key, seat_id, DutyState.ASKED, by, now)
    else:
        await _move(conn, found, key, seat_id, DutyState.ASKED, now, asked_by=by)
    found = await gathering_values.get(conn, community, id)
    await gathering_mails.asked(
        conn,
        here,
        found,
        _seat(found, seat_id),
        key,
        role.name,
        words,
        asker=actor.member.name,
        now=now,
    )
    facts = {"role": key, "member": str(member)}
    await note(conn, found, "gathering.asked", by=by, now=now, facts=facts)


async def reply(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    key: str,
    seat_id: UUID,
    *,
    agrees: bool,
    by: UUID,
    now: Moment,
) -> None:
    """Somebody who was asked says yes, and comes; or no, which says nothing about coming.

    By themselves, or who may answer for them. The one who asked is told. Refuses with `RoleTaken`
    when others were quicker.
    """
    actor, found = await seats.at_hand(conn, community, id, by)
    seats.refuse_closed(found, now)
    seat, duty = _seat(found, seat_id), found.duty(key, seat_id)
    if duty is None or seat.member_id is None:
        raise NotFound("duty")
    who = await members.get(conn, community, seat.member_id)
    if not policy.may_answer_for(actor.member, who, found, actor.acts_for):
        raise Forbidden("reply")
    if duty.state is not DutyState.ASKED:
        raise WrongState(duty.state.value, "reply")
    here = await communities.by_id(conn, community)
    role = _role(found, key)
    if agrees:
        await offer(conn, community, id, key, member=seat.member_id, by=by, now=now)
    else:
        await _move(conn, found, key, seat_id, DutyState.DECLINED, now)
        facts = {"role": key, "member": str(seat.member_id)}
        await note(conn, found, "gathering.declined", by=by, now=now, facts=facts)
    await gathering_mails.replied(
        conn,
        here,
        found,
        seat,
        key,
        role.name,
        agrees=agrees,
        to=duty.asked_by or found.made_by,
        by=by,
        now=now,
    )


async def take_up(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    key: str,
    seat_id: UUID,
    *,
    by: UUID,
    now: Moment,
) -> None:
    """An organiser is glad of an offer: who offered to lead organises it from now on, too.

    Nobody takes up their own offer (`Forbidden`).
    """
    actor, found = await seats.at_hand(conn, community, id, by)
    seat, duty = _seat(found, seat_id), found.duty(key, seat_id)
    if duty is None:
        raise NotFound("duty")
    glad = policy.may_organise(actor.member, found, actor.manages)
    if not glad or (seat.member_id == by and not policy.may_coordinate(actor.member)):
        raise Forbidden("take_up")
    if duty.state is not DutyState.OFFERED:
        raise WrongState(duty.state.value, "take_up")
    await _move(conn, found, key, seat_id, DutyState.AGREED, now, asked_by=by)
    here = await communities.by_id(conn, community)
    role = _role(found, key)
    await gathering_mails.agreed(
        conn, here, found, seat, key, role.name, by=by, by_name=actor.member.name, now=now
    )
    facts = {"role": key, "member": str(seat.member_id)}
    await note(conn, found, "gathering.taken_up", by=by, now=now, facts=facts)


def refuse_taken(found: Gathering, role: WantedRole) -> None:
    """Raise `RoleTaken` when as many as a role needs carry it."""
    if role.wanted and len(found.carriers(role.key)) >= role.wanted:
        raise RoleTaken(role.key, role.name)


def _role(found: Gathering, key: str) -> WantedRole:
    """A role one can carry; everyone takes part, so nobody has to offer that."""
    role = found.role(key)
    if role is None or key == BuiltIn.TAKE_PART:
        raise BadInput("role", "not_offered")
    return role


def _seat(found: Gathering, seat_id: UUID) -> Seat:
    seat = found.seat(seat_id)
    if seat is None:
        raise NotFound("seat")
    return seat


def _speaks_for(actor: Actor, seat: Seat) -> bool:
    return seat.member_id is not None and seat.member_id in actor.accounts


def _is(found: Gathering, key: str, seat_id: UUID) -> ColumnElement[bool]:
    return and_(
        duties.c.community_id == found.community_id,
        duties.c.gathering_id == found.id,
        duties.c.role_key == key,
        duties.c.seat_id == seat_id,
    )


async def _put(
    conn: AsyncConnection,
    found: Gathering,
    key: str,
    seat_id: UUID,
    state: DutyState,
    asked_by: UUID | None,
    now: Moment,
) -> None:
    await conn.execute(
        insert(duties).values(
            community_id=found.community_id,
            gathering_id=found.id,
            role_key=key,
            seat_id=seat_id,
            state=state.value,
            asked_by=asked_by,
            at=now.at,
        )
    )


async def _move(
    conn: AsyncConnection,
    found: Gathering,
    key: str,
    seat_id: UUID,
    state: DutyState,
    now: Moment,
    **more: UUID,
) -> None:
    await conn.execute(
        update(duties).where(_is(found, key, seat_id)).values(state=state.value, at=now.at, **more)
    )
