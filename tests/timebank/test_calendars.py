"""Calendar files, read back as other programs do: times, UIDs, and what was called off."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule
from icalendar import Calendar

from tests.timebank.factories import at
from tests.timebank.gathering_scenes import EVENING, TEA, TUESDAY, Circle, a_circle
from timebank import calendars, feeds, members, planning, series
from timebank.calendars import Appointment
from timebank.communities import Community, by_id
from timebank.db import Database
from timebank.errors import Forbidden, NotFound
from timebank.recurrence import Every

LONDON = ZoneInfo("Europe/London")


@pytest.fixture
async def circle(db: Database) -> Circle:
    return await a_circle(db)


def read(file: bytes) -> tuple[Any, list[Any]]:
    """What a calendar program reads."""
    found: Any = Calendar.from_ical(file)
    assert found.get_missing_tzids() == set()
    return found, found.events


async def here(circle: Circle) -> Community:
    async with circle.place.db.read(circle.id) as conn:
        return await by_id(conn, circle.id)


async def appointment(circle: Circle, id: UUID, **more: Any) -> Appointment:
    found = await circle.get(id)
    address = f"https://example.org/c/mill-road/gatherings/{id}"
    return calendars.appointment(found, language="en", address=address, **more)


async def test_one_gathering_keeps_its_uid_and_its_hour_and_is_cancelled_when_called_off(
    circle: Circle,
) -> None:
    place = circle.place
    plan = replace(TEA, access="Ring twice; step-free, bus 55", link="https://meet.example.org/x")
    id = await circle.plan(plan)
    await circle.offers(id, place.bert, "tea")
    file = calendars.one(await here(circle), await appointment(circle, id))
    _, (event,) = read(file)
    assert (event["UID"], event["SUMMARY"], event.sequence) == (str(id), "Tea and talk", 0)
    assert event.start == datetime(2026, 5, 12, 18, tzinfo=LONDON)
    assert event.end == datetime(2026, 5, 12, 20, tzinfo=LONDON)
    assert event["DTSTART"].params["TZID"] == "Europe/London"
    assert event["STATUS"] == "CONFIRMED"
    assert "step-free, bus 55" in event["DESCRIPTION"]
    assert "meet.example.org" not in event["DESCRIPTION"]  # for those who come
    seat = (await circle.get(id)).seat_of(place.bert.id)
    own = await appointment(circle, id, seat=seat)
    _, (event,) = read(calendars.one(await here(circle), own))
    assert "What you do: Tea and cake" in event["DESCRIPTION"]
    assert "https://meet.example.org/x" in event["DESCRIPTION"]
    await circle.do(planning.edit, id, plan, replace(EVENING, at=time(19)), by=place.ana)
    await circle.do(planning.call_off, id, "The pipes burst.", by=place.ana)
    _, (event,) = read(calendars.one(await here(circle), await appointment(circle, id)))
    assert (event["UID"], event.sequence, event["STATUS"]) == (str(id), 2, "CANCELLED")
    assert event.start.hour == 19
    again = calendars.one(await here(circle), await appointment(circle, id))
    assert again == calendars.one(await here(circle), await appointment(circle, id))


async def test_a_series_is_one_event_with_a_rule_and_its_exceptions(circle: Circle) -> None:
    place = circle.place
    id = await circle.plan(replace(TEA, purpose="Kinder"), every=Every.TWO_WEEKS)
    first = await circle.get(id)
    assert first.series_id is not None
    async with place.db.read(circle.id) as conn:
        dates = await series.dates_of(conn, circle.id, first.series_id, after=at().at, limit=99)
    await circle.do(planning.call_off, dates[2][0], "", by=place.ana)
    moved = replace(EVENING, day=TUESDAY + timedelta(days=15), at=time(17))
    await circle.do(planning.edit, dates[1][0], replace(TEA, place="Café"), moved, by=place.ana)
    async with place.db.read(circle.id) as conn:
        whole = await series.get(conn, circle.id, first.series_id)
    events = [await appointment(circle, one[0]) for one in dates]
    file, (master, other) = read(calendars.series(await here(circle), whole, events))
    assert master["UID"] == other["UID"] == str(first.series_id)
    assert master.start == datetime(2026, 5, 12, 18, tzinfo=LONDON)
    assert [one.dt for one in master["EXDATE"].dts] == [datetime(2026, 6, 9, 18, tzinfo=LONDON)]
    assert other["RECURRENCE-ID"].dt == datetime(2026, 5, 26, 18, tzinfo=LONDON)
    assert other.start == datetime(2026, 5, 27, 17, tzinfo=LONDON)
    assert other["LOCATION"] == "Café"
    # Another program reckons the rule to days, and finds ours, across the change of clocks.
    begin = datetime.combine(TUESDAY, time(18))
    rule = rrule.rrulestr(master["RRULE"].to_ical().decode(), dtstart=begin)
    theirs = [one.date() for one in rule[: len(dates)]]
    assert theirs == [(await circle.get(one[0])).occurs_on for one in dates]
    assert "UNTIL" not in master["RRULE"]
    zone = next(one for one in file.timezones if one.tz_name == "Europe/London").to_tz()
    winter = datetime(2026, 12, 8, 18, tzinfo=zone)
    assert winter.utcoffset() == timedelta()
    assert datetime(2026, 8, 4, 18, tzinfo=zone).utcoffset() == timedelta(hours=1)

    await circle.do(series.end, dates[4][0], "", by=place.ana)
    async with place.db.read(circle.id) as conn:
        whole = await series.get(conn, circle.id, first.series_id)
        left = await series.dates_of(conn, circle.id, first.series_id, after=at().at, limit=99)
    events = [await appointment(circle, one[0]) for one in left]
    _, (master, *_) = read(calendars.series(await here(circle), whole, events))
    until = master["RRULE"]["UNTIL"][0]
    assert until.astimezone(LONDON).date() == dates[3][1].astimezone(LONDON).date()
    assert read(calendars.series(await here(circle), whole, []))[1] == []


async def test_a_secret_address_opens_ones_own_calendar_until_it_is_renewed(
    circle: Circle,
) -> None:
    place = circle.place
    first = await circle.do(feeds.renew, by=place.bert)

    async def opens(token: str) -> str:
        async with place.db.read(circle.id) as conn:
            return (await feeds.open_(conn, circle.id, token)).member.name

    assert await opens(first) == "Bert Okoro"
    second = await circle.do(feeds.renew, by=place.bert)
    assert first != second
    assert await opens(second) == "Bert Okoro"
    with pytest.raises(NotFound):
        await opens(first)
    await circle.do(members.leave, place.bert.id, by=place.bert)
    with pytest.raises(NotFound):
        await opens(second)
    third = await circle.do(feeds.renew, by=place.dora)
    await circle.do(feeds.end, by=place.dora)
    with pytest.raises(NotFound):
        await opens(third)


async def test_coordinators_say_whether_everybody_sees_what_is_on(circle: Circle) -> None:
    place = circle.place

    async def shown() -> bool:
        async with place.db.read(circle.id) as conn:
            return await feeds.is_shown(conn, circle.id)

    assert not await shown()
    with pytest.raises(Forbidden):
        await circle.do(feeds.show, True, by=place.ana)
    for wanted in (True, True, False):
        await circle.do(feeds.show, wanted, by=place.carla)
        assert await shown() is wanted


def test_a_maybe_is_tentative_and_an_empty_feed_is_a_calendar() -> None:
    town = Community(at().new_id(), "mill-road", "Mill Road", "", "en", "Europe/London", at().at)
    event = Appointment(
        at().new_id(),
        "Tea; and, talk\nagain",
        datetime(2026, 10, 24, 17, tzinfo=UTC),
        datetime(2026, 10, 25, 9, tzinfo=UTC),
        "",
        (),
        "https://example.org",
        False,
        True,
        3,
        at().at,
        date(2026, 10, 24),
    )
    found, (read_back,) = read(calendars.feed(town, "Mine", [event]))
    assert read_back["SUMMARY"] == "Tea; and, talk\nagain"
    assert read_back["STATUS"] == "TENTATIVE"
    assert read_back.start.astimezone(UTC) == event.starts_at
    assert read_back.end.astimezone(UTC) == event.ends_at  # over the change of clocks
    assert found.calendar_name == "Mine"
    assert read(calendars.feed(town, "Mine", []))[1] == []
