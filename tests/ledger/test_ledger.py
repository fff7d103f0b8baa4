"""The ledger for many callers at once: what they are told is what is kept, whatever happens.

Several `Ledger`s on one database stand for several processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger import AccountKind, Minutes, Posted, Refused, Verdict
from ledger.errors import (
    AccountClosed,
    AlreadyReversed,
    FloorReached,
    KeyReused,
    NoJournal,
    UnknownAccount,
)
from ledger.sql import Ledger, read, store
from ledger.sql.trouble import ConnectionLost
from ledger.sql.verify import verify
from tests.ledger.making import ANA, BEN, CAT, COMMONS, DAY, HERE, after, entry, posted
from tests.ledger.test_concurrency import open_books


@dataclass
class Door:
    """Opens transactions, counts them, and can break one as a network does."""

    engine: AsyncEngine
    opened: int = 0
    break_before: bool = False
    break_after: bool = False
    locks: list[int] = field(default_factory=list)

    @asynccontextmanager
    async def write(self, _community: UUID) -> AsyncIterator[AsyncConnection]:
        self.opened += 1
        async with self.engine.connect() as conn:
            if self.engine.dialect.name == "sqlite":
                await conn.begin()
            yield conn
            if self.break_before:
                self.break_before = False
                raise ConnectionLost
            if conn.in_transaction():
                await conn.commit()
        if self.break_after:
            self.break_after = False
            raise ConnectionLost


@pytest.fixture
async def door(engine: AsyncEngine) -> Door:
    await open_books(engine, HERE)
    return Door(engine)


async def at_once(*work: object) -> list[Verdict]:
    return list(await asyncio.wait_for(asyncio.gather(*work), 60))  # type: ignore[call-overload]


async def assert_sound(engine: AsyncEngine, transfers: int) -> None:
    async with engine.connect() as conn:
        report = await verify(conn, HERE)
    assert report.sound, [str(finding) for finding in report.findings]
    assert report.transfers == transfers


async def balances(engine: AsyncEngine, *ids: UUID) -> list[int]:
    async with engine.connect() as conn:
        found = await read.accounts(conn, HERE, ids)
    return [found[id].balance.count for id in ids]


async def test_each_is_told_what_was_kept_of_their_own_entry(door: Door) -> None:
    ledger = Ledger(door.write)
    verdicts = await at_once(
        *(ledger.post(HERE, entry(n, (ANA, (BEN, CAT)[n % 2], n + 1)), after(1)) for n in range(50))
    )
    for n, verdict in enumerate(verdicts):
        assert posted(verdict).entry_id == entry(n).id
        assert posted(verdict).transfers[0].minutes == Minutes(n + 1)
    assert door.opened <= 5, "they did not share transactions"
    assert await balances(door.engine, ANA) == [-sum(range(1, 51))]
    await assert_sound(door.engine, 50)


async def test_one_after_another_nothing_has_to_be_read_again(door: Door) -> None:
    ledger = Ledger(door.write)
    for n in range(3):
        posted(await ledger.post(HERE, entry(n, (ANA, BEN, 5)), after(n)))
    posted(await ledger.post(HERE, entry(9, (CAT, COMMONS, 5)), after(9)))
    assert door.opened == 4, "a guess that held takes one transaction"
    await assert_sound(door.engine, 4)


async def test_the_same_entry_again_is_answered_the_same_and_posted_once(door: Door) -> None:
    ledger = Ledger(door.write)
    first = posted(await ledger.post(HERE, entry(1, (ANA, BEN, 5)), after(1)))
    again = await at_once(
        *(ledger.post(HERE, entry(1, (ANA, BEN, 5)), after(2)) for _ in range(20)),
        ledger.post(HERE, entry(1, (ANA, BEN, 6)), after(2)),
    )
    for verdict in again[:20]:
        assert posted(verdict).replayed
        assert posted(verdict).transfers == first.transfers
    assert isinstance(again[20], Refused)
    assert isinstance(again[20].error, KeyReused)
    await assert_sound(door.engine, 1)


async def test_a_floor_holds_however_many_try_in_however_many_processes(
    engine: AsyncEngine,
) -> None:
    await open_books(engine, HERE, floor=-200)
    ledgers = [Ledger(Door(engine).write) for _ in range(3)]
    verdicts = await at_once(
        *(
            ledgers[n % 3].post(HERE, entry(n, (ANA, (BEN, CAT)[n % 2], 7)), after(1))
            for n in range(90)
        )
    )
    refused = [verdict.error for verdict in verdicts if isinstance(verdict, Refused)]
    assert len(refused) == 90 - 200 // 7
    assert {type(error) for error in refused} == {FloorReached}
    await assert_sound(engine, 200 // 7)


async def test_several_processes_never_lose_each_others_postings(door: Door) -> None:
    ledgers = [Ledger(Door(door.engine).write) for _ in range(3)]

    async def one_by_one(ledger: Ledger, numbers: range) -> None:
        for n in numbers:
            posted(await ledger.post(HERE, entry(n, (ANA, BEN, 1), (BEN, CAT, 1)), after(1)))

    await asyncio.gather(
        *(one_by_one(ledgers[n % 3], range(1000 * n, 1000 * n + 10)) for n in range(12))
    )
    assert await balances(door.engine, ANA, BEN, CAT) == [-120, 0, 120]
    await assert_sound(door.engine, 240)


async def test_a_floor_set_meanwhile_holds_for_the_next_posting(door: Door) -> None:
    ledger = Ledger(door.write)
    posted(await ledger.post(HERE, entry(1, (ANA, BEN, 5)), after(1)))
    async with door.engine.begin() as conn:
        await store.set_floor(conn, HERE, [ANA], Minutes(-10))
    verdict = await ledger.post(HERE, entry(2, (ANA, BEN, 6)), after(2))
    assert isinstance(verdict, Refused)
    assert isinstance(verdict.error, FloorReached)
    async with door.engine.begin() as conn:
        await store.close_account(conn, HERE, BEN, after(3))
    verdict = await ledger.post(HERE, entry(3, (ANA, BEN, 1)), after(4))
    assert isinstance(verdict, Refused)
    assert isinstance(verdict.error, AccountClosed)
    await assert_sound(door.engine, 1)


async def test_many_floors_are_set_at_once_or_none(door: Door) -> None:
    async with door.engine.begin() as conn:
        await store.set_floors(conn, HERE, {ANA: Minutes(-3), BEN: None, CAT: Minutes(-1)})
    with pytest.raises(UnknownAccount):
        async with door.engine.begin() as conn:
            await store.set_floors(conn, HERE, {ANA: Minutes(-9), UUID(int=99): None})
    ledger = Ledger(door.write)
    for number, (source, minutes, fine) in enumerate(
        ((ANA, 4, False), (ANA, 3, True), (CAT, 2, False), (BEN, 50, True)), start=1
    ):
        destination = CAT if source == BEN else BEN
        verdict = await ledger.post(HERE, entry(number, (source, destination, minutes)), after(1))
        assert isinstance(verdict, Refused) is not fine, (source, minutes)


async def test_an_entry_is_reversed_once_however_many_ask(door: Door) -> None:
    ledger = Ledger(door.write)
    original = entry(1, (ANA, BEN, 5), (BEN, CAT, 5))
    posted(await ledger.post(HERE, original, after(1)))
    verdicts = await at_once(
        *(
            ledger.post(HERE, original.reversal(entry(n).id, DAY, bytes(32)), after(2))
            for n in range(2, 12)
        )
    )
    refused = [verdict.error for verdict in verdicts if isinstance(verdict, Refused)]
    assert [type(error) for error in refused] == [AlreadyReversed] * 9
    await assert_sound(door.engine, 4)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_connection_lost_around_commit_neither_loses_nor_doubles(
    door: Door, moment: str, known: bool
) -> None:
    ledger = Ledger(door.write)
    if known:
        posted(await ledger.post(HERE, entry(1, (ANA, BEN, 5)), after(1)))
    setattr(door, f"break_{moment}", True)
    verdicts = await at_once(
        *(ledger.post(HERE, entry(n, (ANA, BEN, 5)), after(2)) for n in range(2, 6))
    )
    assert all(isinstance(verdict, Posted) for verdict in verdicts)
    await assert_sound(door.engine, 4 + known)


async def test_posting_goes_on_though_all_callers_left(door: Door) -> None:
    ledger = Ledger(door.write)
    work = [
        asyncio.create_task(ledger.post(HERE, entry(n, (ANA, BEN, 1)), after(1))) for n in range(8)
    ]
    await asyncio.sleep(0)
    for task in work:
        task.cancel()
    await ledger.drain()
    await assert_sound(door.engine, 8)


async def test_many_of_one_caller_are_posted_in_their_order(door: Door) -> None:
    ledger = Ledger(door.write)
    verdicts: Sequence[Verdict] = await ledger.post_all(
        HERE, [entry(n, (ANA, BEN, 1)) for n in range(40)], after(1)
    )
    assert [posted(verdict).transfers[0].seq for verdict in verdicts] == list(range(1, 41))


async def test_a_community_without_a_journal_is_refused_and_hinders_nobody(door: Door) -> None:
    ledger = Ledger(door.write)
    with pytest.raises(NoJournal):
        await ledger.post(UUID(int=99), entry(1, (ANA, BEN, 1)), after(1))
    posted(await ledger.post(HERE, entry(1, (ANA, BEN, 1)), after(1)))


async def test_accounts_opened_for_the_first_time_are_met(door: Door) -> None:
    ledger = Ledger(door.write)
    posted(await ledger.post(HERE, entry(1, (ANA, BEN, 1)), after(1)))
    newcomer = UUID(int=0xDD)
    refused = await ledger.post(HERE, entry(2, (ANA, newcomer, 1)), after(1))
    assert isinstance(refused, Refused)
    async with door.engine.begin() as conn:
        await store.open_account(conn, HERE, newcomer, AccountKind.MEMBER, after(2))
    posted(await ledger.post(HERE, entry(2, (ANA, newcomer, 1)), after(3)))
