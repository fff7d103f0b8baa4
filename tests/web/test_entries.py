"""Entries: written down once, moved on step by step, approved and undone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from ledger.errors import Busy
from ledger.sql.trouble import ConnectionLost
from tests.web.town import Town, hidden
from timebank import buddies, posting
from timebank.entry import Kind, State


async def a_sheet(town: Town, name: str, **changed: str) -> dict[str, str]:
    """A sheet as a person fills it in: `I gave Bert 1:30`."""
    page = await town.get(name, "entries/new", side=changed.get("side", "gave"))
    assert page.status_code == 200
    return {
        "act": "record",
        "id": hidden(page, "id"),
        "side": "gave",
        "gift": "",
        "receiver-0": "Bert Cole",
        "minutes": "1:30",
        "day": "2026-05-04",
        "kind": "help",
        "category": "",
        "note": "Shopping",
    } | changed


async def test_a_member_writes_down_what_they_gave(town: Town) -> None:
    answer = await town.post("Ana", "entries/", await a_sheet(town, "Ana"))
    assert answer.status_code == 303
    (entry,) = await town.entries_of("Ana")
    assert answer.headers["location"] == town.path(f"entries/{entry.id}")
    assert [part.name for part in entry.givers] == ["Ana Lima"]
    assert [part.name for part in entry.receivers] == ["Bert Cole"]
    assert (entry.minutes, entry.note) == (Minutes(90), "Shopping")
    page = await town.get("Ana", f"entries/{entry.id}")
    assert "You gave time to Bert Cole" in page.text
    assert "1:30" in page.text


async def test_a_member_writes_down_what_they_received(town: Town) -> None:
    sheet = await a_sheet(town, "Ana", side="received")
    sheet["giver-0"] = sheet.pop("receiver-0")
    await town.post("Ana", "entries/", sheet)
    (entry,) = await town.entries_of("Ana")
    assert [part.name for part in entry.givers] == ["Bert Cole"]


async def test_sending_a_sheet_twice_writes_it_down_once(town: Town) -> None:
    sheet = await a_sheet(town, "Ana")
    first, second = await asyncio.gather(
        town.post("Ana", "entries/", sheet), town.post("Ana", "entries/", sheet)
    )
    assert first.headers["location"] == second.headers["location"]
    assert len(await town.entries_of("Ana")) == 1


async def test_a_name_that_fits_nobody_comes_back_with_a_sentence(town: Town) -> None:
    before = await town.rows()
    sheet = await a_sheet(town, "Ana", **{"receiver-0": "Zacharias"})
    answer = await town.post("Ana", "entries/", sheet)
    assert answer.status_code == 422
    assert "Nobody here is called “Zacharias”" in answer.text
    assert 'value="1:30"' in answer.text
    assert await town.rows() == before


async def test_a_name_that_fits_several_people_is_chosen_from_them(town: Town) -> None:
    sheet = await a_sheet(town, "Carla", side="between", **{"giver-0": "Ana Lima"})
    sheet["receiver-0"] = "M"
    answer = await town.post("Carla", "entries/", sheet)
    assert answer.status_code == 422
    assert "This fits several people" in answer.text
    sheet["receiver-0-is"] = str(town.id("Jorge"))
    answer = await town.post("Carla", "entries/", sheet)
    assert answer.status_code == 303
    (entry,) = await town.entries_of("Ana")
    assert [part.name for part in entry.receivers] == ["Jorge Medina"]


async def test_what_is_wrong_stands_beside_its_field_and_nothing_is_written(town: Town) -> None:
    before = await town.rows()
    for field, typed, said in (
        ("minutes", "90", "could be hours or minutes"),
        ("minutes", "-1:30", "without a plus or a minus"),
        ("minutes", "", "Please fill this in"),
        ("day", "2026-02-30", "not a day"),
        ("day", "2030-01-01", "still to come"),
        ("receiver-0", "Ana Lima", "named twice"),
        ("receiver-0", "Pia Lund", "Nobody here is called"),
        ("kind", "grant", ""),
        ("note", "a\x00b", "cannot be kept"),
        ("category", str(uuid4()), ""),
    ):
        answer = await town.post("Ana", "entries/", await a_sheet(town, "Ana", **{field: typed}))
        assert answer.status_code in (404, 422), (field, typed)
        assert said in answer.text, (field, typed)
    assert await town.rows() == before


async def test_one_more_person_keeps_everything_typed(town: Town) -> None:
    sheet = await a_sheet(town, "Ana", act="several")
    page = await town.post("Ana", "entries/", sheet)
    assert page.status_code == 200
    assert hidden(page, "id") == sheet["id"]
    for typed in (
        'value="Ana Lima"',
        'value="Bert Cole"',
        'value="1:30"',
        ">Shopping",
        "receiver-1",
    ):
        assert typed in page.text.replace("\n", "")
    more = sheet | {
        "several": "1",
        "giver-0": "Ana Lima",
        "receiver-1": "",
        "act": "one-more-giver",
    }
    page = await town.post("Ana", "entries/", more)
    assert 'name="giver-1"' in page.text
    assert not await town.entries_of("Ana")


async def test_several_receivers_share_what_was_given_to_the_minute(town: Town) -> None:
    sheet = await a_sheet(
        town,
        "Ana",
        several="1",
        **{
            "giver-0": "Ana Lima",
            "receiver-0": "Bert Cole",
            "receiver-1": "Jorge Medina",
            "receiver-2": "Carla Reyes",
            "receiver-2-minutes": "0:45",
            "receiver-3": "",
        },
    )
    answer = await town.post("Ana", "entries/", sheet)
    assert answer.status_code == 303, answer.text
    (entry,) = await town.entries_of("Ana")
    assert [part.minutes.count for part in entry.receivers] == [23, 22, 45]


async def test_many_give_to_many(town: Town) -> None:
    sheet = await a_sheet(
        town,
        "Ana",
        several="1",
        minutes="2 h",
        **{
            "giver-0": "Ana Lima",
            "giver-1": "Jorge Medina",
            "giver-1-minutes": "1 h",
            "receiver-0": "Bert Cole",
            "receiver-1": "Carla Reyes",
        },
    )
    await town.post("Ana", "entries/", sheet)
    (entry,) = await town.entries_of("Ana")
    assert [part.minutes.count for part in entry.givers] == [120, 60]
    assert [part.minutes.count for part in entry.receivers] == [90, 90]


async def test_a_buddy_writes_down_for_somebody_without_a_computer(town: Town) -> None:
    async with town.db.write(town.community.id) as conn:
        await buddies.add(
            conn,
            town.community.id,
            town.id("Bert"),
            town.id("Ana"),
            consent="on the telephone",
            by=town.id("Carla"),
            now=town.now,
        )
    page = await town.get("Ana", "entries/new", side="received")
    assert "Who received the time?" in page.text
    sheet = await a_sheet(town, "Ana", side="received", behalf=str(town.id("Bert")))
    sheet["giver-0"] = "Jorge Medina"
    del sheet["receiver-0"]
    assert (await town.post("Ana", "entries/", sheet)).status_code == 303
    (entry,) = await town.entries_of("Ana")
    assert entry.on_behalf_of == town.id("Bert")
    assert [part.name for part in entry.receivers] == ["Bert Cole"]


async def test_nobody_writes_down_for_somebody_who_did_not_agree(town: Town) -> None:
    before = await town.rows()
    sheet = await a_sheet(town, "Ana", behalf=str(town.id("Bert")), **{"receiver-0": "Jorge"})
    assert (await town.post("Ana", "entries/", sheet)).status_code in (403, 422)
    between = await a_sheet(town, "Ana", side="between", **{"giver-0": "Jorge Medina"})
    assert (await town.post("Ana", "entries/", between)).status_code in (403, 422)
    assert await town.rows() == before


async def test_a_coordinator_writes_down_for_anyone(town: Town) -> None:
    sheet = await a_sheet(town, "Carla", side="between", **{"giver-0": "Ana Lima"})
    assert (await town.post("Carla", "entries/", sheet)).status_code == 303
    (entry,) = await town.entries_of("Ana")
    assert entry.recorded_by == town.id("Carla")


async def test_a_member_gives_hours_to_the_commons(town: Town) -> None:
    page = await town.get("Ana", "entries/new", kind="donation")
    assert "Give these hours to the commons" in page.text
    sheet = await a_sheet(town, "Ana", gift="donation")
    assert (await town.post("Ana", "entries/", sheet)).status_code == 303
    (entry,) = await town.entries_of("Ana")
    assert entry.kind is Kind.DONATION
    assert [part.account_id for part in entry.receivers] == [town.community.commons_id]


async def test_only_coordinators_give_hours_from_the_commons(town: Town) -> None:
    before = await town.rows()
    assert (await town.get("Ana", "entries/new", kind="grant")).status_code == 403
    sheet = await a_sheet(town, "Ana", gift="grant")
    assert (await town.post("Ana", "entries/", sheet)).status_code == 403
    assert await town.rows() == before
    sheet = await a_sheet(town, "Carla", gift="grant")
    assert (await town.post("Carla", "entries/", sheet)).status_code == 303
    (entry,) = await town.entries_of("Bert")
    assert [part.account_id for part in entry.givers] == [town.community.commons_id]


async def test_the_other_side_confirms(town: Town) -> None:
    entry = await town.record("Ana", "Jorge", 60)
    page = await town.get("Jorge", f"entries/{entry.id}")
    assert "Yes, that is right" in page.text
    answer = await town.post("Jorge", f"entries/{entry.id}/confirm", {"back": "home"})
    assert answer.headers["location"] == town.path()
    assert (await town.entry(entry.id)).state is State.CONFIRMED


async def test_the_other_side_says_how_it_was_and_the_words_are_kept(town: Town) -> None:
    entry = await town.record("Ana", "Jorge", 60)
    answer = await town.post("Jorge", f"entries/{entry.id}/dispute", {"words": ""})
    assert answer.status_code == 422
    assert '<details id="dispute" open' in answer.text
    await town.post("Jorge", f"entries/{entry.id}/dispute", {"words": "It was <b>half</b> an hour"})
    assert (await town.entry(entry.id)).state is State.DISPUTED
    page = await town.get("Ana", f"entries/{entry.id}")
    assert "It was &lt;b&gt;half&lt;/b&gt; an hour" in page.text
    assert "Jorge Medina said it is not right" in page.text


async def test_a_question_is_answered_with_a_correction(town: Town) -> None:
    entry = await town.record("Ana", "Jorge", 60)
    path = f"entries/{entry.id}"
    await town.post("Carla", f"{path}/return", {"words": "Was it really an hour?"})
    assert (await town.entry(entry.id)).state is State.RETURNED
    page = await town.get("Ana", f"{path}/change")
    assert 'value="1:00"' in page.text
    changed = {
        "act": "record",
        "id": str(entry.id),
        "side": "between",
        "gift": "",
        "several": "1",
        "giver-0": "Ana Lima",
        "receiver-0": "Jorge Medina",
        "minutes": "0:45",
        "day": "2026-05-03",
        "kind": "help",
        "category": "",
        "note": "",
    }
    answer = await town.post("Ana", f"{path}/change", changed)
    assert answer.status_code == 303, answer.text
    entry = await town.entry(entry.id)
    assert (entry.minutes, entry.state) == (Minutes(45), State.RECORDED)


async def test_whoever_wrote_it_down_takes_it_back(town: Town) -> None:
    entry = await town.record("Ana", "Jorge", 60)
    await town.post("Ana", f"entries/{entry.id}/withdraw", {})
    assert (await town.entry(entry.id)).state is State.WITHDRAWN


async def test_a_coordinator_declines_with_a_reason_only(town: Town) -> None:
    entry = await town.record("Ana", "Jorge", 60)
    answer = await town.post("Carla", f"entries/{entry.id}/decline", {"words": " "})
    assert answer.status_code == 422
    await town.post("Carla", f"entries/{entry.id}/decline", {"words": "It is in twice"})
    assert (await town.entry(entry.id)).state is State.DECLINED


async def test_approving_moves_the_hours_and_undoing_moves_them_back(town: Town) -> None:
    entry = await town.record("Ana", "Bert", 90)
    path = f"entries/{entry.id}"
    page = await town.get("Carla", path)
    assert "Approve 1:30" in page.text
    assert (await town.post("Carla", f"{path}/approve", {})).status_code == 303
    assert (await town.balance("Ana"), await town.balance("Bert")) == (Minutes(90), Minutes(-90))
    assert "Undo 1:30" in (await town.get("Carla", f"{path}/undo")).text
    assert (await town.post("Carla", f"{path}/undo", {"words": ""})).status_code == 422
    assert (await town.balance("Ana")) == Minutes(90)
    for _ in range(2):
        answer = await town.post("Carla", f"{path}/undo", {"words": "Twice on the sheet"})
        assert answer.status_code == 303
    assert (await town.balance("Ana"), await town.balance("Bert")) == (Minutes(0), Minutes(0))
    page = await town.get("Ana", path)
    assert "This was undone" in page.text


async def test_a_coordinator_cannot_approve_what_they_gain_from(town: Town) -> None:
    entry = await town.record("Carla", "Ana", 60)
    assert "Approve 1:00" not in (await town.get("Carla", f"entries/{entry.id}")).text
    before = await town.rows()
    answer = await town.post("Carla", f"entries/{entry.id}/approve", {})
    assert answer.status_code == 403
    assert "somebody else has to approve" in answer.text
    assert await town.rows() == before
    assert (await town.post("Dora", f"entries/{entry.id}/approve", {})).status_code == 303


async def test_twenty_clicks_on_approve_post_once(town: Town) -> None:
    entry = await town.record("Ana", "Bert", 90)
    path = f"entries/{entry.id}/approve"
    clicks = [town.post(who, path, {}) for who in ("Carla", "Dora") * 10]
    assert {answer.status_code for answer in await asyncio.gather(*clicks)} == {303}
    assert await town.balance("Ana") == Minutes(90)


async def test_when_the_line_to_the_books_breaks_we_say_so_and_it_resolves_itself(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = await town.record("Ana", "Bert", 90)
    path = f"entries/{entry.id}"
    line = town.db.together(posting.commit)
    monkeypatch.setattr(line, "_patience", 0.05)
    whole = town.db.posting
    broken = True

    @asynccontextmanager
    async def breaking(community: UUID) -> AsyncIterator[AsyncConnection]:
        async with whole(community) as conn:
            yield conn
        if broken:
            raise ConnectionLost  # the answer to COMMIT did not come back

    monkeypatch.setattr(town.db, "posting", breaking)
    answer = await town.post("Carla", f"{path}/approve", {})
    assert answer.status_code == 503
    assert "We are checking" in answer.text
    assert "Nothing was written" not in answer.text
    assert answer.headers["refresh"].endswith(f"url=/c/mill-road/{path}")
    assert f'href="/c/mill-road/{path}"' in answer.text
    broken = False
    await line.drain()
    monkeypatch.undo()
    assert (await town.post("Carla", f"{path}/approve", {})).status_code == 303
    assert await town.balance("Ana") == Minutes(90)
    assert "Undo" in (await town.get("Carla", path)).text


async def test_a_full_line_is_told_as_busy(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = await town.record("Ana", "Bert", 90)

    async def full(*_: object) -> None:
        raise Busy

    monkeypatch.setattr(town.db.together(posting.commit), "put", full)
    answer = await town.post("Carla", f"entries/{entry.id}/approve", {})
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "Nothing was written" in answer.text


async def test_somebody_below_the_soft_floor_is_named_before_approval(town: Town) -> None:
    entry = await town.record("Ana", "Bert", 630)
    page = await town.get("Carla", f"entries/{entry.id}")
    assert "Bert Cole would be at −10:30 after this" in page.text


async def test_an_entry_of_others_is_not_there(town: Town) -> None:
    entry = await town.record("Ana", "Bert", 60)
    before = await town.rows()
    assert (await town.get("Jorge", f"entries/{entry.id}")).status_code == 404
    for step in ("confirm", "dispute", "answer", "withdraw"):
        answer = await town.post("Jorge", f"entries/{entry.id}/{step}", {"words": "mine"})
        assert answer.status_code == 404, step
    for step in ("return", "approve", "decline", "keep", "undo"):
        answer = await town.post("Jorge", f"entries/{entry.id}/{step}", {"words": "mine"})
        assert answer.status_code in (403, 404), step
    assert await town.rows() == before


async def test_my_entries_are_listed_with_what_they_wait_for(town: Town) -> None:
    page = await town.get("Ana", "entries/")
    assert "You have not written anything down yet" in page.text
    await town.record("Ana", "Jorge", 60)
    page = await town.get("Ana", "entries/", show="waiting")
    assert "You gave time to Jorge Medina" in page.text
    assert "Waits for a coordinator" in page.text


async def test_coordinators_find_any_entry_and_who_touched_it_last(town: Town) -> None:
    entry = await town.record("Ana", "Jorge", 60, note="The piano")
    await town.approve(entry, by="Dora")
    await town.record("Ana", "Bert", 60, note="Soup")
    assert "Everybody’s" in (await town.get("Carla", "entries/")).text
    page = await town.get("Carla", "entries/", show="all", q="jorge piano")
    assert "Ana Lima gave time to Jorge Medina" in page.text
    assert "Dora Nagy approved it" in page.text
    assert "Soup" not in page.text
    assert (
        "No entry has all of this"
        in (await town.get("Carla", "entries/", show="all", q="trombone")).text
    )
    assert (await town.get("Ana", "entries/", show="all")).status_code == 403
    assert "Everybody’s" not in (await town.get("Ana", "entries/")).text
