"""Our books: all accounts, the total that is zero, the last verification and the chain's head.

`verify` proves more than the ledger can alone: that what people approved and what the journal
holds are the same, entry by entry, and that nobody changed the words afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ForeignKeyConstraint, Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, AccountKind, Minutes
from ledger.proof import MOST_FINDINGS
from ledger.proof import Report as LedgerReport
from ledger.sql import metadata, read, store
from ledger.sql import verify as ledger_verify
from ledger.sql.types import Count, Flag, Hash, Id, Instant, Words
from timebank import communities, months, workshops
from timebank.beside import comparing
from timebank.comparing import Comparison, compare
from timebank.db import Database
from timebank.members import members
from timebank.moment import Moment

LONG = 50_000
"""Transfers from which on it pays to start a second process."""

_ANCHORS = 100  # earlier verifications that the chain is compared with

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
    workshop_accounts: int
    workshop_total: Minutes
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
    shared = totals.get(AccountKind.COMMONS, none)
    commons = await read.balance(conn, community, community)
    return Overview(
        member_accounts=people.accounts,
        member_total=people.balance,
        organisation_accounts=houses.accounts,
        organisation_total=houses.balance,
        commons_total=commons,
        workshop_accounts=shared.accounts - 1,
        workshop_total=shared.balance - commons,
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
        shared = await workshops.names(conn, community)
        names = {place.commons_id: place.name} | shared | names
    accounts = await read.accounts(conn, community, names)
    return [AccountRow(id, names[id], accounts[id].balance) for id in names if id in accounts]


async def verify(
    db: Database,
    community: UUID,
    *,
    now: Moment,
    anchors: Iterable[tuple[int, bytes]] = (),
    progress: Progress | None = None,
    long: int = LONG,
) -> Report:
    """Prove a community's books in one unchanging picture of them, and keep the outcome.

    The ledger re-adds and re-hashes its journal, and holds it against the heads that earlier
    verifications noted, and against `anchors` that were noted outside of the database.
    Then each entry is compared with what was posted for it, its words with the commitment in the
    journal (unless they were erased), and each tally with what it should be. A journal of `long`
    transfers or more is compared by a second process at the same time. Memory grows with the
    accounts, not with the journal. People go on working meanwhile. Raises `NoJournal`.
    """
    async with db.read(community) as conn:
        anchors = [*anchors, *await _anchors(conn, community)]
        head = await read.head(conn, community)
    told = _Told(progress, head.seq)
    if head.seq < long:
        async with db.read(community) as conn:
            report = await ledger_verify.verify(
                conn, community, anchors=anchors, progress=told.proved
            )
            comparison = await compare(conn, community, told.compared)
    else:
        async with comparing(db, community) as other:
            comparison_comes = asyncio.create_task(other.outcome(told.compared))
            try:
                report = await ledger_verify.verify(
                    other.conn, community, anchors=anchors, progress=told.proved
                )
                comparison = await comparison_comes
            finally:
                comparison_comes.cancel()
    full = _report(report, comparison)
    await _note(db, full, now)
    return full


class _Told:
    """How far both halves of the work have come, told as one."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total = progress, total
        self._proved = self._compared = 0

    def proved(self, done: int, total: int) -> None:
        self._proved, self._total = done, total
        self._tell()

    def compared(self, done: int, total: int) -> None:
        self._compared, self._total = done, total
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress((self._proved + self._compared) // 2, self._total)


def _report(report: LedgerReport, comparison: Comparison) -> Report:
    findings = (*(str(finding) for finding in report.findings), *comparison.findings)
    return Report(
        report.community,
        report.seq,
        report.hash,
        report.transfers,
        report.accounts,
        comparison.entries,
        findings[:MOST_FINDINGS],
        report.found + comparison.found,
        report.below_floor,
    )


async def _anchors(conn: AsyncConnection, community: UUID) -> list[tuple[int, bytes]]:
    """Heads that sound verifications noted earlier, and closings of months."""
    proved = (
        select(verifications.c.seq, verifications.c.hash)
        .where(verifications.c.community_id == community, verifications.c.sound)
        .order_by(verifications.c.at.desc())
        .limit(_ANCHORS)
    )
    closed = (
        select(months.closings.c.seq, months.closings.c.hash)
        .where(months.closings.c.community_id == community, months.closings.c.seq > 0)
        .order_by(months.closings.c.closed_at.desc())
        .limit(_ANCHORS)
    )
    return [(row.seq, row.hash) for query in (proved, closed) for row in await conn.execute(query)]


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
    async with db.write(report.community) as conn:
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
