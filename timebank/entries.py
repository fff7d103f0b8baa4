"""Entries: their tables, and every step of their story but the posting (see `timebank.posting`).

Whoever stands in an entry writes it down. Their own side counts as confirmed; those of the other
side who can be asked are asked. Every step is kept with who, when and their words, in the
transaction of what it changes, together with the audit and the mails that tell of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    union,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.errors import KeyReused
from ledger.sql import metadata
from ledger.sql.types import Count, Day, Flag, Hash, Id, Instant, MinutesType, Words
from timebank import acting, agreements, audit, communities, notices, policy, shapes
from timebank.acting import Actor
from timebank.agreements import Agreement
from timebank.communities import Community
from timebank.entry import (
    OPEN,
    Entry,
    Kind,
    NewEntry,
    Part,
    Share,
    Side,
    State,
    Step,
    StepKind,
)
from timebank.errors import (
    BadInput,
    DayAhead,
    Forbidden,
    NotFound,
    NotTakingPart,
    NotYours,
    OwnGain,
    ReasonMissing,
    SamePersonTwice,
    WrongState,
)
from timebank.members import MemberKind, Status, buddies, members
from timebank.moment import Moment
from timebank.notices import EntryNews
from timebank.shapes import NewPart

__all__ = [
    "OPEN",
    "Entry",
    "Kind",
    "NewEntry",
    "Part",
    "Share",
    "Side",
    "State",
    "Step",
    "StepKind",
    "answer",
    "change",
    "confirm",
    "decline",
    "dispute",
    "entries",
    "get",
    "keep",
    "load",
    "parts",
    "recent_of",
    "record",
    "return_with_question",
    "several",
    "steps",
    "story",
    "waiting_for",
    "waiting_of",
    "withdraw",
]

LONGEST_WORDS = 4000
"""Characters of a note, a reason, a question or an answer."""

_SALT = 32  # random bytes

entries = Table(
    "entry",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("category_id", Id),
    Column("occurred_on", Day, nullable=False),
    Column("note", Words, nullable=False),
    Column("salt", Hash, nullable=False),  # of the commitment to the words; erased with them
    Column("minutes", MinutesType, nullable=False),  # what was given, all givers together
    Column("state", Words, nullable=False),
    Column("contested", Flag, nullable=False),
    Column("agreement_version", Count, nullable=False),
    Column("recorded_by", Id, nullable=False),
    Column("on_behalf_of", Id),
    Column("recorded_at", Instant, nullable=False),
    Column("touched_at", Instant, nullable=False),  # the last step
    Column("posted_at", Instant),
    Column("reverses_id", Id),
    Column("reversed_by_id", Id),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    ForeignKeyConstraint(["community_id", "recorded_by"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "on_behalf_of"], ["member.community_id", "member.id"]),
    ForeignKeyConstraint(["community_id", "category_id"], ["category.community_id", "category.id"]),
    ForeignKeyConstraint(
        ["community_id", "agreement_version"], ["agreement.community_id", "agreement.version"]
    ),
    ForeignKeyConstraint(["community_id", "reverses_id"], ["entry.community_id", "entry.id"]),
    CheckConstraint("minutes > 0", name="minutes"),
    Index("ix_entry_waiting", "community_id", "state", "recorded_at"),
    Index("ix_entry_contested", "community_id", "contested", "recorded_at"),
    Index("ix_entry_recorder", "community_id", "recorded_by", "state"),
    sqlite_strict=True,
)

parts = Table(  # who takes part in an entry, on which side, with how many minutes
    "part",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("entry_id", Id, primary_key=True),
    Column("account_id", Id, primary_key=True),
    Column("position", Count, nullable=False),
    Column("side", Words, nullable=False),
    Column("minutes", MinutesType, nullable=False),
    Column("awaited", Flag, nullable=False),  # we asked them and they have not answered
    Column("confirmed_at", Instant),
    Column("confirmed_by", Id),
    ForeignKeyConstraint(["community_id", "entry_id"], ["entry.community_id", "entry.id"]),
    ForeignKeyConstraint(["community_id", "account_id"], ["account.community_id", "account.id"]),
    CheckConstraint("minutes > 0", name="minutes"),
    CheckConstraint("side IN ('gave', 'received')", name="side"),
    Index("ix_part_awaited", "community_id", "account_id", "awaited", "entry_id"),
    sqlite_strict=True,
)

steps = Table(  # the story of an entry; append-only, but its words can be erased with a person
    "step",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("entry_id", Id, primary_key=True),
    Column("number", Count, primary_key=True),
    Column("kind", Words, nullable=False),
    Column("member_id", Id),  # NULL: the agreement itself (silence, no coordinator needed)
    Column("at", Instant, nullable=False),
    Column("words", Words, nullable=False),  # a reason, a question, an answer
    Column("override", Flag, nullable=False),  # a hard floor was passed, for the reason given
    Column("stood_in", Flag, nullable=False),  # the other side's confirmation stood in
    ForeignKeyConstraint(["community_id", "entry_id"], ["entry.community_id", "entry.id"]),
    ForeignKeyConstraint(["community_id", "member_id"], ["member.community_id", "member.id"]),
    sqlite_strict=True,
)


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────

# Aliases copy every column, so they are made once.
_RECORDER, _BEHALF = members.alias("recorder"), members.alias("behalf")
_MANAGER, _ORGANISATION = members.alias("manager"), members.alias("organisation")


async def get(conn: AsyncConnection, community: UUID, entry_id: UUID, *, by: UUID) -> Entry:
    """One entry, for those who may know of it; for everybody else there is none (`NotFound`)."""
    actor = await acting.one(conn, community, by)
    return await _seen(conn, community, entry_id, actor)


async def several(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID], *, by: UUID
) -> list[Entry]:
    """Those of these entries that `by` may know of, in the order asked for."""
    actor = await acting.one(conn, community, by)
    found = await load(conn, community, ids)
    return [entry for entry in found if policy.may_see_entry(actor.member, entry, actor.acts_for)]


async def story(conn: AsyncConnection, community: UUID, entry_id: UUID) -> list[Step]:
    """What happened to an entry, in order. Whether somebody may read it, `get` says."""
    rows = await conn.execute(
        select(steps, members.c.name.label("name"))
        .outerjoin(members, _is_member(steps, steps.c.member_id))
        .where(steps.c.community_id == community, steps.c.entry_id == entry_id)
        .order_by(steps.c.number)
    )
    return [
        Step(
            row.number,
            StepKind(row.kind),
            row.member_id,
            row.name,
            row.at,
            row.words,
            row.override,
            row.stood_in,
        )
        for row in rows
    ]


async def waiting_for(
    conn: AsyncConnection, community: UUID, member_id: UUID, limit: int
) -> list[Entry]:
    """What waits for a member's word, oldest first: entries to confirm, questions to answer.

    Entries of those they act for are among them.
    """
    asked = union(_awaited_from(community, member_id), _questions_to(community, member_id))
    return await _listed(conn, community, asked, limit, newest_first=False)


async def waiting_of(
    conn: AsyncConnection, community: UUID, member_id: UUID, limit: int
) -> list[Entry]:
    """What a member wrote down or stands in and what now waits for others, newest first."""
    theirs = _ids_of(community, member_id, OPEN)
    asked = union(_awaited_from(community, member_id), _questions_to(community, member_id))
    waiting = select(entries.c.id).where(
        entries.c.community_id == community,
        entries.c.id.in_(theirs),
        entries.c.id.not_in(asked),
    )
    return await _listed(conn, community, waiting, limit, newest_first=True)


async def recent_of(
    conn: AsyncConnection,
    community: UUID,
    member_id: UUID,
    limit: int,
    *,
    states: Collection[State] | None = None,
) -> list[Entry]:
    """What a member wrote down or stands in, newest first; with `states`, only those there."""
    wanted = tuple(states) if states is not None else tuple(State)
    theirs = _ids_of(community, member_id, wanted)
    return await _listed(conn, community, theirs, limit, newest_first=True)


async def load(conn: AsyncConnection, community: UUID, ids: Collection[UUID]) -> list[Entry]:
    """These entries in the order asked for, in two queries; what is not there is left out.

    Says nothing about who may see them.
    """
    if not ids:
        return []
    wanted = set(ids)
    rows = {row["id"]: row for row in await _rows(conn, community, wanted)}
    everyone: dict[UUID, list[Part]] = {}
    for entry_id, part in await _parts(conn, community, wanted):
        everyone.setdefault(entry_id, []).append(part)
    return [
        _entry(rows[id], tuple(everyone.get(id, ()))) for id in dict.fromkeys(ids) if id in rows
    ]


async def _rows(conn: AsyncConnection, community: UUID, ids: Collection[UUID]) -> list[Any]:
    recorder, behalf = _RECORDER, _BEHALF
    category = communities.categories
    found = await conn.execute(
        select(
            entries,
            recorder.c.name.label("recorded_by_name"),
            behalf.c.name.label("on_behalf_of_name"),
            category.c.name.label("category"),
        )
        .join(
            recorder,
            and_(
                recorder.c.community_id == entries.c.community_id,
                recorder.c.id == entries.c.recorded_by,
            ),
        )
        .outerjoin(
            behalf,
            and_(
                behalf.c.community_id == entries.c.community_id,
                behalf.c.id == entries.c.on_behalf_of,
            ),
        )
        .outerjoin(
            category,
            and_(
                category.c.community_id == entries.c.community_id,
                category.c.id == entries.c.category_id,
            ),
        )
        .where(entries.c.community_id == community, entries.c.id.in_(ids))
    )
    return [row._mapping for row in found]


async def _parts(
    conn: AsyncConnection, community: UUID, ids: Collection[UUID]
) -> list[tuple[UUID, Part]]:
    """The parts of these entries in their written order. The commons is named as the community."""
    commons = communities.communities
    rows = await conn.execute(
        select(
            parts,
            func.coalesce(members.c.name, commons.c.name).label("name"),
            members.c.person_id,
            _has_manager(parts.c.community_id, members.c.id, None).label("managed"),
        )
        .outerjoin(members, _is_member(parts, parts.c.account_id))
        .outerjoin(commons, commons.c.id == parts.c.account_id)
        .where(parts.c.community_id == community, parts.c.entry_id.in_(ids))
        .order_by(parts.c.entry_id, parts.c.position)
    )
    return [
        (
            row.entry_id,
            Part(
                row.account_id,
                row.name or "",
                Side(row.side),
                row.minutes,
                row.awaited,
                row.confirmed_at,
                row.confirmed_by,
                row.person_id is not None or bool(row.managed),
            ),
        )
        for row in rows
    ]


def _entry(row: Any, everyone: tuple[Part, ...]) -> Entry:
    return Entry(
        community_id=row["community_id"],
        id=row["id"],
        kind=Kind(row["kind"]),
        category=row["category"],
        category_id=row["category_id"],
        occurred_on=row["occurred_on"],
        note=row["note"],
        minutes=row["minutes"],
        state=State(row["state"]),
        contested=row["contested"],
        agreement_version=row["agreement_version"],
        recorded_by=row["recorded_by"],
        recorded_by_name=row["recorded_by_name"],
        on_behalf_of=row["on_behalf_of"],
        on_behalf_of_name=row["on_behalf_of_name"],
        recorded_at=row["recorded_at"],
        touched_at=row["touched_at"],
        posted_at=row["posted_at"],
        reverses_id=row["reverses_id"],
        reversed_by_id=row["reversed_by_id"],
        parts=everyone,
    )


async def _listed(
    conn: AsyncConnection, community: UUID, ids: Any, limit: int, *, newest_first: bool
) -> list[Entry]:
    """At most `limit` of the entries a query of ids names, by when they were recorded."""
    at, id = entries.c.recorded_at, entries.c.id
    order = (at.desc(), id.desc()) if newest_first else (at, id)
    rows = await conn.execute(
        select(id)
        .where(entries.c.community_id == community, id.in_(ids))
        .order_by(*order)
        .limit(limit)
    )
    return await load(conn, community, [row.id for row in rows])


def _ids_of(community: UUID, member_id: UUID, states: Sequence[State]) -> Any:
    """The entries a member stands in or wrote down, in these states."""
    wanted = [state.value for state in states]
    stands = (
        select(entries.c.id)
        .join(
            parts,
            and_(parts.c.community_id == entries.c.community_id, parts.c.entry_id == entries.c.id),
        )
        .where(
            entries.c.community_id == community,
            parts.c.account_id == member_id,
            entries.c.state.in_(wanted),
        )
    )
    wrote = select(entries.c.id).where(
        entries.c.community_id == community,
        entries.c.recorded_by == member_id,
        entries.c.state.in_(wanted),
    )
    return union(stands, wrote)


def _awaited_from(community: UUID, member_id: UUID) -> Select[Any]:
    """Entries that wait for a member's own word, or for that of somebody they act for."""
    speaks_for = union_all(
        select(literal(member_id, Id)),
        select(buddies.c.member_id).where(
            buddies.c.community_id == community,
            buddies.c.buddy_id == member_id,
            buddies.c.until.is_(None),
        ),
    )
    return (
        select(entries.c.id)
        .join(
            parts,
            and_(parts.c.community_id == entries.c.community_id, parts.c.entry_id == entries.c.id),
        )
        .where(
            entries.c.community_id == community,
            entries.c.state.in_([State.RECORDED.value, State.CONFIRMED.value]),
            entries.c.recorded_by != member_id,
            parts.c.awaited,
            parts.c.account_id.in_(speaks_for),
        )
    )


def _questions_to(community: UUID, member_id: UUID) -> Select[Any]:
    return select(entries.c.id).where(
        entries.c.community_id == community,
        entries.c.recorded_by == member_id,
        entries.c.state == State.RETURNED.value,
    )


# ── Recording ────────────────────────────────────────────────────────────────────────────────────


async def record(
    conn: AsyncConnection,
    community: UUID,
    new: NewEntry,
    *,
    by: UUID,
    now: Moment,
    entry_id: UUID | None = None,
) -> Entry:
    """Write an entry down and ask the other side.

    Minutes are rounded to the agreement's step, shares are exact. With an `entry_id`, writing the
    same down again (a double click, a retry) answers with what is there; other content under the
    same id raises `KeyReused`. Refuses with `ReadOnlyMember`, `NotYours`, `Forbidden`,
    `NotTakingPart`, `DayAhead`, `NotFound`, `BadInput` and what `shapes.resolve` refuses.
    """
    actor = await acting.active(conn, community, by)
    draft = await _draft(conn, community, new, actor, now)
    id = entry_id or now.new_id()
    row = _as_row(draft, id, now) | {
        "recorded_by": by,
        "recorded_at": now.at,
        "contested": False,
    }
    if not await _put(conn, row):
        return await _already_there(conn, community, id, draft, actor)
    await _put_parts(conn, draft, id, actor, now)
    entry = await _one(conn, community, id)
    await _keep_step(conn, entry, StepKind.RECORDED, actor, now)
    return entry


async def change(
    conn: AsyncConnection,
    community: UUID,
    entry_id: UUID,
    new: NewEntry,
    *,
    by: UUID,
    now: Moment,
) -> Entry:
    """Correct an entry that waits; the other side is asked again.

    By whoever wrote it down (`Forbidden`), while it waits (`WrongState`). It goes under the
    agreement of today, and is refused for the same reasons as a new one.
    """
    actor, entry = await _at_hand(conn, community, entry_id, by)
    if actor.id != entry.recorded_by:
        raise Forbidden("change")
    if not policy.may_change(actor.member, entry):
        raise WrongState(entry.state, "change")
    draft = await _draft(conn, community, new, actor, now)
    await conn.execute(
        update(entries)
        .where(entries.c.community_id == community, entries.c.id == entry_id)
        .values(**_without_key(_as_row(draft, entry_id, now)))
    )
    await conn.execute(
        delete(parts).where(parts.c.community_id == community, parts.c.entry_id == entry_id)
    )
    await _put_parts(conn, draft, entry_id, actor, now)
    changed = await _one(conn, community, entry_id)
    await _keep_step(conn, changed, StepKind.CHANGED, actor, now)
    return changed


@dataclass(frozen=True, slots=True)
class _Draft:
    """A new entry, checked: its parts with minutes, and on whose behalf it is written."""

    community: Community
    agreement: Agreement
    new: NewEntry
    parts: tuple[NewPart, ...]
    on_behalf_of: UUID | None
    askable: frozenset[UUID]  # those who can answer: themselves, or an organisation's manager

    @property
    def minutes(self) -> Any:
        return sum(
            (part.minutes for part in self.parts[1:] if part.side is Side.GAVE),
            self.parts[0].minutes,
        )

    def own(self, actor: Actor) -> frozenset[UUID]:
        """Whose side counts as confirmed: the recorder's, or theirs for whom it is recorded."""
        if any(part.account_id == actor.id for part in self.parts):
            return frozenset({actor.id})
        return frozenset({self.on_behalf_of}) if self.on_behalf_of else frozenset()


async def _draft(
    conn: AsyncConnection, community: UUID, new: NewEntry, actor: Actor, now: Moment
) -> _Draft:
    """Check what somebody wrote against the agreement of today and who takes part."""
    place = await communities.by_id(conn, community)
    agreement = await agreements.current(conn, community)
    if new.occurred_on > now.day_in(place.timezone):
        raise DayAhead(new.occurred_on)
    if len(new.note) > LONGEST_WORDS:
        raise BadInput("note", "too_long", LONGEST_WORDS)
    names, askable = await _taking_part(conn, place, new, actor)
    _refuse_not_theirs(new, actor, place)
    await _refuse_strange_category(conn, community, new.category_id)
    try:
        resolved = shapes.resolve(new, agreement.terms.step, agreement.terms.rounding)
    except SamePersonTwice as error:
        raise SamePersonTwice(names.get(UUID(error.name), place.name)) from None
    behalf = _on_behalf_of(new, actor)
    return _Draft(place, agreement, new, resolved, behalf, askable)


async def _taking_part(
    conn: AsyncConnection, place: Community, new: NewEntry, actor: Actor
) -> tuple[dict[UUID, str], frozenset[UUID]]:
    """The names of all who take part, and which of them can be asked. All have to be active."""
    wanted = {share.account_id for share in (*new.givers, *new.receivers)} - {place.commons_id}
    rows = await conn.execute(
        select(
            members.c.id,
            members.c.name,
            members.c.status,
            members.c.person_id,
            _has_manager(members.c.community_id, members.c.id, actor.id).label("managed"),
        ).where(members.c.community_id == place.id, members.c.id.in_(wanted))
    )
    found = {row.id: row for row in rows}
    if wanted - set(found):
        raise NotFound("member")
    for row in found.values():
        if row.status != Status.ACTIVE:
            raise NotTakingPart(row.name)
    askable = {row.id for row in found.values() if row.person_id is not None or row.managed}
    return {row.id: row.name for row in found.values()}, frozenset(askable)


def _refuse_not_theirs(new: NewEntry, actor: Actor, place: Community) -> None:
    """Whether this member may write this down, and give these hours away."""
    me = actor.member
    givers = [share.account_id for share in new.givers]
    receivers = [share.account_id for share in new.receivers]
    if not policy.may_record(me, [*givers, *receivers], actor.acts_for):
        raise NotYours
    if new.on_behalf_of is not None:
        named = new.on_behalf_of in (*givers, *receivers)
        theirs = new.on_behalf_of in actor.acts_for or policy.may_coordinate(me)
        if not named or not theirs or new.on_behalf_of == place.commons_id:
            raise NotYours
    if not new.kind.is_gift:
        return
    if new.kind is Kind.DONATION and receivers != [place.commons_id]:
        raise BadInput("kind", "donation_goes_to_commons")
    for giver in givers:
        if new.kind is Kind.GRANT and giver == place.commons_id and not policy.may_coordinate(me):
            raise Forbidden("grant")
        if not policy.may_give_from(me, giver, actor.acts_for):
            raise NotYours


async def _refuse_strange_category(
    conn: AsyncConnection, community: UUID, category_id: UUID | None
) -> None:
    if category_id is None:
        return
    table = communities.categories
    found = await conn.scalar(
        select(table.c.id).where(table.c.community_id == community, table.c.id == category_id)
    )
    if found is None:
        raise NotFound("category")


def _on_behalf_of(new: NewEntry, actor: Actor) -> UUID | None:
    """For whom it is written down: nobody, when the recorder stands in it themselves."""
    everyone = [share.account_id for share in (*new.givers, *new.receivers)]
    if actor.id in everyone:
        return None
    if new.on_behalf_of is not None:
        return new.on_behalf_of
    return next((account for account in everyone if account in actor.acts_for), None)


def _as_row(draft: _Draft, id: UUID, now: Moment) -> dict[str, Any]:
    return {
        "community_id": draft.community.id,
        "id": id,
        "kind": draft.new.kind.value,
        "category_id": draft.new.category_id,
        "occurred_on": draft.new.occurred_on,
        "note": draft.new.note,
        "salt": now.random_bytes(_SALT),
        "minutes": draft.minutes,
        "state": State.RECORDED.value,
        "agreement_version": draft.agreement.version,
        "on_behalf_of": draft.on_behalf_of,
        "touched_at": now.at,
    }


def _without_key(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("community_id", "id")}


async def _put(conn: AsyncConnection, row: dict[str, Any]) -> bool:
    """Insert an entry unless its id is taken; whether it was inserted."""
    taken = select(entries.c.id).where(
        entries.c.community_id == row["community_id"], entries.c.id == row["id"]
    )
    if (await conn.execute(taken)).first():
        return False
    # On PostgreSQL the same sheet may arrive twice at once: the second waits here for the first.
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    done = await conn.execute(dialect.insert(entries).values(**row).on_conflict_do_nothing())
    return done.rowcount == 1


async def _put_parts(
    conn: AsyncConnection, draft: _Draft, entry_id: UUID, actor: Actor, now: Moment
) -> None:
    """Who takes part. The recorder's side counts as confirmed, the rest is asked if possible.

    In the order of the accounts' ids: that is the order in which postings lock them.
    """
    own = draft.own(actor)
    own_sides = {part.side for part in draft.parts if part.account_id in own}
    rows: list[dict[str, Any]] = []
    for position, part in enumerate(draft.parts, start=1):
        agreed = part.side in own_sides
        rows.append(
            {
                "community_id": draft.community.id,
                "entry_id": entry_id,
                "account_id": part.account_id,
                "position": position,
                "side": part.side.value,
                "minutes": part.minutes,
                "awaited": not agreed and part.account_id in draft.askable,
                "confirmed_at": now.at if agreed else None,
                "confirmed_by": actor.id if agreed else None,
            }
        )
    await conn.execute(insert(parts), sorted(rows, key=lambda row: row["account_id"]))


async def _already_there(
    conn: AsyncConnection, community: UUID, id: UUID, draft: _Draft, actor: Actor
) -> Entry:
    """The entry that a retry finds, if it says the same and was written by the same member."""
    found = await load(conn, community, [id])
    if not found or found[0].recorded_by != actor.id:
        raise KeyReused(id)
    entry, new = found[0], draft.new
    said = [(part.account_id, part.side, part.minutes) for part in entry.parts]
    same = (
        said == [(part.account_id, part.side, part.minutes) for part in draft.parts]
        and (entry.kind, entry.occurred_on, entry.note, entry.category_id)
        == (new.kind, new.occurred_on, new.note, new.category_id)
        and entry.on_behalf_of == draft.on_behalf_of
    )
    if not same:
        raise KeyReused(id)
    return entry


# ── The other side ───────────────────────────────────────────────────────────────────────────────


async def confirm(
    conn: AsyncConnection,
    community: UUID,
    entry_id: UUID,
    words: str = "",
    *,
    by: UUID,
    now: Moment,
) -> Entry:
    """Say that an entry is right: for oneself, or for those one acts for.

    Saying it twice is saying it once. When nobody is asked any more, the entry is confirmed.
    Refuses with `Forbidden` and `WrongState`.
    """
    _refuse_long(words)
    actor, entry = await _at_hand(conn, community, entry_id, by)
    mine = policy.answerable(actor.member, entry, actor.acts_for)
    if not mine:
        raise Forbidden("confirm")
    if all(part.confirmed_at is not None for part in mine) and entry.state is not State.DISPUTED:
        return entry
    if not policy.may_confirm(actor.member, entry, actor.acts_for):
        raise WrongState(entry.state, "confirm")
    accounts = {part.account_id for part in mine}
    await _answered(conn, entry, accounts, confirmed_at=now.at, confirmed_by=actor.id)
    state = _settled(await _one(conn, community, entry_id))
    return await _move(conn, entry, state, StepKind.CONFIRMED, actor, now, words)


async def dispute(
    conn: AsyncConnection,
    community: UUID,
    entry_id: UUID,
    words: str = "",
    *,
    by: UUID,
    now: Moment,
) -> Entry:
    """Say that an entry is not right, and how it was (`ReasonMissing` without words).

    Before it is approved, it then waits for a coordinator. Afterwards, for as many days as the
    agreement allows, it stays posted and is contested. Refuses with `Forbidden` and `WrongState`.
    """
    _refuse_empty(words)
    actor, entry = await _at_hand(conn, community, entry_id, by)
    if not policy.stands_in(actor.member, entry, actor.acts_for):
        raise Forbidden("dispute")
    if not policy.may_dispute(actor.member, entry, actor.acts_for):
        raise WrongState(entry.state, "dispute")
    if entry.state is State.APPROVED:
        terms = (await agreements.current(conn, community)).terms
        if now.at.date() > policy.dispute_ends(entry, terms):
            raise WrongState(entry.state, "dispute")
        return await _move(
            conn, entry, entry.state, StepKind.DISPUTED, actor, now, words, contested=True
        )
    accounts = {part.account_id for part in policy.answerable(actor.member, entry, actor.acts_for)}
    await _answered(conn, entry, accounts, confirmed_at=None, confirmed_by=None)
    return await _move(conn, entry, State.DISPUTED, StepKind.DISPUTED, actor, now, words)


async def answer(
    conn: AsyncConnection,
    community: UUID,
    entry_id: UUID,
    words: str = "",
    *,
    by: UUID,
    now: Moment,
) -> Entry:
    """Answer a coordinator's question, or what somebody said against an entry.

    A returned entry then waits as it did before. Needs words; refuses with `Forbidden` and
    `WrongState`.
    """
    _refuse_empty(words)
    actor, entry = await _at_hand(conn, community, entry_id, by)
    if not policy.may_answer(actor.member, entry, actor.acts_for):
        if entry.state is State.RETURNED:
            raise Forbidden("answer")
        raise WrongState(entry.state, "answer")
    state = _settled(entry) if entry.state is State.RETURNED else entry.state
    return await _move(conn, entry, state, StepKind.ANSWERED, actor, now, words)


async def withdraw(
    conn: AsyncConnection,
    community: UUID,
    entry_id: UUID,
    words: str = "",
    *,
    by: UUID,
    now: Moment,
) -> Entry:
    """Take back an entry that waits: whoever wrote it down, or a coordinator.

    Twice is once. Refuses with `Forbidden` and `WrongState`.
    """
    _refuse_long(words)
    actor, entry = await _at_hand(conn, community, entry_id, by)
    if actor.id != entry.recorded_by and not policy.may_coordinate(actor.member):
        raise Forbidden("withdraw")
    if entry.state is State.WITHDRAWN:
        return entry
    if not policy.may_withdraw(actor.member, entry):
        raise WrongState(entry.state, "withdraw")
    return await _move(conn, entry, State.WITHDRAWN, StepKind.WITHDRAWN, actor, now, words)


# ── A coordinator ────────────────────────────────────────────────────────────────────────────────


async def return_with_question(
    conn: AsyncConnection,
    community: UUID,
    entry_id: UUID,
    words: str = "",
    *,
    by: UUID,
    now: Moment,
) -> Entry:
    """Send an entry back to whoever wrote it down, with a question (`ReasonMissing` without)."""
    _refuse_empty(words)
    actor, entry = await _for_coordinator(conn, community, entry_id, by, "return")
    if not policy.may_return(actor.member, entry):
        raise WrongState(entry.state, "return")
    return await _move(conn, entry, State.RETURNED, StepKind.RETURNED, actor, now, words)


async def decline(
    conn: AsyncConnection,
    community: UUID,
    entry_id: UUID,
    words: str = "",
    *,
    by: UUID,
    now: Moment,
) -> Entry:
    """Decline an entry that waits, with a reason that all concerned can read. Twice is once."""
    _refuse_empty(words)
    actor, entry = await _for_coordinator(conn, community, entry_id, by, "decline")
    if entry.state is State.DECLINED:
        return entry
    if not policy.may_decline(actor.member, entry):
        raise WrongState(entry.state, "decline")
    return await _move(conn, entry, State.DECLINED, StepKind.DECLINED, actor, now, words)


async def keep(
    conn: AsyncConnection,
    community: UUID,
    entry_id: UUID,
    words: str = "",
    *,
    by: UUID,
    now: Moment,
) -> Entry:
    """Settle what was said against a posted entry: it stays, for the reason given.

    Not by a coordinator who gained from it (`OwnGain`).
    """
    _refuse_empty(words)
    actor, entry = await _for_coordinator(conn, community, entry_id, by, "keep")
    if not entry.contested:
        raise WrongState(entry.state, "keep")
    if not policy.may_keep(actor.member, entry, actor.manages):
        raise OwnGain("keep")
    return await _move(conn, entry, entry.state, StepKind.KEPT, actor, now, words, contested=False)


# ── What all steps share ─────────────────────────────────────────────────────────────────────────


async def lock(conn: AsyncConnection, community: UUID, ids: Iterable[UUID]) -> set[UUID]:
    """Keep others from moving these entries until the transaction ends; those that are there."""
    rows = await conn.execute(
        select(entries.c.id)
        .where(entries.c.community_id == community, entries.c.id.in_(set(ids)))
        .order_by(entries.c.id)
        .with_for_update()
    )
    return {row.id for row in rows}


async def _at_hand(
    conn: AsyncConnection, community: UUID, entry_id: UUID, by: UUID
) -> tuple[Actor, Entry]:
    """Who acts, and the entry, locked and as it stands now; `NotFound` if they may not see it."""
    actor = await acting.one(conn, community, by)
    await lock(conn, community, [entry_id])
    entry = await _seen(conn, community, entry_id, actor)
    await acting.active(conn, community, by)
    return actor, entry


async def _for_coordinator(
    conn: AsyncConnection, community: UUID, entry_id: UUID, by: UUID, action: str
) -> tuple[Actor, Entry]:
    actor, entry = await _at_hand(conn, community, entry_id, by)
    if not policy.may_coordinate(actor.member):
        raise Forbidden(action)
    return actor, entry


async def _seen(conn: AsyncConnection, community: UUID, entry_id: UUID, actor: Actor) -> Entry:
    found = await load(conn, community, [entry_id])
    if not found or not policy.may_see_entry(actor.member, found[0], actor.acts_for):
        raise NotFound("entry")
    return found[0]


async def _one(conn: AsyncConnection, community: UUID, entry_id: UUID) -> Entry:
    (entry,) = await load(conn, community, [entry_id])
    return entry


async def _answered(
    conn: AsyncConnection, entry: Entry, accounts: Collection[UUID], **values: Any
) -> None:
    """These parts have said something, so they are not waited for any more."""
    await conn.execute(
        update(parts)
        .where(
            parts.c.community_id == entry.community_id,
            parts.c.entry_id == entry.id,
            parts.c.account_id.in_(accounts),
        )
        .values(awaited=False, **values)
    )


def _settled(entry: Entry) -> State:
    """Recorded, confirmed or still disputed, judging by who has said what."""
    others = [part for part in entry.parts if part.account_id != entry.community_id]
    if entry.state is State.DISPUTED and any(part.confirmed_at is None for part in others):
        return State.DISPUTED
    asked = [part for part in others if part.confirmed_by not in (None, entry.recorded_by)]
    waits = any(part.awaited for part in others)
    return State.CONFIRMED if asked and not waits else State.RECORDED


async def _move(
    conn: AsyncConnection,
    entry: Entry,
    state: State,
    kind: StepKind,
    by: Actor,
    now: Moment,
    words: str,
    *,
    contested: bool | None = None,
) -> Entry:
    """Put an entry into a state and keep the step that led there."""
    await conn.execute(
        update(entries)
        .where(entries.c.community_id == entry.community_id, entries.c.id == entry.id)
        .values(
            state=state.value,
            touched_at=now.at,
            contested=entry.contested if contested is None else contested,
        )
    )
    if state in (State.WITHDRAWN, State.DECLINED):
        await _answered(conn, entry, [part.account_id for part in entry.parts])
    moved = await _one(conn, entry.community_id, entry.id)
    await _keep_step(conn, moved, kind, by, now, words)
    return moved


async def _keep_step(
    conn: AsyncConnection,
    entry: Entry,
    kind: StepKind,
    by: Actor,
    now: Moment,
    words: str = "",
) -> None:
    """Keep a step, write the audit and tell those concerned."""
    number = select(func.coalesce(func.max(steps.c.number), 0) + 1).where(
        steps.c.community_id == entry.community_id, steps.c.entry_id == entry.id
    )
    await conn.execute(
        insert(steps).values(
            community_id=entry.community_id,
            entry_id=entry.id,
            number=number.scalar_subquery(),
            kind=kind.value,
            member_id=by.id,
            at=now.at,
            words=words,
            override=False,
            stood_in=False,
        )
    )
    await audit.write(
        conn,
        entry.community_id,
        actor=by.id,
        action=f"entry.{kind.value}",
        subject_kind="entry",
        subject=entry.id,
        facts={"state": entry.state.value},
        agreement_version=entry.agreement_version,
        now=now,
    )
    news = EntryNews(entry, kind, by.id, by.member.name, words)
    await notices.entry_steps(conn, entry.community_id, [news], now=now)


def _refuse_long(words: str) -> None:
    if len(words) > LONGEST_WORDS:
        raise BadInput("words", "too_long", LONGEST_WORDS)


def _refuse_empty(words: str) -> None:
    if not words.strip():
        raise ReasonMissing
    _refuse_long(words)


def _is_member(table: Any, id: Any) -> Any:
    return and_(members.c.community_id == table.c.community_id, members.c.id == id)


def _has_manager(community: Any, member: Any, other_than: UUID | None) -> Any:
    """Whether an organisation has a manager with a sign-in, other than the one who writes."""
    manager, organisation = _MANAGER, _ORGANISATION
    found = (
        select(buddies.c.id)
        .join(
            manager,
            and_(
                manager.c.community_id == buddies.c.community_id,
                manager.c.id == buddies.c.buddy_id,
            ),
        )
        .join(
            organisation,
            and_(
                organisation.c.community_id == buddies.c.community_id,
                organisation.c.id == buddies.c.member_id,
            ),
        )
        .where(
            buddies.c.community_id == community,
            buddies.c.member_id == member,
            buddies.c.until.is_(None),
            organisation.c.kind == MemberKind.ORGANISATION.value,
            manager.c.person_id.is_not(None),
            manager.c.status == Status.ACTIVE.value,
        )
    )
    if other_than is not None:
        found = found.where(manager.c.id != other_than)
    return exists(found.correlate_except(buddies, manager, organisation))
