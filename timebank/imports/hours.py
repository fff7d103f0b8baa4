"""Hours of the past: who gave whom how much time, on which day.

A row is known again by the id the other program gave it, else by what it says and how many rows
before it said the same; so files that overlap bring nothing in twice. Hours that a file brought in
and that were undone can be brought in anew.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import LedgerError, Minutes
from ledger.sql import planner
from timebank import batches, communities, entries, flow, posting
from timebank.entry import Kind, Side, State
from timebank.errors import TimebankError
from timebank.imports import adding, cells, files
from timebank.imports.cells import BadCell
from timebank.imports.fields import plain
from timebank.imports.files import Row, Verdict
from timebank.imports.planning import Mistake, Said, Scene, mistaken
from timebank.imports.who import Ambiguous, Known, Strange, is_nobody
from timebank.members import MemberKind, Status
from timebank.posting import BringIn, Refused

LONGEST_NOTE = 2_000
LONGEST_CATEGORY = 60

# Words for kinds, in the languages of such files. What is not among them is help.
_KINDS: Mapping[str, Kind] = {
    **{kind.value: kind for kind in Kind},
    "shared activity": Kind.ACTIVITY,
    "actividad": Kind.ACTIVITY,
    "actividad compartida": Kind.ACTIVITY,
    "hospitalidad": Kind.HOSPITALITY,
    "acogida": Kind.HOSPITALITY,
    "facilitacion": Kind.FACILITATION,
    "dinamizacion": Kind.FACILITATION,
    "ayuda": Kind.HELP,
    "gift": Kind.GRANT,
    "regalo": Kind.GRANT,
    "donacion": Kind.DONATION,
}


class NotPosted(Exception):
    """The books refused a row that was planned, so nothing of the file was brought in."""

    def __init__(self, error: TimebankError | LedgerError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class _Draft:
    """A row as it was read: everything but whether it is here already."""

    row: Row
    id: UUID
    own_id: str
    kind: Kind
    giver: UUID
    receiver: UUID
    minutes: Minutes
    day: date
    note: str
    category: UUID | None
    facts: dict[str, Any]
    remarks: tuple[tuple[str, dict[str, Any]], ...]
    category_name: str

    def parts(self) -> list[tuple[UUID, str, int]]:
        gave = (self.giver, Side.GAVE.value, self.minutes.count)
        return [gave, (self.receiver, Side.RECEIVED.value, self.minutes.count)]


class Hours:
    """Plans and writes hours of the past."""

    by_day = True

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._before: Counter[bytes] = Counter()  # rows that said the same
        self._seen: dict[UUID, tuple[int, tuple[Any, ...]]] = {}  # ids of this file: row, content
        self._categories: dict[str, UUID] | None = None
        self._old_categories: set[UUID] = set()
        self._told_categories: set[UUID] = set()
        self._former: dict[UUID, Mapping[str, str]] = {}  # whom rows name who are not here
        self._needed: dict[UUID, Mapping[str, str]] = {}  # those of them that hours are brought for

    # ── Planning ─────────────────────────────────────────────────────────────────────────────────

    async def plan(self, conn: AsyncConnection, rows: Sequence[Row]) -> list[Said]:
        """What each of the next rows would do."""
        await self._know_categories(conn)
        read: list[_Draft | Said] = []
        for row in rows:
            try:
                read.append(self._draft(row))
            except (Mistake, BadCell) as fault:
                read.append(mistaken(row, fault))
        drafts = [one for one in read if isinstance(one, _Draft)]
        known = await placed(conn, self._scene.place.id, [draft.id for draft in drafts])
        return [one if isinstance(one, Said) else self._said(one, known) for one in read]

    def _draft(self, row: Row) -> _Draft:
        settings, scene = self._scene.settings, self._scene
        minutes = cells.minutes(settings.cell(row, "time"), settings.unit)
        day = cells.past_day(settings.cell(row, "day"), settings.order, today=scene.today)
        note = cells.text(settings.cell(row, "note"), LONGEST_NOTE, lines=True)
        kind, giver, receiver, remarks = self._who_and_what(row)
        if giver.id == receiver.id:
            raise Mistake("same_person", name=giver.name)
        category, category_name = self._category(row)
        own_id = cells.text(settings.cell(row, "id"), 200)
        content = [
            day.isoformat(), str(giver.id), str(receiver.id), minutes.count, kind.value,
            plain(category_name), note,
        ]  # fmt: skip
        return _Draft(
            row,
            self._id(own_id, content),
            own_id,
            kind,
            giver.id,
            receiver.id,
            minutes,
            day,
            note,
            category,
            {
                "giver": giver.name,
                "receiver": receiver.name,
                "minutes": minutes.count,
                "day": day.isoformat(),
                "kind": kind.value,
                "note": note[:120],
                "category": category_name,
            },
            remarks,
            category_name,
        )

    def _by_flow(self) -> bool:
        """Whether the columns say where hours go from and to, and not who helped whom."""
        columns = self._scene.settings.columns
        return not {"giver", "giver_number"} & columns.keys()

    def _who_and_what(
        self, row: Row
    ) -> tuple[Kind, Known, Known, tuple[tuple[str, dict[str, Any]], ...]]:
        """The kind, who gave and who received.

        Who provided something gets the hours for it, also from the commons. Where the columns only
        say where hours went from and to, hours of the commons are gifts: those never count as help.
        """
        word = self._scene.settings.cell(row, "kind")
        kind = _KINDS.get(plain(word))
        remarks = (("kind_unknown", {"text": word[:40]}),) if word and kind is None else ()
        if not self._by_flow():
            giver = self._somebody(row, "giver")
            receiver = self._somebody(row, "receiver")
            return kind or Kind.HELP, giver, receiver, remarks
        source = self._somebody(row, "source")
        destination = self._somebody(row, "destination")
        if kind is None:
            commons = self._scene.place.commons_id
            gifts = {source.id: Kind.GRANT, destination.id: Kind.DONATION}
            kind = gifts.get(commons, Kind.HELP)
        if kind.is_gift:
            return kind, source, destination, remarks
        return kind, destination, source, remarks

    def _somebody(self, row: Row, key: str) -> Known:
        scene, who = self._scene, self._scene.who
        name = cells.text(scene.settings.cell(row, key), 120)
        number = cells.text(scene.settings.cell(row, f"{key}_number"), 60)
        if not name and not number:
            raise Mistake(f"nobody_{_SIDES[key]}")
        if who.is_commons(name, number):
            return Known(
                scene.place.commons_id,
                scene.place.name,
                MemberKind.ORGANISATION,
                Status.ACTIVE,
                None,
            )
        try:
            known = None if is_nobody(name) else who.meant(name, number)
        except Ambiguous:
            raise Mistake("name_of_several", name=name) from None
        except Strange as strange:
            raise Mistake(
                "number_of_another", number=strange.number, name=strange.known.name
            ) from None
        if known is None:
            return self._once(name, number)
        if not known.has_account:
            raise Mistake("not_welcomed", name=known.name)
        return known

    def _once(self, name: str, number: str) -> Known:
        """Somebody who is not here: a former member, if that is wanted."""
        scene = self._scene
        if not scene.settings.add_people:
            raise Mistake("nobody_here", name=name or number)
        if is_nobody(name):
            name, number = _FORMER.get(scene.place.language, _FORMER["en"]), ""
            known = scene.who.by_name(name)
            if known:
                return known[0]
        elif not name:
            raise Mistake("nobody_here", name=number)
        id = scene.who.fresh_id("former", name, number)
        former = Known(id, name, MemberKind.PERSON, Status.LEFT, None)
        scene.who.add(former, number)
        self._former[id] = {"id": str(id), "name": name, "number": number}
        return former

    def _category(self, row: Row) -> tuple[UUID | None, str]:
        """The category of that name; one that is new is kept, and not offered for new hours."""
        name = cells.text(self._scene.settings.cell(row, "category"), LONGEST_CATEGORY)
        if not name:
            return None, ""
        assert self._categories is not None
        key = plain(name) or name
        known = self._categories.get(key)
        if known is None:
            known = self._categories[key] = uuid5(self._scene.place.id, f"category\n{key}")
        return known, name

    async def _know_categories(self, conn: AsyncConnection) -> None:
        if self._categories is not None:
            return
        table = communities.categories
        rows = await conn.execute(
            select(table.c.id, table.c.name).where(table.c.community_id == self._scene.place.id)
        )
        self._categories = {plain(row.name) or row.name: row.id for row in rows}
        self._old_categories = set(self._categories.values())

    def _id(self, own_id: str, content: Sequence[Any]) -> UUID:
        """The id these words always get."""
        place = self._scene.place.id
        if own_id:
            return uuid5(place, f"hours by id\n{own_id}")
        key = json.dumps(content, ensure_ascii=False).encode()
        digest = uuid5(place, key.decode()).bytes
        self._before[digest] += 1
        return uuid5(place, f"hours\n{digest.hex()}\n{self._before[digest]}")

    def _said(self, draft: _Draft, known: Mapping[UUID, Place]) -> Said:
        """Whether it is here already; else what to do."""
        content = (draft.parts(), draft.day, draft.kind, draft.note)
        if draft.own_id and draft.id in self._seen:
            row, earlier = self._seen[draft.id]
            if earlier == content:
                return Said(draft.row.number, Verdict.THERE, "row_twice", {"row": row})
            return mistaken(draft.row, Mistake("id_twice", row=row, id=draft.own_id))
        self._seen[draft.id] = (draft.row.number, content)
        place = known[draft.id]
        if place.content is not None:
            if place.content != (sorted(draft.parts()), draft.day):
                return mistaken(draft.row, Mistake("here_otherwise", **draft.facts))
            return Said(draft.row.number, Verdict.THERE, "hours_there", draft.facts)
        do = {
            "id": str(place.id),
            "kind": draft.kind.value,
            "giver": str(draft.giver),
            "receiver": str(draft.receiver),
            "minutes": draft.minutes.count,
            "day": draft.day.isoformat(),
            "note": draft.note,
            "category": str(draft.category) if draft.category else None,
            "category_name": draft.category_name,
        }
        return Said(
            draft.row.number,
            Verdict.NEW,
            "gift_new" if draft.kind.is_gift else "hours_new",
            draft.facts,
            (*draft.remarks, *self._adds(draft)),
            draft.day,
            do,
        )

    def _adds(self, draft: _Draft) -> Iterator[tuple[str, dict[str, Any]]]:
        """Whom and what a row is the first to add."""
        for id in (draft.giver, draft.receiver):
            if id in self._former and id not in self._needed:
                self._needed[id] = self._former[id]
                yield "adds_former", {"name": self._former[id]["name"]}
        known = self._old_categories | self._told_categories
        if draft.category is not None and draft.category not in known:
            self._told_categories.add(draft.category)
            yield "category_new", {"name": draft.category_name}

    # ── Writing ──────────────────────────────────────────────────────────────────────────────────

    async def write(self, conn: AsyncConnection, rows: Sequence[Row]) -> None:
        """Post these rows; whoever and whatever category they add comes first."""
        todo = [(row.number, row.says["do"]) for row in rows]
        await adding.former(conn, self._scene, list(self._needed.values()))
        self._needed = {}
        await self._add_categories(conn, [do for _, do in todo])
        await post(conn, self._scene, todo)

    async def finish(self, conn: AsyncConnection) -> None:
        """Nothing more."""

    async def _add_categories(
        self, conn: AsyncConnection, todo: Iterable[Mapping[str, Any]]
    ) -> None:
        new = {
            UUID(do["category"]): do["category_name"]
            for do in todo
            if do["category"] and UUID(do["category"]) not in self._old_categories
        }
        if new:
            self._old_categories |= new.keys()
            await conn.execute(
                insert(communities.categories),
                [
                    {
                        "community_id": self._scene.place.id,
                        "id": id,
                        "name": name,
                        "position": 1000,
                        "retired_at": self._scene.now.at,
                    }
                    for id, name in new.items()
                ],
            )
            await files.keep_made(conn, self._scene.file, [("category", id) for id in new])


_SIDES = {
    "giver": "gave",
    "destination": "gave",
    "receiver": "received",
    "source": "received",
}
_FORMER = {"en": "Former members", "es": "Antiguos miembros"}


async def post(
    conn: AsyncConnection, scene: Scene, todo: Sequence[tuple[int, Mapping[str, Any]]]
) -> None:
    """Post all of these, each with its row's number, and put them into the batch.

    Or raise `NotPosted`.
    """
    if not todo:
        return
    asked = [request(scene, do) for _, do in todo]
    for verdict in await posting.post_in(conn, scene.place.id, asked, now=scene.now):
        if isinstance(verdict, Refused):
            raise NotPosted(verdict.error)
    assert scene.file.batch_id is not None, "whoever brings hours in has begun a batch"
    rows = [(number, UUID(do["id"])) for number, do in todo]
    await batches.add(conn, scene.place.id, scene.file.batch_id, rows)


def gains(scene: Scene, do: Mapping[str, Any]) -> bool:
    """Whether whoever brings it in, or an organisation they manage, gets hours by it."""
    kind = Kind(do["kind"])
    gaining = do["receiver"] if flow.gaining_side(kind) is Side.RECEIVED else do["giver"]
    return UUID(gaining) in {scene.actor.id, *scene.actor.manages}


@dataclass(frozen=True, slots=True)
class Place:
    """The id a row would get, or what stands there already: parts and day."""

    id: UUID
    content: tuple[list[tuple[UUID, str, int]], date] | None


async def placed(conn: AsyncConnection, community: UUID, ids: Iterable[UUID]) -> dict[UUID, Place]:
    """For each of some thousand ids: whether an entry is here, or under which id it would be.

    What was undone leaves its id behind, so it goes by the next one.
    """
    found: dict[UUID, Place] = {}
    asked = {id: id for id in ids}
    time = 0
    while asked:
        async with planner.planned_each_time(conn):
            known = await _known(conn, community, set(asked.values()))
        again = {}
        for first, id in asked.items():
            if id not in known:
                found[first] = Place(id, None)
            elif known[id][0] is State.REVERSED:
                again[first] = uuid5(first, f"again {time}")
            else:
                found[first] = Place(id, known[id][1])
        asked, time = again, time + 1
    return found


async def _known(
    conn: AsyncConnection, community: UUID, ids: set[UUID]
) -> dict[UUID, tuple[State, tuple[list[tuple[UUID, str, int]], date]]]:
    """Which of these entries are here, where they stand, and what they say."""
    table, parts = entries.entries, entries.parts
    rows = await conn.execute(
        select(table.c.id, table.c.state, table.c.occurred_on).where(
            table.c.community_id == community, table.c.id.in_(ids)
        )
    )
    heads = {row.id: (State(row.state), row.occurred_on) for row in rows}
    if not heads:
        return {}
    standing: dict[UUID, list[tuple[UUID, str, int]]] = {}
    for row in await conn.execute(
        select(parts.c.entry_id, parts.c.account_id, parts.c.side, parts.c.minutes).where(
            parts.c.community_id == community, parts.c.entry_id.in_(heads)
        )
    ):
        standing.setdefault(row.entry_id, []).append((row.account_id, row.side, row.minutes.count))
    return {id: (state, (sorted(standing.get(id, [])), day)) for id, (state, day) in heads.items()}


def along_id(scene: Scene, member: UUID) -> UUID:
    """The id of what a member brought along: there is one for each."""
    return uuid5(scene.place.id, f"brought along\n{member}")


def brought_along(
    scene: Scene, id: UUID, member: UUID, balance: Minutes, note: str
) -> dict[str, Any]:
    """The gift by which somebody starts with the balance they had elsewhere.

    Issued by the commons, or given back to it: it never counts as help.
    """
    commons = scene.place.commons_id
    giver, receiver = (commons, member) if balance > Minutes(0) else (member, commons)
    return {
        "id": str(id),
        "kind": Kind.GRANT.value,
        "giver": str(giver),
        "receiver": str(receiver),
        "minutes": abs(balance).count,
        "day": scene.today.isoformat(),
        "note": note,
        "category": None,
    }


def request(scene: Scene, do: Mapping[str, Any]) -> BringIn:
    """What was planned, as the door of the books takes it."""
    return BringIn(
        scene.place.id,
        UUID(do["id"]),
        scene.actor.id,
        Kind(do["kind"]),
        UUID(do["giver"]),
        UUID(do["receiver"]),
        Minutes(do["minutes"]),
        date.fromisoformat(do["day"]),
        do["note"],
        UUID(do["category"]) if do["category"] else None,
        override=not scene.settings.keep_floors,
    )
