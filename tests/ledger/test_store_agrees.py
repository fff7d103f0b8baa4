"""SQLite and PostgreSQL answer and keep what the in-memory journal does, step by step.

Each of these bugs was planted and seen to turn this test red; `tests/ledger/planted_bugs.py` holds
them, and `python -m tests.ledger.planted_bugs` plants them again:

 1. what is to be reversed is not loaded
 2. earlier reversals are not loaded
 3. on SQLite, an account of another community is found
 4. on SQLite, an entry of another community is found
 5. on PostgreSQL, a closed account is loaded as open
 6. on PostgreSQL, balances are settled at what they were
 7. setting floors leaves the last account out
 8. pages repeat the line they begin before
 9. a period begins after its first moment
10. a balance as of a moment misses that moment
11. the journal is read back from one row too far
12. on SQLite, microseconds are lost
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ledger import AccountKind, JournalEntry, Line, Minutes, Statement, Verdict
from ledger.errors import UnknownAccount
from ledger.sql import read, store
from ledger.sql.verify import verify
from tests.infrastructure.postgres import Server
from tests.ledger import databases
from tests.ledger.bank import Bank, new_id
from tests.ledger.making import NOON

Step = Callable[[AsyncConnection], Coroutine[Any, Any, Any]]


@dataclass
class Stores:
    """The two databases, and the loop their engines live on."""

    runner: asyncio.Runner
    engines: Sequence[AsyncEngine]

    def take(self, step: Step) -> list[Any]:
        """Take a step in a transaction on each database; what each answered."""
        return [self.runner.run(_committed(engine, step)) for engine in self.engines]

    def take_back(self, step: Step) -> None:
        """Take a step on each database, and roll it back."""
        for engine in self.engines:
            self.runner.run(_rolled_back(engine, step))


class StoredBank(Bank):
    """The bank, with every step taken on both databases too."""

    stores: Stores

    @rule(which=st.integers(0, 1), data=st.data())
    def post_and_roll_back(self, which: int, data: st.DataObject) -> None:
        """What is not committed was never there."""
        community = self.communities[which]
        entries = data.draw(st.lists(self.any_entry(community), min_size=1, max_size=3))
        self.stores.take_back(lambda conn: store.post(conn, community, entries, self.now))

    @rule(which=st.integers(0, 1))
    def change_an_account_that_is_not_there(self, which: int) -> None:
        community, id = self.communities[which], new_id()
        for step in (
            lambda conn: store.set_floor(conn, community, [id], None),
            lambda conn: store.close_account(conn, community, id, self.now),
            lambda conn: store.reopen_account(conn, community, id),
            lambda conn: read.balance(conn, community, id),
            lambda conn: read.balance_at(conn, community, id, self.now),
        ):
            for refusal in self.stores.take(_refusal_of(step)):
                assert refusal == UnknownAccount(id)

    @precondition(lambda self: any(book.transfers for book in self.journals.values()))
    @rule(data=st.data(), hours=st.integers(-2, 12), limit=st.integers(1, 4))
    def read_a_statement(self, data: st.DataObject, hours: int, limit: int) -> None:
        """Pages, periods and balances of any moment, each on its own path."""
        community, id = data.draw(
            st.sampled_from(
                [
                    (community, id)
                    for community, book in self.journals.items()
                    for id in book.accounts
                ]
            )
        )
        book = self.journals[community]
        moments = sorted({NOON, *(row.posted_at for row in book.transfers), self.now})
        start, end = sorted(data.draw(st.tuples(*[st.sampled_from(moments)] * 2)))
        expected = book.statement(id, start, end)
        until = book.statement(id, None, start)
        for found in self.stores.take(lambda conn: read.statement(conn, community, id, start, end)):
            assert found == expected
        for found in self.stores.take(lambda conn: _paged(conn, community, id, limit)):
            assert found == list(book.statement(id).lines[::-1])
        for found in self.stores.take(lambda conn: read.balance_at(conn, community, id, start)):
            assert found == _closing_with(book.statement(id), until, start)

    @invariant()
    def both_databases_hold_the_same_books(self) -> None:
        for community, book in self.journals.items():
            for head, accounts, transfers, totals in self.stores.take(
                lambda conn, community=community: _everything(conn, community)  # type: ignore[misc]
            ):
                assert accounts == book.accounts
                assert transfers == book.transfers
                assert (head.seq, head.hash) == (book.head.seq, book.head.hash)
                assert totals in (0, len(book.accounts))

    @invariant()
    def both_databases_verify(self) -> None:
        for community, book in self.journals.items():
            anchors = [(0, book.transfers[0].previous)] if book.transfers else []
            for report in self.stores.take(
                lambda conn, community=community, anchors=anchors: verify(  # type: ignore[misc]
                    conn, community, anchors=anchors
                )
            ):
                assert report.sound, [str(finding) for finding in report.findings]
                assert report.transfers == len(book.transfers)
                assert (report.seq, report.hash) == (book.head.seq, book.head.hash)

    def also_begin(self) -> None:
        for community in self.communities:
            self.stores.take(
                lambda conn, community=community: store.open_journal(  # type: ignore[misc]
                    conn, community, NOON
                )
            )

    def also_open(self, community: UUID, id: UUID, floor: Minutes | None) -> None:
        self.stores.take(
            lambda conn: store.open_account(
                conn, community, id, AccountKind.MEMBER, self.now, floor=floor
            )
        )

    def also_set_floor(self, community: UUID, ids: Sequence[UUID], floor: Minutes | None) -> None:
        self.stores.take(lambda conn: store.set_floor(conn, community, ids, floor))

    def also_close(self, community: UUID, id: UUID, close: bool) -> None:
        if close:
            self.stores.take(lambda conn: store.close_account(conn, community, id, self.now))
        else:
            self.stores.take(lambda conn: store.reopen_account(conn, community, id))

    def also_post(
        self, community: UUID, entries: Sequence[JournalEntry], verdicts: Sequence[Verdict]
    ) -> None:
        for answers in self.stores.take(
            lambda conn: store.post(conn, community, entries, self.now)
        ):
            assert answers == list(verdicts)


def test_both_databases_agree_with_the_journal(postgres_server: Server, tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        url = runner.run(postgres_server.create_database("agrees"))
        engines = (databases.sqlite(tmp_path / "agrees.sqlite"), databases.postgres(url))
        try:
            for engine in engines:
                runner.run(databases.make_tables(engine))
            machine = type("Machine", (StoredBank,), {"stores": Stores(runner, engines)})
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=25,
                    stateful_step_count=15,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            for engine in engines:
                runner.run(engine.dispose())
            runner.run(postgres_server.drop_database("agrees"))


async def _committed(engine: AsyncEngine, step: Step) -> Any:
    async with engine.begin() as conn:
        return await step(conn)


async def _rolled_back(engine: AsyncEngine, step: Step) -> None:
    async with engine.connect() as conn:
        await step(conn)
        await conn.rollback()


def _refusal_of(step: Step) -> Step:
    async def refused(conn: AsyncConnection) -> Exception | None:
        try:
            await step(conn)
        except UnknownAccount as error:
            return error
        return None

    return refused


async def _everything(conn: AsyncConnection, community: UUID) -> tuple[Any, ...]:
    """The whole book, as it is read back."""
    await read.snapshot(conn)
    totals = await read.totals(conn, community)
    assert sum((total.balance for total in totals.values()), Minutes(0)) == Minutes(0)
    return (
        await read.head(conn, community),
        {account.id: account async for account in read.all_accounts(conn, community, chunk=2)},
        [row async for row in read.transfers(conn, community, chunk=3)],
        sum(total.accounts for total in totals.values()),
    )


async def _paged(conn: AsyncConnection, community: UUID, account: UUID, limit: int) -> list[Line]:
    """All lines, newest first, read page by page."""
    found: list[Line] = []
    before = None
    while page := await read.page(conn, community, account, before_line=before, limit=limit):
        assert len(page) <= limit
        assert before is None or page[0].number < before
        found.extend(page)
        before = page[-1].number
    return found


def _closing_with(whole: Statement, until: Statement, moment: object) -> Minutes:
    """The balance after what was posted in that very moment, too."""
    balance = until.closing
    for line in whole.lines:
        if line.posted_at == moment:
            balance = line.balance
    return balance
