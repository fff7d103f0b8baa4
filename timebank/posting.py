"""The door: the only way from an entry to the journal.

    requests ─► one transaction per community ─► a verdict each
                  lock the head, then the entries, and read them afresh
                  who may, and what the agreement asks
                  the ledger decides: transfers, balances, head
                  statuses, tallies, steps, audit and mails of the same postings

Requests that wait at the same moment are gathered before it (see `ledger.group_commit`), and every
statement serves all of them. A request is judged as if it were alone, on what those before it
left behind; what is refused leaves no trace and stops nobody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID, uuid5

from sqlalchemy import bindparam, case, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, JournalEntry, LedgerError, Minutes, PostedTransfer, commitment
from ledger import Refused as LedgerRefused
from ledger.entry import mirrored
from ledger.errors import NoJournal
from ledger.sql import planner, store
from timebank import (
    acting,
    agreements,
    audit,
    communities,
    corrections,
    entries,
    entry_steps,
    limits,
    months,
    notices,
    policy,
    recording,
    settlement_posting,
    shapes,
)
from timebank.acting import Actor
from timebank.agreements import Agreement, Approval, Terms
from timebank.audit import NewAct
from timebank.communities import Community
from timebank.corrections import Correction
from timebank.db import EVERYWHERE, Database
from timebank.entry import OPEN, Entry, Kind, NewEntry, Part, Side, State, StepKind
from timebank.errors import (
    BadInput,
    CannotUndo,
    Forbidden,
    NotConfirmed,
    NotFound,
    OwnGain,
    ReadOnlyMember,
    ReasonMissing,
    TimebankError,
    WrongState,
)
from timebank.limits import Moved
from timebank.members import Status, tallies
from timebank.moment import Moment
from timebank.notices import EntryNews
from timebank.periods import Month, counted_on
from timebank.recording import Draft

_SALT = 32
_AGREED_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Approve:
    """Post an entry, because coordinator `by` says so.

    A disputed entry needs words, and so does `override`, which lets it pass hard floors.
    """

    community: UUID
    entry_id: UUID
    by: UUID
    words: str = ""
    override: bool = False


@dataclass(frozen=True, slots=True)
class Undo:
    """Move the minutes of a posted entry back, for a reason that everyone concerned can read."""

    community: UUID
    entry_id: UUID
    by: UUID
    reason: str
    override: bool = False


@dataclass(frozen=True, slots=True)
class Correct:
    """Undo a posted entry and write `new` down in its place, under the id `new_id`: both or none.

    The new one waits like any other. See `timebank.corrections`.
    """

    community: UUID
    entry_id: UUID
    by: UUID
    reason: str
    new: NewEntry
    new_id: UUID
    override: bool = False


@dataclass(frozen=True, slots=True)
class BringIn:
    """Write down and post at once what happened before: one line of a file, by steward `by`.

    One gave, one received. It is not held to the rule of own gain (docs/decisions/0030), nor to
    hard floors if `override`; and nobody is told of each single one. See `post_in`.
    """

    community: UUID
    entry_id: UUID
    by: UUID
    kind: Kind
    giver: UUID
    receiver: UUID
    minutes: Minutes
    occurred_on: date
    note: str
    category_id: UUID | None = None
    override: bool = True


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Undo one line of a file, as part of undoing all of it: passes floors, and nobody is told."""

    community: UUID
    entry_id: UUID
    by: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class PostAgreed:
    """Post an entry that the agreement lets through without a coordinator."""

    community: UUID
    entry_id: UUID


Request: TypeAlias = Approve | Undo | Correct | PostAgreed | BringIn | TakeBack
_OF_FILES = (BringIn, TakeBack)


@dataclass(frozen=True, slots=True)
class Done:
    """It is in the journal, with so many transfers. `replayed`: it was there before."""

    entry_id: UUID
    transfers: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """It was refused, and nothing of it was written."""

    entry_id: UUID
    error: TimebankError | LedgerError


Verdict: TypeAlias = Done | Refused


async def post(db: Database, requests: Sequence[Request], *, now: Moment) -> list[Verdict]:
    """Post, undo, or refuse: a verdict for each request, in their order.

    Those that wait at the same moment are committed together, a transaction for each community;
    each request is done or not done at all. What is done already is answered with
    `Done(replayed=True)`: a double click is no mistake. Entries of another community are
    `NotFound`. Raises `Busy` when too many wait, `Unknown` when the connection broke (asking again
    is safe, and tells), `BrokenBooks` when the books do not add up.
    """
    verdicts: dict[int, Verdict] = {}
    for community in dict.fromkeys(request.community for request in requests):
        own = [n for n, request in enumerate(requests) if request.community == community]
        asks = [(requests[n], now) for n in own]
        verdicts.update(zip(own, await db.together(commit).put(community, asks), strict=True))
    return [verdicts[number] for number in range(len(requests))]


async def post_in(
    conn: AsyncConnection, community: UUID, requests: Sequence[BringIn | TakeBack], *, now: Moment
) -> list[Verdict]:
    """Post what comes from a file, or take it back, in the caller's transaction: a verdict each.

    For whoever posts many together or none: the caller rolls back, or commits. At most some
    thousand at a time. Each entry once. Who brings it in has to be a steward (`Forbidden`).
    """
    return await _post_round(conn, community, requests, now, many=True)


async def post_agreed(db: Database, *, now: Moment) -> list[Verdict]:
    """Post what waits for no coordinator: the other side agreed, or was silent long enough.

    For all communities. To be called after somebody confirms, and from time to time.
    """
    async with db.read(EVERYWHERE) as conn:
        places = await communities.every(conn)
    found: list[Request] = []
    for place in places:
        async with db.read(place.id) as conn:
            found += [PostAgreed(place.id, id) for id in await _agreed(conn, place.id, now)]
    return await post(db, found, now=now)


def reversal_id(entry_id: UUID) -> UUID:
    """The id of the entry that undoes this one: always the same, so that twice is once."""
    return uuid5(entry_id, "reversal")


def committed(salt: bytes, kind: str, category_id: UUID | None, note: str) -> bytes:
    """The commitment to an entry's words: what `books.verify` compares the words with."""
    category = str(category_id) if category_id else None
    return commitment(salt, {"kind": kind, "category": category, "note": note})


# ── One round ────────────────────────────────────────────────────────────────────────────────────


def _rounds(
    numbered: Sequence[tuple[int, Request]],
) -> list[list[tuple[int, Request]]]:
    """The requests in as few rounds as possible with each entry at most once in a round."""
    rounds: list[list[tuple[int, Request]]] = []
    times: dict[UUID, int] = {}
    for number, request in numbered:
        turn = times.get(request.entry_id, 0)
        times[request.entry_id] = turn + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append((number, request))
    return rounds


@dataclass(frozen=True, slots=True)
class _Scene:
    """Everything that judging a round depends on, read after locking."""

    place: Community
    agreement: Agreement
    entries: Mapping[UUID, Entry]
    words: Mapping[UUID, _Kept]
    actors: Mapping[UUID, Actor]
    coordinators: int
    closed: frozenset[Month]
    corrections: Mapping[UUID, Draft | Correction | TimebankError]
    settlements: settlement_posting.Stories
    who_coordinates: Sequence[Actor]  # looked up only where a gathering is settled
    now: Moment

    @property
    def terms(self) -> Terms:
        return self.agreement.terms

    def nobody_else(self, entry: Entry) -> bool:
        """Whether no other coordinator could approve it: one there is, or everyone gains."""
        if entry.gathering_id is None:
            return self.coordinators == 1
        return all(policy.gains(one.member, entry, one.manages) for one in self.who_coordinates)


class _Kept(NamedTuple):
    """What is kept of an entry and never shown."""

    salt: bytes
    steps: int


@dataclass(slots=True)
class _Act:
    """One request that was let through: what to post, and what to write once it is posted."""

    request: Request
    entry: Entry
    posting: JournalEntry
    kind: StepKind
    by: Actor | None
    words: str
    draft: Draft | None = None  # what is written down in the place of what is undone
    stood_in: bool = False
    salt: bytes = b""
    rows: tuple[PostedTransfer, ...] = ()

    @property
    def override(self) -> bool:
        """Whether somebody let this one pass hard floors, for a reason.

        Hours from before are not held to them as a whole list: of no line of it is that to be said.
        """
        return self.posting.override and not isinstance(self.request, BringIn)

    @property
    def quiet(self) -> bool:
        """Whether the file as a whole is told and audited, and not this."""
        return isinstance(self.request, _OF_FILES)


async def commit(
    db: Database, community: UUID, asks: Sequence[tuple[Request, Moment]]
) -> list[Verdict]:
    """Post, undo, or refuse all of these in one transaction, at the latest of their moments.

    What `post` does with those that wait together. It may be done again: the same verdicts.
    """
    now = max((now for _, now in asks), key=lambda now: now.at)
    verdicts: dict[int, Verdict] = {}
    async with db.posting(community) as conn:
        for some in _rounds(list(enumerate(request for request, _ in asks))):
            answers = await _post_round(conn, community, [one for _, one in some], now)
            verdicts.update(zip((number for number, _ in some), answers, strict=True))
    return [verdicts[number] for number in range(len(asks))]


async def _post_round(
    conn: AsyncConnection,
    community: UUID,
    requests: Sequence[Request],
    now: Moment,
    *,
    many: bool = False,
) -> list[Verdict]:
    """Judge, post and write down requests about different entries of one community."""
    try:
        await store.lock(conn, community)
    except NoJournal:
        return [Refused(request.entry_id, NotFound("entry")) for request in requests]
    async with planner.planned_each_time(conn) if many else nullcontext():
        scene = await _set_scene(conn, community, requests, now)
    judged = [_judge(scene, request) for request in requests]
    verdicts: dict[UUID, Verdict] = {}
    for acts in _together([one for one in judged if isinstance(one, _Act)], scene.terms):
        answers = await store.post(conn, community, [act.posting for act in acts], now.at)
        posted: list[_Act] = []
        for act, answer in zip(acts, answers, strict=True):
            id = act.request.entry_id
            if isinstance(answer, LedgerRefused):
                verdicts[id] = Refused(id, answer.error)
                continue
            act.rows = answer.transfers
            verdicts[id] = Done(id, len(act.rows), answer.replayed)
            posted.append(act)
        await _write_down(conn, scene, posted)
    return [
        verdicts[request.entry_id] if isinstance(one, _Act) else one
        for request, one in zip(requests, judged, strict=True)
    ]


def _together(acts: Sequence[_Act], terms: Terms) -> list[list[_Act]]:
    """The acts in as few runs as possible, each judged by floors that hold until its end.

    Where floors follow what was given, nothing that moves an account is posted together with what
    changed its floor before. Elsewhere it is one run.
    """
    runs: list[list[_Act]] = [[]]
    gave: set[UUID] = set()
    for act in acts:
        parts = act.entry.parts
        if gave & {part.account_id for part in parts}:
            runs.append([])
            gave = set()
        runs[-1].append(act)
        if terms.floor_growth:
            gave |= {part.account_id for part in parts if limits.gives(act.entry.kind, part)}
    return [run for run in runs if run]


async def _set_scene(
    conn: AsyncConnection, community: UUID, requests: Sequence[Request], now: Moment
) -> _Scene:
    """Lock the entries and read everything afresh."""
    ids = [request.entry_id for request in requests]
    await entry_steps.lock(conn, community, ids)
    found = await entries.load(conn, community, ids)
    by = {request.by for request in requests if not isinstance(request, PostAgreed)}
    stories = await settlement_posting.stories_of(conn, community, found)
    return _Scene(
        place=await communities.by_id(conn, community),
        agreement=await agreements.current(conn, community),
        entries={entry.id: entry for entry in found},
        words=await _kept(conn, community, ids),
        actors=await acting.find(conn, community, by),
        coordinators=await acting.coordinators(conn, community),
        closed=await months.closed(conn, community),
        corrections=await _corrections(conn, community, requests, now),
        settlements=stories,
        who_coordinates=await acting.all_coordinators(conn, community) if stories else (),
        now=now,
    )


async def _corrections(
    conn: AsyncConnection, community: UUID, requests: Sequence[Request], now: Moment
) -> dict[UUID, Draft | Correction | TimebankError]:
    """What is to stand in the place of entries, or did already, or why it cannot."""
    found: dict[UUID, Draft | Correction | TimebankError] = {}
    for request in requests:
        if isinstance(request, Correct):
            found[request.entry_id] = await _correction(conn, community, request, now)
    return found


async def _correction(
    conn: AsyncConnection, community: UUID, request: Correct, now: Moment
) -> Draft | Correction | TimebankError:
    done = await corrections.of_entry(conn, community, request.entry_id)
    if done is not None:
        return done
    try:
        if await entry_steps.lock(conn, community, [request.new_id]):
            return WrongState("written down", "correct")
        actor = await acting.active(conn, community, request.by)
        return await recording.prepare(conn, community, request.new, actor, now)
    except TimebankError as error:
        return error.with_traceback(None)


async def _kept(conn: AsyncConnection, community: UUID, ids: Iterable[UUID]) -> dict[UUID, _Kept]:
    """Salts, and how many steps there are so far."""
    table, steps = entries.entries, entries.steps
    rows = await conn.execute(
        select(
            table.c.id,
            table.c.salt,
            select(func.coalesce(func.max(steps.c.number), 0))
            .where(steps.c.community_id == table.c.community_id, steps.c.entry_id == table.c.id)
            .scalar_subquery()
            .label("steps"),
        ).where(table.c.community_id == community, table.c.id.in_(set(ids)))
    )
    return {row.id: _Kept(row.salt, row.steps) for row in rows}


# ── Judging ──────────────────────────────────────────────────────────────────────────────────────


def _judge(scene: _Scene, request: Request) -> _Act | Verdict:
    """What to post for this request, or the answer to it."""
    try:
        entry = scene.entries.get(request.entry_id)
        if isinstance(request, BringIn):
            return _bringing_in(scene, request, entry)
        if entry is None:
            raise NotFound("entry")
        if isinstance(request, PostAgreed):
            return _agreed_act(scene, request, entry)
        if isinstance(request, TakeBack):
            return _taking_back(scene, request, entry)
        actor = _coordinator(scene, request, entry)
        if isinstance(request, Approve):
            return _approval(scene, request, entry, actor)
        return _undoing(scene, request, entry, actor)
    except TimebankError as error:
        return Refused(request.entry_id, error.with_traceback(None))


def _coordinator(scene: _Scene, request: Approve | Undo | Correct, entry: Entry) -> Actor:
    """Who asks, as they are now: an active coordinator who may know of the entry."""
    actor = scene.actors.get(request.by)
    if actor is None or not policy.may_see_entry(actor.member, entry, actor.acts_for):
        raise NotFound("entry")
    if actor.member.status is not Status.ACTIVE:
        raise ReadOnlyMember
    if not policy.may_coordinate(actor.member):
        raise Forbidden("approve")
    words = request.words if isinstance(request, Approve) else request.reason
    if len(words) > entries.LONGEST_WORDS:
        raise BadInput("words", "too_long", entries.LONGEST_WORDS)
    return actor


def _approval(scene: _Scene, request: Approve, entry: Entry, actor: Actor) -> _Act | Verdict:
    """A coordinator approves: not for their own gain, and as the agreement asks."""
    gains = policy.gains(actor.member, entry, actor.manages)
    alone = gains and scene.nobody_else(entry)
    stood_in = alone and policy.may_stand_in(
        actor.member, entry, scene.terms, actor.manages, sole=alone
    )
    if gains and not stood_in:
        raise OwnGain("approve")
    if entry.state is State.APPROVED:
        return _replay(entry)
    settlement_posting.refuse_moved(entry, scene.settlements)
    if entry.state not in OPEN or entry.state is State.RETURNED:
        raise WrongState(entry.state, "approve")
    if not policy.agreed_enough(entry, scene.terms, silent=_silent(scene, entry)):
        raise NotConfirmed
    if (entry.state is State.DISPUTED or request.override) and not request.words.strip():
        raise ReasonMissing
    return _Act(
        request,
        entry,
        _posting(scene, entry, override=request.override),
        StepKind.APPROVED,
        actor,
        request.words,
        stood_in=stood_in,
    )


def _agreed_act(scene: _Scene, request: PostAgreed, entry: Entry) -> _Act | Verdict:
    """The agreement itself lets it through."""
    if entry.state is State.APPROVED:
        return _replay(entry)
    if not policy.goes_by_itself(entry, scene.terms, silent=_silent(scene, entry)):
        raise WrongState(entry.state, "post")
    return _Act(request, entry, _posting(scene, entry), StepKind.POSTED, None, "")


def _undoing(scene: _Scene, request: Undo | Correct, entry: Entry, actor: Actor) -> _Act | Verdict:
    """A coordinator moves the same minutes back, not for their own gain, for a reason."""
    if entry.reverses_id is not None:
        raise CannotUndo
    if policy.gains(actor.member, entry, actor.manages, reversal=True):
        raise OwnGain("undo")
    draft = _in_its_place(scene, request, entry)
    if entry.state is State.REVERSED:
        return _replay(entry)
    if entry.state is not State.APPROVED:
        raise CannotUndo
    settlement_posting.refuse_corrected(entry, scene.settlements)
    if not request.reason.strip():
        raise ReasonMissing
    return _reversal(scene, request, entry, actor, override=request.override, draft=draft)


def _reversal(
    scene: _Scene,
    request: Undo | Correct | TakeBack,
    entry: Entry,
    actor: Actor,
    *,
    override: bool,
    draft: Draft | None = None,
) -> _Act:
    salt = scene.now.random_bytes(_SALT)
    posting = JournalEntry(
        id=reversal_id(entry.id),
        transfers=mirrored(shapes.transfers(entry.parts, entry.kind)),
        occurred_on=scene.now.day_in(scene.place.timezone),
        commitment=committed(salt, entry.kind, entry.category_id, request.reason),
        reverses=entry.id,
        override=override,
    )
    return _Act(request, entry, posting, StepKind.REVERSED, actor, request.reason, draft, salt=salt)


def _in_its_place(scene: _Scene, request: Undo | Correct, entry: Entry) -> Draft | None:
    """What is written down in the place of an undone entry; None where it was, or nothing is."""
    if not isinstance(request, Correct):
        return None
    found = scene.corrections[entry.id]
    if isinstance(found, TimebankError):
        raise found
    if isinstance(found, Draft):
        if entry.state is State.REVERSED:  # undone by somebody else meanwhile
            raise WrongState(entry.state, "correct")
        return found
    if found.corrected_id != request.new_id:
        raise WrongState(entry.state, "correct")
    return None


def _bringing_in(scene: _Scene, request: BringIn, known: Entry | None) -> _Act | Verdict:
    """A steward writes down what happened before, and posts it; what is there already stays."""
    actor = _steward(scene, request)
    entry = _from_file(scene, request)
    if known is not None:
        said = [(part.account_id, part.side, part.minutes) for part in known.parts]
        same = said == [(part.account_id, part.side, part.minutes) for part in entry.parts]
        if not same or known.occurred_on != entry.occurred_on or known.kind != entry.kind:
            raise WrongState(known.state, "bring in")
        return _replay(known)
    salt = scene.now.random_bytes(_SALT)
    posting = JournalEntry(
        id=entry.id,
        transfers=shapes.transfers(entry.parts, entry.kind),
        occurred_on=entry.occurred_on,
        commitment=committed(salt, entry.kind, entry.category_id, entry.note),
        override=request.override,
    )
    return _Act(request, entry, posting, StepKind.BROUGHT_IN, actor, "", salt=salt)


def _from_file(scene: _Scene, request: BringIn) -> Entry:
    """The entry as it will be; nobody reads the names, so they are not looked up."""
    sides = ((request.giver, Side.GAVE), (request.receiver, Side.RECEIVED))
    parts = tuple(
        Part(account, "", side, request.minutes, False, None, None, False)
        for account, side in sides
    )
    at, by = scene.now.at, request.by
    return Entry(
        scene.place.id,
        request.entry_id,
        request.kind,
        None,
        request.category_id,
        request.occurred_on,
        request.note,
        request.minutes,
        State.APPROVED,
        False,
        scene.agreement.version,
        by,
        "",
        None,
        None,
        at,
        at,
        at,
        None,
        None,
        parts,
    )


def _taking_back(scene: _Scene, request: TakeBack, entry: Entry) -> _Act | Verdict:
    """A steward undoes what a file brought in; what was undone before stays undone."""
    actor = _steward(scene, request)
    if entry.state is State.REVERSED:
        return _replay(entry)
    if entry.state is not State.APPROVED or entry.reverses_id is not None:
        raise CannotUndo
    if not request.reason.strip():
        raise ReasonMissing
    return _reversal(scene, request, entry, actor, override=True)


def _steward(scene: _Scene, request: BringIn | TakeBack) -> Actor:
    """Who asks, as they are now: an active steward."""
    actor = scene.actors.get(request.by)
    if actor is None:
        raise NotFound("entry")
    if actor.member.status is not Status.ACTIVE:
        raise ReadOnlyMember
    if not policy.may_bring_in_hours(actor.member):
        raise Forbidden("bring in")
    return actor


def _replay(entry: Entry) -> Done:
    return Done(entry.id, len(shapes.transfers(entry.parts, entry.kind)), replayed=True)


def _posting(scene: _Scene, entry: Entry, *, override: bool = False) -> JournalEntry:
    words = committed(scene.words[entry.id].salt, entry.kind, entry.category_id, entry.note)
    return JournalEntry(
        id=entry.id,
        transfers=shapes.transfers(entry.parts, entry.kind),
        occurred_on=entry.occurred_on,
        commitment=words,
        override=override,
    )


def _silent(scene: _Scene, entry: Entry) -> bool:
    """Whether the days to answer have passed since it was written down or last changed."""
    days = timedelta(days=scene.terms.dispute_days)
    return scene.now.at >= entry.touched_at + days


async def _agreed(conn: AsyncConnection, community: UUID, now: Moment) -> list[UUID]:
    """The entries that may go by themselves, oldest first; the door looks again."""
    terms = (await agreements.current(conn, community)).terms
    if terms.approval is Approval.ALL:
        return []
    table = entries.entries
    latest = now.at - timedelta(days=terms.dispute_days)
    quiet = (table.c.state == State.RECORDED.value) & (table.c.touched_at <= latest)
    rows = await conn.execute(
        select(table.c.id)
        .where(
            table.c.community_id == community,
            (table.c.state == State.CONFIRMED.value) | quiet,
        )
        .order_by(table.c.recorded_at, table.c.id)
        .limit(_AGREED_AT_ONCE)
    )
    found = await entries.load(conn, community, [row.id for row in rows])
    return [
        entry.id
        for entry in found
        if policy.goes_by_itself(entry, terms, silent=entry.touched_at <= latest)
    ]


# ── Writing down what was posted ─────────────────────────────────────────────────────────────────


async def _write_down(conn: AsyncConnection, scene: _Scene, acts: Sequence[_Act]) -> None:
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
    conn: AsyncConnection, scene: _Scene, acts: Sequence[_Act], posted_at: datetime
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
    await conn.execute(
        update(parts)
        .where(parts.c.community_id == scene.place.id, parts.c.entry_id.in_(ids), parts.c.awaited)
        .values(awaited=False)
    )


async def _count_later(
    conn: AsyncConnection, scene: _Scene, late: Sequence[Entry], posted_at: datetime
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


def _counted(scene: _Scene, day: date, posted_at: datetime) -> date:
    """The day for which minutes of this day are reported, when they are posted now."""
    posted_on = Moment(posted_at).day_in(scene.place.timezone)
    return counted_on(day, posted_on, scene.closed)


async def _put_brought_in(
    conn: AsyncConnection, scene: _Scene, acts: Sequence[_Act], posted_at: datetime
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
    conn: AsyncConnection, scene: _Scene, acts: Sequence[_Act], posted_at: datetime
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
    scene: _Scene,
    act: _Act,
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


def _part_rows(scene: _Scene, parts: Sequence[Part], entry_id: UUID) -> list[dict[str, Any]]:
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


async def _mark_reversed(conn: AsyncConnection, scene: _Scene, acts: Sequence[_Act]) -> None:
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


async def _tally(conn: AsyncConnection, community: UUID, acts: Sequence[_Act]) -> None:
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


async def _keep_steps(conn: AsyncConnection, scene: _Scene, acts: Sequence[_Act]) -> None:
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
    conn: AsyncConnection, scene: _Scene, acts: Sequence[_Act]
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


async def _tell(conn: AsyncConnection, scene: _Scene, acts: Sequence[_Act]) -> None:
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


def _steps_before(scene: _Scene, act: _Act) -> int:
    known = scene.words.get(act.entry.id)
    return known.steps if known is not None else 0


def _audited(scene: _Scene, act: _Act) -> NewAct:
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


def _news(act: _Act, entry: Entry, instead: Entry | None) -> EntryNews:
    by_name = act.by.member.name if act.by else None
    by = act.by.id if act.by else None
    return EntryNews(entry, act.kind, by, by_name, act.words, act.override, instead=instead)


def _moved(acts: Sequence[_Act]) -> dict[UUID, Moved]:
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


def _by(act: _Act) -> UUID:
    assert act.by is not None, "somebody undid it, or brought it in"
    return act.by.id
