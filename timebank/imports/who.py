"""Whom a row means: members by the number another program gave them, by address, or by name.

Everybody is read once; so many members fit into memory as a community has. Whoever a file adds is
known to the rows after it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank.communities import Community
from timebank.imports.fields import plain
from timebank.imports.files import numbers
from timebank.members import MemberKind, Status, members
from timebank.people import people
from timebank.text import fold as folded

# What programs write where an account is the bank's own. The community's name means it too.
_COMMONS = frozenset(
    {
        "commons", "the commons", "community", "community account", "community fund",
        "community chest", "community pot", "bank", "time bank", "timebank", "banco de tiempo",
        "banc de temps", "banque de temps", "banca del tempo", "banco do tempo",
        "bolsa comun", "fondo comun", "comun", "el comun",
    }
)  # fmt: skip
COMMONS_NUMBER = "0"
"""How TimeOverflow numbers the account of the bank."""

# What TimeOverflow writes where it does not know any more who it was.
_NOBODY = frozenset({"inactive user", "deleted user"})


@dataclass(frozen=True, slots=True)
class Known:
    """A member as far as files name them."""

    id: UUID
    name: str
    kind: MemberKind
    status: Status
    email: str | None
    has_account: bool = True


fold = lru_cache(20_000)(folded)  # a file says the same names over and over


class Ambiguous(Exception):
    """Several members have this name."""


class Strange(Exception):
    """A number and a name that belong to two different members here."""

    def __init__(self, number: str, known: Known) -> None:
        super().__init__(number)
        self.number, self.known = number, known


@dataclass(slots=True)
class Who:
    """Everybody a file can mean."""

    community: Community
    all: dict[UUID, Known] = field(default_factory=dict)
    ids: set[UUID] = field(default_factory=set)  # of those too who are forgotten
    _by_number: dict[str, UUID] = field(default_factory=dict)
    _by_email: dict[str, UUID] = field(default_factory=dict)
    _by_name: dict[str, list[UUID]] = field(default_factory=dict)
    _numbers: dict[UUID, set[str]] = field(default_factory=dict)

    def add(self, known: Known, number: str = "") -> None:
        """Somebody more."""
        self.all[known.id] = known
        self.ids.add(known.id)
        self._by_name.setdefault(fold(known.name), []).append(known.id)
        if known.email:
            self._by_email[known.email] = known.id
        if number:
            self.learn(number, known.id)

    def learn(self, number: str, id: UUID) -> None:
        """What another program calls a member."""
        self._by_number[fold(number)] = id
        self._numbers.setdefault(id, set()).add(fold(number))

    def numbers_of(self, id: UUID) -> set[str]:
        """What other programs call a member."""
        return self._numbers.get(id, set())

    def by_number(self, number: str) -> Known | None:
        """The member another program gave this number."""
        id = self._by_number.get(fold(number)) if number else None
        return self.all[id] if id is not None else None

    def by_email(self, email: str) -> Known | None:
        """The member with this address, as `people.normalise` spells it."""
        id = self._by_email.get(email) if email else None
        return self.all[id] if id is not None else None

    def by_name(self, name: str, kind: MemberKind | None = None) -> list[Known]:
        """The members with this name, those who have not left before the others."""
        found = [self.all[id] for id in self._by_name.get(fold(name), ())]
        if kind is not None:
            found = [known for known in found if known.kind is kind]
        here = [known for known in found if known.status is not Status.LEFT]
        return here or found

    def named(self, text: str) -> Known | None:
        """Whoever a cell means: a name, a number, an address, or "Ana Lima (17)".

        Raises `Ambiguous` when several have that name.
        """
        if not text:
            return None
        found = self.by_name(text)
        if len(found) > 1:
            raise Ambiguous
        if found:
            return found[0]
        name, bracket, rest = text.rpartition("(")
        inside = self.by_number(rest.rstrip(") ")) if bracket and rest.endswith(")") else None
        if inside is not None and fold(inside.name) == fold(name):
            return inside
        return self.by_number(text) or self.by_email(fold(text))

    def meant(self, text: str, number: str) -> Known | None:
        """Whoever a name and a number mean together; the number is surer.

        Raises `Strange` when the number belongs to somebody of another name, and `Ambiguous`.
        """
        numbered = self.by_number(number)
        if numbered is None:
            return self.named(text)
        named = fold(text.partition(" (")[0])
        if text and named not in (fold(numbered.name), fold(number), ""):
            raise Strange(number, numbered)
        return numbered

    def is_commons(self, text: str, number: str = "") -> bool:
        """Whether the account of the community is meant."""
        if number == COMMONS_NUMBER and self.by_number(number) is None:
            return True
        if self.by_name(text):
            return False
        return plain(text) in _COMMONS or fold(text) == fold(self.community.name)

    def fresh_id(self, kind: str, name: str, number: str = "", email: str = "") -> UUID:
        """An id for somebody new: the same for the same words, unless it is taken."""
        told = "\n".join((kind, fold(name), fold(number), email))
        for time in range(1000):
            id = uuid5(self.community.id, f"{told}\n{time}" if time else told)
            if id not in self.ids:
                return id
        raise AssertionError("nobody was forgotten a thousand times")


def is_nobody(text: str) -> bool:
    """Whether a program wrote that it does not know any more who it was."""
    return plain(text) in _NOBODY


async def everybody(conn: AsyncConnection, community: Community) -> Who:
    """Everybody of a community that files can mean; who is forgotten cannot be meant."""
    who = Who(community)
    for row in await conn.execute(_members(community.id)):
        if row.erased_at is not None:
            who.ids.add(row.id)
            continue
        status = Status(row.status)
        who.add(
            Known(
                row.id,
                row.name,
                MemberKind(row.kind),
                status,
                row.email,
                status is not Status.APPLIED,
            )
        )
    kept = await conn.execute(
        select(numbers.c.number, numbers.c.member_id).where(numbers.c.community_id == community.id)
    )
    for row in kept:
        if row.member_id in who.all:
            who.learn(row.number, row.member_id)
    return who


def _members(community: UUID) -> Any:
    return (
        select(
            members.c.id,
            members.c.name,
            members.c.kind,
            members.c.status,
            members.c.erased_at,
            people.c.email,
        )
        .outerjoin(people, people.c.id == members.c.person_id)
        .where(members.c.community_id == community)
        .order_by(members.c.name_key, members.c.id)
    )
