"""Who did what: all of it for stewards, one's own matters for everybody else."""

from __future__ import annotations

from tests.web.town import Town
from web import audit
from web.stories import Gettext


async def test_stewards_read_what_everybody_did(town: Town) -> None:
    await town.approve(await town.record("Ana", "Bert", 90))
    await town.post("Carla", f"members/{town.id('Mei')}/welcome", {})
    page = await town.get("Stella", "audit")
    for said in ("Carla Reyes approved an entry", "Carla Reyes welcomed Mei Tan"):
        assert said in page.text, said


async def test_members_read_their_own_matters_only(town: Town) -> None:
    await town.approve(await town.record("Ana", "Bert", 90))
    await town.post("Carla", f"members/{town.id('Mei')}/welcome", {})
    page = await town.get("Ana", "audit")
    assert "Carla Reyes approved an entry" in page.text
    assert "Mei Tan" not in page.text
    assert "approved an entry" not in (await town.get("Jorge", "audit")).text


async def test_the_audit_turns_its_pages(town: Town) -> None:
    for _ in range(51):
        await town.record("Ana", "Bert", 15)
    page = await town.get("Stella", "audit")
    older = page.text.split("?before=")[1].split('"')[0]
    assert "This time bank began" not in page.text
    assert "This time bank began" in (await town.get("Stella", "audit", before=older)).text
    assert (await town.get("Stella", "audit", before="x")).status_code == 404


def test_every_kind_of_act_has_a_sentence_of_its_own() -> None:
    _: Gettext = str
    for action, sentence in audit.sentences(_).items():
        assert action not in sentence
