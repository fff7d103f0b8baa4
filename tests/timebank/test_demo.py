"""The demo shows everything the program can do, is the same every time, and its books are sound."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import Table, select, text

from tests.timebank.demo_data import Demo
from timebank import books, communities, credentials, demo
from timebank.agreements import agreements
from timebank.batches import batch_entries, batches
from timebank.cli._common import opened
from timebank.communities import categories
from timebank.config import Settings
from timebank.db import EVERYWHERE
from timebank.demo_people import PASSPHRASE, RIVERSIDE_BANK
from timebank.demo_year import weeks
from timebank.entries import entries, parts
from timebank.entry import Kind, State
from timebank.gatherings import Rule, duties, gathering_roles, gatherings, seats
from timebank.gatherings import State as Held
from timebank.members import buddies, members, organisations
from timebank.moment import Moment
from timebank.months import months
from timebank.outbox import outbox
from timebank.people import people
from timebank.periods import Month
from timebank.proposals import proposals, voices
from timebank.settlements import settlements
from timebank.stories import stories


def rows(settings: Settings, table: Table, slug: str | None = "riverside") -> list[Any]:
    """A table's rows, of one community or of all."""

    async def ask() -> list[Any]:
        async with opened(settings) as db, db.read(EVERYWHERE) as conn:
            query = select(table)
            if slug is not None:
                community = await communities.by_slug(conn, slug)
                query = query.where(table.c.community_id == community.id)
            return list(await conn.execute(query))

    return asyncio.run(ask())


def test_riverside_has_forty_members_some_without_email_and_six_organisations(
    demo_original: Demo,
) -> None:
    found = rows(demo_original.settings, members)
    active = [member for member in found if member.status == "active"]
    houses = [member for member in active if member.kind == "organisation"]
    assert len(active) - len(houses) >= 40
    assert len(houses) == 6
    described = rows(demo_original.settings, organisations)
    assert len({house.sector_id for house in described} - {None}) == 6
    without = [m for m in active if m.kind == "person" and m.person_id is None]
    assert len(without) >= 3
    assert {"applied", "active", "paused", "left"} == {member.status for member in found}
    assert {"member", "coordinator", "steward"} == {member.role for member in found}
    kept = {buddy.member_id for buddy in rows(demo_original.settings, buddies)}
    assert {house.id for house in houses} <= kept
    assert kept & {member.id for member in without}


def test_its_year_holds_four_hundred_entries_of_all_kinds_and_states(demo_original: Demo) -> None:
    found = rows(demo_original.settings, entries)
    assert len(found) >= 400
    assert {entry.kind for entry in found} == set(Kind)
    states = Counter(entry.state for entry in found)
    assert set(states) == set(State)
    assert states[State.APPROVED] >= 350
    assert states[State.RECORDED] >= 3
    assert any(entry.contested for entry in found)
    assert any(entry.on_behalf_of for entry in found)
    days = {entry.occurred_on for entry in found}
    assert max(days) - min(days) > timedelta(days=350)
    assert max(days) < datetime.now(UTC).date() + timedelta(days=1)


def test_all_four_shapes_are_there(demo_original: Demo) -> None:
    sides: dict[Any, Counter[str]] = {}
    for part in rows(demo_original.settings, parts):
        sides.setdefault(part.entry_id, Counter())[part.side] += 1
    shapes = {(many["gave"] > 1, many["received"] > 1) for many in sides.values()}
    assert shapes == {(False, False), (False, True), (True, False), (True, True)}


def test_the_agreement_has_versions_that_later_entries_carry(demo_original: Demo) -> None:
    versions = [row.version for row in rows(demo_original.settings, agreements)]
    assert versions == [1, 2, 3]
    assert {e.agreement_version for e in rows(demo_original.settings, entries)} == {1, 2, 3}


def test_a_proposal_came_into_force_and_another_is_talked_about(demo_original: Demo) -> None:
    found = {row.state: row for row in rows(demo_original.settings, proposals)}
    assert set(found) == {"in_force", "open"}
    assert found["in_force"].version == 3
    said = Counter(
        voice.stance
        for voice in rows(demo_original.settings, voices)
        if voice.proposal_id == found["open"].id
    )
    assert said["concern"] == 1
    assert said["agree"] >= 1
    assert said[""] >= 1  # somebody who was asked and has not answered yet


def test_its_months_are_closed_but_for_the_latest_and_one_entry_came_late(
    demo_original: Demo,
) -> None:
    found = rows(demo_original.settings, months)
    closed = [Month.of(row.first_day) for row in found if row.state == "closed"]
    assert len(closed) >= 3
    assert max(closed) < Month.of(datetime.now(UTC).date()).previous
    found = rows(demo_original.settings, entries)
    late = [e for e in found if e.counted_on and Month.of(e.counted_on) > Month.of(e.occurred_on)]
    assert [entry.note for entry in late] == [RIVERSIDE_BANK.words.found_late]


def test_a_second_community_speaks_spanish_and_shares_a_person(demo_original: Demo) -> None:
    spanish = rows(demo_original.settings, members, "barrio-del-puerto")
    english = rows(demo_original.settings, members)
    both = {m.person_id for m in spanish} & {m.person_id for m in english} - {None}
    assert len(both) == 1
    names = {c.name for c in rows(demo_original.settings, categories, "barrio-del-puerto")}
    assert "Jardín y huerto" in names


@pytest.mark.parametrize("slug", ["riverside", "barrio-del-puerto"])
def test_gatherings_were_settled_one_is_tonight_and_yesterdays_hours_wait(
    demo_original: Demo, slug: str
) -> None:
    settings = demo_original.settings
    found = rows(settings, gatherings, slug)
    assert {one.state for one in found} == {state.value for state in Held}
    over = [one for one in found if one.state == Held.SETTLED.value]
    assert len(over) >= 6
    states = {entry.id: entry.state for entry in rows(settings, entries, slug)}
    waiting = [
        one.gathering_id
        for one in rows(settings, settlements, slug)
        if states[one.entry_id] == State.RECORDED
    ]
    assert waiting == [one.id for one in found if one.state == Held.HELD.value]
    planned = [one for one in found if one.state == Held.PLANNED.value]
    day = max(one.ends_at for one in found if one.id in waiting).date() + timedelta(days=1)
    (tonight,) = [one for one in planned if one.starts_at.date() == day]
    assert any(one.starts_at > tonight.ends_at for one in planned)
    comes = [one for one in rows(settings, seats, slug) if one.gathering_id == tonight.id]
    assert {"yes", "maybe", "asked"} <= {one.answer for one in comes}
    assert any(one.member_id is None for one in comes)
    taken = [one for one in rows(settings, duties, slug) if one.gathering_id == tonight.id]
    roles = [one for one in rows(settings, gathering_roles, slug) if one.gathering_id == tonight.id]
    wanted = {one.key for one in roles if one.wanted}
    assert "tea" in wanted - {one.role_key for one in taken}


def test_the_year_has_every_rule_walk_ins_part_of_the_time_stories_and_a_correction(
    demo_original: Demo,
) -> None:
    settings = demo_original.settings
    over = [g for g in rows(settings, gatherings) if g.state == Held.SETTLED.value]
    assert {one.rule for one in over} == {rule.value for rule in Rule}
    assert len(over) >= 25
    lasts = {one.id: int((one.ends_at - one.starts_at).total_seconds()) // 60 for one in over}
    there = [one for one in rows(settings, seats) if one.gathering_id in lasts and one.present]
    assert any(one.member_id is None for one in there)
    assert any(one.present.count < lasts[one.gathering_id] for one in there)
    told = rows(settings, stories)
    assert {one.named for one in told} == {True, False}
    assert any(one.corrects for one in rows(settings, settlements))


@pytest.mark.parametrize("slug", ["riverside", "barrio-del-puerto"])
def test_a_sheet_of_paper_was_typed_in(demo_original: Demo, slug: str) -> None:
    (sheet,) = rows(demo_original.settings, batches, slug)
    of_it = {one.entry_id for one in rows(demo_original.settings, batch_entries, slug)}
    found = [one for one in rows(demo_original.settings, entries, slug) if one.id in of_it]
    assert sheet.source == "sheet"
    assert len(found) >= 3
    assert {one.state for one in found} == {State.APPROVED}


def test_everybody_signs_in_with_the_printed_password(demo_original: Demo) -> None:
    assert PASSPHRASE in demo_original.printed
    found = rows(demo_original.settings, people, None)
    known = {person.email: person for person in found}
    for _, name, email in demo.SIGN_INS:
        assert name in demo_original.printed
        assert email in demo_original.printed
        ok, _ = asyncio.run(credentials.check(PASSPHRASE, known[email].password_hash))
        assert ok
    credentials.refuse_weak(PASSPHRASE, about=["Riverside Time Bank", "amina@riverside.example"])


def test_only_the_latest_mail_still_waits(demo_original: Demo) -> None:
    found = rows(demo_original.settings, outbox, None)
    waiting = [mail for mail in found if mail.sent_at is None]
    assert 0 < len(waiting) < 100
    assert all(mail.to_address.endswith(".example") for mail in found)


def test_its_books_are_sound(demo_data: Demo) -> None:
    async def prove() -> list[bool]:
        async with opened(demo_data.settings) as db:
            async with db.read(EVERYWHERE) as conn:
                found = await communities.every(conn)
            reports = [await books.verify(db, c.id, now=Moment.now()) for c in found]
            return [report.sound for report in reports]

    assert asyncio.run(prove()) == [True, True]


def test_the_same_dice_make_the_same_year() -> None:
    assert list(weeks(RIVERSIDE_BANK, Random(3))) == list(weeks(RIVERSIDE_BANK, Random(3)))
    assert list(weeks(RIVERSIDE_BANK, Random(3))) != list(weeks(RIVERSIDE_BANK, Random(4)))


async def seen(settings: Settings) -> list[tuple[Any, ...]]:
    """What the journal says, with days counted back from the last."""
    query = text(
        "SELECT t.seq, t.minutes, t.source_balance, t.destination_balance, s.name, d.name,"
        " e.note, t.occurred_on FROM transfer t"
        " JOIN entry e ON e.community_id = t.community_id AND e.id = t.entry_id"
        " LEFT JOIN member s ON s.community_id = t.community_id AND s.id = t.source_id"
        " LEFT JOIN member d ON d.community_id = t.community_id AND d.id = t.destination_id"
        " JOIN community c ON c.id = t.community_id ORDER BY c.slug, t.seq"
    )
    async with opened(settings) as db, db.read(EVERYWHERE) as conn:
        found = [tuple(row) for row in await conn.execute(query)]
    days = [row[-1] if isinstance(row[-1], date) else date.fromisoformat(row[-1]) for row in found]
    return [(*row[:-1], max(days) - day) for row, day in zip(found, days, strict=True)]


def test_the_demo_is_the_same_on_postgresql_and_on_another_day(
    demo_original: Demo, postgres_settings: Settings
) -> None:
    async def make() -> None:
        async with opened(postgres_settings) as db:
            later = Moment(datetime.now(UTC) + timedelta(days=100))
            await demo.make(db, base_url="http://127.0.0.1:8000", now=later)

    asyncio.run(make())
    assert asyncio.run(seen(postgres_settings)) == asyncio.run(seen(demo_original.settings))


def test_the_demo_stays_away_from_a_time_bank_of_real_people(sqlite_settings: Settings) -> None:
    async def work() -> None:
        async with opened(sqlite_settings) as db:
            assert not await demo.is_there(db)
            async with db.write(EVERYWHERE) as conn:
                await communities.create(
                    conn,
                    slug="real",
                    name="Real",
                    language="en",
                    timezone="UTC",
                    now=Moment.now(),
                )
            with pytest.raises(demo.NotADemoError, match="not the demo"):
                await demo.is_there(db)

    asyncio.run(work())


def test_the_demo_knows_itself_again(demo_original: Demo) -> None:
    async def work() -> bool:
        async with opened(demo_original.settings) as db:
            return await demo.is_there(db)

    assert asyncio.run(work())
