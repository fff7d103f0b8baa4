"""What we write after a gathering: thanks, what stands for everybody, and when that changes.

Each goes to those whom it concerns, or to who reads for them, in their language and in the
transaction of what it tells. Whoever was there hears it, also where no hours move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, Minutes
from timebank import outbox, readers, rooms
from timebank.communities import Community
from timebank.entry import Side
from timebank.gatherings import seats
from timebank.i18n import N_, format_day, format_minutes, format_moment, translations
from timebank.members import members
from timebank.moment import Moment
from timebank.outbox import Mail
from timebank.readers import Reader
from timebank.roles import role_name
from timebank.rooms import Room
from timebank.settling import PAYS, Line

Gettext = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _News:
    """What happened to the hours of a gathering, as everybody is told it."""

    place: Community
    room: Room
    coming: Room | None  # the next date
    now: Moment
    reason: str = ""

    def facts(self, language: str) -> dict[str, str]:
        day = Moment(self.room.starts_at).day_in(self.place.timezone)
        return {
            "title": self.room.title,
            "community": self.place.name,
            "day": format_day(day, language),
            "reason": self.reason,
        }


async def thank(
    conn: AsyncConnection, place: Community, room: Room, lines: Iterable[Line], *, now: Moment
) -> None:
    """Thank everybody who was there or did something for it, with what was written down for them.

    And two questions, for a minute, if they like. Guests with an address are thanked too.
    """
    present = await _present(conn, room)
    stands = _by_account(lines)
    coming = await rooms.next_after(conn, room, now)
    news = _News(place, room, coming, now)
    names, told = await _readers(conn, place, {*present, *stands})
    mails = [
        _thanks(news, reader, names[reader.reads_for], stands, present.get(reader.reads_for))
        for reader in told
    ]
    mails += [_thanks_to_guest(news, name, email) for name, email in await _guests(conn, room)]
    await outbox.put_many(conn, mails, now=now)


async def corrected(
    conn: AsyncConnection,
    place: Community,
    room: Room,
    old: Sequence[Line],
    new: Sequence[Line],
    reason: str,
    *,
    now: Moment,
) -> None:
    """Tell those for whom something else stands now, and why."""
    before, after = _by_account(old), _by_account(new)
    concerned = {id for id in {*before, *after} if _sum(before, id) != _sum(after, id)}
    await _tell_what_stands(conn, place, room, concerned, after, reason, _CORRECTED, now)


async def undone(
    conn: AsyncConnection,
    place: Community,
    room: Room,
    accounts: Iterable[UUID],
    stands: Sequence[Line],
    reason: str,
    *,
    now: Moment,
) -> None:
    """Tell everyone whose hours went back, why, and what stands for them now."""
    after = _by_account(stands)
    await _tell_what_stands(conn, place, room, set(accounts), after, reason, _UNDONE, now)


async def asked_to_agree(
    conn: AsyncConnection,
    place: Community,
    room: Room,
    organisation: UUID,
    minutes: Minutes,
    entry_id: UUID,
    *,
    by: UUID,
    now: Moment,
) -> None:
    """An organisation is asked for its word about what it is to sponsor: to who keeps its account.

    Not to `by`, who sent it.
    """
    names, told = await _readers(conn, place, {organisation})
    mails = []
    for reader in told:
        if reader.member_id == by:
            continue
        _ = translations(reader.language).gettext
        facts = {
            "name": reader.name,
            "house": names[organisation],
            "title": room.title,
            "minutes": format_minutes(minutes),
        }
        body = _(
            "Hello {name},\n\n{house} sponsors {title}, and {minutes} of its hours would go to "
            "those who made it possible. Please look at the table and say whether that is right:"
        )
        mails.append(
            Mail(
                reader.email,
                reader.name,
                _("{title}: does {house} agree to {minutes}?").format(**facts),
                body.format(**facts),
                f"/c/{place.slug}/entries/{entry_id}",
                place.id,
            )
        )
    await outbox.put_many(conn, mails, now=now)


_CORRECTED = (
    N_("The hours of {title} were corrected"),
    N_("The hours of {title} on {day} were corrected: {reason}"),
)
_UNDONE = (
    N_("The hours of {title} were taken back"),
    N_("The hours of {title} on {day} were taken back: {reason}"),
)


async def _tell_what_stands(
    conn: AsyncConnection,
    place: Community,
    room: Room,
    concerned: set[UUID],
    stands: Mapping[UUID, Sequence[Line]],
    reason: str,
    words: tuple[str, str],
    now: Moment,
) -> None:
    news = _News(place, room, None, now, reason)
    names, told = await _readers(conn, place, concerned)
    mails = []
    for reader in told:
        _ = translations(reader.language).gettext
        facts = news.facts(reader.language)
        paragraphs = [
            *_greeting(reader, names[reader.reads_for], _),
            _(words[1]).format(**facts),
            _what_stands(news, stands.get(reader.reads_for, ()), _)
            or _("Nothing stands for it any more."),
            _("Here is how the hours move:"),
        ]
        mails.append(
            Mail(
                reader.email,
                reader.name,
                _(words[0]).format(**facts),
                "\n\n".join(paragraphs),
                f"/c/{place.slug}/settlement/{room.id}",
                place.id,
            )
        )
    await outbox.put_many(conn, mails, now=now)


def _thanks(
    news: _News,
    reader: Reader,
    whose: str,
    stands: Mapping[UUID, Sequence[Line]],
    present: Minutes | None,
) -> Mail:
    _ = translations(reader.language).gettext
    facts = news.facts(reader.language)
    thanks = (
        _("Thank you for being at {title} on {day}.")
        if present
        else _("Thank you for what you did for {title} on {day}.")
    )
    paragraphs = [
        *_greeting(reader, whose, _),
        thanks.format(**facts),
        _what_stands(news, stands.get(reader.reads_for, ()), _) or _("No hours move for it."),
        _next_date(news, reader.language, _),
        _(
            "Two questions, if you like; they take a minute, and nobody has to answer them. "
            "What was useful? And what might you do?"
        ),
    ]
    return Mail(
        reader.email,
        reader.name,
        _("Thank you for {title}").format(**facts),
        "\n\n".join(part for part in paragraphs if part),
        f"/c/{news.place.slug}/afterwards/{news.room.id}",
        news.place.id,
    )


def _thanks_to_guest(news: _News, name: str, email: str) -> Mail:
    """To somebody who is no member: thanks and the next date, and no page that asks to sign in."""
    language = news.place.language
    _ = translations(language).gettext
    facts = news.facts(language)
    paragraphs = [
        _("Hello {name},").format(name=name),
        _("Thank you for being at {title} on {day}.").format(**facts),
        _next_date(news, language, _),
        _("If you would like to belong to {community}, tell whoever invited you.").format(**facts),
    ]
    subject = _("Thank you for {title}").format(**facts)
    body = "\n\n".join(part for part in paragraphs if part)
    return Mail(email, name, subject, body, "", news.place.id)


def _greeting(reader: Reader, whose: str, _: Gettext) -> list[str]:
    """Hello; and for whom one reads this, where that is somebody else."""
    hello = [_("Hello {name},").format(name=reader.name)]
    if reader.member_id == reader.reads_for:
        return hello
    return [*hello, _("You read this for {whose}.").format(whose=whose)]


def _what_stands(news: _News, lines: Sequence[Line], _: Gettext) -> str:
    """What was written down for somebody, role by role; "" for nothing."""
    done = [line for line in lines if line.role_key != PAYS]
    if done:
        names = {role.key: role.name for role in news.room.roles}
        written = [
            f"    {format_minutes(line.minutes)}  "
            f"{role_name(line.role_key, names.get(line.role_key, ''), _)}"
            for line in done
        ]
        total = format_minutes(sum((line.minutes for line in done), ZERO))
        head = _("This was written down as given, {minutes} in all:").format(minutes=total)
        return "\n".join([head, *written])
    given = sum((line.minutes for line in lines if line.side is Side.RECEIVED), ZERO)
    if not given:
        return ""
    said = _("{minutes} went from the account to those who made it possible.")
    return said.format(minutes=format_minutes(given))


def _next_date(news: _News, language: str, _: Gettext) -> str:
    if news.coming is None:
        return ""
    at = format_moment(news.coming.starts_at, language, news.place.timezone)
    facts = {"title": news.coming.title, "at": at, "where": news.coming.place}
    if news.coming.place:
        return _("Next time: {title}, {at}, {where}.").format(**facts)
    return _("Next time: {title}, {at}.").format(**facts)


async def _readers(
    conn: AsyncConnection, place: Community, ids: set[UUID]
) -> tuple[dict[UUID, str], list[Reader]]:
    """Who reads for these members, one mail a member each; and the members' names."""
    rows = await conn.execute(
        select(members.c.id, members.c.name).where(
            members.c.community_id == place.id, members.c.id.in_(ids)
        )
    )
    names = {row.id: row.name for row in rows}
    told = {
        (reader.email, reader.reads_for): reader
        for reader in await readers.of(conn, place.id, list(names))
    }
    return names, list(told.values())


async def _present(conn: AsyncConnection, room: Room) -> dict[UUID, Minutes]:
    """The members who were there, and how long."""
    rows = await conn.execute(
        select(seats.c.member_id, seats.c.present).where(
            seats.c.community_id == room.community_id,
            seats.c.gathering_id == room.id,
            seats.c.member_id.is_not(None),
            seats.c.present > ZERO,
        )
    )
    return {row.member_id: row.present for row in rows}


async def _guests(conn: AsyncConnection, room: Room) -> list[tuple[str, str]]:
    """Name and address of the guests who were there and left one."""
    rows = await conn.execute(
        select(seats.c.name, seats.c.email).where(
            seats.c.community_id == room.community_id,
            seats.c.gathering_id == room.id,
            seats.c.member_id.is_(None),
            seats.c.email != "",
            seats.c.present > ZERO,
        )
    )
    return [(row.name, row.email) for row in rows]


def _by_account(lines: Iterable[Line]) -> dict[UUID, list[Line]]:
    found: dict[UUID, list[Line]] = {}
    for line in lines:
        found.setdefault(line.account_id, []).append(line)
    return found


def _sum(lines: Mapping[UUID, Sequence[Line]], account: UUID) -> Minutes:
    signed = (
        line.minutes if line.side is Side.GAVE else -line.minutes for line in lines.get(account, ())
    )
    return sum(signed, ZERO)
