"""What we write to people: each mail's sentences, in the language of the one who reads it.

Every function puts its mails into the outbox, in the transaction of what they tell. Members without
e-mail get none; where a buddy or an account manager may answer for them, the buddy is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import communities, outbox, readers
from timebank.entry import Entry, StepKind
from timebank.i18n import N_, format_day, format_minutes, translations
from timebank.members import Member
from timebank.moment import Moment
from timebank.outbox import Mail
from timebank.people import Person
from timebank.readers import Reader

_MOST_NAMES = 8  # in one sentence of a mail


@dataclass(frozen=True, slots=True)
class EntryNews:
    """One step of one entry, to be told to everyone concerned but the one who took it."""

    entry: Entry
    kind: StepKind
    by: UUID | None
    by_name: str | None
    words: str = ""
    override: bool = False


async def entry_steps(
    conn: AsyncConnection, community: UUID, news: Sequence[EntryNews], *, now: Moment
) -> None:
    """Tell what happened to entries: constant in statements, whatever their number."""
    if not news:
        return
    here = await communities.by_id(conn, community)
    concerned = {id for one in news for id in _concerned(one)}
    told = await readers.of(conn, community, concerned)
    mails = [
        _entry_mail(here, one, reader)
        for one in news
        for reader in readers.distinct(told, _concerned(one))
        if reader.member_id != one.by
    ]
    await outbox.put_many(conn, mails, now=now)


async def welcomed(conn: AsyncConnection, community: UUID, member: Member, *, now: Moment) -> None:
    """You belong to us now."""
    await readers.tell(
        conn,
        community,
        [member.id],
        N_("Welcome to {community}"),
        N_("Good to have you with us. You can record hours from today on."),
        path="/",
        now=now,
    )


async def application_refused(
    conn: AsyncConnection, community: UUID, member: Member, reason: str, *, now: Moment
) -> None:
    """We cannot welcome you now, and why."""
    await readers.tell(
        conn,
        community,
        [member.id],
        N_("Your application to {community}"),
        N_("Thank you for asking to join. We cannot welcome you at the moment.\n\n{words}"),
        words=reason,
        now=now,
    )


async def applied(conn: AsyncConnection, community: UUID, name: str, *, now: Moment) -> None:
    """Somebody would like to join: to the coordinators."""
    await readers.tell(
        conn,
        community,
        await readers.coordinators(conn, community),
        N_("{name} would like to join {community}"),
        N_("{name} has asked to join. You can welcome them in your inbox."),
        name=name,
        path="/inbox",
        now=now,
    )


async def application_received(
    conn: AsyncConnection, person: Person, community: UUID, token: str, *, now: Moment
) -> None:
    """We have your application; and a link with which you can sign in and follow it."""
    await _to_person(
        conn,
        person,
        community,
        N_("Your application to {community}"),
        N_(
            "Thank you for asking to join. A coordinator will be in touch.\n\n"
            "With this link you can sign in; it works once, within 30 minutes:"
        ),
        path=f"/sign-in/link/{token}",
        now=now,
    )


async def known_already(
    conn: AsyncConnection, person: Person, community: UUID, *, now: Moment
) -> None:
    """You asked to join, and we know you already."""
    await _to_person(
        conn,
        person,
        community,
        N_("Your application to {community}"),
        N_(
            "Somebody asked to join with your address, and you are known to this community "
            "already. If it was you, simply sign in:"
        ),
        path="/sign-in",
        now=now,
    )


async def anchored(
    conn: AsyncConnection,
    here: communities.Community,
    *,
    whole: str,
    on_paper: str,
    ids: Iterable[UUID],
    now: Moment,
) -> int:
    """Where the books stand, to the coordinators, under these ids; to how many of them.

    `whole` is the anchor with all its digits, `on_paper` the short form.
    """
    wanted = await readers.coordinators(conn, here.id)
    told = readers.distinct(await readers.of(conn, here.id, wanted), set(wanted))
    mails = [
        _anchor_mail(here, reader, whole, on_paper, id, now)
        for reader, id in zip(told, ids, strict=False)
    ]
    await outbox.put_many(conn, mails, now=now)
    return len(mails)


def _anchor_mail(
    here: communities.Community, reader: Reader, whole: str, on_paper: str, id: UUID, now: Moment
) -> Mail:
    _ = translations(reader.language).gettext
    facts = {
        "name": reader.name,
        "community": here.name,
        "day": format_day(now.day_in(here.timezone), reader.language),
        "seal": on_paper,
        "command": f"timebank verify --community {here.slug} --anchor {whole}",
    }
    body = _(
        "Hello {name},\n\n"
        "this is the seal of our books on {day}. It stands for every line written so far:\n\n"
        "    {seal}\n\n"
        "Please keep it: leave this mail where it is, or print it and put it into a folder. There "
        "is nothing else to do. As long as somebody outside of the computer has a seal, nobody can "
        "change, remove or rewrite anything before it without being found out, not even whoever "
        "runs the computer. That is why all of you get one, once a month.\n\n"
        "If there is ever a doubt, whoever runs this installation can hold the books against it:"
        "\n\n    {command}\n\n"
        "The page of our books shows the latest seal:"
    )
    subject = _("{community}: the seal of our books")
    return Mail(
        reader.email,
        reader.name,
        subject.format(**facts),
        body.format(**facts),
        f"/c/{here.slug}/books",
        here.id,
        id,
    )


async def invitation(
    conn: AsyncConnection,
    community: UUID,
    *,
    name: str,
    email: str,
    inviter: str,
    token: str,
    now: Moment,
) -> None:
    """Somebody invites you, in the community's language."""
    here = await communities.by_id(conn, community)
    _ = translations(here.language).gettext
    facts = {"name": name, "inviter": inviter, "community": here.name}
    body = _(
        "Hello {name},\n\n{inviter} invites you to {community}, where neighbours give each other "
        "time and everybody's hour is worth the same.\n\n"
        "This link is yours alone. It works once, within 30 days:"
    )
    mail = Mail(
        email,
        name,
        _("{inviter} invites you to {community}").format(**facts),
        body.format(**facts),
        f"/invitation/{token}",
        community,
    )
    await outbox.put_many(conn, [mail], now=now)


async def sign_in_link(conn: AsyncConnection, person: Person, token: str, *, now: Moment) -> None:
    """The link that signs in."""
    await _to_person(
        conn,
        person,
        None,
        N_("Your link to sign in"),
        N_(
            "With this link you sign in without a password. It works once, within 30 minutes. "
            "If you did not ask for it, you can leave it alone."
        ),
        path=f"/sign-in/link/{token}",
        now=now,
    )


async def reset_link(conn: AsyncConnection, person: Person, token: str, *, now: Moment) -> None:
    """The link that sets a new password."""
    await _to_person(
        conn,
        person,
        None,
        N_("Choose a new password"),
        N_(
            "With this link you choose a new password. It works once, within an hour. "
            "If you did not ask for it, you can leave it alone: your password stays as it is."
        ),
        path=f"/password/{token}",
        now=now,
    )


async def password_changed(conn: AsyncConnection, person: Person, *, now: Moment) -> None:
    """Your password was changed: to the one who has to know if it was not them."""
    await _to_person(
        conn,
        person,
        None,
        N_("Your password was changed"),
        N_(
            "Your password has just been changed, and every device was signed out. "
            "If that was not you, choose a new password at once:"
        ),
        path="/password/forgotten",
        now=now,
    )


_SUBJECTS = {
    StepKind.RECORDED: N_("{by} recorded {minutes}: {what}"),
    StepKind.CHANGED: N_("{by} changed an entry: {what}"),
    StepKind.CONFIRMED: N_("{by} confirmed {minutes}: {what}"),
    StepKind.DISPUTED: N_("{by} disagrees about {minutes}: {what}"),
    StepKind.ANSWERED: N_("{by} answered: {what}"),
    StepKind.RETURNED: N_("{by} has a question: {what}"),
    StepKind.WITHDRAWN: N_("{by} withdrew an entry: {what}"),
    StepKind.APPROVED: N_("Approved, {minutes}: {what}"),
    StepKind.POSTED: N_("Recorded for good, {minutes}: {what}"),
    StepKind.DECLINED: N_("Declined: {what}"),
    StepKind.KEPT: N_("It stays as it is: {what}"),
    StepKind.REVERSED: N_("Undone, {minutes}: {what}"),
}


def _entry_mail(here: communities.Community, one: EntryNews, reader: Reader) -> Mail:
    _ = translations(reader.language).gettext
    entry = one.entry
    facts = {
        "by": one.by_name or _("The agreement"),
        "minutes": format_minutes(entry.minutes),
        "what": entry.note or entry.category or here.name,
        "givers": _names(entry.givers),
        "receivers": _names(entry.receivers),
        "day": format_day(entry.occurred_on, reader.language),
    }
    paragraphs = [
        _("Hello {name},").format(name=reader.name),
        _(_SUBJECTS[one.kind]).format(**facts),
        _("{givers} gave {receivers} {minutes} on {day}.").format(**facts),
    ]
    if one.words:
        paragraphs.append(_("In their words: {words}").format(words=one.words))
    if one.override:
        paragraphs.append(_("A hard floor was passed for it, for the reason given."))
    if one.kind is StepKind.RECORDED:
        paragraphs.append(_("If that is not right, say so on its page:"))
    else:
        paragraphs.append(_("Here is its page:"))
    return Mail(
        reader.email,
        reader.name,
        _(_SUBJECTS[one.kind]).format(**facts),
        "\n\n".join(paragraphs),
        f"/c/{here.slug}/entries/{entry.id}",
        here.id,
    )


def _names(parts: Sequence[Any]) -> str:
    """Names for a sentence; of a whole gathering, the first of them."""
    names = [part.name for part in parts]
    shown = names if len(names) <= _MOST_NAMES else [*names[:_MOST_NAMES], "…"]
    return ", ".join(shown)


def _concerned(one: EntryNews) -> set[UUID]:
    """Everyone in the entry, and those who recorded it or had it recorded.

    As long as the hours of a gathering wait, that is who sent them and who has to agree; the others
    hear of them once they stand.
    """
    entry = one.entry
    others = {entry.recorded_by, entry.on_behalf_of or entry.recorded_by}
    waits = entry.gathering_id is not None and entry.posted_at is None
    return {part.account_id for part in entry.parts if part.must_agree or not waits} | others


async def _to_person(
    conn: AsyncConnection,
    person: Person,
    community: UUID | None,
    subject: str,
    body: str,
    *,
    path: str,
    now: Moment,
) -> None:
    _ = translations(person.language).gettext
    facts = {}
    if community is not None:
        facts["community"] = (await communities.by_id(conn, community)).name
    mail = Mail(
        person.email, "", _(subject).format(**facts), _(body).format(**facts), path, community
    )
    await outbox.put_many(conn, [mail], now=now)
