"""People: who is new, and who is here already.

Somebody is known by the number another program gave them, by their address, or by their name if
nobody else has it. Who is here is never changed by a file; only their number is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from timebank import readers
from timebank.affiliations import affiliations
from timebank.entry import Side
from timebank.errors import BadInput
from timebank.i18n import N_, translations
from timebank.imports import adding, cells, files, hours
from timebank.imports.cells import BadCell
from timebank.imports.files import Row, Verdict
from timebank.imports.hours import Place
from timebank.imports.planning import Mistake, Said, Scene, mistaken
from timebank.imports.who import Known
from timebank.members import MemberKind, Status
from timebank.people import normalise
from timebank.text import fold

LONGEST_NAME, LONGEST_PHONE, LONGEST_AREA = 100, 60, 100
LONGEST_ABOUT, LONGEST_NUMBER, LONGEST_ROLE = 2_000, 60, 100

Remark = tuple[str, dict[str, Any]]


class People:
    """Plans and writes people."""

    by_day = False
    kind = MemberKind.PERSON

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._rows: dict[UUID, int] = {}  # whom this file adds, and in which row
        self._along: dict[UUID, Place] = {}  # what members brought along before
        self._written: list[UUID] = []

    async def plan(self, conn: AsyncConnection, rows: Sequence[Row]) -> list[Said]:
        """What each of the next rows would do."""
        if not self._along and "balance" in self._scene.settings.columns:
            self._along = await _brought_before(conn, self._scene)
        said = []
        for row in rows:
            try:
                said.append(self._plan(row))
            except (Mistake, BadCell) as fault:
                said.append(mistaken(row, fault))
        return said

    def _plan(self, row: Row) -> Said:
        facts = self.read(row)
        remarks: list[Remark] = []
        email = self._email(row, remarks)
        known = self._known(facts["name"], facts["number"], email)
        balance = self._balance(row)
        if known is None:
            return self._new(row, facts, email, balance, remarks)
        return self._there(row, facts, known, balance, remarks)

    def read(self, row: Row) -> dict[str, Any]:
        """What the row says of somebody, but for the address."""
        settings, scene = self._scene.settings, self._scene
        parts = [settings.cell(row, key) for key in ("first_name", "last_name")]
        name = cells.text(
            settings.cell(row, "name") if "name" in settings.columns else " ".join(parts),
            LONGEST_NAME,
        ) or cells.text(" ".join(parts), LONGEST_NAME)
        if not name:
            raise Mistake("name_missing")
        if scene.who.is_commons(name):
            raise Mistake("name_of_commons", name=name)
        joined = settings.cell(row, "joined")
        found: dict[str, Any] = {
            "name": name,
            "number": cells.text(settings.cell(row, "number"), LONGEST_NUMBER),
            "phone": cells.text(settings.cell(row, "phone"), LONGEST_PHONE),
            "area": cells.text(settings.cell(row, "area"), LONGEST_AREA),
            "about": cells.text(settings.cell(row, "about"), LONGEST_ABOUT, lines=True),
            "joined": None,
        }
        if joined:
            day = cells.past_day(joined, settings.order, today=scene.today)
            found["joined"] = day.isoformat()
        return found

    def _email(self, row: Row, remarks: list[Remark]) -> str:
        """The address, or nothing where it is none: that is no reason to leave somebody out."""
        text = self._scene.settings.cell(row, "email")
        if not text:
            return ""
        try:
            return normalise(text)
        except BadInput:
            remarks.append(("address_left_out", {"text": text[:60]}))
            return ""

    def _known(self, name: str, number: str, email: str) -> Known | None:
        """Whom a row means, if they are here; by number, then address, then name."""
        who = self._scene.who
        numbered = who.by_number(number)
        if numbered is not None:
            if fold(numbered.name) != fold(name):
                raise Mistake("number_of_another", number=number, name=numbered.name)
            return numbered
        addressed = who.by_email(email)
        if addressed is not None and fold(addressed.name) == fold(name):
            return addressed
        alike = [one for one in who.by_name(name, self.kind) if self._may_be(one, number, email)]
        if len(alike) > 1:
            raise Mistake("name_of_several", name=name)
        return alike[0] if alike else None

    def _may_be(self, known: Known, number: str, email: str) -> bool:
        """Whether nothing speaks against it that somebody of the same name is meant."""
        theirs = self._scene.who.numbers_of(known.id)
        if number and theirs and fold(number) not in theirs:
            return False
        return not (email and known.email and email != known.email)

    def _balance(self, row: Row) -> Minutes:
        text = self._scene.settings.cell(row, "balance")
        return cells.signed(text, self._scene.settings.unit) if text else Minutes(0)

    def _new(
        self,
        row: Row,
        facts: dict[str, Any],
        email: str,
        balance: Minutes,
        remarks: list[Remark],
    ) -> Said:
        who = self._scene.who
        shared = who.by_email(email)
        if shared is not None:  # two people may share an address; one of them signs in with it
            remarks.append(("address_shared", {"name": shared.name}))
            email = ""
        if who.by_name(facts["name"], self.kind):
            remarks.append(("same_name", {"name": facts["name"]}))
        id = who.fresh_id(self.kind.value, facts["name"], facts["number"], email)
        who.add(Known(id, facts["name"], self.kind, Status.ACTIVE, email or None), facts["number"])
        self._rows[id] = row.number
        do = facts | {"id": str(id), "email": email, "is_new": True}
        shown = {"name": facts["name"], "email": email, "area": facts["area"]}
        do |= self.more(row, id, facts, shown, remarks)
        do["balance"] = self._brings(id, balance, shown)
        return Said(row.number, Verdict.NEW, self.reason_new, shown, tuple(remarks), None, do)

    reason_new = "person_new"

    def more(
        self,
        row: Row,
        id: UUID,  # noqa: ARG002
        facts: Mapping[str, Any],
        shown: dict[str, Any],
        remarks: list[Remark],
    ) -> dict[str, Any]:
        """What else to do for somebody new: the organisation they come from."""
        settings, who = self._scene.settings, self._scene.who
        name = cells.text(settings.cell(row, "organisation"), LONGEST_NAME)
        if not name:
            return {}
        found = who.by_name(name, MemberKind.ORGANISATION)
        if len(found) != 1:
            remarks.append(("no_organisation", {"name": name}))
            return {}
        role = cells.text(settings.cell(row, "role"), LONGEST_ROLE)
        shown["organisation"] = found[0].name
        since = facts["joined"] or self._scene.today.isoformat()
        return {"house": str(found[0].id), "role": role, "since": since}

    def _brings(self, id: UUID, balance: Minutes, shown: dict[str, Any]) -> dict[str, Any] | None:
        """The hours somebody brings along; None for nothing."""
        if not balance:
            return None
        shown["balance"] = balance.count
        note = translations(self._scene.place.language).gettext("Brought along from before")
        first = hours.along_id(self._scene, id)
        place = self._along.get(id)
        return hours.brought_along(self._scene, place.id if place else first, id, balance, note)

    def _there(
        self,
        row: Row,
        facts: dict[str, Any],
        known: Known,
        balance: Minutes,
        remarks: list[Remark],
    ) -> Said:
        if not known.has_account:
            raise Mistake("not_welcomed", name=known.name)
        shown: dict[str, Any] = {"name": known.name}
        if known.id in self._rows:
            shown["row"] = self._rows[known.id]
            return Said(row.number, Verdict.THERE, "person_twice", shown)
        if known.status is Status.LEFT:
            remarks.append(("has_left", {"name": known.name}))
        do: dict[str, Any] = {"id": str(known.id), "is_new": False, "name": known.name}
        number = facts["number"]
        if number and fold(number) not in self._scene.who.numbers_of(known.id):
            self._scene.who.learn(number, known.id)
            do["number"] = number
        if balance:
            before = _minutes(self._along.get(known.id), known.id)
            if before is None:
                do["balance"] = self._brings(known.id, balance, shown)
                return Said(row.number, Verdict.NEW, "balance_new", shown, tuple(remarks), None, do)
            if before != balance.count:
                raise Mistake("brought_otherwise", name=known.name, minutes=before)
        return Said(
            row.number,
            Verdict.THERE,
            "person_there",
            shown,
            tuple(remarks),
            None,
            do if "number" in do else None,
        )

    # ── Writing ──────────────────────────────────────────────────────────────────────────────────

    async def write(self, conn: AsyncConnection, rows: Sequence[Row]) -> None:
        """Add these people, their numbers, where they come from, and what they bring along."""
        todo = [(row.number, row.says["do"]) for row in rows]
        new = [do for _, do in todo if do["is_new"]]
        await adding.newcomers(conn, self._scene, new, kind=self.kind)
        self._written += [UUID(do["id"]) for do in new if do.get("email")]
        learned = {
            do["number"]: UUID(do["id"]) for _, do in todo if not do["is_new"] and do.get("number")
        }
        await adding.learn(conn, self._scene, learned)
        await self.write_more(conn, new)
        along = [(number, do["balance"]) for number, do in todo if do.get("balance")]
        await hours.post(conn, self._scene, along)

    async def write_more(self, conn: AsyncConnection, new: Sequence[Mapping[str, Any]]) -> None:
        """Write what `more` planned."""
        await wear(
            conn,
            self._scene,
            [
                {
                    "id": str(uuid5(UUID(do["id"]), f"hat\n{do['house']}")),
                    "member": do["id"],
                    "house": do["house"],
                    "role": do["role"],
                    "since": do["since"],
                    "until": None,
                }
                for do in new
                if do.get("house")
            ],
        )

    async def finish(self, conn: AsyncConnection) -> None:
        """Write to those who can sign in now, if that is wanted."""
        if not self._scene.settings.write:
            return
        for start in range(0, len(self._written), 500):
            await readers.tell(
                conn,
                self._scene.place.id,
                self._written[start : start + 500],
                N_("{community} has a new home"),
                N_(
                    "{by} has brought you along to the place where {community} now keeps its "
                    "hours. To come in, open the page below and have a link sent to this address."
                ),
                by=self._scene.actor.member.name,
                path="/",
                now=self._scene.now,
            )


async def wear(conn: AsyncConnection, scene: Scene, hats: Sequence[Mapping[str, Any]]) -> None:
    """Write affiliations down."""
    rows = [
        {
            "community_id": scene.place.id,
            "id": UUID(hat["id"]),
            "member_id": UUID(hat["member"]),
            "organisation_id": UUID(hat["house"]) if hat["house"] else None,
            "role": hat["role"],
            "since": date.fromisoformat(hat["since"]),
            "until": date.fromisoformat(hat["until"]) if hat["until"] else None,
            "added_by": scene.actor.id,
            "added_at": scene.now.at,
        }
        for hat in hats
    ]
    if rows:
        await conn.execute(insert(affiliations), rows)
        await files.keep_made(conn, scene.file, [("affiliation", row["id"]) for row in rows])


async def _brought_before(conn: AsyncConnection, scene: Scene) -> dict[UUID, Place]:
    """What members brought along, or under which id they would."""
    ids = {hours.along_id(scene, id): id for id in scene.who.all}
    wanted = list(ids)
    found: dict[UUID, Place] = {}
    for start in range(0, len(wanted), 1000):
        some = await hours.placed(conn, scene.place.id, wanted[start : start + 1000])
        found |= {ids[first]: place for first, place in some.items()}
    return found


def _minutes(place: Place | None, member: UUID) -> int | None:
    """How many minutes somebody brought along; negative for what they owed; None for never."""
    if place is None or place.content is None:
        return None
    parts, _day = place.content
    return next(
        (-count if side == Side.GAVE else count for id, side, count in parts if id == member), None
    )
