"""How the hours of a gathering move, told to one reader: who gets or gives what, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ledger import ZERO, Minutes
from timebank import workshops
from timebank.attendance_steps import StepKind
from timebank.entry import OPEN, Side
from timebank.entry import State as EntryState
from timebank.gatherings import Rule, State
from timebank.i18n import format_minutes
from timebank.roles import role_name
from timebank.settled import Settlement
from timebank.settlement_steps import Gives, Plan
from timebank.settling import PAYS, Carried, Line, time_of
from web.stories import Teller


@dataclass(frozen=True, slots=True)
class Person:
    """An account with what it gets (or, below zero, gives), and the reasons for it."""

    name: str
    minutes: Minutes
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Says:
    """What stands on top: where it stands, by which rule, and what somebody cannot give."""

    headline: str
    more: str
    short: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of the story of a gathering's hours."""

    at: datetime
    sentence: str
    words: str = ""
    entry_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class PlanTeller:
    """Tells one plan; `sponsor` is the organisation that has to agree and has not, if any."""

    plan: Plan
    tell: Teller
    sponsor: str = ""
    all_gain: bool = False

    def says(self) -> Says:
        """Where it stands."""
        headline, more = self._standing()
        rule = self._rule()
        short = tuple(self._short(one) for one in self.plan.gives if one.short)
        return Says(headline, f"{more} {rule}".strip(), short)

    def people(self) -> list[Person]:
        """Who gets hours, by name, with every role."""
        took = self._roles()
        found = []
        for account, lines in self._by_account(self.plan.lines, Side.GAVE):
            done = [line for line in lines if line.role_key != PAYS]
            if done:
                reasons = tuple(self._reason(line, took.get(account, {})) for line in done)
                found.append(Person(self._name(account), _sum(done), reasons))
        return found

    def givers(self) -> list[Person]:
        """From whose account they come."""
        present = {row.member_id: row.present for row in self.plan.roll.rows if row.member_id}
        found = []
        for account, lines in self._by_account(self.plan.lines, Side.RECEIVED):
            why = self._why_gives(account, present.get(account))
            found.append(Person(self._name(account), -_sum(lines), why))
        return found

    def changes(self) -> list[Person]:
        """For a correction: whose balance moves, what stood before, and what stands then."""
        if self.plan.base is None:
            return []
        _ = self.tell.words.gettext
        found = []
        for move in self.plan.moves:
            old = self._stands(self.plan.stands, move.account_id)
            new = self._stands(self.plan.lines, move.account_id)
            facts = {"old": old or _("nothing"), "new": new or _("nothing")}
            minutes = move.minutes if move.side is Side.GAVE else -move.minutes
            reasons = (_("before: %(old)s") % facts, _("then: %(new)s") % facts)
            found.append(Person(self._name(move.account_id), minutes, reasons))
        return sorted(found, key=lambda one: one.name)

    def rest(self) -> str:
        """What is left over, and where it goes."""
        _ = self.tell.words.gettext
        left = [one for one in self.plan.lines if one.role_key == PAYS and one.side is Side.GAVE]
        if not left:
            return ""
        facts = {"minutes": format_minutes(left[0].minutes)}
        if self.plan.room.rule is Rule.WORKSHOP:
            return _("The rest, %(minutes)s, stays on the workshop’s account.") % facts
        return _("The rest, %(minutes)s, goes to the commons.") % facts

    def guests(self) -> str:
        """Who was there without an account: kept, and neither given to nor asked of."""
        names = [row.name for row in self.plan.roll.came if row.member_id is None]
        if not names:
            return ""
        said = self.tell.words.ngettext(
            "%(names)s was there as a guest: nothing is written down for guests.",
            "%(names)s were there as guests: nothing is written down for guests.",
            len(names),
        )
        return said % {"names": self.tell.names(names)}

    def happened(self) -> list[Happened]:
        """The story: lists closed and opened again, settlements and what became of them."""
        _ = self.tell.words.gettext
        found = []
        for step in self.plan.roll.steps:
            said = (
                _("%(name)s closed the list")
                if step.kind is StepKind.CLOSED
                else _("%(name)s opened the list again")
            )
            found.append(Happened(step.at, said % {"name": step.name}, step.words))
        found += [
            Happened(one.made_at, self._settlement(one), "", one.entry_id)
            for one in self.plan.story
        ]
        return sorted(found, key=lambda one: one.at)

    # ── Sentences ────────────────────────────────────────────────────────────────────────────────

    def _standing(self) -> tuple[str, str]:
        _ = self.tell.words.gettext
        plan = self.plan
        if plan.waiting is not None:
            return self._waits()
        if plan.roll.open:
            return self._open()
        if plan.room.state is State.SETTLED:
            more = _("The hours are on everybody’s statement.") if plan.base is not None else ""
            return _("Settled."), more
        if plan.base is not None:
            return _("The correction is not sent yet."), _("This is what would change.")
        return _("Nothing has moved yet."), _("This is how it would be.")

    def _open(self) -> tuple[str, str]:
        _ = self.tell.words.gettext
        if self.plan.base is not None:
            return _("The list was opened again."), _("What is posted stays as it is meanwhile.")
        return _("The list is still open."), _("So the hours would move if it were closed now.")

    def _waits(self) -> tuple[str, str]:
        _ = self.tell.words.gettext
        assert self.plan.waiting is not None, "only what waits is told here"
        if self.plan.waiting.state is EntryState.RETURNED:
            return _("A coordinator has a question about it."), _("Its entry has the question.")
        if self.plan.waiting.state is EntryState.DISPUTED:
            return _("Somebody says it is not right. Waits for a coordinator."), ""
        if self.sponsor:
            return _("Waits for %(name)s to agree.") % {"name": self.sponsor}, ""
        if self.all_gain:
            return (
                _("Every coordinator gains from this, so none of them can approve it alone."),
                _("If our agreement allows it, somebody else who was there says that it is right."),
            )
        return _("Waits for a coordinator to approve it."), ""

    def _rule(self) -> str:
        _ = self.tell.words.gettext
        room = self.plan.room
        if room.rule is Rule.SPONSORED:
            giver = self._name(self.plan.payer) if self.plan.payer else ""
            said = (
                _("%(name)s gives the hours: of the roles, and of everybody who took part.")
                if room.credits_taking_part
                else _("%(name)s gives the hours of the roles.")
            )
            said = said % {"name": giver}
            return said[:1].upper() + said[1:]
        return {
            Rule.ONE_FOR_ONE: _(
                "Who took part gives the time they were there, and those who made it possible get "
                "theirs. The commons takes the rest, or adds what is missing."
            ),
            Rule.SPLIT: _(
                "Those who took part share equally in the hours of those who made it possible."
            ),
            Rule.WORKSHOP: _(
                "Who took part gives the time they were there to the workshop’s account, and those "
                "who made it possible get theirs from it."
            ),
            Rule.NONE: _("No hours move for this gathering."),
        }[room.rule]

    def _short(self, one: Gives) -> str:
        _ = self.tell.words.gettext
        facts = {
            "name": self._name(one.account_id),
            "left": format_minutes(one.left or ZERO),
            "minutes": format_minutes(one.minutes),
            "short": format_minutes(one.short),
            "after": format_minutes(one.after),
            "floor": format_minutes(one.floor or ZERO),
        }
        if one.account_id == self.plan.payer:
            said = _(
                "%(name)s can still give %(left)s, and this takes %(minutes)s: %(short)s too much."
            )
        else:
            said = _(
                "%(name)s would stand at %(after)s; the lowest our agreement allows is %(floor)s."
            )
        said = said % facts
        return said[:1].upper() + said[1:]

    def _why_gives(self, account: UUID, present: Minutes | None) -> tuple[str, ...]:
        _ = self.tell.words.gettext
        if account == self.plan.payer:
            gives = [one for one in self.plan.gives if one.account_id == account]
            if not gives or gives[0].left is None:
                return ()
            left = gives[0].left
            facts = {"left": format_minutes(left), "then": format_minutes(left - gives[0].minutes)}
            if gives[0].short:
                return (_("can still give %(left)s") % facts,)
            return (_("can still give %(left)s before this, and %(then)s after it") % facts,)
        if self.plan.room.rule is Rule.SPLIT:
            return (_("an equal share"),)
        return (_("was there %(minutes)s") % {"minutes": format_minutes(present or ZERO)},)

    def _reason(self, line: Line, took: dict[str, Carried]) -> str:
        """`tea and cake 1:15 (0:45 before, 0:30 after)`."""
        _ = self.tell.words.gettext
        said = f"{self._role(line.role_key)} {format_minutes(line.minutes)}"
        role = took.get(line.role_key)
        if role is None:
            return said
        spent = [
            (role.before, _("%(minutes)s before")),
            (role.during, _("%(minutes)s meanwhile")),
            (role.after, _("%(minutes)s after")),
        ]
        parts = [words % {"minutes": format_minutes(time)} for time, words in spent if time]
        if len(parts) < 2:
            return said
        return f"{said} ({', '.join(parts)})"

    def _stands(self, lines: Iterable[Line], account: UUID) -> str:
        """What stands for an account, in a few words."""
        _ = self.tell.words.gettext
        own = [line for line in lines if line.account_id == account]
        done = [line for line in own if line.role_key != PAYS]
        if done:
            return ", ".join(
                f"{self._role(line.role_key)} {format_minutes(line.minutes)}" for line in done
            )
        if not own:
            return ""
        said = _("gives %(minutes)s") if own[0].side is Side.RECEIVED else _("keeps %(minutes)s")
        return said % {"minutes": format_minutes(own[0].minutes)}

    def _settlement(self, one: Settlement) -> str:
        _ = self.tell.words.gettext
        facts = {"number": one.number, "corrects": one.corrects, "name": one.made_by_name}
        if any(other.entry_id == one.entry_id for other in self.plan.story[: one.number - 1]):
            return _("Number %(number)d by %(name)s: the same hours in other words") % facts
        if one.corrects is None:
            said = _("Number %(number)d, sent by %(name)s") % facts
        else:
            said = _("Number %(number)d, which corrects number %(corrects)d, sent by %(name)s")
            said = said % facts
        return f"{said}: {self._became(one.state)}"

    def _became(self, state: EntryState) -> str:
        _ = self.tell.words.gettext
        if state in OPEN:
            return _("waits to be approved")
        return {
            EntryState.APPROVED: _("on the statements"),
            EntryState.REVERSED: _("undone"),
            EntryState.DECLINED: _("declined"),
            EntryState.WITHDRAWN: _("taken back"),
        }[state]

    # ── Names ────────────────────────────────────────────────────────────────────────────────────

    def _name(self, account: UUID) -> str:
        _ = self.tell.words.gettext
        if account == self.plan.room.community_id:
            return _("the commons")
        if account == workshops.account_of(self.plan.room):
            return _("the workshop’s account")
        return self.plan.names.get(account, "")

    def _role(self, key: str) -> str:
        role = self.plan.room.role(key)
        return role_name(key, role.name if role else "", self.tell.words.gettext)

    def _roles(self) -> dict[UUID, dict[str, Carried]]:
        """What each account carried, with its minutes as they count."""
        return {
            one.account_id: {role.key: role for role in time_of(one)}
            for one in self.plan.roll.attendees()
            if one.account_id is not None
        }

    def _by_account(self, lines: Sequence[Line], side: Side) -> list[tuple[UUID, list[Line]]]:
        """One side, an account at a time: who gives for all comes first, the others by name."""
        found: dict[UUID, list[Line]] = {}
        for line in lines:
            if line.side is side:
                found.setdefault(line.account_id, []).append(line)
        order = sorted(found, key=lambda id: (id != self.plan.payer, self._name(id).casefold(), id))
        return [(account, found[account]) for account in order]


def _sum(lines: Iterable[Line]) -> Minutes:
    return sum((line.minutes for line in lines), ZERO)
