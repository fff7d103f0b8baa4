"""Everything that can wait in the inbox.

One more kind of thing is one more `Source` here, a name in `Why`, and a row to show it in
`web/templates/inbox/`.
"""

from __future__ import annotations

from collections.abc import Mapping

from timebank import months, proposals
from timebank.i18n import N_
from timebank.inbox import of_entries, of_members, of_rules
from timebank.inbox.source import Act, Source, Why

_ENTRY = frozenset({Act.APPROVE, Act.RETURN, Act.TAKE})

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
        of_members.read_calls,
        of_members.finds,
        frozenset({Act.PUT_ASIDE, Act.TAKE}),
    ),
    Source(
        Why.QUIET,
        N_("Gone quiet"),
        of_members.gone_quiet,
        of_members.read_quiet,
        of_members.finds,
        frozenset({Act.PUT_ASIDE, Act.TAKE}),
    ),
    Source(
        Why.MONTH,
        N_("Months"),
        months.waits,
        of_rules.read_months,
        of_rules.finds_month,
        frozenset({Act.TAKE}),
    ),
    Source(
        Why.PROPOSAL,
        N_("Proposals to decide"),
        proposals.waits,
        of_rules.read_proposals,
        of_rules.finds_proposal,
        frozenset({Act.TAKE}),
    ),
    Source(
        Why.REVIEW,
        N_("Our agreement"),
        proposals.reviews_waiting,
        of_rules.read_reviews,
        of_rules.finds_review,
        frozenset({Act.TAKE}),
    ),
)

BY_WHY: Mapping[Why, Source] = {source.why: source for source in SOURCES}
