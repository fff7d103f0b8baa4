"""The inbox: kinds and words, many at once, two coordinators, and the way back."""

from __future__ import annotations

import re

import pytest

from ledger import Minutes
from tests.web.town import Town, hidden
from timebank.entry import State


@pytest.fixture
def town(town_on_sqlite: Town) -> Town:
    return town_on_sqlite


# ── Kinds, words, numbers ────────────────────────────────────────────────────────────────────────


async def test_the_title_counts_and_each_kind_has_its_number(town: Town) -> None:
    await town.record("Ana", "Bert", 60, note="Bread")
    await town.record("Ana", "Bert", 60, note="Bread again")
    page = await town.get("Carla", "inbox")
    assert "<title>(3) Inbox" in page.text
    counted = re.findall(r"why=(\w+).*?count\">(\d+)", page.text)
    assert counted == [("approval", "1"), ("odd", "1"), ("application", "1")]
    assert "written down twice; both wait" in page.text
    only = await town.get("Carla", "inbox", why="application")
    assert "Mei Tan would like to join" in only.text
    assert "Bread" not in only.text
    found = await town.get("Carla", "inbox", q="again")
    assert "Bread again" in found.text
    assert "Mei Tan" not in found.text
    assert "Nothing that waits has" in (await town.get("Carla", "inbox", q="zzz")).text


async def test_the_inbox_goes_into_a_spreadsheet_with_what_was_asked_for(town: Town) -> None:
    await town.record("Ana", "Bert", 90, note="=1+1")
    file = await town.get("Carla", "inbox", **{"as": "csv", "why": "approval"})
    assert file.headers["content-type"].startswith("text/csv")
    (heading, row) = file.text.removeprefix("\ufeff").splitlines()
    assert heading.startswith("why,what,since,minutes")
    assert row.startswith("approval,Ana Lima gave time to Bert Cole,")
    assert ",90," in row
    sheet = await town.get("Carla", "inbox", **{"as": "xlsx"})
    assert sheet.content.startswith(b"PK")


# ── Many at once ─────────────────────────────────────────────────────────────────────────────────


async def test_the_confirmation_names_what_is_left_out_and_why(town: Town) -> None:
    good = await town.record("Ana", "Bert", 60)
    own = await town.record("Carla", "Bert", 45)
    disputed = await town.record("Jorge", "Ana", 30)
    await town.post("Ana", f"entries/{disputed.id}/dispute", {"words": "No."})
    ticked = [f"approval.{good.id}", f"approval.{own.id}", f"dispute.{disputed.id}"]
    page = await town.post("Carla", "inbox/approve", {"thing": ticked})
    assert "Approve one entry, 1:00" in page.text
    assert "2 are left out" in page.text
    assert "You gain hours from this entry" in page.text
    assert "read what was said" in page.text
    assert page.text.count('name="entry"') == 1
    assert await town.balance("Ana") == Minutes(0)


async def test_all_that_is_ordinary_is_two_clicks(town: Town) -> None:
    fine = [await town.record("Ana", "Bert", 30 + n) for n in (0, 15)]
    await town.record("Ana", "Bert", 30)  # twice
    page = await town.post("Carla", "inbox/approve", {"all": "approval"})
    assert "Approve 2 entries, 1:15" in page.text
    form = {"sure": "1", "deed": hidden(page, "deed"), "entry": [str(one.id) for one in fine]}
    await town.post("Carla", "inbox/approve", form)
    assert await town.balance("Ana") == Minutes(75)


async def test_what_somebody_else_has_decided_meanwhile_is_said(town: Town) -> None:
    entry = await town.record("Ana", "Bert", 60)
    await town.approve(entry, by="Dora")
    page = await town.post("Carla", "inbox/approve", {"thing": [f"approval.{entry.id}"]})
    assert page.status_code == 422
    assert "Somebody was quicker" in page.text
    other = await town.record("Ana", "Bert", 30)
    both = {"thing": [f"approval.{entry.id}", f"approval.{other.id}"]}
    assert "does not wait any more" in (await town.post("Carla", "inbox/approve", both)).text


async def test_people_are_welcomed_together(town: Town) -> None:
    thing = f"application.{town.id('Mei')}"
    for form in ({"thing": ["nonsense", "application.x", f"call.{town.id('Mei')}"]}, {}):
        page = await town.post("Carla", "inbox/welcome", form)
        assert page.status_code == 422
    answer = await town.post("Carla", "inbox/welcome", {"only": thing})
    assert answer.status_code == 303
    assert "Mei Tan" in (await town.get("Ana", "members/")).text
    again = await town.post("Carla", "inbox/welcome", {"only": thing})
    assert again.status_code == 422


# ── Put aside, in hand ───────────────────────────────────────────────────────────────────────────


async def test_an_odd_entry_is_put_aside_with_a_word_and_taken_back(town: Town) -> None:
    await town.record("Ana", "Bert", 60)
    odd = await town.record("Ana", "Bert", 60)
    thing = {"only": f"odd.{odd.id}"}
    page = await town.post("Carla", "inbox/aside", thing)
    assert "Until which day?" in page.text
    form = {"thing": [f"odd.{odd.id}"], "sure": "1", "deed": hidden(page, "deed"), "words": "Ask."}
    past = await town.post("Carla", "inbox/aside", form | {"until": "2026-05-03"})
    assert past.status_code == 422
    assert "This day is past" in past.text
    await town.post("Carla", "inbox/aside", form | {"until": "2026-05-20"})
    page = await town.get("Carla", "inbox")
    assert "looks odd" not in page.text
    assert "You put one thing aside" in page.text  # just now, with the way back
    await town.post("Carla", f"inbox/done/{form['deed']}/undo", {})
    assert "looks odd" in (await town.get("Carla", "inbox")).text
    assert "You put one thing aside" in (await town.get("Carla", "inbox/done")).text


async def test_what_one_has_in_hand_the_other_sees_and_may_still_do(town: Town) -> None:
    entry = await town.record("Ana", "Bert", 60)
    thing = {"thing": [f"approval.{entry.id}"]}
    await town.post("Carla", "inbox/take", thing)
    assert "You are on it" in (await town.get("Carla", "inbox")).text
    assert "Carla Reyes is on it" in (await town.get("Dora", "inbox")).text
    assert "Carla Reyes is on it" in (await town.get("Dora", f"entries/{entry.id}")).text
    assert "is on it" not in (await town.get("Ana", f"entries/{entry.id}")).text
    confirm = await town.post("Dora", "inbox/approve", thing)
    assert "Carla Reyes may be looking at some of these" in confirm.text
    await town.post("Carla", "inbox/let-go", {"only": f"approval.{entry.id}"})
    assert "is on it" not in (await town.get("Dora", "inbox")).text


async def test_opening_a_thing_with_a_script_takes_it_for_a_look(town: Town) -> None:
    entry = await town.record("Ana", "Bert", 60)
    opened = {"only": f"approval.{entry.id}", "opened": "1"}
    assert (await town.post("Carla", "inbox/take", opened)).status_code == 204
    assert "Carla Reyes is on it" in (await town.get("Dora", "inbox")).text
    assert (await town.post("Dora", "inbox/take", opened)).status_code == 204
    assert "Carla Reyes is on it" in (await town.get("Dora", "inbox")).text
    assert "You took" not in (await town.get("Carla", "inbox/done")).text


# ── The way back ─────────────────────────────────────────────────────────────────────────────────


async def test_what_was_approved_together_is_undone_together(town: Town) -> None:
    chosen = [await town.record("Ana", "Bert", 30 + n) for n in (0, 15)]
    confirm = await town.post(
        "Carla", "inbox/approve", {"thing": [f"approval.{one.id}" for one in chosen]}
    )
    form = {
        "sure": "1",
        "deed": hidden(confirm, "deed"),
        "entry": [str(one.id) for one in chosen],
    }
    await town.post("Carla", "inbox/approve", form)
    await town.post("Carla", "inbox/approve", form)  # a double click
    page = await town.get("Carla", "inbox")
    assert "You approved 2 entries, 1:15" in page.text
    back = f"inbox/done/{form['deed']}/undo"
    asked = await town.get("Carla", back)
    assert "Approved by mistake, several at once." in asked.text
    assert "Undo 2 entries, 1:15" in asked.text
    assert (await town.get("Dora", back)).status_code == 404
    assert (await town.post("Carla", back, {"words": " "})).status_code == 422
    answer = await town.post("Carla", back, {"words": "The wrong sheet."})
    assert answer.status_code == 303
    assert await town.balance("Ana") == Minutes(0)
    assert "was undone already" in (await town.get("Carla", back)).text
    assert "You approved" not in (await town.get("Carla", "inbox")).text


async def test_what_another_coordinator_approved_is_no_deed_of_mine(town: Town) -> None:
    theirs, mine = [await town.record("Ana", "Bert", 30 + n) for n in (0, 15)]
    things = {"thing": [f"approval.{one.id}" for one in (theirs, mine)]}
    confirm = await town.post("Carla", "inbox/approve", things)
    await town.approve(theirs, by="Dora")
    deed = hidden(confirm, "deed")
    form = {"sure": "1", "deed": deed, "entry": [str(one.id) for one in (theirs, mine)]}
    await town.post("Carla", "inbox/approve", form)
    assert "You approved one entry, 0:45" in (await town.get("Carla", "inbox")).text
    await town.post("Carla", f"inbox/done/{deed}/undo", {"words": "Mine only."})
    assert (await town.entry(theirs.id)).state is State.APPROVED
    assert (await town.entry(mine.id)).state is State.REVERSED


async def test_a_question_to_several_is_taken_back(town: Town) -> None:
    chosen = [await town.record("Ana", "Bert", 30 + n) for n in (0, 15)]
    things = {"thing": [f"approval.{one.id}" for one in chosen]}
    page = await town.post("Carla", "inbox/return", things)
    deed = hidden(page, "deed")
    form = {"sure": "1", "deed": deed, "entry": [str(one.id) for one in chosen], "words": "When?"}
    await town.post("Carla", "inbox/return", form)
    again = await town.post("Carla", "inbox/return", form)
    assert again.status_code == 303  # a double click
    await town.post("Ana", f"entries/{chosen[0].id}/answer", {"words": "On Monday."})
    page = await town.post("Carla", f"inbox/done/{deed}/undo", {})
    assert "Not all of it worked" in page.text
    assert (await town.entry(chosen[1].id)).state is State.RECORDED
    assert "The question was: When?" in (await town.get("Carla", "inbox")).text


async def test_one_entry_approved_on_its_own_page_has_the_same_way_back(town: Town) -> None:
    entry = await town.record("Ana", "Bert", 60)
    await town.post("Carla", f"entries/{entry.id}/approve", {})
    page = await town.get("Carla", "inbox/done")
    assert "You approved one entry, 1:00" in page.text


# ── The mail of the morning ──────────────────────────────────────────────────────────────────────


async def test_the_mail_of_the_morning_is_chosen_below_the_inbox(town: Town) -> None:
    assert "A mail in the morning?" in (await town.get("Carla", "inbox")).text
    await town.post("Carla", "inbox/mail", {"hour": "8"})
    page = await town.get("Carla", "inbox")
    assert "A mail at 8:00, if something waits" in page.text
    assert (await town.post("Carla", "inbox/mail", {"hour": "24"})).status_code == 422
    await town.post("Carla", "inbox/mail", {"hour": ""})
    assert "A mail in the morning?" in (await town.get("Carla", "inbox")).text
