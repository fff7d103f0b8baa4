"""Whole stories, as people would tell them; the books are sound at the end of each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger import Minutes
from tests.timebank.factories import at
from tests.timebank.inbox_rows import entry_of
from tests.timebank.scenes import DAY, MillRoad, helped, mill_road
from timebank import audit, entries, entry_steps, inbox, posting, recording, statements
from timebank.db import EVERYWHERE, Database
from timebank.entry import Kind, NewEntry, Share, State, StepKind
from timebank.posting import Approve, Done


@pytest.fixture
async def place(db: Database) -> MillRoad:
    return await mill_road(db)


async def test_ana_gives_ines_an_hour_and_a_half(place: MillRoad) -> None:
    """Inés has no e-mail. Carla approves; both statements show it; Carla undoes it."""
    entry = await place.record(helped(place.ana, place.ines, 90), place.ana)
    assert isinstance(await place.approve(entry), Done)
    async with place.db.read(place.id) as conn:
        anas = await statements.page(conn, place.id, place.ana.id, by=place.ana.id)
        hers = await statements.page(conn, place.id, place.ines.id, by=place.carla.id)
    assert (anas.lines[0].minutes, hers.lines[0].minutes) == (Minutes(90), Minutes(-90))
    assert isinstance(await place.undo(entry), Done)
    async with place.db.read(place.id) as conn:
        for member in (place.ana, place.ines):
            page = await statements.page(conn, place.id, member.id, by=place.carla.id)
            assert len(page.lines) == 2
            assert page.balance == Minutes(0)
    await place.assert_sound()


async def test_they_remember_it_differently(place: MillRoad) -> None:
    """Ana says two hours, Bert one. Carla asks, Ana corrects it, Bert agrees, Carla approves."""
    entry = await place.record(helped(place.ana, place.bert, 120), place.ana)
    await place.step(entry_steps.dispute, entry, place.bert, "It was one hour.")
    await place.step(entry_steps.return_with_question, entry, place.carla, "Can you look again?")
    async with place.db.write(place.id) as conn:
        await recording.change(
            conn,
            place.id,
            entry.id,
            helped(place.ana, place.bert, 60),
            by=place.ana.id,
            now=at(minutes=9),
        )
    await place.step(entry_steps.confirm, entry, place.bert)
    assert isinstance(await place.approve(entry), Done)
    assert [step.kind for step in await place.story(entry)] == [
        StepKind.RECORDED,
        StepKind.DISPUTED,
        StepKind.RETURNED,
        StepKind.CHANGED,
        StepKind.CONFIRMED,
        StepKind.APPROVED,
    ]
    assert await place.balance(place.bert) == -60
    await place.assert_sound()


async def test_an_afternoon_of_tea(place: MillRoad) -> None:
    """Three made it happen; the commons thanks them. Carla made cake, so Dora approves."""
    new = NewEntry(
        Kind.HOSPITALITY,
        (
            Share(place.carla.id, Minutes(120)),
            Share(place.ana.id, Minutes(60)),
            Share(place.ines.id),
        ),
        (Share(place.commons),),
        Minutes(45),
        DAY,
        note="Tea at the Library",
    )
    entry = await place.record(new, place.carla)
    async with place.db.read(place.id) as conn:
        (carlas,) = (await inbox.page(conn, place.id, by=place.carla.id, now=at())).rows
        (doras,) = (await inbox.page(conn, place.id, by=place.dora.id, now=at())).rows
    assert (entry_of(carlas).may_approve, entry_of(doras).may_approve) == (False, True)
    assert await place.approve(entry, place.dora) == Done(entry.id, 3, replayed=False)
    assert await place.balance(place.commons) == -225
    async with place.db.read(place.id) as conn:
        page = await statements.page(conn, place.id, place.commons, by=place.bert.id)
        seen = await entries.get(conn, place.id, entry.id, by=place.bert.id)
    assert (page.received, seen.state) == (Minutes(225), State.APPROVED)
    await place.assert_sound()


async def test_carla_types_in_a_sheet_of_paper(place: MillRoad) -> None:
    """Fifty lines, one click. One of them is her own: that one waits for Dora."""
    people = (place.ana, place.bert, place.dora, place.ines)
    written = [
        await place.record(
            helped(people[n % 4], people[(n + 1) % 4], 30, note=f"Line {n}"), place.carla
        )
        for n in range(49)
    ]
    own = await place.record(helped(place.carla, place.ana, 30), place.carla)
    asked = [Approve(place.id, entry.id, place.carla.id) for entry in [*written, own]]
    verdicts = await posting.post(place.db, asked, now=at(hours=1))
    assert sum(isinstance(verdict, Done) for verdict in verdicts) == 49
    async with place.db.read(place.id) as conn:
        waiting = await inbox.page(conn, place.id, by=place.dora.id, now=at(hours=1))
    assert [row.id for row in waiting.rows] == [own.id]
    await place.assert_sound()


async def test_a_library_gives_thanks(place: MillRoad) -> None:
    """Ana helps the Library, which gives some of its hours on to Inés."""
    favour = await place.record(helped(place.ana, place.library, 120), place.ana)
    await place.step(entry_steps.confirm, favour, place.bert)
    gift = replace(helped(place.library, place.ines, 60), kind=Kind.GRANT)
    thanks = await place.record(gift, place.bert)
    for entry in (favour, thanks):
        assert isinstance(await place.approve(entry), Done)
    assert thanks.on_behalf_of_name == "The Library"
    assert await place.balance(place.library) == -180
    assert await place.balance(place.ines) == 60
    async with place.db.read(place.id) as conn:
        assert await statements.totals(conn, place.id, place.ines.id) == (
            Minutes(0),
            Minutes(0),
            Minutes(60),
        )
    await place.assert_sound()


async def test_bert_finds_a_mistake_on_his_statement(place: MillRoad) -> None:
    """It was approved in good faith. He says so within the week, and Carla undoes it."""
    entry = await place.record(helped(place.ana, place.bert), place.ana)
    await place.approve(entry)
    await place.step(entry_steps.dispute, entry, place.bert, "I was away.", at(days=3))
    async with place.db.read(place.id) as conn:
        waiting = await inbox.page(conn, place.id, by=place.carla.id, now=at(days=3))
        assert [row.id for row in waiting.rows] == [entry.id]
    await place.undo(entry, reason="Ana mixed up two Berts.", now=at(days=4))
    undone = await place.entry(entry.id)
    assert (undone.state, undone.contested) == (State.REVERSED, False)
    async with place.db.read(place.id) as conn:
        assert await inbox.count(conn, place.id, now=at(days=4)) == 0
        acts = await audit.page(conn, place.id, by=place.bert.id)
    assert [act.action for act in acts if act.subject_id == entry.id] == [
        "entry.reversed",
        "entry.disputed",
        "entry.approved",
        "entry.recorded",
    ]
    await place.assert_sound()


async def test_two_communities_keep_to_themselves(place: MillRoad, db: Database) -> None:
    """The same installation, another community: neither moves the other's hours."""
    from tests.timebank.factories import a_community, a_member

    async with db.write(EVERYWHERE) as conn:
        elsewhere = await a_community(conn, "elsewhere", name="Elsewhere")
        zora = await a_member(conn, elsewhere.id, "Zora", email="zora@example.org")
        yuri = await a_member(conn, elsewhere.id, "Yuri")
        theirs = await recording.record(
            conn, elsewhere.id, helped(zora, yuri), by=zora.id, now=at()
        )
    ours = await place.record(helped(place.ana, place.bert), place.ana)
    assert isinstance(await place.approve(ours), Done)
    verdict = await place.approve(theirs)
    assert not isinstance(verdict, Done)
    async with db.read(EVERYWHERE) as conn:
        assert (await entries.get(conn, elsewhere.id, theirs.id, by=zora.id)).state is (
            State.RECORDED
        )
    await place.assert_sound()
    await replace(place, community=elsewhere).assert_sound()
