"""A page asks the database as often at a hundred thousand entries as at a hundred.

Every statement is counted where it leaves for the driver, those written in SQL by hand as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import event, insert

from ledger import JournalEntry, Minutes, Transfer
from ledger.sql import planner, store
from tests.timebank.factories import START
from tests.web.town import Town
from timebank import (
    affiliations,
    buddies,
    entries,
    keeping_apart,
    listing_steps,
    listings,
    members,
    notes,
)
from timebank.db import Database
from timebank.entry import Kind, Side, State, StepKind
from timebank.listing_steps import NewListing
from timebank.listings import ListingKind, Wanted
from timebank.members import Status
from timebank.moment import Moment

PAGES = (
    ("Ana", ""),
    ("Carla", ""),
    ("Carla", "inbox"),
    ("Carla", "inbox?q=favour"),
    ("Carla", "entries/?show=all"),
    ("Carla", "entries/?show=all&q=ana+favour"),
    ("Ana", "statement"),
    ("Ana", "entries/"),
    ("Ana", "commons"),
    ("Ana", "members/"),
    ("Ana", "listings/"),
    ("Ana", "listings/board"),
    ("Ana", "organisations/"),
    ("Carla", "care/"),
    ("Carla", "applications/"),
    ("Carla", "lists/"),
    ("Ana", "books"),
    ("Stella", "audit"),
    ("Carla", "reports?first=2026-05-01&last=2026-05-31"),
    ("Carla", "reports?first=2026-01-01&last=2026-12-31"),
    ("Carla", "months/2026-05"),
    ("Ana", "months/"),
    ("Ana", "agreement"),
    ("Carla", "imports/"),
    ("Stella", "exports/"),
    ("Carla", "paper/"),
    ("Carla", "paper/members"),
    ("Carla", "sheets/new"),
    ("Carla", "batches/"),
)
CHUNK = 2_000
MOST = 25
"""No page needs more statements than this, session and membership included."""


@contextmanager
def counted(db: Database) -> Iterator[list[str]]:
    """Every statement sent while this is open."""
    sent: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    for engine in db.engines:
        event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        for engine in db.engines:
            event.remove(engine.sync_engine, "before_cursor_execute", note)


async def fill(town: Town, first: int, last: int) -> None:
    """Entries from number `first` up to `last`: most are posted, the newest fifty wait.

    They are written down and posted in bulk, past the door: it would also write mails and audit.
    """
    moment = Moment(START + timedelta(minutes=1))
    for start in range(first, last, CHUNK):
        numbers = range(start, min(start + CHUNK, last))
        rows = [_entry(town, number, moment.new_id(), number < last - 50) for number in numbers]
        async with town.db.write(town.community.id) as conn:
            await conn.execute(insert(entries.entries), rows)
            parts = [part for row in rows for part in _parts(town, row)]
            await conn.execute(insert(entries.parts), parts)
            await conn.execute(insert(entries.steps), [_step(town, row["id"]) for row in rows])
            posted = [row for row in rows if row["state"] == State.APPROVED.value]
            await store.post(
                conn, town.community.id, [_journal_entry(town, row) for row in posted], moment.at
            )


def _journal_entry(town: Town, row: dict[str, Any]) -> JournalEntry:
    gift = row["kind"] == Kind.DONATION.value
    ana, commons = town.id("Ana"), town.community.commons_id
    transfer = (
        Transfer(ana, commons, row["minutes"])
        if gift
        else Transfer(town.id("Jorge"), ana, row["minutes"])
    )
    return JournalEntry(row["id"], (transfer,), row["occurred_on"], bytes(32))


def _entry(town: Town, number: int, id: UUID, posted: bool) -> dict[str, Any]:
    at = START + timedelta(microseconds=number)
    return {
        "community_id": town.community.id,
        "id": id,
        "kind": _kind(number).value,
        "category_id": None,
        "occurred_on": START.date(),
        "note": f"Favour {number}",
        "salt": bytes(32),
        "minutes": Minutes(15),
        "state": (State.APPROVED if posted else State.RECORDED).value,
        "contested": False,
        "agreement_version": 1,
        "recorded_by": town.id("Ana"),
        "recorded_at": at,
        "touched_at": at,
        "posted_at": at if posted else None,
        "counted_on": START.date() if posted else None,
    }


def _parts(town: Town, entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Ana gives, every fifth time to the commons, else to Jorge, who has not answered yet."""
    help_given = entry["kind"] == Kind.HELP.value
    other = town.id("Jorge") if help_given else town.community.commons_id
    waits = entry["state"] == State.RECORDED.value
    return [
        {
            "community_id": town.community.id,
            "entry_id": entry["id"],
            "account_id": account,
            "position": position,
            "side": side.value,
            "minutes": Minutes(15),
            "awaited": waits and account == town.id("Jorge"),
        }
        for position, (account, side) in enumerate(
            ((town.id("Ana"), Side.GAVE), (other, Side.RECEIVED)), start=1
        )
    ]


def _step(town: Town, id: UUID) -> dict[str, Any]:
    return {
        "community_id": town.community.id,
        "entry_id": id,
        "number": 1,
        "kind": StepKind.RECORDED.value,
        "member_id": town.id("Ana"),
        "at": START,
        "words": "",
        "override": False,
        "stood_in": False,
    }


def _kind(number: int) -> Kind:
    return Kind.HELP if number % 5 else Kind.DONATION


async def statements_of(town: Town) -> dict[tuple[str, str], int]:
    """How many statements each page takes."""
    found = {}
    for who, rest in PAGES:
        await town.get(who, rest)  # the session is there, the templates are read
        with counted(town.db) as sent:
            page = await town.get(who, rest)
        assert page.status_code == 200
        found[(who, rest)] = len(sent)
    return found


async def test_pages_ask_as_often_with_many_entries_as_with_few(town: Town) -> None:
    await fill(town, 0, 100)
    await planner.inform(town.db.settings.owners_url)
    few = await statements_of(town)
    await fill(town, 100, 100_000)
    assert await statements_of(town) == few
    assert max(few.values()) <= MOST, few


async def _crowd(town: Town, number: int) -> None:
    """So many more of everything that stands on the pages of people and organisations."""
    here = town.community.id
    async with town.db.write(here) as conn:
        for count in range(number):
            one = await members.insert_member(
                conn, here, name=f"Zoe {count}", status=Status.ACTIVE, now=town.now
            )
            await affiliations.add(
                conn,
                here,
                one.id,
                organisation=town.id("the library"),
                since=START.date(),
                by=town.id("Carla"),
                now=town.now,
            )
            for whose in ("Ana", "the library"):
                new = NewListing(ListingKind.REQUEST, f"Favour {count}")
                listing = await listing_steps.write(
                    conn, here, town.id(whose), new, by=town.id("Carla"), now=town.now
                )
            await buddies.add(
                conn,
                here,
                town.id("Ana"),
                one.id,
                consent="Yes.",
                by=town.id("Carla"),
                now=town.now,
            )
            await notes.write(
                conn, here, town.id("Ana"), "A word.", by=town.id("Carla"), now=town.now
            )
            await keeping_apart.begin(
                conn, here, town.id("Ana"), one.id, by=town.id("Carla"), now=town.now
            )
            await listing_steps.answer(
                conn, here, listing, "I can.", member=one.id, by=town.id("Carla"), now=town.now
            )


async def test_pages_of_people_and_organisations_ask_as_often_for_a_crowd(town: Town) -> None:
    async def asked() -> dict[str, int]:
        async with town.db.read(town.community.id) as conn:
            listing = (
                await listings.page(
                    conn,
                    town.community.id,
                    Wanted(),
                    by=town.id("Dora"),
                    today=START.date(),
                    limit=1,
                )
            )[0]
        found = {}
        for page in (
            f"members/{town.id('Ana')}",
            f"members/{town.id('Ana')}/buddies",
            f"members/{town.id('Ana')}/listings",
            f"affiliations/{town.id('Ana')}",
            f"organisations/{town.id('the library')}",
            f"listings/{listing.id}",
            f"care/{town.id('Ana')}",
            "care/",
            "listings/",
        ):
            await town.get("Carla", page)
            with counted(town.db) as sent:
                assert (await town.get("Carla", page)).status_code == 200
            found[re.sub("/[0-9a-f-]{36}", "/…", page)] = len(sent)
        return found

    await _crowd(town, 1)
    few = await asked()
    await _crowd(town, 12)
    assert await asked() == few
    assert max(few.values()) <= MOST, few
