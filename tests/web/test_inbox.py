"""The inbox: oldest first, many at once, each with its own answer."""

from __future__ import annotations

from ledger import Minutes
from tests.web.town import Town
from timebank.entry import State


async def test_the_inbox_lists_what_waits_the_oldest_first(town: Town) -> None:
    await town.record("Ana", "Bert", 60, note="The first")
    await town.record("Jorge", "Ana", 30, note="The second")
    page = await town.get("Carla", "inbox")
    assert page.text.index("The first") < page.text.index("The second")
    assert "Bert Cole has no sign-in" in page.text
    assert "3 things wait." in page.text
    assert "Mei Tan would like to join" in page.text


async def test_an_empty_inbox_is_a_good_moment_for_tea(town: Town) -> None:
    await town.post("Carla", f"members/{town.id('Mei')}/welcome", {})
    page = await town.get("Carla", "inbox")
    assert "A good moment for a cup of tea" in page.text


async def test_choosing_all_ticks_only_what_one_may_approve(town: Town) -> None:
    mine = await town.record("Carla", "Bert", 60)
    theirs = await town.record("Ana", "Bert", 60)
    page = await town.get("Carla", "inbox", choose="all")
    assert f'value="approval.{theirs.id}" checked' in page.text
    assert f'value="approval.{mine.id}" checked' not in page.text
    assert "You gain hours from this entry" in page.text


async def test_the_button_says_how_many_entries_and_how_much_before_it_happens(town: Town) -> None:
    chosen = [await town.record("Ana", "Bert", 90), await town.record("Jorge", "Ana", 1005)]
    form = {"entry": [str(entry.id) for entry in chosen]}
    page = await town.post("Carla", "inbox/approve", form)
    assert page.status_code == 200
    assert "Approve 2 entries, 18:15" in page.text
    assert await town.balance("Ana") == Minutes(0)
    answer = await town.post("Carla", "inbox/approve", form | {"sure": "1"})
    assert answer.status_code == 303
    assert await town.balance("Ana") == Minutes(90 - 1005)


async def test_each_entry_gets_its_own_answer(town: Town) -> None:
    good, own = await town.record("Ana", "Bert", 60), await town.record("Carla", "Bert", 60)
    form = {"entry": [str(good.id), str(own.id)], "sure": "1"}
    page = await town.post("Carla", "inbox/approve", form)
    assert page.status_code == 200
    assert "Not all of it worked" in page.text
    assert "You gain hours from this entry" in page.text
    assert "Approved: 1:00" in page.text
    assert (await town.entry(good.id)).state is State.APPROVED
    assert (await town.entry(own.id)).state is State.RECORDED


async def test_choosing_nothing_is_said_and_does_nothing(town: Town) -> None:
    before = await town.rows()
    for button in ("approve", "return"):
        page = await town.post("Carla", f"inbox/{button}", {})
        assert page.status_code == 422
        assert "Tick the entries" in page.text
    assert await town.rows() == before


async def test_one_question_goes_back_with_several_entries(town: Town) -> None:
    chosen = [await town.record("Ana", "Bert", 90), await town.record("Jorge", "Bert", 60)]
    form = {"entry": [str(entry.id) for entry in chosen]}
    assert "Your question" in (await town.post("Carla", "inbox/return", form)).text
    page = await town.post("Carla", "inbox/return", form | {"sure": "1", "words": ""})
    assert page.status_code == 422
    await town.post("Carla", "inbox/return", form | {"sure": "1", "words": "On which day?"})
    for entry in chosen:
        assert (await town.entry(entry.id)).state is State.RETURNED


async def test_members_have_no_inbox(town: Town) -> None:
    entry = await town.record("Ana", "Bert", 60)
    before = await town.rows()
    assert (await town.get("Jorge", "inbox")).status_code == 403
    form = {"entry": str(entry.id), "sure": "1"}
    assert (await town.post("Jorge", "inbox/approve", form)).status_code == 403
    assert await town.rows() == before
