"""Every route, asked by everyone, for what is theirs, what is others' and what is elsewhere.

The routes come from the application itself, so a route added tomorrow is asked too. What each
answers stands in `permissions.txt`, which people review: a difference is a failure, in either
direction. After each refusal the database is as it was, and nobody ever reads a word of a community
they do not belong to: every text of the two communities here carries its own canary.

`python -m tests.web.test_permissions` writes the table anew, for review.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from contextlib import closing as closed
from dataclasses import dataclass, field, replace
from datetime import time, timedelta
from pathlib import Path
from uuid import UUID

import httpx2 as httpx
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.applications import Starlette
from starlette.routing import Route

from ledger import Minutes
from ledger.sql import metadata
from tests.timebank.evenings import a_gathering, a_seat
from tests.timebank.factories import START, a_community, a_member
from timebank import (
    affiliations,
    agreements,
    attendance_closing,
    buddies,
    closing,
    duties,
    feeds,
    formats,
    gathering_actions,
    gathering_notes,
    invitations,
    inviting,
    keeping_apart,
    listing_steps,
    members,
    migrate,
    notes,
    own_lists,
    planning,
    posting,
    proposing,
    recording,
    rooms,
    seats,
    sectors,
    sessions,
    settlement_steps,
    sheets,
    stays,
    walk_ins,
)
from timebank.communities import Community
from timebank.config import Settings
from timebank.db import EVERYWHERE, Database
from timebank.entry import Kind, NewEntry, Share
from timebank.gatherings import Openness
from timebank.imports import checking, files, matching, running
from timebank.inbox import Thing, Why, deeds
from timebank.inbox.deeds import DeedKind, Item
from timebank.listing_steps import NewListing
from timebank.listings import ListingKind
from timebank.members import Member, MemberKind, Role, Status
from timebank.moment import Moment
from timebank.own_lists import Which
from timebank.periods import Month
from timebank.plan import Plan, When
from timebank.posting import Approve
from timebank.proposing import NewProposal
from web.app import create_app

TABLE = Path(__file__).with_name("permissions.txt")
NOW = Moment(START)
APRIL = Month.of(START.date()).previous
MARCH = APRIL.previous

# Who asks, in the order of the table's columns.
ACTORS = (
    "visitor",
    "stranger",  # a steward of another community
    "applicant",
    "paused",
    "bystander",  # an active member whom the thing does not concern
    "member",  # an active member, whom it concerns
    "coordinator",
    "steward",
)
# A form with something sensible in every field any page has; pages take what they know.
FORM = {
    "words": "because",
    "reason": "because",
    "sure": "1",
    "role": "coordinator",
    "name": "New Name",
    "email": "new@example.org",
    "consent": "she said so",
    "buddy": "ALPHA Bystander",
    "language": "es",
    "kind": "help",
    "side": "gave",
    "minutes": "1:00",
    "day": "2026-05-04",
    "other": "ALPHA Receiver",
    "stance": "agree",
    "open_until": "2026-05-30",
    "what": "people",
    "column-name": "0",
    "format": "csv",
    "giver-0": "ALPHA Member",
    "receiver-0": "ALPHA Receiver",
    "until": "2026-06-01",
    "hour": "8",
    "person": "ALPHA Bystander",
    "which": "request",
    "title": "New title",
    "standing": "in_order",
    "since": "2026-05-01",
    "useful": "ALPHA useful",
    "at": "18:00",
    "lasts": "2:00",
    "place": "The hall",
    "openness": "members",
    "rule": "sponsored",
    "answer": "yes",
    "duty": "tea",
    "agrees": "yes",
    "who": "ALPHA Receiver",
    "name-0": "ALPHA Receiver",
    "blank": "2",
    "shown": "1",
}


INNER = {"{buddy}": "buddies", "{action}": "actions"}
"""Second things that a path may name, and where their ids stand."""


@dataclass
class World:
    """Two communities full of canaries, and who is signed in with what."""

    settings: Settings
    cookies: dict[str, str] = field(default_factory=dict)
    members: dict[str, UUID] = field(default_factory=dict)
    things: dict[str, dict[str, str]] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)
    """Fields that name things of this world, on any page."""
    forms: dict[str, dict[str, str]] = field(default_factory=dict)
    """Fields that name things of this world, for the pages below one noun."""


async def _someone(
    conn: object, world: World, place: Community, key: str, canary: str, **more: object
) -> Member:
    role = more.pop("role", Role.MEMBER)
    member = await a_member(
        conn,  # type: ignore[arg-type]
        place.id,
        f"{canary} {key.title()}",
        email=f"{key}@{canary.lower()}.example.org",
        role=role,  # type: ignore[arg-type]
        now=NOW,
        **more,  # type: ignore[arg-type]
    )
    assert member.person_id is not None
    world.cookies[key] = await sessions.begin(
        conn,  # type: ignore[arg-type]
        member.person_id,
        device="",
        now=NOW,
    )
    world.members[key] = member.id
    return member


async def build(settings: Settings) -> World:
    """Fill the two communities, through the functions everyone uses."""
    world = World(settings)
    db = Database(settings)
    await db.start()
    try:
        async with db.write(EVERYWHERE) as conn:
            alpha = await a_community(conn, "alpha", name="Alpha", now=NOW)
            beta = await a_community(conn, "beta", name="Beta", now=NOW)
            for key, role in (
                ("bystander", Role.MEMBER),
                ("member", Role.MEMBER),
                ("receiver", Role.MEMBER),
                ("coordinator", Role.COORDINATOR),
                ("steward", Role.STEWARD),
                ("second", Role.STEWARD),
            ):
                await _someone(conn, world, alpha, key, "ALPHA", role=role)
            await _someone(conn, world, alpha, "paused", "ALPHA", status=Status.PAUSED)
            await _someone(conn, world, alpha, "applicant", "ALPHA", status=Status.APPLIED)
            await _someone(conn, world, alpha, "waiting", "ALPHA", status=Status.APPLIED)
            await _someone(conn, world, beta, "stranger", "BETA", role=Role.STEWARD)
            await _someone(conn, world, beta, "faraway", "BETA")
            houses = [
                await a_member(
                    conn, place.id, f"{canary} House", kind=MemberKind.ORGANISATION, now=NOW
                )
                for place, canary in ((alpha, "ALPHA"), (beta, "BETA"))
            ]
        await _things(db, world, alpha, beta, houses[0])
        async with db.write(EVERYWHERE) as conn:
            await _people_things(conn, world, alpha, beta, houses)
        await _planned(db, world, alpha, beta, houses[0])
        await _held(db, world, alpha, beta)
    finally:
        await db.stop()
    return world


async def _things(
    db: Database, world: World, alpha: Community, beta: Community, house: Member
) -> None:
    who = world.members
    async with db.write(EVERYWHERE) as conn:
        for place, by, canary in ((alpha, "coordinator", "ALPHA"), (beta, "stranger", "BETA")):
            for key in [key for key in who if (key in ("stranger", "faraway")) == (place is beta)]:
                member = await members.get(conn, place.id, who[key])
                if member.status is not Status.APPLIED:
                    await members.edit(
                        conn,
                        place.id,
                        who[key],
                        name=member.name,
                        phone=f"{canary} 0123",
                        contact_shown=True,
                        area=f"{canary} street",
                        about=f"{canary} about",
                        by=who[by],
                        now=NOW,
                    )
        waiting = await _entry(conn, alpha, who["member"], who["receiver"], who["member"], "ALPHA")
        posted = await _entry(conn, alpha, who["member"], who["receiver"], who["member"], "ALPHA")
        foreign = await _entry(conn, beta, who["stranger"], who["faraway"], who["stranger"], "BETA")
        await buddies.add(
            conn,
            alpha.id,
            who["member"],
            who["receiver"],
            consent="ALPHA consent",
            by=who["member"],
            now=NOW,
        )
        await buddies.add(
            conn,
            beta.id,
            who["faraway"],
            who["stranger"],
            consent="BETA consent",
            by=who["stranger"],
            now=NOW,
        )
        for place, by, canary in ((alpha, "member", "ALPHA"), (beta, "stranger", "BETA")):
            await invitations.invite(
                conn,
                place.id,
                name=f"{canary} Guest",
                email="",
                by=who[by],
                now=NOW,
                base_url="",
            )
        for place, by in ((alpha, "steward"), (beta, "stranger")):
            await _closing_day(conn, place, who[by])
        proposed = await a_proposal(conn, alpha.id, who["member"], who["receiver"], "ALPHA", NOW)
        proposed_there = await a_proposal(
            conn, beta.id, who["stranger"], who["faraway"], "BETA", NOW
        )
        for place, by in ((alpha, "coordinator"), (beta, "stranger")):
            for month in (MARCH, APRIL):
                await closing.close(conn, place.id, month, by=who[by], now=NOW)
        await closing.ask_to_reopen(
            conn, alpha.id, MARCH, "ALPHA reason", by=who["second"], now=NOW
        )
        mine: dict[str, UUID] = {}
        for place, by in ((alpha, "coordinator"), (alpha, "steward"), (beta, "stranger")):
            mine[by] = NOW.new_id()
            entry_id = foreign if place is beta else posted
            item = Item(Thing(Why.APPROVAL, entry_id), Minutes(60))
            await deeds.keep(
                conn, place.id, DeedKind.APPROVED, [item], id=mine[by], by=who[by], now=NOW
            )
        row = (await buddies.of(conn, alpha.id, who["member"]))[0].id
        foreign_row = (await buddies.of(conn, beta.id, who["faraway"]))[0].id
        invited = (await invitations.waiting(conn, alpha.id, now=NOW))[0].id
        invited_there = (await invitations.waiting(conn, beta.id, now=NOW))[0].id
    batch = await _sheet(db, alpha, who["coordinator"], who["member"], who["receiver"], "ALPHA")
    batch_there = await _sheet(db, beta, who["stranger"], who["faraway"], who["stranger"], "BETA")
    done = await posting.post(
        db,
        [
            Approve(alpha.id, posted, who["coordinator"]),
        ],
        now=NOW,
    )
    assert not isinstance(done[0], posting.Refused), done
    world.things = {
        "entries": {"waiting": str(waiting), "posted": str(posted), "elsewhere": str(foreign)},
        "members": {
            "self": "self",
            "other": str(who["receiver"]),
            "applicant": str(who["waiting"]),
            "elsewhere": str(who["faraway"]),
        },
        "statement": {
            "self": "self",
            "other": str(who["receiver"]),
            "house": str(house.id),
            "commons": str(alpha.commons_id),
            "elsewhere": str(who["faraway"]),
        },
        "imports": {
            "checked": await a_file(db, alpha, who["coordinator"], "ALPHA Newcomer"),
            "done": await a_file(db, alpha, who["coordinator"], "ALPHA Arrived", bring=True),
            "elsewhere": await a_file(db, beta, who["stranger"], "BETA Newcomer"),
        },
        "inbox": {
            "coordinator's": str(mine["coordinator"]),
            "steward's": str(mine["steward"]),
            "elsewhere": str(mine["stranger"]),
        },
        "batches": {"sheet": str(batch), "elsewhere": str(batch_there)},
        "invitations": {"member's": invited, "elsewhere": invited_there},
        "buddies": {"member's": str(row), "elsewhere": str(foreign_row)},
        "months": {"closed": str(APRIL), "reopening": str(MARCH), "open": str(APRIL.next)},
        "proposals": {"member's": str(proposed), "elsewhere": str(proposed_there)},
    }


async def _closing_day(conn: AsyncConnection, place: Community, by: UUID) -> None:
    """From now on months are closed on the first."""
    current = await agreements.current(conn, place.id)
    await agreements.adopt(
        conn,
        place.id,
        replace(current.terms, closing_day=1),
        reason=f"{place.name.upper()} reason",
        expected_version=1,
        by=by,
        now=NOW,
    )


async def a_proposal(
    conn: AsyncConnection, community: UUID, by: UUID, asked: UUID, canary: str, now: Moment
) -> UUID:
    """A proposal to change the agreement, open for some days."""
    current = await agreements.current(conn, community)
    new = NewProposal(
        replace(current.terms, dispute_days=14),
        f"{canary} proposes",
        (asked,),
        now.at.date() + timedelta(days=20),
        None,
        current.version,
    )
    made = await proposing.propose(conn, community, new, by=by, now=now)
    await proposing.comment(conn, community, made.id, f"{canary} comment", by=by, now=now)
    return made.id


async def a_file(
    db: Database,
    place: Community,
    by: UUID,
    name: str,
    *,
    bring: bool = False,
    now: Moment = NOW,
) -> str:
    """The id of a file with one new person in it, that is checked, or brought in too."""
    async with db.write(place.id) as conn:
        file = await files.begin(conn, place.id, f"{name}.csv", bytes(32), by=by, now=now)
        await files.keep_rows(conn, file, [files.Row(1, ["name"]), files.Row(2, [name])])
        found = {"headings": ["name"], "heading_row": 1, "width": 1}
        stage = files.Stage.MATCHING
        await files.move(conn, file, [file.stage], stage, now=now, rows=2, found=found)
        chosen = matching.Settings({"name": 0}, first=2)
        file = await checking.begin(
            conn, place.id, file.id, files.What.PEOPLE, chosen, by=by, now=now
        )
    await checking.check(db, file, by=by, clock=lambda: now)
    if bring:
        async with db.write(place.id) as conn:
            file = await running.begin(conn, place.id, file.id, leave_out=False, by=by, now=now)
        await running.run(db, file, by=by, clock=lambda: now)
    return str(file.id)


async def _sheet(
    db: Database, place: Community, by: UUID, giver: UUID, receiver: UUID, canary: str
) -> UUID:
    """A sheet that was typed in."""
    batch = NOW.new_id()
    line = sheets.Line(1, Kind.HELP, giver, receiver, Minutes(60), NOW.at.date(), f"{canary} row")
    done = await sheets.post(
        db, place.id, [line], batch=batch, label=f"{canary} sheet", by=by, now=NOW
    )
    assert isinstance(done, sheets.Posted)
    return batch


async def _people_things(
    conn: AsyncConnection, world: World, alpha: Community, beta: Community, houses: list[Member]
) -> None:
    """Listings with answers, affiliations, notes, people kept apart, somebody asked to stay."""
    who = world.members
    places = (
        (alpha, "member", "receiver", "coordinator", "ALPHA", houses[0]),
        (beta, "stranger", "faraway", "stranger", "BETA", houses[1]),
    )
    made: dict[str, list[str]] = {}

    def keep(noun: str, id: object) -> None:
        made.setdefault(noun, []).append(str(id))

    for place, one, other, by, canary, house in places:
        for whose in (one, other):
            new = NewListing(
                ListingKind.REQUEST, f"{canary} title", f"{canary} words", area=f"{canary} street"
            )
            listing = await listing_steps.write(
                conn, place.id, who[whose], new, by=who[whose], now=NOW
            )
            keep("listings", listing)
        first = UUID(made["listings"][-2])
        await listing_steps.answer(
            conn, place.id, first, f"{canary} answer", by=who[other], now=NOW
        )
        hat = await affiliations.add(
            conn,
            place.id,
            who[other],
            organisation=house.id,
            role=f"{canary} role",
            since=NOW.at.date(),
            by=who[other],
            now=NOW,
        )
        keep("hats", hat)
        cared = "receiver" if place is alpha else "faraway"
        await notes.write(conn, place.id, who[cared], f"{canary} note", by=who[by], now=NOW)
        keep("notes", (await notes.of(conn, place.id, who[cared]))[0].id)
        await keeping_apart.begin(
            conn, place.id, who[cared], house.id, words=f"{canary} why", by=who[by], now=NOW
        )
        keep("apart", (await keeping_apart.of(conn, place.id, who[cared], by=who[by]))[0].id)
        keep("sectors", (await sectors.of(conn, place.id))[0].id)
        await conn.execute(
            insert(stays.stays).values(
                community_id=place.id, id=NOW.new_id(), member_id=who[cared], found_at=NOW.at
            )
        )
    here = {"self": "self", "other": str(who["receiver"]), "elsewhere": str(who["faraway"])}
    ours, foreign = (str(one.id) for one in houses)
    mine, others, elsewhere, _ = made["listings"]
    checks = await own_lists.items(conn, alpha.id, Which.CHECKS)
    world.forms["care"] = {"answer": "stays"}
    world.forms["gatherings"] = {"format": ""}
    world.form = {
        "check": str(checks[0].id),
        "organisation": ours,
        "sector": made["sectors"][0],
    }
    world.things |= {
        "organisations": {"house": ours, "no house": here["other"], "elsewhere": foreign},
        "listings": {"member's": mine, "other": others, "elsewhere": elsewhere},
        "affiliations": here,
        "care": here,
        "applications": {"applicant": str(who["waiting"]), "elsewhere": str(who["faraway"])},
        "lists": {"ours": made["sectors"][0], "elsewhere": made["sectors"][1]},
    }
    for noun in ("hats", "notes", "apart"):
        world.things[noun] = dict(zip(("other's", "elsewhere"), made[noun], strict=True))


async def _planned(
    db: Database, world: World, alpha: Community, beta: Community, house: Member
) -> None:
    """One for members, one by invitation, one for everybody, and one elsewhere.

    The member has planned the first, offers the tea at both, and is invited to the second. What
    everybody may read has no canary.
    """
    who, evening = world.members, When(NOW.at.date(), time(20), Minutes(120))
    tea = (("tea", 1),)

    async def plan(conn: object, place: Community, by: str, canary: str, **more: object) -> UUID:
        details = {"purpose": f"{canary} purpose", "place": f"{canary} hall", "bring": canary}
        planned = Plan(f"{canary} tea", roles=tea, **(details | more))  # type: ignore[arg-type]
        return await planning.make(conn, place.id, planned, evening, by=who[by], now=NOW)  # type: ignore[arg-type]

    async with db.write(EVERYWHERE) as conn:
        members_ = await plan(conn, alpha, "member", "ALPHA", link="https://ALPHA.example.org")
        invited = await plan(conn, alpha, "coordinator", "ALPHA", openness=Openness.INVITED)
        open_ = Plan("Open tea", place="The green", openness=Openness.PUBLIC, roles=tea)
        public = await planning.make(conn, alpha.id, open_, evening, by=who["member"], now=NOW)
        foreign = await plan(conn, beta, "stranger", "BETA", openness=Openness.PUBLIC)
        member = who["member"]
        seat = await duties.offer(conn, alpha.id, members_, "tea", by=member, now=NOW)
        await inviting.several(conn, alpha.id, invited, [member], by=who["coordinator"], now=NOW)
        await inviting.organisation(conn, alpha.id, members_, house.id, by=member, now=NOW)
        await seats.bring(conn, alpha.id, members_, "ALPHA Guest", by=member, now=NOW)
        await feeds.show(conn, alpha.id, True, by=who["coordinator"], now=NOW)
        kinds = (await formats.of(conn, alpha.id))[0].id
        foreign_kinds = (await formats.of(conn, beta.id))[0].id
    world.things["gatherings"] = {
        "for members": str(members_),
        "by invitation": str(invited),
        "elsewhere": str(foreign),
    }
    for noun in ("seats", "duties", "inviting"):  # the id is that of the gathering
        world.things[noun] = world.things["gatherings"]
        world.forms[noun] = {"seat": str(seat.id), "house": str(house.id)}
    world.things["whats-on"] = {
        "public": str(public),
        "for members": str(members_),
        "elsewhere": str(foreign),
    }
    world.things["formats"] = {"ours": str(kinds), "elsewhere": str(foreign_kinds)}


async def _held(db: Database, world: World, alpha: Community, beta: Community) -> None:
    """Gatherings the member looks after, one of which the others may not know, and one elsewhere.

    Of the first the list is open, the second waits to be approved, of the third something is left.
    """
    who = world.members
    ids: dict[str, UUID] = {}
    async with db.write(EVERYWHERE) as conn:
        for key, by, openness in (
            ("open", "member", Openness.MEMBERS),
            ("sent", "member", Openness.MEMBERS),
            ("left", "member", Openness.MEMBERS),
            ("hidden", "receiver", Openness.INVITED),
        ):
            ids[key] = await _gathering(conn, alpha, who[by], "ALPHA", openness)
        ids["elsewhere"] = await _gathering(conn, beta, who["stranger"], "BETA", Openness.MEMBERS)
        await attendance_closing.close(conn, alpha.id, ids["sent"], by=who["coordinator"], now=NOW)
        plan = await settlement_steps.plan(conn, alpha.id, ids["sent"], by=who["member"])
        await settlement_steps.send(
            conn, alpha.id, ids["sent"], seal=plan.seal, by=who["member"], now=NOW
        )
        room = await rooms.get(conn, alpha.id, ids["open"])
        door_name = NOW.new_id()
        await walk_ins.at_the_door(conn, room, "ALPHA Passer-by", seat_id=door_name, now=NOW)
        await gathering_notes.write(
            conn, alpha.id, ids["left"], NOW.new_id(), "ALPHA note", by=who["member"], now=NOW
        )
        action, foreign = NOW.new_id(), NOW.new_id()
        for place, id, key, by in (
            (alpha, action, "left", "member"),
            (beta, foreign, "elsewhere", "stranger"),
        ):
            await gathering_actions.add(
                conn, place.id, ids[key], id, "ALPHA action", by=who[by], now=NOW
            )
    shown = {"hidden": str(ids["hidden"]), "elsewhere": str(ids["elsewhere"])}
    world.things |= {
        "attendance": {"open": str(ids["open"])} | shown,
        "settlement": {"sent": str(ids["sent"])} | shown,
        "afterwards": {"left": str(ids["left"])} | shown,
        "actions": {"member's": str(action), "elsewhere": str(foreign)},
    }
    world.forms["afterwards"] = world.forms["actions"] = {"what": "ALPHA action"}
    world.forms["attendance"] = {"seat": str(door_name), "who": "guest"}
    world.forms["settlement"] = {"seal": plan.seal}


async def _gathering(
    conn: AsyncConnection, place: Community, by: UUID, canary: str, openness: Openness
) -> UUID:
    """A gathering this morning at which whoever made it took part."""
    id = await a_gathering(
        conn,
        place.id,
        by,
        title=f"{canary} Tea",
        openness=openness,
        starts=timedelta(hours=-3),
    )
    await a_seat(conn, place.id, id, by, present=Minutes(120))
    return id


async def _entry(
    conn: object, place: Community, giver: UUID, receiver: UUID, by: UUID, canary: str
) -> UUID:
    new = NewEntry(
        Kind.HELP,
        (Share(giver),),
        (Share(receiver),),
        Minutes(60),
        NOW.at.date(),
        note=f"{canary} note",
    )
    entry = await recording.record(conn, place.id, new, by=by, now=NOW)  # type: ignore[arg-type]
    return entry.id


# ── What is asked ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Question:
    """One route, about one thing."""

    name: str
    method: str
    path: str
    about: str


def questions(app: Starlette, world: World, actor: str) -> Iterator[Question]:
    """All routes of the application, each about every kind of thing its path can name."""
    for route in app.routes:
        assert isinstance(route, Route)
        assert route.name
        method = next(iter(sorted((route.methods or set()) - {"HEAD"})))
        for about, path in _paths(route.path, world, actor):
            yield Question(route.name, method, path, about)


def _paths(pattern: str, world: World, actor: str) -> Iterator[tuple[str, str]]:
    path = (
        pattern.replace("{version:count}", "1")
        .replace("{number:count}", "1")
        .replace("{file:path}", "timebank.css")
        .replace("{token}", "no-such-token")
        .replace("{name}", "no-such-mail")
        .replace("{list}", "sectors")
    )
    if "{slug}" not in path:
        assert "{" not in path, f"say what {pattern} is to be asked about"
        yield "-", path
        return
    noun = path.split("/")[3]
    path = path.replace("{slug}", "alpha")
    if not re.search(THING, path):
        yield "-", path
        return
    own = world.members.get(actor, world.members["member"])
    for about, id in world.things[noun].items():
        asked = re.sub(THING, str(own) if id == "self" else id, path)
        if "{row}" in asked:
            of = asked.partition("/{row}")[0].rsplit("/", 1)[1]
            for whose, row in world.things[of if of in world.things else "hats"].items():
                yield f"{about}/{whose}", asked.replace("{row}", row)
            continue
        inner = next((field for field in INNER if field in asked), None)
        if inner is not None:
            for whose, row in world.things[INNER[inner]].items():
                yield f"{about}/{whose}", asked.replace(inner, row)
        else:
            yield about, asked


@asynccontextmanager
async def _client(settings: Settings) -> AsyncIterator[tuple[Starlette, httpx.AsyncClient]]:
    app = create_app(settings, clock=lambda: NOW)
    database: Database = app.state.database
    await database.start()  # without the housekeeping, which would write on its own account
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    headers = {"Origin": "http://127.0.0.1:8000"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1:8000", headers=headers
    ) as client:
        yield app, client
    await database.stop()


@asynccontextmanager
async def _closed(db: Database) -> AsyncIterator[None]:
    """Nobody has the database open; it goes on afterwards, knowing its statements."""
    await db.stop()
    yield
    await db.start()


async def _ask(
    client: httpx.AsyncClient, question: Question, cookie: str | None, world: World
) -> httpx.Response:
    client.cookies.clear()
    if cookie:
        client.cookies.set("session", cookie)
    if question.method == "GET":
        return await client.get(question.path)
    noun = (*question.path.split("/"), "", "")[3]
    form = FORM | world.form | world.forms.get(noun, {})
    return await client.request(question.method, question.path, data=form)


def digest(settings: Settings) -> dict[str, list[str]]:
    """Every row of every table, as it lies in the file."""
    with closed(sqlite3.connect(settings.data / "timebank.sqlite")) as conn:
        return {
            name: sorted(map(repr, conn.execute(f'SELECT * FROM "{name}"')))
            for name in metadata.tables
        }


def _only_looked(before: dict[str, list[str]], after: dict[str, list[str]], actor: str) -> None:
    """Looking changes nothing, but that somebody looked at what is not for all is noted."""
    noted = set(after["audit"]) - set(before["audit"])
    assert all("'look." in act for act in noted), f"looking did something: {actor}"
    assert not noted or actor.startswith(("coordinator", "steward")), actor
    assert before | {"audit": []} == after | {"audit": []}, f"looking changed something: {actor}"


THING = r"\{(id|account_id|month)\}"
"""What a path can name of a community."""

REFUSED = (401, 403, 404, 405, 413, 422, 429)
Answers = dict[tuple[str, str], dict[str, int]]


async def answers(
    settings: Settings, keep: Callable[[], None], put_back: Callable[[], None]
) -> Answers:
    """Ask everything as everyone. `put_back` brings the database to where `keep` was called."""
    found: Answers = {}
    world = await build(settings)
    keep()
    for actor in ACTORS:
        todo = list(questions(create_app(settings), world, actor))
        looks = [question for question in todo if question.method == "GET"]
        steps = [question for question in todo if question.method != "GET"]
        async with _client(settings) as (app, client):
            before = digest(settings)
            for question in looks:
                await _answer(client, question, actor, world, found)
            _only_looked(before, digest(settings), actor)
            while steps:
                async with _closed(app.state.database):
                    put_back()
                with closed(_Commits(settings)) as commits:
                    while steps:
                        question = steps.pop(0)
                        status = await _answer(client, question, actor, world, found)
                        if commits.seen() and (after := digest(settings)) != before:
                            # What was counted against a guesser is the one trace a refusal leaves,
                            # and that a page was shown again which is not for all.
                            if status in REFUSED and question.name != "sign_in:create":
                                _only_looked(before, after, f"{actor} at {question}")
                            break
        put_back()
    return found


class _Commits:
    """Whether somebody committed since: reading every table each time would take minutes."""

    def __init__(self, settings: Settings) -> None:
        self._conn = sqlite3.connect(settings.data / "timebank.sqlite")
        self._last = self._version()

    def close(self) -> None:
        self._conn.close()

    def seen(self) -> bool:
        last, self._last = self._last, self._version()
        return self._last != last

    def _version(self) -> int:
        return int(self._conn.execute("PRAGMA data_version").fetchone()[0])


async def _answer(
    client: httpx.AsyncClient, question: Question, actor: str, world: World, found: Answers
) -> int:
    response = await _ask(client, question, world.cookies.get(actor), world)
    found.setdefault((question.name, question.about), {})[actor] = response.status_code
    assert response.status_code < 500, f"{question} broke, asked by {actor}"
    _no_canary(actor, question, response)
    return response.status_code


def _no_canary(actor: str, question: Question, response: httpx.Response) -> None:
    text = response.text
    if actor in ("visitor", "stranger"):
        assert "ALPHA" not in text, f"{actor} reads Alpha's words at {question}"
    if actor != "stranger":
        assert "BETA" not in text, f"{actor} reads Beta's words at {question}"
    if actor == "applicant":
        seen = text.replace("ALPHA Applicant", "").replace("applicant@alpha", "")
        assert "ALPHA" not in seen, f"an applicant reads the community's words at {question}"


def _written(found: Answers) -> str:
    head = f"{'route':32}{'about':22}" + "".join(f"{actor:>12}" for actor in ACTORS)
    lines = [
        f"{name:32}{about:22}" + "".join(f"{by.get(actor, 0):>12}" for actor in ACTORS)
        for (name, about), by in found.items()
    ]
    return "\n".join([head, *lines]) + "\n"


def _copies(settings: Settings) -> tuple[Callable[[], None], Callable[[], None]]:
    """Keep a copy of the SQLite file, and put it back."""
    file = settings.data / "timebank.sqlite"
    copy = settings.data / "kept.sqlite"

    def keep() -> None:
        shutil.copyfile(file, copy)

    def put_back() -> None:
        for ending in ("", "-wal", "-shm"):
            Path(f"{file}{ending}").unlink(missing_ok=True)
        shutil.copyfile(copy, file)

    return keep, put_back


async def test_everyone_gets_just_what_the_reviewed_table_says(sqlite_settings: Settings) -> None:
    found = await answers(sqlite_settings, *_copies(sqlite_settings))
    assert _written(found).splitlines() == TABLE.read_text().splitlines()


def main() -> None:
    """Write the table anew. Read the difference before you keep it."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), database_url="")
        migrate.upgrade(settings)
        TABLE.write_text(_written(asyncio.run(answers(settings, *_copies(settings)))))


if __name__ == "__main__":
    main()
