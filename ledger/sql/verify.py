"""Verifying the books as they are stored: reads everything, changes nothing.

It shares no arithmetic with posting: `ledger.proof` re-adds and re-hashes what is read here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.journal import Head
from ledger.proof import Proof, Report, check_reversals
from ledger.sql import raw, read
from ledger.sql.tables import transfer

Progress = Callable[[int, int], None]
"""Told how many transfers were read, and how many there are."""


async def verify(
    conn: AsyncConnection,
    community: UUID,
    *,
    anchors: Iterable[tuple[int, bytes]] = (),
    progress: Progress | None = None,
    snapshot: bool = True,
) -> Report:
    """Re-add and re-hash a community's books, in one unchanging picture of them.

    Has to come first in its transaction (see `read.snapshot`); without `snapshot`, it is for
    whoever wrote all of the books in this very transaction. Postings go on meanwhile and are not
    seen. `anchors` are (seq, hash) pairs noted earlier, as `Proof` takes them. Memory grows
    with the accounts, not with the journal. Raises `NoJournal`.
    """
    if snapshot:
        await read.snapshot(conn)
    head = await read.head(conn, community)
    proof = Proof(community, anchors)
    await _transfers(conn, proof, head, progress)
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
    async for rows in raw.journal(conn, proof.community):
        for row in rows:
            proof.transfer(row)
        await _reversals(conn, proof)
        if progress is not None and proof.transfers != head.seq:
            progress(proof.transfers, head.seq)
    proof.entry_ends()
    await _reversals(conn, proof)
    if progress is not None:
        progress(proof.transfers, head.seq)


async def _reversals(conn: AsyncConnection, proof: Proof) -> None:
    named = {reverses for rows in proof.reversals if (reverses := rows[0].reverses_id)}
    if named:
        check_reversals(proof, await raw.entries(conn, proof.community, named))
