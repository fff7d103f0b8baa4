"""The inbox, where what people wait for stands beside the hours: told in words, and acted on."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert

from ledger import Minutes
from tests.timebank.factories import START, a_member
from tests.web.test_queries import MOST, counted
from tests.web.town import Town
from timebank import (
    affiliations,
    agreements,
    checks,
    listing_steps,
    own_lists,
    stays,
)
from timebank.checks import Standing
from timebank.db import EVERYWHERE
from timebank.listing_steps import NewListing
from timebank.listings import ListingKind
from timebank.members import Status
from timebank.own_lists import Which

LATER = timedelta(days=20)


@pytest.fixture
async def town(town_on_sqlite: Town) -> Town:
    """Twenty days on: of every kind of thing that concerns people, something waits."""
    town = town_on_sqlite
    here = town.community.id
    carla = town.id("Carla")
    async with town.db.write(here) as conn:
        await listing_steps.write(
            conn,
            here,
            town.id("Ana"),
            NewListing(ListingKind.REQUEST, "A lift to the clinic"),
            by=town.id("Ana"),
            now=town.now,
        )
        await affiliations.add(
            conn,
            here,
            town.id("Jorge"),
            organisation=town.id("the library"),
            role="volunteer",
            since=START.date(),
            by=town.id("Jorge"),
            now=town.now,
        )
        kind = (await own_lists.items(conn, here, Which.CHECKS))[0].id
        for who, by in (("Ana", "Carla"), ("Dora", "Carla")):
            await checks.note(
                conn,
                here,
                town.id(who),
                kind=kind,
                standing=Standing.IN_ORDER,
                checked_on=START.date(),
                again_on=START.date() + timedelta(days=9),
                by=town.id(by),
                now=town.now,
            )
        agreed = await agreements.current(conn, here)
        await agreements.adopt(
            conn,
            here,
            replace(agreed.terms, retention_months=6, soft_floor=Minutes(-30)),
            reason="We talked about it.",
            expected_version=agreed.version,
            by=town.id("Stella"),
            now=town.now,
        )
        for name, asked in (("Bert", None), ("Pia", START - timedelta(days=50))):
            await conn.execute(
                insert(stays.stays).values(
                    community_id=here,
                    id=town.now.new_id(),
                    member_id=town.id(name),
                    found_at=START - timedelta(days=60),
                    asked_at=asked,
                    asked_by=carla if asked else None,
                )
            )
    await town.approve(await town.record("Ana", "Jorge", 60))
    async with town.db.write(EVERYWHERE) as conn:
        await a_member(
            conn, here, "mei  TAN", email="mei.tan@m.example", status=Status.APPLIED, now=town.now
        )
    town.later += LATER
    return town


async def test_each_kind_says_what_it_is_why_it_is_here_and_who_touched_it_last(
    town: Town,
) -> None:
    await town.record("Ana", "Bert", 60)
    await town.get("Carla", "inbox")  # the session is there, the templates are read
    with counted(town.db) as sent:
        page = (await town.get("Carla", "inbox")).text
    kinds = re.findall(r'why=(\w+)".*?<span class="count">', page)
    assert set(kinds) == {
        "approval", "application", "call", "request", "newcomer", "check", "belonging", "ask",
        "forget",
    }  # fmt: skip
    assert len(sent) <= MOST
    for said in (
        "Ana Lima asks: A lift to the clinic",
        "is new here",
        "Still to be done: We met, in person or on the telephone;",
        "Something of Ana Lima is to be checked again",
        "last looked at by Carla Reyes on",
        "Does Jorge Medina belong to",
        "they wrote this down themselves",
        "Ask Bert Cole whether to stay",
        "who is forgotten on",
        "Carla Reyes asked",
        "Asked 2 times: is it one person?",
        "Who welcomed whom",
    ):
        assert said in page, said
    assert "/applications/" in page
    menu = page[page.index("<nav") : page.index("<main")]
    assert "/applications/" not in menu  # one place: the inbox leads there


async def test_what_is_kept_about_oneself_is_for_another_coordinator(town: Town) -> None:
    theirs = await town.get("Dora", "inbox", why="check", q="Dora")
    assert "Another coordinator sees to this." in theirs.text
    assert "last looked at" not in theirs.text
    assert f"/care/{town.id('Dora')}" not in theirs.text
    others = await town.get("Carla", "inbox", why="check", q="Dora")
    assert "last looked at" in others.text
    assert f"/care/{town.id('Dora')}" in others.text


async def test_it_is_put_aside_with_a_word_and_who_is_forgotten_soon_is_not(town: Town) -> None:
    found = (await town.get("Carla", "inbox", why="request")).text
    (lift,) = re.findall(r'name="thing" value="(request\.[^"]+)"', found)
    form = {"thing": lift, "sure": "1", "until": "2026-06-20", "words": "Bert may drive her."}
    assert (await town.post("Carla", "inbox/aside", form)).status_code == 303
    assert "A lift to the clinic" not in (await town.get("Carla", "inbox", why="request")).text
    soon = (await town.get("Carla", "inbox", why="forget")).text
    (pia,) = re.findall(r'name="thing" value="(forget\.[^"]+)"', soon)
    assert "Put aside" not in soon
    assert (await town.post("Carla", "inbox/aside", form | {"thing": pia})).status_code == 422
    assert (await town.post("Carla", "inbox/take", {"thing": pia})).status_code == 303
    assert "Carla Reyes is on it" in (await town.get("Dora", "inbox", why="forget")).text
