"""The agreement in plain words, and a steward who changes it for a reason."""

from __future__ import annotations

import re

from tests.web.town import Town, hidden
from timebank import agreements


async def the_form(town: Town, **changed: str) -> dict[str, str]:
    """The form as it opens, with some fields changed."""
    page = await town.get("Stella", "agreement/edit")
    assert page.status_code == 200
    form = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"[^>]* checked', page.text))
    form |= {
        name: found[1]
        for name in ("step", "dispute_days", "approval_above", "soft_floor", "hard_floor")
        if (found := re.search(rf'name="{name}"[^>]* value="([^"]*)"', page.text))
    }
    form["version"] = hidden(page, "version")
    return form | {"reason": "We talked about it in May"} | changed


async def version(town: Town) -> int:
    async with town.db.read(town.community.id) as conn:
        return (await agreements.current(conn, town.community.id)).version


async def test_every_member_reads_the_agreement_in_plain_words(town: Town) -> None:
    page = await town.get("Ana", "agreement")
    for said in (
        "steps of 15 minutes, to the nearest step",
        "has 7 days to say if something is not right",
        "No answer means yes",
        "A coordinator looks at every entry",
        "falls below −10:00, we talk",
        "no balance at which we stop somebody",
        "What this community began with",
    ):
        assert said in page.text, said
    assert "Write the next version" not in page.text


async def test_a_steward_adopts_a_version_and_the_difference_is_told(town: Town) -> None:
    answer = await town.post("Stella", "agreement/edit", await the_form(town, step="30"))
    assert answer.status_code == 303, answer.text
    assert await version(town) == 2
    page = await town.get("Ana", "agreement")
    assert "steps of 30 minutes" in page.text
    assert "We talked about it in May" in page.text
    assert "adopted by Stella Ford" in page.text
    assert re.search(r"<del>.*steps of 15 minutes", page.text, re.DOTALL)
    old = await town.get("Ana", "agreement/1")
    assert "This version no longer holds" in old.text


async def test_a_version_needs_a_reason_and_terms_that_make_sense(town: Town) -> None:
    before = await town.rows()
    for field, typed in (
        ("reason", ""),
        ("step", "0"),
        ("step", "61"),
        ("soft_floor", "-10:00"),
        ("hard_floor", "5:00"),
        ("dispute_days", "91"),
        ("rounding", "sideways"),
    ):
        form = await the_form(town, **{"step": "30", field: typed})
        answer = await town.post("Stella", "agreement/edit", form)
        assert answer.status_code == 422, (field, typed)
    assert await town.rows() == before


async def test_limits_that_begin_a_conversation_are_agreed_in_plain_words(town: Town) -> None:
    page = await town.get("Ana", "agreement")
    assert "There is no balance that is too high." in page.text
    assert "changes nothing about their limits" in page.text
    agreed = {
        "hard_floor": "15:00",
        "soft_ceiling": "40:00",
        "floor_growth": "50",
        "lowest_floor": "30:00",
    }
    answer = await town.post("Stella", "agreement/edit", await the_form(town, **agreed))
    assert answer.status_code == 303, answer.text
    page = await town.get("Ana", "agreement")
    for said in (
        "When a balance goes above 40:00, we talk",
        "by 50% of what they have given. Nobody goes below −30:00.",
    ):
        assert said in page.text, said
    form = await town.get("Stella", "agreement/edit")
    for kept in ('name="floor_growth" value="50"', 'value="30:00"', 'value="40:00"'):
        assert kept in form.text.replace(' aria-describedby="floor_growth-hint"', ""), kept
    for wrong in ({"hard_floor": ""}, {"lowest_floor": "14:00"}, {"floor_growth": "101"}):
        answer = await town.post("Stella", "agreement/edit", await the_form(town, **agreed | wrong))
        assert answer.status_code == 422, wrong
    assert await version(town) == 2


async def test_nothing_new_is_no_new_version(town: Town) -> None:
    answer = await town.post("Stella", "agreement/edit", await the_form(town))
    assert answer.status_code == 422
    assert "Nothing is different" in answer.text
    assert await version(town) == 1


async def test_a_version_adopted_meanwhile_has_to_be_read_first(town: Town) -> None:
    form = await the_form(town, step="30")
    await town.post("Stella", "agreement/edit", await the_form(town, step="5"))
    answer = await town.post("Stella", "agreement/edit", form)
    assert answer.status_code == 422
    assert "Version 2 was adopted meanwhile" in answer.text
    assert hidden(answer, "version") == "2"
    assert await version(town) == 2


async def test_only_stewards_write_the_agreement(town: Town) -> None:
    form = await the_form(town, step="30")
    for who in ("Ana", "Carla"):
        assert (await town.get(who, "agreement/edit")).status_code == 403
        assert (await town.post(who, "agreement/edit", form)).status_code == 403
    assert await version(town) == 1


async def test_a_version_that_never_was_is_not_there(town: Town) -> None:
    assert (await town.get("Ana", "agreement/7")).status_code == 404
