"""Our books: all accounts, the total that is zero, the last verification and the chain's head.

`verify` proves more than the ledger can alone: that what people approved and what the journal
holds are the same, entry by entry, and that nobody changed the words afterwards.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ForeignKeyConstraint, Table, exists, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, AccountKind, LedgerError, Minutes, PostedTransfer
from ledger.entry import mirrored
from ledger.proof import MOST_FINDINGS
from ledger.proof import Report as LedgerReport
from ledger.sql import metadata, read, store
from ledger.sql import verify as ledger_verify
from ledger.sql.tables import transfer
from ledger.sql.types import Count, Flag, Hash, Id, Instant, Words
from timebank import communities, entries, posting, shapes
from timebank.db import Database
from timebank.entry import Entry, Side, State
from timebank.errors import TimebankError
from timebank.members import members, tallies
from timebank.moment import Moment

_CHUNK = 500  # entries compared at once
_ANCHORS = 100  # earlier verifications that the chain is compared with
_SHORTEST_SALT = 16

Progress = Callable[[int, int], None]
"""Told how many transfers were read, and how many there are."""

verifications = Table(
    "verification",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("at", Instant, primary_key=True),
    Column("seq", Count, nullable=False),
    Column("hash", Hash, nullable=False),
    Column("sound", Flag, nullable=False),
    Column("finding", Words, nullable=False),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True)
class Verification:
    """An earlier proof: when (UTC), up to which transfer, and whether all agreed."""

    at: datetime
    seq: int
    hash: bytes
    sound: bool
    finding: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The books at a glance. `total` is the sum of all balances: zero, or something is wrong."""

    member_accounts: int
    member_total: Minutes
    organisation_accounts: int
    organisation_total: Minutes
    commons_total: Minutes
    total: Minutes
    transfers: int
    head_seq: int
    head_hash: bytes
    posted_at: datetime
    last: Verification | None


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account with its name and balance."""

    account_id: UUID
    name: str
    balance: Minutes


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of verifying. `findings` are sentences, the first hundred of `found`."""

    community: UUID
    seq: int
    hash: bytes
    transfers: int
    accounts: int
    entries: int
    findings: tuple[str, ...]
    found: int
    below_floor: tuple[UUID, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return self.found == 0


async def overview(conn: AsyncConnection, community: UUID) -> Overview:
    """The books at a glance; nothing in it names anybody."""
    head = await read.head(conn, community)
    totals = await read.totals(conn, community)
    none = read.KindTotal(0, ZERO)
    people = totals.get(AccountKind.MEMBER, none)
    houses = totals.get(AccountKind.ORGANISATION, none)
    return Overview(
        member_accounts=people.accounts,
        member_total=people.balance,
        organisation_accounts=houses.accounts,
        organisation_total=houses.balance,
        commons_total=totals.get(AccountKind.COMMONS, none).balance,
        total=sum((kind.balance for kind in totals.values()), ZERO),
        transfers=head.seq,
        head_seq=head.seq,
        head_hash=head.hash,
        posted_at=head.posted_at,
        last=await _last(conn, community),
    )


async def account_rows(
    conn: AsyncConnection, community: UUID, after: UUID | None, limit: int
) -> list[AccountRow]:
    """Accounts with names and balances, by id, from after the account `after` on.

    For coordinators: whoever shows them asks `policy.may_coordinate`.
    """
    place = await communities.by_id(conn, community)
    query = select(members.c.id, members.c.name).where(members.c.community_id == community)
    if after is not None:
        query = query.where(members.c.id > after)
    rows = list(await conn.execute(query.order_by(members.c.id).limit(limit)))
    names = {row.id: row.name for row in rows}
    if after is None:
        names = {place.commons_id: place.name} | names
    accounts = await read.accounts(conn, community, names)
    return [AccountRow(id, names[id], accounts[id].balance) for id in names if id in accounts]


async def verify(
    db: Database, community: UUID, *, now: Moment, progress: Progress | None = None
) -> Report:
    """Prove a community's books in one unchanging picture of them, and keep the outcome.

    The ledger re-adds and re-hashes its journal, up to the heads that earlier verifications noted.
    Then each entry is compared with what was posted for it, its words with the commitment in the
    journal (unless they were erased), and each tally with what it should be. Memory grows with the
    accounts, not with the journal. People go on working meanwhile. Raises `NoJournal`.
    """
    async with db.read() as conn:
        anchors = await _anchors(conn, community)
    async with db.read() as conn:
        report = await ledger_verify.verify(conn, community, anchors=anchors, progress=progress)
        check = _Check()
        await _compare_entries(conn, community, check)
        await _compare_unposted(conn, community, check)
        await _compare_tallies(conn, community, check)
    full = _report(report, check)
    await _note(db, full, now)
    return full


@dataclass(slots=True)
class _Check:
    """What was found so far, and the tallies added up again."""

    findings: list[str] = field(default_factory=list)
    found: int = 0
    entries: int = 0
    tallies: dict[UUID, tuple[int, int]] = field(default_factory=dict)

    def note(self, sentence: str) -> None:
        self.found += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(sentence)

    def tally(self, entry: Entry) -> None:
        """Add up the help of one posted entry; what undoes another is taken off."""
        if entry.kind.is_gift:
            return
        sign = -1 if entry.reverses_id else 1
        for part in entry.parts:
            given, received = self.tallies.get(part.account_id, (0, 0))
            if part.side is Side.GAVE:
                given += sign * part.minutes.count
            else:
                received += sign * part.minutes.count
            self.tallies[part.account_id] = given, received


def _report(report: LedgerReport, check: _Check) -> Report:
    findings = (*(str(finding) for finding in report.findings), *check.findings)
    return Report(
        report.community,
        report.seq,
        report.hash,
        report.transfers,
        report.accounts,
        check.entries,
        findings[:MOST_FINDINGS],
        report.found + check.found,
        report.below_floor,
    )


async def _compare_entries(conn: AsyncConnection, community: UUID, check: _Check) -> None:
    """Every entry of the journal is one that was approved, and says the same."""
    async for chunk in _posted_entries(conn, community):
        known = {entry.id: entry for entry in await entries.load(conn, community, chunk)}
        salts = await _salts(conn, community, chunk)
        for id, rows in chunk.items():
            check.entries += 1
            entry = known.get(id)
            if entry is None:
                check.note(f"entry {id} is in the journal, and nobody ever wrote it down")
                continue
            check.tally(entry)
            for sentence in _differences(entry, rows, salts[id]):
                check.note(f"entry {id} {sentence}")


async def _posted_entries(
    conn: AsyncConnection, community: UUID
) -> AsyncIterator[Mapping[UUID, Sequence[PostedTransfer]]]:
    """The journal's entries with their rows, some hundreds at a time."""
    chunk: dict[UUID, list[PostedTransfer]] = {}
    try:
        async for row in read.transfers(conn, community):
            if len(chunk) >= _CHUNK and row.entry_id not in chunk:
                yield chunk
                chunk = {}
            chunk.setdefault(row.entry_id, []).append(row)
    except ValueError:
        pass  # a row no column type understands: the ledger's own proof has named it
    if chunk:
        yield chunk


async def _salts(
    conn: AsyncConnection, community: UUID, ids: Mapping[UUID, object]
) -> dict[UUID, bytes]:
    table = entries.entries
    rows = await conn.execute(
        select(table.c.id, table.c.salt).where(
            table.c.community_id == community, table.c.id.in_(list(ids))
        )
    )
    return {row.id: row.salt for row in rows}


def _differences(entry: Entry, rows: Sequence[PostedTransfer], salt: bytes) -> list[str]:
    """What an entry says other than its rows in the journal."""
    found = []
    if entry.state not in (State.APPROVED, State.REVERSED):
        found.append(f"is in the journal, and is {entry.state.value}")
    if not _same_minutes(entry, rows):
        found.append("names other people or minutes than the journal")
    first = rows[0]
    if entry.occurred_on != first.occurred_on or entry.reverses_id != first.reverses_id:
        found.append("is of another day, or undoes something else, than the journal says")
    if len(salt) >= _SHORTEST_SALT:
        words = posting.committed(salt, entry.kind, entry.category_id, entry.note)
        if words != first.commitment:
            found.append("does not have the words it was posted with")
    if entry.state is State.REVERSED and entry.reversed_by_id is None:
        found.append("is undone, and does not say by what")
    return found


def _same_minutes(entry: Entry, rows: Sequence[PostedTransfer]) -> bool:
    try:
        transfers = shapes.transfers(entry.parts, entry.kind)
    except (TimebankError, LedgerError):
        return False
    if entry.reverses_id is not None:
        transfers = mirrored(transfers)
    return transfers == tuple(row.transfer for row in rows)


async def _compare_unposted(conn: AsyncConnection, community: UUID, check: _Check) -> None:
    """Every approved entry is in the journal, and what is undone is undone there too."""
    table, undoing = entries.entries, transfer.alias("undoing")
    posted = exists().where(
        transfer.c.community_id == table.c.community_id,
        transfer.c.entry_id == table.c.id,
        transfer.c.position == 1,
    )
    undone = exists().where(
        undoing.c.community_id == table.c.community_id,
        undoing.c.reverses_id == table.c.id,
        undoing.c.position == 1,
    )
    wanted = table.c.state.in_([State.APPROVED.value, State.REVERSED.value])
    differs = undone != (table.c.state == State.REVERSED.value)
    for condition, sentence in (
        (wanted & ~posted, "is approved, and is not in the journal"),
        (wanted & differs, "and the journal do not agree whether it was undone"),
    ):
        query = select(table.c.id).where(table.c.community_id == community, condition)
        number = await conn.scalar(select(func.count()).select_from(query.subquery()))
        for row in await conn.execute(query.order_by(table.c.id).limit(MOST_FINDINGS)):
            check.note(f"entry {row.id} {sentence}")
        check.found += max(0, (number or 0) - MOST_FINDINGS)


async def _compare_tallies(conn: AsyncConnection, community: UUID, check: _Check) -> None:
    """Given and received, as kept, are what the posted entries add up to."""
    rows = await conn.execute(
        select(tallies.c.account_id, tallies.c.given, tallies.c.received).where(
            tallies.c.community_id == community
        )
    )
    kept = {row.account_id: (row.given.count, row.received.count) for row in rows}
    for account in sorted({*kept, *check.tallies}):
        stored, added = kept.get(account, (0, 0)), check.tallies.get(account, (0, 0))
        if stored != added:
            check.note(
                f"account {account} is said to have given {Minutes(stored[0])} and received "
                f"{Minutes(stored[1])}; its entries add up to {Minutes(added[0])} and "
                f"{Minutes(added[1])}"
            )


async def _anchors(conn: AsyncConnection, community: UUID) -> list[tuple[int, bytes]]:
    """Heads that sound verifications noted earlier."""
    rows = await conn.execute(
        select(verifications.c.seq, verifications.c.hash)
        .where(verifications.c.community_id == community, verifications.c.sound)
        .order_by(verifications.c.at.desc())
        .limit(_ANCHORS)
    )
    return [(row.seq, row.hash) for row in rows]


async def _last(conn: AsyncConnection, community: UUID) -> Verification | None:
    row: Any = (
        await conn.execute(
            select(verifications)
            .where(verifications.c.community_id == community)
            .order_by(verifications.c.at.desc())
            .limit(1)
        )
    ).one_or_none()
    return Verification(row.at, row.seq, row.hash, row.sound, row.finding) if row else None


async def _note(db: Database, report: Report, now: Moment) -> None:
    """Keep the outcome, after all earlier ones, even if the clock stood still meanwhile."""
    async with db.write() as conn:
        await store.lock(conn, report.community)  # two proofs at once: one after the other
        last = await _last(conn, report.community)
        at = now.at
        if last is not None and last.at >= at:
            at = last.at + timedelta(microseconds=1)
        await conn.execute(
            insert(verifications).values(
                community_id=report.community,
                at=at,
                seq=report.seq,
                hash=report.hash,
                sound=report.sound,
                finding=report.findings[0] if report.findings else "",
            )
        )
