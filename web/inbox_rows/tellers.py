"""Which function tells the rows of each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from timebank.inbox import Row, Why
from web.inbox_rows import of_care, of_entries, of_gatherings, of_listings, of_members, of_rules
from web.inbox_rows.telling import Line, Telling

_TELLERS: Mapping[Why, Callable[[Row, Telling], Line]] = {
    Why.APPROVAL: of_entries.entry,
    Why.ODD: of_entries.entry,
    Why.ANSWER: of_entries.entry,
    Why.DISPUTE: of_entries.entry,
    Why.APPLICATION: of_members.applicant,
    Why.CALL: of_members.call,
    Why.QUIET: of_members.quiet,
    Why.REQUEST: of_listings.request,
    Why.NEWCOMER: of_care.newcomer,
    Why.CHECK: of_care.check,
    Why.BELONGING: of_care.belonging,
    Why.ASK: of_members.ask,
    Why.FORGET: of_members.forget,
    Why.LACKING: of_gatherings.gathering,
    Why.DOOR: of_gatherings.gathering,
    Why.LIST: of_gatherings.gathering,
    Why.SENDING: of_gatherings.gathering,
    Why.MONTH: of_rules.month,
    Why.PROPOSAL: of_rules.proposal,
    Why.REVIEW: of_rules.review,
}


def line(row: Row, telling: Telling) -> Line:
    """A row of any kind."""
    return _TELLERS[row.why](row, telling)


def lines(rows: Sequence[Row], telling: Telling) -> dict[str, Line]:
    """Rows by the key with which a form names them."""
    return {str(row.key): line(row, telling) for row in rows}
