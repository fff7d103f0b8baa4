"""Members come, pause, go and change, and each change is somebody's to make."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select

from ledger import AccountKind
from ledger.sql import read
from tests.timebank.factories import a_community, a_member, a_person, at
from tests.timebank.scenes import MillRoad, mill_road
from timebank import applications, audit, directory, members
from timebank.agreements import Joining
from timebank.db import EVERYWHERE, Database
from timebank.errors import (
    BadInput,
    Forbidden,
    JoiningClosed,
    LastSteward,
    NotFound,
    ReasonMissing,
    TooManyTries,
    WrongState,
)
from timebank.members import Member, MemberKind, Role, Status
from timebank.outbox import outbox
from timebank.people import people
from timebank.text import fold

Change = Callable[..., Awaitable[Any]]
PROFILE: dict[str, Any] = {
    "name": "Ana Lima",
    "phone": "020 7946 0000",
    "contact_shown": True,
    "area": "Riverside",
    "about": "I like long walks.",
    "offers": "Portuguese",
    "wishes": "Somebody to fix a chair",
}


@pytest.fixture
async def road(db: Database) -> MillRoad:
    return await mill_road(db)


async def _do(road: MillRoad, change: Change, member: Member, by: Member, **more: Any) -> Any:
    async with road.db.write(road.id) as conn:
        return await change(conn, road.id, member.id, by=by.id, now=at(hours=1), **more)


async def _now(road: MillRoad, member: Member) -> Member:
    async with road.db.read(road.id) as conn:
        return await members.get(conn, road.id, member.id)


async def _acts(road: MillRoad) -> list[str]:
    async with road.db.read(road.id) as conn:
        return [act.action for act in await audit.page(conn, road.id, by=road.stella.id)]


async def _apply(road: MillRoad, email: str = "noor@example.org", **more: Any) -> None:
    wanted = {"name": "Noor", "about": "I moved in last week.", "language": "es"} | more
    wanted = {"network": "198.51.100.7"} | wanted
    async with road.db.write(EVERYWHERE) as conn:  # a link to sign in belongs to no community
        await applications.apply(conn, road.id, email=email, now=at(), **wanted)


async def _applicant(road: MillRoad) -> Member:
    async with road.db.read(road.id) as conn:
        (row,) = await directory.page(conn, road.id, include=(Status.APPLIED,))
    return row.member


async def _mails(road: MillRoad) -> list[tuple[str, str]]:
    async with road.db.read(road.id) as conn:
        rows = await conn.execute(select(outbox.c.to_address, outbox.c.subject))
        return sorted((row.to_address, row.subject) for row in rows)


# ── Coming in ────────────────────────────────────────────────────────────────────────────────────


async def test_a_coordinator_adds_somebody_with_a_name_only(road: MillRoad) -> None:
    async with road.db.write(road.id) as conn:
        rosa = await members.add(conn, road.id, name="Rosa", by=road.carla.id, now=at())
    assert (rosa.status, rosa.role, rosa.person_id) == (Status.ACTIVE, Role.MEMBER, None)
    async with road.db.read(road.id) as conn:
        assert rosa.account_id in await read.accounts(conn, road.id)
        profile = await members.profile(conn, road.id, rosa.id)
    assert (profile.email, profile.phone, profile.welcomed_by) == (None, "", "Carla Rossi")
    assert "member.added" in await _acts(road)


async def test_an_organisation_has_an_account_of_its_own_kind(road: MillRoad) -> None:
    async with road.db.read(road.id) as conn:
        before = (await read.totals(conn, road.id))[AccountKind.ORGANISATION].accounts
    async with road.db.write(road.id) as conn:
        await members.add(
            conn,
            road.id,
            name="The Surgery",
            kind=MemberKind.ORGANISATION,
            sector="health",
            by=road.carla.id,
            now=at(),
        )
        after = (await read.totals(conn, road.id))[AccountKind.ORGANISATION].accounts
    assert after == before + 1


async def test_members_do_not_add_members(road: MillRoad) -> None:
    with pytest.raises(Forbidden):
        async with road.db.write(road.id) as conn:
            await members.add(conn, road.id, name="Rosa", by=road.ana.id, now=at())


async def test_somebody_without_a_name_is_nobody(road: MillRoad) -> None:
    with pytest.raises(BadInput):
        async with road.db.write(road.id) as conn:
            await members.add(conn, road.id, name="", by=road.carla.id, now=at())


async def test_who_asks_to_join_waits_without_an_account_until_welcomed(road: MillRoad) -> None:
    await _apply(road)
    noor = await _applicant(road)
    async with road.db.read(road.id) as conn:
        assert noor.id not in await read.accounts(conn, road.id)
        assert noor.name not in [one.label for one in await directory.choices(conn, road.id)]
    await _do(road, applications.welcome, noor, road.carla)
    assert (await _now(road, noor)).status is Status.ACTIVE
    async with road.db.read(road.id) as conn:
        assert noor.id in await read.accounts(conn, road.id)
        assert (await members.profile(conn, road.id, noor.id)).welcomed_by == "Carla Rossi"
    assert {"member.applied", "member.welcomed"} <= set(await _acts(road))


async def test_an_application_is_told_to_coordinators_and_to_the_applicant(
    road: MillRoad,
) -> None:
    await _apply(road)
    assert {address for address, _ in await _mails(road)} == {
        "noor@example.org",
        "carla@example.org",
        "dora@example.org",
        "stella@example.org",
    }


async def test_asking_twice_makes_one_application(road: MillRoad) -> None:
    await _apply(road)
    await _apply(road, "NOOR@example.org", name="Another Noor")
    assert (await _applicant(road)).name == "Noor"
    async with road.db.read(road.id) as conn:
        rows = await conn.execute(select(people).where(people.c.email == "noor@example.org"))
        assert len(rows.all()) == 1


async def test_a_member_who_asks_to_join_is_mailed_and_nothing_changes(road: MillRoad) -> None:
    await _apply(road, "ana@example.org", name="Not Ana")
    assert (await _now(road, road.ana)).name == "Ana Lima"
    assert [address for address, _ in await _mails(road)] == ["ana@example.org"]
    async with road.db.read(road.id) as conn:
        assert await directory.page(conn, road.id, include=(Status.APPLIED,)) == []


async def test_who_signs_in_elsewhere_here_applies_with_the_same_sign_in(road: MillRoad) -> None:
    async with road.db.write(road.id) as conn:
        person = await a_person(conn, "noor@example.org")
    await _apply(road)
    assert (await _applicant(road)).person_id == person


async def test_where_people_come_by_invitation_nobody_applies(road: MillRoad) -> None:
    await road.agree(joining=Joining.INVITATION)
    for email in ("noor@example.org", "ana@example.org"):
        with pytest.raises(JoiningClosed):
            await _apply(road, email)
    assert await _mails(road) == []


async def test_an_application_is_turned_down_with_a_reason_they_are_told(road: MillRoad) -> None:
    await _apply(road)
    noor = await _applicant(road)
    with pytest.raises(ReasonMissing):
        await _do(road, applications.refuse, noor, road.carla, reason="")
    await _do(road, applications.refuse, noor, road.carla, reason="Too far away.")
    assert (await _now(road, noor)).status is Status.LEFT
    async with road.db.read(road.id) as conn:
        rows = await conn.execute(
            select(outbox.c.body).where(outbox.c.to_address == "noor@example.org")
        )
        assert any("Too far away." in row.body for row in rows)


@pytest.mark.parametrize("who", ["ana", "bert"])
async def test_members_decide_about_no_application(road: MillRoad, who: str) -> None:
    await _apply(road)
    noor = await _applicant(road)
    with pytest.raises(Forbidden):
        await _do(road, applications.welcome, noor, getattr(road, who))
    with pytest.raises(Forbidden):
        await _do(road, applications.refuse, noor, getattr(road, who), reason="No.")
    with pytest.raises(Forbidden):
        await _do(road, applications.welcome, noor, noor)


async def test_two_coordinators_welcome_once(road: MillRoad) -> None:
    await _apply(road)
    noor = await _applicant(road)
    outcomes = await asyncio.gather(
        *(_do(road, applications.welcome, noor, by) for by in (road.carla, road.dora) * 3),
        return_exceptions=True,
    )
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, WrongState) for outcome in outcomes) == 5


# ── Roles and status ─────────────────────────────────────────────────────────────────────────────


async def test_a_steward_makes_coordinators_and_it_is_written_down(road: MillRoad) -> None:
    await _do(road, members.set_role, road.ana, road.stella, role=Role.COORDINATOR)
    assert (await _now(road, road.ana)).role is Role.COORDINATOR
    async with road.db.read(road.id) as conn:
        act = (await audit.page(conn, road.id, by=road.stella.id))[0]
    assert (act.action, act.actor, act.subject) == ("member.role", "Stella Novak", "Ana Lima")
    assert act.facts == {"from": "member", "to": "coordinator"}


@pytest.mark.parametrize("who", ["ana", "carla"])
async def test_nobody_else_changes_roles_not_even_their_own(road: MillRoad, who: str) -> None:
    actor = getattr(road, who)
    for role in (Role.STEWARD, Role.MEMBER):
        with pytest.raises(Forbidden):
            await _do(road, members.set_role, actor, actor, role=role)


@pytest.mark.parametrize("change", [members.pause, members.leave])
async def test_the_last_steward_stays(road: MillRoad, change: Change) -> None:
    with pytest.raises(LastSteward):
        await _do(road, change, road.stella, road.stella)
    with pytest.raises(LastSteward):
        await _do(road, members.set_role, road.stella, road.stella, role=Role.MEMBER)
    await _do(road, members.set_role, road.ana, road.stella, role=Role.STEWARD)
    await _do(road, change, road.stella, road.stella)


async def test_of_two_stewards_stepping_down_at_once_one_stays(road: MillRoad) -> None:
    await _do(road, members.set_role, road.ana, road.stella, role=Role.STEWARD)
    outcomes = await asyncio.gather(
        _do(road, members.leave, road.ana, road.ana),
        _do(road, members.leave, road.stella, road.stella),
        return_exceptions=True,
    )
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, LastSteward) for outcome in outcomes) == 1


async def test_a_coordinator_who_was_demoted_coordinates_no_more(road: MillRoad) -> None:
    await _do(road, members.set_role, road.carla, road.stella, role=Role.MEMBER)
    with pytest.raises(Forbidden):
        await _do(road, members.pause, road.ana, road.carla)


@pytest.mark.parametrize(("who", "may"), [("ana", True), ("carla", True), ("bert", False)])
async def test_one_pauses_oneself_or_with_a_coordinator(
    road: MillRoad, who: str, may: bool
) -> None:
    by = getattr(road, who)
    if not may:
        with pytest.raises(Forbidden):
            await _do(road, members.pause, road.ana, by)
        return
    await _do(road, members.pause, road.ana, by)
    assert (await _now(road, road.ana)).status is Status.PAUSED
    await _do(road, members.resume, road.ana, by)
    assert (await _now(road, road.ana)).status is Status.ACTIVE
    with pytest.raises(WrongState):
        await _do(road, members.resume, road.ana, by)


async def test_who_has_left_is_chosen_no_more_and_keeps_the_account(road: MillRoad) -> None:
    await _do(road, members.leave, road.ana, road.ana)
    async with road.db.read(road.id) as conn:
        assert "Ana Lima" not in [one.label for one in await directory.choices(conn, road.id)]
        assert road.ana.account_id in await read.accounts(conn, road.id)


async def test_a_coordinator_who_leaves_is_none_when_they_come_back(road: MillRoad) -> None:
    await _do(road, members.leave, road.carla, road.carla)
    await _do(road, members.resume, road.carla, road.dora)
    assert (await _now(road, road.carla)).role is Role.MEMBER


# ── Profiles ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("who", "may"), [("ana", True), ("carla", True), ("bert", False)])
async def test_one_edits_ones_own_profile_or_a_coordinator_does(
    road: MillRoad, who: str, may: bool
) -> None:
    by = getattr(road, who)
    if not may:
        with pytest.raises(Forbidden):
            await _do(road, members.edit, road.ana, by, **PROFILE)
        return
    await _do(road, members.edit, road.ana, by, **PROFILE)
    async with road.db.read(road.id) as conn:
        found = await members.profile(conn, road.id, road.ana.id)
    assert {key: getattr(found, key, None) for key in PROFILE if key not in ("name", "area")} == {
        key: value for key, value in PROFILE.items() if key not in ("name", "area")
    }
    assert found.member.area == "Riverside"


async def test_the_directory_is_searched_without_case_or_accents(road: MillRoad) -> None:
    await _do(road, members.edit, road.ana, road.ana, **PROFILE)

    async def found(search: str) -> list[str]:
        async with road.db.read(road.id) as conn:
            rows = await directory.page(conn, road.id, search=search)
            return [row.member.name for row in rows]

    assert await found("INES") == ["Inés García"]
    assert await found("garcia") == ["Inés García"]
    assert await found("portuguese") == ["Ana Lima"]
    assert await found("riverside") == ["Ana Lima"]
    assert await found("%") == await found("_") == await found("\\") == []


async def test_the_directory_is_read_page_by_page_without_gaps(road: MillRoad) -> None:
    seen: list[str] = []
    after = None
    for _ in range(10):
        async with road.db.read(road.id) as conn:
            rows = await directory.page(conn, road.id, after=after, limit=2)
        if not rows:
            break
        seen += [row.member.name for row in rows]
        after = (fold(rows[-1].member.name), rows[-1].member.id)
    assert seen == sorted(seen, key=fold)
    assert len(seen) == len(set(seen)) == 7


async def test_two_people_of_one_name_have_different_labels(road: MillRoad) -> None:
    async with road.db.write(road.id) as conn:
        await a_member(conn, road.id, "Ana Lima", area="Mill Road")
        await a_member(conn, road.id, "Ana Lima", area="Mill Road")
        labels = [one.label for one in await directory.choices(conn, road.id)]
        assert len(set(labels)) == len(labels)
        assert len(await directory.resolve(conn, road.id, "Ana Lima")) == 3
        (bert,) = await directory.resolve(conn, road.id, "BERT")
        assert bert.account_id == road.bert.account_id
        (ines,) = await directory.resolve(conn, road.id, "garci")
        assert ines.account_id == road.ines.account_id
        for nobody in ("", "   ", "xyz", "%", "_"):
            assert await directory.resolve(conn, road.id, nobody) == []


async def test_every_label_that_is_offered_means_one_account(road: MillRoad) -> None:
    async with road.db.write(road.id) as conn:
        for area in ("Mill Road", "Mill Road", "Riverside", ""):
            await a_member(conn, road.id, "Ana Lima", area=area)
        for choice in await directory.choices(conn, road.id):
            found = await directory.resolve(conn, road.id, choice.label)
            assert [one.account_id for one in found] == [choice.account_id], choice.label


async def test_many_names_are_looked_up_as_each_of_them_is(road: MillRoad) -> None:
    async with road.db.write(road.id) as conn:
        for name, area in (
            ("Ana Lima", "Mill Road"),
            ("Anabel de la Mar", ""),
            ("Łukasz 100%", ""),
            ("O_Neil", ""),
        ):
            await a_member(conn, road.id, name, area=area)
        labels = [choice.label for choice in await directory.choices(conn, road.id)]
        texts = [
            *labels,
            "ana",
            "an",
            "de la",
            "LIMA",
            "la m",
            "100%",
            "%",
            "_",
            "o_",
            "",
            " ",
            "x",
        ]
        many = await directory.resolve_many(conn, road.id, texts)
        assert many == {text: await directory.resolve(conn, road.id, text) for text in texts}
        assert await directory.resolve_many(conn, road.id, []) == {}


# ── Other communities ────────────────────────────────────────────────────────────────────────────


async def test_a_member_of_another_community_is_not_found(road: MillRoad) -> None:
    async with road.db.write(EVERYWHERE) as conn:
        elsewhere = await a_community(conn, "elsewhere")
        stranger = await a_member(conn, elsewhere.id, "Stranger", role=Role.STEWARD)
    for change, more in (
        (applications.welcome, {}),
        (members.pause, {}),
        (members.leave, {}),
        (members.set_role, {"role": Role.COORDINATOR}),
        (members.edit, PROFILE),
    ):
        for member, by in ((stranger, road.stella), (road.ana, stranger)):
            with pytest.raises(NotFound):
                await _do(road, change, member, by, **more)
    async with road.db.read(road.id) as conn:
        assert await directory.resolve(conn, road.id, "Stranger") == []
        assert await directory.page(conn, road.id, search="Stranger") == []


async def test_nobody_can_have_us_write_to_an_address_again_and_again(road: MillRoad) -> None:
    for _ in range(5):
        await _apply(road)
    with pytest.raises(TooManyTries):
        await _apply(road)
    await _apply(road, "somebody.else@example.org")
