"""Entries in the inbox: what waits for a coordinator's word, and whether this one may give it.

    dispute ◄─ disputed, or contested after approval
    answer  ◄─ a coordinator's question was answered
    odd     ◄─ something looks odd, and nobody put it aside
    approval ◄─ the rest

What the agreement lets through without a coordinator is not here, unless somebody disagrees or
could not be asked. An entry stands under one of them only, the first that fits.
"""

# Sources are asked alike, and not each of them needs all it is told.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from timebank import disputes, odd, policy
from timebank.agreements import Approval, OtherSide, Silence, Terms
from timebank.communities import categories
from timebank.entries import entries, load, parts, steps, stories
from timebank.entry import DISPUTES, Entry, Kind, Side, State, Step, StepKind
from timebank.errors import NotConfirmed, OwnGain, ReasonMissing, TimebankError
from timebank.inbox import aside
from timebank.inbox.source import Desk, Why
from timebank.members import members
from timebank.moment import Moment
from timebank.odd import Reason
from timebank.text import fold, like

_GIFTS = [kind.value for kind in Kind if kind.is_gift]
_OPEN = [State.RECORDED.value, State.CONFIRMED.value]
_ANSWERS = [StepKind.ANSWERED.value, StepKind.CHANGED.value]
_DISPUTES = [kind.value for kind in DISPUTES]

# Aliases copy every column, so they are made once.
_ANSWER, _QUESTION = steps.alias("answer"), steps.alias("question")
_LATER = steps.alias("later")
_COMMONS, _UNASKED = parts.alias("commons"), parts.alias("unasked")


@dataclass(frozen=True, slots=True)
class WaitingEntry:
    """One entry that waits, and whether it may be approved together with others, by this reader.

    If not, `why_not` is the refusal the door would answer with; an entry contested after approval
    has none. `asked` is the coordinator's question that was answered, `looked_into` the step with
    which a coordinator took a dispute, `last` the latest step of all.
    """

    entry: Entry
    why_not: TimebankError | None
    odd: tuple[Reason, ...]
    last: Step
    asked: Step | None
    looked_into: Step | None

    @property
    def may_approve(self) -> bool:
        """Whether one click with others approves it."""
        return self.why_not is None and not self.entry.contested


# ── What waits ───────────────────────────────────────────────────────────────────────────────────


def disputed(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """Entries that somebody says are not right, since they said so."""
    said = (
        select(func.max(steps.c.at))
        .where(
            steps.c.community_id == entries.c.community_id,
            steps.c.entry_id == entries.c.id,
            steps.c.kind.in_(_DISPUTES),
        )
        .scalar_subquery()
    )
    since = func.coalesce(said, entries.c.touched_at).label("since")
    found = select(entries.c.id, since).where(entries.c.community_id == community)
    both = union_all(
        found.where(entries.c.state == State.DISPUTED.value),
        found.where(entries.c.contested),
    ).subquery()
    return select(both.c.id, both.c.since)


def answered(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """Entries about which a question was answered, since the answer."""
    return _waiting(community, terms, entries.c.touched_at).where(_is_answered())


def looking_odd(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """Entries about which something looks odd, unless they are put aside."""
    return _waiting(community, terms, entries.c.recorded_at).where(
        odd.looks_odd(entries),
        ~_is_answered(),
        ~aside.is_aside(community, Why.ODD, entries.c.id, now=now),
    )


def ordinary(community: UUID, *, terms: Terms, now: Moment) -> Select[Any]:
    """Entries that wait to be approved, like any other."""
    return _waiting(community, terms, entries.c.recorded_at).where(
        ~odd.looks_odd(entries), ~_is_answered()
    )


def _waiting(community: UUID, terms: Terms, since: Any) -> Select[Any]:
    """What is decided long ago is never looked at."""
    return select(entries.c.id, since.label("since")).where(
        entries.c.community_id == community,
        entries.c.state.in_(_OPEN),
        _needs_coordinator(terms),
    )


def _is_answered() -> ColumnElement[bool]:
    """Whether the last thing that happened is the answer to a question."""
    answer, question, later = _ANSWER, _QUESTION, _LATER
    of_it = (answer.c.community_id == entries.c.community_id, answer.c.entry_id == entries.c.id)
    found = exists(
        select(answer.c.number)
        .join(
            question,
            and_(
                question.c.community_id == answer.c.community_id,
                question.c.entry_id == answer.c.entry_id,
                question.c.number == answer.c.number - 1,
                question.c.kind == StepKind.RETURNED.value,
            ),
        )
        .where(
            *of_it,
            answer.c.kind.in_(_ANSWERS),
            ~exists(
                select(later.c.number).where(
                    later.c.community_id == answer.c.community_id,
                    later.c.entry_id == answer.c.entry_id,
                    later.c.number > answer.c.number,
                )
            ),
        )
        .correlate(entries)
    )
    # Most entries were never touched, and then there is no step to look for.
    return and_(entries.c.touched_at > entries.c.recorded_at, found)


def _needs_coordinator(terms: Terms) -> Any:
    """What `policy.needs_coordinator` says, for the database; and what nobody could be asked."""
    table = entries
    if terms.approval is Approval.ALL:
        return table.c.id.is_not(None)
    commons, unasked = _COMMONS, _UNASKED
    in_gift = table.c.kind.in_(_GIFTS)
    commons_gives = exists().where(
        commons.c.community_id == table.c.community_id,
        commons.c.entry_id == table.c.id,
        commons.c.account_id == table.c.community_id,
        or_(
            and_(in_gift, commons.c.side == Side.GAVE.value),
            and_(~in_gift, commons.c.side == Side.RECEIVED.value),
        ),
    )
    not_asked = exists().where(
        unasked.c.community_id == table.c.community_id,
        unasked.c.entry_id == table.c.id,
        unasked.c.account_id != table.c.community_id,
        unasked.c.confirmed_at.is_(None),
        ~unasked.c.awaited,
    )
    reasons: list[ColumnElement[bool]] = [commons_gives, not_asked]
    if terms.approval is Approval.ABOVE:
        reasons.append(table.c.minutes > terms.approval_above)
    if terms.other_side is OtherSide.CONFIRMS and terms.silence is Silence.WAITS:
        reasons.append(table.c.state == State.RECORDED.value)
    return or_(*reasons)


def finds(community: UUID, word: str, id: ColumnElement[UUID]) -> ColumnElement[bool]:
    """Whether a word is in an entry's note or category, or in the name of somebody in it."""
    written = like(word.lower())
    named = exists(
        select(parts.c.account_id)
        .join(
            members,
            and_(
                members.c.community_id == parts.c.community_id, members.c.id == parts.c.account_id
            ),
        )
        .where(
            parts.c.community_id == community,
            parts.c.entry_id == entries.c.id,
            members.c.name_key.like(like(fold(word)), escape="\\"),
        )
        .correlate(entries)
    )
    about = exists(
        select(categories.c.id)
        .where(
            categories.c.community_id == community,
            categories.c.id == entries.c.category_id,
            func.lower(categories.c.name).like(written, escape="\\"),
        )
        .correlate(entries)
    )
    noted = or_(
        func.lower(entries.c.note).like(written, escape="\\"),
        entries.c.note.like(like(word), escape="\\"),
    )
    return exists(
        select(entries.c.id)
        .where(entries.c.community_id == community, entries.c.id == id, or_(noted, about, named))
        .correlate_except(entries)
    )


# ── Reading them ─────────────────────────────────────────────────────────────────────────────────


async def read(
    conn: AsyncConnection, community: UUID, ids: Sequence[UUID], desk: Desk
) -> Mapping[UUID, WaitingEntry]:
    """The entries with their stories, and what looks odd about them: four queries."""
    found = await load(conn, community, ids)
    told = await stories(conn, community, ids)
    looks_odd = await odd.reasons(conn, community, ids)
    return {
        entry.id: _waiting_entry(entry, told[entry.id], looks_odd.get(entry.id, []), desk)
        for entry in found
    }


def _waiting_entry(
    entry: Entry, story: Sequence[Step], looks_odd: Sequence[Reason], desk: Desk
) -> WaitingEntry:
    questions = [step for step in story if step.kind is StepKind.RETURNED]
    return WaitingEntry(
        entry=entry,
        why_not=why_not(entry, desk),
        odd=tuple(looks_odd),
        last=story[-1],
        asked=questions[-1] if questions else None,
        looked_into=disputes.looked_into_by(story),
    )


def why_not(entry: Entry, desk: Desk) -> TimebankError | None:
    """What stands in the way of approving it in one click with others."""
    if entry.contested:
        return None
    me, manages, terms = desk.reader.member, desk.reader.manages, desk.terms
    silent = desk.now.at >= entry.touched_at + timedelta(days=terms.dispute_days)
    if not policy.may_approve(me, entry, manages, terms=terms, sole=desk.sole):
        return OwnGain("approve")
    if not policy.agreed_enough(entry, terms, silent=silent):
        return NotConfirmed()
    if entry.state is State.DISPUTED:
        return ReasonMissing()
    return None
