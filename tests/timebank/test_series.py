"""Series: made ahead, one moved, one left out, all that come changed, and an end.

Seen to turn red: making the days of those called off again; changing the time of one that was
moved alone; copying from the last date instead of the plan.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from uuid import UUID

import pytest

from ledger import Minutes
from tests.timebank.factories import at
from tests.timebank.gathering_scenes import EVENING, TEA, TUESDAY, Circle, a_circle
from timebank import members, planning, series
from timebank.db import Database
from timebank.errors import BadInput, Forbidden, WrongState
from timebank.gathering import Gathering
from timebank.gatherings import Answer, State
from timebank.recurrence import Every, local


@pytest.fixture
async def circle(db: Database) -> Circle:
    return await a_circle(db)


async def dates(circle: Circle, id: UUID) -> list[Gathering]:
    """Every date of the series of a gathering that it still gives, in order."""
    first = await circle.get(id)
    assert first.series_id is not None
    async with circle.place.db.read(circle.id) as conn:
        found = await series.dates_of(
            conn, circle.id, first.series_id, after=at(days=-90).at, limit=99
        )
    return [await circle.get(one[0]) for one in found]


def shown(found: list[Gathering]) -> list[str]:
    """Day and time by London's clocks."""
    return ["{:%d.%m.} {:%H:%M}".format(*local(one.starts_at, "Europe/London")) for one in found]


async def test_a_series_is_made_ahead_and_goes_on_across_the_clock_change(circle: Circle) -> None:
    here = circle.place
    id = await circle.plan(every=Every.TWO_WEEKS)
    begun = await dates(circle, id)
    assert begun[0].id == id
    assert len(begun) == 9  # 120 days of fortnights
    assert [one.occurs_on for one in begun[:2]] == [TUESDAY, TUESDAY + timedelta(days=14)]
    assert await series.make_ahead(here.db, now=at(hours=1)) == 0
    await circle.do(planning.call_off, begun[2].id, "Holiday", by=here.ana)
    moved = replace(EVENING, day=TUESDAY + timedelta(days=15))
    await circle.do(planning.edit, begun[1].id, replace(TEA, place="Café"), moved, by=here.ana)
    assert await series.make_ahead(here.db, now=at(days=100)) == 7
    assert await series.make_ahead(here.db, now=at(days=100)) == 0
    found = await dates(circle, id)
    assert {time for _, time in (one.split() for one in shown(found))} == {"18:00"}
    assert {one.starts_at.hour for one in found} == {17, 18}
    assert shown(found)[:3] == ["12.05. 18:00", "27.05. 18:00", "09.06. 18:00"]
    assert found[2].state is State.CANCELLED
    assert {one.place for one in found} == {"Library, back room", "Café"}
    async with here.db.read(circle.id) as conn:
        assert await series.number_of(conn, found[3]) == 3


async def test_what_changes_in_all_that_come_changes_there_and_nothing_else_does(
    circle: Circle,
) -> None:
    here = circle.place
    id = await circle.plan(every=Every.WEEK)
    found = await dates(circle, id)
    # The third is moved to Thursday and to the café, the fifth called off, Bert makes the tea at
    # the fourth, Dora comes to all.
    thursday = replace(EVENING, day=TUESDAY + timedelta(days=16), at=time(15))
    await circle.do(planning.edit, found[2].id, replace(TEA, place="Café"), thursday, by=here.ana)
    await circle.do(planning.call_off, found[4].id, "", by=here.ana)
    await circle.offers(found[3].id, here.bert, "tea")
    for one in (found[1], found[2], found[3]):
        await circle.says(one.id, here.dora)
    at_seven = replace(EVENING, day=found[1].occurs_on or TUESDAY, at=time(19))
    plan = replace(TEA, title="Tea and cake", roles=(("facilitate", 1), ("notes", 1)))
    with pytest.raises(Forbidden):
        await circle.do(series.edit_from, found[1].id, plan, at_seven, None, None, by=here.bert)
    await circle.do(series.edit_from, found[1].id, plan, at_seven, None, None, by=here.ana)
    after = await dates(circle, id)
    assert shown(after)[:5] == [
        "12.05. 18:00",
        "19.05. 19:00",
        "28.05. 15:00",  # moved alone: it keeps its day and time
        "02.06. 19:00",
        "09.06. 18:00",  # called off: nobody has to know another time
    ]
    assert [one.title for one in after[:4]] == ["Tea and talk"] + 3 * ["Tea and cake"]
    assert after[2].place == "Café"
    assert [role.key for role in after[2].roles if role.wanted] == ["facilitate", "notes"]
    assert "tea" in [role.key for role in after[3].roles]  # Bert said he would
    # One mail to Dora, about the dates that have another time.
    letters = [one for one in await circle.letters() if one.to_address.startswith("dora")]
    assert [one.subject for one in letters] == ["It has moved: Tea and cake"]
    assert letters[0].body.count("→ now") == 2
    # Dates made later are like that, too.
    assert await series.make_ahead(here.db, now=at(days=40)) > 0
    last = (await dates(circle, id))[-1]
    assert (last.title, shown([last])[0][-5:]) == ("Tea and cake", "19:00")


async def test_another_day_and_rhythm_take_everybody_along(circle: Circle) -> None:
    here = circle.place
    id = await circle.plan(every=Every.WEEK)
    found = await dates(circle, id)
    await circle.do(planning.call_off, found[2].id, "", by=here.ana)
    await circle.says(found[3].id, here.bert)
    wednesday = replace(EVENING, day=TUESDAY + timedelta(days=8))
    with pytest.raises(BadInput):  # the 20th is not the last Wednesday of May
        await circle.do(
            series.edit_from, found[1].id, TEA, wednesday, Every.MONTH_END, None, by=here.ana
        )
    clash = replace(EVENING, day=TUESDAY)
    with pytest.raises(BadInput):
        await circle.do(series.edit_from, found[1].id, TEA, clash, None, None, by=here.ana)
    await circle.do(
        series.edit_from, found[1].id, TEA, wednesday, Every.TWO_WEEKS, None, by=here.ana
    )
    after = await dates(circle, id)
    assert shown(after)[:4] == ["12.05. 18:00", "20.05. 18:00", "03.06. 18:00", "17.06. 18:00"]
    assert after[2].id == found[3].id  # the third was called off, so the fourth comes next
    assert after[2].seat_of(here.bert.id) is not None
    assert await circle.to("bert") == ["It has moved: Tea and talk"]
    assert await series.make_ahead(here.db, now=at(hours=1)) == 0


async def test_a_series_ends_and_only_who_was_coming_hears_of_it(circle: Circle) -> None:
    here = circle.place
    with pytest.raises(BadInput):
        await circle.plan(every=Every.MONTH, last_on=TUESDAY - timedelta(days=1))
    id = await circle.plan(every=Every.WEEK, last_on=TUESDAY + timedelta(days=70))
    found = await dates(circle, id)
    assert len(found) == 11
    await circle.says(found[3].id, here.bert)
    await circle.says(found[4].id, here.bert)
    await circle.says(found[5].id, here.dora, Answer.NO)
    # An earlier end: what lies after it is called off where it mattered, and simply not there else.
    last_on = found[4].occurs_on
    await circle.do(series.edit_from, id, TEA, EVENING, None, last_on, by=here.ana)
    assert len(await dates(circle, id)) == 5
    assert await circle.to("bert") == []
    await circle.do(series.end, found[3].id, "We take a rest.", by=here.ana)
    after = await dates(circle, id)
    assert [one.state for one in after] == 3 * [State.PLANNED] + 2 * [State.CANCELLED]
    assert await circle.to("bert") == ["Called off: Tea and talk"]
    assert (await circle.letters())[0].body.count("18:00 to 20:00") == 2
    assert await circle.to("dora") == []
    assert await series.make_ahead(here.db, now=at(days=30)) == 0
    alone = await circle.plan()
    with pytest.raises(WrongState):
        await circle.do(series.end, alone, "", by=here.ana)


async def test_dates_to_come_go_on_without_an_organisation_that_left(circle: Circle) -> None:
    here = circle.place
    plan = replace(TEA, hosts=(here.library.id,), payer_id=here.library.id)
    id = await circle.plan(plan, replace(EVENING, lasts=Minutes(90)), every=Every.FOUR_WEEKS)
    await circle.do(members.leave, here.library.id, by=here.stella)
    await series.make_ahead(here.db, now=at(days=60))
    found = await dates(circle, id)
    assert found[0].host_ids == {here.library.id}
    assert found[-1].host_ids == frozenset()
    assert found[-1].payer_id == here.commons
    assert found[-1].lasts == Minutes(90)
