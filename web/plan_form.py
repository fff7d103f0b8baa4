"""The form on which people plan: short on a phone, because a format or last time fills most in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from uuid import UUID

from ledger import Minutes
from timebank import plan as plans
from timebank.agreements import Terms
from timebank.formats import Format
from timebank.gathering import Gathering
from timebank.gatherings import Openness, Rule
from timebank.members import Member
from timebank.plan import MOST_HOSTS, Plan, When
from timebank.recurrence import Every, write_clock
from timebank.roles import AgreedRole, BuiltIn
from timebank.series import Series
from web.forms import Form

HOST_ROWS = 2
"""As many organisations as one is asked for at first; one more than there are."""
EVENING = time(18)


@dataclass(frozen=True, slots=True)
class Planned:
    """What the form says: the plan, when, and how it comes again."""

    plan: Plan
    when: When
    every: Every | None
    last_on: date | None


def blank(format: Format | None, terms: Terms, today: date) -> dict[str, str]:
    """The fields as a format fills them in; without one, as most gatherings are."""
    if format is None:
        plan = Plan("", credits_taking_part=terms.credits_taking_part)
        lasts = Minutes(120)
    else:
        plan = Plan(
            format.name,
            rule=format.rule,
            credits_taking_part=format.credits_taking_part and terms.credits_taking_part,
            format_id=format.id,
            roles=format.roles,
        )
        lasts = format.lasts
    return fields(plan, When(today + timedelta(days=7), EVENING, lasts)) | {"day": "", "at": ""}


def again(found: Gathering, timezone: str, today: date) -> dict[str, str]:
    """The fields as last time: the same weekday at the same time, the next week that is to come."""
    when = plans.when_of(found, timezone)
    weeks = 1 if when.day > today else (today - when.day).days // 7 + 1
    day = when.day + timedelta(weeks=weeks)
    return fields(plans.of(found), replace(when, day=day))


def of(found: Gathering, timezone: str, series: Series | None) -> dict[str, str]:
    """The fields as they are kept, to change them."""
    kept = fields(plans.of(found), plans.when_of(found, timezone))
    if series is not None:
        kept |= {
            "every": series.rule.every or "",
            "last_on": series.last_on.isoformat() if series.last_on else "",
            "scope": "one",
        }
    return kept


def fields(plan: Plan, when: When) -> dict[str, str]:
    """A plan as the fields of the form."""
    flags = {"credits_taking_part": "1"} if plan.credits_taking_part else {}
    return {
        "format": str(plan.format_id or ""),
        "title": plan.title,
        "purpose": plan.purpose,
        "day": when.day.isoformat(),
        "at": write_clock(when.at),
        "lasts": str(when.lasts),
        "place": plan.place,
        "access": plan.access,
        "link": plan.link,
        "area": plan.area,
        "bring": plan.bring,
        "capacity": "" if plan.capacity is None else str(plan.capacity),
        "openness": plan.openness.value,
        "rule": plan.rule.value,
        "payer": str(plan.payer_id or ""),
        **{f"host-{place}": str(host) for place, host in enumerate(plan.hosts)},
        **{f"role-{key}": str(number) for key, number in plan.roles},
        **flags,
    }


def read(form: Form, terms: Terms) -> Planned | None:
    """What was sent; None where something in it is not right, and then the form says what."""
    title = form.text("title", limit=120)
    day, at, lasts = form.day("day"), form.clock("at"), form.minutes("lasts")
    openness = form.choice("openness", Openness) or Openness.MEMBERS
    rule = form.choice("rule", Rule) or Rule.SPONSORED
    place, link = _where(form)
    plan = Plan(
        title=title,
        purpose=form.text("purpose", required=False, limit=300),
        place=place,
        access=form.text("access", required=False, limit=500, lines=True),
        link=link,
        area=form.text("area", required=False, limit=100),
        bring=form.text("bring", required=False, limit=300),
        capacity=form.number("capacity", 1, 10_000, required=False),
        openness=openness,
        rule=rule,
        credits_taking_part=form.flag("credits_taking_part"),
        payer_id=form.id("payer", required=False),
        format_id=form.id("format", required=False),
        hosts=_hosts(form),
        roles=tuple(
            (role.key, number)
            for role in wanted_roles(terms)
            if (number := form.number(f"role-{role.key}", 0, 20, required=False))
        ),
    )
    every = form.choice("every", Every, required=False)
    last_on = form.day("last_on", required=False)
    if not form.ok or day is None or at is None or lasts is None:
        return None
    return Planned(plan, When(day, at, lasts), every, last_on)


def _where(form: Form) -> tuple[str, str]:
    """The place, and the link: also where somebody wrote the link as the place."""
    place = form.text("place", required=False, limit=500)
    link = form.text("link", required=False, limit=500)
    if not link and plans.is_link(place):
        return "", place
    if link and ":" not in link:
        link = f"https://{link}"  # which nobody types
    return place, link


def _hosts(form: Form) -> tuple[UUID, ...]:
    chosen = (form.id(f"host-{place}", required=False) for place in range(MOST_HOSTS))
    return tuple(id for id in chosen if id is not None)


def wanted_roles(terms: Terms) -> list[AgreedRole]:
    """The roles one plans; everyone takes part, so nobody is asked how many."""
    return [role for role in terms.roles if role.key != BuiltIn.TAKE_PART]


def host_fields(form: Form) -> list[str]:
    """The fields for organisations that host it: those filled in, and one more."""
    filled = sum(bool(form.raw(f"host-{place}")) for place in range(MOST_HOSTS))
    return [f"host-{place}" for place in range(min(MOST_HOSTS, max(HOST_ROWS, filled + 1)))]


def more_is_open(form: Form) -> bool:
    """Whether a mistake stands in the part that is folded."""
    plain = {"title", "purpose", "day", "at", "lasts", "place", "every", "last_on", "scope", ""}
    return bool(set(form.mistakes) - plain)


def house_options(houses: Sequence[Member], nobody: str) -> list[tuple[str, str]]:
    """Organisations to choose from; `nobody` is what choosing none is called."""
    return [("", nobody), *((str(house.id), house.name) for house in houses)]
