"""Formats: how a kind of gathering goes, and what it needs. A community adds its own.

A format fills in most of the form when somebody plans; everything may be changed there. Seven come
with every community, in its language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from timebank import audit, members, policy
from timebank.errors import BadInput, Forbidden, NotFound
from timebank.gatherings import Rule, formats
from timebank.moment import Moment
from timebank.plan import LONGEST, MOST_OF_A_ROLE
from timebank.roles import BuiltIn

MOST = 60
"""Formats in use; more than that nobody finds anything among."""


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of gathering. `roles` are keys of the agreement's roles, and how many people each."""

    id: UUID
    name: str
    about: str
    lasts: Minutes
    rule: Rule
    credits_taking_part: bool
    roles: tuple[tuple[str, int], ...]
    retired: bool


@dataclass(frozen=True, slots=True)
class NewFormat:
    """A format as somebody writes it."""

    name: str
    about: str = ""
    lasts: Minutes = Minutes(120)
    rule: Rule = Rule.SPONSORED
    credits_taking_part: bool = True
    roles: tuple[tuple[str, int], ...] = ()


_TALK = ((BuiltIn.HOST, 1), (BuiltIn.TEA, 1), (BuiltIn.FACILITATE, 1), (BuiltIn.NOTES, 1))

FIRST_FORMATS: dict[str, tuple[NewFormat, ...]] = {
    "en": (
        NewFormat(
            "Tea and talk",
            "First tea and cake, and getting to know each other. Then one question, talked about "
            "in small rounds, so that everybody is heard. Last, what each of us might do.",
            roles=_TALK,
        ),
        NewFormat(
            "PechaKucha evening",
            "Six to eight people show twenty pictures each, twenty seconds a picture. A break in "
            "the middle is for talking, and is half of the evening.",
            Minutes(150),
            roles=((BuiltIn.HOST, 1), (BuiltIn.TEA, 2), (BuiltIn.FACILITATE, 1)),
        ),
        NewFormat(
            "Online gathering",
            "A round at the beginning in which everybody says a word, small groups in the middle, "
            "a round at the end. Somebody helps those whose sound does not work.",
            Minutes(90),
            roles=((BuiltIn.HOST, 1), (BuiltIn.FACILITATE, 1), (BuiltIn.NOTES, 1)),
        ),
        NewFormat(
            "Reflective practice circle",
            "One person tells what is on their mind. The others ask, and do not advise. Then the "
            "circle says what it heard. What is said stays in the room.",
            Minutes(90),
            roles=((BuiltIn.HOST, 1), (BuiltIn.TEA, 1), (BuiltIn.FACILITATE, 1)),
        ),
        NewFormat(
            "Work day",
            "A garden, a hall, a path: something that many hands do in a day. Tools are there, and "
            "something to eat at noon.",
            Minutes(300),
            roles=((BuiltIn.HOST, 1), (BuiltIn.TEA, 2), (BuiltIn.CHILDCARE, 1)),
        ),
        NewFormat(
            "Shared meal",
            "Everybody brings something, or cooks together. One long table, and nobody eats alone.",
            Minutes(150),
            roles=((BuiltIn.HOST, 1), (BuiltIn.TEA, 2), (BuiltIn.INVITE, 1)),
        ),
        NewFormat(
            "Orientation",
            "For people who are new, or curious: what the time bank is, how one gives and "
            "receives, who can help with what. With tea, and time for questions.",
            Minutes(60),
            roles=((BuiltIn.HOST, 1), (BuiltIn.TEA, 1), (BuiltIn.FOLLOW_UP, 1)),
        ),
    ),
    "es": (
        NewFormat(
            "Té y charla",
            "Primero té y bizcocho, y conocernos. Después una pregunta, hablada en pequeñas "
            "rondas, para que se escuche a todo el mundo. Al final, qué podría hacer cada cual.",
            roles=_TALK,
        ),
        NewFormat(
            "Noche PechaKucha",
            "De seis a ocho personas muestran veinte imágenes cada una, veinte segundos por "
            "imagen. La pausa de en medio es para hablar, y es la mitad de la noche.",
            Minutes(150),
            roles=((BuiltIn.HOST, 1), (BuiltIn.TEA, 2), (BuiltIn.FACILITATE, 1)),
        ),
        NewFormat(
            "Encuentro en línea",
            "Una ronda al principio en la que todo el mundo dice algo, grupos pequeños en medio, "
            "otra ronda al final. Alguien ayuda a quien no le funciona el sonido.",
            Minutes(90),
            roles=((BuiltIn.HOST, 1), (BuiltIn.FACILITATE, 1), (BuiltIn.NOTES, 1)),
        ),
        NewFormat(
            "Círculo de práctica reflexiva",
            "Una persona cuenta lo que le ocupa. Las demás preguntan, y no dan consejos. Después "
            "el círculo dice lo que ha escuchado. Lo que se dice se queda en la sala.",
            Minutes(90),
            roles=((BuiltIn.HOST, 1), (BuiltIn.TEA, 1), (BuiltIn.FACILITATE, 1)),
        ),
        NewFormat(
            "Jornada de trabajo",
            "Un huerto, un local, un camino: algo que muchas manos hacen en un día. Hay "
            "herramientas, y algo de comer a mediodía.",
            Minutes(300),
            roles=((BuiltIn.HOST, 1), (BuiltIn.TEA, 2), (BuiltIn.CHILDCARE, 1)),
        ),
        NewFormat(
            "Comida compartida",
            "Cada cual trae algo, o se cocina en común. Una mesa larga, y nadie come a solas.",
            Minutes(150),
            roles=((BuiltIn.HOST, 1), (BuiltIn.TEA, 2), (BuiltIn.INVITE, 1)),
        ),
        NewFormat(
            "Acogida",
            "Para quien llega, o siente curiosidad: qué es el banco de tiempo, cómo se da y se "
            "recibe, quién puede ayudar con qué. Con té, y tiempo para preguntas.",
            Minutes(60),
            roles=((BuiltIn.HOST, 1), (BuiltIn.TEA, 1), (BuiltIn.FOLLOW_UP, 1)),
        ),
    ),
}
"""What every community begins with, in its language. Migration 0008 gave them to older ones."""


async def begin(conn: AsyncConnection, community: UUID, language: str, *, now: Moment) -> None:
    """The formats a new community begins with."""
    await conn.execute(
        insert(formats),
        [
            {
                "community_id": community,
                "id": now.new_id(),
                "position": position,
                **_columns(new),
            }
            for position, new in enumerate(FIRST_FORMATS[language])
        ],
    )


async def of(conn: AsyncConnection, community: UUID, *, retired: bool = False) -> list[Format]:
    """The formats in use, in the community's order; with `retired`, those put away too."""
    query = (
        select(formats)
        .where(formats.c.community_id == community)
        .order_by(formats.c.retired_at.is_not(None), formats.c.position, formats.c.name)
    )
    if not retired:
        query = query.where(formats.c.retired_at.is_(None))
    return [_format(row) for row in await conn.execute(query)]


async def get(conn: AsyncConnection, community: UUID, id: UUID) -> Format:
    """One format, in use or not; or `NotFound`."""
    query = select(formats).where(formats.c.community_id == community, formats.c.id == id)
    row = (await conn.execute(query)).first()
    if row is None:
        raise NotFound("format")
    return _format(row)


async def add(
    conn: AsyncConnection, community: UUID, new: NewFormat, *, by: UUID, now: Moment
) -> UUID:
    """A format of the community's own; its id. Coordinators do (`Forbidden`)."""
    await _refuse_others(conn, community, by)
    await _refuse_nonsense(conn, community, new)
    count = select(func.count(), func.max(formats.c.position)).where(
        formats.c.community_id == community
    )
    number, last = (await conn.execute(count)).one()
    if number >= MOST:
        raise BadInput("name", "too_many_formats", MOST)
    id = now.new_id()
    await conn.execute(
        insert(formats).values(
            community_id=community, id=id, position=(last or 0) + 1, **_columns(new)
        )
    )
    await _note(conn, community, by, "format.added", id, now)
    return id


async def edit(
    conn: AsyncConnection, community: UUID, id: UUID, new: NewFormat, *, by: UUID, now: Moment
) -> None:
    """Change a format. Gatherings that were planned with it stay as they are."""
    await _refuse_others(conn, community, by)
    await get(conn, community, id)
    await _refuse_nonsense(conn, community, new, besides=id)
    await conn.execute(
        update(formats)
        .where(formats.c.community_id == community, formats.c.id == id)
        .values(**_columns(new))
    )
    await _note(conn, community, by, "format.changed", id, now)


async def retire(
    conn: AsyncConnection, community: UUID, id: UUID, retired: bool, *, by: UUID, now: Moment
) -> None:
    """Put a format away, so that nobody is offered it any more; or take it out again."""
    await _refuse_others(conn, community, by)
    await get(conn, community, id)
    await conn.execute(
        update(formats)
        .where(formats.c.community_id == community, formats.c.id == id)
        .values(retired_at=now.at if retired else None)
    )
    await _note(conn, community, by, "format.retired" if retired else "format.back", id, now)


async def _refuse_others(conn: AsyncConnection, community: UUID, by: UUID) -> None:
    if not policy.may_edit_formats(await members.get(conn, community, by)):
        raise Forbidden("format")


async def _refuse_nonsense(
    conn: AsyncConnection, community: UUID, new: NewFormat, besides: UUID | None = None
) -> None:
    nonsense = (
        ("name", "missing", not new.name),
        ("lasts", "too_short", new.lasts < Minutes(5)),
        ("lasts", "too_long_for_one", new.lasts > LONGEST),
        ("roles", "too_many_of_a_role", any(n > MOST_OF_A_ROLE for _, n in new.roles)),
    )
    for field, reason, found in nonsense:
        if found:
            raise BadInput(field, reason, MOST_OF_A_ROLE)
    same = select(formats.c.id).where(
        formats.c.community_id == community, formats.c.name == new.name
    )
    if any(row.id != besides for row in await conn.execute(same)):
        raise BadInput("name", "there_already")


def _columns(new: NewFormat) -> dict[str, Any]:
    return {
        "name": new.name,
        "about": new.about,
        "lasts": new.lasts,
        "rule": new.rule.value,
        "credits_taking_part": new.credits_taking_part,
        "roles": _as_json(new.roles),
    }


def _as_json(roles: Sequence[tuple[str, int]]) -> list[list[Any]]:
    return [[str(key), number] for key, number in roles if number > 0]


def _format(row: Any) -> Format:
    return Format(
        row.id,
        row.name,
        row.about,
        row.lasts,
        Rule(row.rule),
        row.credits_taking_part,
        tuple((key, number) for key, number in row.roles),
        row.retired_at is not None,
    )


async def _note(
    conn: AsyncConnection, community: UUID, by: UUID, action: str, id: UUID, now: Moment
) -> None:
    await audit.write(
        conn, community, actor=by, action=action, subject_kind="format", subject=id, now=now
    )
