"""Entries and their steps, told to one reader in sentences a neighbour would say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from ledger import ZERO, Minutes
from timebank.agreements import Approval, OtherSide, Terms
from timebank.entry import Entry, Kind, Part, Side, State, Step, StepKind
from timebank.i18n import format_minutes

Gettext = Callable[[str], str]
MOST_NAMES = 3
"""More names than this are counted ("and 4 others") where a sentence has to stay short."""


class Words(Protocol):
    """What tells a story needs from a catalogue of translations."""

    def gettext(self, message: str) -> str: ...
    def ngettext(self, one: str, many: str, count: int) -> str: ...


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells entries to one reader: `reader` is a member's id, who is called "you"."""

    words: Words
    reader: UUID

    def names(self, names: Sequence[str], most: int = MOST_NAMES) -> str:
        """`Bert`, `Bert and Ines`, `Bert, Ines and 4 others`."""
        _, ngettext = self.words.gettext, self.words.ngettext
        if len(names) <= 1:
            return names[0] if names else _("nobody")
        if len(names) > most:
            rest = len(names) - most + 1
            others = ngettext("%(count)d other", "%(count)d others", rest) % {"count": rest}
            names = [*names[: most - 1], others]
        return _("%(some)s and %(last)s") % {"some": ", ".join(names[:-1]), "last": names[-1]}

    def called(self, part: Part, entry: Entry) -> str:
        """The name of somebody in an entry; the community's own account is the commons."""
        return self.words.gettext("the commons") if _is_commons(part, entry) else part.name

    def sides(self, entry: Entry, most: int = MOST_NAMES) -> tuple[str, str]:
        """Who gave and who received, as two phrases."""
        return (
            self.names([self.called(part, entry) for part in entry.givers], most),
            self.names([self.called(part, entry) for part in entry.receivers], most),
        )

    def headline(self, entry: Entry) -> str:
        """What an entry says, without its minutes: `You gave time to Bert`."""
        _, ngettext = self.words.gettext, self.words.ngettext
        givers, receivers = self.sides(entry)
        facts = {"givers": givers, "receivers": receivers}
        if entry.reverses_id is not None:
            return _("Undone: what stood between %(givers)s and %(receivers)s") % facts
        if entry.kind.is_gift:
            return self._gift(entry) % facts
        if entry.gathering_id is not None:
            return _("Hours of %(what)s") % {"what": entry.note or _("a gathering")}
        if self._only(entry.givers):
            return _("You gave time to %(receivers)s") % facts
        if self._only(entry.receivers):
            count = len(entry.givers)
            return ngettext("%(givers)s gave you time", "%(givers)s gave you time", count) % facts
        return (
            ngettext(
                "%(givers)s gave time to %(receivers)s",
                "%(givers)s gave time to %(receivers)s",
                len(entry.givers),
            )
            % facts
        )

    def _gift(self, entry: Entry) -> str:
        _ = self.words.gettext
        if entry.kind is Kind.DONATION:
            if self._only(entry.givers):
                return _("You gave hours to the commons")
            return _("%(givers)s gave hours to the commons")
        if self._only(entry.receivers):
            return _("A gift of hours from %(givers)s to you")
        return _("A gift of hours from %(givers)s to %(receivers)s")

    def claim(self, entry: Entry) -> str:
        """What somebody says about the reader: `Jorge says you gave them 1:00`."""
        _ = self.words.gettext
        if entry.state is State.RETURNED:
            return _("A question about your entry: %(headline)s") % {
                "headline": self.headline(entry)
            }
        mine = next((part for part in entry.parts if part.account_id == self.reader), None)
        told_as_it_is = entry.kind.is_gift or entry.gathering_id is not None
        if mine is None or told_as_it_is or entry.recorded_by == self.reader:
            return self.headline(entry)
        gave = mine in entry.givers
        others = entry.receivers if gave else entry.givers
        facts = {
            "recorder": entry.recorded_by_name,
            "others": self.names([self.called(part, entry) for part in others]),
            "minutes": format_minutes(mine.minutes),
        }
        if [part.account_id for part in others] == [entry.recorded_by]:
            if gave:
                return _("%(recorder)s says you gave them %(minutes)s") % facts
            return _("%(recorder)s says they gave you %(minutes)s") % facts
        if gave:
            return _("%(recorder)s says you gave %(minutes)s to %(others)s") % facts
        return _("%(recorder)s says you received %(minutes)s from %(others)s") % facts

    def mine(self, entry: Entry) -> Minutes:
        """The minutes that touch the reader; all of them where the reader stands aside.

        Of the hours of a gathering that still wait, all: whoever agrees to them agrees to all.
        """
        if entry.gathering_id is not None and entry.posted_at is None:
            return entry.minutes
        own = [part.minutes for part in entry.parts if part.account_id == self.reader]
        return sum(own, ZERO) or entry.minutes

    def stood(self, part: Part) -> str:
        """What a part says: gave, received, or (where a correction takes back) less of it."""
        _ = self.words.gettext
        gave = part.side is Side.GAVE
        if not part.back:
            return _("gave") if gave else _("received")
        facts = {
            "back": format_minutes(part.back),
            "more": format_minutes(part.minutes - part.back),
        }
        if part.back == part.minutes:
            said = _("received %(back)s less") if gave else _("gave %(back)s less")
        elif gave:
            said = _("received %(back)s less, and gave %(more)s")
        else:
            said = _("gave %(back)s less, and received %(more)s")
        return said % facts

    def written_by(self, entry: Entry) -> str:
        """`recorded by Carla for Bert`."""
        _ = self.words.gettext
        facts = {"name": entry.recorded_by_name, "behalf": entry.on_behalf_of_name}
        if entry.on_behalf_of_name is not None:
            return _("written down by %(name)s for %(behalf)s") % facts
        if entry.recorded_by == self.reader:
            return _("written down by you")
        return _("written down by %(name)s") % facts

    def waits(self, entry: Entry, terms: Terms) -> str:
        """Where an entry stands and what it waits for, in one sentence."""
        _ = self.words.gettext
        if entry.state is State.RECORDED:
            return self._waits_for_answer(entry, terms)
        if entry.state is State.APPROVED and entry.contested:
            return _("Approved, and then somebody said it is not right. A coordinator will look.")
        if entry.state is State.RETURNED:
            name = entry.recorded_by_name
            if entry.recorded_by == self.reader:
                return _("Waits for your answer to a question.")
            return _("Waits for %(name)s to answer a question.") % {"name": name}
        return {
            State.CONFIRMED: _("Confirmed. Waits for a coordinator to approve it."),
            State.DISPUTED: _("Somebody says it is not right. Waits for a coordinator."),
            State.APPROVED: _("Approved, and on everyone's statement."),
            State.DECLINED: _("Declined. No hours were moved."),
            State.WITHDRAWN: _("Withdrawn. No hours were moved."),
            State.REVERSED: _("Undone. The hours went back to where they came from."),
        }[entry.state]

    def _waits_for_answer(self, entry: Entry, terms: Terms) -> str:
        """It waits for the other side, for a coordinator, or for some days to pass."""
        _, ngettext = self.words.gettext, self.words.ngettext
        asked = [part for part in entry.parts if part.awaited]
        names = self.names([part.name for part in asked])
        facts = {"names": names, "days": terms.dispute_days}
        if asked and terms.other_side is OtherSide.CONFIRMS:
            if self._only(asked):
                return _("Waits for you to confirm it.")
            return _("Waits for %(names)s to confirm it.") % facts
        if terms.approval is Approval.ALL or not asked:
            return _("Waits for a coordinator to approve it.")
        return (
            ngettext(
                "Counts after %(days)d day, unless %(names)s says it is not right.",
                "Counts after %(days)d days, unless %(names)s says it is not right.",
                terms.dispute_days,
            )
            % facts
        )

    def step(self, step: Step, entry: Entry) -> str:
        """What happened, and who did it: `Bert confirmed it`."""
        _ = self.words.gettext
        if step.kind is StepKind.POSTED or (step.name is None and step.member_id is None):
            return _("Put on the statements without a coordinator, as our agreement says")
        you = step.member_id == self.reader
        facts = {
            "name": _("You") if you else step.name or _("Somebody who has left"),
            "behalf": entry.on_behalf_of_name,
        }
        if step.kind is StepKind.RECORDED and entry.on_behalf_of_name is not None:
            return _("%(name)s wrote it down for %(behalf)s") % facts
        return self._step_sentence(step.kind) % facts

    def _step_sentence(self, kind: StepKind) -> str:
        _ = self.words.gettext
        return {
            StepKind.RECORDED: _("%(name)s wrote it down"),
            StepKind.CHANGED: _("%(name)s corrected it"),
            StepKind.CONFIRMED: _("%(name)s confirmed it"),
            StepKind.DISPUTED: _("%(name)s said it is not right"),
            StepKind.UNDO_ASKED: _("%(name)s asked for it to be undone"),
            StepKind.TAKEN: _("%(name)s began to look into it"),
            StepKind.ANSWERED: _("%(name)s answered"),
            StepKind.RETURNED: _("%(name)s sent it back with a question"),
            StepKind.UNASKED: _("%(name)s took the question back"),
            StepKind.WITHDRAWN: _("%(name)s took it back"),
            StepKind.APPROVED: _("%(name)s approved it"),
            StepKind.DECLINED: _("%(name)s declined it"),
            StepKind.KEPT: _("%(name)s looked into it, and it stays as it is"),
            StepKind.REVERSED: _("%(name)s undid it"),
            StepKind.BROUGHT_IN: _("%(name)s brought it in from a file"),
            StepKind.POSTED: _("%(name)s put it on the statements"),
        }[kind]

    def kind(self, kind: Kind) -> str:
        """A kind in the reader's words."""
        return kind_label(kind, self.words.gettext)

    def _only(self, parts: Sequence[Part]) -> bool:
        return [part.account_id for part in parts] == [self.reader]


def _is_commons(part: Part, entry: Entry) -> bool:
    return part.account_id == entry.community_id


def kind_label(kind: Kind, _: Gettext) -> str:
    """A kind in the reader's words."""
    return {
        Kind.HELP: _("help"),
        Kind.ACTIVITY: _("shared activity"),
        Kind.HOSPITALITY: _("hospitality"),
        Kind.FACILITATION: _("facilitation"),
        Kind.OTHER: _("something else"),
        Kind.GRANT: _("gift from the commons"),
        Kind.DONATION: _("gift to the commons"),
    }[kind]


def state_label(state: State, _: Gettext) -> str:
    """A state in one or two of the reader's words."""
    return {
        State.RECORDED: _("waiting"),
        State.CONFIRMED: _("confirmed"),
        State.DISPUTED: _("not agreed"),
        State.RETURNED: _("a question"),
        State.APPROVED: _("approved"),
        State.DECLINED: _("declined"),
        State.WITHDRAWN: _("withdrawn"),
        State.REVERSED: _("undone"),
    }[state]
