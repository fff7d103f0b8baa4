"""Writing down what was posted, in the same transaction, each kind of row for all of it at once.

Statuses, reversals, tallies, limits, steps and audit, and the mails to those concerned.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, case, insert, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, Minutes
from timebank import audit, corrections, entries, limits, notices, settlement_posting
from timebank.audit import NewAct
from timebank.entry import Entry, Part, Side, State, StepKind
from timebank.limits import Moved
from timebank.members import tallies
from timebank.moment import Moment
from timebank.notices import EntryNews
from timebank.periods import Month, counted_on
from timebank.posting_requests import Correct
from timebank.posting_rules import Act
from timebank.posting_scene import Scene


async def write_down(conn: AsyncConnection, scene: Scene, acts: Sequence[Act]) -> None:
    """Statuses, reversals, tallies, steps, audit and mails of what was posted, all at once."""
    if not acts:
        return
    posted_at = acts[0].rows[0].posted_at
    new = (StepKind.BROUGHT_IN, StepKind.REVERSED)
    approved = [act for act in acts if act.kind not in new]
    brought = [act for act in acts if act.kind is StepKind.BROUGHT_IN]
    undone = [act for act in acts if act.kind is StepKind.REVERSED]
    if brought:
        await _put_brought_in(conn, scene, brought, posted_at)
    if approved:
        await _mark_approved(conn, scene, approved, posted_at)
    if undone:
        await _put_reversals(conn, scene, undone, posted_at)
        await _mark_reversed(conn, scene, undone)
    await _tally(conn, scene.place.id, acts)
    await limits.follow(conn, scene.place.id, scene.terms, _moved(acts), posted_at)
    await _keep_steps(conn, scene, acts)
    told = [act for act in acts if not act.quiet]
    await audit.write_many(conn, [_audited(scene, act) for act in told], now=scene.now)
    await _tell(conn, scene, told)


async def _mark_approved(
    conn: AsyncConnection, scene: Scene, acts: Sequence[Act], posted_at: datetime
) -> None:
    table, parts = entries.entries, entries.parts
    ids = [act.entry.id for act in acts]
    await conn.execute(
        update(table)
        .where(table.c.community_id == scene.place.id, table.c.id.in_(ids))
        .values(
            state=State.APPROVED.value,
            contested=False,
            posted_at=posted_at,
            counted_on=table.c.occurred_on,
            touched_at=scene.now.at,
        )
    )
    late = [act.entry for act in acts if Month.of(act.entry.occurred_on) in scene.closed]
    if late:
        await _count_later(conn, scene, late, posted_at)
    # All parts, not only those that were awaited: SQLite would look through everybody's of those.
    await conn.execute(
        update(parts)
        .where(parts.c.community_id == scene.place.id, parts.c.entry_id.in_(ids))
        .values(awaited=False)
    )


async def _count_later(
    conn: AsyncConnection, scene: Scene, late: Sequence[Entry], posted_at: datetime
) -> None:
    """Entries with days of closed months count in an open one."""
    table = entries.entries
    await conn.execute(
        update(table)
        .where(table.c.community_id == scene.place.id, table.c.id == bindparam("late"))
        .values(counted_on=bindparam("counted")),
        [
            {"late": entry.id, "counted": _counted(scene, entry.occurred_on, posted_at)}
            for entry in late
        ],
    )


def _counted(scene: Scene, day: date, posted_at: datetime) -> date:
    """The day for which minutes of this day are reported, when they are posted now."""
    posted_on = Moment(posted_at).day_in(scene.place.timezone)
    return counted_on(day, posted_on, scene.closed)


async def _put_brought_in(
    conn: AsyncConnection, scene: Scene, acts: Sequence[Act], posted_at: datetime
) -> None:
    """The entries of a file, as if they had been recorded and approved."""
    rows = [
        _entry_row(scene, act, act.entry, posted_at, id=act.entry.id, note=act.entry.note)
        for act in acts
    ]
    await conn.execute(insert(entries.entries), rows)
    parts = [part for act in acts for part in _part_rows(scene, act.entry.parts, act.entry.id)]
    await conn.execute(insert(entries.parts), parts)


async def _put_reversals(
    conn: AsyncConnection, scene: Scene, acts: Sequence[Act], posted_at: datetime
) -> None:
    """The entries that undo others: the same parts and kind, written by who undid them."""
    rows = [
        _entry_row(scene, act, act.entry, posted_at, id=act.posting.id, note=act.words, undoes=True)
        for act in acts
    ]
    await conn.execute(insert(entries.entries), rows)
    parts = [part for act in acts for part in _part_rows(scene, act.entry.parts, act.posting.id)]
    await conn.execute(insert(entries.parts), parts)


def _entry_row(
    scene: Scene,
    act: Act,
    like: Entry,
    posted_at: datetime,
    *,
    id: UUID,
    note: str,
    undoes: bool = False,
) -> dict[str, Any]:
    """A new entry that is posted from its first moment on."""
    return {
        "community_id": scene.place.id,
        "id": id,
        "kind": like.kind.value,
        "category_id": like.category_id,
        "occurred_on": act.posting.occurred_on,
        "note": note,
        "salt": act.salt,
        "minutes": like.minutes,
        "state": State.APPROVED.value,
        "contested": False,
        "agreement_version": scene.agreement.version,
        "recorded_by": _by(act),
        "on_behalf_of": None,
        "recorded_at": scene.now.at,
        "touched_at": scene.now.at,
        "posted_at": posted_at,
        "counted_on": _counted(scene, like.counted_on or like.occurred_on, posted_at),
        "reverses_id": like.id if undoes else None,
    }


def _part_rows(scene: Scene, parts: Sequence[Part], entry_id: UUID) -> list[dict[str, Any]]:
    return [
        {
            "community_id": scene.place.id,
            "entry_id": entry_id,
            "account_id": part.account_id,
            "position": position,
            "side": part.side.value,
            "minutes": part.minutes,
            "back": part.back,
            "awaited": False,
        }
        for position, part in enumerate(parts, start=1)
    ]


async def _mark_reversed(conn: AsyncConnection, scene: Scene, acts: Sequence[Act]) -> None:
    table = entries.entries
    await conn.execute(
        update(table)
        .where(table.c.community_id == scene.place.id, table.c.id == bindparam("undone"))
        .values(
            state=State.REVERSED.value,
            contested=False,
            touched_at=scene.now.at,
            reversed_by_id=bindparam("by_entry"),
        ),
        [{"undone": act.entry.id, "by_entry": act.posting.id} for act in acts],
    )


async def _tally(conn: AsyncConnection, community: UUID, acts: Sequence[Act]) -> None:
    """Help given and received by each account. Gifts of hours are no help; undoing takes it off.

    And the latest day of it, so that the inbox knows who has gone quiet. What a part takes back
    comes off the other side, and only its rest counts on its own.
    """
    moved: dict[UUID, list[Minutes]] = {}
    latest: dict[UUID, datetime] = {}
    for act in acts:
        if act.entry.kind.is_gift:
            continue
        undone = act.kind is StepKind.REVERSED
        day = datetime.combine(act.entry.occurred_on, time(), UTC)
        for part in act.entry.parts:
            latest[part.account_id] = max(day, latest.get(part.account_id, day))
            tally = moved.setdefault(part.account_id, [ZERO, ZERO])
            counts = part.minutes - part.back
            tally[part.side is Side.RECEIVED] += -counts if undone else counts
            tally[part.side is Side.GAVE] += part.back if undone else -part.back
    if not moved:
        return
    dialect = sqlite if conn.dialect.name == "sqlite" else postgresql
    rows = [
        {
            "community_id": community,
            "account_id": account,
            "given": given,
            "received": received,
            "latest_at": latest[account],
        }
        for account, (given, received) in sorted(moved.items())
    ]
    statement = dialect.insert(tallies)
    new = statement.excluded
    later = or_(tallies.c.latest_at.is_(None), tallies.c.latest_at < new.latest_at)
    await conn.execute(
        statement.on_conflict_do_update(
            index_elements=["community_id", "account_id"],
            set_={
                "given": tallies.c.given + new.given,
                "received": tallies.c.received + new.received,
                "latest_at": case((later, new.latest_at), else_=tallies.c.latest_at),
            },
        ),
        rows,
    )


async def _keep_steps(conn: AsyncConnection, scene: Scene, acts: Sequence[Act]) -> None:
    """One step for each, and for a reversal also the first one of its own story."""
    rows = []
    for act in acts:
        step = {
            "community_id": scene.place.id,
            "entry_id": act.entry.id,
            "number": _steps_before(scene, act) + 1,
            "kind": act.kind.value,
            "member_id": act.by.id if act.by else None,
            "at": scene.now.at,
            "words": act.words,
            "override": act.override,
            "stood_in": act.stood_in,
        }
        rows.append(step)
        if act.kind is StepKind.REVERSED:
            rows.append(
                step | {"entry_id": act.posting.id, "number": 1, "kind": StepKind.RECORDED.value}
            )
    await conn.execute(insert(entries.steps), rows)


async def _write_instead(
    conn: AsyncConnection, scene: Scene, acts: Sequence[Act]
) -> dict[UUID, Entry]:
    """What is written down in the place of each corrected entry, by that entry's id."""
    return {
        act.entry.id: await corrections.write(
            conn,
            act.entry,
            act.draft,
            corrected_id=act.request.new_id,
            reversal_id=act.posting.id,
            by=act.by,
            now=scene.now,
        )
        for act in acts
        if isinstance(act.request, Correct) and act.draft is not None and act.by is not None
    }


async def _tell(conn: AsyncConnection, scene: Scene, acts: Sequence[Act]) -> None:
    """Those concerned hear of it. After a gathering they get thanks instead of news of an entry."""
    others = [act for act in acts if act.entry.gathering_id is None]
    instead = await _write_instead(conn, scene, others)
    after = await entries.load(conn, scene.place.id, [act.entry.id for act in others])
    news = [
        _news(act, entry, instead.get(entry.id)) for act, entry in zip(others, after, strict=True)
    ]
    await notices.entry_steps(conn, scene.place.id, news, now=scene.now)
    gatherings = [
        settlement_posting.Posted(act.entry, act.kind is StepKind.REVERSED, act.words)
        for act in acts
        if act.entry.gathering_id is not None
    ]
    await settlement_posting.write_down(
        conn, scene.place, gatherings, scene.settlements, now=scene.now
    )


def _steps_before(scene: Scene, act: Act) -> int:
    known = scene.words.get(act.entry.id)
    return known.steps if known is not None else 0


def _audited(scene: Scene, act: Act) -> NewAct:
    facts: dict[str, Any] = {"minutes": act.entry.minutes.count, "transfers": len(act.rows)}
    if act.override:
        facts["override"] = True
    if act.stood_in:
        facts["stood_in"] = True
    if act.kind is StepKind.REVERSED:
        facts["reversal"] = str(act.posting.id)
    return NewAct(
        scene.place.id,
        act.by.id if act.by else None,
        f"entry.{act.kind.value}",
        "entry",
        act.entry.id,
        facts,
        scene.agreement.version,
    )


def _news(act: Act, entry: Entry, instead: Entry | None) -> EntryNews:
    by_name = act.by.member.name if act.by else None
    by = act.by.id if act.by else None
    return EntryNews(entry, act.kind, by, by_name, act.words, act.override, instead=instead)


def _moved(acts: Sequence[Act]) -> dict[UUID, Moved]:
    """Each balance before and after, as the rows of the journal have them."""
    found: dict[UUID, Moved] = {}
    for row in (row for act in acts for row in act.rows):
        for id, after, minutes in (
            (row.source_id, row.source_balance, -row.minutes),
            (row.destination_id, row.destination_balance, row.minutes),
        ):
            before = found[id].before if id in found else after - minutes
            found[id] = Moved(before, after)
    return found


def _by(act: Act) -> UUID:
    assert act.by is not None, "somebody undid it, or brought it in"
    return act.by.id
