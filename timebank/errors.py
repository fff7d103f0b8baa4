"""What the time bank refuses, each refusal carrying the facts of it.

    TimebankError
    ├── NotFound                no such thing here, or none you may know of
    ├── Forbidden               you may not do this
    │   ├── OwnGain             nobody approves an entry they gain from
    │   └── ReadOnlyMember      paused members look, and record nothing
    ├── BadInput                one field, one reason
    ├── WrongState              the thing is no longer (or not yet) where this step starts
    ├── EntryRefused
    │   ├── SamePersonTwice     somebody would give to themselves, or stands twice on a side
    │   ├── NobodyThere         one side of the entry is empty
    │   ├── SharesDiffer        given and received do not add up to the same
    │   ├── NotTakingPart       the member has left, is paused or has not been welcomed yet
    │   ├── NotYours            you are on neither side and have nobody's consent to record
    │   ├── LeftToCoordinators  two of them are not brought together without a coordinator
    │   ├── DayAhead            the day lies in the future
    │   ├── NotConfirmed        the agreement asks the other side to confirm first
    │   ├── ReasonMissing       this step needs a reason
    │   └── CannotUndo          a reversal, or something never posted, cannot be undone
    ├── GatheringRefused
    │   ├── TooManyNames        the list holds as many unknown names as it can
    │   ├── NamesWaiting        names on the list still have to be confirmed
    │   ├── NotBegun            the gathering is still to come
    │   ├── DoorShut            the code at the door works around the time of its gathering only
    │   ├── ListClosed          the list of a gathering is closed
    │   ├── ListOpen            the list of a gathering is still open
    │   ├── NobodyAgrees        nobody can agree for the organisation that is to sponsor it
    │   ├── SettlementMoved     what this settlement builds on is no longer so
    │   └── CorrectedSince      a later correction builds on what is to be undone
    ├── MemberRefused
    │   ├── AlreadyMember
    │   ├── JoiningClosed       the agreement lets people in by invitation only
    │   ├── LastSteward         a community keeps at least one steward
    │   └── EntriesWaiting      closing an account waits for the entries that wait
    ├── SignInRefused
    │   ├── WrongSignIn         the address and the password do not belong together
    │   ├── TooManyTries        wait until `until`
    │   ├── WeakPassword        too short, too long or too easy to guess
    │   └── LinkSpent           the link is used, too old, or was never valid
    ├── GatheringRefused
    │   ├── SignUpClosed        it is over, or was called off
    │   ├── RoleTaken           as many people as it needs carry this role already
    │   ├── RoleCarried         somebody said they would do it, so the role stays
    │   └── OnTheList           a guest of this name is on the list already
    ├── MonthRefused
    │   ├── NoClosingDay        the agreement does not say when months are closed
    │   ├── TooEarly            a month is closed from `day` on
    │   └── SecondSteward       opening a month again takes two stewards
    ├── VoicesMissing           not everyone who was asked has agreed to a proposal
    ├── AgreementMoved          somebody adopted another version while you were writing
    └── SlugTaken               a community with this name in its address is already here

What the ledger itself refuses is in `ledger.errors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from ledger import Minutes


class TimebankError(Exception):
    """A refusal of the time bank. Nothing was written."""


@dataclass(eq=False)
class NotFound(TimebankError):
    """No such thing in this community, or none this person may know of."""

    what: str = "page"

    def __str__(self) -> str:
        return f"There is no such {self.what} here."


@dataclass(eq=False)
class Forbidden(TimebankError):
    """The person may not do this."""

    action: str = ""

    def __str__(self) -> str:
        return "You may not do this here."


@dataclass(eq=False)
class OwnGain(Forbidden):
    """Nobody approves an entry they gain hours from."""

    def __str__(self) -> str:
        return "You gain hours from this entry, so somebody else has to approve it."


@dataclass(eq=False)
class ReadOnlyMember(Forbidden):
    """A paused, applying or former member records nothing."""

    def __str__(self) -> str:
        return "You can look around, but record nothing while you are not an active member."


@dataclass(eq=False)
class BadInput(TimebankError):
    """One field is not as it has to be. `reason` is a key that `web/messages.py` knows."""

    field: str
    reason: str
    limit: int | None = None

    def __str__(self) -> str:
        return f"{self.field}: {self.reason.replace('_', ' ')}"


@dataclass(eq=False)
class WrongState(TimebankError):
    """The thing is no longer, or not yet, in a state from which this step starts."""

    state: str
    step: str

    def __str__(self) -> str:
        return f"This is {self.state} by now, so the step {self.step!r} is not possible any more."


class EntryRefused(TimebankError):
    """The entry cannot be recorded or moved on as it stands."""


@dataclass(eq=False)
class SamePersonTwice(EntryRefused):
    """One account stands on both sides, or twice on one."""

    name: str

    def __str__(self) -> str:
        return f"{self.name} is named twice. Nobody can give hours to themselves."


@dataclass(eq=False)
class NobodyThere(EntryRefused):
    """One side is empty."""

    side: str

    def __str__(self) -> str:
        return f"Say who {self.side} the time."


@dataclass(eq=False)
class SharesDiffer(EntryRefused):
    """What was given and what was received do not add up to the same minutes."""

    given: Minutes
    received: Minutes

    def __str__(self) -> str:
        return f"{self.given} given and {self.received} received: the two have to be the same."


@dataclass(eq=False)
class NotTakingPart(EntryRefused):
    """This member is not active, so hours cannot be recorded for them."""

    name: str

    def __str__(self) -> str:
        return f"{self.name} is not an active member, so no hours can be recorded with them."


@dataclass(eq=False)
class NotYours(EntryRefused):
    """You are on neither side, and nobody in it has agreed that you record for them."""

    def __str__(self) -> str:
        return "You can record hours of your own, or of somebody who agreed that you do it."


@dataclass(eq=False)
class LeftToCoordinators(EntryRefused):
    """Two of those in it are kept apart. It does not say who, nor why: one of them is not told."""

    def __str__(self) -> str:
        return "These hours cannot be recorded like this. Please ask a coordinator."


@dataclass(eq=False)
class DayAhead(EntryRefused):
    """The day of the help lies in the future."""

    day: date

    def __str__(self) -> str:
        return f"{self.day.isoformat()} is still to come. Record it once it has happened."


@dataclass(eq=False)
class NotConfirmed(EntryRefused):
    """The agreement asks the other side to confirm first."""

    def __str__(self) -> str:
        return "The other side has not confirmed yet, and your agreement asks for that."


@dataclass(eq=False)
class ReasonMissing(EntryRefused):
    """This step needs a reason that everyone concerned can read."""

    def __str__(self) -> str:
        return "Please give a reason. Everyone concerned can read it."


@dataclass(eq=False)
class CannotUndo(EntryRefused):
    """A reversal, or an entry that was never posted, cannot be undone."""

    def __str__(self) -> str:
        return "This cannot be undone. Record a new entry instead."


class GatheringRefused(TimebankError):
    """A gathering cannot be changed, joined, kept a list of or settled in this way."""


@dataclass(eq=False)
class TooManyNames(GatheringRefused):
    """As many names as a list can hold wait to be confirmed already."""

    def __str__(self) -> str:
        return "Too many names wait to be confirmed. Tell somebody who looks after the gathering."


@dataclass(eq=False)
class NamesWaiting(GatheringRefused):
    """Names on the list still have to be confirmed."""

    count: int

    def __str__(self) -> str:
        return f"{self.count} names still have to be confirmed. Say who they are first."


@dataclass(eq=False)
class NotBegun(GatheringRefused):
    """The gathering is still to come."""

    def __str__(self) -> str:
        return "This gathering is still to come. Its list can be closed once it has begun."


@dataclass(eq=False)
class DoorShut(GatheringRefused):
    """The code at the door works around the time of its gathering only."""

    def __str__(self) -> str:
        return "This code works only around the time of its gathering."


@dataclass(eq=False)
class ListClosed(GatheringRefused):
    """The list of the gathering is closed."""

    def __str__(self) -> str:
        return "The list is closed. Open it again first, with a reason."


@dataclass(eq=False)
class ListOpen(GatheringRefused):
    """The list of the gathering is still open."""

    def __str__(self) -> str:
        return "The list is still open. Close it first, when everybody is on it."


@dataclass(eq=False)
class NobodyAgrees(GatheringRefused):
    """Nobody with a sign-in keeps the account of the organisation that is to sponsor it."""

    name: str

    def __str__(self) -> str:
        return f"Nobody who can sign in keeps the account of {self.name}, so nobody can agree."


@dataclass(eq=False)
class SettlementMoved(GatheringRefused):
    """The attendance, or the settlement it builds on, is no longer what was looked at."""

    def __str__(self) -> str:
        return "Something changed meanwhile. Look at the table once more before you go on."


@dataclass(eq=False)
class CorrectedSince(GatheringRefused):
    """A later correction builds on what is to be undone."""

    def __str__(self) -> str:
        return "A later correction builds on this. Undo that one first."


class MemberRefused(TimebankError):
    """The membership cannot change in this way."""


@dataclass(eq=False)
class AlreadyMember(MemberRefused):
    """This person already belongs to the community."""

    def __str__(self) -> str:
        return "This person already belongs to the community."


@dataclass(eq=False)
class JoiningClosed(MemberRefused):
    """The agreement lets people in by invitation only."""

    def __str__(self) -> str:
        return "This community welcomes people by invitation. Ask somebody you know there."


@dataclass(eq=False)
class LastSteward(MemberRefused):
    """A community keeps at least one active steward."""

    def __str__(self) -> str:
        return "A community needs at least one steward. Make somebody else a steward first."


@dataclass(eq=False)
class EntriesWaiting(MemberRefused):
    """Entries of this member still wait for a decision."""

    count: int

    def __str__(self) -> str:
        return f"{self.count} entries still wait for a decision. That has to come first."


class SignInRefused(TimebankError):
    """Nobody was signed in, nothing was changed."""


@dataclass(eq=False)
class WrongSignIn(SignInRefused):
    """The address and the password do not belong together, or we know neither."""

    def __str__(self) -> str:
        return "This address and this password do not belong together."


@dataclass(eq=False)
class TooManyTries(SignInRefused):
    """Too many wrong tries; `until` says when the next one counts (UTC)."""

    until: datetime

    def __str__(self) -> str:
        return "Too many tries. Wait a little, or ask for a link by mail."


@dataclass(eq=False)
class WeakPassword(SignInRefused):
    """Too short, too long, or among the first that anyone would guess."""

    reason: str
    limit: int | None = None

    def __str__(self) -> str:
        return f"This password is {self.reason.replace('_', ' ')}."


@dataclass(eq=False)
class LinkSpent(SignInRefused):
    """The link has been used, is too old, or was never valid."""

    def __str__(self) -> str:
        return "This link no longer works. Ask for a new one."


class MonthRefused(TimebankError):
    """The month cannot be closed, or opened again, in this way."""


@dataclass(eq=False)
class NoClosingDay(MonthRefused):
    """The agreement names no closing day, so months stay open."""

    def __str__(self) -> str:
        return "Your agreement names no closing day, so months stay open."


@dataclass(eq=False)
class TooEarly(MonthRefused):
    """The month can be closed on `day`, and not before."""

    day: date

    def __str__(self) -> str:
        return f"This month can be closed from {self.day.isoformat()} on."


@dataclass(eq=False)
class SecondSteward(MonthRefused):
    """Who asked to open a month again cannot be the one who agrees."""

    def __str__(self) -> str:
        return "Opening a month again takes two stewards: another one has to agree."


@dataclass(eq=False)
class VoicesMissing(TimebankError):
    """Not everyone who was asked has agreed, or stands aside."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"Not everyone who was asked has agreed yet: {', '.join(self.names)}."


@dataclass(eq=False)
class SignUpClosed(GatheringRefused):
    """It is over, or was called off, so nobody can say any more whether they come."""

    def __str__(self) -> str:
        return "This gathering is over, or was called off."


@dataclass(eq=False)
class RoleTaken(GatheringRefused):
    """As many people as the role needs have said they would."""

    key: str
    name: str

    def __str__(self) -> str:
        return f"Somebody else has said yes to this already: {self.name or self.key}."


@dataclass(eq=False)
class RoleCarried(GatheringRefused):
    """So many people said they would do this; talk to them before it is taken away."""

    key: str
    name: str
    carriers: int

    def __str__(self) -> str:
        return f"{self.carriers} people said they would do this: {self.name or self.key}."


@dataclass(eq=False)
class OnTheList(GatheringRefused):
    """A guest of this name is on the list already."""

    name: str

    def __str__(self) -> str:
        return f"{self.name} is on the list already."


@dataclass(eq=False)
class AgreementMoved(TimebankError):
    """Somebody adopted another version while this one was being written."""

    version: int

    def __str__(self) -> str:
        return f"Version {self.version} was adopted meanwhile. Look at it before you go on."


@dataclass(eq=False)
class SlugTaken(TimebankError):
    """A community with this address exists."""

    slug: str

    def __str__(self) -> str:
        return f"There is already a community at /c/{self.slug}."
