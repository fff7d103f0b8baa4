"""A community begins with its book, its commons, its first agreement and its categories."""

from __future__ import annotations

from typing import Any

import pytest

from ledger import ZERO, AccountKind
from ledger.sql import read
from tests.timebank.factories import a_community, a_member, at
from timebank import agreements, communities
from timebank.agreements import Terms
from timebank.db import EVERYWHERE, Database
from timebank.errors import BadInput, NotFound, SlugTaken


async def test_a_new_community_has_an_empty_book_and_a_commons_that_carries_its_id(
    db: Database,
) -> None:
    async with db.write(EVERYWHERE) as conn:
        community = await a_community(conn)
    async with db.read(EVERYWHERE) as conn:
        accounts = await read.accounts(conn, community.id)
        head = await read.head(conn, community.id)
        totals = await read.totals(conn, community.id)
    assert head.seq == 0
    assert list(accounts) == [community.commons_id] == [community.id]
    assert totals[AccountKind.COMMONS].accounts == 1
    assert accounts[community.id].balance == ZERO


async def test_a_new_community_agrees_to_the_defaults_as_version_one(db: Database) -> None:
    async with db.write(EVERYWHERE) as conn:
        community = await a_community(conn)
    async with db.read(EVERYWHERE) as conn:
        agreement = await agreements.current(conn, community.id)
    assert (agreement.version, agreement.terms, agreement.adopted_by) == (1, Terms(), None)


@pytest.mark.parametrize(
    ("language", "first"), [("en", "Company and conversation"), ("es", "Compañía y conversación")]
)
async def test_the_categories_speak_the_communitys_language(
    db: Database, language: str, first: str
) -> None:
    async with db.write(EVERYWHERE) as conn:
        community = await a_community(conn, language=language)
    async with db.read(EVERYWHERE) as conn:
        found = await communities.categories_of(conn, community.id)
    assert found[0].name == first
    assert len({category.name for category in found}) == len(found) == 13


async def test_an_address_is_given_once(db: Database) -> None:
    async with db.write(EVERYWHERE) as conn:
        await a_community(conn, "mill-road")
    with pytest.raises(SlugTaken):
        async with db.write(EVERYWHERE) as conn:
            await a_community(conn, "mill-road", name="Another")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", ""),
        ("slug", "Mill"),
        ("slug", "mill road"),
        ("slug", "-mill"),
        ("slug", "mill-"),
        ("slug", "müll"),
        ("slug", "m" * 41),
        ("slug", "mill\n"),
        ("name", ""),
        ("name", "   "),
        ("language", "xx"),
        ("timezone", "Mars/Olympus"),
    ],
)
async def test_what_makes_no_community_is_refused(db: Database, field: str, value: str) -> None:
    wanted: dict[str, Any] = {"slug": "mill", "name": "Mill", "language": "en", "timezone": "UTC"}
    with pytest.raises(BadInput) as refused:
        async with db.write(EVERYWHERE) as conn:
            await communities.create(conn, **(wanted | {field: value}), now=at())
    assert refused.value.field == field
    async with db.read(EVERYWHERE) as conn:
        assert await communities.every(conn) == []


async def test_an_unknown_address_is_not_found(db: Database) -> None:
    async with db.read(EVERYWHERE) as conn:
        with pytest.raises(NotFound):
            await communities.by_slug(conn, "nowhere")
        with pytest.raises(NotFound):
            await communities.by_id(conn, at().new_id())


async def test_communities_keep_to_themselves(db: Database) -> None:
    async with db.write(EVERYWHERE) as conn:
        here = await a_community(conn, "here", name="Here")
        there = await a_community(conn, "there", name="There")
        ana = await a_member(conn, here.id)
    async with db.read(EVERYWHERE) as conn:
        assert ana.account_id in await read.accounts(conn, here.id)
        assert ana.account_id not in await read.accounts(conn, there.id)
        assert {one.id for one in await communities.categories_of(conn, here.id)}.isdisjoint(
            one.id for one in await communities.categories_of(conn, there.id)
        )
        assert [one.name for one in await communities.every(conn)] == ["Here", "There"]
