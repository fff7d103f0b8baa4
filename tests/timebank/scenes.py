"""Mill Road: a small community in which the domain's stories are told.

Ana, Bert            members with a sign-in
Carla, Dora          coordinators
Stella               steward
Ines                 a member without e-mail; Ana is her buddy
the Library          an organisation; Bert keeps its account
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import delete, event, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from ledger.sql import read
from tests.timebank.factories import a_community, a_member, at
from timebank import agreements, books, buddies, entries, posting, recording
from timebank.communities import Community
from timebank.db import EVERYWHERE, Database
from timebank.entry import Entry, Kind, NewEntry, Share
from timebank.members import Member, MemberKind, Role
from timebank.moment import Moment
from timebank.outbox import outbox
from timebank.posting import Approve, Undo, Verdict

DAY = date(2026, 5, 4)


@dataclass(frozen=True)
class MillRoad:
    """The community and everyone in it."""

    db: Database
    community: Community
    ana: Member
    bert: Member
    carla: Member
    dora: Member
    stella: Member
    ines: Member
    library: Member

    @property
    def id(self) -> UUID:
        return self.community.id

    @property
    def commons(self) -> UUID:
        return self.community.commons_id

    async def record(
        self, new: NewEntry, by: Member, now: Moment | None = None, entry_id: UUID | None = None
    ) -> Entry:
        """Write an entry down."""
        async with self.db.write(self.id) as conn:
            return await recording.record(
                conn, self.id, new, by=by.id, now=now or at(), entry_id=entry_id
            )

    async def step(
        self,
        verb: Any,
        entry: Entry,
        by: Member,
        words: str = "",
        now: Moment | None = None,
    ) -> Entry:
        """Take a step: `step(entry_steps.confirm, entry, bert)`."""
        async with self.db.write(self.id) as conn:
            moved: Entry = await verb(
                conn, self.id, entry.id, by=by.id, now=now or at(minutes=5), words=words
            )
            return moved

    async def approve(
        self,
        entry: Entry,
        by: Member | None = None,
        words: str = "",
        *,
        override: bool = False,
        now: Moment | None = None,
    ) -> Verdict:
        """Approve one entry, as Carla unless somebody else is named."""
        asked = Approve(self.id, entry.id, (by or self.carla).id, words, override)
        (verdict,) = await posting.post(self.db, [asked], now=now or at(hours=1))
        return verdict

    async def undo(
        self,
        entry: Entry,
        by: Member | None = None,
        reason: str = "Written down twice.",
        now: Moment | None = None,
    ) -> Verdict:
        """Undo one entry, as Carla unless somebody else is named."""
        asked = Undo(self.id, entry.id, (by or self.carla).id, reason)
        (verdict,) = await posting.post(self.db, [asked], now=now or at(hours=2))
        return verdict

    async def entry(self, id: UUID, by: Member | None = None) -> Entry:
        """The entry as it stands now."""
        async with self.db.read(self.id) as conn:
            return await entries.get(conn, self.id, id, by=(by or self.carla).id)

    async def story(self, entry: Entry) -> list[Any]:
        """What happened to an entry."""
        async with self.db.read(self.id) as conn:
            return await entries.story(conn, self.id, entry.id)

    async def balance(self, account: Member | UUID) -> int:
        """What an account stands at, in minutes."""
        id = account if isinstance(account, UUID) else account.account_id
        async with self.db.read(self.id) as conn:
            return (await read.balance(conn, self.id, id)).count

    async def agree(self, **terms: Any) -> None:
        """Stella adopts a new version of the agreement."""
        async with self.db.write(self.id) as conn:
            current = await agreements.current(conn, self.id)
            await agreements.adopt(
                conn,
                self.id,
                replace(current.terms, **terms),
                reason="We talked about it.",
                expected_version=current.version,
                by=self.stella.id,
                now=at(),
            )

    async def told(self) -> list[str]:
        """The addresses of all mails so far, in order."""
        async with self.db.read(self.id) as conn:
            rows = await conn.execute(select(outbox.c.to_address).order_by(outbox.c.id))
            return [row.to_address for row in rows]

    async def assert_sound(self) -> None:
        """The books verify."""
        report = await books.verify(self.db, self.id, now=at(days=100))
        assert report.sound, report.findings


async def mill_road(db: Database) -> MillRoad:
    """Mill Road with everybody in it and nothing written down yet."""
    async with db.write(EVERYWHERE) as conn:
        community = await a_community(conn)
        people = {
            name: await a_member(
                conn,
                community.id,
                full_name,
                email=f"{name}@example.org" if name != "ines" else None,
                role=role,
            )
            for name, full_name, role in (
                ("ana", "Ana Lima", Role.MEMBER),
                ("bert", "Bert Okoro", Role.MEMBER),
                ("carla", "Carla Rossi", Role.COORDINATOR),
                ("dora", "Dora Winter", Role.COORDINATOR),
                ("stella", "Stella Novak", Role.STEWARD),
                ("ines", "Inés García", Role.MEMBER),
            )
        }
        library = await a_member(conn, community.id, "The Library", kind=MemberKind.ORGANISATION)
        for helped, buddy in ((people["ines"], people["ana"]), (library, people["bert"])):
            await buddies.add(
                conn,
                community.id,
                helped.id,
                buddy.id,
                consent="Said so at the tea table.",
                by=people["stella"].id,
                now=at(),
            )
        await conn.execute(delete(outbox))  # what they were told before the stories begin
    return MillRoad(db, community, library=library, **people)


def helped(giver: Member, receiver: Member | UUID, minutes: int = 60, **more: Any) -> NewEntry:
    """`giver` gave `receiver` so many minutes of help."""
    to = receiver if isinstance(receiver, UUID) else receiver.account_id
    facts: dict[str, Any] = {"kind": Kind.HELP, "occurred_on": DAY, "note": "The garden"}
    facts |= more
    return NewEntry(
        givers=(Share(giver.account_id),),
        receivers=(Share(to),),
        minutes=Minutes(minutes),
        **facts,
    )


@asynccontextmanager
async def counted(db: Database) -> AsyncIterator[list[str]]:
    """The statements sent to the database meanwhile."""
    sent: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    for engine in db.engines:
        event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        for engine in db.engines:
            event.remove(engine.sync_engine, "before_cursor_execute", note)


async def count_rows(conn: AsyncConnection, table: Any) -> int:
    """How many rows a table has."""
    return len((await conn.execute(select(table))).all())
