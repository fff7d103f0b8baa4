"""Settling a gathering: a table that everyone can read first, then one entry, or nothing.

    the list is closed ─► plan ─► send ─► (the sponsor agrees) ─► approved at the door ─► settled

What a correction sends is the difference to what stands. Posting, undoing and everything that goes
with them is the door's (`timebank.posting`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, Account, Minutes
from ledger.sql import read, store
from timebank import (
    acting,
    agreements,
    attendance,
    audit,
    communities,
    entries,
    entry_steps,
    policy,
    rooms,
    settled,
    settlement_mails,
    workshops,
)
from timebank.acting import Actor
from timebank.attendance import Roll
from timebank.entry import Entry, Kind, Side, StepKind
from timebank.entry import State as EntryState
from timebank.errors import Forbidden, ListOpen, NobodyAgrees, NotFound, SettlementMoved
from timebank.gatherings import Rule, gatherings
from timebank.gatherings import State as GatheringState
from timebank.members import MemberKind, members
from timebank.moment import Moment
from timebank.rooms import Room
from timebank.settled import Settlement
from timebank.settlements import settlement_lines, settlements, witnesses
from timebank.settling import Attendee, Line, Moved, difference, settle

_SALT = 32  # random bytes


@dataclass(frozen=True, slots=True)
class Gives:
    """An account that gives hours for a gathering: what it holds, and what it would be left with.

    `minutes` are what it gives now, in this entry. `floor` is the lowest it may be left with.
    """

    account_id: UUID
    name: str
    minutes: Minutes
    balance: Minutes
    floor: Minutes | None

    @property
    def after(self) -> Minutes:
        """What it would stand at."""
        return self.balance - self.minutes

    @property
    def left(self) -> Minutes | None:
        """What it can still give, before this; None without a limit."""
        return None if self.floor is None else self.balance - self.floor

    @property
    def short(self) -> Minutes:
        """By how much it would pass its limit."""
        if self.floor is None or self.after >= self.floor:
            return ZERO
        return self.floor - self.after


@dataclass(frozen=True, slots=True)
class Plan:
    """How the hours of a gathering would move, line by line, before anything does.

    `lines` are what everything comes to, `stands` what was settled before, `moves` the difference,
    which is what would be posted. `gives` says from which accounts, and whether they can.
    """

    roll: Roll
    lines: tuple[Line, ...]
    stands: tuple[Line, ...]
    moves: tuple[Moved, ...]
    gives: tuple[Gives, ...]
    names: Mapping[UUID, str]
    story: tuple[Settlement, ...]
    payer: UUID | None

    @property
    def room(self) -> Room:
        """The gathering."""
        return self.roll.room

    @property
    def base(self) -> Settlement | None:
        """The settlement that stands."""
        return settled.standing(self.story)

    @property
    def waiting(self) -> Settlement | None:
        """The one that waits to be approved."""
        return settled.waiting(self.story)

    @property
    def seal(self) -> str:
        """What somebody looked at: another attendance, or another base, has another seal."""
        said = repr((self.room.id, self.base.number if self.base else 0, self.lines))
        return hashlib.sha256(said.encode()).hexdigest()


async def plan(conn: AsyncConnection, community: UUID, gathering: UUID, *, by: UUID) -> Plan:
    """How the hours would move, for those who may see it (`NotFound`, `Forbidden`)."""
    actor, room = await rooms.for_member(conn, community, gathering, by)
    found = await _plan(conn, room)
    accounts = {line.account_id for line in (*found.lines, *found.stands)}
    if room.payer_id is not None:
        accounts.add(room.payer_id)
    if not policy.may_read_settlement(
        actor.member, accounts, actor.acts_for, organisers=room.organisers
    ):
        raise Forbidden("settlement")
    return found


async def send(
    conn: AsyncConnection,
    community: UUID,
    gathering: UUID,
    *,
    seal: str,
    by: UUID,
    now: Moment,
) -> Entry | None:
    """Write the plan down as one entry that waits to be approved, with its lines.

    None where no hours move: then the gathering is settled at once. `seal` is that of the plan
    somebody looked at (`SettlementMoved` for another one); sending it twice is sending it once.
    For those who look after the gathering (`Forbidden`), once its list is closed (`ListOpen` else).
    Where an organisation sponsors it, somebody has to be able to agree for it (`NobodyAgrees`).
    """
    await store.lock(conn, community)
    actor, room = await rooms.for_organiser(conn, community, gathering, by)
    await rooms.lock(conn, community, gathering)
    if room.rule is Rule.WORKSHOP:
        await workshops.open_for(conn, room, now=now)
    found = await _plan(conn, room)
    if found.roll.open:
        raise ListOpen
    if found.seal != seal:
        raise SettlementMoved
    if found.waiting is not None:
        return await entries.one(conn, community, found.waiting.entry_id)
    if not found.moves:
        await _finish(conn, found, by, now)
        return None
    return await _write_down(conn, found, actor, now)


async def vouch(
    conn: AsyncConnection, community: UUID, gathering: UUID, *, by: UUID, now: Moment
) -> None:
    """Somebody who was there says that the settlement that waits is right.

    It then stands in for a coordinator without a gain, if the agreement allows that and every
    coordinator gains. Twice is once. Refuses with `Forbidden` and, when none waits, `NotFound`.
    """
    await store.lock(conn, community)
    actor, _ = await rooms.for_member(conn, community, gathering, by)
    story = await settled.of_gathering(conn, community, gathering)
    waiting = settled.waiting(story)
    if waiting is None:
        raise NotFound("settlement")
    entry = await entries.one(conn, community, waiting.entry_id)
    if by in entry.witnessed_by:
        return
    if not await may_vouch(conn, actor, entry):
        raise Forbidden("vouch")
    await conn.execute(
        insert(witnesses).values(community_id=community, entry_id=entry.id, member_id=by, at=now.at)
    )
    await entry_steps.add_step(conn, entry, StepKind.CONFIRMED, by, now)
    await audit.write(
        conn,
        community,
        actor=by,
        action="settlement.vouched",
        subject_kind="entry",
        subject=entry.id,
        agreement_version=entry.agreement_version,
        now=now,
    )


async def may_vouch(conn: AsyncConnection, actor: Actor, entry: Entry) -> bool:
    """Whether this member may say that a settlement is right, and it would help."""
    community = actor.member.community_id
    terms = (await agreements.current(conn, community)).terms
    if entry.gathering_id is None or not terms.sole_coordinator:
        return False
    coordinators = await acting.all_coordinators(conn, community)
    return policy.may_vouch(
        actor.member,
        entry,
        terms,
        was_there=await attendance.was_there(conn, community, entry.gathering_id, actor.id),
        all_gain=all(policy.gains(one.member, entry, one.manages) for one in coordinators),
    )


# ── The plan ─────────────────────────────────────────────────────────────────────────────────────


async def _plan(conn: AsyncConnection, room: Room) -> Plan:
    """Everything that the table shows and that sending depends on."""
    roll = await attendance.roll(conn, room)
    story = await settled.of_gathering(conn, room.community_id, room.id)
    base = settled.standing(story)
    stands: tuple[Line, ...] = ()
    if base is not None:
        stands = await settled.lines(conn, room.community_id, room.id, base.number)
    payer = _payer(room)
    people = roll.attendees()
    ids = {one.account_id for one in people if one.account_id}
    ids |= {line.account_id for line in stands} | ({payer} if payer else set())
    accounts = await read.accounts(conn, room.community_id, ids)
    lines = settle(
        room.rule,
        _with_open_account(people, accounts, stands),
        payer=payer,
        credits_taking_part=room.credits_taking_part,
        draw=room.id,
    )
    moves = difference(stands, lines)
    names = await _names(conn, room, ids)
    return Plan(roll, lines, stands, moves, _gives(moves, accounts, names), names, story, payer)


def _payer(room: Room) -> UUID | None:
    """Whose account gives the hours, or takes the rest."""
    if room.rule in (Rule.SPLIT, Rule.NONE):
        return None
    if room.rule is Rule.WORKSHOP:
        return workshops.account_of(room)
    if room.rule is Rule.SPONSORED and room.payer_id is not None:
        return room.payer_id
    return room.community_id


def _with_open_account(
    people: Iterable[Attendee], accounts: Mapping[UUID, Account], stands: Iterable[Line]
) -> list[Attendee]:
    """Who closed their account meanwhile counts as a guest, unless something stands for them."""
    standing = {line.account_id for line in stands}
    found = []
    for one in people:
        account = accounts.get(one.account_id) if one.account_id else None
        usable = account is not None and (not account.closed or account.id in standing)
        found.append(one if usable else Attendee(None, one.present, one.roles))
    return found


def _gives(
    moves: Iterable[Moved], accounts: Mapping[UUID, Account], names: Mapping[UUID, str]
) -> tuple[Gives, ...]:
    """The accounts that go down. A workshop's that is not open yet holds nothing."""
    none = Account(UUID(int=0), floor=ZERO)
    return tuple(
        Gives(
            move.account_id,
            names.get(move.account_id, ""),
            move.minutes,
            accounts.get(move.account_id, none).balance,
            accounts.get(move.account_id, none).floor,
        )
        for move in moves
        if move.side is Side.RECEIVED
    )


async def _names(conn: AsyncConnection, room: Room, ids: Collection[UUID]) -> dict[UUID, str]:
    """What each account is called; the commons by the community's name, a workshop by its title."""
    place = await communities.by_id(conn, room.community_id)
    rows = await conn.execute(
        select(members.c.id, members.c.name).where(
            members.c.community_id == room.community_id, members.c.id.in_(ids)
        )
    )
    known = {room.community_id: place.name, workshops.account_of(room): room.title}
    return known | {row.id: row.name for row in rows}


# ── Sending ──────────────────────────────────────────────────────────────────────────────────────


async def _write_down(conn: AsyncConnection, plan: Plan, actor: Actor, now: Moment) -> Entry:
    """One entry with a part an account, the settlement it is, and what its lines are for."""
    room, community = plan.room, plan.room.community_id
    place = await communities.by_id(conn, community)
    agreement = await agreements.current(conn, community)
    number = max((one.number for one in plan.story), default=0) + 1
    reason = plan.roll.reason if plan.base is not None else ""
    id = now.new_id()
    sponsor = await _sponsor(conn, plan, actor)
    await conn.execute(
        insert(entries.entries).values(
            community_id=community,
            id=id,
            kind=Kind.ACTIVITY.value,
            occurred_on=Moment(room.starts_at).day_in(place.timezone),
            note=f"{room.title}: {reason}" if reason else room.title,
            salt=now.random_bytes(_SALT),
            minutes=_given(plan.moves),
            state=EntryState.RECORDED.value,
            contested=False,
            agreement_version=agreement.version,
            recorded_by=actor.id,
            recorded_at=now.at,
            touched_at=now.at,
        )
    )
    await conn.execute(insert(entries.parts), _parts(plan, id, sponsor, actor, now))
    await _keep(conn, plan, number, id, reason, actor.id, now)
    await audit.write(
        conn,
        community,
        actor=actor.id,
        action="settlement.sent",
        subject_kind="entry",
        subject=id,
        facts={"gathering": str(room.id), "number": number},
        agreement_version=agreement.version,
        now=now,
    )
    if sponsor is not None and not sponsor.agreed:
        await settlement_mails.asked_to_agree(
            conn, place, room, sponsor.account_id, sponsor.minutes, id, by=actor.id, now=now
        )
    entry = await entries.one(conn, community, id)
    await entry_steps.add_step(conn, entry, StepKind.RECORDED, actor.id, now)
    return entry


@dataclass(frozen=True, slots=True)
class _Sponsor:
    """The organisation that gives the hours; `agreed`: whoever sends it keeps its account."""

    account_id: UUID
    minutes: Minutes
    agreed: bool


async def _sponsor(conn: AsyncConnection, plan: Plan, actor: Actor) -> _Sponsor | None:
    """Who has to agree, if it is an organisation that gives hours here; or `NobodyAgrees`."""
    gives = next((one for one in plan.gives if one.account_id == plan.payer), None)
    if gives is None:
        return None
    kind = await conn.scalar(
        select(members.c.kind).where(
            members.c.community_id == plan.room.community_id, members.c.id == gives.account_id
        )
    )
    if kind != MemberKind.ORGANISATION.value:
        return None
    agreed = gives.account_id in actor.manages
    asked = select(entries.has_manager(plan.room.community_id, gives.account_id, None))
    if not agreed and not await conn.scalar(asked):
        raise NobodyAgrees(gives.name)
    return _Sponsor(gives.account_id, gives.minutes, agreed)


def _parts(
    plan: Plan, id: UUID, sponsor: _Sponsor | None, actor: Actor, now: Moment
) -> list[dict[str, Any]]:
    """A part for each account that moves, in the order of names; written in that of accounts.

    Nobody is asked but the sponsor: the others were there, and what is not right they can say.
    """
    shown = sorted(
        plan.moves, key=lambda move: (move.side is Side.RECEIVED, plan.names[move.account_id])
    )
    rows = []
    for position, move in enumerate(shown, start=1):
        sponsors = sponsor is not None and sponsor.account_id == move.account_id
        agreed = sponsors and sponsor is not None and sponsor.agreed
        rows.append(
            {
                "community_id": plan.room.community_id,
                "entry_id": id,
                "account_id": move.account_id,
                "position": position,
                "side": move.side.value,
                "minutes": move.minutes,
                "back": move.back,
                "awaited": sponsors and not agreed,
                "must_agree": sponsors,
                "confirmed_at": now.at if agreed else None,
                "confirmed_by": actor.id if agreed else None,
            }
        )
    return sorted(rows, key=lambda row: row["account_id"])


async def _keep(
    conn: AsyncConnection,
    plan: Plan,
    number: int,
    entry_id: UUID,
    reason: str,
    by: UUID,
    now: Moment,
) -> None:
    """The settlement and its lines, for good."""
    of_it = {
        "community_id": plan.room.community_id,
        "gathering_id": plan.room.id,
        "number": number,
    }
    await conn.execute(
        insert(settlements).values(
            **of_it,
            entry_id=entry_id,
            corrects=plan.base.number if plan.base else None,
            rule=plan.room.rule.value,
            reason=reason,
            made_by=by,
            made_at=now.at,
        )
    )
    if not plan.lines:
        return
    rows = [
        {
            **of_it,
            "account_id": line.account_id,
            "role_key": line.role_key,
            "kind": line.kind.value,
            "side": line.side.value,
            "minutes": line.minutes,
        }
        for line in plan.lines
    ]
    await conn.execute(insert(settlement_lines), rows)


async def _finish(conn: AsyncConnection, plan: Plan, by: UUID, now: Moment) -> None:
    """No hours move. Perhaps other words stand for them now; everyone is thanked, once."""
    room = plan.room
    if plan.base is not None and set(plan.lines) != set(plan.stands):
        number = max(one.number for one in plan.story) + 1
        await _keep(conn, plan, number, plan.base.entry_id, plan.roll.reason, by, now)
    await conn.execute(
        update(gatherings)
        .where(gatherings.c.community_id == room.community_id, gatherings.c.id == room.id)
        .values(state=GatheringState.SETTLED.value, touched_at=now.at)
    )
    await audit.write(
        conn,
        room.community_id,
        actor=by,
        action="gathering.settled",
        subject_kind="gathering",
        subject=room.id,
        now=now,
    )
    if room.state is not GatheringState.SETTLED and not any(one.posted_at for one in plan.story):
        place = await communities.by_id(conn, room.community_id)
        await settlement_mails.thank(conn, place, room, (), now=now)


def _given(moves: Sequence[Moved]) -> Minutes:
    return sum((move.minutes for move in moves if move.side is Side.GAVE), ZERO)
