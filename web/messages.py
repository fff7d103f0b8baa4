"""Each refusal as a sentence for the person it meets, in their language.

One function per family of `timebank.errors` and `ledger.errors`. A refusal without a sentence of
its own is a mistake of ours, and a test finds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ledger import LedgerError, NotMinutesReason
from ledger import errors as books
from timebank import errors
from timebank.errors import TimebankError
from timebank.i18n import format_minutes
from timebank.roles import label

Gettext = Callable[[str], str]
Sentence = Callable[[Any, Gettext], str]


def sentence(error: TimebankError | LedgerError, _: Gettext) -> str:
    """What went wrong and what to do now. Raises `LookupError` for a class nobody gave one."""
    for kind in type(error).__mro__:
        if kind in _SENTENCES:
            return _SENTENCES[kind](error, _)
    raise LookupError(f"no sentence for {type(error).__name__} in web/messages.py")


def field_of(error: TimebankError | LedgerError) -> str:
    """The field of a form that a refusal is about; "" for none."""
    if isinstance(error, errors.BadInput):
        return error.field
    return next((field for kind, field in _FIELDS.items() if isinstance(error, kind)), "")


_FIELDS: dict[type[Exception], str] = {
    books.NotMinutes: "minutes",
    books.NotPositive: "minutes",
    books.TooMuch: "minutes",
    errors.DayAhead: "day",
    errors.ReasonMissing: "words",
    errors.WeakPassword: "password",
    errors.OnTheList: "name",
}


def has_sentence(kind: type[Exception]) -> bool:
    """Whether a class of refusals has a sentence of its own."""
    return kind in _SENTENCES


def _bad_input(error: errors.BadInput, _: Gettext) -> str:
    said = _reasons(_).get(error.reason)
    if said is None:
        said = _("This is not as it has to be. Please look at it again.")
    return said % {"limit": error.limit}


def has_reason(reason: str) -> bool:
    """Whether a reason of `BadInput` has a sentence of its own."""
    return reason in _reasons(str)


def _reasons(_: Gettext) -> dict[str, str]:
    """Why a field was refused: by the form itself, then by the domain."""
    return {
        "required": _("Please fill this in."),
        "missing": _("Please fill this in."),
        "too_long": _("This is too long. It can hold %(limit)s characters."),
        "not_text": _("There are signs in this that cannot be kept. Please type it anew."),
        "not_a_day": _("This is not a day. Write it as year, month and day, such as 2026-11-10."),
        "not_offered": _("Choose one of those offered here."),
        "not_a_number": _("This has to be a whole number, such as 15."),
        "too_small": _("This has to be at least %(limit)s."),
        "too_large": _("This can be at most %(limit)s."),
        "twice": _("This was sent twice. Please fill it in once."),
        "not_an_address": _("This is not an e-mail address. It looks like name@example.org."),
        "sign_in_first": _(
            "This address and this password do not belong together. If you have signed in here "
            "before, use that password, or sign in first and open the invitation again."
        ),
        "themselves": _("Nobody needs leave to write down their own hours. Choose somebody else."),
        "too_many": _("One entry can hold %(limit)s people. Write the others on another one."),
        "too_many_asked": _("A proposal can ask %(limit)s members at most."),
        "deadline_range": _("This has to be a day from tomorrow on, within a year."),
        "donation_goes_to_commons": _("A gift to the commons goes to the commons and nobody else."),
        "negative": _("This cannot be below zero."),
        "floor_above_zero": _("This has to be zero or below."),
        "hard_above_soft": _("The lowest balance has to be below the one from which we talk."),
        "days_range": _("This has to be from 0 to 90 days."),
        "step_range": _("Steps have to be from 1 to 60 minutes."),
        "lowest_above_hard": _("This lies above the lowest balance it begins with."),
        "day_past": _("This day is past. Choose one that is still to come."),
        "day_too_far": _("Choose a day within the next year."),
        "percent_range": _("This has to be from 0 to 100 percent."),
        "closing_day_range": _("This has to be a day from 1 to 28."),
        "months_range": _("This has to be from 6 to 120 months."),
        "longer_than_a_day": _(
            "Nobody is there for longer than a day. Write it as 2:30 or 90 min."
        ),
        "nothing_changed": _("Nothing is different from the agreement you have."),
        "ask_a_coordinator": _("Please talk to a coordinator about this."),
        "name_taken": _("This is on the list already."),
        "list_is_full": _("There are %(limit)s already. Retire one that nobody uses first."),
        "day_ahead": _("This day is still to come."),
        "day_passed": _("This day has passed already."),
        "before_the_first": _("This lies before the day it began."),
        "within_a_year": _("Choose a day within the next year."),
        "belongs_already": _("That stands there already."),
        "no_guardian": _("Only members who look after nothing here have a guardian."),
        "themselves_apart": _("Nobody can be kept apart from themselves."),
        "unknown_language": _("Choose one of the languages we have."),
        "unknown_timezone": _("This is not a time zone we know, such as Europe/London."),
        "not_a_time": _("This is not a time of day. Write it as 18:00."),
        "nowhere": _("Say where it is: a place, or a link where people meet online."),
        "not_a_link": _("This is not an address on the web. It begins with https://."),
        "too_short": _("This is too short. It has to last at least five minutes."),
        "too_long_for_one": _("This is too long. Seven days at most are one gathering."),
        "too_far_ahead": _("This is more than two years ahead. Plan it when it comes nearer."),
        "too_long_ago": _("This is more than two months ago, too long to plan it afterwards."),
        "too_many_hosts": _("A gathering can have %(limit)s hosts at most."),
        "too_many_of_a_role": _("A role can be for %(limit)s people at most."),
        "before_first_date": _("This lies before the first day."),
        "not_on_this_day": _("The first day is not the last such weekday of its month."),
        "has_a_date_already": _("On this day, or on one that follows, there is a date already."),
        "too_many_at_once": _("Invite at most %(limit)s people at once."),
        "too_many_cards": _("Print at most %(limit)s cards at once."),
        "too_many_formats": _("There are %(limit)s formats already. Put one away first."),
        "there_already": _("There is one of this name already."),
        "column_missing": _("Say which column this is. Without it nothing can be brought in."),
        "two_ways": _(
            "Choose either who gave and who received, or where the hours came from and went to."
        ),
        "nothing_new": _("There is nothing new in this file, so there is nothing to bring in."),
        "mistakes_left": _(
            "Some rows have a mistake. Mend them in the file and upload it again, or tick that "
            "they stay out."
        ),
        "not_a_slug": _("Use small letters, digits and hyphens, such as mill-road."),
    }


def _not_minutes(error: books.NotMinutes, _: Gettext) -> str:
    shown = error.text.strip()
    facts = {"text": shown if len(shown) <= 40 else shown[:39] + "…"}
    return {
        NotMinutesReason.EMPTY: _("Say how long it took, for example 1:30 or 90 min."),
        NotMinutesReason.AMBIGUOUS: _(
            "%(text)s could be hours or minutes. Write %(text)s h or %(text)s min, or 1:30."
        ),
        NotMinutesReason.SIGNED: _("Write it without a plus or a minus, for example 1:30."),
        NotMinutesReason.PAST_THE_HOUR: _(
            "%(text)s has more than 59 minutes after the hour. Write 1:30, or 90 min."
        ),
        NotMinutesReason.NOT_WHOLE: _(
            "%(text)s is not a whole number of minutes. Write 1:20, or 80 min."
        ),
        NotMinutesReason.TOO_MUCH: _("%(text)s is more than one entry can hold."),
        NotMinutesReason.NOT_UNDERSTOOD: _(
            "“%(text)s” is not a time we understand. Write 1:30, 1h 30m, 90 min or 1.5 h."
        ),
    }[error.reason] % facts


def _weak_password(error: errors.WeakPassword, _: Gettext) -> str:
    return {
        "too_short": _("Too short: take at least %(limit)s characters. A few words will do."),
        "too_long": _("Too long: take at most %(limit)s characters."),
    }.get(
        error.reason,
        _("Too easy to guess. Take a few words that have nothing to do with you or each other."),
    ) % {"limit": error.limit}


def _entries_waiting(error: errors.EntriesWaiting, _: Gettext) -> str:
    said = _("Entries that still wait for a decision: %(count)d. They have to be settled first.")
    return said % {"count": error.count}


def _nobody_there(error: errors.NobodyThere, _: Gettext) -> str:
    if error.side == "gave":
        return _("Say who gave the time.")
    return _("Say who received the time.")


def _floor_reached(error: books.FloorReached, _: Gettext) -> str:
    return _(
        "%(minutes)s more would go below the %(floor)s that your agreement allows; the balance is "
        "%(balance)s. A coordinator can let it through with a reason."
    ) % {
        "minutes": format_minutes(error.minutes),
        "floor": format_minutes(error.floor),
        "balance": format_minutes(error.balance),
    }


def _broken_books(_error: Exception, _: Gettext) -> str:
    return _(
        "Something in the books does not add up, so nothing was written. "
        "Please tell whoever runs this installation."
    )


_SENTENCES: dict[type[Exception], Sentence] = {
    TimebankError: lambda _error, _: _("This did not work. Nothing was written."),
    errors.NotFound: lambda _error, _: _("There is no such page here, or it is not open to you."),
    errors.Forbidden: lambda _error, _: _("This is for others to do. Ask a coordinator."),
    errors.OwnGain: lambda _error, _: _(
        "You gain hours from this entry, so somebody else has to approve it."
    ),
    errors.ReadOnlyMember: lambda _error, _: _(
        "You can look around, but write nothing down while you are not an active member."
    ),
    errors.BadInput: _bad_input,
    errors.WrongState: lambda _error, _: _(
        "Somebody was quicker: this has moved on meanwhile. Look at it again."
    ),
    errors.EntryRefused: lambda _error, _: _("This entry cannot be kept as it stands."),
    errors.SamePersonTwice: lambda error, _: (
        _("%(name)s is named twice. Nobody can give hours to themselves.") % {"name": error.name}
    ),
    errors.NobodyThere: _nobody_there,
    errors.SharesDiffer: lambda error, _: (
        _("%(given)s given and %(received)s received: the two have to be the same.")
        % {"given": format_minutes(error.given), "received": format_minutes(error.received)}
    ),
    errors.NotTakingPart: lambda error, _: (
        _("%(name)s is not active here just now, so no hours can be written down with them.")
        % {"name": error.name}
    ),
    errors.NotYours: lambda _error, _: _(
        "You can write down hours of your own, or of somebody who agreed that you do it."
    ),
    errors.LeftToCoordinators: lambda _error, _: _(
        "These hours cannot be written down like this. Please talk to a coordinator."
    ),
    errors.DayAhead: lambda _error, _: _(
        "This day is still to come. Write it down once it has happened."
    ),
    errors.NotConfirmed: lambda _error, _: _(
        "The other side has not confirmed it yet, and your agreement asks for that."
    ),
    errors.ReasonMissing: lambda _error, _: _("Please give a reason. Everyone concerned reads it."),
    errors.CannotUndo: lambda _error, _: _(
        "This cannot be undone. Write down a new entry instead."
    ),
    errors.TooManyNames: lambda _error, _: _(
        "Too many names wait on this list. Please tell somebody who looks after the gathering."
    ),
    errors.NamesWaiting: lambda error, _: (
        _("Names that still have to be confirmed: %(count)d. Say who they are first.")
        % {"count": error.count}
    ),
    errors.NotBegun: lambda _error, _: _(
        "This gathering is still to come. Its list can be closed once it has begun."
    ),
    errors.DoorShut: lambda _error, _: _("This code works only around the time of its gathering."),
    errors.ListClosed: lambda _error, _: _("The list is closed. Open it again first."),
    errors.ListOpen: lambda _error, _: _(
        "The list is still open. Close it first, when everybody is on it."
    ),
    errors.NobodyAgrees: lambda error, _: (
        _(
            "Nobody who can sign in keeps the account of %(name)s, so nobody can agree to this. "
            "Name somebody on its page first."
        )
        % {"name": error.name}
    ),
    errors.SettlementMoved: lambda _error, _: _(
        "Something changed meanwhile. Please look at the table once more."
    ),
    errors.CorrectedSince: lambda _error, _: _(
        "A later correction builds on this. Undo that one first."
    ),
    errors.MemberRefused: lambda _error, _: _("The membership cannot change in this way."),
    errors.AlreadyMember: lambda _error, _: _("This person belongs to the time bank already."),
    errors.JoiningClosed: lambda _error, _: _(
        "People join here by invitation. Ask somebody you know who is a member."
    ),
    errors.LastSteward: lambda _error, _: _(
        "A time bank needs at least one steward. Make somebody else a steward first."
    ),
    errors.EntriesWaiting: _entries_waiting,
    errors.SignInRefused: lambda _error, _: _("That did not work. Please try again."),
    errors.WrongSignIn: lambda _error, _: _(
        "This address and this password do not belong together. "
        "Try again, or let us mail you a link."
    ),
    errors.TooManyTries: lambda _error, _: _(
        "Too many tries. Wait a few minutes, or let us mail you a link."
    ),
    errors.WeakPassword: _weak_password,
    errors.LinkSpent: lambda _error, _: _("This link no longer works. Ask for a new one."),
    errors.GatheringRefused: lambda _error, _: _("This is not possible with this gathering."),
    errors.SignUpClosed: lambda _error, _: _(
        "This gathering is over, or was called off, so the list is closed."
    ),
    errors.RoleTaken: lambda error, _: (
        _("Somebody was quicker, and does this already: %(role)s. Thank you all the same!")
        % {"role": label(error.key, error.name, _)}
    ),
    errors.RoleCarried: lambda error, _: (
        _("Somebody said they would do this: %(role)s. Talk to them before you take it away.")
        % {"role": label(error.key, error.name, _)}
    ),
    errors.OnTheList: lambda error, _: (
        _("%(name)s is on the list already. If it is somebody else, add another name.")
        % {"name": error.name}
    ),
    errors.VoicesMissing: lambda error, _: (
        _("Not everyone who was asked has agreed yet: %(names)s.")
        % {"names": ", ".join(error.names)}
    ),
    errors.AgreementMoved: lambda error, _: (
        _("Version %(version)d was adopted meanwhile. Read it before you go on.")
        % {"version": error.version}
    ),
    errors.MonthRefused: lambda _error, _: _("The month cannot be changed in this way."),
    errors.NoClosingDay: lambda _error, _: _(
        "Your agreement names no closing day, so months stay open."
    ),
    errors.TooEarly: lambda error, _: (
        _("This month can be closed from %(day)s on.") % {"day": error.day.isoformat()}
    ),
    errors.SecondSteward: lambda _error, _: _(
        "Opening a month again takes two stewards: another one has to agree."
    ),
    errors.SlugTaken: lambda _error, _: _("There is a time bank at this address already."),
    LedgerError: _broken_books,
    books.Busy: lambda _error, _: _(
        "A lot is going on just now. Nothing was written; please try again in a moment."
    ),
    books.Unknown: lambda _error, _: _(
        "The line to our books broke just then. We do not know yet whether this was written."
    ),
    books.NotMinutes: _not_minutes,
    books.NoJournal: _broken_books,
    books.Refusal: lambda _error, _: _("The books refuse this. Nothing was written."),
    books.NotPositive: lambda _error, _: _("It has to be at least one minute."),
    books.TooMuch: lambda error, _: (
        _("%(minutes)s is more than one entry can hold.")
        % {"minutes": format_minutes(error.minutes)}
    ),
    books.SameAccount: lambda _error, _: _("Nobody can give hours to themselves."),
    books.NoTransfers: lambda _error, _: _("No hours would move. Say who gave and who received."),
    books.UnknownAccount: lambda _error, _: _("Somebody in this entry has no account here."),
    books.AccountClosed: lambda _error, _: _(
        "Somebody in this entry has left, so their account is closed."
    ),
    books.FloorReached: _floor_reached,
    books.AlreadyReversed: lambda _error, _: _("This was undone before. Nothing more was moved."),
    books.NotPosted: lambda _error, _: _(
        "This was never on the statements, so there is nothing to undo."
    ),
    books.ReversalDiffers: _broken_books,
    books.KeyReused: lambda _error, _: _(
        "This sheet was sent before with something else on it. Begin with a new one."
    ),
    books.BrokenBooks: _broken_books,
}
