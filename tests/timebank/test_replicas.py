"""Several database servers: reading from a replica, finding the primary, waiting for the standby.

A real primary and a real standby that streams from it. The program signs in as a role of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import AccountKind, Minutes, Posted
from ledger.sql import Ledger, read, store
from tests.conftest import OWNER, PROGRAM, complete
from tests.infrastructure import replication
from tests.infrastructure.postgres import Server
from tests.infrastructure.replication import Pair, ask
from tests.ledger.making import ANA, BEN, HERE, NOON, entry
from tests.web.town import built
from timebank import migrate
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database, NotReplicated
from timebank.replicas import MOST_BEHIND, Replicas
from timebank.servers import Host, NoServer, Servers, hosts, spelled_out

_numbers = itertools.count()
TEMPLATE = "migrated"


def begun(pair: Pair, data: Path) -> Pair:
    """The roles, and a migrated database to copy."""
    server = Server(pair.primary.address, pair.primary.programs)
    complete(server.create_roles(OWNER, PROGRAM))
    complete(server.create_database(TEMPLATE, owner=OWNER))
    migrate.upgrade(_settings(pair, TEMPLATE, data))
    return pair


def _settings(pair: Pair, database: str, data: Path) -> Settings:
    return Settings(
        data=data,
        database_url=pair.url(database, PROGRAM),
        owner_url=pair.url(database, OWNER),
        replica_url=pair.standby_url(database, PROGRAM),
    )


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A primary and its asynchronous standby."""
    with replication.running(synchronous=False) as both:
        yield begun(both, tmp_path_factory.mktemp("pair"))


@pytest.fixture
def settings(pair: Pair, tmp_path: Path) -> Settings:
    """Settings with both servers, and a database of the test's own that both have."""
    name = f"replicated_{next(_numbers)}"
    server = Server(pair.primary.address, pair.primary.programs)
    complete(server.create_database(name, TEMPLATE, owner=OWNER))
    pair.await_streaming()
    return _settings(pair, name, tmp_path)


@pytest.fixture
async def db(settings: Settings) -> AsyncIterator[Database]:
    """The program's database, with a replica."""
    async with opened(settings) as found:
        yield found


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings)
    try:
        await database.start()
        yield database
    finally:
        await database.stop()


async def on_replica(conn: AsyncConnection) -> bool:
    """Whether the server behind this connection follows another."""
    return bool((await conn.execute(text("SELECT pg_is_in_recovery()"))).scalar_one())


async def begin(db: Database, community: UUID = HERE) -> None:
    """Open a book with Ana and Ben in it."""
    async with db.write(community) as conn:
        await store.open_journal(conn, community, NOON)
        for account in (ANA, BEN):
            await store.open_account(conn, community, account, AccountKind.MEMBER, NOON)


async def post(db: Database, number: int, community: UUID = HERE) -> None:
    async with db.posting(community) as conn:
        (verdict,) = await store.post(conn, community, [entry(number, (ANA, BEN, 1))], NOON)
        assert isinstance(verdict, Posted)


# ── Looking ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_report_is_read_from_the_replica_and_a_decision_never(db: Database) -> None:
    async with db.look(EVERYWHERE) as conn:
        assert await on_replica(conn)
    for opens in (db.read, db.write):
        async with opens(EVERYWHERE) as conn:
            assert not await on_replica(conn)
    async with db.posting(HERE) as conn:
        assert not await on_replica(conn)


async def test_without_a_replica_a_look_is_a_read(settings: Settings) -> None:
    async with opened(replace(settings, replica_url="")) as db, db.look(EVERYWHERE) as conn:
        assert not await on_replica(conn)


async def test_whoever_posts_finds_it_in_the_next_look(db: Database) -> None:
    await begin(db)
    from_the_replica = 0
    for number in range(1, 60):
        await post(db, number)
        async with db.look(HERE) as conn:
            assert await read.balance(conn, HERE, BEN) == Minutes(number)
            from_the_replica += await on_replica(conn)
    assert from_the_replica, "the primary was read every time"


async def test_what_others_wrote_is_seen_soon(settings: Settings, db: Database) -> None:
    await begin(db)
    async with opened(settings) as other:
        async with other.look(HERE) as conn:
            assert await read.balance(conn, HERE, BEN) == Minutes(0)
        await post(db, 1)
        await asyncio.sleep(MOST_BEHIND)
        async with other.look(HERE) as conn:
            assert await read.balance(conn, HERE, BEN) == Minutes(1)


async def test_a_replica_that_is_cut_off_is_left_alone(
    db: Database, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timebank.replicas.MOST_BEHIND", 60)
    await begin(db)
    async with db.look(HERE) as conn:
        assert await on_replica(conn)
    await asyncio.to_thread(pair.cut_off)
    try:
        for number in range(1, 4):
            await post(db, number)
            async with db.look(HERE) as conn:
                assert not await on_replica(conn)
                assert await read.balance(conn, HERE, BEN) == Minutes(number)
    finally:
        await asyncio.to_thread(pair.let_hear)
        await asyncio.to_thread(pair.await_streaming)


async def test_a_replica_that_dies_is_left_alone_and_found_again(
    db: Database, pair: Pair, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timebank.replicas.REST", 0.2)
    async with db.look(EVERYWHERE) as conn:
        assert await on_replica(conn)
    await asyncio.to_thread(pair.standby.kill)
    try:
        with caplog.at_level(logging.WARNING, "timebank.replicas"):
            for _ in range(3):
                async with db.look(EVERYWHERE) as conn:
                    assert not await on_replica(conn)
        assert "no replica to read from" in caplog.text
    finally:
        await asyncio.to_thread(pair.standby.start)
        await asyncio.to_thread(pair.await_streaming)
    await asyncio.sleep(0.3)
    async with db.look(EVERYWHERE) as conn:
        assert await on_replica(conn)


async def test_a_look_keeps_to_its_community_and_writes_nothing(db: Database) -> None:
    there = uuid4()
    for community in (HERE, there):
        await begin(db, community)
    everything = text("SELECT community_id FROM account")  # forgets to say whose
    for community in (HERE, there, HERE):
        async with db.look(community) as conn:
            assert await on_replica(conn)
            assert set((await conn.execute(everything)).scalars()) == {community}
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with db.look(HERE) as conn:
            await conn.execute(text("UPDATE account SET floor = 0"))


async def test_an_answer_that_was_under_way_while_we_wrote_is_not_believed(db: Database) -> None:
    """It may be from before what we wrote, so the next look has to ask anew."""
    engine = db.engines[0]
    replicas = Replicas(engine, primary=engine)

    def write_meanwhile(*_: Any) -> None:
        replicas.wrote()

    event.listen(engine.sync_engine, "after_cursor_execute", write_meanwhile)
    try:
        early = await replicas.wanted()
    finally:
        event.remove(engine.sync_engine, "after_cursor_execute", write_meanwhile)
    await begin(db)
    late = await replicas.wanted()
    assert late != early

    await begin(db, uuid4())
    assert await replicas.wanted() == late, "asked again though nothing was written through it"
    replicas.wrote()
    assert await replicas.wanted() != late


@pytest.mark.parametrize("page", ["statement", "statement?as=csv", "commons", "books"])
async def test_statements_and_books_are_pages_of_the_replica(settings: Settings, page: str) -> None:
    async with built(replace(settings, base_url="http://127.0.0.1:8000")) as town:
        entry = await town.record("Ana", "Jorge", 90)
        await town.approve(entry)
        asked: list[str] = []
        *_, replica = town.db.engines
        assert isinstance(town.db, Database)

        def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
            asked.append(statement)

        event.listen(replica.sync_engine, "before_cursor_execute", note)
        shown = await town.get("Ana", page)
        assert shown.status_code == 200
        assert asked, "nobody asked the replica"
        if page != "books":
            assert "1:30" in (await town.get("Ana", "statement")).text


# ── Which server is the primary ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("postgresql+asyncpg://u:p%40@a/db", [("a", 5432)]),
        ("postgresql+asyncpg://u@a:7/db", [("a", 7)]),
        ("postgresql+asyncpg://u:p%40@a,b:5433/db?ssl=require", [("a", 5432), ("b", 5433)]),
        ("postgresql+asyncpg://[::1]:5,b/db", [("::1", 5), ("b", 5432)]),
        ("postgresql+asyncpg://u@/db?host=a,b", [("a", 5432), ("b", 5432)]),
        ("postgresql+asyncpg://u@/db?host=a,b&port=6", [("a", 6), ("b", 6)]),
        ("postgresql+asyncpg://u@/db?host=/x,/y&port=1,2", [("/x", 1), ("/y", 2)]),
        ("postgresql+asyncpg://u@/db?host=a:1&host=b:2", [("a", 1), ("b", 2)]),
    ],
)
def test_servers_may_be_named_in_every_usual_way(given: str, named: list[tuple[str, int]]) -> None:
    url = make_url(spelled_out(given))
    assert hosts(url) == [Host(*one) for one in named]
    assert hosts(make_url(spelled_out(str(url.render_as_string(False))))) == hosts(url)
    assert url.database == "db"
    assert url.password == make_url(given.replace(",b:5433", "").replace(":5,b", "")).password
    assert (url.query.get("target_session_attrs") == "read-write") == (len(named) > 1)
    assert (url.query.get("ssl") == "require") == ("ssl" in given)


@pytest.mark.parametrize("given", ["?host=a,b,c&port=1,2", "?host=a,b&port=one,two", "?host=a:b,c"])
def test_servers_that_cannot_be_read_are_refused_at_the_start(given: str) -> None:
    with pytest.raises(ValueError, match="database URL"):
        Settings.from_env({"TIMEBANK_DATABASE_URL": f"postgresql://u@/db{given}"}).url  # noqa: B018


async def test_the_replica_is_not_taken_for_the_primary(settings: Settings, pair: Pair) -> None:
    with pytest.raises(NoServer, match=r"none of 2 .* written to"):
        one = make_url(settings.replicas_url).query
        url = make_url(settings.replicas_url).set(
            query={"host": f"{one['host']},{one['host']}", "port": f"{one['port']},{one['port']}"}
        )
        await Servers(url.render_as_string(False)).primary({})
    with pytest.raises(NoServer, match=r"none of 2 .* standby"):
        here = str(pair.primary.root)
        await Servers(
            f"postgresql+asyncpg://{PROGRAM}@/postgres?host={here},{here}&port=5432,1"
        ).standby({})


async def test_a_standby_that_has_not_heard_of_the_database_is_left_alone(pair: Pair) -> None:
    """As in the moments after it was made, or restored."""
    await asyncio.to_thread(pair.cut_off)
    try:
        name = f"unheard_of_{next(_numbers)}"
        await Server(pair.primary.address, pair.primary.programs).create_database(name, owner=OWNER)
        url = spelled_out(pair.url(name, OWNER).replace("://", "+asyncpg://"))
        connection = await Servers(url).primary({})
        try:
            assert not await connection.fetchval("SELECT pg_is_in_recovery()")
        finally:
            await connection.close()
    finally:
        await asyncio.to_thread(pair.let_hear)
        await asyncio.to_thread(pair.await_streaming)


async def test_a_server_that_says_nothing_delays_nobody_for_long(pair: Pair) -> None:
    """As a machine that was switched off, which does not even refuse."""
    here = pair.primary
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"host=127.0.0.1,{here.root}&port={silent.getsockname()[1]},{here.port}"
        async with asyncio.timeout(4):
            connection = await Servers(f"postgresql+asyncpg://postgres@/postgres?{where}").primary(
                {}
            )
        await connection.close()
        await asyncio.sleep(0)


async def test_a_former_primary_that_comes_back_is_left_alone(tmp_path: Path) -> None:
    with replication.running(synchronous=False) as pair:
        servers = Servers(spelled_out(pair.url("postgres").replace("://", "+asyncpg://")))
        pair.kill_primary()
        pair.promote()
        pair.standby.start()
        for fresh in (True, False) * 3:
            if fresh:
                servers = Servers(spelled_out(pair.url("postgres").replace("://", "+asyncpg://")))
            connection = await servers.primary({})
            try:
                assert await connection.fetchval("SHOW port") == str(pair.primary.port)
            finally:
                await connection.close()
        pair.primary.kill()
        with pytest.raises(NoServer, match="former primary"):
            await servers.primary({})


# ── Waiting for the standby ──────────────────────────────────────────────────────────────────────


async def test_a_commit_that_stopped_waiting_for_the_standby_is_not_a_yes(tmp_path: Path) -> None:
    """PostgreSQL calls it committed, when somebody ends the waiting. It is not safe, though."""
    with replication.running(synchronous=True) as pair:
        await asyncio.to_thread(begun, pair, tmp_path)
        async with opened(replace(_settings(pair, TEMPLATE, tmp_path), replica_url="")) as db:
            await begin(db)
            await asyncio.to_thread(pair.cut_off)
            with pytest.raises(NotReplicated):
                await asyncio.gather(post(db, 1), stop_waiting(pair))

            ledger = Ledger(db.posting)
            posting = asyncio.create_task(ledger.post(HERE, entry(1, (ANA, BEN, 1)), NOON))
            await stop_waiting(pair)
            done, _ = await asyncio.wait([posting], timeout=0.5)
            assert not done, "acknowledged, though only the primary has it"

            await asyncio.to_thread(pair.let_hear)
            verdict = await asyncio.wait_for(posting, 20)
            assert isinstance(verdict, Posted)
            assert verdict.replayed
        assert ask(pair.standby, "SELECT count(*) FROM transfer", TEMPLATE) == 1


async def stop_waiting(pair: Pair) -> None:
    """As an operator might, or a time limit: end what waits for the standby."""
    waits = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    for _ in range(500):
        if await asyncio.to_thread(
            ask, pair.primary, f"SELECT count(pg_cancel_backend(pid)) {waits}"
        ):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("nobody waits for the standby")
