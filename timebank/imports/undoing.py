"""Taking back what a file brought in: all that can be, in one transaction, for a reason.

    hours         go back, each with a reversal; those undone before stay undone
    people        are forgotten if nothing else happened to them meanwhile, else they stay
    affiliations  end on the day they began
    listings      are taken off the board
    lists         categories and sectors stay in the lists, and so do numbers of members who stay

Whether anything else happened to somebody is asked of every table that refers to members or
accounts, so a table that is new tomorrow is asked too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import (
    ForeignKeyConstraint,
    Select,
    Table,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    true,
    union,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from ledger.sql import metadata, store
from timebank import acting, audit, batches, entries, policy, posting
from timebank.affiliations import affiliations
from timebank.db import EVERYWHERE, Database
from timebank.entry import State
from timebank.errors import Forbidden, ReasonMissing, TimebankError, WrongState
from timebank.imports import files
from timebank.imports.files import File, Stage
from timebank.imports.hours import NotPosted
from timebank.listings import listings
from timebank.members import Role, Status, buddies, members
from timebank.moment import Moment
from timebank.outbox import outbox
from timebank.people import people, sessions, tokens
from timebank.posting import Refused, TakeBack
from timebank.text import fold

CHUNK = 500

Clock: TypeAlias = Callable[[], Moment]
Progress: TypeAlias = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Prospect:
    """What undoing would do: how many of each, and the names of those who would stay."""

    entries: int
    minutes: Minutes
    people: int
    staying: tuple[str, ...]
    affiliations: int
    listings: int


async def prospect(conn: AsyncConnection, file: File) -> Prospect:
    """What undoing a file would do now."""
    table = entries.entries
    count, minutes = (
        await conn.execute(
            select(func.count(), func.sum(table.c.minutes)).where(
                table.c.community_id == file.community_id,
                table.c.state == State.APPROVED.value,
                table.c.id.in_(_entries_of(file)).is_(true()),  # as in `_traces`
            )
        )
    ).one()
    added = await files.made_by(conn, file, "member")
    busy = union(*_traces(file)).subquery()
    names = await conn.scalars(
        select(members.c.name)
        .where(members.c.community_id == file.community_id, members.c.id.in_(select(busy)))
        .order_by(members.c.name_key, members.c.id)
    )
    staying = tuple(names.all())
    return Prospect(
        count,
        minutes or Minutes(0),
        len(added) - len(staying),
        staying,
        len(await files.made_by(conn, file, "affiliation")),
        await conn.scalar(select(func.count()).select_from(listings).where(*_hanging(file))) or 0,
    )


async def begin(
    conn: AsyncConnection, community: UUID, id: UUID, *, reason: str, by: UUID, now: Moment
) -> File:
    """Have a file undone: with hours in it by a steward, else by a coordinator, for a reason.

    Refuses with `Forbidden`, `ReasonMissing`, and `WrongState` when somebody was quicker.
    """
    actor = await acting.active(conn, community, by)
    file = await files.get(conn, community, id)
    allowed = (
        policy.may_bring_in_hours(actor.member)
        if file.outcome.get("entries")
        else policy.may_import(actor.member)
    )
    if not allowed:
        raise Forbidden("undo")
    if file.stage is not Stage.DONE:
        raise WrongState(file.stage, "undo")
    if not reason.strip():
        raise ReasonMissing
    await files.move(conn, file, [Stage.DONE], Stage.UNDOING, now=now)
    return await files.get(conn, community, id)


async def undo(
    db: Database,
    file: File,
    *,
    reason: str,
    by: UUID,
    clock: Clock,
    progress: Progress = lambda _: None,
) -> None:
    """Undo it. Afterwards it is `UNDONE`; if that failed, `DONE` as before."""
    try:
        async with db.write(EVERYWHERE) as conn:  # whether a sign-in goes too depends on others
            await _undo(conn, db, file, reason, by, clock, progress)
    except (NotPosted, TimebankError):
        async with db.write(file.community_id) as conn:
            await files.move(conn, file, [Stage.UNDOING], Stage.DONE, now=clock(), same_turn=True)
        raise


async def _undo(
    conn: AsyncConnection,
    db: Database,
    file: File,
    reason: str,
    by: UUID,
    clock: Clock,
    progress: Progress,
) -> None:
    now = clock()
    await store.lock(conn, file.community_id)  # nobody posts with those who are to be forgotten
    added = await files.made_by(conn, file, "member")
    busy = await _busy(conn, file)
    undone = await _take_hours_back(conn, db, file, reason, by, now, clock, progress)
    await _end_affiliations(conn, file)
    await _take_listings_down(conn, file, now)
    gone = [id for id in added if id not in busy]
    await _end_buddies(conn, file, now)
    await _forget(conn, file, gone, now)
    await audit.write(
        conn,
        file.community_id,
        actor=by,
        action="import.undone",
        subject_kind="import",
        subject=file.id,
        facts={"entries": undone, "people": len(gone), "stayed": len(busy)},
        now=now,
    )
    await files.move(
        conn,
        file,
        [Stage.UNDOING],
        Stage.UNDONE,
        now=now,
        same_turn=True,
        outcome={**file.outcome, "undone_people": len(gone), "stayed": len(busy)},
    )


# ── Hours ────────────────────────────────────────────────────────────────────────────────────────


async def _take_hours_back(
    conn: AsyncConnection,
    db: Database,
    file: File,
    reason: str,
    by: UUID,
    now: Moment,
    clock: Clock,
    progress: Progress,
) -> int:
    """Reverse the batch's entries, the last one first; how many."""
    if file.batch_id is None:
        return 0
    ids = (await batches.entries_of(conn, file.community_id, file.batch_id))[::-1]
    undone = 0
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        asked = [TakeBack(file.community_id, id, by, reason) for id in some]
        for verdict in await posting.post_in(conn, file.community_id, asked, now=now):
            if isinstance(verdict, Refused):
                raise NotPosted(verdict.error)
            undone += not verdict.replayed
        progress(start + len(some))
        if not db.is_sqlite:
            async with db.write(file.community_id) as beside:
                await files.beat(beside, file, start + len(some), now=clock())
    return undone


# ── What else happened ───────────────────────────────────────────────────────────────────────────


async def _busy(conn: AsyncConnection, file: File) -> set[UUID]:
    """Those among the members it added to whom something happened besides this file."""
    return set((await conn.scalars(union(*_traces(file)))).all())


def _traces(file: File) -> Iterator[Select[Any]]:
    """Queries for members with traces in other tables, in the audit, or in their own row.

    Each goes through a community's rows once, whatever the database knows of its tables: they may
    have been empty a minute ago.
    """

    def is_added(column: Any) -> Any:
        return column.in_(_made(file, "member")).is_(true())  # looked up row by row, never joined

    for table in metadata.sorted_tables:
        if table.name in _NO_TRACES:
            continue
        for column in _refers_to_members(table):
            query = select(column).where(table.c.community_id == file.community_id)
            yield query.where(is_added(column), *_not_of(table, file))
    acts = audit.audit
    for column in (acts.c.actor_id, acts.c.subject_id):
        yield select(column).where(acts.c.community_id == file.community_id, is_added(column))
    yield select(members.c.id).where(
        members.c.community_id == file.community_id,
        is_added(members.c.id),
        or_(
            members.c.role != Role.MEMBER.value,
            members.c.status.not_in([Status.ACTIVE.value, Status.LEFT.value]),
            members.c.person_id.in_(_made(file, "person"))
            & (
                exists().where(sessions.c.person_id == members.c.person_id)
                | exists().where(
                    people.c.id == members.c.person_id, people.c.password_hash.is_not(None)
                )
            ),
        ),
    )


# Balances and transfers follow entries, numbers came with the file, and an organisation's own row
# is part of it. Whom somebody brought in stands in their own row of `member`.
_NO_TRACES = frozenset({"account", "tally", "transfer", "member_number", "organisation", "import"})


def _refers_to_members(table: Table) -> Iterator[Any]:
    """The columns of a table that hold a member or their account."""
    if "community_id" not in table.c:
        return
    for key in table.constraints:
        if isinstance(key, ForeignKeyConstraint) and key.referred_table.name in (
            "member",
            "account",
        ):
            yield from (
                element.parent for element in key.elements if element.parent.name != "community_id"
            )


def _not_of(table: Table, file: File) -> list[Any]:
    """What leaves out the rows that this file made."""
    if table.name in ("affiliation", "listing", "buddy"):
        return [table.c.id.not_in(_made(file, table.name))]
    if table.name == "part":  # entries of this file, and whatever was undone
        every = entries.entries
        undone = select(every.c.id).where(
            every.c.community_id == file.community_id,
            (every.c.state == State.REVERSED.value) | every.c.reverses_id.is_not(None),
        )
        return [table.c.entry_id.not_in(_entries_of(file)), table.c.entry_id.not_in(undone)]
    return []


def _made(file: File, kind: str) -> Any:
    """The ids of what a file added of one kind."""
    made = files.made
    return select(made.c.thing_id).where(
        made.c.community_id == file.community_id,
        made.c.import_id == file.id,
        made.c.kind == kind,
    )


def _entries_of(file: File) -> Any:
    """The ids of the entries that a file brought in."""
    ours = batches.batch_entries
    return select(ours.c.entry_id).where(
        ours.c.community_id == file.community_id, ours.c.batch_id == file.batch_id
    )


# ── The rest ─────────────────────────────────────────────────────────────────────────────────────


async def _end_affiliations(conn: AsyncConnection, file: File) -> None:
    await conn.execute(
        update(affiliations)
        .where(
            affiliations.c.community_id == file.community_id,
            affiliations.c.id.in_(_made(file, "affiliation")),
        )
        .values(until=affiliations.c.since)
    )


async def _take_listings_down(conn: AsyncConnection, file: File, now: Moment) -> None:
    await conn.execute(update(listings).where(*_hanging(file)).values(closed_at=now.at))


def _hanging(file: File) -> list[Any]:
    """The listings of this file that are on the board."""
    return [
        listings.c.community_id == file.community_id,
        listings.c.id.in_(_made(file, "listing")),
        listings.c.closed_at.is_(None),
    ]


async def _end_buddies(conn: AsyncConnection, file: File, now: Moment) -> None:
    await conn.execute(
        update(buddies)
        .where(
            buddies.c.community_id == file.community_id,
            buddies.c.id.in_(_made(file, "buddy")),
            buddies.c.until.is_(None),
        )
        .values(until=now.at)
    )


async def _forget(conn: AsyncConnection, file: File, gone: Sequence[UUID], now: Moment) -> None:
    """Make these members nameless, as closing an account does; their accounts stand at zero."""
    for start in range(0, len(gone), CHUNK):
        some = gone[start : start + CHUNK]
        found = await conn.execute(
            select(members.c.id, members.c.person_id).where(
                members.c.community_id == file.community_id, members.c.id.in_(some)
            )
        )
        persons = [row.person_id for row in found if row.person_id is not None]
        await _erase(conn, file, some, now)
        await conn.execute(
            delete(files.numbers).where(
                files.numbers.c.community_id == file.community_id,
                files.numbers.c.member_id.in_(some),
            )
        )
        await _forget_persons(conn, file, persons)
        await store.close_accounts(conn, file.community_id, some, now.at)


async def _erase(conn: AsyncConnection, file: File, ids: Sequence[UUID], now: Moment) -> None:
    """Nothing is left of their rows but the ids."""
    rows = []
    for id in ids:
        number = int.from_bytes(now.random_bytes(4), "big") % 10_000
        name = f"Former member {number:04}"
        rows.append({"who": id, "called": name, "key": fold(name)})
    await conn.execute(
        update(members)
        .where(members.c.community_id == file.community_id, members.c.id == bindparam("who"))
        .values(
            person_id=None,
            name=bindparam("called"),
            name_key=bindparam("key"),
            search_key=bindparam("key"),
            phone="",
            area="",
            about="",
            status=Status.LEFT.value,
            ended_at=now.at,
            erased_at=now.at,
        ),
        rows,
    )


async def _forget_persons(conn: AsyncConnection, file: File, ids: Sequence[UUID]) -> None:
    """Addresses that no membership needs any more, and mails to them that were not sent yet."""
    addresses = select(people.c.email).where(people.c.id.in_(ids))
    await conn.execute(
        delete(outbox).where(
            outbox.c.community_id == file.community_id,
            outbox.c.to_address.in_(addresses),
            outbox.c.sent_at.is_(None),
        )
    )
    await conn.execute(
        delete(people).where(
            people.c.id.in_(ids),
            people.c.id.in_(_made(file, "person")),
            people.c.password_hash.is_(None),
            ~exists().where(sessions.c.person_id == people.c.id),
            ~exists().where(tokens.c.person_id == people.c.id),
            ~exists().where(members.c.person_id == people.c.id),
        )
    )
