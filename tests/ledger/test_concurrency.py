"""Many at once: floors hold, a key posts once, nobody waits for ever, and no minute is lost.

The writers are connections of their own, as of several processes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable, Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger import AccountKind, JournalEntry, Minutes, Posted, Refused, Verdict
from ledger.errors import AccountClosed, AlreadyReversed, FloorReached
from ledger.sql import read, store
from ledger.sql.verify import verify
from tests.ledger.databases import statements
from tests.ledger.making import ANA, BEN, CAT, COMMONS, DAY, HERE, NOON, after, entry

THERE = UUID(int=0xC1)
EVERYONE = (ANA, BEN, CAT, COMMONS)


async def open_books(engine: AsyncEngine, *communities: UUID, floor: int | None = None) -> None:
    lowest = None if floor is None else Minutes(floor)
    async with engine.begin() as conn:
        for community in communities:
            await store.open_journal(conn, community, NOON)
            for account in EVERYONE:
                await store.open_account(
                    conn, community, account, AccountKind.MEMBER, NOON, floor=lowest
                )


async def post(
    engine: AsyncEngine, *entries: JournalEntry, community: UUID = HERE
) -> list[Verdict]:
    async with engine.begin() as conn:
        return await store.post(conn, community, entries, after(1))


async def at_once(waiting: Iterable[Awaitable[list[Verdict]]]) -> list[Verdict]:
    answered = await asyncio.wait_for(asyncio.gather(*waiting), timeout=60)
    return [verdict for verdicts in answered for verdict in verdicts]


async def assert_sound(engine: AsyncEngine, *communities: UUID) -> None:
    for community in communities:
        async with engine.connect() as conn:
            report = await verify(conn, community)
            assert report.sound, [str(finding) for finding in report.findings]


async def test_a_hundred_spend_one_account_down_to_its_floor(engine: AsyncEngine) -> None:
    await open_books(engine, HERE, floor=-200)
    verdicts = await at_once(
        post(engine, entry(n, (ANA, (BEN, CAT, COMMONS)[n % 3], 5))) for n in range(100)
    )
    refused = [verdict.error for verdict in verdicts if isinstance(verdict, Refused)]
    assert len(refused) == 60
    assert {type(error) for error in refused} == {FloorReached}
    async with engine.connect() as conn:
        assert await read.balance(conn, HERE, ANA) == Minutes(-200)
    await assert_sound(engine, HERE)


async def test_twenty_post_one_entry_and_it_is_posted_once(engine: AsyncEngine) -> None:
    await open_books(engine, HERE)
    give = entry(1, (ANA, BEN, 5), (ANA, CAT, 5))
    verdicts = await at_once(post(engine, give) for _ in range(20))
    posted = [verdict for verdict in verdicts if isinstance(verdict, Posted)]
    assert Counter(verdict.replayed for verdict in posted) == {True: 19, False: 1}
    assert len({verdict.transfers for verdict in posted}) == 1
    await assert_sound(engine, HERE)


async def test_twenty_undo_one_entry_and_it_is_undone_once(engine: AsyncEngine) -> None:
    await open_books(engine, HERE)
    give = entry(1, (ANA, BEN, 5))
    await post(engine, give)
    verdicts = await at_once(
        post(engine, give.reversal(entry(n).id, DAY, bytes(32))) for n in range(2, 22)
    )
    assert sum(isinstance(verdict, Posted) for verdict in verdicts) == 1
    errors = [verdict.error for verdict in verdicts if isinstance(verdict, Refused)]
    assert {type(error) for error in errors} == {AlreadyReversed}
    await assert_sound(engine, HERE)


async def test_hours_that_cross_each_other_do_not_block(engine: AsyncEngine) -> None:
    await open_books(engine, HERE, THERE)
    pairs = [(ANA, BEN), (BEN, ANA), (CAT, ANA), (BEN, CAT), (COMMONS, ANA), (CAT, COMMONS)]
    verdicts = await at_once(
        post(
            engine,
            entry(n, (*pairs[n % 6], 5), (*pairs[(n + 1) % 6], 3)),
            community=(HERE, THERE)[n % 2],
        )
        for n in range(60)
    )
    assert all(isinstance(verdict, Posted) for verdict in verdicts)
    await assert_sound(engine, HERE, THERE)


async def test_changing_accounts_and_posting_do_not_block_each_other(engine: AsyncEngine) -> None:
    await open_books(engine, HERE)

    async def change(n: int) -> list[Verdict]:
        async with engine.begin() as conn:
            await store.set_floor(conn, HERE, EVERYONE[:: (-1) ** n], Minutes(-n))
            await store.reopen_account(conn, HERE, EVERYONE[n % 4])
        return []

    async def spend(n: int) -> list[Verdict]:
        return await post(engine, entry(n, (ANA, BEN, 5), (BEN, ANA, 5)))

    waiting = [change(n) if n % 3 else spend(n) for n in range(45)]
    await at_once(waiting)
    await assert_sound(engine, HERE)


async def test_once_an_account_is_closed_nothing_more_is_posted(engine: AsyncEngine) -> None:
    await open_books(engine, HERE)

    async def close() -> list[Verdict]:
        async with engine.begin() as conn:
            await store.close_account(conn, HERE, ANA, after(1))
            lines = (await read.accounts(conn, HERE, [ANA]))[ANA].lines
        closed_at.append(lines)
        return []

    closed_at: list[int] = []
    spending = [post(engine, entry(n, (ANA, BEN, 1))) for n in range(30)]
    verdicts = await at_once([*spending[:15], close(), *spending[15:]])
    errors = [verdict.error for verdict in verdicts if isinstance(verdict, Refused)]
    assert {type(error) for error in errors} <= {AccountClosed}
    async with engine.connect() as conn:
        assert (await read.accounts(conn, HERE, [ANA]))[ANA].lines == closed_at[0]
    await assert_sound(engine, HERE)


async def test_referring_to_an_account_does_not_wait_for_a_posting(
    on_postgres_as_owner: AsyncEngine,
) -> None:
    """Rows of other tables refer to accounts, and new accounts to the journal: no key changes."""
    await open_books(on_postgres_as_owner, HERE)
    async with on_postgres_as_owner.begin() as conn:
        await conn.exec_driver_sql(
            "CREATE TABLE part (community_id uuid, account_id uuid, "
            "FOREIGN KEY (community_id, account_id) REFERENCES account)"
        )
    async with (
        on_postgres_as_owner.connect() as posting,
        on_postgres_as_owner.connect() as referring,
    ):
        await referring.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
        await posting.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
        await store.open_account(referring, HERE, UUID(int=1), AccountKind.MEMBER, NOON)
        await refer(referring, BEN)
        await store.post(posting, HERE, [entry(1, (ANA, BEN, 5))], after(1))
        await refer(referring, ANA)
        await store.open_account(referring, HERE, UUID(int=2), AccountKind.MEMBER, NOON)
        await posting.commit()
        await referring.commit()
    await assert_sound(on_postgres_as_owner, HERE)


async def refer(conn: AsyncConnection, account: UUID) -> None:
    await conn.execute(
        text("INSERT INTO part VALUES (:community, :account)"),
        {"community": HERE, "account": account},
    )


async def test_verifying_meanwhile_sees_one_whole_picture(on_postgres: AsyncEngine) -> None:
    await open_books(on_postgres, HERE)

    async def look() -> list[Verdict]:
        await assert_sound(on_postgres, HERE)
        return []

    await at_once(
        look() if n % 4 == 0 else post(on_postgres, entry(n, (ANA, BEN, 1), (BEN, CAT, 1)))
        for n in range(60)
    )


async def test_posting_takes_the_same_few_statements_for_one_and_for_many(
    engine: AsyncEngine,
) -> None:
    await open_books(engine, HERE)
    counted: list[Sequence[str]] = []
    for batch in ([entry(1, (ANA, BEN, 5))], [entry(n, (ANA, BEN, 1)) for n in range(2, 300)]):
        with statements(engine) as asked:
            await post(engine, *batch)
        counted.append([statement for statement, _ in asked])
    assert counted[0] == counted[1]
    # lock, accounts, what is posted already; then all in one, or head, balances, transfers
    assert len(counted[0]) == {"postgresql": 4, "sqlite": 6}[engine.dialect.name]
