"""Everything that can wait in the inbox.

One more kind of thing is one more `Source` here, a name in `Why`, and a row to show it in
`web/templates/inbox/`.
"""

from __future__ import annotations

from collections.abc import Mapping

from timebank import attendance, months, proposals, settled, stays, walk_ins
from timebank.i18n import N_
from timebank.inbox import of_care, of_entries, of_gatherings, of_listings, of_members, of_rules
from timebank.inbox.source import Act, Source, Why

_ENTRY = frozenset({Act.APPROVE, Act.RETURN, Act.TAKE})
_LATER = frozenset({Act.PUT_ASIDE, Act.TAKE})
_TAKEN = frozenset({Act.TAKE})

SOURCES: tuple[Source, ...] = (
    Source(
        Why.APPROVAL,
        N_("Hours to approve"),
        of_entries.ordinary,
        of_entries.read,
        of_entries.finds,
        _ENTRY,
    ),
    Source(
        Why.ODD,
        N_("Odd ones"),
        of_entries.looking_odd,
        of_entries.read,
        of_entries.finds,
        _ENTRY | {Act.PUT_ASIDE},
    ),
    Source(
        Why.ANSWER,
        N_("Answers to questions"),
        of_entries.answered,
        of_entries.read,
        of_entries.finds,
        _ENTRY,
    ),
    Source(
        Why.DISPUTE,
        N_("Not agreed"),
        of_entries.disputed,
        of_entries.read,
        of_entries.finds,
        frozenset({Act.TAKE}),
    ),
    Source(
        Why.APPLICATION,
        N_("People to welcome"),
        of_members.applying,
        of_members.read_applicants,
        of_members.finds,
        frozenset({Act.WELCOME, Act.TAKE}),
    ),
    Source(
        Why.CALL,
        N_("Worth a call"),
        of_members.worth_a_call,
        of_members.read_people,
        of_members.finds,
        _LATER,
    ),
    Source(
        Why.QUIET,
        N_("Gone quiet"),
        of_members.gone_quiet,
        of_members.read_people,
        of_members.finds,
        _LATER,
    ),
    Source(
        Why.REQUEST,
        N_("Requests nobody answered"),
        of_listings.unanswered,
        of_listings.read,
        of_listings.finds,
        _LATER,
    ),
    Source(
        Why.NEWCOMER,
        N_("New here"),
        of_care.newcomers,
        of_care.read_newcomers,
        of_members.finds,
        _LATER,
    ),
    Source(
        Why.CHECK,
        N_("Checks to look at again"),
        of_care.due_checks,
        of_care.read_checks,
        of_members.finds,
        _LATER,
    ),
    Source(
        Why.BELONGING,
        N_("Where people belong"),
        of_care.unconfirmed,
        of_care.read_belongings,
        of_care.finds_belonging,
        _LATER,
    ),
    Source(
        Why.ASK,
        N_("Ask whether they stay"),
        of_care.to_ask,
        of_members.read_people,
        of_members.finds,
        _LATER,
    ),
    Source(
        Why.FORGET,
        N_("About to be forgotten"),
        stays.waits_to_forget,
        of_members.read_people,
        of_members.finds,
        _TAKEN,  # the day comes, whether or not somebody puts it aside
    ),
    Source(
        Why.LACKING,
        N_("Somebody is missing"),
        of_gatherings.lacking,
        of_gatherings.read,
        of_gatherings.finds,
        _LATER,
    ),
    Source(
        Why.DOOR,
        N_("Names at the door"),
        walk_ins.waits,
        of_gatherings.read,
        of_gatherings.finds,
        _TAKEN,
    ),
    Source(
        Why.LIST,
        N_("Lists still open"),
        attendance.waits,
        of_gatherings.read,
        of_gatherings.finds,
        _TAKEN,
    ),
    Source(
        Why.SENDING,
        N_("Hours of gatherings"),
        settled.waits,
        of_gatherings.read,
        of_gatherings.finds,
        _TAKEN,
    ),
    Source(
        Why.MONTH,
        N_("Months"),
        months.waits,
        of_rules.read_months,
        of_rules.finds_month,
        _TAKEN,
    ),
    Source(
        Why.PROPOSAL,
        N_("Proposals to decide"),
        proposals.waits,
        of_rules.read_proposals,
        of_rules.finds_proposal,
        _TAKEN,
    ),
    Source(
        Why.REVIEW,
        N_("Our agreement"),
        proposals.reviews_waiting,
        of_rules.read_reviews,
        of_rules.finds_review,
        _TAKEN,
    ),
)

BY_WHY: Mapping[Why, Source] = {source.why: source for source in SOURCES}
