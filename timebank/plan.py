"""What somebody plans: what a gathering is to be like, and when.

A series keeps such a plan for the dates it has not made yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from ledger import Minutes
from timebank.errors import BadInput
from timebank.gathering import Gathering
from timebank.gatherings import Openness, Rule
from timebank.recurrence import local, moment
from timebank.roles import BuiltIn

LONGEST = Minutes(7 * 24 * 60)
FURTHEST_AHEAD = timedelta(days=731)
FURTHEST_BACK = timedelta(days=62)
"""What was not planned may be written down afterwards, so that its hours can be settled."""
MOST_OF_A_ROLE = 20
MOST_HOSTS = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """What a gathering is to be like.

    `roles` are the keys of the agreement's roles and how many people each needs. Taking part is not
    among them: everyone who comes does. Only a sponsored gathering has a payer; without one it is
    the commons.
    """

    title: str
    purpose: str = ""
    place: str = ""
    access: str = ""
    link: str = ""
    area: str = ""
    bring: str = ""
    capacity: int | None = None
    openness: Openness = Openness.MEMBERS
    rule: Rule = Rule.SPONSORED
    credits_taking_part: bool = True
    payer_id: UUID | None = None
    format_id: UUID | None = None
    hosts: tuple[UUID, ...] = ()
    roles: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class When:
    """A day and a time on the community's clocks, and how long it lasts from there."""

    day: date
    at: time
    lasts: Minutes

    def starts_at(self, timezone: str) -> datetime:
        """The moment (UTC) it begins."""
        return moment(self.day, self.at, timezone)

    def ends_at(self, timezone: str) -> datetime:
        """The moment (UTC) it ends."""
        return self.starts_at(timezone) + timedelta(minutes=self.lasts.count)


def of(gathering: Gathering) -> Plan:
    """The plan behind a gathering, to change it or to do the same again."""
    chosen = gathering.rule is Rule.SPONSORED and gathering.payer_id != gathering.community_id
    return Plan(
        title=gathering.title,
        purpose=gathering.purpose,
        place=gathering.place,
        access=gathering.access,
        link=gathering.link,
        area=gathering.area,
        bring=gathering.bring,
        capacity=gathering.capacity,
        openness=gathering.openness,
        rule=gathering.rule,
        credits_taking_part=gathering.credits_taking_part,
        payer_id=gathering.payer_id if chosen else None,
        format_id=gathering.format_id,
        hosts=tuple(host.id for host in gathering.hosts),
        roles=tuple((role.key, role.wanted) for role in gathering.roles if role.wanted),
    )


def when_of(gathering: Gathering, timezone: str) -> When:
    """When a gathering is, on the community's clocks."""
    day, at = local(gathering.starts_at, timezone)
    return When(day, at, gathering.lasts)


def changed(old: Plan, new: Plan) -> dict[str, Any]:
    """What is different: the names of the fields, with their new values."""
    return {
        field.name: getattr(new, field.name)
        for field in fields(Plan)
        if getattr(old, field.name) != getattr(new, field.name)
    }


def refuse_nonsense(plan: Plan, when: When, now: datetime, timezone: str) -> None:
    """Raise `BadInput` for what cannot be meant: no title, no time, a place nobody can find."""
    starts_at = when.starts_at(timezone)
    nonsense = (
        ("title", "missing", not plan.title),
        ("place", "nowhere", not plan.place and not plan.link),
        ("link", "not_a_link", bool(plan.link) and not is_link(plan.link)),
        ("capacity", "too_small", plan.capacity is not None and plan.capacity < 1),
        ("lasts", "too_short", when.lasts < Minutes(5)),
        ("lasts", "too_long_for_one", when.lasts > LONGEST),
        ("day", "too_far_ahead", starts_at > now + FURTHEST_AHEAD),
        ("day", "too_long_ago", starts_at < now - FURTHEST_BACK),
        ("hosts", "too_many_hosts", len(plan.hosts) > MOST_HOSTS),
        ("roles", "too_many_of_a_role", any(n > MOST_OF_A_ROLE for _, n in plan.roles)),
    )
    limits = {"too_many_hosts": MOST_HOSTS, "too_many_of_a_role": MOST_OF_A_ROLE, "too_small": 1}
    for field, reason, found in nonsense:
        if found:
            raise BadInput(field, reason, limits.get(reason))


def is_link(text: str) -> bool:
    """Whether a text leads to a page on the web, and to nothing else."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in text


def tidy(plan: Plan) -> Plan:
    """The plan with what follows by itself: whose hours, no role twice, none that nobody needs."""
    payer = plan.payer_id if plan.rule is Rule.SPONSORED else None
    roles = {key: n for key, n in plan.roles if n > 0 and key != BuiltIn.TAKE_PART}
    hosts = tuple(dict.fromkeys(plan.hosts))
    return replace(plan, payer_id=payer, roles=tuple(roles.items()), hosts=hosts)


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan as a series keeps it; `from_json` reads it again."""
    return {
        name: [str(id) for id in value] if name == "hosts" else _plain(value)
        for name, value in asdict(plan).items()
    }


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, (UUID, Openness, Rule)) else value


def from_json(kept: Mapping[str, Any]) -> Plan:
    """The plan that a series keeps."""
    found = dict(kept)
    return Plan(
        **found
        | {
            "openness": Openness(found["openness"]),
            "rule": Rule(found["rule"]),
            "payer_id": UUID(found["payer_id"]) if found["payer_id"] else None,
            "format_id": UUID(found["format_id"]) if found["format_id"] else None,
            "hosts": tuple(UUID(id) for id in found["hosts"]),
            "roles": tuple((key, wanted) for key, wanted in found["roles"]),
        }
    )
