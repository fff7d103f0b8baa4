"""Gatherings on their pages: planned in a minute, copied in a click, changed and called off."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

from sqlalchemy import insert

from tests.web.test_queries import counted
from tests.web.town import Town, hidden
from timebank import acting, agenda, gathering, seats
from timebank.agenda import Choice
from timebank.gatherings import Answer, gathering_roles, gatherings
from timebank.gatherings import seats as seat_table

SHEET = {
    "title": "Tea and talk",
    "day": "2026-05-12",
    "at": "18:00",
    "lasts": "2:00",
    "place": "Library, back room",
    "openness": "members",
    "rule": "sponsored",
    "credits_taking_part": "1",
    "role-tea": "1",
    "role-facilitate": "1",
}


async def planned(town: Town, who: str = "Ana", **more: str) -> UUID:
    """A gathering somebody planned on the form; its id."""
    answer = await town.post(who, "gatherings/", SHEET | more)
    assert answer.status_code == 303, answer.text
    return UUID(answer.headers["location"].rsplit("/", 1)[1])


async def says(town: Town, id: UUID, who: str, said: Answer = Answer.YES) -> None:
    """Somebody answers, past the page."""
    async with town.db.write(town.community.id) as conn:
        await seats.answer(conn, town.community.id, id, said, by=town.id(who), now=town.now)


async def found(town: Town, id: UUID) -> gathering.Gathering:
    """The gathering as it is."""
    async with town.db.read(town.community.id) as conn:
        return await gathering.get(conn, town.community.id, id)


async def test_a_format_fills_in_most_and_the_rest_is_when_and_where(town: Town) -> None:
    choose = await town.get("Ana", "gatherings/new")
    assert "PechaKucha evening" in choose.text
    assert "As last time" not in choose.text
    kind = re.search(r"\?format=([0-9a-f-]{36})", choose.text)
    assert kind
    sheet = await town.get("Ana", "gatherings/new", format=kind[1])
    assert 'value="Tea and talk"' in sheet.text
    assert re.search(r'name="role-tea" value="1"', sheet.text)
    assert 'name="lasts"' in sheet.text
    id = await planned(town, id=hidden(sheet, "id"), format=kind[1])
    assert str(id) == hidden(sheet, "id")
    again = await town.post("Ana", "gatherings/", SHEET | {"id": str(id)})
    assert again.headers["location"].endswith(str(id))  # a double click
    page = await town.get("Jorge", f"gatherings/{id}")
    for said in (
        "Tuesday, 12 May, 18:00\u00a0to\u00a020:00",
        "Library, back room",
        "nobody yet",
        "0:45 before, 0:30 after",
        "The commons gives hours to everyone who carries a role. Taking part counts as well.",
        "0 come",
    ):
        assert said in page.text, said


async def test_mistakes_are_said_beside_their_fields_and_nothing_is_written(town: Town) -> None:
    before = await town.rows()
    for field, typed, said in (
        ("title", "", "Please fill this in."),
        ("day", "soon", "This is not a day."),
        ("at", "six", "This is not a time of day."),
        ("lasts", "90", "could be hours or minutes"),
        ("place", "", "Say where it is"),
        ("role-tea", "-1", "at least 0"),
        ("capacity", "0", "at least 1"),
        ("link", "javascript:alert(1)", "begins with https://"),
        ("day", "2030-05-12", "more than two years ahead"),
        ("every", "month_end", "not the last such weekday"),
    ):
        page = await town.post("Ana", "gatherings/", SHEET | {field: typed})
        assert page.status_code == 422, field
        assert said in page.text, (field, said)
        assert 'value="Library, back room"' in page.text or field == "place"
    folded = await town.post("Ana", "gatherings/", SHEET | {"capacity": "0"})
    assert re.search(r'<details class="step" open><summary>More', folded.text)
    assert await town.rows() == before


async def test_a_link_as_the_place_meets_online_and_only_who_comes_sees_it(town: Town) -> None:
    id = await planned(town, place="https://meet.example.org/tea")
    assert (await found(town, id)).place == ""
    for_others = await town.get("Jorge", f"gatherings/{id}")
    assert "meet.example.org" not in for_others.text
    assert "Say that you come, and the link stands here" in for_others.text
    await says(town, id, "Jorge")
    assert "https://meet.example.org/tea" in (await town.get("Jorge", f"gatherings/{id}")).text
    assert "meet.example.org" not in (await town.get("Dora", "gatherings/")).text


async def test_last_time_is_copied_in_one_click_with_the_next_date_in_it(town: Town) -> None:
    id = await planned(town, day="2026-04-28", purpose="Kinder", capacity="9")
    choose = await town.get("Ana", "gatherings/new")
    assert f"?like={id}" in choose.text
    sheet = await town.get("Ana", "gatherings/new", like=str(id))
    for kept in ('value="Kinder"', 'value="9"', 'value="2026-05-05"', 'value="18:00"'):
        assert kept in sheet.text, kept
    assert hidden(sheet, "id") != str(id)
    assert (await town.get("Jorge", f"gatherings/{id}")).text.count("?like=") == 1


async def test_changing_one_of_a_series_or_all_that_come(town: Town) -> None:
    id = await planned(town, every="two_weeks", last_on="2026-07-21")
    page = await town.get("Jorge", f"gatherings/{id}")
    assert "Every second Tuesday · the first time" in page.text
    assert "Tuesday, 26 May" in page.text
    assert (await town.get("Jorge", f"gatherings/{id}/edit")).status_code == 403
    sheet = await town.get("Ana", f"gatherings/{id}/edit")
    assert 'value="2026-07-21"' in sheet.text
    changed = SHEET | {"every": "two_weeks", "last_on": "2026-07-21"}
    one = await town.post(
        "Ana", f"gatherings/{id}/edit", changed | {"place": "Café", "scope": "one"}
    )
    assert one.status_code == 303
    every = changed | {"place": "Café", "at": "19:00", "scope": "all"}
    assert (await town.post("Ana", f"gatherings/{id}/edit", every)).status_code == 303
    lines = await town.get("Jorge", "gatherings/")
    assert lines.text.count("19:00\u00a0to\u00a021:00") == 6
    assert lines.text.count("Café") == 1
    wrong = await town.post("Ana", f"gatherings/{id}/edit", every | {"last_on": "2026-05-01"})
    assert "This lies before the first day." in wrong.text


async def test_calling_off_asks_for_a_word_and_says_who_is_told(town: Town) -> None:
    id = await planned(town, every="week")
    await says(town, id, "Jorge")
    assert "One person has a seat" in (await town.get("Ana", f"gatherings/{id}/call-off")).text
    answer = await town.post("Ana", f"gatherings/{id}/call-off", {"words": "The pipes burst."})
    assert answer.status_code == 303
    page = await town.get("Jorge", f"gatherings/{id}")
    assert "It does not take place." in page.text
    assert "The pipes burst." in page.text
    assert "I’m coming" not in page.text
    next_one = re.search(r"gatherings/([0-9a-f-]{36})\">Tuesday, 19 May", page.text)
    assert next_one
    ended = {"words": "", "scope": "all"}
    assert (await town.post("Ana", f"gatherings/{next_one[1]}/call-off", ended)).status_code == 303
    assert (await town.get("Jorge", "gatherings/")).text.count("called off") == 1


async def test_the_list_is_all_or_mine_by_area_and_kind_and_a_table(town: Town) -> None:
    library = town.id("the library")
    tea = await planned(town, area="Mill Road", **{"host-0": str(library)})
    digging = await planned(town, title="Digging", area="Canal", openness="invited", who="Carla")
    ours = await town.get("Jorge", "gatherings/")
    assert "Tea and talk</a>" in ours.text
    assert "Digging" not in ours.text
    assert "Digging" in (await town.get("Carla", "gatherings/")).text
    assert "Tea and talk</a>" not in (await town.get("Jorge", "gatherings/", mine="1")).text
    await says(town, tea, "Jorge")
    assert "you come" in (await town.get("Jorge", "gatherings/", mine="1")).text
    assert "Tea and talk</a>" not in (await town.get("Jorge", "gatherings/", area="Canal")).text
    table = await town.get("Carla", "gatherings/", **{"as": "csv"})
    assert "Tea and talk" in table.text
    assert "Tea and cake" in table.text
    async with town.db.read(town.community.id) as conn:
        jorge = await acting.one(conn, town.community.id, town.id("Jorge"))
        for choice in (Choice(host_id=library), Choice(host_id=town.id("Ana"))):
            lines = await agenda.coming(conn, jorge, now=town.now.at, choice=choice)
            assert [line.id for line in lines] == ([tea] if choice.host_id == library else [])
        seen = await agenda.several(conn, jorge, [tea, digging])
        assert [line.id for line in seen] == [tea]
    xlsx = await town.get("Jorge", "gatherings/", **{"as": "xlsx"})
    assert xlsx.content[:2] == b"PK"
    town.later += timedelta(days=20)
    assert "Nothing is planned" in (await town.get("Jorge", "gatherings/")).text
    assert "you said yes" in (await town.get("Jorge", "gatherings/", show="past")).text


async def test_home_shows_the_next_one_and_what_it_still_needs(town: Town) -> None:
    assert "Nobody yet for" not in (await town.get("Jorge")).text
    id = await planned(town)
    home = await town.get("Jorge")
    assert "Nobody yet for: Tea and cake, Facilitate." in home.text
    await town.post("Jorge", f"duties/{id}/offer", {"duty": "tea"})
    home = await town.get("Jorge")
    assert "You do: Tea and cake." in home.text
    assert "Nobody yet for: Facilitate." in home.text
    await town.post("Ana", f"duties/{id}/ask", {"duty": "facilitate", "who": "Jorge Medina"})
    assert "You are asked: Facilitate." in (await town.get("Jorge")).text


async def test_calendar_files_are_there_to_take_along(town: Town) -> None:
    id = await planned(town, every="week")
    one = await town.get("Jorge", f"gatherings/{id}/event.ics")
    assert one.headers["content-type"].startswith("text/calendar")
    assert "BEGIN:VTIMEZONE" in one.text
    assert f"UID:{id}" in one.text
    whole = await town.get("Jorge", f"gatherings/{id}/series.ics")
    assert "RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=TU" in whole.text
    alone = await planned(town, title="Once")
    assert (await town.get("Jorge", f"gatherings/{alone}/series.ics")).status_code == 404


async def _crowd(town: Town, id: UUID, number: int) -> None:
    """Many gatherings, and many guests at one of them, past the door."""
    base = await found(town, id)
    rows, needs, guests = [], [], []
    for _ in range(number):
        at = town.now
        row = {"id": at.new_id(), "title": "Another", "made_at": at.at, "touched_at": at.at}
        rows.append(row | {"starts_at": base.starts_at, "ends_at": base.ends_at})
        needs.append({"gathering_id": row["id"], "key": "tea", "wanted": 1})
        guests.append({"id": at.new_id(), "gathering_id": id, "name": f"Guest {at.at}"})
    words = ("purpose", "place", "access", "link", "area", "bring")
    async with town.db.write(town.community.id) as conn:
        shared = {"community_id": town.community.id}
        await conn.execute(
            insert(gatherings),
            [
                shared
                | dict.fromkeys(words, "")
                | {"openness": "members", "rule": "none", "credits_taking_part": True}
                | {"state": "planned", "agreement_version": 1, "made_by": town.id("Ana")}
                | row
                for row in rows
            ],
        )
        role = {"name": "", "kind": "hospitality", "during": False, "position": 1}
        none = base.roles[0].after
        await conn.execute(
            insert(gathering_roles),
            [shared | role | {"before": none, "after": none} | need for need in needs],
        )
        seat = {"email": "", "from_words": "", "answer": "yes", "words": "", "waiting": False}
        await conn.execute(
            insert(seat_table),
            [
                shared
                | seat
                | {"ticked_how": "", "to_confirm": False, "invited_by": town.id("Ana")}
                | guest
                for guest in guests
            ],
        )


async def test_pages_ask_as_often_with_many_gatherings_and_guests_as_with_few(town: Town) -> None:
    id = await planned(town, every="week")
    pages = ("", "gatherings/", f"gatherings/{id}", f"seats/{id}", f"inviting/{id}", "calendar")

    async def asked() -> dict[str, int]:
        counts = {}
        for path in pages:
            await town.get("Ana", path)
            with counted(town.db) as sent:
                page = await town.get("Ana", path)
            assert page.status_code == 200, path
            counts[path] = len(sent)
        return counts

    await _crowd(town, id, 2)
    few = await asked()
    await _crowd(town, id, 40)
    assert await asked() == few
    assert max(few.values()) <= 25, few
