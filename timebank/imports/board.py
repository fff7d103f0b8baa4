"""Listings: what people offer and what they ask for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import communities
from timebank.imports import cells, files
from timebank.imports.cells import BadCell
from timebank.imports.fields import plain
from timebank.imports.files import Row, Verdict
from timebank.imports.planning import Mistake, Said, Scene, mistaken
from timebank.imports.who import Ambiguous, Known, Strange
from timebank.listings import ListingKind, listings
from timebank.text import fold

LASTS = timedelta(days=92)
"""How long a listing is shown that does not say until when."""

LONGEST_TITLE, LONGEST_WORDS, LONGEST_AREA, LONGEST_CATEGORY = 120, 4_000, 100, 60

_KINDS = {
    **dict.fromkeys(
        (
            "offer", "offers", "oferta", "ofertas", "ofertes", "offre", "offerta", "tilbud",
            "offering", "i offer", "ofrezco", "service offered",
        ),
        ListingKind.OFFER,
    ),
    **dict.fromkeys(
        (
            "request", "requests", "need", "needs", "want", "wants", "wanted", "wish", "inquiry",
            "demanda", "demandas", "demandes", "demande", "richiesta", "necesidad", "pedido",
            "necessito", "necesito", "soger", "service requested", "receive",
        ),
        ListingKind.REQUEST,
    ),
}  # fmt: skip


class Board:
    """Plans and writes listings."""

    by_day = False

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._there: dict[tuple[UUID, str, str], int] | None = None  # 0, or the row of this file
        self._categories: dict[str, UUID] = {}
        self._ids: set[UUID] = set()

    async def plan(self, conn: AsyncConnection, rows: Sequence[Row]) -> list[Said]:
        """What each of the next rows would do."""
        if self._there is None:
            await self._look(conn)
        said = []
        for row in rows:
            try:
                said.append(self._plan(row))
            except (Mistake, BadCell) as fault:
                said.append(mistaken(row, fault))
        return said

    async def _look(self, conn: AsyncConnection) -> None:
        """What hangs on the board, and what categories there are."""
        place = self._scene.place.id
        rows = await conn.execute(
            select(
                listings.c.id,
                listings.c.member_id,
                listings.c.kind,
                listings.c.title,
                listings.c.closed_at,
            ).where(listings.c.community_id == place)
        )
        self._there = {}
        for row in rows:
            self._ids.add(row.id)
            if row.closed_at is None:
                self._there[(row.member_id, row.kind, fold(row.title))] = 0
        table = communities.categories
        kept = await conn.execute(
            select(table.c.id, table.c.name).where(
                table.c.community_id == place, table.c.retired_at.is_(None)
            )
        )
        self._categories = {plain(row.name) or row.name: row.id for row in kept}

    def _plan(self, row: Row) -> Said:
        settings, today = self._scene.settings, self._scene.today
        kind = _KINDS.get(plain(settings.cell(row, "kind")))
        if kind is None:
            raise Mistake("neither_offer_nor_request", text=settings.cell(row, "kind")[:40])
        owner = self._owner(row)
        title = cells.text(settings.cell(row, "title"), LONGEST_TITLE)
        if not title:
            raise Mistake("title_missing")
        written = self._day(row, "written")
        if written is not None and written > today:
            written = None
        until = self._day(row, "until") or today + LASTS
        shown: dict[str, Any] = {"name": owner.name, "kind": kind.value, "title": title}
        assert self._there is not None
        key = (owner.id, kind.value, fold(title))
        if key in self._there:
            there = self._there[key]
            reason = "listing_twice" if there else "listing_there"
            return Said(row.number, Verdict.THERE, reason, shown | {"row": there})
        self._there[key] = row.number
        do = {
            "id": str(self._fresh_id(key)),
            "member": str(owner.id),
            "kind": kind.value,
            "title": title,
            "words": cells.text(settings.cell(row, "words"), LONGEST_WORDS, lines=True),
            "category": self._category(row),
            "area": cells.text(settings.cell(row, "area"), LONGEST_AREA),
            "written": written.isoformat() if written else None,
            "until": until.isoformat(),
        }
        remarks = tuple(self._remarks(row, do["category"], until))
        return Said(row.number, Verdict.NEW, "listing_new", shown, remarks, None, do)

    def _remarks(
        self, row: Row, category: str | None, until: date
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        named = cells.text(self._scene.settings.cell(row, "category"), LONGEST_CATEGORY)
        if named and category is None:
            yield "no_category", {"name": named}
        if until < self._scene.today:
            yield "is_over", {"day": until.isoformat()}

    def _owner(self, row: Row) -> Known:
        settings = self._scene.settings
        name = cells.text(settings.cell(row, "person"), 120)
        number = cells.text(settings.cell(row, "person_number"), 60)
        if not name and not number:
            raise Mistake("name_missing")
        try:
            known = self._scene.who.meant(name, number)
        except Ambiguous:
            raise Mistake("name_of_several", name=name) from None
        except Strange as strange:
            raise Mistake("number_of_another", number=number, name=strange.known.name) from None
        if known is None:
            raise Mistake("nobody_here", name=name or number)
        return known

    def _day(self, row: Row, key: str) -> date | None:
        text = self._scene.settings.cell(row, key)
        if not text:
            return None
        return cells.day(text, self._scene.settings.order, today=self._scene.today)

    def _category(self, row: Row) -> str | None:
        found = self._categories.get(plain(self._scene.settings.cell(row, "category")))
        return str(found) if found else None

    def _fresh_id(self, key: tuple[UUID, str, str]) -> UUID:
        """The same id for the same words, unless something that is over has it."""
        words = "\n".join(("listing", *key[1:]))
        found = next(
            id
            for id in (uuid5(key[0], f"{words}\n{time}") for time in range(10_000))
            if id not in self._ids
        )
        self._ids.add(found)
        return found

    async def write(self, conn: AsyncConnection, rows: Sequence[Row]) -> None:
        """Hang these on the board."""
        scene = self._scene
        zone = ZoneInfo(scene.place.timezone)
        values = []
        for do in (row.says["do"] for row in rows):
            written = scene.now.at
            if do["written"]:
                noon = datetime.combine(date.fromisoformat(do["written"]), time(12), zone)
                written = min(noon, scene.now.at)
            values.append(
                {
                    "community_id": scene.place.id,
                    "id": UUID(do["id"]),
                    "member_id": UUID(do["member"]),
                    "kind": do["kind"],
                    "title": do["title"],
                    "words": do["words"],
                    "category_id": UUID(do["category"]) if do["category"] else None,
                    "area": do["area"],
                    "written_by": scene.actor.id,
                    "written_at": written,
                    "until": date.fromisoformat(do["until"]),
                }
            )
        if values:
            await conn.execute(insert(listings), values)
            made = [("listing", value["id"]) for value in values]
            await files.keep_made(conn, scene.file, made)

    async def finish(self, conn: AsyncConnection) -> None:
        """Nothing more."""
