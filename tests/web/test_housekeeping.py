"""What is done whether or not anybody looks: mail goes out, books are proved, an orderly end."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from ledger import JournalEntry, Minutes, Transfer
from ledger.sql import store
from tests.timebank.factories import at
from tests.web.conftest import Web, served
from tests.web.people import a_town, mails
from timebank import agreements, books, listing_steps, members, retention
from timebank.config import Settings
from timebank.db import EVERYWHERE
from timebank.listing_steps import NewListing
from timebank.listings import ListingKind
from web import housekeeping


async def test_the_books_are_proved_once_a_day(web: Web) -> None:
    town = await a_town(web)
    for moment, proved_at in ((at(), at()), (at(hours=23), at()), (at(hours=24), at(hours=24))):
        await housekeeping.prove(web.db, moment)
        async with web.db.read(EVERYWHERE) as conn:
            last = (await books.overview(conn, town.place.id)).last
        assert last is not None
        assert last.sound
        assert last.at == proved_at.at


async def test_mail_goes_out_by_itself_and_everything_stops_when_told(web: Web) -> None:
    await a_town(web)
    browser = await web.browser()
    await browser.post("/sign-in/link", data={"email": "ana@example.org"})
    stop = asyncio.Event()
    work = asyncio.create_task(housekeeping.run(web.db, web.settings, web.clock, stop))
    async with asyncio.timeout(20):
        while not list(web.settings.mail_folder.glob("*.eml")):  # noqa: ASYNC110  (files)
            await asyncio.sleep(0.05)
        stop.set()
        await work


async def test_the_seal_of_the_books_is_mailed_by_itself(web: Web) -> None:
    town = await a_town(web)
    async with web.db.write(town.place.id) as conn:
        moves = (Transfer(town.place.commons_id, town.ana.account_id, Minutes(60)),)
        gift = JournalEntry(town.ana.id, moves, at().at.date(), bytes(32))
        await store.post(conn, town.place.id, [gift], at().at)
    stop = asyncio.Event()
    work = asyncio.create_task(housekeeping.run(web.db, web.settings, web.clock, stop))
    async with asyncio.timeout(20):
        while not list(web.settings.mail_folder.glob("*.eml")):  # noqa: ASYNC110  (files)
            await asyncio.sleep(0.05)
        stop.set()
        await work
    (mail,) = await mails(web, "carla@example.org")
    assert "timebank verify --community mill-road --anchor 1:" in mail.replace("\n", " ")


async def test_breaks_end_listings_are_asked_about_and_quiet_members_too(web: Web) -> None:
    town = await a_town(web)
    place, day = town.place.id, at().at.date()
    async with web.db.write(EVERYWHERE) as conn:
        await members.pause(
            conn, place, town.ana.id, until=day + timedelta(days=1), by=town.ana.id, now=at()
        )
        terms = replace((await agreements.current(conn, place)).terms, retention_months=6)
        await agreements.adopt(
            conn,
            place,
            terms,
            reason="We talked.",
            expected_version=1,
            by=town.carla.id,
            now=at(),
        )
        soup = NewListing(ListingKind.OFFER, "Soup", until=day + timedelta(days=5))
        await listing_steps.write(conn, place, town.carla.id, soup, by=town.carla.id, now=at())
    for _ in range(2):
        await housekeeping.look_after_people(web.db, at(days=2))
        await retention.look_after_all(web.db, now=at(days=400))
    web.clock.moment = at(days=401)
    anas = " ".join(" ".join(await mails(web, "ana@example.org")).split())
    carlas = " ".join(" ".join(await mails(web, "carla@example.org")).split())
    assert anas.count("Your break is over") == 1
    assert anas.count("Would you like to stay") == carlas.count("Would you like to stay") == 1
    assert carlas.count("on the board of Mill Road") == 1


async def test_a_duty_that_fails_is_logged_and_done_again(caplog: pytest.LogCaptureFixture) -> None:
    stop, turns = asyncio.Event(), 0

    async def duty() -> None:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise RuntimeError("this once")
        stop.set()

    with caplog.at_level(logging.ERROR):
        async with asyncio.timeout(10):
            await housekeeping.every(timedelta(milliseconds=1), duty, stop)
    assert turns == 2
    assert "tried again" in caplog.text


async def test_a_real_server_starts_serves_and_stops(sqlite_settings: Settings) -> None:
    async with served(sqlite_settings) as address:
        assert address.startswith("http://127.0.0.1:")
