"""Planning a gathering: making it, changing it, calling it off.

Several at once, "every second Tuesday", are in `timebank.series`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import Select

from timebank import (
    acting,
    agreements,
    communities,
    gathering_mails,
    guest_links,
    policy,
    seats,
)
from timebank import gathering as gathering_values
from timebank import plan as plans
from timebank.acting import Actor
from timebank.agreements import Agreement, Terms
from timebank.communities import Community
from timebank.errors import BadInput, Forbidden, NotFound, RoleCarried, WrongState
from timebank.gathering import CARRIED, Gathering, note
from timebank.gatherings import (
    Answer,
    Rule,
    State,
    duties,
    formats,
    gathering_roles,
    gatherings,
    hosts,
    reminders,
)
from timebank.gatherings import seats as seat_table
from timebank.members import MemberKind, Status, members
from timebank.moment import Moment
from timebank.moments import earlier
from timebank.plan import Plan, When
from timebank.roles import AgreedRole, BuiltIn

SOON = timedelta(days=7)
"""A gathering within these days that lacks somebody waits for a coordinator."""

_IN_CALENDARS = ("title", "purpose", "place", "access", "link", "starts_at", "ends_at")
_TO_BE_TOLD = ("place", "link", "starts_at", "ends_at")


@dataclass(frozen=True, slots=True)
class Setting:
    """What planning rests on: the community, and the agreement in force."""

    here: Community
    agreement: Agreement

    @property
    def terms(self) -> Terms:
        """What the agreement says."""
        return self.agreement.terms


async def setting(conn: AsyncConnection, community: UUID) -> Setting:
    """The community as it is now."""
    return Setting(
        await communities.by_id(conn, community), await agreements.current(conn, community)
    )


async def make(
    conn: AsyncConnection,
    community: UUID,
    plan: Plan,
    when: When,
    *,
    by: UUID,
    now: Moment,
    id: UUID | None = None,
) -> UUID:
    """Plan one gathering, with the minutes the agreement names for each role; its id.

    Active members plan (`ReadOnlyMember`). Raises `BadInput` for what cannot be meant. The same
    `id` again, by the same member, is the same gathering: a double click plans once.
    """
    actor = await acting.active(conn, community, by)
    if not policy.may_plan(actor.member):
        raise Forbidden("plan")
    if id is not None and await is_there(conn, community, id, by):
        return id
    known = await setting(conn, community)
    plan = plans.tidy(plan)
    plans.refuse_nonsense(plan, when, now.at, known.here.timezone)
    await refuse_strangers(conn, community, plan)
    made = id or now.new_id()
    await put(conn, known, plan, when, id=made, by=by, now=now)
    found = await gathering_values.get(conn, community, made)
    await note(conn, found, "gathering.planned", by=by, now=now)
    return made


async def is_there(conn: AsyncConnection, community: UUID, id: UUID, by: UUID) -> bool:
    """Whether this member made a gathering of this id before; another's is `NotFound`.

    Their own row is locked: of two clicks at once, the second waits here for the first.
    """
    own = select(members.c.id).where(members.c.community_id == community, members.c.id == by)
    await conn.execute(own.with_for_update(key_share=True))
    query = select(gatherings.c.made_by).where(
        gatherings.c.community_id == community, gatherings.c.id == id
    )
    found = (await conn.execute(query)).first()
    if found is not None and found.made_by != by:
        raise NotFound("gathering")
    return found is not None


async def put(
    conn: AsyncConnection,
    known: Setting,
    plan: Plan,
    when: When,
    *,
    id: UUID,
    by: UUID,
    now: Moment,
    series_id: UUID | None = None,
    occurs_on: date | None = None,
) -> None:
    """Write a planned gathering with its hosts and roles. For here and `series`, which decide."""
    community = known.here.id
    await conn.execute(
        insert(gatherings).values(
            community_id=community,
            id=id,
            series_id=series_id,
            occurs_on=occurs_on,
            state=State.PLANNED.value,
            agreement_version=known.agreement.version,
            made_by=by,
            made_at=now.at,
            touched_at=now.at,
            **_columns(known.here, plan, when),
        )
    )
    await _put_hosts(conn, community, id, plan.hosts)
    await _put_roles(conn, community, id, _wanted(known.terms, plan))


def _columns(here: Community, plan: Plan, when: When) -> dict[str, Any]:
    """The columns that a plan decides."""
    payer = plan.payer_id or here.commons_id
    return {
        "format_id": plan.format_id,
        "title": plan.title,
        "purpose": plan.purpose,
        "place": plan.place,
        "access": plan.access,
        "link": plan.link,
        "area": plan.area,
        "bring": plan.bring,
        "starts_at": when.starts_at(here.timezone),
        "ends_at": when.ends_at(here.timezone),
        "capacity": plan.capacity,
        "openness": plan.openness.value,
        "rule": plan.rule.value,
        "credits_taking_part": plan.credits_taking_part,
        "payer_id": payer if plan.rule is Rule.SPONSORED else None,
    }


def _wanted(terms: Terms, plan: Plan) -> list[tuple[int, AgreedRole, int]]:
    """Taking part, and the roles it needs, as far as the agreement has them.

    Each with its place there, and how many people it needs.
    """
    needed = dict(plan.roles)
    return [
        (position, role, needed.get(role.key, 0))
        for position, role in enumerate(terms.roles)
        if role.key in needed or role.key == BuiltIn.TAKE_PART
    ]


async def _put_hosts(conn: AsyncConnection, community: UUID, id: UUID, ids: Iterable[UUID]) -> None:
    rows = [{"community_id": community, "gathering_id": id, "member_id": host} for host in ids]
    if rows:
        await conn.execute(insert(hosts), rows)


async def _put_roles(
    conn: AsyncConnection, community: UUID, id: UUID, wanted: Iterable[tuple[int, AgreedRole, int]]
) -> None:
    rows = [
        {
            "community_id": community,
            "gathering_id": id,
            "key": role.key,
            "name": role.name,
            "kind": role.kind.value,
            "before": role.before,
            "during": role.during,
            "after": role.after,
            "wanted": number,
            "position": position,
        }
        for position, role, number in wanted
    ]
    if rows:
        await conn.execute(insert(gathering_roles), rows)


async def refuse_strangers(conn: AsyncConnection, community: UUID, plan: Plan) -> None:
    """Raise `BadInput` for hosts, payers and formats that this community does not have."""
    houses = {*plan.hosts, *([plan.payer_id] if plan.payer_id not in (None, community) else [])}
    query = select(members.c.id).where(
        members.c.community_id == community,
        members.c.id.in_(houses),
        members.c.kind == MemberKind.ORGANISATION.value,
        members.c.status == Status.ACTIVE.value,
    )
    known = {row.id for row in await conn.execute(query)} if houses else set()
    if not set(plan.hosts) <= known:
        raise BadInput("hosts", "not_offered")
    if not houses <= known:
        raise BadInput("payer", "not_offered")
    if plan.format_id is not None:
        there = select(formats.c.id).where(
            formats.c.community_id == community, formats.c.id == plan.format_id
        )
        if (await conn.execute(there)).first() is None:
            raise BadInput("format", "not_offered")


# ── Changing it ──────────────────────────────────────────────────────────────────────────────────


async def edit(
    conn: AsyncConnection,
    community: UUID,
    id: UUID,
    plan: Plan,
    when: When,
    *,
    by: UUID,
    now: Moment,
) -> None:
    """Change this gathering and no other. Everyone with a seat is told of a new time or place.

    Organisers do (`Forbidden`), as long as it is planned (`WrongState`). A role that somebody
    carries stays (`RoleCarried`). More room lets those who wait move up.
    """
    _actor, before = await at_hand(conn, community, id, by, "edit")
    known = await setting(conn, community)
    plan = plans.tidy(plan)
    plans.refuse_nonsense(plan, when, now.at, known.here.timezone)
    await refuse_strangers(conn, community, plan)
    after = await change(conn, known, before, plan, when, now=now)
    await gathering_mails.changed(conn, known.here, [(before, after)], by=by, now=now)
    await note(conn, after, "gathering.changed", by=by, now=now)


async def at_hand(
    conn: AsyncConnection, community: UUID, id: UUID, by: UUID, action: str
) -> tuple[Actor, Gathering]:
    """An organiser, and the gathering, locked; only while it is planned (`WrongState`)."""
    actor = await acting.active(conn, community, by)
    found = await gathering_values.lock(conn, community, id)
    if not policy.may_see_gathering(actor.member, found, actor.acts_for):
        raise NotFound("gathering")
    if not policy.may_organise(actor.member, found, actor.manages):
        raise Forbidden(action)
    if found.state is not State.PLANNED:
        raise WrongState(found.state.value, action)
    return actor, found


async def change(
    conn: AsyncConnection,
    known: Setting,
    before: Gathering,
    plan: Plan,
    when: When,
    *,
    now: Moment,
    occurs_on: date | None = None,
) -> Gathering:
    """Write a changed plan over a gathering that is locked; the gathering as it is then.

    For here and `series`, which decide. `occurs_on` is another day of its series.
    """
    community = known.here.id
    values = _columns(known.here, plan, when)
    if plan.rule is before.rule and plan.rule is not Rule.SPONSORED:
        values["payer_id"] = before.payer_id  # a workshop's account, which is not chosen here
    kept = {name: getattr(before, name) for name in _IN_CALENDARS}
    revised = any(kept[name] != values[name] for name in _IN_CALENDARS)
    if occurs_on is not None:
        values["occurs_on"] = occurs_on
    await conn.execute(
        update(gatherings)
        .where(gatherings.c.community_id == community, gatherings.c.id == before.id)
        .values(touched_at=now.at, revision=before.revision + revised, **values)
    )
    await _change_roles(conn, known, before, plan)
    gone = before.host_ids - set(plan.hosts)
    await conn.execute(
        delete(hosts).where(
            hosts.c.community_id == community,
            hosts.c.gathering_id == before.id,
            hosts.c.member_id.in_(gone),
        )
    )
    new = [host for host in plan.hosts if host not in before.host_ids]
    await _put_hosts(conn, community, before.id, new)
    if values["starts_at"] != before.starts_at:
        await forget_reminders(conn, community, before.id)
        await guest_links.last_until(conn, community, before.id, values["ends_at"], now=now)
    after = await gathering_values.get(conn, community, before.id)
    return await seats.move_up(conn, known.here, after, now=now)


async def _change_roles(
    conn: AsyncConnection, known: Setting, before: Gathering, plan: Plan
) -> None:
    """Roles that stay keep the minutes they were planned with; new ones have those of today."""
    community, needed = known.here.id, dict(plan.roles)
    table = gathering_roles
    of_it = and_(table.c.community_id == community, table.c.gathering_id == before.id)
    for role in before.roles:
        if role.key == BuiltIn.TAKE_PART:
            continue
        number = needed.get(role.key, 0)
        carriers = len(before.carriers(role.key))
        if number < carriers:
            raise RoleCarried(role.key, role.name, carriers)
        if number == 0:
            await conn.execute(
                delete(duties).where(
                    duties.c.community_id == community,
                    duties.c.gathering_id == before.id,
                    duties.c.role_key == role.key,
                )
            )
            await conn.execute(delete(table).where(of_it, table.c.key == role.key))
        elif number != role.wanted:
            await conn.execute(
                update(table).where(of_it, table.c.key == role.key).values(wanted=number)
            )
    there = {role.key for role in before.roles}
    new = [one for one in _wanted(known.terms, plan) if one[1].key not in there]
    await _put_roles(conn, community, before.id, new)


async def forget_reminders(conn: AsyncConnection, community: UUID, id: UUID) -> None:
    """It was moved, so people are reminded again."""
    await conn.execute(
        delete(reminders).where(
            reminders.c.community_id == community, reminders.c.gathering_id == id
        )
    )


# ── Calling it off ───────────────────────────────────────────────────────────────────────────────


async def call_off(
    conn: AsyncConnection, community: UUID, id: UUID, words: str, *, by: UUID, now: Moment
) -> None:
    """It does not take place; everyone who has a seat is told, with a word why.

    In a series this date is left out, the others stay. Organisers do (`Forbidden`), as long as it
    is planned (`WrongState`).
    """
    _actor, found = await at_hand(conn, community, id, by, "call_off")
    here = await communities.by_id(conn, community)
    await set_called_off(conn, found, words, now=now)
    await gathering_mails.called_off(conn, here, [found], words, by=by, now=now)
    await note(conn, found, "gathering.called_off", by=by, now=now)


async def set_called_off(
    conn: AsyncConnection, found: Gathering, words: str, *, now: Moment, **more: Any
) -> None:
    """Write that it does not take place. For here and `series`, which decide."""
    await conn.execute(
        update(gatherings)
        .where(gatherings.c.community_id == found.community_id, gatherings.c.id == found.id)
        .values(
            state=State.CANCELLED.value,
            parting=words,
            touched_at=now.at,
            revision=found.revision + 1,
            **more,
        )
    )


# ── What waits for a coordinator ─────────────────────────────────────────────────────────────────


def waits(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:  # noqa: ARG001
    """Gatherings within a week that lack somebody for a role, or to which nobody comes yet.

    Rows are (id, since): since it was a week away, or since it was planned, if that was later.
    """
    table, role, duty, seat = gatherings, gathering_roles, duties, seat_table
    carried = (
        select(func.count())
        .where(
            duty.c.community_id == role.c.community_id,
            duty.c.gathering_id == role.c.gathering_id,
            duty.c.role_key == role.c.key,
            duty.c.state.in_([state.value for state in CARRIED]),
        )
        .scalar_subquery()
    )
    lacks_role = exists().where(
        role.c.community_id == table.c.community_id,
        role.c.gathering_id == table.c.id,
        role.c.wanted > carried,
    )
    nobody_comes = ~exists().where(
        seat.c.community_id == table.c.community_id,
        seat.c.gathering_id == table.c.id,
        seat.c.answer == Answer.YES.value,
    )
    near = earlier(table.c.starts_at, SOON)
    since = case((table.c.made_at > near, table.c.made_at), else_=near)
    return select(table.c.id, since.label("since")).where(
        table.c.community_id == community,
        table.c.state == State.PLANNED.value,
        table.c.starts_at >= now.at,
        table.c.starts_at < now.at + SOON,
        or_(lacks_role, nobody_comes),
    )
