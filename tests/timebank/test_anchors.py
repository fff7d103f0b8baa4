"""Anchors: noted outside of the database, once a month by mail, and what is held against them."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from ledger import JournalEntry, Minutes, Transfer, chain
from ledger.sql import store
from tests.infrastructure.by_hand import by_hand
from tests.timebank.demo_data import Demo
from tests.timebank.factories import a_community, a_member, at
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import anchors, books, members, my_data
from timebank.anchors import Anchor, NotAnAnchor
from timebank.cli import main
from timebank.db import EVERYWHERE, Database
from timebank.entries import entries
from timebank.members import Role, Status
from timebank.moment import Moment
from timebank.outbox import outbox
from timebank.people import people

COORDINATORS = ["carla@example.org", "dora@example.org", "stella@example.org"]


@pytest.fixture
async def place(db: Database) -> MillRoad:
    """Mill Road after its first entry."""
    here = await mill_road(db)
    await here.approve(await here.record(helped(here.ana, here.bert), here.ana))
    return here


async def mails(db: Database) -> list[Any]:
    """The seals in the outbox, by address."""
    query = select(outbox).where(outbox.c.subject.contains("seal")).order_by(outbox.c.to_address)
    async with db.read(EVERYWHERE) as conn:
        return list(await conn.execute(query))


@given(st.integers(0, 10**18 - 1), st.binary(min_size=32, max_size=32), st.integers(8, 32))
def test_an_anchor_is_read_as_it_was_written_whole_or_shortened(
    seq: int, hash: bytes, kept: int
) -> None:
    anchor = Anchor(seq, hash)
    assert anchors.parse(str(anchor)) == anchor
    assert anchors.parse(anchor.on_paper) == Anchor(seq, hash[:10])
    assert anchors.parse(f" {seq} :\n{hash[:kept].hex(' ', 3).upper()}") == Anchor(seq, hash[:kept])


def test_on_paper_it_has_five_groups_of_four() -> None:
    anchor = Anchor(1234, bytes.fromhex("ab12cd34ef567890abcd") + bytes(22))
    assert anchor.on_paper == "1234:ab12 cd34 ef56 7890 abcd"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12",
        "12:",
        ":ab12cd34ef567890",
        "12:ab12cd34ef56789",
        "12:ab12cd34ef5678",
        "-1:" + 16 * "a",
        "12:" + 17 * "a",
        "12:" + 66 * "a",
        "12:" + 16 * "g",
        "１:" + 16 * "a",
        "12:" + 16 * "а",
    ],
)
def test_what_is_no_anchor_is_refused(text: str) -> None:
    with pytest.raises(NotAnAnchor):
        anchors.parse(text)


async def test_coordinators_get_the_seal_once_a_month(place: MillRoad) -> None:
    days = [at(), at(hours=1), at(days=26)]  # 4 May, the same day, 30 May
    assert [await anchors.mail_monthly(place.db, now=now) for now in days] == [3, 0, 0]
    sent = await mails(place.db)
    assert [mail.to_address for mail in sent] == COORDINATORS
    async with place.db.read(place.id) as conn:
        anchor = await anchors.current(conn, place.id)
    assert anchor is not None
    for mail in sent:
        assert anchor.on_paper in mail.body
        assert f"timebank verify --community mill-road --anchor {anchor}" in mail.body
        assert mail.path == "/c/mill-road/books"
    assert await anchors.mail_monthly(place.db, now=at(days=28)) == 3  # 1 June
    assert await anchors.mail_monthly(place.db, now=at(days=1)) == 0  # the clock was put back
    assert len(await mails(place.db)) == 6


async def test_each_coordinator_reads_it_in_their_language(place: MillRoad) -> None:
    async with place.db.write(EVERYWHERE) as conn:
        change = update(people).where(people.c.email == "dora@example.org")
        await conn.execute(change.values(language="es"))
    await anchors.mail_monthly(place.db, now=at())
    async with place.db.read(EVERYWHERE) as conn:
        query = select(outbox).where(outbox.c.to_address == "dora@example.org")
        mail = (await conn.execute(query.order_by(outbox.c.created_at.desc()))).all()
    assert any("el sello de nuestros libros" in one.subject for one in mail)


async def test_where_nothing_is_posted_no_seal_is_sent(db: Database) -> None:
    here = await mill_road(db)
    assert await anchors.mail_monthly(db, now=at()) == 0
    await here.approve(await here.record(helped(here.ana, here.bert), here.ana))
    assert await anchors.mail_monthly(db, now=at(hours=1)) == 3


async def test_coordinators_who_left_and_those_without_mail_get_none(place: MillRoad) -> None:
    async with place.db.write(EVERYWHERE) as conn:
        await a_member(conn, place.id, "Nia Webb", role=Role.COORDINATOR)
        await a_member(
            conn,
            place.id,
            "Omar Hart",
            email="omar@example.org",
            role=Role.COORDINATOR,
            status=Status.LEFT,
        )
    await anchors.mail_monthly(place.db, now=at())
    assert [mail.to_address for mail in await mails(place.db)] == COORDINATORS


async def test_the_month_begins_where_the_community_lives(db: Database) -> None:
    """New Year's eve at 11 in the morning, UTC: in Auckland the year has begun."""
    async with db.write(EVERYWHERE) as conn:
        places = []
        for slug, zone in (("auckland", "Pacific/Auckland"), ("lima", "America/Lima")):
            one = await a_community(conn, slug, name=slug, timezone=zone)
            await a_member(
                conn, one.id, "Carla Rossi", email=f"{slug}@example.org", role=Role.STEWARD
            )
            places.append(one)
    for one in places:
        await post_something(db, one.id)
    day = datetime(2026, 12, 30, 9, tzinfo=UTC)
    assert await anchors.mail_monthly(db, now=Moment(day)) == 2
    assert await anchors.mail_monthly(db, now=Moment(day.replace(day=31, hour=11))) == 1
    assert [mail.to_address for mail in await mails(db)][:2] == 2 * ["auckland@example.org"]
    assert await anchors.mail_monthly(db, now=Moment(datetime(2027, 1, 1, 6, tzinfo=UTC))) == 1


async def post_something(db: Database, community: UUID) -> None:
    """A grant from the commons, as the ledger alone sees it."""
    async with db.write(community) as conn:
        rows = await conn.execute(
            select(members.members.c.id).where(members.members.c.community_id == community)
        )
        (member,) = [row.id for row in rows]
        moves = (Transfer(community, member, Minutes(60)),)
        posting = JournalEntry(UUID(int=1), moves, at().at.date(), bytes(32))
        await store.post(conn, community, [posting], at().at)


@asynccontextmanager
async def several(db: Database, many: int) -> AsyncIterator[list[Database]]:
    """As many programs on the same database."""
    programs = [Database(db.settings) for _ in range(many)]
    try:
        yield programs
    finally:
        for program in programs:
            await program.stop()


async def test_several_processes_at_the_same_moment_send_it_once(place: MillRoad) -> None:
    async with several(place.db, 4) as programs:
        put = await asyncio.gather(
            *(anchors.mail_monthly(program, now=at()) for program in programs for _ in range(3))
        )
    assert sorted(put) == [0] * 11 + [3]
    assert [mail.to_address for mail in await mails(place.db)] == COORDINATORS


async def test_a_crash_before_the_commit_sends_nothing_and_the_next_turn_sends_all(
    place: MillRoad, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_args: object, **_facts: object) -> None:
        raise RuntimeError("the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr("timebank.notices.outbox.put_many", crash)
        with pytest.raises(RuntimeError):
            await anchors.mail_monthly(place.db, now=at())
    assert await mails(place.db) == []
    assert await anchors.mail_monthly(place.db, now=at()) == 3


async def test_a_coordinator_who_is_forgotten_meanwhile_makes_no_second_mail(
    place: MillRoad,
) -> None:
    await anchors.mail_monthly(place.db, now=at())
    async with place.db.write(EVERYWHERE) as conn:
        await my_data.close(conn, place.id, place.carla.id, by=place.carla.id, now=at(hours=2))
    assert len(await mails(place.db)) == 2
    assert await anchors.mail_monthly(place.db, now=at(days=1)) == 0


async def test_books_are_held_against_anchors_from_outside(place: MillRoad) -> None:
    async with place.db.read(place.id) as conn:
        anchor = await anchors.current(conn, place.id)
    assert anchor is not None
    first = (0, chain.genesis(place.id))
    sound = await books.verify(
        place.db, place.id, now=at(), anchors=[first, (1, anchor.hash[:10]), (1, anchor.hash)]
    )
    assert sound.sound, sound.findings
    for wrong, sentence in (
        ((1, bytes(10)), "written anew"),
        ((2, anchor.hash), "its end was cut off"),
        ((0, anchor.hash), "transfer 0 is not the one"),
    ):
        # The database's own notes agree with it, and do not stand in for the one from outside.
        report = await books.verify(place.db, place.id, now=at(), anchors=[wrong])
        assert len(report.findings) == 1
        assert sentence in report.findings[0]
    with pytest.raises(ValueError, match="eight bytes"):
        await books.verify(place.db, place.id, now=at(), anchors=[(1, anchor.hash[:7])])


def verify(demo: Demo, *arguments: str) -> Result:
    """`timebank verify`, on the demo."""
    return CliRunner().invoke(main, ["verify", *arguments], env=demo.environment)


def test_the_command_holds_the_books_against_anchors(demo_data: Demo) -> None:
    here = ("--community", "riverside")
    said = verify(demo_data, *here).stdout
    found = re.search(r"ends at (\d+):([0-9a-f]{64})$", said.strip())
    assert found
    seq, digits = int(found[1]), found[2]
    paper = f"{seq}:{digits[:4]} {digits[4:8]} {digits[8:12]} {digits[12:16]} {digits[16:20]}"
    done = verify(demo_data, *here, "--anchor", paper, "--anchor", f"{seq}:{digits}")
    assert done.exit_code == 0, done.output

    done = verify(demo_data, *here, "--anchor", paper, "--anchor", f"{seq - 1}:{digits}")
    assert done.exit_code == 1
    assert f"transfer {seq - 1} is not the one that was noted earlier" in done.stdout

    done = verify(demo_data, *here, "--anchor", f"{seq + 3}:{digits}")
    assert done.exit_code == 1
    assert f"transfer {seq + 3} was noted earlier, and the journal ends at {seq}" in done.stdout

    for wrong in (("--anchor", paper), (*here, "--anchor", "12:ab")):
        done = verify(demo_data, *wrong)
        assert done.exit_code == 2
        assert "anchor" in done.stderr


def test_a_tail_cut_off_by_hand_passes_unseen_until_an_anchor_is_held_against_it(
    demo_data: Demo,
) -> None:
    """Somebody deletes the last entry with all it did, and what earlier verifications noted."""
    file = demo_data.data / "timebank.sqlite"
    here = ("--community", "riverside")
    before = verify(demo_data, *here).stdout.strip().rpartition(" ")[2]
    db = sqlite3.connect(file, isolation_level=None)
    (community,) = db.execute("SELECT id FROM community WHERE slug = 'riverside'").fetchone()
    for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        db.execute(f"DROP TRIGGER {name}")
    last = db.execute(
        "SELECT seq, source_id, destination_id, minutes, entry_id, previous FROM transfer "
        "WHERE community_id = ? ORDER BY seq DESC LIMIT 1",
        (community,),
    ).fetchone()
    seq, source, destination, minutes, entry, previous = last
    db.execute("DELETE FROM transfer WHERE community_id = ? AND seq = ?", (community, seq))
    for account, back in ((source, minutes), (destination, -minutes)):
        db.execute(
            "UPDATE account SET balance = balance + ?, lines = lines - 1 "
            "WHERE community_id = ? AND id = ?",
            (back, community, account),
        )
    db.execute(
        "UPDATE journal SET seq = seq - 1, hash = ?, posted_at = (SELECT max(posted_at) FROM "
        "transfer WHERE transfer.community_id = ?) WHERE community_id = ?",
        (previous, community, community),
    )
    db.execute("DELETE FROM verification")
    db.close()
    exported = CliRunner().invoke(
        main, ["export", "riverside", "--format", "book"], env=demo_data.environment
    )
    lines = exported.stdout_bytes.splitlines(keepends=True)
    second = _second()
    assert second.verify(lambda: lines).sound
    assert not second.verify(lambda: lines, [second.anchor(before)]).sound
    assert entry
    done = verify(demo_data, *here, "--anchor", before)
    assert done.exit_code == 1
    assert f"transfer {seq} was noted earlier, and the journal ends at {seq - 1}" in done.stdout


def _second() -> Any:
    """The verifier that strangers run."""
    file = Path(__file__).parents[2] / "verifier" / "verify_books.py"
    spec = importlib.util.spec_from_file_location("verify_books", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_a_hundred_altered_words_are_each_found(place: MillRoad) -> None:
    """T9: the chain binds the words by their commitment, although it does not hold them."""
    notes = [f"Favour {number}" for number in range(100)]
    written = [
        await place.record(helped(place.ana, place.bert, 15, note=note), place.ana)
        for note in notes
    ]
    for one in written:
        await place.approve(one)
    assert (await books.verify(place.db, place.id, now=at())).sound
    for number, one in enumerate(written):
        row = (entries.c.community_id == place.id) & (entries.c.id == one.id)
        for note in (f"Favour {number}.", notes[number]):
            async with by_hand(place.db.settings) as conn:
                await conn.execute(update(entries).where(row).values(note=note))
            if note != notes[number]:
                report = await books.verify(place.db, place.id, now=at())
                assert report.findings == (
                    f"entry {one.id} does not have the words it was posted with",
                )
    assert (await books.verify(place.db, place.id, now=at())).sound


def test_a_book_names_nobody_and_holds_no_words(demo_data: Demo) -> None:
    """Only ids, numbers, days, hashes, and what kind of account it is."""
    for slug in ("riverside", "barrio-del-puerto"):
        done = CliRunner().invoke(
            main, ["export", slug, "--format", "book"], env=demo_data.environment
        )
        assert done.exit_code == 0, done.output
        lines = done.stdout_bytes.splitlines(keepends=True)
        assert len(lines) > 50
        bare = re.sub(
            r'"[0-9a-f-]{36}"|"[0-9a-f]{64}"|"\d{4}-\d\d-\d\d"|null|-?\d+', "", done.stdout
        )
        words = set(re.findall(r"[^\s{}:,\"]+", bare))
        keys = {key for line in _second().LINES.values() for key in line}
        kinds = {"book", "account", "transfer", "end", "member", "organisation", "commons"}
        assert words <= keys | kinds
        assert _second().verify(lambda lines=lines: lines).sound
