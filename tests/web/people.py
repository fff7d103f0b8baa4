"""A small town for the tests of signing in: one community, a few people, and their mail."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage

from tests.timebank.factories import a_community, a_member
from tests.web.conftest import Web
from timebank import credentials, mail, people
from timebank.communities import Community
from timebank.db import EVERYWHERE
from timebank.members import Member, Role

PASSWORD = "marmalade on the tall bicycle"
ANOTHER = "seven lanterns under a quiet bridge"


@dataclass(frozen=True, slots=True)
class Town:
    """Mill Road, with Ana who has a password, and Carla who coordinates."""

    place: Community
    ana: Member
    carla: Member


async def a_town(web: Web) -> Town:
    """Make the town."""
    kept = await credentials.hash_password(PASSWORD)
    async with web.db.write(EVERYWHERE) as conn:
        place = await a_community(conn)
        ana = await a_member(conn, place.id, "Ana Lima", email="ana@example.org")
        carla = await a_member(
            conn, place.id, "Carla Rossi", email="carla@example.org", role=Role.STEWARD
        )
        await conn.execute(
            people.people.update()
            .where(people.people.c.email == "ana@example.org")
            .values(password_hash=kept)
        )
    return Town(place, ana, carla)


async def mails(web: Web, to: str) -> list[str]:
    """The bodies of the mails to an address as they were sent, the newest last."""
    while await mail.deliver_due(web.db, web.settings, now=web.clock()):
        pass
    found = []
    for file in sorted(web.settings.mail_folder.glob("*.eml")):
        message = message_from_bytes(file.read_bytes(), policy=policy.default)
        assert isinstance(message, EmailMessage)
        if to in str(message["To"]):
            found.append(str(message.get_content()))
    return found


async def path_in_mail(web: Web, to: str, begin: str) -> str:
    """The path of the link that begins so in the newest mail to an address."""
    body = (await mails(web, to))[-1]
    found = re.search(re.escape(web.settings.base_url) + rf"({re.escape(begin)}\S+)", body)
    assert found, body
    return found[1]
