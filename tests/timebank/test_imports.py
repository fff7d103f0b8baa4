"""Bringing in files: what every row would do is what is done, all of it or nothing, once."""

from __future__ import annotations

import asyncio
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from ledger import Minutes
from ledger.sql import metadata
from tests.timebank.factories import at
from tests.timebank.importing import (
    a_csv,
    bring,
    checked,
    clock,
    now,
    read,
    reasons,
    rows,
    run,
    undo,
)
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import (
    affiliations,
    audit,
    batches,
    books,
    closing,
    communities,
    listings,
    members,
    months,
    my_data,
    statements,
)
from timebank.db import EVERYWHERE, Database
from timebank.errors import BadInput, Forbidden, WrongState
from timebank.imports import files, running
from timebank.imports.files import Stage, Verdict, What
from timebank.members import Status
from timebank.organisations import organisations
from timebank.people import people
from timebank.periods import Month
from web import import_words

PEOPLE = a_csv(
    "N,Name,E-mail,Phone,Joined,Organisation,Job",
    "17,Zoë Ñandú,zoe@example.org,0123,2019-03-02,The Library,reader",
    "18,Omar Haddad,,,,,",
    ("19", "=1+1", "not an address", "", "", "", ""),
)
HOURS = a_csv(
    "Exchange ID,Provider,Provider ID,Recipient,Recipient ID,Date,Hours,Category,Title",
    "1,Zoë Ñandú,17,Ana Lima,,2024-05-03,1.5,Garden,Weeding",
    "2,Ana Lima,,Omar Haddad,18,2023-01-02,0.33,Something older,",
    "3,Omar Haddad,18,Mill Road,,2024-06-01,2,,Telephone",
)


@pytest.fixture
async def road(db: Database) -> AsyncIterator[MillRoad]:
    place = await mill_road(db)
    yield place
    await place.assert_sound()


async def everything(db: Database, *without: str) -> dict[str, list[str]]:
    """Every row of every table."""
    found = {}
    async with db.read(EVERYWHERE) as conn:
        for table in metadata.sorted_tables:
            if table.name not in without:
                found[table.name] = sorted(map(repr, await conn.execute(select(table))))
    return found


async def member(road: MillRoad, name: str) -> Any:
    async with road.db.read(road.id) as conn:
        found = await conn.execute(
            select(members.members, people.c.email)
            .outerjoin(people, people.c.id == members.members.c.person_id)
            .where(members.members.c.community_id == road.id, members.members.c.name == name)
        )
        return found.one()


async def tally(road: MillRoad, id: Any) -> tuple[int, int]:
    """Help given and received, in minutes."""
    async with road.db.read(road.id) as conn:
        given, received, _ = await statements.totals(conn, road.id, id)
        return given.count, received.count


async def test_people_are_added_with_what_the_file_knows_of_them(road: MillRoad) -> None:
    file = await checked(road, PEOPLE)
    assert file.what is What.PEOPLE
    assert [(row.verdict, row.says["reason"]) for row in await rows(road, file)] == [
        (Verdict.NEW, "person_new")
    ] * 3
    before = await everything(road.db, "import", "import_row")
    assert await everything(road.db, "import", "import_row") == before, "a check adds nothing"
    file = await run(road, file)
    assert file.stage is Stage.DONE
    assert file.outcome["new"] == 3
    zoe = await member(road, "Zoë Ñandú")
    assert (zoe.email, zoe.phone, zoe.status) == ("zoe@example.org", "0123", Status.ACTIVE)
    assert zoe.joined_at == datetime(2019, 3, 2, tzinfo=UTC)
    assert (await member(road, "=1+1")).email is None
    async with road.db.read(road.id) as conn:
        (hat,) = (await affiliations.of_many(conn, road.id, [zoe.id]))[zoe.id]
        kept = await conn.scalar(select(func.count()).select_from(files.rows))
    assert (hat.organisation_id, hat.role) == (road.library.id, "reader")
    assert kept == 0, "what a file says of people is forgotten once it is brought in"


async def test_the_same_file_twice_changes_nothing(road: MillRoad) -> None:
    first = await bring(road, PEOPLE)
    await bring(road, HOURS)
    apart = ("import", "import_row", "import_columns")
    before = await everything(road.db, *apart)
    for content in (PEOPLE, HOURS):
        again = await checked(road, content)
        assert (again.outcome["new"], again.outcome["there"]) == (0, 3)
        assert not again.outcome["mistakes"]
        with pytest.raises(BadInput):
            await run(road, again)
    assert await everything(road.db, *apart) == before
    async with road.db.read(road.id) as conn:
        same = await files.same_as(conn, again)
        assert same is not None
        assert same.id != first.id


async def test_hours_are_posted_with_their_true_day_and_in_the_order_of_days(
    road: MillRoad,
) -> None:
    await bring(road, PEOPLE)
    file = await bring(road, HOURS)
    zoe, omar = await member(road, "Zoë Ñandú"), await member(road, "Omar Haddad")
    assert await road.balance(zoe.id) == 90
    assert await road.balance(omar.id) == 120 - 20
    assert await road.balance(road.commons) == -120
    assert await tally(road, omar.id) == (120, 20)
    async with road.db.read(road.id) as conn:
        page = await statements.page(conn, road.id, omar.id, by=road.stella.id)
    days = [line.day.isoformat() for line in page.lines]
    assert sorted(days) == ["2023-01-02", "2024-06-01"]
    assert days in (sorted(days), sorted(days, reverse=True))
    async with road.db.read(road.id) as conn:
        offered = {one.name for one in await communities.categories_of(conn, road.id)}
        acts = await audit.page(conn, road.id, by=road.stella.id)
    assert "Garden" in offered
    assert "Something older" not in offered, "kept with its hours, not offered for new ones"
    assert [act.facts["entries"] for act in acts if act.subject_id == file.id] == [3]


async def test_hours_of_a_closed_month_count_in_the_next_open_one_and_are_late(
    road: MillRoad,
) -> None:
    closed = [Month(2024, 4), Month(2024, 5)]
    await road.agree(closing_day=7)
    async with road.db.write(road.id) as conn:
        for month in closed:
            await closing.close(conn, road.id, month, by=road.carla.id, now=at())
        before = [await months.closing(conn, road.id, month) for month in closed]
    file = await bring(
        road,
        a_csv(
            "Date,from,to,Hours,Comments",
            "2024-04-03,Ana Lima,Bert Okoro,1:00,late",
            "2024-06-03,Ana Lima,Bert Okoro,0:30,in time",
        ),
    )
    async with road.db.read(road.id) as conn:
        page = await statements.page(conn, road.id, road.ana.id, by=road.ana.id)
        assert {line.words: line.late_in for line in page.lines} == {
            "late": Month(2024, 6),
            "in time": None,
        }
        assert [await months.closing(conn, road.id, month) for month in closed] == before
    await undo(road, file)
    async with road.db.read(road.id) as conn:
        assert [await months.closing(conn, road.id, month) for month in closed] == before


async def test_files_that_overlap_bring_nothing_in_twice(road: MillRoad) -> None:
    line = "2024-05-03,Ana Lima,Bert Okoro,1:00,tea"
    other = "2024-05-10,Ana Lima,Bert Okoro,1:00,tea"
    first = a_csv("Date,Provider,Receiver,Hours,Note", line, line)
    second = a_csv("Date,Provider,Receiver,Hours,Note", line, other, line, line)
    await bring(road, first)
    assert await road.balance(road.ana) == 120, "two rows that say the same are two"
    file = await checked(road, second)
    assert await reasons(road, file) == ["hours_there", "hours_new", "hours_there", "hours_new"]
    await run(road, file)
    assert await road.balance(road.ana) == 240


async def test_what_is_here_and_says_something_else_is_a_mistake(road: MillRoad) -> None:
    await bring(
        road, a_csv("id,Date,Provider,Receiver,Hours", "7,2024-05-03,Ana Lima,Bert Okoro,1:00")
    )
    file = await checked(
        road,
        a_csv(
            "id,Date,Provider,Receiver,Hours",
            "7,2024-05-03,Ana Lima,Bert Okoro,2:00",
            "8,2024-05-03,Ana Lima,Bert Okoro,2:00",
            "8,2024-05-03,Bert Okoro,Ana Lima,2:00",
            "8,2024-05-03,Ana Lima,Bert Okoro,2:00",
        ),
    )
    assert await reasons(road, file) == ["here_otherwise", "hours_new", "id_twice", "row_twice"]


async def test_mistakes_are_told_row_by_row_and_stay_out_only_if_somebody_says_so(
    road: MillRoad,
) -> None:
    file = await checked(
        road,
        a_csv(
            "Date,Provider,Receiver,Hours,Note",
            "2024-05-03,Ana Lima,Bert Okoro,1:00,fine",
            "2024-05-03,Nobody Known,Bert Okoro,1:00,",
            "2024-05-03,Ana Lima,Ana Lima,1:00,",
            "2024-02-30,Ana Lima,Bert Okoro,1:00,",
            "2027-01-01,Ana Lima,Bert Okoro,1:00,",
            "2024-05-03,Ana Lima,Bert Okoro,a while,",
            "2024-05-03,,Bert Okoro,1,",
            "2024-05-03,Ana Lima,,1,",
            ("2024-05-03", "Ana Lima", "Bert Okoro", "1:00", "turn\u202e"),
        ),
    )
    assert await reasons(road, file) == [
        "hours_new",
        "nobody_here",
        "same_person",
        "not_a_day",
        "day_ahead",
        "not_minutes",
        "nobody_gave",
        "nobody_received",
        "not_text",
    ]
    async with road.db.write(road.id) as conn:
        with pytest.raises(BadInput, match="mistakes left"):
            await running.begin(
                conn, road.id, file.id, leave_out=False, by=road.stella.id, now=clock()
            )
    await run(road, file)
    assert await road.balance(road.ana) == 60


async def test_gifts_of_the_commons_and_lost_names_keep_the_balances_right(road: MillRoad) -> None:
    # As TimeOverflow writes them: from and to, the bank with number 0, and people it forgot.
    file = await bring(
        road,
        a_csv(
            "Date,from,from ID,to,to ID,post,post ID,Comments,quantity",
            "2019-05-18 14:32:00 UTC,Ana Lima,,Bert Okoro,,,,,1.5",
            "2019-06-18 14:32:00 UTC,The Bank,0,Ana Lima,,,,welcome,3.0",
            "2019-06-19 14:32:00 UTC,Ana Lima,,The Bank,0,,,fee,1.0",
            "2019-07-01 08:02:00 UTC,inactive_user,inactive_user,Bert Okoro,,,,,0.25",
        ),
        add_people=True,
    )
    assert file.outcome["former"] == 1
    assert await road.balance(road.bert) == 90 + 15
    assert await road.balance(road.ana) == -90 + 180 - 60
    assert await road.balance(road.commons) == -180 + 60
    assert await tally(road, road.ana.id) == (0, 90), "gifts are no help"
    former = await member(road, "Former members")
    assert former.status == Status.LEFT
    assert await road.balance(former.id) == -15


async def test_a_balance_that_is_brought_along_is_issued_and_never_help(road: MillRoad) -> None:
    content = a_csv("Name,Saldo", "Omar,2.5", "Ana Lima,-1:15", "Inés García,0")
    file = await bring(road, content, What.PEOPLE)
    omar = await member(road, "Omar")
    assert (await road.balance(omar.id), await road.balance(road.ana)) == (150, -75)
    assert await road.balance(road.commons) == -75
    assert await tally(road, omar.id) == (0, 0)
    again = await checked(road, a_csv("Name,Saldo", "Omar,2.5", "Ana Lima,-2"), What.PEOPLE)
    assert await reasons(road, again) == ["person_there", "brought_otherwise"]
    await undo(road, file)
    assert await road.balance(road.commons) == 0
    assert await reasons(road, await checked(road, content, What.PEOPLE)) == [
        "person_new",
        "balance_new",
        "person_there",
    ]


async def test_only_a_steward_brings_hours_in_and_the_others_hear_of_it(road: MillRoad) -> None:
    content = a_csv("Date,Provider,Receiver,Hours", "2024-05-03,Stella Novak,Bert Okoro,2")
    file = await checked(road, content, by=road.carla)
    assert file.outcome["own_entries"] == 0
    with pytest.raises(Forbidden):
        await run(road, file, by=road.carla)
    file = await checked(road, content)
    assert (file.outcome["own_entries"], file.outcome["own_minutes"]) == (1, 120)
    told = len(await road.told())
    await run(road, file)
    assert await road.balance(road.stella) == 120
    assert sorted((await road.told())[told:]) == ["carla@example.org", "dora@example.org"]


async def test_a_coordinator_brings_in_what_she_could_write_by_hand(road: MillRoad) -> None:
    file = await checked(road, PEOPLE, by=road.carla)
    assert (await run(road, file, by=road.carla)).stage is Stage.DONE
    with pytest.raises(Forbidden):
        await checked(road, PEOPLE, by=road.ana)


async def test_hours_that_pass_a_hard_floor_come_in_unless_that_is_not_wanted(
    road: MillRoad,
) -> None:
    await road.agree(hard_floor=Minutes(-600))
    content = a_csv(
        "Date,Provider,Receiver,Hours",
        "2024-05-09,Ana Lima,Bert Okoro,6",
        "2024-05-03,Ana Lima,Bert Okoro,6",
        "2024-05-04,Bert Okoro,Inés García,1",
    )
    kept = await checked(road, content, keep_floors=True)
    assert await reasons(road, kept) == ["floor", "hours_new", "hours_new"]
    assert kept.outcome["minutes"] == 420
    await bring(road, content)
    assert await road.balance(road.bert) == -660


async def test_organisations_come_with_sector_and_account_managers(road: MillRoad) -> None:
    file = await bring(
        road,
        a_csv(
            "Organisation name,Sector,Contact person,E-mail,Account managers,Area",
            "Mill Surgery,Health,Jo,surgery@example.org,Ana Lima; Nobody Known,North",
            "the library,Education,,,,",
        ),
    )
    assert file.what is What.ORGANISATIONS
    surgery = await member(road, "Mill Surgery")
    async with road.db.read(road.id) as conn:
        kept = (
            await conn.execute(select(organisations).where(organisations.c.id == surgery.id))
        ).one()
        keeps = await conn.execute(
            select(members.buddies.c.buddy_id).where(members.buddies.c.member_id == surgery.id)
        )
    assert kept.contact == "Jo, surgery@example.org"
    assert kept.sector_id is not None
    assert [row.buddy_id for row in keeps] == [road.ana.id]
    assert file.outcome["there"] == 1


async def test_affiliations_and_listings_find_their_people(road: MillRoad) -> None:
    hats = a_csv(
        "Person,Organisation,Role,Since,Until",
        "Ana Lima,The Library,reader,2020-01-01,",
        "Bert Okoro,neighbour,,,",
        "Ana Lima,The Library,reader,2021-01-01,2020-01-01",
        "The Library,The Library,,,",
    )
    file = await checked(road, hats, What.AFFILIATIONS)
    assert await reasons(road, file) == ["hat_new", "hat_new", "ends_before", "other_kind"]
    await run(road, file)
    again = await checked(road, hats, What.AFFILIATIONS)
    assert (await reasons(road, again))[:2] == ["hat_there", "hat_there"]
    board = a_csv(
        "type,member,title,description,created,category",
        "Oferta,Ana Lima,Bread,Every Friday,2024-05-03,Kneading",
        "need,Bert Okoro,A ladder,,,",
        "neither,Bert Okoro,A ladder,,,",
        "offer,Ana Lima,bread,again,,",
    )
    file = await checked(road, board)
    remarks = [row.says.get("remarks", []) for row in await rows(road, file)]
    assert [key for said in remarks for key, _ in said] == ["no_category"]
    file = await run(road, file)
    async with road.db.read(road.id) as conn:
        found = list(await conn.execute(select(listings.listings)))
    assert {(row.kind, row.title, row.member_id) for row in found} == {
        ("offer", "Bread", road.ana.id),
        ("request", "A ladder", road.bert.id),
    }
    assert (file.outcome["there"], file.outcome["mistakes"]) == (1, 1)
    await undo(road, file)
    assert (await checked(road, board)).outcome["new"] == 2


async def test_undoing_takes_back_all_but_what_went_on(road: MillRoad) -> None:
    people_file = await bring(road, PEOPLE)
    hours_file = await bring(road, HOURS)
    zoe, omar = await member(road, "Zoë Ñandú"), await member(road, "Omar Haddad")
    entry = await road.record(helped(road.ana, await _of(road, omar.id)), road.ana)
    await undo(road, hours_file)
    assert [await road.balance(id) for id in (zoe.id, omar.id, road.commons)] == [0, 0, 0]
    assert await tally(road, zoe.id) == (0, 0)
    undone = await undo(road, people_file, by=road.carla)
    assert (undone.outcome["undone_people"], undone.outcome["stayed"]) == (2, 1)
    assert (await member(road, "Omar Haddad")).status == Status.ACTIVE
    async with road.db.read(road.id) as conn:
        left = await members.get(conn, road.id, zoe.id)
        kept = await conn.scalar(
            select(func.count()).select_from(people).where(people.c.email == "zoe@example.org")
        )
    assert left.name.startswith("Former member")
    assert kept == 0
    assert (await road.approve(entry)).entry_id == entry.id
    with pytest.raises(WrongState):
        await undo(road, people_file)
    # And all of it can be brought in anew.
    assert (await bring(road, PEOPLE)).outcome["new"] == 2
    assert (await bring(road, HOURS)).outcome["new"] == 3
    assert await road.balance((await member(road, "Zoë Ñandú")).id) == 90


async def _of(road: MillRoad, id: Any) -> Any:
    async with road.db.read(road.id) as conn:
        return await members.get(conn, road.id, id)


async def test_what_changed_since_the_check_brings_nothing_in(road: MillRoad) -> None:
    file = await checked(road, a_csv("Name", "Omar Haddad", "Zoë"), What.PEOPLE)
    async with road.db.write(road.id) as conn:
        await members.add(conn, road.id, name="Zoe", by=road.carla.id, now=clock())
    before = await everything(road.db, "import")
    file = await run(road, file)
    assert (file.stage, file.outcome["reason"]) == (Stage.MATCHING, "moved_on")
    assert await everything(road.db, "import") == before


async def test_two_who_bring_the_same_file_in_at_once_bring_it_in_once(road: MillRoad) -> None:
    await bring(road, PEOPLE)
    file = await checked(road, HOURS)
    both = await asyncio.gather(run(road, file), run(road, file), return_exceptions=True)
    assert sorted(type(one).__name__ for one in both) == ["File", "WrongState"]
    twice = await asyncio.gather(*(checked(road, PEOPLE) for _ in range(2)))
    assert all(one.outcome["new"] == 0 for one in twice)
    assert await road.balance((await member(road, "Zoë Ñandú")).id) == 90


async def test_a_number_of_another_program_is_in_my_data_and_goes_with_me(road: MillRoad) -> None:
    await bring(road, PEOPLE)
    omar = await member(road, "Omar Haddad")
    async with road.db.read(road.id) as conn:
        archive = await my_data.archive(conn, road.id, omar.id, now=clock())
    with zipfile.ZipFile(io.BytesIO(archive)) as mine:
        assert json.loads(mine.read("numbers.json"))[0]["number"] == "18"
    async with road.db.write(EVERYWHERE) as conn:
        await my_data.close(conn, road.id, omar.id, by=road.carla.id, now=clock())
        kept = await conn.execute(select(files.numbers.c.number))
        assert sorted(row.number for row in kept) == ["17", "19"]


async def test_columns_are_remembered_for_the_same_headings(road: MillRoad) -> None:
    from timebank.imports import matching

    content = a_csv("who,what else", "Omar,x")
    file = await checked(road, content, What.PEOPLE, columns={"name": 0}, first=2)
    assert file.outcome["new"] == 1
    swapped = await read(road, a_csv("what else,who", "x,Zoë"))
    async with road.db.read(road.id) as conn:
        known = await matching.recall(conn, swapped)
    assert known is not None
    assert (known.what, dict(known.settings.columns)) == (What.PEOPLE, {"name": 1})


async def test_work_that_nobody_goes_on_with_is_put_back_and_old_files_are_forgotten(
    road: MillRoad,
) -> None:
    file = await checked(road, PEOPLE)
    async with road.db.write(road.id) as conn:
        begun = await running.begin(
            conn, road.id, file.id, leave_out=True, by=road.stella.id, now=clock()
        )
    for after, stage in (
        (timedelta(minutes=1), Stage.RUNNING),
        (timedelta(hours=1), Stage.CHECKED),
    ):
        async with road.db.write(EVERYWHERE) as conn:
            await files.recover(conn, now=at(hours=1 + after.total_seconds() / 3600))
        assert (await now(road, file.id)).stage is stage
    with pytest.raises(WrongState):  # whoever is still at it has lost its turn
        await running.run(road.db, begun, by=road.stella.id, clock=clock)
    async with road.db.write(EVERYWHERE) as conn:
        await files.sweep(conn, now=at(days=15))
    async with road.db.read(road.id) as conn:
        assert await files.latest(conn, road.id) == []
        assert await conn.scalar(select(func.count()).select_from(files.rows)) == 0


def test_every_reason_has_a_sentence() -> None:
    found = set()
    for file in Path("timebank/imports").glob("*.py"):
        text = file.read_text()
        found |= set(re.findall(r'Mistake\(\s*f?"([a-z_]+)"', text))
        found |= set(re.findall(r'BadCell\(\s*"([a-z_]+)"', text))
        found |= set(re.findall(r'Verdict\.[A-Z]+,\s*"([a-z_]+)"', text))
        found |= set(re.findall(r'remarks\.append\(\("([a-z_]+)"', text))
        found |= set(re.findall(r'yield "([a-z_]+)", \{', text))
    found = (found - {"nobody_"}) | {"person_new", "house_new", "kind_unknown", "is_over"}
    facts = dict.fromkeys(
        ("name", "number", "text", "title", "organisation", "role", "email", "area", "sector",
         "managers", "giver", "receiver", "category", "note", "kind", "id"), "x",
    ) | {"row": 1, "limit": 1, "minutes": 1, "balance": 1, "floor": -1} | dict.fromkeys(
        ("day", "since", "until"), "2026-05-04"
    )  # fmt: skip
    assert len(found) > 40
    for key in found:
        assert import_words.sentence(key, facts, "en", str), key


async def test_a_file_is_undone_as_a_whole_and_not_from_the_list_of_batches(
    road: MillRoad,
) -> None:
    await bring(road, PEOPLE)
    file = await bring(road, HOURS)
    assert file.batch_id is not None
    async with road.db.read(road.id) as conn:
        assert await files.of_batch(conn, road.id, file.batch_id) == file
        with pytest.raises(Forbidden):
            await batches.undoing(conn, road.id, file.batch_id, by=road.stella.id)
    with pytest.raises(Forbidden):
        await batches.undo(
            road.db, road.id, file.batch_id, by=road.carla.id, reason="Wrong.", now=clock()
        )


async def test_books_are_the_same_after_everything(road: MillRoad) -> None:
    await bring(road, PEOPLE)
    await undo(road, await bring(road, HOURS))
    await bring(road, HOURS)
    report = await books.verify(road.db, road.id, now=at(days=1))
    assert report.sound, report.findings
    assert report.transfers == 9
