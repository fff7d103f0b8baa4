"""The steps of a listing: write it, change it, keep it longer, answer it, and close it.

Written by oneself, by a buddy, or by a coordinator for people who do not use a computer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.sql import store
from timebank import acting, audit, buddies, communities, keeping_apart, members, policy, readers
from timebank import listings as kept
from timebank.acting import Actor
from timebank.errors import BadInput, Forbidden, NotFound, NotTakingPart
from timebank.i18n import N_
from timebank.listings import LASTS, LONGEST, Listing, ListingKind, answers, listings
from timebank.members import Member, Status
from timebank.moment import Moment

LONGEST_TITLE = 120
LONGEST_WORDS = 2000
LONGEST_ANSWER = 1000


@dataclass(frozen=True, slots=True)
class NewListing:
    """What somebody offers or asks for. Without `until` it is shown for about three months."""

    kind: ListingKind
    title: str
    words: str = ""
    category_id: UUID | None = None
    area: str = ""
    until: date | None = None


async def write(
    conn: AsyncConnection,
    community: UUID,
    member: UUID,
    new: NewListing,
    *,
    by: UUID,
    now: Moment,
    id: UUID | None = None,
) -> UUID:
    """Put an offer or a request of this member on the board; answers with its id.

    With an `id`, a double click writes it once. Refuses with `Forbidden`, `NotTakingPart`,
    `NotFound` a category that is not there, and `BadInput`.
    """
    actor = await acting.active(conn, community, by)
    whose = await members.get(conn, community, member)
    if not policy.may_list_for(actor.member, member, actor.acts_for):
        raise Forbidden("listing")
    if whose.status is not Status.ACTIVE:
        raise NotTakingPart(whose.name)
    today = await _today(conn, community, now)
    row = await _checked(conn, community, new, today)
    id = id or now.new_id()
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    done = await conn.execute(
        dialect.insert(listings)
        .values(
            community_id=community,
            id=id,
            member_id=member,
            kind=new.kind.value,
            written_by=by,
            written_at=now.at,
            **row,
        )
        .on_conflict_do_nothing()
    )
    if done.rowcount == 1:
        await _note(conn, community, "listing.written", id, by, now)
    return id


async def change(
    conn: AsyncConnection, community: UUID, id: UUID, new: NewListing, *, by: UUID, now: Moment
) -> None:
    """Say it otherwise: whoever may write it. Its kind stays. Refused like `write`."""
    actor, listing = await _at_hand(conn, community, id, by)
    _refuse_others(actor, listing)
    today = await _today(conn, community, now)
    row = await _checked(conn, community, new, today)
    await _set(conn, community, id, reminded_at=None, **row)
    await _note(conn, community, "listing.changed", id, by, now)


async def renew(conn: AsyncConnection, community: UUID, id: UUID, *, by: UUID, now: Moment) -> date:
    """Show it for three more months from today, also after it was over: its last day."""
    actor, listing = await _at_hand(conn, community, id, by)
    _refuse_others(actor, listing)
    if listing.member.status is not Status.ACTIVE:
        raise NotTakingPart(listing.member.name)
    until = await _today(conn, community, now) + LASTS
    await _set(conn, community, id, until=until, closed_at=None, reminded_at=None)
    await _note(conn, community, "listing.renewed", id, by, now)
    return until


async def close(conn: AsyncConnection, community: UUID, id: UUID, *, by: UUID, now: Moment) -> None:
    """It is not wanted any more, or somebody was found. Twice is once."""
    actor, listing = await _at_hand(conn, community, id, by)
    _refuse_others(actor, listing)
    if listing.closed_at is not None:
        return
    await _set(conn, community, id, closed_at=now.at)
    await _note(conn, community, "listing.closed", id, by, now)


async def answer(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    words: str,
    *,
    member: UUID | None = None,
    share_contact: bool = False,
    by: UUID,
    now: Moment,
) -> None:
    """Say "I can help" or "I would like that", for oneself or for somebody one acts for.

    The listing's member is told, or their buddy, or else the coordinators. With `share_contact` the
    telephone number and the address of whoever answers go along, for this one person, if their
    guardians agree. Answering again says it anew. Refuses with `NotFound` what is not open to who
    answers, one's own listing (`Forbidden`), and `BadInput`.
    """
    actor = await acting.active(conn, community, by)
    who = await members.get(conn, community, member or by)
    listing = await kept.get(conn, community, id)
    if not policy.may_list_for(actor.member, who.id, actor.acts_for):
        raise Forbidden("answer")
    pairs = [(who.id, listing.member.id), (by, listing.member.id)]
    today = await _today(conn, community, now)
    if not listing.is_open(today) or await keeping_apart.apart(conn, community, pairs):
        raise NotFound("listing")
    if who.id == listing.member.id:
        raise Forbidden("answer")
    if who.status is not Status.ACTIVE:
        raise NotTakingPart(who.name)
    if len(words) > LONGEST_ANSWER:
        raise BadInput("words", "too_long", LONGEST_ANSWER)
    if not words.strip():
        raise BadInput("words", "missing")
    guardians_agree = buddies.agreed_by_guardians(await buddies.of(conn, community, who.id))
    row = {
        "words": words,
        "at": now.at,
        "written_by": by,
        "contact_shared": share_contact and guardians_agree,
    }
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(answers).values(
        community_id=community, listing_id=id, member_id=who.id, **row
    )
    await conn.execute(
        statement.on_conflict_do_update(
            index_elements=["community_id", "listing_id", "member_id"], set_=row
        )
    )
    await _note(conn, community, "listing.answered", id, by, now)
    await _tell_answer(conn, community, listing, who, words, now)


async def take_back(
    conn: AsyncConnection, community: UUID, id: UUID, member: UUID, *, by: UUID, now: Moment
) -> None:
    """They answered, and think otherwise now. `NotFound` where there is no such answer."""
    actor = await acting.active(conn, community, by)
    if not policy.may_list_for(actor.member, member, actor.acts_for):
        raise Forbidden("answer")
    gone = await conn.execute(
        delete(answers).where(
            answers.c.community_id == community,
            answers.c.listing_id == id,
            answers.c.member_id == member,
        )
    )
    if gone.rowcount != 1:
        raise NotFound("answer")
    await _note(conn, community, "listing.answer_withdrawn", id, by, now)


async def remind(conn: AsyncConnection, community: UUID, *, now: Moment) -> int:
    """Tell those whose listings end within a week that one click keeps them; how many listings.

    Once for each listing, in one mail for each member. To be called from time to time.
    """
    await store.lock(conn, community)  # two processes: one after the other
    today = await _today(conn, community, now)
    rows = await conn.execute(
        select(listings.c.id).where(
            listings.c.community_id == community,
            listings.c.closed_at.is_(None),
            listings.c.until >= today,
            listings.c.until <= today + kept.REMIND_BEFORE,
            listings.c.reminded_at.is_(None),
        )
    )
    due = await kept.several(conn, community, [row.id for row in rows])
    theirs: dict[UUID, list[str]] = {}
    for listing in due:
        await _set(conn, community, listing.id, reminded_at=now.at)
        if listing.member.status is Status.ACTIVE:
            theirs.setdefault(listing.member.id, []).append(listing.title)
    for member, titles in theirs.items():
        await readers.tell(
            conn,
            community,
            [member],
            N_("Still true? {first}"),
            N_(
                "this is on the board of {community} for a few more days:\n\n{titles}\n\nOne "
                "click keeps it there for three more months. If you do nothing, it comes off by "
                "itself:"
            ),
            path=f"/listings/of/{member}",
            first=titles[0],
            titles="\n".join(f"    {title}" for title in titles),
            now=now,
        )
    return len(due)


async def came_from(
    conn: AsyncConnection, community: UUID, entry: UUID, listing: UUID, accounts: set[UUID]
) -> None:
    """Keep which listing an entry came from, if its member is one of those in the entry.

    For `recording.record`. `NotFound` for a listing that is not here.
    """
    found = await kept.get(conn, community, listing)
    if found.member.id in accounts:
        await conn.execute(
            insert(kept.entry_listings).values(
                community_id=community, entry_id=entry, listing_id=listing
            )
        )


async def _tell_answer(
    conn: AsyncConnection,
    community: UUID,
    listing: Listing,
    who: Member,
    words: str,
    now: Moment,
) -> None:
    """To whose listing it is, or their buddy; where nobody reads for them, to the coordinators."""
    if listing.kind is ListingKind.REQUEST:
        subject = N_("{who} can help: {title}")
    else:
        subject = N_("{who} would like that: {title}")
    tell = partial(
        readers.tell,
        conn,
        community,
        path=f"/listings/{listing.id}",
        now=now,
        who=who.name,
        title=listing.title,
        words=words,
        owner=listing.member.name,
    )
    if await readers.of(conn, community, [listing.member.id]):
        body = N_("In their words: {words}\n\nHow to reach {who}, and what you can do now:")
        await tell([listing.member.id], subject, body)
        return
    body = N_(
        "In their words: {words}\n\n{owner} reads no e-mail and has no buddy who does. Please let "
        "them know:"
    )
    everyone = await readers.coordinators(conn, community)
    await tell(everyone, subject, body)


async def _checked(
    conn: AsyncConnection, community: UUID, new: NewListing, today: date
) -> dict[str, Any]:
    """The columns of what somebody wrote, or `BadInput`."""
    if not new.title.strip():
        raise BadInput("title", "missing")
    if len(new.title) > LONGEST_TITLE:
        raise BadInput("title", "too_long", LONGEST_TITLE)
    if len(new.words) > LONGEST_WORDS:
        raise BadInput("words", "too_long", LONGEST_WORDS)
    until = new.until or today + LASTS
    if until < today:
        raise BadInput("until", "day_passed")
    if until > today + LONGEST:
        raise BadInput("until", "within_a_year")
    await _refuse_strange_category(conn, community, new.category_id)
    return {
        "title": new.title,
        "words": new.words,
        "category_id": new.category_id,
        "area": new.area,
        "until": until,
        "search_key": kept.key_of(new.title, new.words, new.area),
    }


async def _refuse_strange_category(
    conn: AsyncConnection, community: UUID, category: UUID | None
) -> None:
    if category is None:
        return
    table = communities.categories
    query = select(table.c.id).where(table.c.community_id == community, table.c.id == category)
    if (await conn.execute(query)).first() is None:
        raise NotFound("category")


async def _at_hand(
    conn: AsyncConnection, community: UUID, id: UUID, by: UUID
) -> tuple[Actor, Listing]:
    actor = await acting.active(conn, community, by)
    return actor, await kept.get(conn, community, id)


def _refuse_others(actor: Actor, listing: Listing) -> None:
    if not policy.may_list_for(actor.member, listing.member.id, actor.acts_for):
        raise Forbidden("listing")


async def _today(conn: AsyncConnection, community: UUID, now: Moment) -> date:
    return now.day_in((await communities.by_id(conn, community)).timezone)


async def _set(conn: AsyncConnection, community: UUID, id: UUID, **values: Any) -> None:
    await conn.execute(
        update(listings)
        .where(listings.c.community_id == community, listings.c.id == id)
        .values(**values)
    )


async def _note(
    conn: AsyncConnection, community: UUID, action: str, id: UUID, by: UUID, now: Moment
) -> None:
    await audit.write(
        conn,
        community,
        actor=by,
        action=action,
        subject_kind="listing",
        subject=id,
        now=now,
    )
