"""The door with a crowd before it: one transaction, a verdict each, and everything of each posting.

What a lost connection, a caller that left or a full line mean to those who ask is told here too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.errors import Busy
from ledger.group_commit import GroupCommit
from ledger.sql.trouble import ConnectionLost
from tests.timebank.factories import at
from tests.timebank.scenes import MillRoad, helped, mill_road
from timebank import entries, posting
from timebank.audit import audit
from timebank.config import Settings
from timebank.db import Database
from timebank.entry import State
from timebank.errors import OwnGain
from timebank.outbox import outbox
from timebank.posting import Approve, Done, Refused, Undo


class Fragile(Database):
    """A database whose postings can be broken off, before or after they were committed."""

    opened = 0
    breaks = ""

    @asynccontextmanager
    async def posting(self, community: UUID) -> AsyncIterator[AsyncConnection]:
        self.opened += 1
        breaks, self.breaks = self.breaks, ""
        async with super().posting(community) as conn:
            yield conn
            if breaks == "before":
                raise ConnectionLost
        if breaks == "after":
            raise ConnectionLost


@pytest.fixture
async def fragile(db_settings: Settings) -> AsyncIterator[Fragile]:
    database = Fragile(db_settings)
    await database.start()
    try:
        yield database
    finally:
        await database.stop()


@pytest.fixture
async def place(fragile: Fragile) -> MillRoad:
    return await mill_road(fragile)


async def approvals(place: MillRoad, count: int) -> list[Approve]:
    """So many entries that wait for Carla."""
    written = [
        await place.record(helped(place.ana, place.bert, minutes=15 * (n + 1)), place.ana)
        for n in range(count)
    ]
    return [Approve(place.id, entry.id, place.carla.id) for entry in written]


async def kept(place: MillRoad, table: object) -> int:
    async with place.db.read(place.id) as conn:
        return await conn.scalar(select(func.count()).select_from(table)) or 0  # type: ignore[arg-type]


async def test_a_crowd_shares_a_transaction_and_each_hears_of_their_own(
    place: MillRoad, fragile: Fragile
) -> None:
    asked = await approvals(place, 12)
    own = await place.record(helped(place.carla, place.bert, minutes=30), place.carla)
    asked.append(Approve(place.id, own.id, place.carla.id))
    before, audited = fragile.opened, await kept(place, audit)
    verdicts = await asyncio.gather(
        *(posting.post(fragile, [request], now=at(hours=1)) for request in asked)
    )
    assert [len(answers) for answers in verdicts] == [1] * 13
    for request, (verdict,) in zip(asked[:12], verdicts, strict=False):
        assert verdict == Done(request.entry_id, 1, replayed=False)
    (refused,) = verdicts[12]
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, OwnGain)
    assert fragile.opened - before < 4
    assert await kept(place, audit) == audited + 12
    await place.assert_sound()


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_line_that_breaks_around_commit_loses_and_doubles_nothing(
    place: MillRoad, fragile: Fragile, moment: str
) -> None:
    asked = await approvals(place, 3)
    audited, mails = await kept(place, audit), await kept(place, outbox)
    fragile.breaks = moment
    verdicts = await posting.post(fragile, asked, now=at(hours=1))
    assert all(isinstance(verdict, Done) for verdict in verdicts)
    assert await kept(place, audit) == audited + 3
    assert await kept(place, outbox) > mails
    mails = await kept(place, outbox)
    undone = Undo(place.id, asked[0].entry_id, place.carla.id, "twice the same")
    fragile.breaks = moment
    (verdict,) = await posting.post(fragile, [undone], now=at(hours=2))
    assert isinstance(verdict, Done)
    assert await kept(place, audit) == audited + 4
    await place.assert_sound()


async def test_approving_goes_on_when_whoever_asked_has_left(
    place: MillRoad, fragile: Fragile
) -> None:
    (request,) = await approvals(place, 1)
    asking = asyncio.create_task(posting.post(fragile, [request], now=at(hours=1)))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await fragile.together(posting.commit).drain()
    async with fragile.read(place.id) as conn:
        found = await entries.load(conn, place.id, [request.entry_id])
    assert [entry.state for entry in found] == [State.APPROVED]
    await place.assert_sound()


async def test_what_has_no_room_in_the_line_is_not_written(
    place: MillRoad, fragile: Fragile, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await approvals(place, 3)
    line = fragile.together(posting.commit)
    assert isinstance(line, GroupCommit)
    monkeypatch.setattr(line, "_most_waiting", 1)
    first = asyncio.create_task(posting.post(fragile, asked[:1], now=at(hours=1)))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await posting.post(fragile, asked[1:], now=at(hours=1))
    assert isinstance((await first)[0], Done)
    async with fragile.read(place.id) as conn:
        found = await entries.load(conn, place.id, [request.entry_id for request in asked[1:]])
    assert {entry.state for entry in found} == {State.RECORDED}
