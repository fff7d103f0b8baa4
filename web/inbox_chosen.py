"""What somebody chose in the inbox: read from the form, looked up, and noted when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from ledger import ZERO, Minutes
from timebank import inbox
from timebank.entry import Entry
from timebank.errors import NotFound
from timebank.inbox import Act, Row, Thing, Why, deeds, in_hand
from timebank.inbox.deeds import DeedKind, Item
from timebank.inbox.of_entries import WaitingEntry
from timebank.inbox.of_members import Applicant
from web.forms import Form, read_id
from web.pages import here, now, read, words, write
from web.stories import Teller

MOST_AT_ONCE = 200
"""So many things are acted on with one confirmation."""

_LONGEST_ID = 60  # characters of a thing's name in a form
_OF_ENTRIES = (Why.APPROVAL, Why.ODD, Why.ANSWER, Why.DISPUTE)


def things(form: Form) -> list[Thing]:
    """What the form names: one thing by its own button, else whatever is ticked."""
    named = [form.raw("only")] if form.raw("only") else form.several("thing")
    found = []
    for text in named[:MOST_AT_ONCE]:
        why, _, id = text[:_LONGEST_ID].partition(".")
        known = read_id(id)
        if known is not None and why in list(Why):
            found.append(Thing(Why(why), known))
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen and still waits; `gone` is how much of it does not any more."""

    rows: list[Row]
    gone: int = 0


async def from_form(request: Request, form: Form, *, needs: Act | None = None) -> Chosen:
    """What the form names. With `needs`, what this cannot be done with is left out.

    `all` chooses everything of a kind, what has waited longest first; `entry` are ids of entries.
    """
    at = here(request)
    kind = form.choice("all", Why, required=False)
    named, ids = things(form), form.ids("entry")[:MOST_AT_ONCE]
    async with read(request) as conn:
        if kind is not None:
            rows = await inbox.oldest(
                conn, at.community.id, kind, MOST_AT_ONCE, by=at.me.id, now=now(request)
            )
            return Chosen([row for row in rows if needs is None or needs in row.acts])
        wanted = [*named, *(Thing(why, id) for id in ids for why in _OF_ENTRIES)]
        rows = await inbox.things(conn, at.community.id, wanted, by=at.me.id, now=now(request))
    gone = len(named) + len(ids) - len(rows)
    return Chosen([row for row in rows if needs is None or needs in row.acts], gone)


async def have_in_hand(request: Request, rows: Sequence[Row]) -> None:
    """Whoever looks at these before deciding is on them for a while."""
    at = here(request)
    async with write(request) as conn:
        things = [row.key for row in rows]
        await in_hand.open_(conn, at.community.id, things, by=at.me.id, now=now(request))


def with_others(request: Request, rows: Sequence[Row]) -> str:
    """The names of other coordinators who are on some of these; "" for nobody."""
    me = here(request).me.id
    names = {row.in_hand.name for row in rows if row.in_hand and row.in_hand.member_id != me}
    return Teller(words(request), me).names(sorted(names)) if names else ""


async def keep(
    request: Request, conn: AsyncConnection, form: Form, kind: DeedKind, items: Sequence[Item]
) -> None:
    """Note a deed, under the id that came with the form."""
    at = here(request)
    id = form.id("deed", required=False) or now(request).new_id()
    await deeds.keep(conn, at.community.id, kind, items, id=id, by=at.me.id, now=now(request))


async def is_done(request: Request, conn: AsyncConnection, form: Form) -> bool:
    """Whether the deed of this form was done before."""
    at = here(request)
    id = form.id("deed", required=False)
    if id is None:
        return False
    try:
        await deeds.get(conn, at.community.id, id, by=at.me.id)
    except NotFound:
        return False
    return True


def entry_of(row: Row) -> Entry:
    """The entry of a row that was chosen for something only entries have."""
    assert isinstance(row.thing, WaitingEntry), "asked for with an act that only entries have"
    return row.thing.entry


def may_approve(row: Row) -> bool:
    """Whether it is approved together with others."""
    return Act.APPROVE in row.acts and isinstance(row.thing, WaitingEntry) and row.thing.may_approve


def name_of(row: Row) -> str:
    """Who asks to join."""
    assert isinstance(row.thing, Applicant), "chosen to be welcomed"
    return row.thing.member.name


def total(rows: Sequence[Row]) -> Minutes:
    """The minutes of entries, all together."""
    return sum((entry_of(row).minutes for row in rows), ZERO)
