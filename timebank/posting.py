"""The door: the only way from an entry to the journal.

    requests ─► one transaction per community ─► a verdict each
                  lock the head, then the entries, and read them afresh     posting_scene.py
                  who may, and what the agreement asks                      posting_rules.py
                  the ledger decides: transfers, balances, head
                  statuses, tallies, steps, audit and mails of the same     posting_record.py

Requests that wait at the same moment are gathered before it (see `ledger.group_commit`), and every
statement serves all of them. A request is judged as if it were alone, on what those before it
left behind; what is refused leaves no trace and stops nobody else. What can be asked and answered
is in `posting_requests.py`, and callers find it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import Refused as LedgerRefused
from ledger.errors import NoJournal
from ledger.sql import planner, store
from timebank import agreements, communities, entries, limits, policy
from timebank.agreements import Approval, Terms
from timebank.db import EVERYWHERE, Database
from timebank.entry import State
from timebank.errors import NotFound
from timebank.moment import Moment
from timebank.posting_record import write_down
from timebank.posting_requests import (
    Approve,
    BringIn,
    Correct,
    Done,
    PostAgreed,
    Refused,
    Request,
    TakeBack,
    Undo,
    Verdict,
)
from timebank.posting_rules import Act, committed, judge, reversal_id
from timebank.posting_scene import set_scene

__all__ = [
    "Approve",
    "BringIn",
    "Correct",
    "Done",
    "PostAgreed",
    "Refused",
    "Request",
    "TakeBack",
    "Undo",
    "Verdict",
    "commit",
    "committed",
    "post",
    "post_agreed",
    "post_in",
    "reversal_id",
]

_AGREED_AT_ONCE = 200


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
        scene = await set_scene(conn, community, requests, now)
    judged = [judge(scene, request) for request in requests]
    verdicts: dict[UUID, Verdict] = {}
    for acts in _together([one for one in judged if isinstance(one, Act)], scene.terms):
        answers = await store.post(conn, community, [act.posting for act in acts], now.at)
        posted: list[Act] = []
        for act, answer in zip(acts, answers, strict=True):
            id = act.request.entry_id
            if isinstance(answer, LedgerRefused):
                verdicts[id] = Refused(id, answer.error)
                continue
            act.rows = answer.transfers
            verdicts[id] = Done(id, len(act.rows), answer.replayed)
            posted.append(act)
        await write_down(conn, scene, posted)
    return [
        verdicts[request.entry_id] if isinstance(one, Act) else one
        for request, one in zip(requests, judged, strict=True)
    ]


def _together(acts: Sequence[Act], terms: Terms) -> list[list[Act]]:
    """The acts in as few runs as possible, each judged by floors that hold until its end.

    Where floors follow what was given, nothing that moves an account is posted together with what
    changed its floor before. Elsewhere it is one run.
    """
    runs: list[list[Act]] = [[]]
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


# ── What goes by itself ──────────────────────────────────────────────────────────────────────────


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
