"""What everybody sees: public gatherings, and nobody's name but who hosts."""

from __future__ import annotations

import pytest
from icalendar import Calendar

from tests.web.test_gatherings import planned, says
from tests.web.town import Town

# What these pages say is no matter of the database; what is beneath them runs on both.
pytestmark = pytest.mark.parametrize("db_kind", ["sqlite"], indirect=True)


async def test_a_public_gathering_names_nobody_but_who_hosts(town: Town) -> None:
    id = await planned(
        town,
        openness="public",
        link="https://meet.example.org/x",
        **{"role-host": "1", "host-0": str(town.id("the library"))},
    )
    await says(town, id, "Jorge")
    await town.post("Dora", f"duties/{id}/offer", {"duty": "host"})
    hidden = await planned(town, title="For members")
    async with town.browser() as anybody:
        page = await anybody.get(town.path(f"whats-on/{id}"))
        assert page.status_code == 200
        assert "Hosted by Mill Road Library, Dora Nagy" in page.text
        for private in ("Jorge", "Ana", "meet.example.org"):
            assert private not in page.text, private
        file = await anybody.get(town.path(f"whats-on/{id}/event.ics"))
        assert "meet.example.org" not in file.text
        assert (await anybody.get(town.path(f"whats-on/{hidden}"))).status_code == 404
        assert (await anybody.get(town.path("whats-on/"))).status_code == 404
        assert (await anybody.get(town.path("whats-on/feed.ics"))).status_code == 404


async def test_the_community_shows_them_in_one_place_if_it_likes(town: Town) -> None:
    id = await planned(town, openness="public", title="Open tea")
    await planned(town, title="For members")
    assert (await town.post("Ana", "calendar/open", {"shown": "1"})).status_code == 403
    await town.post("Carla", "calendar/open", {"shown": "1"})
    async with town.browser() as anybody:
        page = await anybody.get(town.path("whats-on/"))
        assert "Open tea" in page.text
        assert "For members" not in page.text
        feed = await anybody.get(town.path("whats-on/feed.ics"))
        events = Calendar.from_ical(feed.content).walk("VEVENT")
        assert [str(event["UID"]) for event in events] == [str(id)]
        assert "What else is on" in (await anybody.get(town.path(f"whats-on/{id}"))).text
        await town.post("Carla", "calendar/open", {"shown": "0"})
        assert (await anybody.get(town.path("whats-on/"))).status_code == 404
