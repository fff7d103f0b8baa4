"""Monthly statements on paper: one page for each member, large print, in the member's language.

Read for many people at once: a few queries for each hundred of them, whatever their number of
lines. A month is that of the community's clocks and of the day of posting, as on every statement.
What is read are the plain values of `timebank.paper.statement`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, Minutes
from ledger.sql import read
from ledger.sql.tables import transfer
from timebank import anchors, communities, entries, members, policy
from timebank.communities import Community
from timebank.db import Database
from timebank.entry import OPEN, Entry, Kind, Side
from timebank.errors import Forbidden, NotFound
from timebank.i18n import LANGUAGES, translations
from timebank.members import MemberKind, Role, Status
from timebank.moment import Moment
from timebank.paper.statement import Month, PrintedLine, PrintedStatement, Waiting
from timebank.people import people

AT_ONCE = 100
"""As many people are read at a time."""

_LONGEST_NOTE = 160
_MOST_TO_ASK = 3  # coordinators named as those to turn to


class Who(StrEnum):
    """Whose statements are printed."""

    WITHOUT_EMAIL = "without-email"  # people who have no sign-in
    EVERYONE = "everyone"
    ONE = "one"


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose statement it is, where they live, and in which language they read."""

    id: UUID
    name: str
    area: str
    language: str


async def refuse_others(conn: AsyncConnection, community: UUID, by: UUID) -> None:
    """Statements of many are for coordinators (`Forbidden`)."""
    if not policy.may_coordinate(await members.get(conn, community, by)):
        raise Forbidden("statements")


async def readers(
    conn: AsyncConnection,
    community: UUID,
    month: Month,
    who: Who,
    *,
    member: UUID | None = None,
    by: UUID,
) -> list[Reader]:
    """Whose statements these are, by name: members who were here by the end of the month.

    For coordinators (`Forbidden`). `Who.ONE` is the `member`, whatever the status; `NotFound` for
    one who is not here.
    """
    await refuse_others(conn, community, by)
    place = await communities.by_id(conn, community)
    table = members.members
    query = (
        select(table.c.id, table.c.name, table.c.area, people.c.language)
        .outerjoin(people, people.c.id == table.c.person_id)
        .where(table.c.community_id == community, table.c.joined_at < _begins(month.after, place))
        .order_by(table.c.name_key, table.c.id)
    )
    if who is Who.ONE:
        query = query.where(table.c.id == member)
    else:
        present = [Status.ACTIVE.value, Status.PAUSED.value]
        query = query.where(table.c.status.in_(present))
    if who is Who.WITHOUT_EMAIL:
        query = query.where(table.c.person_id.is_(None), table.c.kind == MemberKind.PERSON.value)
    found = [
        Reader(row.id, row.name, row.area, row.language or place.language)
        for row in await conn.execute(query)
    ]
    if who is Who.ONE and not found:
        raise NotFound("member")
    return found


async def how_many(conn: AsyncConnection, community: UUID) -> dict[Who, int]:
    """How many people there are whose statements could be printed."""
    table = members.members
    without = and_(table.c.person_id.is_(None), table.c.kind == MemberKind.PERSON.value)
    row = (
        await conn.execute(
            select(
                func.count().label("everyone"),
                func.count().filter(without).label("without"),
            ).where(
                table.c.community_id == community,
                table.c.status.in_([Status.ACTIVE.value, Status.PAUSED.value]),
            )
        )
    ).one()
    return {Who.EVERYONE: row.everyone, Who.WITHOUT_EMAIL: row.without}


async def every(
    db: Database, community: UUID, month: Month, wanted: Sequence[Reader], *, now: Moment
) -> AsyncGenerator[list[PrintedStatement], None]:
    """The statements of these readers, some at a time; for coordinators, as `readers` has asked.

    Each portion is one picture of the books. A month that is over does not change meanwhile.
    """
    for start in range(0, len(wanted), AT_ONCE):
        async with db.look(community) as conn:
            found = await some(conn, community, month, wanted[start : start + AT_ONCE], now=now)
        yield found


async def some(
    conn: AsyncConnection, community: UUID, month: Month, wanted: Sequence[Reader], *, now: Moment
) -> list[PrintedStatement]:
    """The statements of a portion of readers, in their order."""
    place = await communities.by_id(conn, community)
    first = await read.seq_before(conn, community, _begins(month, place))
    last = await read.seq_before(conn, community, _begins(month.after, place))
    ids = [reader.id for reader in wanted]
    accounts = await read.accounts(conn, community, ids)
    later = await _moved(conn, community, ids, last)
    rows = await _lines(conn, community, ids, first, last)
    waiting = await _waiting(conn, community, ids)
    teller = await _Teller.of(conn, place, rows)
    seal = await anchors.current(conn, community)
    asked = await _to_ask(conn, community)
    found = []
    for reader in wanted:
        if reader.id not in accounts:
            continue  # asked to join, and was never welcomed
        own = rows.get(reader.id, [])
        closing = accounts[reader.id].balance - later.get(reader.id, ZERO)
        page = PrintedStatement(
            language=reader.language if reader.language in LANGUAGES else LANGUAGES[0],
            community=place.name,
            name=reader.name,
            area=reader.area,
            month=month,
            opening=closing - sum((row.minutes for row in own), ZERO),
            closing=closing,
            to_ask=[name for id, name in asked if id != reader.id][:_MOST_TO_ASK],
            seal=seal.on_paper if seal else "",
            printed_on=now.day_in(place.timezone),
        )
        for row in own:
            teller.add_line(page, row)
        for entry in waiting.get(reader.id, ()):
            teller.add_waiting(page, entry, reader.id)
        found.append(page)
    return found


def _begins(month: Month, place: Community) -> datetime:
    return datetime.combine(month.first, time(), ZoneInfo(place.timezone))


async def _moved(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID], after: int
) -> dict[UUID, Minutes]:
    """What came into these accounts, less what went out, after a transfer's number."""
    moved: dict[UUID, Minutes] = {}
    for column, sign in ((transfer.c.destination_id, 1), (transfer.c.source_id, -1)):
        rows = await conn.execute(
            select(column.label("id"), func.sum(transfer.c.minutes).label("minutes"))
            .where(transfer.c.community_id == community, column.in_(ids), transfer.c.seq > after)
            .group_by(column)
        )
        for row in rows:
            moved[row.id] = moved.get(row.id, ZERO) + Minutes(sign * row.minutes.count)
    return moved


@dataclass(frozen=True, slots=True)
class _Row:
    """One account's side of a transfer."""

    number: int
    minutes: Minutes
    balance: Minutes
    other_id: UUID
    entry_id: UUID
    day: date
    reverses: bool


async def _lines(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID], first: int, last: int
) -> dict[UUID, list[_Row]]:
    """The lines of these accounts that belong to transfers after `first` up to `last`."""
    found: dict[UUID, list[_Row]] = {}
    for side, other, sign in (("destination", "source", 1), ("source", "destination", -1)):
        columns = transfer.c
        rows = await conn.execute(
            select(
                columns[f"{side}_id"].label("id"),
                columns[f"{side}_line"].label("number"),
                columns.minutes,
                columns[f"{side}_balance"].label("balance"),
                columns[f"{other}_id"].label("other_id"),
                columns.entry_id,
                columns.occurred_on,
                columns.reverses_id,
            ).where(
                columns.community_id == community,
                columns[f"{side}_id"].in_(ids),
                columns.seq > first,
                columns.seq <= last,
            )
        )
        for row in rows:
            minutes = row.minutes if sign > 0 else -row.minutes
            found.setdefault(row.id, []).append(
                _Row(
                    row.number,
                    minutes,
                    row.balance,
                    row.other_id,
                    row.entry_id,
                    row.occurred_on,
                    row.reverses_id is not None,
                )
            )
    for own in found.values():
        own.sort(key=lambda row: row.number)
    return found


async def _waiting(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID]
) -> dict[UUID, list[Entry]]:
    """The entries that wait, by whom of these they concern, the oldest first."""
    table, parts = entries.entries, entries.parts
    rows = await conn.execute(
        select(parts.c.account_id, table.c.id)
        .join(
            table,
            and_(table.c.community_id == parts.c.community_id, table.c.id == parts.c.entry_id),
        )
        .where(
            parts.c.community_id == community,
            parts.c.account_id.in_(ids),
            table.c.state.in_([state.value for state in OPEN]),
        )
        .order_by(table.c.recorded_at, table.c.id)
    )
    pairs = [(row.account_id, row.id) for row in rows]
    loaded = await entries.load(conn, community, [id for _, id in pairs])
    known = {entry.id: entry for entry in loaded}
    found: dict[UUID, list[Entry]] = {}
    for account, id in pairs:
        found.setdefault(account, []).append(known[id])
    return found


async def _to_ask(conn: AsyncConnection, community: UUID) -> list[tuple[UUID, str]]:
    """The coordinators one can turn to, with their telephone where everyone may see it."""
    table = members.members
    rows = await conn.execute(
        select(table.c.id, table.c.name, table.c.phone, table.c.contact_shown)
        .where(
            table.c.community_id == community,
            table.c.status == Status.ACTIVE.value,
            table.c.role.in_([Role.COORDINATOR.value, Role.STEWARD.value]),
        )
        .order_by(table.c.role, table.c.name_key, table.c.id)
    )
    return [
        (
            row.id,
            f"{row.name}, {_whole(row.phone)}" if row.contact_shown and row.phone else row.name,
        )
        for row in rows
    ]


def _whole(phone: str) -> str:
    """A telephone number that no end of a line tears apart."""
    return phone.replace(" ", "\N{NO-BREAK SPACE}")


class _Teller:
    """Says what a line or a waiting entry is about, in its reader's language."""

    def __init__(self, place: Community, about: dict[UUID, Any], names: dict[UUID, str]) -> None:
        self._place, self._about, self._names = place, about, names

    @classmethod
    async def of(
        cls, conn: AsyncConnection, place: Community, rows: dict[UUID, list[_Row]]
    ) -> _Teller:
        """With all that is known about these lines."""
        every_row = [row for own in rows.values() for row in own]
        return cls(
            place,
            await _about(conn, place.id, {row.entry_id for row in every_row}),
            await _named(conn, place.id, {row.other_id for row in every_row}),
        )

    def add_line(self, page: PrintedStatement, row: _Row) -> None:
        """Put a line on the page, and count it."""
        _ = translations(page.language).gettext
        entry = self._about[row.entry_id]
        kind = Kind(entry.kind)
        if kind.is_gift:
            page.gifts += row.minutes
        elif (row.minutes > ZERO) is not row.reverses:
            page.given += row.minutes
        else:
            page.received -= row.minutes
        other = self._called(row.other_id, _)
        if row.reverses:
            words = _("Taken back, with {name}.").format(name=other)
        else:
            commons = row.other_id == self._place.commons_id
            words = _what(kind, page.language, gained=row.minutes > ZERO, commons=commons)
            words = words.format(name=other)
        words = _with_note(words, entry.note or entry.category or "")
        undone = entry.reversed_by_id is not None
        if undone:
            words += " " + _("Undone later.")
        page.lines.append(
            PrintedLine(row.day, words, row.minutes, row.balance, undone or row.reverses)
        )

    def add_waiting(self, page: PrintedStatement, entry: Entry, reader: UUID) -> None:
        """Put an entry that waits on the page."""
        _ = translations(page.language).gettext
        own = next(part for part in entry.parts if part.account_id == reader)
        gained = (own.side is Side.GAVE) is not entry.kind.is_gift
        others = entry.receivers if own.side is Side.GAVE else entry.givers
        names = ", ".join(self._part(part.account_id, part.name, _) for part in others)
        commons = [part.account_id for part in others] == [self._place.commons_id]
        words = _what(entry.kind, page.language, gained=gained, commons=commons).format(name=names)
        words = _with_note(words, entry.note or entry.category or "")
        page.waiting.append(
            Waiting(entry.occurred_on, words, own.minutes if gained else -own.minutes)
        )

    def _called(self, account: UUID, _: Any) -> str:
        return self._part(account, self._names.get(account, ""), _)

    def _part(self, account: UUID, name: str, _: Any) -> str:
        return _("the commons") if account == self._place.commons_id else name


def _what(kind: Kind, language: str, *, gained: bool, commons: bool) -> str:
    """What happened between the reader and {name}, or the commons."""
    _ = translations(language).gettext
    gift = kind.is_gift
    if commons and gained:
        return (
            _("A gift of hours from the commons.") if gift else _("You gave time to the commons.")
        )
    if commons:
        return _("You gave hours to the commons.") if gift else _("The commons gave you time.")
    if gained:
        return _("A gift of hours from {name}.") if gift else _("You gave time to {name}.")
    return _("You gave {name} hours as a gift.") if gift else _("{name} gave you time.")


def _with_note(words: str, note: str) -> str:
    """The sentence and the note, shortened to what a line can hold."""
    tidy = " ".join(note.split())
    if len(tidy) > _LONGEST_NOTE:
        tidy = tidy[: _LONGEST_NOTE - 1].rstrip() + "…"
    if tidy and tidy[-1] not in ".!?…":
        tidy += "."
    return f"{words} {tidy}".rstrip()


async def _about(conn: AsyncConnection, community: UUID, ids: Collection[UUID]) -> dict[UUID, Any]:
    """Kind, note and category of these entries, and whether they were undone."""
    table, category = entries.entries, communities.categories
    found: dict[UUID, Any] = {}
    for some_ids in _portions(ids):
        rows = await conn.execute(
            select(
                table.c.id,
                table.c.kind,
                table.c.note,
                table.c.reversed_by_id,
                category.c.name.label("category"),
            )
            .outerjoin(
                category,
                and_(
                    category.c.community_id == table.c.community_id,
                    category.c.id == table.c.category_id,
                ),
            )
            .where(table.c.community_id == community, table.c.id.in_(some_ids))
        )
        found |= {row.id: row for row in rows}
    return found


async def _named(conn: AsyncConnection, community: UUID, ids: Collection[UUID]) -> dict[UUID, str]:
    table = members.members
    found: dict[UUID, str] = {}
    for some_ids in _portions(ids):
        rows = await conn.execute(
            select(table.c.id, table.c.name).where(
                table.c.community_id == community, table.c.id.in_(some_ids)
            )
        )
        found |= {row.id: row.name for row in rows}
    return found


def _portions(ids: Collection[UUID]) -> Iterable[list[UUID]]:
    """At most a thousand at a time: a statement takes only so many values."""
    listed = list(ids)
    return (listed[start : start + 1000] for start in range(0, len(listed), 1000))
