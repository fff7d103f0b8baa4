"""Members: the directory, profiles, and who may change whom."""

from __future__ import annotations

from tests.web.town import Town
from timebank import buddies, members
from timebank.members import Member, Role, Status


async def the_member(town: Town, name: str) -> Member:
    async with town.db.read(town.community.id) as conn:
        return await members.get(conn, town.community.id, town.id(name))


async def test_the_directory_lists_active_members_and_finds_them(town: Town) -> None:
    page = await town.get("Ana", "members/")
    assert "Bert Cole" in page.text
    for hidden in ("Mei Tan", "Pia Lund", "Olga Nord"):
        assert hidden not in page.text
    assert "Jorge Medina" in (await town.get("Ana", "members/", q="medi")).text
    assert "Nobody fits “zzz”" in (await town.get("Ana", "members/", q="zzz")).text


async def test_coordinators_see_everyone_and_who_has_no_sign_in(town: Town) -> None:
    page = await town.get("Carla", "members/", all="1")
    for said in ("Mei Tan", "asked to join", "taking a break", "no sign-in"):
        assert said in page.text
    assert "Mei Tan" not in (await town.get("Ana", "members/", all="1")).text


async def test_the_directory_turns_its_pages(town: Town) -> None:
    async with town.db.write(town.community.id) as conn:
        for number in range(60):
            await members.insert_member(
                conn,
                town.community.id,
                name=f"Zoe {number:02}",
                status=Status.ACTIVE,
                now=town.now,
            )
    page = await town.get("Ana", "members/")
    assert "Zoe 00" in page.text
    assert "Zoe 59" not in page.text
    address = page.text.split('<nav class="turn"><a href="')[1].split('"')[0].replace("&amp;", "&")
    async with town.browser("Ana") as browser:
        rest = await browser.get(address)
    assert "Zoe 59" in rest.text
    assert "Ana Lima</strong>" not in rest.text


async def test_contact_details_are_seen_by_members_only_if_shown(town: Town) -> None:
    path = f"members/{town.id('Ana')}"
    assert "07700 900111" not in (await town.get("Jorge", path)).text
    assert "ana@m.example" not in (await town.get("Jorge", path)).text
    form = {"name": "Ana Lima", "phone": "07700 900111", "contact_shown": "1"}
    assert (await town.post("Ana", f"{path}/edit", form)).status_code == 303
    assert "07700 900111" in (await town.get("Jorge", path)).text


async def test_who_may_looks_up_what_is_not_shown_and_the_member_reads_that(town: Town) -> None:
    path = f"members/{town.id('Ana')}"
    profile = await town.get("Carla", path)
    assert "07700 900111" not in profile.text
    assert "Look up telephone and e-mail" in profile.text
    assert "Look up" not in (await town.get("Jorge", path)).text
    assert (await town.get("Jorge", f"{path}/contact")).status_code == 403
    found = await town.get("Carla", f"{path}/contact")
    for said in ("07700 900111", "ana@m.example", "is noted"):
        assert said in found.text, said
    assert "Carla Reyes looked up how to reach Ana Lima" in (await town.get("Ana", "audit")).text


async def test_one_asks_to_be_kept_apart_and_the_other_sees_nothing_of_it(town: Town) -> None:
    form = {"name": "Ana Lima", "phone": "07700 900111", "contact_shown": "1"}
    await town.post("Ana", f"members/{town.id('Ana')}/edit", form)
    ana, jorge = f"members/{town.id('Ana')}", f"members/{town.id('Jorge')}"
    assert "07700 900111" in (await town.get("Jorge", ana)).text
    answer = await town.post("Ana", f"{jorge}/apart", {"words": "He knows why."})
    assert answer.status_code == 303
    page = await town.get("Jorge", ana)
    assert page.status_code == 200
    for hidden in ("07700 900111", "You asked to be kept apart", "He knows why"):
        assert hidden not in page.text, hidden
    assert "You asked to be kept apart from Jorge Medina" in (await town.get("Ana", jorge)).text
    assert "Jorge Medina" in (await town.get("Ana", "my-data")).text
    assert "Ana Lima" not in (await town.get("Jorge", "my-data")).text
    assert (await town.post("Jorge", f"{ana}/together", {})).status_code == 404
    assert (await town.post("Ana", f"{jorge}/together", {})).status_code == 303
    assert "07700 900111" in (await town.get("Jorge", ana)).text


async def test_a_guardian_lets_members_see_how_to_reach_somebody(town: Town) -> None:
    path = f"members/{town.id('Ana')}"
    form = {"buddy": "Jorge Medina", "consent": "I asked him.", "as_what": "guardian"}
    assert (await town.post("Ana", f"{path}/buddies", form)).status_code == 303
    profile = {"name": "Ana Lima", "phone": "07700 900111", "contact_shown": "1"}
    await town.post("Ana", f"{path}/edit", profile)
    assert "07700 900111" not in (await town.get("Dora", path)).text
    page = await town.get("Jorge", f"{path}/buddies")
    assert "Members may see telephone and e-mail" in page.text
    async with town.db.read(town.community.id) as conn:
        (row,) = await buddies.of(conn, town.community.id, town.id("Ana"))
    let = f"{path}/buddies/{row.id}/contact"
    assert (await town.post("Ana", let, {"seen": "1"})).status_code == 403
    assert (await town.post("Jorge", let, {"seen": "1"})).status_code == 303
    assert "07700 900111" in (await town.get("Dora", path)).text
    assert (await town.post("Jorge", let, {})).status_code == 303
    assert "07700 900111" not in (await town.get("Dora", path)).text


async def test_a_break_has_a_last_day_if_one_likes(town: Town) -> None:
    path = f"members/{town.id('Ana')}"
    assert (await town.post("Ana", f"{path}/pause", {"until": "2026-01-01"})).status_code == 422
    assert (await town.post("Ana", f"{path}/pause", {"until": "2026-06-01"})).status_code == 303
    assert "taking a break until Monday, 1 June 2026" in " ".join(
        (await town.get("Jorge", path)).text.split()
    )


async def test_nobody_changes_somebody_else(town: Town) -> None:
    before = await town.rows()
    path = f"members/{town.id('Ana')}"
    for step, form in (
        ("edit", {"name": "Nobody"}),
        ("pause", {}),
        ("leave", {"sure": "1"}),
        ("role", {"role": "steward"}),
        ("buddies", {"buddy": "Jorge Medina", "consent": "I say so"}),
    ):
        answer = await town.post("Jorge", f"{path}/{step}", form)
        assert answer.status_code == 403, step
    assert (await town.get("Jorge", f"{path}/edit")).status_code == 403
    assert await town.rows() == before
    assert (await the_member(town, "Ana")).name == "Ana Lima"


async def test_a_coordinator_adds_somebody_with_a_name_only(town: Town) -> None:
    form = {"name": "Rosa Diaz", "kind": "person"}
    answer = await town.post("Carla", "members/", form)
    assert answer.status_code == 303
    async with town.browser("Ana") as browser:
        page = await browser.get(answer.headers["location"])
    assert "Rosa Diaz" in page.text
    assert (await town.post("Carla", "members/", {"name": ""})).status_code == 422
    assert (await town.post("Ana", "members/", form)).status_code == 403


async def test_an_applicant_is_welcomed_or_told_why_not(town: Town) -> None:
    path = f"members/{town.id('Mei')}"
    assert (await town.get("Ana", path)).status_code == 404
    assert "Welcome Mei Tan" in (await town.get("Carla", path)).text
    assert (await town.post("Carla", f"{path}/decline", {"words": ""})).status_code == 422
    assert (await town.post("Carla", f"{path}/welcome", {})).status_code == 303
    assert (await the_member(town, "Mei")).status is Status.ACTIVE
    again = await town.post("Carla", f"{path}/decline", {"words": "Too late"})
    assert again.status_code == 422
    assert (await the_member(town, "Mei")).status is Status.ACTIVE


async def test_a_member_takes_a_break_and_comes_back(town: Town) -> None:
    path = f"members/{town.id('Ana')}"
    await town.post("Ana", f"{path}/pause", {})
    assert (await the_member(town, "Ana")).status is Status.PAUSED
    await town.post("Ana", f"{path}/resume", {})
    assert (await the_member(town, "Ana")).status is Status.ACTIVE


async def test_leaving_takes_a_tick(town: Town) -> None:
    path = f"members/{town.id('Ana')}"
    assert (await town.post("Ana", f"{path}/leave", {})).status_code == 422
    assert (await town.post("Ana", f"{path}/leave", {"sure": "1"})).status_code == 303
    assert (await the_member(town, "Ana")).status is Status.LEFT
    assert (await town.get("Ana")).status_code == 404


async def test_a_steward_gives_roles_and_one_steward_stays(town: Town) -> None:
    form = {"role": "coordinator"}
    assert (await town.post("Carla", f"members/{town.id('Ana')}/role", form)).status_code == 403
    assert (await town.post("Stella", f"members/{town.id('Ana')}/role", form)).status_code == 303
    assert (await the_member(town, "Ana")).role is Role.COORDINATOR
    answer = await town.post("Stella", f"members/{town.id('Stella')}/role", form)
    assert answer.status_code == 422
    assert "at least one steward" in answer.text


async def test_a_buddy_needs_consent_in_words_and_can_be_ended(town: Town) -> None:
    path = f"members/{town.id('Bert')}"
    form = {"buddy": "Ana Lima", "consent": ""}
    assert (await town.post("Carla", f"{path}/buddies", form)).status_code == 422
    form["consent"] = "Bert said so on the telephone"
    assert (await town.post("Carla", f"{path}/buddies", form)).status_code == 303
    assert "on the telephone" in (await town.get("Carla", f"{path}/buddies")).text
    assert "on the telephone" in (await town.get("Ana", f"{path}/buddies")).text
    assert "on the telephone" not in (await town.get("Jorge", f"{path}/buddies")).text
    async with town.db.read(town.community.id) as conn:
        (buddy,) = await buddies.of(conn, town.community.id, town.id("Bert"))
    assert (await town.post("Carla", f"{path}/buddies/{buddy.id}/end", {})).status_code == 303
    async with town.db.read(town.community.id) as conn:
        assert not await buddies.of(conn, town.community.id, town.id("Bert"))


async def test_somebody_from_next_door_is_not_here(town: Town) -> None:
    for who in ("Ana", "Carla", "Stella"):
        assert (await town.get(who, f"members/{town.id('Olga')}")).status_code == 404
    before = await town.rows()
    for step in ("welcome", "pause", "role", "leave"):
        form = {"role": "member", "sure": "1"}
        answer = await town.post("Stella", f"members/{town.id('Olga')}/{step}", form)
        assert answer.status_code == 404, step
    assert await town.rows() == before
