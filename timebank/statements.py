"""Statements: an account's lines with the words that belong to them, by page and by period.

Minutes and balances come from the ledger; notes, categories and names from here. A page takes the
same number of queries whatever its length and whatever the length of the statement. Periods are
counted by the day of posting in the community's time zone; the day the help happened is on each
line as well.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, and_, exists, func, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, Line, Minutes
from ledger.sql import read
from ledger.sql.read import Span
from ledger.sql.tables import transfer
from timebank import acting, communities, policy, workshops
from timebank.communities import Community
from timebank.entries import entries, steps
from timebank.entry import Kind, StepKind, is_late
from timebank.errors import NotFound
from timebank.members import members, tallies
from timebank.moment import Moment
from timebank.periods import Month
from timebank.spreadsheet import Cell
from timebank.text import fold, like

_CHUNK = 500

HEADINGS = (
    "line",
    "posted_on",
    "happened_on",
    "kind",
    "category",
    "with",
    "note",
    "came_in_minutes",
    "went_out_minutes",
    "balance_minutes",
    "undone",
    "late_in_month",
)


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line with its words. `minutes` is signed; `balance` is what the line left behind.

    `day` is when it happened, `posted_at` (UTC) when it was posted. `reverses_id` and
    `reversed_by_id` name the other half of an undone pair. `contested`: somebody says it is not
    right, and that is not settled yet. `override`: it passed a hard floor, for a reason. Where the
    month of the day was closed when it was posted, `late_in` is the month in which it counts.
    """

    line: int
    day: date
    posted_at: datetime
    words: str
    kind: Kind
    category: str | None
    others: tuple[str, ...]
    entry_id: UUID
    minutes: Minutes
    balance: Minutes
    reverses_id: UUID | None
    reversed_by_id: UUID | None
    contested: bool
    override: bool
    late_in: Month | None = None

    @property
    def undone(self) -> bool:
        """Whether it is half of an undone pair."""
        return self.reverses_id is not None or self.reversed_by_id is not None


@dataclass(frozen=True, slots=True)
class StatementPage:
    """Lines, newest first. `opening` and `closing` are the balances before and after these lines.

    `next_before_line` asks for the page below; None on the last one. `given`, `received` and
    `balance` are of the whole account, today.
    """

    account_id: UUID
    name: str
    opening: Minutes
    closing: Minutes
    lines: tuple[StatementLine, ...]
    next_before_line: int | None
    balance: Minutes
    given: Minutes
    received: Minutes


async def may_see(conn: AsyncConnection, community: UUID, account_id: UUID, *, by: UUID) -> bool:
    """Whether a statement is open to `by`: one's own, those one keeps, the commons', or all.

    What a workshop holds belongs to everybody, like the commons.
    """
    actor = await acting.one(conn, community, by)
    if policy.may_see_statement(actor.member, account_id, actor.acts_for):
        return True
    shared = await workshops.is_one(conn, community, account_id)
    return shared and policy.may_look(actor.member)


async def page(
    conn: AsyncConnection,
    community: UUID,
    account_id: UUID,
    *,
    by: UUID,
    before_line: int | None = None,
    limit: int = 50,
    first_day: date | None = None,
    last_day: date | None = None,
    search: str = "",
) -> StatementPage:
    """The newest lines of a period, or of those before `before_line`; `NotFound` if not open.

    `search` finds words of the note, a category or a name. Balances beside found lines are the
    true ones; there are lines between them.
    """
    place, name = await _open(conn, community, account_id, by)
    span = await _span(conn, place, account_id, first_day, last_day)
    given, received, balance = await totals(conn, community, account_id)
    before = min(before_line or span.last + 1, span.last + 1)
    if search.strip():
        numbers = await _matching(conn, community, account_id, span, before, limit + 1, search)
        found = await _numbered(conn, community, account_id, numbers)
    else:
        found = await read.page(
            conn,
            community,
            account_id,
            before_line=before,
            after_line=span.before,
            limit=limit + 1,
        )
    shown = found[:limit]
    lines = await _with_words(conn, place, shown)
    return StatementPage(
        account_id=account_id,
        name=name,
        opening=shown[-1].balance - shown[-1].minutes if shown else span.opening,
        closing=shown[0].balance if shown else span.closing,
        lines=tuple(lines),
        next_before_line=shown[-1].number if len(found) > limit else None,
        balance=balance,
        given=given,
        received=received,
    )


async def rows(
    conn: AsyncConnection,
    community: UUID,
    account_id: UUID,
    *,
    by: UUID,
    first_day: date | None = None,
    last_day: date | None = None,
    search: str = "",
) -> AsyncIterator[tuple[Cell, ...]]:
    """All lines of a period, oldest first, as cells below `HEADINGS`; `NotFound` if not open.

    Minutes that came in and those that went out have columns of their own.
    """
    place, _ = await _open(conn, community, account_id, by)
    span = await _span(conn, place, account_id, first_day, last_day)
    wanted = None
    if search.strip():
        numbers = await _matching(conn, community, account_id, span, span.last + 1, None, search)
        wanted = set(numbers)
    return _rows(conn, place, account_id, span, wanted)


async def _rows(
    conn: AsyncConnection, place: Community, account_id: UUID, span: Span, wanted: set[int] | None
) -> AsyncIterator[tuple[Cell, ...]]:
    waiting: list[Line] = []
    async for line in read.lines(conn, place.id, account_id, span):
        if wanted is None or line.number in wanted:
            waiting.append(line)
        if len(waiting) == _CHUNK:
            for told in await _with_words(conn, place, waiting):
                yield _row(told, place)
            waiting = []
    for told in await _with_words(conn, place, waiting):
        yield _row(told, place)


async def totals(
    conn: AsyncConnection, community: UUID, account_id: UUID
) -> tuple[Minutes, Minutes, Minutes]:
    """Help given, help received, and the balance, in which gifts of hours count as well."""
    row = (
        await conn.execute(
            select(tallies.c.given, tallies.c.received).where(
                tallies.c.community_id == community, tallies.c.account_id == account_id
            )
        )
    ).one_or_none()
    balance = await read.balance(conn, community, account_id)
    return (row.given, row.received, balance) if row else (ZERO, ZERO, balance)


async def _open(
    conn: AsyncConnection, community: UUID, account_id: UUID, by: UUID
) -> tuple[Community, str]:
    """The community and the account's name, if the statement is there and open to `by`."""
    if not await may_see(conn, community, account_id, by=by):
        raise NotFound("statement")
    place = await communities.by_id(conn, community)
    if account_id == place.commons_id:
        return place, place.name
    name = await conn.scalar(
        select(members.c.name).where(
            members.c.community_id == community, members.c.id == account_id
        )
    )
    if name is None:
        name = await workshops.name_of(conn, community, account_id)
    known = await read.accounts(conn, community, [account_id])
    if name is None or account_id not in known:
        raise NotFound("statement")
    return place, name


async def _span(
    conn: AsyncConnection,
    place: Community,
    account_id: UUID,
    first_day: date | None,
    last_day: date | None,
) -> Span:
    """The lines posted on these days, both included, where the community lives."""
    start = _begins(first_day, place) if first_day else None
    end = _begins(last_day + timedelta(days=1), place) if last_day and last_day < date.max else None
    return await read.lines_between(conn, place.id, account_id, start, end)


def _begins(day: date, place: Community) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(place.timezone))


async def _with_words(
    conn: AsyncConnection, place: Community, lines: Sequence[Line]
) -> list[StatementLine]:
    """The lines with what is known about their entries: two queries."""
    if not lines:
        return []
    words = await _words(conn, place.id, {line.entry_id for line in lines})
    names = await _names(conn, place, {line.other_id for line in lines})
    return [_told(line, words[line.entry_id], names.get(line.other_id, "")) for line in lines]


def _told(line: Line, entry: Any, other: str) -> StatementLine:
    return StatementLine(
        line.number,
        line.occurred_on,
        line.posted_at,
        entry.note,
        Kind(entry.kind),
        entry.category,
        (other,),
        line.entry_id,
        line.minutes,
        line.balance,
        line.reverses_id,
        entry.reversed_by_id,
        entry.contested,
        bool(entry.override),
        Month.of(entry.counted_on)
        if is_late(line.occurred_on, entry.counted_on, line.reverses_id)
        else None,
    )


async def _words(conn: AsyncConnection, community: UUID, ids: Collection[UUID]) -> dict[UUID, Any]:
    category = communities.categories
    rows = await conn.execute(
        select(
            entries.c.id,
            entries.c.kind,
            entries.c.note,
            entries.c.reversed_by_id,
            entries.c.contested,
            _overridden().label("override"),
            entries.c.counted_on,
            category.c.name.label("category"),
        )
        .outerjoin(category, _same_category())
        .where(entries.c.community_id == community, entries.c.id.in_(ids))
    )
    return {row.id: row for row in rows}


async def _names(
    conn: AsyncConnection, place: Community, accounts: Collection[UUID]
) -> dict[UUID, str]:
    rows = await conn.execute(
        select(members.c.id, members.c.name).where(
            members.c.community_id == place.id, members.c.id.in_(accounts)
        )
    )
    found = {place.commons_id: place.name} | {row.id: row.name for row in rows}
    if set(accounts) - set(found):
        found |= await workshops.names(conn, place.id)
    return found


async def _matching(
    conn: AsyncConnection,
    community: UUID,
    account_id: UUID,
    span: Span,
    before_line: int,
    limit: int | None,
    search: str,
) -> list[int]:
    """The numbers of the account's lines in whose words `search` is found, newest first."""
    # Each direction is read from its newest line on, and no further than it has to be: what is
    # common is found at once.
    halves = [
        _matching_side(conn, community, account_id, side, other, span.before, before_line, search)
        .limit(limit)
        .subquery()
        for side, other in (("source", "destination"), ("destination", "source"))
    ]
    both = union_all(*(select(half.c.number) for half in halves)).subquery()
    query = select(both.c.number).order_by(both.c.number.desc()).limit(limit)
    return [row.number for row in await conn.execute(query)]


def _matching_side(
    conn: AsyncConnection,
    community: UUID,
    account_id: UUID,
    side: str,
    other: str,
    after_line: int,
    before_line: int,
    search: str,
) -> Select[Any]:
    """Lines of one direction, newest first: by the note, the category, or the other's name."""
    words, category = search.strip(), communities.categories
    number = transfer.c[f"{side}_line"]
    # Which names and categories are meant is found once, and not for each line again.
    named = select(members.c.id).where(
        members.c.community_id == community,
        members.c.name_key.like(like(fold(words)), escape="\\"),
    )
    about = select(category.c.id).where(
        category.c.community_id == community, _contains(conn, category.c.name, words)
    )
    found = or_(
        _contains(conn, entries.c.note, words),
        entries.c.category_id.in_(about),
        transfer.c[f"{other}_id"].in_(named),
    )
    return (
        select(number.label("number"))
        .join(
            entries,
            and_(
                entries.c.community_id == transfer.c.community_id,
                entries.c.id == transfer.c.entry_id,
            ),
        )
        .where(
            transfer.c.community_id == community,
            transfer.c[f"{side}_id"] == account_id,
            number > after_line,
            number < before_line,
            found,
        )
        .order_by(number.desc())
    )


def _contains(conn: AsyncConnection, column: Any, words: str) -> Any:
    """Whether a text holds the words as written, or in whatever case the database can fold.

    SQLite's LIKE folds plain letters by itself, so that one look at a text is enough for them.
    """
    written = column.like(like(words), escape="\\")
    if conn.dialect.name == "sqlite" and words.isascii():
        return written
    return or_(written, func.lower(column).like(like(words.lower()), escape="\\"))


async def _numbered(
    conn: AsyncConnection, community: UUID, account_id: UUID, numbers: Sequence[int]
) -> list[Line]:
    """The lines with these numbers, newest first."""
    if not numbers:
        return []
    columns = transfer.c
    halves = [
        select(
            columns[f"{side}_line"].label("number"),
            columns.seq,
            (columns.minutes if side == "destination" else -columns.minutes).label("minutes"),
            columns[f"{side}_balance"].label("balance"),
            columns[f"{other}_id"].label("other_id"),
            columns.entry_id,
            columns.occurred_on,
            columns.posted_at,
            columns.reverses_id,
        ).where(
            columns.community_id == community,
            columns[f"{side}_id"] == account_id,
            columns[f"{side}_line"].in_(numbers),
        )
        for side, other in (("source", "destination"), ("destination", "source"))
    ]
    both = union_all(*halves).subquery()
    rows = await conn.execute(select(both).order_by(both.c.number.desc()))
    return [Line(**row._mapping) for row in rows]


def _overridden() -> Any:
    """Whether a hard floor was passed by an entry when it was posted, not when it was undone."""
    return exists(
        select(steps.c.number).where(
            steps.c.community_id == entries.c.community_id,
            steps.c.entry_id == entries.c.id,
            steps.c.override,
            steps.c.kind != StepKind.REVERSED.value,
        )
    )


def _same_category() -> Any:
    category = communities.categories
    return and_(
        category.c.community_id == entries.c.community_id,
        category.c.id == entries.c.category_id,
    )


def _row(line: StatementLine, place: Community) -> tuple[Cell, ...]:
    return (
        line.line,
        Moment(line.posted_at).day_in(place.timezone),
        line.day,
        line.kind.value,
        line.category or "",
        ", ".join(line.others),
        line.words,
        line.minutes if line.minutes > ZERO else None,
        -line.minutes if line.minutes < ZERO else None,
        line.balance,
        "yes" if line.undone else "",
        str(line.late_in or ""),
    )
