"""Who is in a large town: who signs in, newcomers, silent ones, what is known and asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import insert, select, update

from benchmarks.large_town.making import Making
from timebank import (
    affiliations,
    applications,
    checks,
    listings,
    members,
    organisations,
    people,
    sectors,
    sessions,
    stays,
    welcoming,
)
from timebank.imports import files
from timebank.members import MemberKind, Role, Status


async def fill(making: Making) -> tuple[str, str]:
    """Everything about people; the cookies of a coordinator and of a member."""
    _steward, coordinator, member = await _sign_in(making)
    await _organisations(making)
    await _newcomers(making)
    await _silent(making)
    await _applicants(making)
    await _checks(making)
    await _requests(making)
    return coordinator, member


async def _sign_in(making: Making) -> list[str]:
    """A steward, a coordinator and a member sign in; their cookies."""
    cookies = []
    for role, member in zip(
        (Role.STEWARD, Role.COORDINATOR, Role.MEMBER), making.books.members, strict=False
    ):
        person = making.now.new_id()
        await making.conn.execute(
            insert(people.people).values(
                id=person, email=f"{role}@example.org", language="en", created_at=making.now.at
            )
        )
        await making.conn.execute(
            update(members.members)
            .where(members.members.c.community_id == making.id, members.members.c.id == member)
            .values(person_id=person, role=role.value)
        )
        cookies.append(
            await sessions.begin(making.conn, person, device="a benchmark", now=making.now)
        )
    return cookies


async def _organisations(making: Making) -> None:
    """Fifty or fewer; two members in five belong to one, which is not confirmed of some yet."""
    kinds = [one.id for one in await sectors.of(making.conn, making.id)]
    houses = []
    for number in range(min(50, len(making.books.members) // 10)):
        houses.append(await _insert(making, f"Organisation {number}", MemberKind.ORGANISATION))
        table = organisations.organisations
        await making.conn.execute(
            update(table)
            .where(table.c.community_id == making.id, table.c.id == houses[-1])
            .values(sector_id=kinds[number % len(kinds)])
        )
    belong = making.dice.sample(making.books.members, len(making.books.members) * 2 // 5)
    unconfirmed = max(5, len(belong) // 50)
    await making.put(
        affiliations.affiliations,
        [
            {"id": making.now.new_id(), "member_id": id, "role": "", "since": date(2015, 1, 1)}
            | {"organisation_id": making.dice.choice(houses), "added_by": id}
            | {"added_at": (at := making.days_ago(20, 60))}
            | {"confirmed_at": None if number < unconfirmed else at}
            for number, id in enumerate(belong)
        ],
    )


async def _insert(making: Making, name: str, kind: MemberKind = MemberKind.PERSON) -> UUID:
    """Somebody who has been here from the beginning, and has no entries."""
    begun = replace(making.now, at=making.books.ends - timedelta(days=1800))
    one = await members.insert_member(
        making.conn, making.id, name=name, status=Status.ACTIVE, kind=kind, now=begun
    )
    return one.id


async def _newcomers(making: Making) -> None:
    """One member in ten came in the past year, and was welcomed; one in eight of them not yet.

    As many more were brought in by a list half a year ago.
    """
    steps = await making.conn.execute(
        select(welcoming.steps.c.id).where(welcoming.steps.c.community_id == making.id)
    )
    ids = [row.id for row in steps]
    new = making.some(16, 5)
    table, half = members.members, len(new) // 2
    for number, id in enumerate(new):
        joined = making.days_ago(20, 350) if number < half else making.days_ago(180, 181)
        applied = joined - timedelta(days=2) if number < half else joined
        await making.conn.execute(
            update(table)
            .where(table.c.community_id == making.id, table.c.id == id)
            .values(joined_at=joined, applied_at=applied)
        )
    ticked = [id for number, id in enumerate(new[:half]) if number % 8]
    await making.put(
        welcoming.ticks,
        [
            {"member_id": id, "step_id": step}
            | {"ticked_by": making.coordinator, "ticked_at": making.now.at}
            for id in ticked
            for step in ids
        ],
    )
    await _list(making, new[half:])


async def _list(making: Making, brought_in: Sequence[UUID]) -> None:
    """The list that brought these in."""
    file = making.now.new_id()
    empty: dict[str, object] = {name: {} for name in ("found", "settings", "outcome")}
    at = making.days_ago(180, 181)
    await making.put(
        files.incoming,
        [
            {
                "id": file,
                "name": "members.csv",
                "fingerprint": bytes(32),
                "stage": files.Stage.DONE.value,
            }
            | {
                "made_by": making.steward,
                "made_at": at,
                "touched_at": at,
                "what": files.What.PEOPLE.value,
            }
            | {"turn": 1, "rows": len(brought_in), "done": len(brought_in)}
            | empty
        ],
    )
    await making.put(
        files.made, [{"import_id": file, "kind": "member", "thing_id": id} for id in brought_in]
    )


async def _silent(making: Making) -> None:
    """Some were never seen: half are to be asked whether they stay, half are forgotten soon."""
    for number in range(max(4, len(making.books.members) // 100)):
        id = await _insert(making, f"Silent Neighbour {number}")
        asked = making.days_ago(48, 56) if number % 2 else None
        await making.put(
            stays.stays,
            [
                {"id": making.now.new_id(), "member_id": id, "found_at": making.days_ago(57, 59)}
                | {"asked_at": asked, "asked_by": making.coordinator if asked else None}
            ],
        )


async def _applicants(making: Making) -> None:
    """Twenty people asked to join."""
    for number in range(20):
        await applications.apply(
            making.conn,
            making.id,
            name=f"New Neighbour {number}",
            email=f"new{number}@example.org",
            about="I moved here in spring.",
            language="en",
            network=f"192.0.2.{number}",
            now=making.now,
        )


async def _checks(making: Making) -> None:
    """One member in ten has been checked; of some the day has come to look again."""
    kinds = select(checks.kinds.c.id).where(checks.kinds.c.community_id == making.id)
    kind = (await making.conn.execute(kinds)).scalars().first()
    today = making.now.at.date()
    await making.put(
        checks.checks,
        [
            {"id": making.now.new_id(), "member_id": id, "kind_id": kind, "status": "in_order"}
            | {"checked_on": today - timedelta(days=400), "noted_by": making.coordinator}
            | {"again_on": today + timedelta(days=300 if number % 10 else -(number % 60))}
            | {"noted_at": making.now.at - timedelta(days=400)}
            for number, id in enumerate(making.some(10, 10))
        ],
    )


async def _requests(making: Making) -> None:
    """What people asked for in the past year, each for two months; half of it was answered."""
    asked = [
        (making.now.new_id(), making.dice.choice(making.books.members), making.days_ago(1, 365))
        for _ in range(len(making.books.members) // 5)
    ]
    await making.put(
        listings.listings,
        [
            {"id": id, "member_id": who, "kind": "request", "title": "A lift", "words": ""}
            | {"area": "", "written_by": who, "written_at": at, "search_key": "a lift"}
            | {"until": at.date() + timedelta(days=60)}
            for id, who, at in asked
        ],
    )
    await making.put(
        listings.answers,
        [
            {"listing_id": id, "member_id": who, "written_by": who, "words": "I can"}
            | {"contact_shared": False, "at": at}
            for id, who, at in (
                (id, making.dice.choice(making.books.members), at) for id, _, at in asked[::2]
            )
        ],
    )
