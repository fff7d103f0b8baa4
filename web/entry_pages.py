"""An entry as a page: its story and what the reader may do, and the question before undoing."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from ledger.errors import FloorReached
from timebank import (
    acting,
    agreements,
    corrections,
    disputes,
    entries,
    limits,
    listings,
    odd,
    policy,
)
from timebank.acting import Actor
from timebank.agreements import Terms
from timebank.entry import OPEN, Entry
from timebank.errors import Forbidden
from timebank.inbox import InHand, Thing, Why, in_hand
from timebank.limits import Foreseen
from web import limit_words
from web.forms import Form
from web.inbox_rows.of_entries import odd as odd_words
from web.inbox_rows.telling import Telling
from web.pages import gettext, here, now, page, path_id, read, today, words
from web.stories import Teller

_OF_ENTRIES = (Why.APPROVAL, Why.ODD, Why.ANSWER, Why.DISPUTE)


async def at_hand(request: Request, conn: AsyncConnection) -> Entry:
    """The entry that the path names, for those who may know of it."""
    at = here(request)
    id = path_id(request.path_params["id"])
    return await entries.get(conn, at.community.id, id, by=at.me.id)


async def story(
    request: Request,
    form: Form,
    *,
    status: int = 200,
    opened: str = "",
    refused: Exception | None = None,
) -> Response:
    """An entry with its story, and what the reader may do; `opened` names a step to unfold."""
    at = here(request)
    async with read(request) as conn:
        entry = await at_hand(request, conn)
        told = await entries.story(conn, at.community.id, entry.id)
        terms = (await agreements.current(conn, at.community.id)).terms
        actor = await acting.one(conn, at.community.id, at.me.id)
        sole = await acting.coordinators(conn, at.community.id) == 1
        listing = await listings.of_entry(conn, at.community.id, entry.id)
        around = await corrections.around(conn, at.community.id, entry.id)
        waits = entry.state in OPEN
        foreseen = await _past_limits(conn, actor, entry, terms) if waits else []
        odd_about = await odd.reasons(conn, at.community.id, [entry.id]) if waits else {}
        others = await _others_on_it(request, conn, entry, actor)
    telling = Telling.to(request)
    return page(
        request,
        "entries/show.html",
        status=status,
        entry=entry,
        story=told,
        listing=listing,
        listing_is_open=listing is not None and listing.is_open(today(request)),
        terms=terms,
        around=around,
        foreseen=foreseen,
        odd=[odd_words(reason, telling) for reason in odd_about.get(entry.id, [])],
        others=others,
        looked_into=disputes.looked_into_by(told) if disputes.is_open(entry) else None,
        disputed=disputes.is_open(entry),
        may=policy.steps_open_to(
            actor.member,
            entry,
            terms,
            acts_for=actor.acts_for,
            manages=actor.manages,
            sole=sole,
            today=now(request).at.date(),
        ),
        form=form,
        empty=Form.blank(),
        opened=opened,
        floor_reached=isinstance(refused, FloorReached),
        say_limit=lambda one, name: limit_words.foreseen(one, name, terms, gettext(request)),
        tell=Teller(words(request), at.me.id),
    )


async def _past_limits(
    conn: AsyncConnection, actor: Actor, entry: Entry, terms: Terms
) -> list[tuple[Foreseen, str]]:
    """Who would be past a soft limit after it, as far as this reader may see their balances."""
    seen = {
        part.account_id
        for part in entry.parts
        if policy.may_see_statement(actor.member, part.account_id, actor.acts_for)
    }
    found = await limits.foresee(
        conn, entry.community_id, terms, entry.kind, entry.parts, may_see=seen
    )
    names = {part.account_id: part.name for part in entry.parts}
    names[actor.member.account_id] = ""
    return [(one, names[one.account_id]) for one in found]


async def _others_on_it(
    request: Request, conn: AsyncConnection, entry: Entry, actor: Actor
) -> InHand | None:
    """The other coordinator who has this entry in hand, for a coordinator to see."""
    if not policy.may_coordinate(actor.member):
        return None
    things = [Thing(why, entry.id) for why in _OF_ENTRIES]
    taken = await in_hand.of(conn, entry.community_id, things, now=now(request))
    return next((one for one in taken.values() if one.member_id != actor.id), None)


async def undo(
    request: Request,
    conn: AsyncConnection,
    form: Form,
    *,
    status: int = 200,
    refused: Exception | None = None,
) -> Response:
    """The question why an entry is to be undone."""
    entry = await at_hand(request, conn)
    actor = await acting.one(conn, entry.community_id, here(request).me.id)
    if not policy.may_undo(actor.member, entry, actor.manages):
        raise Forbidden("undo")
    return page(
        request,
        "entries/undo.html",
        status=status,
        entry=entry,
        form=form,
        floor_reached=isinstance(refused, FloorReached),
        tell=Teller(words(request), here(request).me.id),
    )
