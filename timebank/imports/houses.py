"""Organisations: with their sector, who to ask for, and who keeps their account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank.i18n import translations
from timebank.imports import cells, files
from timebank.imports.fields import plain
from timebank.imports.files import Row
from timebank.imports.people import LONGEST_NAME, People, Remark
from timebank.imports.planning import Said, Scene
from timebank.imports.who import Ambiguous, Known
from timebank.members import MemberKind, Status, buddies
from timebank.organisations import organisations
from timebank.sectors import sectors
from timebank.text import fold

LONGEST_SECTOR, LONGEST_CONTACT, MOST_MANAGERS = 60, 200, 20


class Houses(People):
    """Plans and writes organisations."""

    kind = MemberKind.ORGANISATION
    reason_new = "house_new"

    def _email(self, row: Row, remarks: list[Remark]) -> str:  # noqa: ARG002
        """An organisation does not sign in: its address is among what helps to reach it."""
        return ""

    def more(
        self,
        row: Row,
        id: UUID,
        facts: Mapping[str, Any],  # noqa: ARG002
        shown: dict[str, Any],
        remarks: list[Remark],
    ) -> dict[str, Any]:
        """Its sector, how to reach it, and who keeps its account."""
        settings = self._scene.settings
        sector = cells.text(settings.cell(row, "sector"), LONGEST_SECTOR)
        ways = [cells.text(settings.cell(row, key), 120) for key in ("contact", "email")]
        managers = self._managers(row, remarks)
        shown["sector"] = sector
        shown["managers"] = ", ".join(one.name for one in managers)
        return {
            "sector": sector,
            "contact": ", ".join(way for way in ways if way)[:LONGEST_CONTACT],
            "managers": [[str(uuid5(id, f"manager\n{one.id}")), str(one.id)] for one in managers],
        }

    def _managers(self, row: Row, remarks: list[Remark]) -> list[Known]:
        found = {}
        for name in cells.several(self._scene.settings.cell(row, "managers"))[:MOST_MANAGERS]:
            name = cells.text(name, LONGEST_NAME)
            try:
                known = self._scene.who.named(name)
            except Ambiguous:
                known = None
            if known is None or known.kind is not MemberKind.PERSON or not _here(known):
                remarks.append(("no_manager", {"name": name}))
            else:
                found[known.id] = known
        return list(found.values())

    async def write_more(self, conn: AsyncConnection, new: Sequence[Mapping[str, Any]]) -> None:
        """Write what `more` planned."""
        if not new:
            return
        place = self._scene.place.id
        known = await self._sectors(conn, [do["sector"] for do in new if do["sector"]])
        await conn.execute(
            insert(organisations),
            [
                {
                    "community_id": place,
                    "id": UUID(do["id"]),
                    "sector_id": known.get(fold(do["sector"])),
                    "contact": do["contact"],
                }
                for do in new
            ],
        )
        consent = translations(self._scene.place.language).gettext("Named in a list from before")
        rows: list[dict[str, Any]] = [
            {
                "community_id": place,
                "id": UUID(row),
                "member_id": UUID(do["id"]),
                "buddy_id": UUID(manager),
                "consent": consent,
                "added_by": self._scene.actor.id,
                "since": self._scene.now.at,
            }
            for do in new
            for row, manager in do["managers"]
        ]
        if rows:
            await conn.execute(insert(buddies), rows)
            await files.keep_made(conn, self._scene.file, [("buddy", row["id"]) for row in rows])

    async def _sectors(self, conn: AsyncConnection, names: Sequence[str]) -> dict[str, UUID]:
        """The community's sectors by name; those that are new are added to its list."""
        place = self._scene.place.id
        rows = await conn.execute(
            select(sectors.c.id, sectors.c.name).where(sectors.c.community_id == place)
        )
        found: dict[str, UUID] = {fold(row.name): row.id for row in rows}
        new = {fold(name): name for name in names if fold(name) not in found}
        if new:
            last = await conn.scalar(
                select(func.coalesce(func.max(sectors.c.position), 0)).where(
                    sectors.c.community_id == place
                )
            )
            added = {key: self._scene.now.new_id() for key in new}
            await conn.execute(
                insert(sectors),
                [
                    {
                        "community_id": place,
                        "id": added[key],
                        "name": name,
                        "position": (last or 0) + place_in_list,
                    }
                    for place_in_list, (key, name) in enumerate(new.items(), start=1)
                ],
            )
            await files.keep_made(conn, self._scene.file, [("sector", id) for id in added.values()])
            found |= added
        return found


class Everybody(People):
    """Plans and writes people, and the organisations among them where a column says so."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._houses = Houses(scene)

    async def plan(self, conn: AsyncConnection, rows: Sequence[Row]) -> list[Said]:
        """What each of the next rows would do."""
        kind = [plain(self._scene.settings.cell(row, "kind")) in _ORGANISATIONS for row in rows]
        said: list[Said] = []
        # One after the other, because each may be known to those that follow.
        for row, is_house in zip(rows, kind, strict=True):
            said += await (self._houses.plan if is_house else super().plan)(conn, [row])
        return said

    async def write(self, conn: AsyncConnection, rows: Sequence[Row]) -> None:
        """Add them."""
        houses = [row for row in rows if "managers" in row.says["do"]]
        await self._houses.write(conn, houses)
        await super().write(conn, [row for row in rows if row not in houses])


_ORGANISATIONS = frozenset(
    {
        "organisation", "organization", "organisations", "organizations", "organizacion", "entidad",
        "organitzacio", "entitat", "organizzazione", "business", "enterprise", "group", "company",
        "association", "asociacion", "associacio", "empresa",
    }
)  # fmt: skip


def _here(known: Known) -> bool:
    return known.status in (Status.ACTIVE, Status.PAUSED)
