"""Comparing the journal with what people wrote down and approved, entry by entry.

The ledger proves its journal alone (`ledger.proof`). What is compared here: every entry in the
journal is one that was approved, with the same people, minutes, day and words; every approved one
is in the journal; it counts for the day it should, whatever months were closed; what is kept as
given and received adds up, and every floor is the one of the agreement. Rows are read as they are,
in the journal's order, and no arithmetic is shared with posting.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from json.encoder import encode_basestring
from struct import Struct
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from ledger.proof import MOST_FINDINGS
from ledger.sql import raw, read
from ledger.sql.tables import account, transfer
from timebank import agreements, flow
from timebank.agreements import Terms
from timebank.comparing_months import Calendar, calendar, damaged_reports
from timebank.entries import entries, parts
from timebank.entry import Kind, Side, State
from timebank.members import tallies

Progress = Callable[[int, int], None]
"""Told how many transfers were compared, and how many there are."""

_APPROVED, _REVERSED, _GAVE = State.APPROVED.value, State.REVERSED.value, Side.GAVE.value
_UNPOSTED = [state.value for state in State if state.value not in (_APPROVED, _REVERSED)]
_GAINING: dict[str | None, str] = {kind.value: flow.gaining_side(kind).value for kind in Kind}
_LOSING = {
    kind: (Side.GAVE if gaining == Side.RECEIVED.value else Side.RECEIVED).value
    for kind, gaining in _GAINING.items()
}
_GIFTS = {kind.value for kind in Kind if kind.is_gift}

_MOVES_DIFFER = "names other people or minutes than the journal"
_COUNTS_OTHERWISE = "counts for another day than the months closed at its posting say"

_SHORTEST_SALT = 16
_COMMITMENT = Struct(">I26sIqI").pack
_LENGTH = Struct(">I").pack

# Most entries are between two people: everything about those is found at once.
_JOURNAL = """
    SELECT transfer.entry_id, transfer.source_id, transfer.destination_id, transfer.minutes,
        transfer.occurred_on, transfer.reverses_id, transfer.commitment, entry.kind,
        entry.category_id, entry.occurred_on, entry.note, entry.salt, entry.state,
        entry.reverses_id, entry.reversed_by_id, source.side, source.minutes, source.back,
        destination.side, destination.minutes, destination.back, entry.counted_on, transfer.seq,
        transfer.posted_at
    FROM transfer
    LEFT JOIN entry ON entry.community_id = transfer.community_id AND entry.id = transfer.entry_id
    LEFT JOIN part AS source ON source.community_id = transfer.community_id
        AND source.entry_id = transfer.entry_id AND source.account_id = transfer.source_id
    LEFT JOIN part AS destination ON destination.community_id = transfer.community_id
        AND destination.entry_id = transfer.entry_id
        AND destination.account_id = transfer.destination_id
    WHERE transfer.community_id = $1 AND transfer.seq > $2 AND transfer.seq <= $3
    ORDER BY transfer.seq
"""
_COUNTED = "SELECT id, counted_on FROM entry WHERE community_id = $1 AND id IN ids"
_PARTS = """
    SELECT entry_id, account_id, side, minutes, back
    FROM part WHERE community_id = $1 AND entry_id IN ids ORDER BY position
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The outcome. `findings` are sentences, the first hundred of `found`."""

    entries: int
    findings: tuple[str, ...]
    found: int


class _Row(NamedTuple):
    """A row of the journal, what is kept of its entry (if anything), and the parts of its two ends.

    Ids and days are as the driver has them.
    """

    entry_id: Any
    source_id: Any
    destination_id: Any
    minutes: int
    occurred_on: Any
    reverses_id: Any
    commitment: bytes
    kind: str | None
    category_id: Any
    kept_occurred_on: Any
    note: str
    salt: bytes
    state: str
    kept_reverses_id: Any
    reversed_by_id: Any
    source_side: str | None
    source_minutes: int
    source_back: int
    destination_side: str | None
    destination_minutes: int
    destination_back: int
    counted_on: Any
    seq: int
    posted_at: Any

    @property
    def gaining(self) -> str | None:
        """The side that should gain by the entry; what undoes one goes the other way."""
        back = self.kept_reverses_id is not None
        return (_LOSING if back else _GAINING).get(self.kind)


_Part = tuple[Any, str, int, int]
"""A part of an entry as it is kept: account, side, minutes, and how many of them take back."""


async def compare(
    conn: AsyncConnection, community: UUID, progress: Progress | None = None
) -> Comparison:
    """Compare a community's journal with its entries, in the picture that this transaction has.

    Memory grows with the accounts, not with the journal. Raises `NoJournal`.
    """
    head = await read.head(conn, community)
    check, done = _Check(await calendar(conn, community)), 0
    async for posted in _journal(conn, community):
        others = [id for id, rows in posted.items() if not _is_between_two(rows)]
        standing: dict[Any, list[_Part]] = {id: [] for id in others}
        for id, *part in await raw.ask_for(conn, _PARTS, community, others) if others else ():
            standing[id].append((part[0], part[1], part[2], part[3]))
        for id, rows in posted.items():
            check.entry(rows, standing.get(id))
            done += len(rows)
        await _compare_undoing(conn, community, check)
        if progress is not None:
            progress(done, head.seq)
    await _compare_unposted(conn, community, check)
    await _compare_parts(conn, community, check)
    await _compare_tallies(conn, community, check)
    await _compare_floors(conn, community, check)
    for sentence in await damaged_reports(conn, community):
        check.found += 1
        check.findings.append(sentence)
    return Comparison(check.entries, tuple(check.findings[:MOST_FINDINGS]), check.found)


async def _journal(conn: AsyncConnection, community: UUID) -> AsyncIterator[dict[Any, list[_Row]]]:
    """The journal's entries with their rows, some thousand rows at a time."""
    waiting = dict[Any, list[_Row]]()
    async for rows in raw.in_order(conn, _JOURNAL, community):
        for row in map(_Row._make, rows):
            waiting.setdefault(row.entry_id, []).append(row)
        unfinished = row.entry_id  # more of its rows may follow
        last = waiting.pop(unfinished)
        if waiting:
            yield waiting
        waiting = {unfinished: last}
    if waiting:
        yield waiting


@dataclass(slots=True)
class _Check:
    """What was found so far, and the tallies added up again."""

    calendar: Calendar
    entries: int = 0
    findings: list[str] = field(default_factory=list)
    found: int = 0
    posted: int = 0  # entries that are in the journal and say so
    parts: int = 0  # of the entries in the journal
    moved_otherwise: set[Any] = field(default_factory=set)  # entries with other people or minutes
    half_undone: set[Any] = field(default_factory=set)  # by the entries or the journal, not by both
    tallies: dict[Any, list[int]] = field(default_factory=dict)  # minutes given and received
    undoing: list[_Row] = field(default_factory=list)  # whose days are still to be compared

    def entry(self, rows: Sequence[_Row], parts: Sequence[_Part] | None) -> None:
        """Take one entry: its rows in the journal, and its parts unless the row has them."""
        first = rows[0]
        self.entries += 1
        if first.reverses_id is not None:
            self.half_undone ^= {first.reverses_id}
        if first.kind is None:
            self.note(first.entry_id, "is in the journal, and nobody ever wrote it down")
            return
        state = first.state
        if state == _APPROVED:
            self.posted += 1
        elif state == _REVERSED:
            self.posted += 1
            self.half_undone ^= {first.entry_id}
        if parts is None:
            self.parts += 2
            same = _moves_its_minutes(first)
        else:
            self.parts += len(parts)
            same = _moves(first, parts) == [
                (r.source_id, r.destination_id, r.minutes) for r in rows
            ]
        if first.kind not in _GIFTS:
            self.tally(first, parts)
        if not same:
            self.moved_otherwise.add(first.entry_id)
        for sentence in _differences(first, same):
            self.note(first.entry_id, sentence)
        self._own_day(first)

    def _own_day(self, row: _Row) -> None:
        """Compare the day for which an entry counts; of one that undoes another, a little later."""
        if row.kept_reverses_id is not None:
            self.undoing.append(row)
        elif row.counted_on != row.kept_occurred_on or self.calendar.ever_closed:
            self.day(row, row.kept_occurred_on)

    def day(self, row: _Row, day: Any) -> None:
        """Compare the day for which an entry counts with `day`, which should be it."""
        if not self.calendar.agrees(row.counted_on, day, row.posted_at, row.seq):
            self.note(row.entry_id, _COUNTS_OTHERWISE)

    def note(self, id: Any, sentence: str) -> None:
        """Keep a finding about an entry, or only count it when there are too many."""
        self.found += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(f"entry {_named(id)} {sentence}")

    def tally(self, row: _Row, parts: Sequence[_Part] | None) -> None:
        """Add up the help of one posted entry; what undoes another is taken off."""
        sign = 1 if row.kept_reverses_id is None else -1
        if parts is None:
            self._add(row.source_id, row.source_side, sign, row.source_minutes, row.source_back)
            ends = row.destination_minutes, row.destination_back
            self._add(row.destination_id, row.destination_side, sign, *ends)
        else:
            for account, side, minutes, back in parts:
                self._add(account, side, sign, minutes, back)

    def _add(self, account: Any, side: str | None, sign: int, minutes: int, back: int) -> None:
        """What goes back is taken off the other side, and only the rest counts on this one."""
        tally = self.tallies.get(account)
        if tally is None:
            tally = self.tallies[account] = [0, 0]
        tally[side != _GAVE] += sign * (minutes - back)
        tally[side == _GAVE] -= sign * back


def _is_between_two(rows: Sequence[_Row]) -> bool:
    """Whether an entry is one transfer, and has parts at both ends (see `_compare_parts`)."""
    return len(rows) == 1 and rows[0].source_side is not None is not rows[0].destination_side


def _differences(entry: _Row, same_moves: bool) -> list[str]:
    """What an entry says other than its rows in the journal."""
    found = []
    if entry.state != _APPROVED and entry.state != _REVERSED:
        found.append(f"is in the journal, and is {entry.state}")
    if not same_moves:
        found.append(_MOVES_DIFFER)
    if entry.kept_occurred_on != entry.occurred_on or entry.kept_reverses_id != entry.reverses_id:
        found.append("is of another day, or undoes something else, than the journal says")
    if len(entry.salt) >= _SHORTEST_SALT:  # else they were erased
        words = committed(entry.salt, entry.kind or "", entry.category_id, entry.note)
        if words != entry.commitment:
            found.append("does not have the words it was posted with")
    if entry.state == _REVERSED and entry.reversed_by_id is None:
        found.append("is undone, and does not say by what")
    return found


def _moves_its_minutes(row: _Row) -> bool:
    """Whether the two parts at the ends of a row say what it moves."""
    sides = row.destination_side == row.gaining != row.source_side
    return sides and row.source_minutes == row.minutes == row.destination_minutes


def _moves(entry: _Row, parts: Sequence[_Part]) -> list[tuple[Any, Any, int]] | None:
    """Source, destination and minutes of each transfer, in order; None if the sides differ.

    Both sides are used up in their written order: the first one's minutes go with the first of the
    other side until one of the two has none left, and so on. What undoes an entry goes back, the
    last transfer first.
    """
    gaining = entry.gaining
    gain = [[account, minutes] for account, side, minutes, _ in parts if side == gaining]
    lose = [[account, minutes] for account, side, minutes, _ in parts if side != gaining]
    moves = []
    while gain and lose:
        taker, giver = gain[0], lose[0]
        minutes = min(taker[1], giver[1])
        moves.append((giver[0], taker[0], minutes))
        for side, one in ((gain, taker), (lose, giver)):
            one[1] -= minutes
            if not one[1]:
                side.pop(0)
    if gain or lose:
        return None
    return moves if entry.kept_reverses_id is None else moves[::-1]


def committed(salt: bytes, kind: str, category_id: Any, note: str) -> bytes:
    """The commitment to an entry's words, from the description in `ledger.chain`."""
    category = "null" if category_id is None else f'"{_named(category_id)}"'
    spelled = encode_basestring(kind), encode_basestring(note)
    words = '{{"category":{},"kind":{},"note":{}}}'.format(category, *spelled).encode()
    head = _COMMITMENT(26, b"timebank.ledger.commitment", 8, 1, len(salt))
    return sha256(b"".join((head, salt, _LENGTH(len(words)), words))).digest()


async def _compare_undoing(conn: AsyncConnection, community: UUID, check: _Check) -> None:
    """What undoes an entry counts when that entry does, unless its month was closed meanwhile."""
    if not check.undoing:
        return
    undone = [row.kept_reverses_id for row in check.undoing]
    counted = dict(map(tuple, await raw.ask_for(conn, _COUNTED, community, undone)))
    for row in check.undoing:
        check.day(row, counted.get(row.kept_reverses_id))
    check.undoing.clear()


async def _compare_unposted(conn: AsyncConnection, community: UUID, check: _Check) -> None:
    """Every approved entry is in the journal, and what is undone is undone there too."""
    kept = (entries.c.community_id == community, entries.c.state.in_([_APPROVED, _REVERSED]))
    approved = await conn.scalar(select(func.count()).select_from(entries).where(*kept))
    if approved != check.posted:  # only then are they looked for, one by one
        posted = select(transfer.c.seq).where(
            transfer.c.community_id == entries.c.community_id,
            transfer.c.entry_id == entries.c.id,
            transfer.c.position == 1,
        )
        missing = select(entries.c.id).where(*kept, ~posted.exists()).order_by(entries.c.id)
        for row in await conn.execute(missing.limit(MOST_FINDINGS)):
            check.note(row.id, "is approved, and is not in the journal")
        rest = await conn.scalar(select(func.count()).select_from(missing.subquery()))
        check.found += max(0, (rest or 0) - MOST_FINDINGS)
    for id in sorted(check.half_undone):
        check.note(id, "and the journal do not agree whether it was undone")


async def _compare_parts(conn: AsyncConnection, community: UUID, check: _Check) -> None:
    """Nobody stands in a posted entry beside those whose minutes it moved.

    Of an entry between two, only the parts of those two were looked at. All parts are counted here,
    and only if there are more are the others looked for.
    """
    own = parts.c.community_id == community
    waiting = select(entries.c.id).where(
        entries.c.community_id == community, entries.c.state.in_(_UNPOSTED)
    )
    counted = [
        await conn.scalar(select(func.count()).select_from(parts).where(own, *those)) or 0
        for those in ((), (parts.c.entry_id.in_(waiting),))
    ]
    if counted[0] - counted[1] == check.parts:
        return
    moved = select(transfer.c.seq).where(
        transfer.c.community_id == parts.c.community_id,
        transfer.c.entry_id == parts.c.entry_id,
        or_(
            transfer.c.source_id == parts.c.account_id,
            transfer.c.destination_id == parts.c.account_id,
        ),
    )
    strangers = (
        select(parts.c.entry_id)
        .where(own, parts.c.entry_id.not_in(waiting), ~moved.exists())
        .order_by(parts.c.entry_id)
        .distinct()
    )
    known = {_named(id) for id in check.moved_otherwise}
    for row in await conn.execute(strangers):
        if row.entry_id not in known:
            check.note(row.entry_id, _MOVES_DIFFER)


async def _compare_tallies(conn: AsyncConnection, community: UUID, check: _Check) -> None:
    """Given and received, as kept, are what the posted entries add up to."""
    rows = await conn.execute(
        select(tallies.c.account_id, tallies.c.given, tallies.c.received).where(
            tallies.c.community_id == community
        )
    )
    kept: dict[UUID | str, tuple[int, int]] = {
        row.account_id: (row.given.count, row.received.count) for row in rows
    }
    added = {_named(id): (given, received) for id, (given, received) in check.tallies.items()}
    for whose in sorted({*kept, *added}, key=str):
        stored, sums = kept.get(whose, (0, 0)), added.get(whose, (0, 0))
        if stored != sums:
            check.found += 1
            check.findings.append(
                f"account {whose} is said to have given {Minutes(stored[0])} and received "
                f"{Minutes(stored[1])}; its entries add up to {Minutes(sums[0])} and "
                f"{Minutes(sums[1])}"
            )


async def _compare_floors(conn: AsyncConnection, community: UUID, check: _Check) -> None:
    """Every member's hard floor is what the agreement in force makes of what they have given."""
    terms = (await agreements.current(conn, community)).terms
    rows = await conn.execute(
        select(account.c.id, account.c.floor)
        .where(account.c.community_id == community, account.c.kind.in_(("member", "organisation")))
        .order_by(account.c.id)
    )
    added = {_named(id): given for id, (given, _) in check.tallies.items()}
    for row in rows:
        floor = None if row.floor is None else row.floor.count
        wanted = _floor(terms, added.get(row.id, 0))
        if floor != wanted:
            check.found += 1
            check.findings.append(
                f"account {row.id} has the hard floor {_shown(floor)}; by the agreement it is "
                f"{_shown(wanted)}"
            )


def _floor(terms: Terms, given: int) -> int | None:
    """The floor in minutes, worked out once more and not as posting does it."""
    if terms.hard_floor is None:
        return None
    percent = terms.hard_floor.count * 100 - max(0, given) * terms.floor_growth
    grown = -(-percent // 100)  # whole minutes, upwards
    if terms.floor_growth and terms.lowest_floor is not None:
        return max(grown, terms.lowest_floor.count)
    return grown


def _shown(floor: int | None) -> str:
    return "none" if floor is None else str(Minutes(floor))


def _named(id: Any) -> UUID | str:
    """An id as the driver has it, as one to show: SQLite has bytes, by hand of any length."""
    if not isinstance(id, bytes):
        return UUID(int=id.int)
    return UUID(bytes=id) if len(id) == 16 else id.hex()
