"""Retention: who gave no sign for as long as the agreement says is asked, and forgotten in the end.

    no sign for `retention_months` ─► asked ─► says yes, or gives a sign: stays
                                        │
                                        └► no answer within 60 days: pseudonymised, like closing
                                           an account

People with an address are asked by mail, with a link that says yes in one click, and once more
after half of the time. Those without one wait in the inbox until a coordinator has asked them, and
nobody is forgotten before they were asked. Nothing happens to people with entries that wait, to
organisations, nor where the agreement names no months.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from dateutil.relativedelta import relativedelta
from sqlalchemy import ColumnElement, Select, exists, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import store
from timebank import (
    agreements,
    audit,
    caring,
    communities,
    gatherings,
    members,
    my_data,
    outbox,
    readers,
    tokens,
)
from timebank.db import EVERYWHERE, Database
from timebank.entries import entries, parts
from timebank.errors import EntriesWaiting, LastSteward, NotFound, WrongState
from timebank.i18n import format_day, translations
from timebank.members import MemberKind, Status
from timebank.moment import Moment
from timebank.outbox import Mail
from timebank.people import people
from timebank.stays import ANSWER_WITHIN, Answer, stays, was_asked
from timebank.tokens import Purpose

log = logging.getLogger("timebank.retention")

_AGAIN_AFTER = ANSWER_WITHIN / 2
_MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Done:
    """What one round did."""

    asked: int = 0
    to_ask: int = 0
    reminded: int = 0
    stayed: int = 0
    forgotten: int = 0


# ── Asking and answering ─────────────────────────────────────────────────────────────────────────


async def note_asked(
    conn: AsyncConnection, community: UUID, member: UUID, *, by: UUID, now: Moment
) -> None:
    """A coordinator has asked them, and they will answer later; their days begin to count."""
    await caring.carer(conn, community, member, by)
    stay = await _open(conn, community, member)
    await _set(conn, community, stay.id, asked_at=now.at, asked_by=by)
    await _note(conn, community, "stay.asked", member, by, now)


async def note_answer(
    conn: AsyncConnection, community: UUID, member: UUID, answer: Answer, *, by: UUID, now: Moment
) -> None:
    """What they said to a coordinator. Who would rather be forgotten is: see `my_data.close`.

    `Answer.GOES` needs a transaction of `EVERYWHERE`. Refuses with `Forbidden`, and `WrongState`
    where nobody waits for an answer.
    """
    if answer is Answer.SIGN:
        raise WrongState(answer.value, "answer")
    await caring.carer(conn, community, member, by)
    stay = await _open(conn, community, member)
    await _set(
        conn,
        community,
        stay.id,
        asked_at=stay.asked_at or now.at,
        asked_by=stay.asked_by or by,
        answer=answer.value,
        answered_at=now.at,
        noted_by=by,
    )
    await _note(conn, community, f"stay.{answer.value}", member, by, now)
    if answer is Answer.GOES:
        await my_data.close(conn, community, member, by=by, now=now)


async def say_yes(conn: AsyncConnection, token: str, *, now: Moment) -> communities.Community:
    """They follow the link and stay; twice is once. `LinkSpent` if it does not work.

    The transaction is one of `EVERYWHERE`: whoever follows the link is not signed in.
    """
    found = await tokens.look(conn, token, Purpose.STAY, now=now)
    community, member = found.community_id, UUID(found.facts["member"])
    if community is None:
        raise NotFound("community")
    await store.lock(conn, community)
    query = stays.c.community_id == community, stays.c.member_id == member
    changed = await conn.execute(
        update(stays)
        .where(*query, stays.c.answered_at.is_(None))
        .values(answer=Answer.STAYS.value, answered_at=now.at)
    )
    if changed.rowcount:
        await _note(conn, community, "stay.stays", member, member, now)
    return await communities.by_id(conn, community)


async def look(conn: AsyncConnection, token: str, *, now: Moment) -> communities.Community:
    """Where the link asks about, without saying anything; `LinkSpent` if it does not work."""
    found = await tokens.look(conn, token, Purpose.STAY, now=now)
    if found.community_id is None:
        raise NotFound("community")
    return await communities.by_id(conn, found.community_id)


# ── Once a day ───────────────────────────────────────────────────────────────────────────────────


async def look_after_all(db: Database, *, now: Moment) -> dict[UUID, Done]:
    """Ask, remind and forget in every community. Safe to do in several processes, and again."""
    async with db.read(EVERYWHERE) as conn:
        places = await communities.every(conn)
    return {place.id: await look_after(db, place.id, now=now) for place in places}


async def look_after(db: Database, community: UUID, *, now: Moment) -> Done:
    """One round in one community. Where its agreement keeps people for good, nobody is asked.

    Who gave no sign is looked for without keeping anybody else from writing; that they gave none
    is asked again of these few when it is written down.
    """
    async with db.read(community) as conn:
        months = (await agreements.current(conn, community)).terms.retention_months
        cutoff = None if months is None else now.at - relativedelta(months=months)
        quiet = [] if cutoff is None else await _quiet(conn, community, cutoff)
    async with db.write(EVERYWHERE) as conn:
        await store.lock(conn, community)  # two processes: one after the other
        stayed = await _settle(conn, community, cutoff, now)
        if cutoff is None:
            return Done(stayed=stayed)
        asked, to_ask = await _ask(conn, community, cutoff, quiet, now)
        reminded = await _remind(conn, community, now)
        overdue = await _overdue(conn, community, now)
    forgotten = 0
    for member in overdue:
        forgotten += await _forget(db, community, member, now)
    return Done(asked, to_ask, reminded, stayed, forgotten)


async def _quiet(conn: AsyncConnection, community: UUID, cutoff: datetime) -> list[UUID]:
    """Those without a sign since then whom nobody asks yet, so many as are asked in one round."""
    query = _without_sign(community, cutoff).where(~_being_asked()).limit(_MOST_AT_ONCE)
    return [row.id for row in await conn.execute(query)]


def _being_asked() -> ColumnElement[bool]:
    return exists().where(
        stays.c.community_id == members.members.c.community_id,
        stays.c.member_id == members.members.c.id,
        stays.c.answered_at.is_(None),
    )


async def _ask(
    conn: AsyncConnection, community: UUID, cutoff: datetime, ids: Sequence[UUID], now: Moment
) -> tuple[int, int]:
    """Ask those of these who gave no sign: how many by mail, how many have to be asked."""
    query = _without_sign(community, cutoff, ids).where(~_being_asked())
    quiet = list(await conn.execute(query))
    letters: dict[UUID, tuple[UUID, datetime]] = {}
    for row in quiet:
        id = now.new_id()
        if row.person_id is not None:
            letters[row.id] = (id, now.at)
        await conn.execute(
            insert(stays).values(
                community_id=community,
                id=id,
                member_id=row.id,
                found_at=now.at,
                asked_at=now.at if row.person_id is not None else None,
            )
        )
        action = "stay.asked" if row.person_id is not None else "stay.found"
        await _note(conn, community, action, row.id, None, now)
    await _mail(conn, community, letters, now)
    return len(letters), len(quiet) - len(letters)


async def _remind(conn: AsyncConnection, community: UUID, now: Moment) -> int:
    """Write once more to those who were asked by mail and have said nothing."""
    query = select(stays.c.id, stays.c.member_id, stays.c.asked_at).where(
        stays.c.community_id == community,
        stays.c.answered_at.is_(None),
        stays.c.asked_by.is_(None),
        stays.c.asked_at <= now.at - _AGAIN_AFTER,
        stays.c.reminded_at.is_(None),
    )
    rows = list(await conn.execute(query))
    for row in rows:
        await _set(conn, community, row.id, reminded_at=now.at)
    letters = {row.member_id: (now.new_id(), row.asked_at) for row in rows}
    await _mail(conn, community, letters, now)
    return len(rows)


async def _settle(
    conn: AsyncConnection, community: UUID, cutoff: datetime | None, now: Moment
) -> int:
    """Whoever gave a sign meanwhile, or is gone, need not answer; without a limit nobody need."""
    waiting = stays.c.community_id == community, stays.c.answered_at.is_(None)
    asked = [row.member_id for row in await conn.execute(select(stays.c.member_id).where(*waiting))]
    silent: set[UUID] = set()
    if cutoff is not None and asked:
        silent = {row.id for row in await conn.execute(_without_sign(community, cutoff, asked))}
    settled = [id for id in asked if id not in silent]
    if settled:
        await conn.execute(
            update(stays)
            .where(*waiting, stays.c.member_id.in_(settled))
            .values(answer=Answer.SIGN.value, answered_at=now.at)
        )
    return len(settled)


async def _overdue(conn: AsyncConnection, community: UUID, now: Moment) -> list[UUID]:
    """Who has not answered in time, and was truly asked: by somebody, or by a mail that left."""
    query = select(stays.c.member_id).where(
        stays.c.community_id == community,
        stays.c.answered_at.is_(None),
        stays.c.asked_at <= now.at - ANSWER_WITHIN,
        was_asked(),
    )
    return [row.member_id for row in await conn.execute(query)]


async def _forget(db: Database, community: UUID, member: UUID, now: Moment) -> int:
    """Forget one of them, in a transaction of its own; 0 where entries wait, or a sign came."""
    try:
        async with db.write(EVERYWHERE) as conn:
            await store.lock(conn, community)
            stay = await _open(conn, community, member)
            if stay.asked_at is None or stay.asked_at > now.at - ANSWER_WITHIN:
                return 0
            await my_data.close(conn, community, member, by=None, now=now)
    except (EntriesWaiting, LastSteward, WrongState) as error:
        log.info("a member without a sign is not forgotten: %s", type(error).__name__)
        return 0
    return 1


# ── Signs ────────────────────────────────────────────────────────────────────────────────────────


def _without_sign(
    community: UUID, cutoff: datetime, ids: Sequence[UUID] | None = None
) -> Select[Any]:
    """People here since before then who have not been seen, nor taken part in anything, since.

    With `ids`, those of them.
    """
    table = members.members
    signs = (
        _said_so(table, cutoff),
        _acted(table, cutoff),
        _had_a_seat(table, cutoff),
        _stood_in_an_entry(table, cutoff),
    )
    query = (
        select(table.c.id, table.c.person_id)
        .outerjoin(people, people.c.id == table.c.person_id)
        .where(
            table.c.community_id == community,
            table.c.kind == MemberKind.PERSON.value,
            table.c.status.in_([Status.ACTIVE.value, Status.PAUSED.value]),
            table.c.joined_at < cutoff,
            or_(people.c.seen_on.is_(None), people.c.seen_on < cutoff.date()),
            or_(people.c.created_at.is_(None), people.c.created_at < cutoff),
            *(~sign for sign in signs),
        )
        .order_by(table.c.joined_at, table.c.id)
    )
    return query if ids is None else query.where(table.c.id.in_(ids))


def _acted(table: Any, cutoff: datetime) -> ColumnElement[bool]:
    """They did something: every change stands in the audit with who made it.

    The ids of acts grow with time, and the index knows each actor's latest.
    """
    first_since = Moment(cutoff, bytes).new_id()
    return exists().where(
        audit.audit.c.community_id == table.c.community_id,
        audit.audit.c.actor_id == table.c.id,
        audit.audit.c.id >= first_since,
    )


def _stood_in_an_entry(table: Any, cutoff: datetime) -> ColumnElement[bool]:
    """Something moved in an entry they stand in, whoever wrote it down."""
    return exists().where(
        parts.c.community_id == table.c.community_id,
        parts.c.account_id == table.c.id,
        entries.c.community_id == parts.c.community_id,
        entries.c.id == parts.c.entry_id,
        entries.c.touched_at >= cutoff,
    )


def _had_a_seat(table: Any, cutoff: datetime) -> ColumnElement[bool]:
    """They answered an invitation to a gathering, or were there."""
    seats = gatherings.seats
    return exists().where(
        seats.c.community_id == table.c.community_id,
        seats.c.member_id == table.c.id,
        or_(seats.c.answered_at >= cutoff, seats.c.ticked_at >= cutoff),
    )


def _said_so(table: Any, cutoff: datetime) -> ColumnElement[bool]:
    """They were asked since then, and stay."""
    return exists().where(
        stays.c.community_id == table.c.community_id,
        stays.c.member_id == table.c.id,
        stays.c.answer.in_([Answer.STAYS.value, Answer.SIGN.value]),
        stays.c.answered_at >= cutoff,
    )


# ── Mail and rows ────────────────────────────────────────────────────────────────────────────────


async def _mail(
    conn: AsyncConnection,
    community: UUID,
    letters: Mapping[UUID, tuple[UUID, datetime]],
    now: Moment,
) -> None:
    """Would you like to stay? To the members themselves, each with a link of their own.

    `letters` are by member: the mail's id, and when they were asked first.
    """
    here = await communities.by_id(conn, community)
    mails = []
    for reader in await readers.of(conn, community, letters):
        if reader.member_id != reader.reads_for:
            continue  # nobody can say yes for somebody else
        id, asked_at = letters[reader.member_id]
        token = await tokens.make(
            conn,
            Purpose.STAY,
            community=community,
            facts={"member": str(reader.member_id)},
            lifetime=ANSWER_WITHIN + timedelta(days=1),
            now=now,
        )
        day = (asked_at + ANSWER_WITHIN).date()
        mails.append(_letter(here, reader, day, token, id))
    await outbox.put_many(conn, mails, now=now)


def _letter(
    here: communities.Community, reader: readers.Reader, until: date, token: str, id: UUID
) -> Mail:
    _ = translations(reader.language).gettext
    facts = {
        "name": reader.name,
        "community": here.name,
        "day": format_day(until, reader.language),
    }
    body = _(
        "Hello {name},\n\nwe have not heard from you for a long time. Would you like to stay with "
        "{community}?\n\nIf we hear nothing until {day}, we take it that you would rather be "
        "forgotten: your name and your words are erased then, and the hours stay without them.\n\n"
        "To stay, one click is enough:"
    )
    subject = _("Would you like to stay with {community}?")
    return Mail(
        reader.email,
        reader.name,
        subject.format(**facts),
        body.format(**facts),
        f"/stay/{token}",
        here.id,
        id,
    )


async def _open(conn: AsyncConnection, community: UUID, member: UUID) -> Any:
    """The row of a question that waits, locked; `WrongState` if there is none."""
    query = (
        select(stays)
        .where(
            stays.c.community_id == community,
            stays.c.member_id == member,
            stays.c.answered_at.is_(None),
        )
        .with_for_update()
    )
    row = (await conn.execute(query)).first()
    if row is None:
        raise WrongState("answered", "answer")
    return row


async def _set(conn: AsyncConnection, community: UUID, id: UUID, **values: Any) -> None:
    await conn.execute(
        update(stays).where(stays.c.community_id == community, stays.c.id == id).values(**values)
    )


async def _note(
    conn: AsyncConnection,
    community: UUID,
    action: str,
    member: UUID,
    by: UUID | None,
    now: Moment,
) -> None:
    await audit.write(
        conn,
        community,
        actor=by,
        action=action,
        subject_kind="member",
        subject=member,
        now=now,
    )
