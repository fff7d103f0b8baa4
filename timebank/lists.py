"""Every list that stands on a page, as rows for a spreadsheet: its name, its columns, all its rows.

Who may see a list decides what is in it, as on the page. Rows are read a few hundred at a time
while they are written, so a list may be of any length. Whoever takes along a list with personal
data of others is noted in the audit.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import (
    acting,
    audit,
    batches,
    books,
    communities,
    directory,
    entries,
    finding,
    invitations,
    members,
    months,
    policy,
    proposals,
    statements,
)
from timebank.entry import Entry, Part, State
from timebank.errors import Forbidden
from timebank.imports import files
from timebank.members import Member, Status
from timebank.moment import Moment
from timebank.people import people
from timebank.periods import Month
from timebank.proposals import Stance
from timebank.spreadsheet import Cell
from timebank.text import fold

_CHUNK = 500

Row: TypeAlias = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A list on its way into a file. `name` is ASCII, and that of the file.

    `personal`: it tells of others than the one who takes it along. Its rows have to be read while
    the connection is open that they come from.
    """

    name: str
    headings: Sequence[str]
    rows: AsyncIterator[Row]
    personal: bool = True


async def taken(
    conn: AsyncConnection,
    community: UUID,
    listed: str,
    format: str,
    rows: int,
    *,
    by: UUID,
    now: Moment,
) -> None:
    """Note in the audit that somebody took a list with personal data along, and how long it was."""
    await audit.write(
        conn,
        community,
        actor=by,
        action="list.taken",
        subject_kind="community",
        subject=community,
        facts={"list": listed, "as": format, "rows": rows},
        now=now,
    )


# ── One's own ────────────────────────────────────────────────────────────────────────────────────


def own_entries(
    conn: AsyncConnection, community: UUID, *, by: UUID, states: Collection[State] | None = None
) -> Listed:
    """What a member wrote down or stands in, the newest first.

    `minutes` are those of all givers together.
    """

    async def rows() -> AsyncIterator[Row]:
        async for entry in entries.every_of(conn, community, by, states=states):
            yield _entry(entry)

    return Listed("entries", _ENTRY, rows(), personal=False)


def everybodys_entries(
    conn: AsyncConnection, community: UUID, *, by: UUID, **narrowed: Any
) -> Listed:
    """Any entry of the community, the latest day first, for coordinators (`Forbidden`).

    `narrowed` is what `finding.find` takes: words, days and states.
    """

    async def rows() -> AsyncIterator[Row]:
        async for entry in finding.every(conn, community, by=by, **narrowed):
            yield _entry(entry)

    return Listed("everybodys-entries", _ENTRY, rows())


async def statement(
    conn: AsyncConnection, community: UUID, account_id: UUID, *, by: UUID, **narrowed: Any
) -> Listed:
    """The lines of a statement that is open to `by`, the oldest first; `NotFound` if it is not.

    `narrowed` is what `statements.rows` takes: first and last day, and words to look for.
    """
    rows = await statements.rows(conn, community, account_id, by=by, **narrowed)
    personal = account_id not in (by, community)
    return Listed("statement", statements.HEADINGS, rows, personal)


_ENTRY = (
    "entry",
    "recorded_at",
    "happened_on",
    "kind",
    "category",
    "gave",
    "received",
    "minutes",
    "note",
    "state",
    "recorded_by",
    "on_behalf_of",
    "posted_at",
)


def _entry(entry: Entry) -> Row:
    return (
        str(entry.id),
        entry.recorded_at,
        entry.occurred_on,
        entry.kind.value,
        entry.category or "",
        _names(entry.givers),
        _names(entry.receivers),
        entry.minutes,
        entry.note,
        entry.state.value,
        entry.recorded_by_name,
        entry.on_behalf_of_name or "",
        entry.posted_at,
    )


def _names(some: Sequence[Part]) -> str:
    """Names with their minutes, where there are several."""
    if len(some) == 1:
        return some[0].name
    return "; ".join(f"{part.name} {part.minutes}" for part in some)


# ── Members ──────────────────────────────────────────────────────────────────────────────────────

_MEMBER = (
    "name",
    "kind",
    "sector",
    "area",
    "role",
    "status",
    "phone",
    "email",
    "offers",
    "requests",
    "joined_on",
)


async def directory_of(
    conn: AsyncConnection,
    community: UUID,
    *,
    by: UUID,
    search: str = "",
    include: Sequence[Status] = (Status.ACTIVE,),
    now: Moment,
) -> Listed:
    """The directory. Phone and address stand there where `by` may see them.

    Who is not active is for coordinators, and left out for others.
    """
    reader = await members.get(conn, community, by)
    if not policy.may_coordinate(reader):
        include = (Status.ACTIVE,)
    return Listed("members", _MEMBER, _directory(conn, reader, search, include, now))


async def _directory(
    conn: AsyncConnection, reader: Member, search: str, include: Sequence[Status], now: Moment
) -> AsyncIterator[Row]:
    place = await communities.by_id(conn, reader.community_id)
    today = now.day_in(place.timezone)
    after: tuple[str, UUID] | None = None
    while True:
        found = await directory.page(
            conn,
            place.id,
            search=search,
            include=include,
            today=today,
            after=after,
            limit=_CHUNK,
        )
        ids = [row.member.id for row in found]
        more = await _more_about(conn, place.id, ids)
        for row in found:
            kept = more[row.member.id]
            joined = None if kept.joined_at is None else Moment(kept.joined_at)
            yield (
                row.member.name,
                row.member.kind.value,
                row.sector,
                row.member.area,
                row.member.role.value,
                row.member.status.value,
                *contact(reader, row.member, kept),
                "; ".join(row.offers),
                "; ".join(row.requests),
                None if joined is None else joined.day_in(place.timezone),
            )
        if len(found) < _CHUNK:
            return
        after = fold(found[-1].member.name), found[-1].member.id


async def _more_about(
    conn: AsyncConnection, community: UUID, ids: Sequence[UUID]
) -> dict[UUID, Any]:
    """How these members can be reached, and since when they are here."""
    table = members.members
    rows = await conn.execute(
        select(table.c.id, table.c.phone, table.c.contact_shown, table.c.joined_at, people.c.email)
        .outerjoin(people, people.c.id == table.c.person_id)
        .where(table.c.community_id == community, table.c.id.in_(ids))
    )
    return {row.id: row for row in rows}


def contact(reader: Member, member: Member, kept: Any) -> tuple[str, str]:
    """Phone and e-mail address, as far as this reader may see them."""
    if kept.contact_shown or policy.may_edit_member(reader, member):
        return kept.phone, kept.email or ""
    return "", ""


async def invited(conn: AsyncConnection, community: UUID, *, by: UUID, now: Moment) -> Listed:
    """Invitations nobody has followed yet: all of them for coordinators, one's own for others."""
    reader = await members.get(conn, community, by)
    waiting = [
        one
        for one in await invitations.waiting(conn, community, now=now)
        if one.invited_by == by or policy.may_coordinate(reader)
    ]

    async def rows() -> AsyncIterator[Row]:
        for one in waiting:
            yield one.name, one.email, one.invited_by_name or "", one.made_at, one.expires_at

    headings = ("name", "email", "invited_by", "invited_at", "good_until")
    return Listed("invitations", headings, rows())


# ── The desk ─────────────────────────────────────────────────────────────────────────────────────


async def accounts(conn: AsyncConnection, community: UUID, *, by: UUID) -> Listed:
    """Every account with its balance, in minutes. For coordinators (`Forbidden`)."""
    if not policy.may_coordinate(await members.get(conn, community, by)):
        raise Forbidden("accounts")

    async def rows() -> AsyncIterator[Row]:
        after: UUID | None = None
        while found := await books.account_rows(conn, community, after, _CHUNK):
            for row in found:
                yield str(row.account_id), row.name, row.balance
            after = found[-1].account_id

    return Listed("accounts", ("account", "name", "balance_minutes"), rows())


async def acts(conn: AsyncConnection, community: UUID, *, by: UUID) -> Listed:
    """The audit as `by` may read it, the newest first; the facts of each act are JSON."""
    headings = ("at", "who", "action", "about", "about_id", "name", "agreement_version", "facts")
    reader = await acting.one(conn, community, by)

    async def rows() -> AsyncIterator[Row]:
        before: UUID | None = None
        while found := await audit.page(conn, community, by=by, before=before, limit=_CHUNK):
            for act in found:
                yield (
                    act.at,
                    act.actor or "",
                    act.action,
                    act.subject_kind,
                    str(act.subject_id),
                    act.subject or "",
                    act.agreement_version,
                    json.dumps(act.facts, sort_keys=True) if act.facts else "",
                )
            before = found[-1].id

    return Listed("audit", headings, rows(), personal=policy.may_read_audit(reader.member))


async def entries_of_batch(
    conn: AsyncConnection, community: UUID, batch: UUID, *, by: UUID
) -> Listed:
    """The entries that came in together, in the order of their rows. For coordinators."""
    if not policy.may_coordinate(await members.get(conn, community, by)):
        raise Forbidden("batch")
    await batches.get(conn, community, batch)
    ids = await batches.entries_of(conn, community, batch)

    async def rows() -> AsyncIterator[Row]:
        for start in range(0, len(ids), _CHUNK):
            for entry in await entries.load(conn, community, ids[start : start + _CHUNK]):
                yield _entry(entry)

    return Listed("sheet", _ENTRY, rows())


async def all_batches(conn: AsyncConnection, community: UUID, *, by: UUID) -> Listed:
    """What came in on sheets and in files, the newest first. For coordinators."""
    if not policy.may_coordinate(await members.get(conn, community, by)):
        raise Forbidden("batch")

    async def rows() -> AsyncIterator[Row]:
        for one in await batches.latest(conn, community, limit=None):
            yield (
                str(one.id),
                one.made_at,
                one.source.value,
                one.label,
                one.made_by_name,
                one.entries,
            )

    return Listed("sheets", ("id", "at", "source", "name", "typed_by", "entries"), rows())


async def all_files(conn: AsyncConnection, community: UUID, *, by: UUID) -> Listed:
    """The files that were uploaded, the newest first. For coordinators (`Forbidden`)."""
    if not policy.may_import(await members.get(conn, community, by)):
        raise Forbidden("import")

    async def rows() -> AsyncIterator[Row]:
        for one in await files.latest(conn, community, limit=None):
            yield (
                str(one.id),
                one.made_at,
                one.name,
                one.what.value if one.what else "",
                one.stage.value,
                one.below,
                one.made_by_name,
            )

    headings = ("id", "at", "name", "holds", "stage", "rows", "uploaded_by")
    return Listed("files", headings, rows())


# ── How we do it ─────────────────────────────────────────────────────────────────────────────────


async def months_of(conn: AsyncConnection, community: UUID, first: Month, last: Month) -> Listed:
    """Each of these months and how it stands, the latest first."""
    known = await months.between(conn, community, first, last)

    async def rows() -> AsyncIterator[Row]:
        for one in known:
            yield str(one.month), one.state.value, one.closings, one.due_at

    return Listed("months", ("month", "state", "closings", "due_at"), rows(), personal=False)


async def all_proposals(conn: AsyncConnection, community: UUID) -> Listed:
    """What was ever proposed to change in the agreement, the latest touched first."""
    headings = (
        "id",
        "proposed_at",
        "proposed_by",
        "on_behalf_of",
        "terms",
        "reason",
        "state",
        "agree",
        "concern",
        "aside",
        "missing",
        "open_until",
        "effective_on",
        "version",
    )

    async def rows() -> AsyncIterator[Row]:
        for one in await proposals.listed(conn, community, tuple(proposals.State), limit=None):
            yield (
                str(one.id),
                one.proposed_at,
                one.proposed_by_name,
                one.on_behalf_of_name or "",
                ", ".join(one.changes),
                one.reason,
                one.state.value,
                *(len(one.said(stance)) for stance in (Stance.AGREE, Stance.CONCERN, Stance.ASIDE)),
                len(one.missing),
                one.open_until,
                one.effective_on,
                one.version,
            )

    return Listed("proposals", headings, rows())
