"""The code at the door: a button for members, a line for everybody else, and nothing more."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from ledger import Minutes
from tests.web.rooms import InTown, in_town
from tests.web.town import Town
from timebank import doors


async def code(room: InTown) -> str:
    """The path that the code opens."""
    made = await room.post("Ana", "attendance/door")
    assert made.status_code == 303
    async with room.town.db.read(room.town.community.id) as conn:
        token = await doors.token_of(conn, room.town.community.id, room.id)
    return f"/here/{token}"


async def test_a_member_who_is_signed_in_is_ticked_with_one_button(town: Town) -> None:
    room = await in_town(town)
    path = await code(room)
    async with town.browser("Jorge") as client:
        page = await client.get(path)
        assert "Hello Jorge Medina." in page.text
        for _ in range(2):
            done = await client.post(path, data={"as_me": "1"})
            assert "You are on the list, Jorge Medina." in done.text
        assert "You are on the list" in (await client.get(path)).text
    row = await room.row("Jorge Medina")
    assert (row.present, row.how, row.to_confirm) == (Minutes(120), "door", False)


@pytest.mark.parametrize("who", [None, "Olga", "Pia"])
async def test_everybody_else_leaves_a_name_to_be_confirmed(town: Town, who: str | None) -> None:
    """A stranger, a member from next door, and one who takes a break."""
    room = await in_town(town)
    path = await code(room)
    async with town.browser(who) as client:
        page = await client.get(path)
        assert "Leave your name on the list." in page.text
        assert ("sign in first" in page.text) is (who is None)
        assert "Ana Lima" not in page.text
        missing = await client.post(path, data={"name": " "})
        assert (missing.status_code, "Please fill this in." in missing.text) == (422, True)
        seat = str(uuid4())
        for _ in range(2):
            done = await client.post(path, data={"name": "Sam Young", "seat": seat, "as_me": "1"})
            assert "Your name is on the list." in done.text
    (row,) = (await room.roll()).to_confirm
    assert (row.name, row.present) == ("Sam Young", Minutes(120))
    assert "Who is “Sam Young”?" in (await room.get("Ana", "attendance")).text


async def test_a_code_opens_around_its_gathering_and_not_after_another_was_made(
    town: Town,
) -> None:
    room = await in_town(town)
    path = await code(room)
    shown = await room.get("Ana", "attendance/door")
    assert path in shown.text
    assert 'role="img"' in shown.text
    await room.post("Ana", "attendance/door", {"anew": "1"})
    async with town.browser("Jorge") as client:
        assert (await client.get(path)).status_code == 410
    newer = await code(room)
    assert newer != path
    town.later += timedelta(hours=4)
    async with town.browser("Jorge") as client:
        late = await client.get(newer)
        assert "This code works from" in late.text
        refused = await client.post(newer, data={"as_me": "1"})
    assert refused.status_code == 422
    assert "works only around the time" in refused.text
    assert (await room.row("Jorge Medina")).present is None
