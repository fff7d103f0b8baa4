"""The dry run: every row is told what bringing it in would do, and nothing is brought in.

It reads one unchanging picture of the community, and writes down what it says some thousand rows at
a time, so that others can write meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import bindparam, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import read
from timebank import acting, policy
from timebank.db import Database
from timebank.entry import Kind
from timebank.errors import BadInput, Forbidden, TimebankError
from timebank.imports import board, fields, files, hats, hours, houses, matching, planning
from timebank.imports.files import File, Row, Stage, Verdict, What
from timebank.imports.matching import Settings
from timebank.imports.planning import Planner, Said, Scene
from timebank.moment import Moment

CHUNK = 1000

Clock: TypeAlias = Callable[[], Moment]

_PLANNERS: Mapping[What, Callable[[Scene], Planner]] = {
    What.PEOPLE: houses.Everybody,
    What.ORGANISATIONS: houses.Houses,
    What.AFFILIATIONS: hats.Hats,
    What.LISTINGS: board.Board,
    What.HOURS: hours.Hours,
}

_EITHER: Mapping[What, Sequence[Sequence[str]]] = {  # one of each has to be there
    What.PEOPLE: [("name", "first_name", "last_name")],
    What.LISTINGS: [("person", "person_number")],
    What.HOURS: [fields.ONE_SIDE, fields.OTHER_SIDE],
}


def planner(what: What, scene: Scene) -> Planner:
    """Who plans and writes such things."""
    return _PLANNERS[what](scene)


def missing(what: What, columns: Mapping[str, int]) -> list[str]:
    """The fields that no column was chosen for, and without which nothing can be said."""
    found = [one.key for one in fields.FIELDS[what] if one.needed and one.key not in columns]
    either = _EITHER.get(what, ())
    return found + [keys[0] for keys in either if not set(keys) & columns.keys()]


async def begin(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    what: What,
    settings: Settings,
    *,
    by: UUID,
    now: Moment,
) -> File:
    """Say what the rows are and which column is what; they are to be checked now.

    It is remembered for other files with these headings. Refuses with `Forbidden`, `NotFound`,
    `BadInput` when a column is missing or chosen twice, and `WrongState` while work is going on.
    """
    actor = await acting.active(conn, community, by)
    if not policy.may_import(actor.member):
        raise Forbidden("import")
    file = await files.get(conn, community, id)
    lacking = missing(what, settings.columns)
    if lacking:
        raise BadInput(f"column-{lacking[0]}", "column_missing")
    width = file.found.get("width", 0)
    if any(not 0 <= column < width for column in settings.columns.values()):
        raise BadInput("what", "not_offered")
    if what is What.HOURS and _both_ways(settings):
        raise BadInput("column-source", "two_ways")
    await files.move(
        conn,
        file,
        [Stage.MATCHING, Stage.CHECKED],
        Stage.CHECKING,
        now=now,
        what=what.value,
        settings=settings.as_json(),
        outcome={},
    )
    await matching.remember(conn, file, what, settings, now=now)
    return await files.get(conn, community, id)


def _both_ways(settings: Settings) -> bool:
    """Whether some columns say who helped whom, and others where hours went."""
    help = {"giver", "giver_number", "receiver", "receiver_number"} & settings.columns.keys()
    flow = {"source", "destination", "source_number", "destination_number"}
    return bool(help) and bool(flow & settings.columns.keys())


async def check(db: Database, file: File, *, by: UUID, clock: Clock) -> None:
    """Check every row. Afterwards the file is `CHECKED`; or `MATCHING` again if that failed."""
    try:
        await _check(db, file, by, clock)
    except TimebankError:
        async with db.write(file.community_id) as conn:
            stopped = {"reason": "interrupted", "facts": {}}
            await files.move(
                conn, file, [Stage.CHECKING], Stage.MATCHING, now=clock(), outcome=stopped
            )
        raise


async def _check(db: Database, file: File, by: UUID, clock: Clock) -> None:
    assert file.what is not None
    settings = Settings.from_json(file.settings)
    totals = Totals()
    async with db.read(file.community_id) as conn:
        scene = await planning.scene(conn, file, settings, by=by, now=clock())
        planning_them = planner(file.what, scene)
        done = 0
        async for found in files.in_order(conn, file, chunk=CHUNK):
            counting = [row for row in found if row.number >= settings.first]
            said = await planning_them.plan(conn, counting)
            totals.add(scene, said)
            done += len(found)
            async with db.write(file.community_id) as writing:
                await _put(writing, file, said)
                await files.beat(writing, file, done, now=clock())
    if settings.keep_floors and totals.entries:
        await _judge_floors(db, file, scene, totals, clock)
    async with db.write(file.community_id) as writing:
        await files.move(
            writing,
            file,
            [Stage.CHECKING],
            Stage.CHECKED,
            now=clock(),
            same_turn=True,
            outcome=totals.as_json(),
        )


class Totals:
    """What all rows together would do, in numbers."""

    def __init__(self) -> None:
        self.new = self.there = self.mistakes = 0
        self.entries = self.minutes = self.gifts = self.gift_minutes = 0
        self.own_entries = self.own_minutes = 0
        self.mails = 0
        self.added: dict[str, int] = {}

    def add(self, scene: Scene, said: Sequence[Said]) -> None:
        """Count what was said of some rows."""
        for one in said:
            if one.verdict is Verdict.MISTAKE:
                self.mistakes += 1
            elif one.verdict is Verdict.THERE:
                self.there += 1
            else:
                self.new += 1
                self._count(scene, one)

    def _count(self, scene: Scene, said: Said) -> None:
        do = said.do or {}
        hours_done = do if "giver" in do else do.get("balance")
        if do.get("is_new") and do.get("email"):
            self.mails += 1
        for key, facts in said.remarks:
            if key in ("adds_former", "category_new") and facts.get("name"):
                self.added[f"{key}\n{facts['name']}"] = 1
        if hours_done:
            self._count_hours(scene, hours_done, 1)

    def _count_hours(self, scene: Scene, do: Mapping[str, Any], sign: int) -> None:
        minutes = sign * do["minutes"]
        if Kind(do["kind"]).is_gift:
            self.gifts += sign
            self.gift_minutes += minutes
        self.entries += sign
        self.minutes += minutes
        if hours.gains(scene, do):
            self.own_entries += sign
            self.own_minutes += minutes

    def refuse(self, scene: Scene, do: Mapping[str, Any]) -> None:
        """A row that would have been new is a mistake after all."""
        self.new -= 1
        self.mistakes += 1
        self._count_hours(scene, do, -1)

    def as_json(self) -> dict[str, int]:
        """As it is kept."""
        former = sum(1 for key in self.added if key.startswith("adds_former"))
        return {
            "new": self.new,
            "there": self.there,
            "mistakes": self.mistakes,
            "entries": self.entries,
            "minutes": self.minutes,
            "gifts": self.gifts,
            "gift_minutes": self.gift_minutes,
            "own_entries": self.own_entries,
            "own_minutes": self.own_minutes,
            "mails": self.mails,
            "former": former,
            "categories": len(self.added) - former,
        }


async def _put(conn: AsyncConnection, file: File, said: Sequence[Said]) -> None:
    """Write down what was said of some rows."""
    if not said:
        return
    table = files.rows
    await conn.execute(
        update(table)
        .where(
            table.c.community_id == file.community_id,
            table.c.import_id == file.id,
            table.c.number == bindparam("row"),
        )
        .values(verdict=bindparam("is"), says=bindparam("told"), day=bindparam("on")),
        [
            {"row": one.number, "is": one.verdict.value, "told": one.as_json(), "on": one.day}
            for one in said
        ],
    )


async def _judge_floors(
    db: Database, file: File, scene: Scene, totals: Totals, clock: Clock
) -> None:
    """In the order of their days, find the hours that would take somebody below their floor."""
    async with db.read(file.community_id) as conn:
        accounts = await read.accounts(conn, file.community_id)
        balances = {id: account.balance.count for id, account in accounts.items()}
        floors = {id: account.floor for id, account in accounts.items()}
        by_day = planner(file.what or What.HOURS, scene).by_day
        async for found in files.in_order(conn, file, by_day=by_day, chunk=CHUNK):
            refused = []
            for row in found:
                do = _hours_in(row)
                if do is None:
                    continue
                source, destination = _ends(do)
                after = balances.get(source, 0) - do["minutes"]
                floor = floors.get(source, scene.agreement.terms.hard_floor)
                if floor is not None and after < floor.count:
                    facts = row.says["facts"] | {"floor": floor.count}
                    refused.append(Said(row.number, Verdict.MISTAKE, "floor", facts))
                    totals.refuse(scene, do)
                    continue
                balances[source] = after
                balances[destination] = balances.get(destination, 0) + do["minutes"]
            async with db.write(file.community_id) as writing:
                await _put(writing, file, refused)
                await files.beat(writing, file, file.rows, now=clock())


def _hours_in(row: Row) -> Mapping[str, Any] | None:
    """The hours a row would move."""
    if row.verdict is not Verdict.NEW:
        return None
    do: Mapping[str, Any] = row.says.get("do") or {}
    return do if "giver" in do else do.get("balance")


def _ends(do: Mapping[str, Any]) -> tuple[UUID, UUID]:
    """From which account hours go, and to which."""
    giver, receiver = UUID(do["giver"]), UUID(do["receiver"])
    return (giver, receiver) if Kind(do["kind"]).is_gift else (receiver, giver)
