"""Roles: what people do so that a gathering happens, with the minutes a community agreed for each.

Real time is credited one to one. The agreed minutes are a beginning that everyone may correct
afterwards, never a multiplier: `before` and `after` are preparation and clearing up outside of the
gathering, and `during` says whether the role takes the time of the gathering itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ledger import ZERO, Minutes
from timebank.entry import Kind


class BuiltIn(StrEnum):
    """The roles every community begins with; their names are translated, others are as written."""

    TAKE_PART = "take_part"
    INVITE = "invite"
    HOST = "host"
    TEA = "tea"
    FACILITATE = "facilitate"
    NOTES = "notes"
    INTERPRET = "interpret"
    CHILDCARE = "childcare"
    FOLLOW_UP = "follow_up"


@dataclass(frozen=True, slots=True)
class AgreedRole:
    """One role of the agreement.

    `key` names it for good: one of `BuiltIn`, or one made when the community added it. `name` is
    empty for a built-in role that goes by its usual name. `kind` is what its minutes count as.
    """

    key: str
    kind: Kind
    before: Minutes = ZERO
    during: bool = False
    after: Minutes = ZERO
    name: str = ""


FIRST_ROLES: tuple[AgreedRole, ...] = (
    AgreedRole(BuiltIn.TAKE_PART, Kind.ACTIVITY, during=True),
    AgreedRole(BuiltIn.INVITE, Kind.HOSPITALITY, before=Minutes(30)),
    AgreedRole(BuiltIn.HOST, Kind.HOSPITALITY, Minutes(30), True, Minutes(30)),
    AgreedRole(BuiltIn.TEA, Kind.HOSPITALITY, Minutes(45), False, Minutes(30)),
    AgreedRole(BuiltIn.FACILITATE, Kind.FACILITATION, Minutes(60), True),
    AgreedRole(BuiltIn.NOTES, Kind.FACILITATION, after=Minutes(60)),
    AgreedRole(BuiltIn.INTERPRET, Kind.FACILITATION, during=True),
    AgreedRole(BuiltIn.CHILDCARE, Kind.HELP, during=True),
    AgreedRole(BuiltIn.FOLLOW_UP, Kind.FACILITATION, after=Minutes(30)),
)
"""What a community agrees on until it says otherwise."""


def label(key: str, name: str, _: Callable[[str], str]) -> str:
    """What a role is called: as the community named it, else as it usually is."""
    usual = {
        BuiltIn.TAKE_PART: _("Take part"),
        BuiltIn.INVITE: _("Invite"),
        BuiltIn.HOST: _("Host"),
        BuiltIn.TEA: _("Tea and cake"),
        BuiltIn.FACILITATE: _("Facilitate"),
        BuiltIn.NOTES: _("Take notes"),
        BuiltIn.INTERPRET: _("Interpret"),
        BuiltIn.CHILDCARE: _("Childcare"),
        BuiltIn.FOLLOW_UP: _("Follow up"),
    }
    return name or (usual[BuiltIn(key)] if key in list(BuiltIn) else key)


def role_name(key: str, name: str, _: Callable[[str], str]) -> str:
    """A role as something people did, within a sentence: "tea and cake", "taking notes"."""
    if name or key not in list(BuiltIn):
        return name or key
    return {
        BuiltIn.TAKE_PART: _("taking part"),
        BuiltIn.INVITE: _("inviting"),
        BuiltIn.HOST: _("hosting"),
        BuiltIn.TEA: _("tea and cake"),
        BuiltIn.FACILITATE: _("facilitating"),
        BuiltIn.NOTES: _("taking notes"),
        BuiltIn.INTERPRET: _("interpreting"),
        BuiltIn.CHILDCARE: _("childcare"),
        BuiltIn.FOLLOW_UP: _("following up"),
    }[BuiltIn(key)]


def as_json(roles: Iterable[AgreedRole]) -> list[dict[str, Any]]:
    """The roles as they are kept; `from_json` reads them again."""
    return [
        {
            "key": role.key,
            "kind": role.kind.value,
            "before": role.before.count,
            "during": role.during,
            "after": role.after.count,
            "name": role.name,
        }
        for role in roles
    ]


def from_json(kept: Iterable[Mapping[str, Any]]) -> tuple[AgreedRole, ...]:
    """The roles as a version of the agreement keeps them; `FIRST_ROLES` where it names none."""
    roles = tuple(
        AgreedRole(
            role["key"],
            Kind(role["kind"]),
            Minutes(role["before"]),
            role["during"],
            Minutes(role["after"]),
            role["name"],
        )
        for role in kept
    )
    return roles or FIRST_ROLES
