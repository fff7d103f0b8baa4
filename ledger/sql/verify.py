"""Verifying the books as they are stored: reads everything, changes nothing.

It shares no arithmetic with posting: `ledger.proof` re-adds and re-hashes what is read here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.journal import Head
from ledger.proof import FindingKind, Proof, Report, check_reversals
from ledger.sql import read
from ledger.sql.tables import transfer

Progress = Callable[[int, int], None]
"""Told how many transfers were read, and how many there are."""

_CHUNK = 1000


async def verify(
    conn: AsyncConnection,
    community: UUID,
    *,
    anchors: Iterable[tuple[int, bytes]] = (),
    progress: Progress | None = None,
) -> Report:
    """Re-add and re-hash a community's books, in one unchanging picture of them.

    Has to come first in its transaction (see `read.snapshot`). Postings go on meanwhile and are
    not seen. `anchors` are (seq, hash) pairs noted earlier. Memory grows with the accounts, not
    with the journal. Raises `NoJournal`.
    """
    await read.snapshot(conn)
    head = await read.head(conn, community)
    proof = Proof(community, anchors)
    try:
        await _transfers(conn, proof, head, progress)
    except ValueError as error:
        # A row that was changed by hand may hold what no column type understands.
        proof.note(FindingKind.UNREADABLE, proof.seq + 1, stored=str(error))
    async for account in read.all_accounts(conn, community):
        proof.account(account)
    stored = await conn.scalar(
        select(func.count()).select_from(transfer).where(transfer.c.community_id == community)
    )
    return proof.report(head, stored or 0)


async def _transfers(
    conn: AsyncConnection, proof: Proof, head: Head, progress: Progress | None
) -> None:
    """Feed the journal to the proof, and after each chunk compare the reversals in it."""
    done = 0
    async for row in read.transfers(conn, proof.community, chunk=_CHUNK):
        proof.transfer(row)
        done += 1
        if done % _CHUNK == 0:
            await _reversals(conn, proof)
            if progress is not None:
                progress(done, head.seq)
    proof.entry_ends()
    await _reversals(conn, proof)
    if progress is not None:
        progress(done, head.seq)


async def _reversals(conn: AsyncConnection, proof: Proof) -> None:
    named = {rows[0].reverses_id for rows in proof.reversals}
    if named:
        originals = await read.posted(conn, proof.community, [id for id in named if id])
        check_reversals(proof, originals)
