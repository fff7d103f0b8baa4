"""Recording: somebody writes down who gave whom how many minutes, and corrects it while it waits.

Whoever stands in an entry writes it down. Their own side counts as confirmed; those of the other
side who can be asked are asked.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.errors import KeyReused
from timebank import acting, agreements, communities, limits, odd, policy, shapes
from timebank.acting import Actor
from timebank.agreements import Agreement
from timebank.communities import Community
from timebank.entries import LONGEST_WORDS, entries, has_manager, known, load, one, parts
from timebank.entry import (
    Entry,
    Kind,
    NewEntry,
    Side,
    State,
    StepKind,
)
from timebank.entry_steps import at_hand, keep_step
from timebank.errors import (
    BadInput,
    DayAhead,
    Forbidden,
    NotFound,
    NotTakingPart,
    NotYours,
    SamePersonTwice,
    WrongState,
)
from timebank.limits import Foreseen
from timebank.members import Status, members
from timebank.moment import Moment
from timebank.shapes import NewPart

_SALT = 32  # random bytes


async def record(
    conn: AsyncConnection,
    community: UUID,
    new: NewEntry,
    *,
    by: UUID,
    now: Moment,
    entry_id: UUID | None = None,
    tell: bool = True,
) -> Entry:
    """Write an entry down and ask the other side.

    Minutes are rounded to the agreement's step, shares are exact. With an `entry_id`, writing the
    same down again (a double click, a retry) answers with what is there; other content under the
    same id raises `KeyReused`. Without `tell` nobody gets a mail: for who sees to it that they hear
    of it at once in another one. Refuses with `ReadOnlyMember`, `NotYours`, `Forbidden`,
    `NotTakingPart`, `DayAhead`, `NotFound`, `BadInput` and what `shapes.resolve` refuses.
    """
    actor = await acting.active(conn, community, by)
    draft = await prepare(conn, community, new, actor, now)
    return await put(conn, draft, actor, now, entry_id=entry_id, tell=tell)


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
    actor, entry = await at_hand(conn, community, entry_id, by)
    if actor.id != entry.recorded_by:
        raise Forbidden("change")
    if not policy.may_change(actor.member, entry):
        raise WrongState(entry.state, "change")
    draft = await prepare(conn, community, new, actor, now)
    await conn.execute(
        update(entries)
        .where(entries.c.community_id == community, entries.c.id == entry_id)
        .values(**_without_key(_as_row(draft, entry_id, now)))
    )
    await conn.execute(
        delete(parts).where(parts.c.community_id == community, parts.c.entry_id == entry_id)
    )
    await _put_parts(conn, draft, entry_id, actor, now)
    changed = await one(conn, community, entry_id)
    await odd.look(conn, changed, timezone=draft.community.timezone, now=now)
    past = await _foreseen(conn, changed, draft)
    await keep_step(conn, changed, StepKind.CHANGED, actor, now, foreseen=past)
    return changed


@dataclass(frozen=True, slots=True)
class Draft:
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


async def prepare(
    conn: AsyncConnection, community: UUID, new: NewEntry, actor: Actor, now: Moment
) -> Draft:
    """Check what somebody wrote against the agreement of today and who takes part.

    Nothing is written yet. Refuses with what `record` refuses.
    """
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
    return Draft(place, agreement, new, resolved, behalf, askable)


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
            has_manager(members.c.community_id, members.c.id, actor.id).label("managed"),
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


async def put(
    conn: AsyncConnection,
    draft: Draft,
    actor: Actor,
    now: Moment,
    *,
    entry_id: UUID | None = None,
    told: frozenset[UUID] = frozenset(),
    tell: bool = True,
) -> Entry:
    """Write down what was prepared; twice under one id is once.

    `told` know of it already, and without `tell` nobody gets a mail.
    """
    id = entry_id or now.new_id()
    community = draft.community.id
    row = _as_row(draft, id, now) | {
        "recorded_by": actor.id,
        "recorded_at": now.at,
        "contested": False,
    }
    if not await _put(conn, row):
        return await _already_there(conn, community, id, draft, actor)
    await _put_parts(conn, draft, id, actor, now)
    entry = await one(conn, community, id)
    await odd.look(conn, entry, timezone=draft.community.timezone, now=now)
    past = await _foreseen(conn, entry, draft)
    kind = StepKind.RECORDED
    await keep_step(conn, entry, kind, actor, now, told=told, foreseen=past, tell=tell)
    return entry


async def _foreseen(conn: AsyncConnection, entry: Entry, draft: Draft) -> list[Foreseen]:
    """Who would be past a soft limit by it, so that they hear of it before it is posted."""
    terms = draft.agreement.terms
    return await limits.foresee(conn, entry.community_id, terms, entry.kind, entry.parts)


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


def _as_row(draft: Draft, id: UUID, now: Moment) -> dict[str, Any]:
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
    if await known(conn, row["community_id"], row["id"]):
        return False
    # On PostgreSQL the same sheet may arrive twice at once: the second waits here for the first.
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    done = await conn.execute(dialect.insert(entries).values(**row).on_conflict_do_nothing())
    return done.rowcount == 1


async def _put_parts(
    conn: AsyncConnection, draft: Draft, entry_id: UUID, actor: Actor, now: Moment
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
    conn: AsyncConnection, community: UUID, id: UUID, draft: Draft, actor: Actor
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
