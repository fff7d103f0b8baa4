"""What we write to people: each mail's sentences, in the language of the one who reads it.

Every function puts its mails into the outbox, in the transaction of what they tell. Members without
e-mail get none; where a buddy or an account manager may answer for them, the buddy is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import communities, outbox, readers
from timebank.entry import Entry, StepKind
from timebank.i18n import N_, format_day, format_minutes, translations
from timebank.limits import Beyond, Foreseen
from timebank.members import Member
from timebank.moment import Moment
from timebank.outbox import Mail
from timebank.people import Person
from timebank.readers import Reader


@dataclass(frozen=True, slots=True)
class EntryNews:
    """One step of one entry, to be told to everyone concerned but the one who took it.

    `also` is a coordinator who looks into it; those who are `told` already hear nothing more.
    `instead` is the entry that stands in its place from now on, and `foreseen` who would be past a
    soft limit by it: each reads of nobody but themselves (or whom they read for).
    """

    entry: Entry
    kind: StepKind
    by: UUID | None
    by_name: str | None
    words: str = ""
    override: bool = False
    also: UUID | None = None
    told: frozenset[UUID] = frozenset()
    instead: Entry | None = None
    foreseen: tuple[Foreseen, ...] = ()


async def entry_steps(
    conn: AsyncConnection, community: UUID, news: Sequence[EntryNews], *, now: Moment
) -> None:
    """Tell what happened to entries: constant in statements, whatever their number."""
    if not news:
        return
    here = await communities.by_id(conn, community)
    wanted = [_wanted(one) for one in news]
    found = await readers.of(conn, community, set[UUID]().union(*wanted))
    mails = [
        _entry_mail(here, one, reader)
        for one, ids in zip(news, wanted, strict=True)
        for reader in readers.distinct(found, ids)
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
    StepKind.UNDO_ASKED: N_("{by} asks for {minutes} to be undone: {what}"),
    StepKind.TAKEN: N_("{by} looks into it: {what}"),
    StepKind.ANSWERED: N_("{by} answered: {what}"),
    StepKind.RETURNED: N_("{by} has a question: {what}"),
    StepKind.UNASKED: N_("{by} took the question back: {what}"),
    StepKind.WITHDRAWN: N_("{by} withdrew an entry: {what}"),
    StepKind.APPROVED: N_("Approved, {minutes}: {what}"),
    StepKind.POSTED: N_("Recorded for good, {minutes}: {what}"),
    StepKind.DECLINED: N_("Declined: {what}"),
    StepKind.KEPT: N_("It stays as it is: {what}"),
    StepKind.REVERSED: N_("Undone, {minutes}: {what}"),
}


_WHAT_NOW = {
    StepKind.RECORDED: N_("If that is not right, say so on its page:"),
    StepKind.APPROVED: N_("If that is not right, say so on its page:"),
    StepKind.POSTED: N_("If that is not right, say so on its page:"),
    StepKind.DISPUTED: N_("You can say how you remember it, on its page:"),
    StepKind.UNDO_ASKED: N_("You can say how you remember it, on its page:"),
    StepKind.TAKEN: N_("If there is something they should know, write it on its page:"),
}


def _entry_mail(here: communities.Community, one: EntryNews, reader: Reader) -> Mail:
    _ = translations(reader.language).gettext
    entry = one.entry
    facts = _facts(here, one, entry, reader)
    subject = N_("Corrected: {what}") if one.instead else _SUBJECTS[one.kind]
    paragraphs = [
        _("Hello {name},").format(name=reader.name),
        _(subject).format(**facts),
        _("{givers} gave {receivers} {minutes} on {day}.").format(**facts),
    ]
    if one.words:
        paragraphs.append(_("In their words: {words}").format(words=one.words))
    if one.instead is not None:
        stands = N_(
            "In its place stands now: {givers} gave {receivers} {minutes} on {day}. It waits to "
            "be approved like any other."
        )
        paragraphs.append(_(stands).format(**_facts(here, one, one.instead, reader)))
    if one.override:
        paragraphs.append(
            _(
                "The lowest balance of our agreement was passed for it, for the reason given. The "
                "limit itself stays as it is."
            )
        )
    paragraphs += [_limit(one, reader, _) for one in one.foreseen if _reads_for(one, reader)]
    paragraphs.append(_(_WHAT_NOW.get(one.kind, N_("Here is its page:"))))
    page = one.instead or entry
    return Mail(
        reader.email,
        reader.name,
        _(subject).format(**facts),
        "\n\n".join(paragraphs),
        f"/c/{here.slug}/entries/{page.id}",
        here.id,
    )


def _facts(
    here: communities.Community, one: EntryNews, entry: Entry, reader: Reader
) -> dict[str, str]:
    return {
        "by": one.by_name or translations(reader.language).gettext("The agreement"),
        "minutes": format_minutes(entry.minutes),
        "what": entry.note or entry.category or here.name,
        "givers": _names(entry.givers),
        "receivers": _names(entry.receivers),
        "day": format_day(entry.occurred_on, reader.language),
    }


def _reads_for(one: Foreseen, reader: Reader) -> bool:
    return one.account_id == reader.reads_for


def _limit(one: Foreseen, reader: Reader, _: Callable[[str], str]) -> str:
    """What somebody reads who would be past a soft limit: where they would stand, and no blame."""
    facts = {"after": format_minutes(one.after)}
    theirs = reader.member_id != reader.reads_for
    if one.beyond is Beyond.BELOW:
        said = (
            N_("With this their balance would be {after}. That is a point at which we talk.")
            if theirs
            else N_(
                "With this your balance would be {after}. Nothing is wrong with that; it is a "
                "point at which we like to talk, so somebody may ring you."
            )
        )
    else:
        said = (
            N_("With this their balance would be {after}: hours to be spent on something nice.")
            if theirs
            else N_(
                "With this your balance would be {after}. What could others do for you? Somebody "
                "may ring you about it."
            )
        )
    return _(said).format(**facts)


def _names(parts: Sequence[Any]) -> str:
    return ", ".join(part.name for part in parts)


def concerned(entry: Entry) -> set[UUID]:
    """Everyone in an entry, and those who recorded it or had it recorded."""
    others = {entry.recorded_by, entry.on_behalf_of or entry.recorded_by}
    return {part.account_id for part in entry.parts} | others


def _wanted(one: EntryNews) -> set[UUID]:
    """Who is to hear of it: those concerned, who looks into it, and who knows already not again."""
    also = {one.also} if one.also is not None else set()
    return (concerned(one.entry) | also) - one.told


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
