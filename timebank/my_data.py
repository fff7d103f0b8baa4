"""My data: all of it to take along, and closing an account without breaking anybody's books.

Closing makes a member nameless: their name, their contact details and every word they wrote go,
and the salts that tied those words to the journal go with them. The minutes stay, because they are
the other half of somebody else's statement. In a small community people may still guess who it
was, so we do not call it anonymous.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import FromClause, Select, delete, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Minutes
from ledger.sql import store, tables
from ledger.sql.types import Instant
from timebank import (
    affiliations,
    audit,
    checks,
    communities,
    corrections,
    gathering_data,
    keeping_apart,
    listings,
    members,
    months,
    notes,
    policy,
    proposals,
    room_data,
    spreadsheet,
    statements,
    stays,
    welcoming,
)
from timebank.batches import batches
from timebank.entries import entries, parts, steps
from timebank.entry import OPEN
from timebank.errors import EntriesWaiting, Forbidden, WrongState
from timebank.imports.files import incoming, numbers
from timebank.inbox import aside, deeds, in_hand, morning
from timebank.limits import past_limits
from timebank.members import Member, Role, Status, buddies
from timebank.moment import Moment
from timebank.odd import oddities
from timebank.outbox import outbox
from timebank.people import people, sessions, tokens
from timebank.spreadsheet import Format
from timebank.text import fold

_README = """Your data in {community}, as of {at} (UTC)

member.json      what the community knows about you
statement.csv    every line of your statement; minutes, and days as year-month-day
entries.json     the entries you stand in or wrote down
steps.json       what you said about entries
buddies.json     who may record for you, and for whom you may
agreement.json   what you proposed for the agreement, and said to what others proposed
months.json      what you said about closing months
numbers.json     what programs that your community used before called you
files.json       the files that you brought in
batches.json     sheets and files of entries that you brought in
belongs.json     where you said you belong
listings.json    what you offered and asked for, and who answered
answers.json     what you answered to others
care.json        what coordinators noted about you, checked, ticked off, and whether you were asked
                 to stay; and whom you asked to be kept apart from
gatherings.json  those you planned, your seats and roles, whom you invited
audit.json       what you did, and what was done to you
desk.json        what coordinators noted: about you, or you as one of them
stories.json     what you said after gatherings, and what may be done with it
notes.json       notes you wrote for gatherings; they stay with the group, without your name
actions.json     what you took on at gatherings, or added for others
hours.json       what stands for you from each gathering, role by role
lists.json       lists of gatherings you closed or opened again, and why
ticks.json       how long you were at gatherings, and whom you ticked there
"""


async def archive(conn: AsyncConnection, community: UUID, member: UUID, *, now: Moment) -> bytes:
    """Everything kept about a member, as a zip of JSON and CSV with a page that explains it."""
    here = await communities.by_id(conn, community)
    files: dict[str, str | bytes] = {
        "README.txt": _README.format(community=here.name, at=now.at.isoformat(" ", "minutes")),
        "member.json": _json(await _about(conn, community, member)),
        "statement.csv": await _statement(conn, community, member),
        "entries.json": _json(await _entries(conn, community, member)),
        "steps.json": _json(
            await _rows(
                conn,
                select(steps).where(steps.c.community_id == community, steps.c.member_id == member),
            )
        ),
        "buddies.json": _json(
            await _rows(
                conn,
                select(buddies).where(
                    buddies.c.community_id == community,
                    or_(buddies.c.member_id == member, buddies.c.buddy_id == member),
                ),
            )
        ),
        "agreement.json": _json(await _governance(conn, community, member)),
        "months.json": _json(
            await _rows(
                conn,
                select(months.steps).where(
                    months.steps.c.community_id == community, months.steps.c.member_id == member
                ),
            )
        ),
        "numbers.json": _json(
            await _rows(
                conn,
                select(numbers).where(
                    numbers.c.community_id == community, numbers.c.member_id == member
                ),
            )
        ),
        "files.json": _json(
            await _rows(
                conn,
                select(incoming.c.id, incoming.c.name, incoming.c.made_at, incoming.c.stage).where(
                    incoming.c.community_id == community, incoming.c.made_by == member
                ),
            )
        ),
        "batches.json": _json(
            await _rows(
                conn,
                select(batches).where(
                    batches.c.community_id == community, batches.c.made_by == member
                ),
            )
        ),
        "belongs.json": _json(await _rows(conn, _of(affiliations.affiliations, community, member))),
        "listings.json": _json(await _listings(conn, community, member)),
        "answers.json": _json(await _rows(conn, _of(listings.answers, community, member))),
        "care.json": json.dumps(
            {
                name: [dict(row) for row in await _rows(conn, query)]
                for name, query in _care(community, member).items()
            },
            default=_plain,
            ensure_ascii=False,
            indent=2,
        ),
        "gatherings.json": _json(await gathering_data.of(conn, community, member)),
        "audit.json": _json(
            await _rows(
                conn,
                select(audit.audit).where(
                    audit.audit.c.community_id == community,
                    or_(audit.audit.c.actor_id == member, audit.audit.c.subject_id == member),
                ),
            )
        ),
        "desk.json": _json(await _desk(conn, community, member)),
    }
    of_gatherings = room_data.kept(community, member)
    files |= {name: _json(await _rows(conn, query)) for name, query in of_gatherings.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as folder:
        for name, text in files.items():
            folder.writestr(name, text)
    return packed.getvalue()


async def close(
    conn: AsyncConnection, community: UUID, member: UUID, *, by: UUID | None, now: Moment
) -> None:
    """Forget a member: by themselves, or a coordinator on their behalf.

    Without `by`, the agreement itself says so: see `retention`. The transaction is one of
    `EVERYWHERE`: whether their sign-in goes too depends on others. Refuses while entries of theirs
    wait (`EntriesWaiting`), and the last steward (`LastSteward`).
    """
    await store.lock(conn, community)
    leaving = await members.get(conn, community, member)
    if by is not None and not policy.may_end_membership(
        await members.get(conn, community, by), leaving
    ):
        raise Forbidden("close")
    await _refuse_waiting(conn, community, member)
    if leaving.status is Status.APPLIED:
        raise WrongState(leaving.status.value, "close")
    if leaving.status is not Status.LEFT:
        await members.end(conn, leaving, by=by, now=now)
    await _erase_words(conn, community, member)
    await _erase_governance(conn, community, member)
    await _erase_notes(conn, community, member)
    await _erase_listings(conn, community, member, now)
    await _erase_care(conn, community, member, now)
    await room_data.erase(conn, community, member)
    await gathering_data.forget(conn, community, member)
    await _erase_member(conn, community, member, now)
    await _erase_mails_and_invitations(conn, community, leaving)
    if leaving.person_id is not None:
        await _erase_person(conn, community, leaving.person_id)
    await store.close_account(conn, community, member, now.at)
    await audit.write(
        conn,
        community,
        actor=by,
        action="member.erased",
        subject_kind="member",
        subject=member,
        now=now,
    )


async def erase_application(
    conn: AsyncConnection, community: UUID, applicant: Member, *, now: Moment
) -> None:
    """Forget somebody who was never a member: their words, and their address if nothing else is.

    For `applications`, which decides whether it may be. The transaction is one of `EVERYWHERE`.
    """
    await _erase_member(conn, community, applicant.id, now)
    await _erase_care(conn, community, applicant.id, now)
    if applicant.person_id is not None:
        await _erase_person(conn, community, applicant.person_id)


async def _refuse_waiting(conn: AsyncConnection, community: UUID, member: UUID) -> None:
    open_states = [state.value for state in OPEN]
    query = (
        select(func.count())
        .select_from(entries)
        .join(
            parts,
            (parts.c.community_id == entries.c.community_id) & (parts.c.entry_id == entries.c.id),
        )
        .where(
            entries.c.community_id == community,
            parts.c.account_id == member,
            or_(entries.c.state.in_(open_states), entries.c.contested.is_(True)),
        )
    )
    waiting = int((await conn.execute(query)).scalar_one())
    if waiting:
        raise EntriesWaiting(waiting)


async def _erase_words(conn: AsyncConnection, community: UUID, member: UUID) -> None:
    """What they wrote, and the salts that tie it to the journal's hashes."""
    await conn.execute(
        update(entries)
        .where(
            entries.c.community_id == community,
            or_(entries.c.recorded_by == member, entries.c.on_behalf_of == member),
        )
        .values(note="", salt=b"")
    )
    await conn.execute(
        update(steps)
        .where(steps.c.community_id == community, steps.c.member_id == member)
        .values(words="")
    )
    await conn.execute(
        update(aside.put_aside).where(aside.concerns(community, member)).values(words="")
    )
    await conn.execute(
        update(batches)
        .where(batches.c.community_id == community, batches.c.made_by == member)
        .values(label="")
    )
    await conn.execute(
        delete(buddies).where(
            buddies.c.community_id == community,
            or_(buddies.c.member_id == member, buddies.c.buddy_id == member),
        )
    )
    await conn.execute(
        delete(numbers).where(numbers.c.community_id == community, numbers.c.member_id == member)
    )


async def _erase_governance(conn: AsyncConnection, community: UUID, member: UUID) -> None:
    """What they said about months and proposals. What became the agreement is the community's."""
    table, voices = proposals.proposals, proposals.voices
    for steps_ in (months.steps, proposals.steps):
        await conn.execute(
            update(steps_)
            .where(steps_.c.community_id == community, steps_.c.member_id == member)
            .values(words="")
        )
    await conn.execute(
        update(voices)
        .where(
            voices.c.community_id == community,
            or_(voices.c.member_id == member, voices.c.said_by == member),
        )
        .values(words="")
    )
    theirs = table.c.proposed_by == member
    for row in (
        await conn.execute(
            select(table.c.id, table.c.changes, table.c.state).where(
                table.c.community_id == community, theirs
            )
        )
    ).all():
        kept = row.state == proposals.State.IN_FORCE.value or "purpose" not in row.changes
        await conn.execute(
            update(table)
            .where(table.c.community_id == community, table.c.id == row.id)
            .values(reason="", changes=row.changes if kept else row.changes | {"purpose": ""})
        )


async def _erase_notes(conn: AsyncConnection, community: UUID, member: UUID) -> None:
    """What was noted about them only for as long as they are here."""
    for table, whose in (
        (past_limits, past_limits.c.account_id),
        (oddities, oddities.c.account_id),
        (in_hand.in_hand, in_hand.in_hand.c.member_id),
        (in_hand.in_hand, in_hand.in_hand.c.thing_id),
        (morning.mornings, morning.mornings.c.member_id),
    ):
        await conn.execute(delete(table).where(table.c.community_id == community, whose == member))


async def _erase_listings(
    conn: AsyncConnection, community: UUID, member: UUID, now: Moment
) -> None:
    """What they offered, asked for and answered. Their listings stay, closed and without words."""
    theirs = _of(listings.listings, community, member).with_only_columns(listings.listings.c.id)
    await conn.execute(
        delete(listings.answers).where(
            listings.answers.c.community_id == community,
            or_(
                listings.answers.c.member_id == member,
                listings.answers.c.listing_id.in_(theirs),
            ),
        )
    )
    await conn.execute(
        update(listings.listings)
        .where(*_is(listings.listings, community, member))
        .values(
            title=listings.ERASED,
            words="",
            area="",
            search_key="",
            closed_at=func.coalesce(listings.listings.c.closed_at, literal(now.at, Instant)),
        )
    )


async def _erase_care(conn: AsyncConnection, community: UUID, member: UUID, now: Moment) -> None:
    """What was noted about them. Where they belonged stays, as days and without a word of it."""
    for table in (notes.notes, checks.checks, welcoming.ticks, stays.stays):
        await conn.execute(delete(table).where(*_is(table, community, member)))
    apart = keeping_apart.apart_table
    await conn.execute(
        delete(apart).where(
            apart.c.community_id == community,
            or_(apart.c.one_id == member, apart.c.other_id == member),
        )
    )
    hats = affiliations.affiliations
    today = now.day_in((await communities.by_id(conn, community)).timezone)
    await conn.execute(update(hats).where(*_is(hats, community, member)).values(role=""))
    await conn.execute(
        update(hats)
        .where(*_is(hats, community, member), hats.c.until.is_(None), hats.c.since <= today)
        .values(until=today)
    )


async def _erase_member(conn: AsyncConnection, community: UUID, member: UUID, now: Moment) -> None:
    number = int.from_bytes(now.random_bytes(4), "big") % 10_000
    name = f"Former member {number:04}"
    await conn.execute(
        update(members.members)
        .where(members.members.c.community_id == community, members.members.c.id == member)
        .values(
            person_id=None,
            name=name,
            name_key=fold(name),
            search_key=fold(name),
            phone="",
            contact_shown=False,
            area="",
            about="",
            role=Role.MEMBER.value,
            status=Status.LEFT.value,
            erased_at=now.at,
        )
    )


async def _erase_mails_and_invitations(
    conn: AsyncConnection, community: UUID, leaving: Member
) -> None:
    """Mails that name them and were not sent, and invitations that were meant for them."""
    named = [
        column.contains(leaving.name, autoescape=True)
        for column in (outbox.c.to_name, outbox.c.subject, outbox.c.body)
    ]
    await conn.execute(delete(outbox).where(outbox.c.community_id == community, or_(*named)))
    invited = select(tokens.c.token_hash, tokens.c.facts).where(tokens.c.community_id == community)
    theirs = [
        row.token_hash
        for row in await conn.execute(invited)
        if row.facts.get("name") == leaving.name or row.facts.get("member") == str(leaving.id)
    ]
    await conn.execute(delete(tokens).where(tokens.c.token_hash.in_(theirs)))


async def _erase_person(conn: AsyncConnection, community: UUID, person_id: UUID) -> None:
    """Mails and links of this community go; the sign-in too, where it was the last membership."""
    found = await conn.execute(select(people.c.email).where(people.c.id == person_id))
    email = found.scalar_one()
    others = select(members.members.c.id).where(members.members.c.person_id == person_id).limit(1)
    keeps_sign_in = (await conn.execute(others)).first() is not None
    mails = outbox.c.to_address == email
    if keeps_sign_in:
        mails = mails & (outbox.c.community_id == community)
    await conn.execute(delete(outbox).where(mails))
    invited = tokens.c.community_id == community
    for row in (
        await conn.execute(select(tokens.c.token_hash, tokens.c.facts).where(invited))
    ).all():
        if row.facts.get("email") == email:
            await conn.execute(delete(tokens).where(tokens.c.token_hash == row.token_hash))
    if not keeps_sign_in:
        await conn.execute(delete(sessions).where(sessions.c.person_id == person_id))
        await conn.execute(delete(tokens).where(tokens.c.person_id == person_id))
        await conn.execute(delete(people).where(people.c.id == person_id))


async def _about(conn: AsyncConnection, community: UUID, member: UUID) -> dict[str, Any]:
    table = members.members
    query = (
        select(table, people.c.email, people.c.language)
        .outerjoin(people, people.c.id == table.c.person_id)
        .where(table.c.community_id == community, table.c.id == member)
    )
    found = dict((await conn.execute(query)).one()._mapping)
    account = tables.account
    kept = await conn.execute(
        select(account.c.balance, account.c.lines).where(
            account.c.community_id == community, account.c.id == member
        )
    )
    row = kept.first()
    return found | ({"balance": row.balance, "lines": row.lines} if row else {})


async def _statement(conn: AsyncConnection, community: UUID, member: UUID) -> bytes:
    lines = await statements.rows(conn, community, member, by=member)
    table = spreadsheet.Table("statement", statements.HEADINGS, [line async for line in lines])
    return spreadsheet.write(table, Format.CSV)


async def _entries(conn: AsyncConnection, community: UUID, member: UUID) -> list[Mapping[str, Any]]:
    stands_in = select(parts.c.entry_id).where(
        parts.c.community_id == community, parts.c.account_id == member
    )
    query = select(entries).where(
        entries.c.community_id == community,
        or_(
            entries.c.id.in_(stands_in),
            entries.c.recorded_by == member,
            entries.c.on_behalf_of == member,
        ),
    )
    return await _rows(conn, query)


async def _governance(
    conn: AsyncConnection, community: UUID, member: UUID
) -> dict[str, Sequence[Mapping[str, Any]]]:
    table, voices, said = proposals.proposals, proposals.voices, proposals.steps
    return {
        "proposals": await _rows(
            conn,
            select(table).where(table.c.community_id == community, table.c.proposed_by == member),
        ),
        "voices": await _rows(
            conn,
            select(voices).where(
                voices.c.community_id == community,
                or_(voices.c.member_id == member, voices.c.said_by == member),
            ),
        ),
        "steps": await _rows(
            conn, select(said).where(said.c.community_id == community, said.c.member_id == member)
        ),
    }


async def _desk(conn: AsyncConnection, community: UUID, member: UUID) -> dict[str, Any]:
    """Notes of the desk that are about a member, or by them."""
    own = {
        past_limits: past_limits.c.account_id == member,
        oddities: oddities.c.account_id == member,
        aside.put_aside: aside.concerns(community, member),
        in_hand.in_hand: or_(
            in_hand.in_hand.c.member_id == member,
            in_hand.in_hand.c.thing_id == member,
            in_hand.in_hand.c.thing_id.in_(aside.things_of(community, member)),
        ),
        deeds.deeds: deeds.deeds.c.member_id == member,
        corrections.corrections: corrections.corrections.c.made_by == member,
        morning.mornings: morning.mornings.c.member_id == member,
    }
    return {
        table.name: await _rows(conn, select(table).where(table.c.community_id == community, which))
        for table, which in own.items()
    }


async def _listings(
    conn: AsyncConnection, community: UUID, member: UUID
) -> list[Mapping[str, Any]]:
    """What they offered and asked for, each with the answers it got."""
    found = [dict(row) for row in await _rows(conn, _of(listings.listings, community, member))]
    query = select(listings.answers).where(
        listings.answers.c.community_id == community,
        listings.answers.c.listing_id.in_([row["id"] for row in found]),
    )
    answers = await _rows(conn, query)
    for row in found:
        row["answers"] = [one for one in answers if one["listing_id"] == row["id"]]
    return list(found)


def _care(community: UUID, member: UUID) -> dict[str, Select[Any]]:
    """What coordinators keep about them, by what it is. What others asked for stays theirs."""
    apart = keeping_apart.apart_table
    return {
        "notes": _of(notes.notes, community, member),
        "checks": _of(checks.checks, community, member),
        "welcomed": _of(welcoming.ticks, community, member),
        "asked_to_stay": _of(stays.stays, community, member),
        "kept_apart": select(apart).where(
            apart.c.community_id == community,
            apart.c.asked_by == member,
            or_(apart.c.one_id == member, apart.c.other_id == member),
        ),
    }


def _is(table: FromClause, community: UUID, member: UUID) -> tuple[Any, Any]:
    return table.c.community_id == community, table.c.member_id == member


def _of(table: FromClause, community: UUID, member: UUID) -> Select[Any]:
    """The rows of a table that are about a member."""
    return select(table).where(*_is(table, community, member))


async def _rows(conn: AsyncConnection, query: Any) -> list[Mapping[str, Any]]:
    return [dict(row._mapping) for row in await conn.execute(query)]


def _json(value: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
    tidy = dict(value) if isinstance(value, Mapping) else [dict(row) for row in value]
    return json.dumps(tidy, default=_plain, ensure_ascii=False, indent=2) + "\n"


def _plain(value: object) -> object:
    """Ids as text, minutes as numbers, days and moments in ISO 8601; hashes and salts in hex."""
    if isinstance(value, Minutes):
        return value.count
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
