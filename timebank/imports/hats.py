"""Affiliations: who comes from which organisation, or is here as a neighbour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank.affiliations import affiliations
from timebank.imports import cells
from timebank.imports.cells import BadCell
from timebank.imports.fields import plain
from timebank.imports.files import Row, Verdict
from timebank.imports.people import LONGEST_NAME, LONGEST_ROLE, wear
from timebank.imports.planning import Mistake, Said, Scene, mistaken
from timebank.imports.who import Ambiguous, Known
from timebank.members import MemberKind
from timebank.text import fold

_NEIGHBOUR = frozenset(
    {"", "neighbour", "neighbor", "here as a neighbour", "resident", "vecino", "vecina", "none"}
)

_Hat = tuple[UUID, UUID | None, str]
"""Whose, of which organisation, in which role."""


class Hats:
    """Plans and writes affiliations."""

    by_day = False

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._worn: dict[_Hat, set[date]] | None = None  # since when; those of this file as well

    async def plan(self, conn: AsyncConnection, rows: Sequence[Row]) -> list[Said]:
        """What each of the next rows would do."""
        if self._worn is None:
            self._worn = await _worn(conn, self._scene)
        said = []
        for row in rows:
            try:
                said.append(self._plan(row))
            except (Mistake, BadCell) as fault:
                said.append(mistaken(row, fault))
        return said

    def _plan(self, row: Row) -> Said:
        settings, today = self._scene.settings, self._scene.today
        person = self._one(settings.cell(row, "person"), MemberKind.PERSON)
        named = cells.text(settings.cell(row, "organisation"), LONGEST_NAME)
        house = None if plain(named) in _NEIGHBOUR else self._one(named, MemberKind.ORGANISATION)
        role = cells.text(settings.cell(row, "role"), LONGEST_ROLE)
        since_text, until_text = settings.cell(row, "since"), settings.cell(row, "until")
        since = cells.past_day(since_text, settings.order, today=today) if since_text else None
        until = cells.day(until_text, settings.order, today=today) if until_text else None
        if until is not None and until < (since or today):
            raise Mistake("ends_before", since=(since or today).isoformat(), day=until.isoformat())
        shown = {
            "name": person.name,
            "organisation": house.name if house else "",
            "role": role,
            "since": since.isoformat() if since else "",
            "until": until.isoformat() if until else "",
        }
        return self._said(row, person, house, role, since, until, shown)

    def _said(
        self,
        row: Row,
        person: Known,
        house: Known | None,
        role: str,
        since: date | None,
        until: date | None,
        shown: dict[str, Any],
    ) -> Said:
        assert self._worn is not None
        hat = (person.id, house.id if house else None, fold(role))
        worn = self._worn.setdefault(hat, set())
        if since in worn or (since is None and worn):
            return Said(row.number, Verdict.THERE, "hat_there", shown)
        begins = since or self._scene.today
        worn.add(begins)
        do = {
            "id": str(uuid5(person.id, f"hat\n{hat[1]}\n{hat[2]}\n{begins}\n{len(worn)}")),
            "member": str(person.id),
            "house": str(house.id) if house else None,
            "role": role,
            "since": begins.isoformat(),
            "until": until.isoformat() if until else None,
        }
        return Said(row.number, Verdict.NEW, "hat_new", shown, (), None, do)

    def _one(self, text: str, kind: MemberKind) -> Known:
        name = cells.text(text, LONGEST_NAME)
        if not name:
            raise Mistake("name_missing")
        try:
            found = self._scene.who.named(name)
        except Ambiguous:
            alike = self._scene.who.by_name(name, kind)
            if len(alike) != 1:
                raise Mistake("name_of_several", name=name) from None
            found = alike[0]
        if found is None:
            raise Mistake("nobody_here", name=name)
        if found.kind is not kind:
            raise Mistake("other_kind", name=name)
        return found

    async def write(self, conn: AsyncConnection, rows: Sequence[Row]) -> None:
        """Write these affiliations down."""
        await wear(conn, self._scene, [row.says["do"] for row in rows])

    async def finish(self, conn: AsyncConnection) -> None:
        """Nothing more."""


async def _worn(conn: AsyncConnection, scene: Scene) -> dict[_Hat, set[date]]:
    found: dict[_Hat, set[date]] = {}
    rows = await conn.execute(
        select(affiliations).where(affiliations.c.community_id == scene.place.id)
    )
    for row in rows:
        hat = (row.member_id, row.organisation_id, fold(row.role))
        found.setdefault(hat, set()).add(row.since)
    return found
