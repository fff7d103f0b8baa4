"""The sheet on which hours are written down, as a page; and what is said before it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from ledger import LedgerError
from timebank import (
    acting,
    agreements,
    buddies,
    communities,
    directory,
    entries,
    limits,
    members,
    policy,
    recording,
)
from timebank.entry import Entry, Kind, NewEntry, Side
from timebank.errors import TimebankError
from timebank.limits import Foreseen
from timebank.members import Member
from web import limit_words, record_form
from web.forms import Form
from web.pages import gettext, here, now, page, read
from web.record_form import Sheet
from web.stories import kind_label


async def show(
    request: Request,
    conn: AsyncConnection,
    sheet: Sheet,
    form: Form,
    *,
    entry: Entry | None = None,
    status: int = 200,
    correcting: bool = False,
    floor_reached: bool = False,
    warned: Sequence[tuple[Foreseen, str]] = (),
) -> Response:
    """The sheet as it stands: to write an entry down, or (with `entry`) to correct one.

    `warned` says who would cross a limit; `correcting`: another one stands in its place then.
    """
    at, _ = here(request), gettext(request)
    terms = (await agreements.current(conn, at.community.id)).terms
    mine = await limits.of(conn, at.community.id, at.me.account_id, terms)
    people = await directory.choices(conn, at.community.id)
    for_others = await buddies.records_for(conn, at.community.id, at.me.id)
    categories = await communities.categories_of(conn, at.community.id)
    return page(
        request,
        "entries/new.html",
        status=status,
        sheet=sheet,
        form=form,
        entry=entry,
        people=[choice for choice in people if choice.account_id != at.me.account_id]
        if not sheet.several
        else people,
        for_others=[(str(member.id), member.name) for member in for_others],
        kinds=[(kind, kind_label(kind, _)) for kind in Kind if not kind.is_gift],
        categories=[(str(one.id), one.name) for one in categories],
        terms=terms,
        correcting=correcting,
        floor_reached=floor_reached,
        warned=[limit_words.foreseen(one, name, terms, _) for one, name in warned],
        past="" if entry else limit_words.past(mine, _),
        today=now(request).day_in(at.community.timezone),
    )


async def foreseen(request: Request, new: NewEntry, entry_id: UUID) -> list[tuple[Foreseen, str]]:
    """Who would cross a soft limit by what is about to be written down, for its writer to know.

    Only of balances that the writer may see. What cannot be written down at all is said later. Of
    what stands already (a second click, a sheet sent again) nobody is asked once more: balances
    may have moved meanwhile, and "not written down yet" would be untrue.
    """
    at = here(request)
    async with read(request) as conn:
        if await entries.known(conn, at.community.id, entry_id):
            return []
        actor = await acting.one(conn, at.community.id, at.me.id)
        try:
            draft = await recording.prepare(conn, at.community.id, new, actor, now(request))
        except (TimebankError, LedgerError):
            return []
        seen = {
            part.account_id
            for part in draft.parts
            if policy.may_see_statement(actor.member, part.account_id, actor.acts_for)
        }
        terms = draft.agreement.terms
        found = await limits.foresee(
            conn, at.community.id, terms, new.kind, draft.parts, may_see=seen
        )
        crossing = [one for one in found if one.crosses]
        people = await members.get_many(conn, at.community.id, [one.account_id for one in crossing])
    names = {id: member.name for id, member in people.items()} | {at.me.account_id: ""}
    return [(one, names[one.account_id]) for one in crossing]


def reshaped(sheet: Sheet, form: Form, me: Member) -> Sheet | None:
    """The sheet in its new shape, where a button asked for one instead of recording."""
    asked = form.raw("act")
    if asked == "several":
        return record_form.spread(sheet, me.name)
    if asked == "one-more-giver":
        return sheet.with_row(Side.GAVE)
    if asked == "one-more-receiver":
        return sheet.with_row(Side.RECEIVED)
    return None


def as_written(entry: Entry) -> dict[str, str]:
    """The fields of the sheet, filled in from an entry."""
    first = entry.givers[0]
    return {
        "minutes": str(first.minutes),
        "day": entry.occurred_on.isoformat(),
        "note": entry.note,
        "kind": entry.kind.value,
        "category": str(entry.category_id or ""),
    }
