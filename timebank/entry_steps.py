"""The steps of an entry, between recording and posting: answers of those in it, and decisions.

Every step is kept with who, when and their words, in the transaction of what it changes, together
with the audit and the mails that tell of it.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import acting, agreements, audit, disputes, notices, policy
from timebank.acting import Actor
from timebank.entries import LONGEST_WORDS, entries, one, parts, seen, steps, story
from timebank.entry import (
    Entry,
    State,
    StepKind,
)
from timebank.errors import (
    BadInput,
    Forbidden,
    OwnGain,
    ReasonMissing,
    WrongState,
)
from timebank.limits import Foreseen
from timebank.moment import Moment
from timebank.notices import EntryNews

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
    actor, entry = await at_hand(conn, community, entry_id, by)
    mine = policy.answerable(actor.member, entry, actor.acts_for)
    if not mine:
        raise Forbidden("confirm")
    if all(part.confirmed_at is not None for part in mine) and entry.state is not State.DISPUTED:
        return entry
    if not policy.may_confirm(actor.member, entry, actor.acts_for):
        raise WrongState(entry.state, "confirm")
    accounts = {part.account_id for part in mine}
    await _answered(conn, entry, accounts, confirmed_at=now.at, confirmed_by=actor.id)
    state = _settled(await one(conn, community, entry_id))
    return await move(conn, entry, state, StepKind.CONFIRMED, actor, now, words)


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
    return await _dispute(conn, community, entry_id, words, StepKind.DISPUTED, by=by, now=now)


async def ask_undo(
    conn: AsyncConnection,
    community: UUID,
    entry_id: UUID,
    words: str = "",
    *,
    by: UUID,
    now: Moment,
) -> Entry:
    """Dispute an entry and say that it should be undone. For the rest the same as `dispute`."""
    return await _dispute(conn, community, entry_id, words, StepKind.UNDO_ASKED, by=by, now=now)


async def _dispute(
    conn: AsyncConnection,
    community: UUID,
    entry_id: UUID,
    words: str,
    kind: StepKind,
    *,
    by: UUID,
    now: Moment,
) -> Entry:
    _refuse_empty(words)
    actor, entry = await at_hand(conn, community, entry_id, by)
    if not policy.stands_in(actor.member, entry, actor.acts_for):
        raise Forbidden("dispute")
    if not policy.may_dispute(actor.member, entry, actor.acts_for):
        raise WrongState(entry.state, "dispute")
    if entry.state is State.APPROVED:
        terms = (await agreements.current(conn, community)).terms
        if now.at.date() > policy.dispute_ends(entry, terms):
            raise WrongState(entry.state, "dispute")
        return await move(conn, entry, entry.state, kind, actor, now, words, contested=True)
    accounts = {part.account_id for part in policy.answerable(actor.member, entry, actor.acts_for)}
    await _answered(conn, entry, accounts, confirmed_at=None, confirmed_by=None)
    return await move(conn, entry, State.DISPUTED, kind, actor, now, words)


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

    A returned entry then waits as it did before. The first coordinator who speaks in a dispute
    looks into it from then on. Needs words; refuses with `Forbidden` and `WrongState`.
    """
    _refuse_empty(words)
    actor, entry = await at_hand(conn, community, entry_id, by)
    if not policy.may_answer(actor.member, entry, actor.acts_for):
        if entry.state is State.RETURNED:
            raise Forbidden("answer")
        raise WrongState(entry.state, "answer")
    if entry.state is State.RETURNED:
        return await move(conn, entry, _settled(entry), StepKind.ANSWERED, actor, now, words)
    kind = StepKind.ANSWERED
    if policy.may_look_into(actor.member, entry, actor.acts_for):
        taken = disputes.looked_into_by(await story(conn, community, entry_id))
        kind = StepKind.TAKEN if taken is None else kind
    return await move(conn, entry, entry.state, kind, actor, now, words)


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
    actor, entry = await at_hand(conn, community, entry_id, by)
    if actor.id != entry.recorded_by and not policy.may_coordinate(actor.member):
        raise Forbidden("withdraw")
    if entry.state is State.WITHDRAWN:
        return entry
    if not policy.may_withdraw(actor.member, entry):
        raise WrongState(entry.state, "withdraw")
    return await move(conn, entry, State.WITHDRAWN, StepKind.WITHDRAWN, actor, now, words)


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
    return await move(conn, entry, State.RETURNED, StepKind.RETURNED, actor, now, words)


async def unask(
    conn: AsyncConnection,
    community: UUID,
    entry_id: UUID,
    words: str = "",
    *,
    before: State,
    by: UUID,
    now: Moment,
) -> Entry:
    """Take one's own question back before it is answered; the entry waits as it did `before`.

    Twice is once. `WrongState` when it was answered, or somebody else asked.
    """
    _refuse_long(words)
    actor, entry = await _for_coordinator(conn, community, entry_id, by, "unask")
    last = (await story(conn, community, entry_id))[-1]
    if (last.kind, last.member_id) == (StepKind.UNASKED, by):
        return entry
    if entry.state is not State.RETURNED or last.member_id != by:
        raise WrongState(entry.state, "unask")
    return await move(conn, entry, before, StepKind.UNASKED, actor, now, words)


async def take(
    conn: AsyncConnection,
    community: UUID,
    entry_id: UUID,
    words: str = "",
    *,
    by: UUID,
    now: Moment,
) -> Entry:
    """Look into what somebody disputes: from now on this coordinator does, and both sides see it.

    Not by a coordinator who stands in the entry (`Forbidden`). Another one may take it over.
    Twice is once.
    """
    _refuse_long(words)
    actor, entry = await _for_coordinator(conn, community, entry_id, by, "take")
    if not disputes.is_open(entry):
        raise WrongState(entry.state, "take")
    if not policy.may_look_into(actor.member, entry, actor.acts_for):
        raise Forbidden("take")
    taken = disputes.looked_into_by(await story(conn, community, entry_id))
    if taken is not None and taken.member_id == by:
        return entry
    return await move(conn, entry, entry.state, StepKind.TAKEN, actor, now, words)


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
    return await move(conn, entry, State.DECLINED, StepKind.DECLINED, actor, now, words)


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
    return await move(conn, entry, entry.state, StepKind.KEPT, actor, now, words, contested=False)


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


async def at_hand(
    conn: AsyncConnection, community: UUID, entry_id: UUID, by: UUID
) -> tuple[Actor, Entry]:
    """Who acts, and the entry, locked and as it stands now; `NotFound` if they may not see it."""
    actor = await acting.one(conn, community, by)
    await lock(conn, community, [entry_id])
    entry = await seen(conn, community, entry_id, actor)
    await acting.active(conn, community, by)
    return actor, entry


async def _for_coordinator(
    conn: AsyncConnection, community: UUID, entry_id: UUID, by: UUID, action: str
) -> tuple[Actor, Entry]:
    actor, entry = await at_hand(conn, community, entry_id, by)
    if not policy.may_coordinate(actor.member):
        raise Forbidden(action)
    return actor, entry


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


async def move(
    conn: AsyncConnection,
    entry: Entry,
    state: State,
    kind: StepKind,
    by: Actor,
    now: Moment,
    words: str,
    *,
    contested: bool | None = None,
    instead: Entry | None = None,
) -> Entry:
    """Put an entry into a state and keep the step that led there; who may, the caller has asked.

    `instead` is the entry that stands in its place from now on.
    """
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
    moved = await one(conn, entry.community_id, entry.id)
    await keep_step(conn, moved, kind, by, now, words, instead=instead)
    return moved


async def keep_step(
    conn: AsyncConnection,
    entry: Entry,
    kind: StepKind,
    by: Actor,
    now: Moment,
    words: str = "",
    *,
    instead: Entry | None = None,
    told: frozenset[UUID] = frozenset(),
    foreseen: Sequence[Foreseen] = (),
    tell: bool = True,
) -> None:
    """Keep a step, write the audit and tell those concerned, except those who are `told`.

    Without `tell` nobody is: somebody else sees to it.
    """
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
    if not tell:
        return
    fresh = kind is StepKind.RECORDED
    looks_into = None if fresh else await disputes.coordinator(conn, entry)
    news = EntryNews(
        entry,
        kind,
        by.id,
        by.member.name,
        words,
        also=looks_into,
        told=told,
        instead=instead,
        foreseen=tuple(foreseen),
    )
    await notices.entry_steps(conn, entry.community_id, [news], now=now)


def _refuse_long(words: str) -> None:
    if len(words) > LONGEST_WORDS:
        raise BadInput("words", "too_long", LONGEST_WORDS)


def _refuse_empty(words: str) -> None:
    if not words.strip():
        raise ReasonMissing
    _refuse_long(words)
