"""What we write about gatherings: invitations, questions, changes and reminders.

Members without an address get none; who reads for them is told instead, and the organisers find on
the gathering's page whom to ring up. Guests are written to with a personal link of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import guest_links, outbox, readers
from timebank.communities import Community
from timebank.gathering import Gathering, Seat
from timebank.gatherings import Answer
from timebank.i18n import N_, format_span, translations
from timebank.moment import Moment
from timebank.outbox import Mail
from timebank.readers import Reader
from timebank.roles import label

Facts = dict[str, str]
_CONCERNED = (Answer.ASKED, Answer.YES, Answer.MAYBE)


@dataclass(frozen=True, slots=True)
class _Letter:
    """A mail to write: sentences marked with `N_`, and what stands in them in a language."""

    subject: str
    paragraphs: Sequence[str]
    facts: Callable[[str], Facts]
    path: str

    def to(
        self,
        here: Community,
        name: str,
        email: str,
        language: str,
        others: Sequence[str] = (),
        *,
        own: bool = True,
    ) -> Mail:
        """The mail to one reader: about themselves (`own`), and about others they answer for."""
        _ = translations(language).gettext
        known = {"name": name, "community": here.name, **self.facts(language)}
        said = [_("Hello {name},").format(name=name)]
        if others:
            sentence = (
                _("This is for you, and for {others}, for whom you may answer.")
                if own
                else _("This is about {others}, for whom you may answer.")
            )
            said.append(sentence.format(others=", ".join(others)))
        said += [_(one).format(**known) for one in self.paragraphs if one]
        subject = _(self.subject).format(**known)
        return Mail(email, name, subject, "\n\n".join(said), self.path, here.id)


def _about(here: Community, gathering: Gathering, **more: str) -> Callable[[str], Facts]:
    """What every letter about a gathering can say."""

    def facts(language: str) -> Facts:
        when = format_span(gathering.starts_at, gathering.ends_at, language, here.timezone)
        return {
            "title": gathering.title,
            "when": when,
            "where": gathering.place or gathering.link,
            "purpose": gathering.purpose,
            **more,
        }

    return facts


def _path(here: Community, gathering: Gathering) -> str:
    return f"/c/{here.slug}/gatherings/{gathering.id}"


_THE_FACTS = N_("{title}\n{when}\n{where}")
_IN_THEIR_WORDS = N_("In their words: {words}")


async def _to_members(
    conn: AsyncConnection,
    here: Community,
    ids: Collection[UUID],
    letter: _Letter,
    *,
    names: dict[UUID, str],
    besides: UUID | None,
    now: Moment,
) -> None:
    """One letter to these members or to who reads for them; not to who caused it."""
    mails = []
    for mine in _by_reader(await readers.of(conn, here.id, ids)):
        reader = mine[0]
        if reader.member_id == besides:
            continue
        others = [names[one.reads_for] for one in mine if not _own(one) and one.reads_for in names]
        mails.append(
            letter.to(
                here, reader.name, reader.email, reader.language, others, own=any(map(_own, mine))
            )
        )
    await outbox.put_many(conn, mails, now=now)


def _own(reader: Reader) -> bool:
    """Whether it concerns the reader, and not somebody they read for."""
    return reader.member_id == reader.reads_for


def _by_reader(told: Iterable[Reader]) -> list[list[Reader]]:
    """Those who read, each once, with all they read for."""
    found: dict[UUID, list[Reader]] = {}
    for reader in told:
        found.setdefault(reader.member_id, []).append(reader)
    return list(found.values())


async def _to_seats(
    conn: AsyncConnection,
    here: Community,
    gathering: Gathering,
    seats: Iterable[Seat],
    letter: _Letter,
    *,
    besides: UUID | None,
    now: Moment,
) -> None:
    """One letter to everyone in these seats: members by their page, guests by a link of theirs."""
    seats = list(seats)
    names = {seat.member_id: seat.name for seat in seats if seat.member_id is not None}
    await _to_members(conn, here, list(names), letter, names=names, besides=besides, now=now)
    for seat in seats:
        if seat.member_id is None and seat.email:
            await _to_guest(conn, here, gathering, seat, letter, now=now)


async def _to_guest(
    conn: AsyncConnection,
    here: Community,
    gathering: Gathering,
    seat: Seat,
    letter: _Letter,
    *,
    now: Moment,
) -> None:
    by = seat.invited_by or gathering.made_by
    token = await guest_links.make(conn, gathering, seat.id, by=by, now=now)
    theirs = _Letter(letter.subject, letter.paragraphs, letter.facts, guest_links.path(token))
    mail = theirs.to(here, seat.name, seat.email, here.language)
    await outbox.put_many(conn, [mail], now=now)


# ── Asking people ────────────────────────────────────────────────────────────────────────────────


async def invited(
    conn: AsyncConnection,
    here: Community,
    gathering: Gathering,
    seats: Sequence[Seat],
    words: str,
    *,
    inviter: str,
    now: Moment,
) -> None:
    """Somebody invites you."""
    letter = _Letter(
        N_("{inviter} invites you: {title}"),
        (
            N_("{inviter} invites you to {title} in {community}."),
            N_("{purpose}") if gathering.purpose else "",
            _THE_FACTS,
            _IN_THEIR_WORDS if words else "",
            N_("Yes, maybe or no: all three are good answers. Say it here:"),
        ),
        _about(here, gathering, inviter=inviter, words=words),
        _path(here, gathering),
    )
    await _to_seats(conn, here, gathering, seats, letter, besides=None, now=now)


async def invited_organisation(
    conn: AsyncConnection,
    here: Community,
    gathering: Gathering,
    organisation: UUID,
    name: str,
    words: str,
    *,
    inviter: str,
    now: Moment,
) -> None:
    """An organisation is invited: to its account managers, who say who comes."""
    letter = _Letter(
        N_("{inviter} invites {organisation}: {title}"),
        (
            N_("{inviter} invites {organisation} to {title} in {community}."),
            N_("{purpose}") if gathering.purpose else "",
            _THE_FACTS,
            _IN_THEIR_WORDS if words else "",
            N_("You keep the account of {organisation}. Say here who comes:"),
        ),
        _about(here, gathering, inviter=inviter, words=words, organisation=name),
        _path(here, gathering),
    )
    await _to_members(conn, here, [organisation], letter, names={}, besides=None, now=now)


async def asked(
    conn: AsyncConnection,
    here: Community,
    gathering: Gathering,
    seat: Seat,
    key: str,
    name: str,
    words: str,
    *,
    asker: str,
    now: Moment,
) -> None:
    """Would you do this?"""
    letter = _Letter(
        N_("{asker} asks you: {role}, {title}"),
        (
            N_("{asker} asks whether you would do this at {title}: {role}."),
            _THE_FACTS,
            _IN_THEIR_WORDS if words else "",
            N_("Your hours count, preparation and clearing up too. Say yes or no here:"),
        ),
        _with_role(_about(here, gathering, asker=asker, words=words), key, name),
        _path(here, gathering),
    )
    await _to_seats(conn, here, gathering, [seat], letter, besides=None, now=now)


async def replied(
    conn: AsyncConnection,
    here: Community,
    gathering: Gathering,
    seat: Seat,
    key: str,
    name: str,
    *,
    agrees: bool,
    to: UUID,
    by: UUID,
    now: Moment,
) -> None:
    """What somebody said who was asked: to the one who asked."""
    letter = _Letter(
        N_("{who} said yes: {role}, {title}") if agrees else N_("{who} cannot: {role}, {title}"),
        (
            N_("{who} will do this at {title}: {role}.")
            if agrees
            else N_("{who} cannot do this at {title}: {role}. Perhaps you ask somebody else."),
            _THE_FACTS,
        ),
        _with_role(_about(here, gathering, who=seat.name), key, name),
        _path(here, gathering),
    )
    await _to_members(conn, here, [to], letter, names={}, besides=by, now=now)


async def agreed(
    conn: AsyncConnection,
    here: Community,
    gathering: Gathering,
    seat: Seat,
    key: str,
    name: str,
    *,
    by: UUID,
    by_name: str,
    now: Moment,
) -> None:
    """You offered to lead it, and an organiser is glad: you organise it together now."""
    letter = _Letter(
        N_("Yes please: {role}, {title}"),
        (
            N_("{by} is glad that you offered to do this at {title}: {role}."),
            _THE_FACTS,
            N_("You organise it together now: you can change it, invite, and ask for help."),
        ),
        _with_role(_about(here, gathering, by=by_name), key, name),
        _path(here, gathering),
    )
    await _to_seats(conn, here, gathering, [seat], letter, besides=by, now=now)


async def freed(
    conn: AsyncConnection,
    here: Community,
    gathering: Gathering,
    who: str,
    roles: Sequence[tuple[str, str]],
    *,
    by: UUID,
    now: Moment,
) -> None:
    """Somebody who carried a role does not any more: to the organisers, so that they look."""

    def facts(language: str) -> Facts:
        _ = translations(language).gettext
        named = ", ".join(label(key, name, _) for key, name in roles)
        return _about(here, gathering, who=who, roles=named)(language)

    letter = _Letter(
        N_("Somebody is missing: {roles}, {title}"),
        (N_("{who} does not do this any more at {title}: {roles}."), _THE_FACTS),
        facts,
        _path(here, gathering),
    )
    await _to_members(conn, here, list(gathering.organisers), letter, names={}, besides=by, now=now)


async def released(
    conn: AsyncConnection,
    here: Community,
    gathering: Gathering,
    seat: Seat,
    key: str,
    name: str,
    *,
    by: UUID,
    by_name: str,
    now: Moment,
) -> None:
    """An organiser took a role back from somebody: to them."""
    letter = _Letter(
        N_("You need not do this: {role}, {title}"),
        (N_("{by} says that you need not do this at {title}: {role}. Thank you!"), _THE_FACTS),
        _with_role(_about(here, gathering, by=by_name), key, name),
        _path(here, gathering),
    )
    await _to_seats(conn, here, gathering, [seat], letter, besides=by, now=now)


def _with_role(facts: Callable[[str], Facts], key: str, name: str) -> Callable[[str], Facts]:
    def more(language: str) -> Facts:
        role = label(key, name, translations(language).gettext)
        return {**facts(language), "role": role}

    return more


# ── What changes ─────────────────────────────────────────────────────────────────────────────────


async def moved_up(
    conn: AsyncConnection, here: Community, gathering: Gathering, seats: Sequence[Seat], now: Moment
) -> None:
    """There is room for you now."""
    letter = _Letter(
        N_("There is room for you now: {title}"),
        (
            N_("You waited for {title}, and there is room for you now."),
            _THE_FACTS,
            N_("If you cannot come any more, say so here, and somebody else can:"),
        ),
        _about(here, gathering),
        _path(here, gathering),
    )
    await _to_seats(conn, here, gathering, seats, letter, besides=None, now=now)


async def changed(
    conn: AsyncConnection,
    here: Community,
    pairs: Sequence[tuple[Gathering, Gathering]],
    *,
    by: UUID,
    now: Moment,
) -> None:
    """Another time or another place: before and after, to everyone who has a seat there.

    Of several dates of a series, each person gets one mail about those they have a seat at.
    """
    moved = [(old, new) for old, new in pairs if _needs_telling(old, new)]

    def says(mine: Sequence[tuple[Gathering, Gathering]], language: str) -> Facts:
        return {
            "title": mine[0][1].title,
            "changes": "\n\n".join(_difference(here, old, new, language) for old, new in mine),
        }

    await _one_each(
        conn,
        here,
        moved,
        subject=N_("It has moved: {title}"),
        paragraphs=(
            N_("Something has changed about {title}."),
            "{changes}",
            N_("If that does not suit you any more, say so here:"),
        ),
        says=says,
        by=by,
        now=now,
    )


def _needs_telling(old: Gathering, new: Gathering) -> bool:
    names = ("starts_at", "ends_at", "place", "link")
    return any(getattr(old, name) != getattr(new, name) for name in names)


def _difference(here: Community, old: Gathering, new: Gathering, language: str) -> str:
    _ = translations(language).gettext
    before, after = (
        format_span(one.starts_at, one.ends_at, language, here.timezone) for one in (old, new)
    )
    lines = [
        after if before == after else _("{before} → now {after}").format(before=before, after=after)
    ]
    for was, now in ((old.place, new.place), (old.link, new.link)):
        if was != now:
            lines.append(_("{before} → now {after}").format(before=was or "–", after=now or "–"))
    if old.place == new.place and new.place:
        lines.append(new.place)
    return "\n".join(lines)


async def called_off(
    conn: AsyncConnection,
    here: Community,
    found: Sequence[Gathering],
    words: str,
    *,
    by: UUID,
    now: Moment,
) -> None:
    """It does not take place: to everyone who has a seat there, one mail each."""

    def says(mine: Sequence[tuple[Gathering, Gathering]], language: str) -> Facts:
        dates = [
            format_span(new.starts_at, new.ends_at, language, here.timezone) for _old, new in mine
        ]
        return {"title": mine[0][1].title, "dates": "\n".join(dates), "words": words}

    await _one_each(
        conn,
        here,
        [(one, one) for one in found],
        subject=N_("Called off: {title}"),
        paragraphs=(
            N_("{title} does not take place:"),
            "{dates}",
            N_("Why: {words}") if words else "",
        ),
        says=says,
        by=by,
        now=now,
    )


async def _one_each(
    conn: AsyncConnection,
    here: Community,
    pairs: Sequence[tuple[Gathering, Gathering]],
    *,
    subject: str,
    paragraphs: Sequence[str],
    says: Callable[[Sequence[tuple[Gathering, Gathering]], str], Facts],
    by: UUID,
    now: Moment,
) -> None:
    """One mail to everyone with a seat at any of these, about those they have a seat at."""
    theirs: dict[UUID, list[tuple[Gathering, Gathering]]] = {}
    names: dict[UUID, str] = {}
    guests: list[tuple[Gathering, Seat, tuple[Gathering, Gathering]]] = []
    for pair in pairs:
        for seat in pair[1].seats:
            if seat.answer not in _CONCERNED:
                continue
            if seat.member_id is not None:
                theirs.setdefault(seat.member_id, []).append(pair)
                names[seat.member_id] = seat.name
            elif seat.email:
                guests.append((pair[1], seat, pair))

    def letter(mine: Sequence[tuple[Gathering, Gathering]]) -> _Letter:
        path = _path(here, mine[0][1])
        return _Letter(subject, paragraphs, lambda language: says(mine, language), path)

    mails = []
    for reader in await readers.of(conn, here.id, list(theirs)):
        if reader.member_id == by:
            continue
        own = _own(reader)
        others = () if own else (names[reader.reads_for],)
        mails.append(
            letter(theirs[reader.reads_for]).to(
                here, reader.name, reader.email, reader.language, others, own=own
            )
        )
    await outbox.put_many(conn, mails, now=now)
    for gathering, seat, pair in guests:
        await _to_guest(conn, here, gathering, seat, letter([pair]), now=now)


# ── Reminding ────────────────────────────────────────────────────────────────────────────────────


async def some_days_before(
    conn: AsyncConnection, here: Community, gathering: Gathering, *, now: Moment
) -> None:
    """In a few days: to who comes, who may come, and who has not answered yet."""
    undecided = [seat for seat in gathering.seats if seat.answer in (Answer.ASKED, Answer.MAYBE)]
    coming = _Letter(
        N_("In a few days: {title}"),
        (
            N_("A word to remind you of {title}. It is good that you come."),
            _THE_FACTS,
            N_("Please bring: {bring}") if gathering.bring else "",
            N_("If you cannot come after all, say so here, and nobody waits for you:"),
        ),
        _about(here, gathering, bring=gathering.bring),
        _path(here, gathering),
    )
    asking = _Letter(
        N_("In a few days: {title}"),
        (
            N_("You are invited to {title}, and have not said yes or no yet."),
            _THE_FACTS,
            N_("Yes, maybe or no: all three are good answers. Say it here:"),
        ),
        _about(here, gathering),
        _path(here, gathering),
    )
    await _to_seats(conn, here, gathering, gathering.coming, coming, besides=None, now=now)
    await _to_seats(conn, here, gathering, undecided, asking, besides=None, now=now)


async def day_before(
    conn: AsyncConnection,
    here: Community,
    gathering: Gathering,
    *,
    to_ring_up: int,
    now: Moment,
) -> None:
    """Tomorrow: to who comes, with what they do; to organisers, with what is still missing."""
    for seat in gathering.coming:
        keys = {duty.role_key for duty in gathering.duties_of(seat.id) if duty.carried}
        roles = [(role.key, role.name) for role in gathering.roles if role.key in keys]
        letter = _Letter(
            N_("Tomorrow: {title}"),
            (
                N_("See you at {title}."),
                _THE_FACTS,
                N_("How to get there: {access}") if gathering.access else "",
                N_("Please bring: {bring}") if gathering.bring else "",
                N_("What you do: {roles}. Thank you!") if roles else "",
            ),
            _with_roles(
                _about(here, gathering, bring=gathering.bring, access=gathering.access), roles
            ),
            _path(here, gathering),
        )
        await _to_seats(conn, here, gathering, [seat], letter, besides=None, now=now)
    await _organisers_look(conn, here, gathering, to_ring_up=to_ring_up, now=now)


async def _organisers_look(
    conn: AsyncConnection, here: Community, gathering: Gathering, *, to_ring_up: int, now: Moment
) -> None:
    missing = [(role.key, role.name) for role in gathering.needed]
    letter = _Letter(
        N_("Tomorrow: {title}, {coming} coming"),
        (
            N_("{title} is tomorrow. So many come: {coming}."),
            N_("Nobody yet for: {roles}.") if missing else N_("Everything it needs has somebody."),
            N_("So many have no e-mail and are glad of a call: {calls}. Their page lists them.")
            if to_ring_up
            else "",
        ),
        _with_roles(
            _about(here, gathering, coming=str(len(gathering.coming)), calls=str(to_ring_up)),
            missing,
        ),
        f"/c/{here.slug}/seats/{gathering.id}",
    )
    await _to_members(
        conn, here, list(gathering.organisers), letter, names={}, besides=None, now=now
    )


def _with_roles(
    facts: Callable[[str], Facts], roles: Sequence[tuple[str, str]]
) -> Callable[[str], Facts]:
    def more(language: str) -> Facts:
        _ = translations(language).gettext
        named = ", ".join(label(key, name, _) for key, name in roles)
        return {**facts(language), "roles": named}

    return more
