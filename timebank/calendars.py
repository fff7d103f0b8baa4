"""Gatherings as calendar files: one, a whole series, or a feed that follows.

Times stand on the community's clocks, with the rules of its time zone beside them, so that 18:00
stays 18:00 in every calendar. An event keeps its UID for good; SEQUENCE grows with each change, and
what was called off is CANCELLED.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from icalendar import STATUS, Calendar, Event, vRecur

from timebank.communities import Community
from timebank.gathering import Gathering, Seat
from timebank.gatherings import Answer, State
from timebank.i18n import translations
from timebank.recurrence import moment
from timebank.roles import label
from timebank.series import Series

MEDIA_TYPE = "text/calendar; charset=utf-8"
_PRODUCT = "-//timebank//gatherings//EN"
_REFRESH = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Appointment:
    """A gathering as a calendar shows it. Moments are UTC; `notes` are lines of text.

    `changed_at` and `revision` say when and how often it was changed.
    """

    id: UUID
    title: str
    starts_at: datetime
    ends_at: datetime
    place: str
    notes: tuple[str, ...]
    address: str
    called_off: bool
    tentative: bool
    revision: int
    changed_at: datetime
    occurs_on: date | None = None


def appointment(
    found: Gathering, *, language: str, address: str, seat: Seat | None = None
) -> Appointment:
    """One gathering. Where it meets online, and what one does, stands there for who has a seat.

    `address` is its page.
    """
    _ = translations(language).gettext
    comes = seat is not None and seat.answer in (Answer.YES, Answer.MAYBE)
    keys = {one.role_key for one in found.duties_of(seat.id) if one.carried} if seat else set()
    roles = [label(one.key, one.name, _) for one in found.roles if one.key in keys]
    notes = [
        found.purpose,
        _("How to get there: {access}").format(access=found.access) if found.access else "",
        _("Please bring: {bring}").format(bring=found.bring) if found.bring else "",
        _("What you do: {roles}. Thank you!").format(roles=", ".join(roles)) if roles else "",
        found.link if comes else "",
        found.parting,
    ]
    return Appointment(
        found.id,
        found.title,
        found.starts_at,
        found.ends_at,
        found.place or (_("online") if found.link else ""),
        tuple(line for line in notes if line),
        address,
        found.state is State.CANCELLED,
        seat is not None and (seat.waiting or seat.answer is not Answer.YES),
        found.revision,
        found.touched_at,
        found.occurs_on,
    )


def one(here: Community, event: Appointment) -> bytes:
    """A file with one gathering."""
    return _written(here, event.title, [_event(here, event)])


def feed(here: Community, name: str, events: Iterable[Appointment]) -> bytes:
    """What a calendar reads again and again: each gathering an event of its own."""
    return _written(here, name, [_event(here, event) for event in events])


def series(here: Community, whole: Series, dates: Sequence[Appointment]) -> bytes:
    """A file with a series: the rule, and what is different on some of its dates.

    `dates` are those that were made from now on, in their order; with none of them, an empty file.
    A date that was moved, or is another way than planned, is said apart; one called off is left
    out. The rule goes on without an end, if it has none.
    """
    there = {event.occurs_on: event for event in dates if event.occurs_on is not None}
    if not there:
        return _written(here, whole.plan.title, [])
    first, last = min(there), max(there)
    master = _master(here, whole, there[first], first, None if _goes_on(whole) else last)
    left_out = [
        _local(moment(day, whole.when.at, here.timezone), here)
        for day, event in there.items()
        if event.called_off
    ]
    left_out += [
        _local(moment(day, whole.when.at, here.timezone), here)
        for day in whole.rule.days(first, last)
        if day not in there
    ]
    if left_out:
        master.add("exdate", sorted(left_out))
    others = []
    for day, event in there.items():
        planned = moment(day, whole.when.at, here.timezone)
        if not event.called_off and _is_other(whole, event, planned):
            other = _event(here, event, uid=whole.id)
            other.RECURRENCE_ID = _local(planned, here)
            others.append(other)
    return _written(here, whole.plan.title, [master, *others])


def _goes_on(whole: Series) -> bool:
    return whole.ended_at is None and whole.last_on is None


def _master(
    here: Community, whole: Series, like: Appointment, first: date, last: date | None
) -> Event:
    """The event that comes again, as the series plans it."""
    begin = moment(first, whole.when.at, here.timezone)
    plain = Appointment(
        whole.id,
        whole.plan.title,
        begin,
        begin + timedelta(minutes=whole.when.lasts.count),
        whole.plan.place or like.place,
        tuple(line for line in (whole.plan.purpose,) if line),
        like.address,
        False,
        False,
        like.revision,
        like.changed_at,
    )
    event = _event(here, plain)
    rule = vRecur.from_ical(str(whole.rule))
    until = whole.last_on or last
    if until is not None:
        rule["UNTIL"] = moment(until, time(23, 59), here.timezone)
    event.add("rrule", rule)
    return event


def _is_other(whole: Series, event: Appointment, planned: datetime) -> bool:
    """Whether a date is not as the series plans it."""
    lasts = timedelta(minutes=whole.when.lasts.count)
    return (
        event.starts_at != planned
        or event.ends_at != event.starts_at + lasts
        or event.title != whole.plan.title
        or (bool(whole.plan.place) and event.place != whole.plan.place)
    )


def _event(here: Community, event: Appointment, uid: UUID | None = None) -> Event:
    return Event.new(
        uid=str(uid or event.id),
        summary=event.title,
        start=_local(event.starts_at, here),
        end=_local(event.ends_at, here),
        stamp=event.changed_at,
        last_modified=event.changed_at,
        sequence=event.revision,
        status=_status(event),
        location=event.place or None,
        description="\n".join(event.notes) or None,
        url=event.address,
    )


def _status(event: Appointment) -> STATUS:
    if event.called_off:
        return STATUS.CANCELLED
    return STATUS.TENTATIVE if event.tentative else STATUS.CONFIRMED


def _local(at: datetime, here: Community) -> datetime:
    return at.astimezone(ZoneInfo(here.timezone))


def _written(here: Community, name: str, events: Sequence[Event]) -> bytes:
    calendar = Calendar.new(
        prodid=_PRODUCT, name=name, method="PUBLISH", refresh_interval=_REFRESH, uid=str(here.id)
    )
    for event in events:
        calendar.add_component(event)
    years = [event.start.year for event in events]
    if years:
        calendar.add_missing_timezones(date(min(years) - 1, 1, 1), date(max(years) + 6, 1, 1))
    return bytes(calendar.to_ical())
