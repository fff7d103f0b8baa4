"""What is said of a file and of each of its rows, in the reader's language.

Reasons are keys: of `timebank.imports.child` for files that are refused, and of the planners for
rows. A key without a sentence is a mistake of ours, and a test finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from ledger import Minutes
from timebank.i18n import format_day, format_minutes
from timebank.imports.files import Row, What

Gettext = Callable[[str], str]
Facts = Mapping[str, Any]


def refusal(outcome: Facts, _: Gettext) -> str:
    """Why a file is refused, or why work on it ended without a result."""
    facts: Facts = outcome.get("facts", {})
    return _refusals(_)[outcome["reason"]] % dict(facts)


def told(row: Row, language: str, _: Gettext) -> list[str]:
    """What is said of a row: a sentence, and one for each remark."""
    pairs = [(row.says["reason"], row.says["facts"]), *row.says.get("remarks", [])]
    return [sentence(key, facts, language, _) for key, facts in pairs]


def sentence(key: str, facts: Facts, language: str, _: Gettext) -> str:
    """One sentence about a row. Raises `KeyError` for a key nobody wrote one for."""
    if key in _SHAPED:
        return _SHAPED[key](facts, language, _)
    return _plain(_)[key] % _readable(facts, language)


def _readable(facts: Facts, language: str) -> dict[str, Any]:
    """The facts as people read them: days and amounts of time."""
    found = dict(facts)
    for key in ("minutes", "balance", "floor"):
        if isinstance(found.get(key), int):
            found[key] = format_minutes(Minutes(found[key]))
    for key in ("day", "since", "until"):
        if found.get(key):
            found[key] = format_day(date.fromisoformat(found[key]), language, "short")
    return found


def what_label(what: What, _: Gettext) -> str:
    """What the rows are, in the reader's words."""
    return {
        What.PEOPLE: _("People"),
        What.ORGANISATIONS: _("Organisations"),
        What.AFFILIATIONS: _("Who belongs where"),
        What.LISTINGS: _("Offers and requests"),
        What.HOURS: _("Hours from before"),
    }[what]


def field_label(what: What, key: str, _: Gettext) -> str:
    """A field in the reader's words."""
    own = {
        (What.ORGANISATIONS, "name"): _("Name of the organisation"),
        (What.LISTINGS, "kind"): _("Offer or request"),
        (What.HOURS, "kind"): _("What kind of help it was"),
        (What.HOURS, "id"): _("Its number in the other program"),
        (What.PEOPLE, "role"): _("What they do there"),
        (What.AFFILIATIONS, "role"): _("What they do there"),
    }
    return own.get((what, key)) or _labels(_)[key]


def _labels(_: Gettext) -> dict[str, str]:
    return {
        "name": _("Full name"),
        "first_name": _("First name"),
        "last_name": _("Last name"),
        "number": _("Their number in the other program"),
        "email": _("E-mail address"),
        "phone": _("Telephone"),
        "area": _("Street or area"),
        "about": _("About them"),
        "joined": _("Member since"),
        "organisation": _("Organisation"),
        "kind": _("Person or organisation"),
        "balance": _("The balance they bring along"),
        "sector": _("Sector"),
        "contact": _("Whom to ask for"),
        "managers": _("Who keeps their account"),
        "person": _("Person"),
        "person_number": _("That person’s number"),
        "since": _("Since"),
        "until": _("Until"),
        "title": _("Title"),
        "words": _("In more words"),
        "category": _("Category"),
        "written": _("Written on"),
        "day": _("Day"),
        "giver": _("Who gave time"),
        "giver_number": _("The giver’s number"),
        "receiver": _("Who received time"),
        "receiver_number": _("The receiver’s number"),
        "source": _("Where the hours come from (they received help)"),
        "source_number": _("The number of where they come from"),
        "destination": _("Where the hours go to (they gave help)"),
        "destination_number": _("The number of where they go to"),
        "time": _("How much time"),
        "note": _("What for"),
    }


def _refusals(_: Gettext) -> dict[str, str]:
    return {
        "empty": _("There is nothing in this file."),
        "not_text": _(
            "This is neither a spreadsheet nor a text that can be read. Save it as XLSX, ODS or "
            "CSV and try again."
        ),
        "cell_too_long": _(
            "Row %(row)s is longer than a row can be: a cell may hold %(limit)s characters. "
            "Perhaps a quotation mark is missing where a text ends."
        ),
        "too_many_columns": _(
            "This file has more than %(limit)s columns. Take out the empty ones."
        ),
        "too_many_rows": _("This file has more than %(limit)s rows. Divide it into several."),
        "old_or_locked": _(
            "This is an old format (such as XLS), or it is locked with a password. Open it, save "
            "it as XLSX without a password, and try again."
        ),
        "macros": _(
            "There are programs (macros) in this file. Save it as XLSX or CSV, which has none."
        ),
        "broken": _("This file is damaged. Open it in your spreadsheet program and save it anew."),
        "bomb": _(
            "Unpacked, this file is larger than we can read. Divide it into several, or save it as "
            "CSV."
        ),
        "entities": _(
            "This file refers to things outside of itself, which no spreadsheet needs. Open it in "
            "your spreadsheet program and save it anew."
        ),
        "no_spreadsheet": _(
            "This is an archive or a document, but no spreadsheet. Save the table as XLSX, ODS or "
            "CSV."
        ),
        "interrupted": _(
            "The work on this file was interrupted, and nothing was brought in. Please try again."
        ),
        "moved_on": _(
            "Something changed here since the check, so nothing was brought in. Check the rows "
            "again."
        ),
        "books_floor": _(
            "Somebody would have gone below the lowest balance that your agreement allows, so "
            "nothing was brought in. Check the rows again."
        ),
        "books_closed": _(
            "Somebody in this file has closed their account for good, so nothing was brought in."
        ),
        "books_refused": _("The books refused a row, so nothing was brought in."),
    }


def _plain(_: Gettext) -> dict[str, str]:
    return {
        # Already here.
        "person_there": _("%(name)s is here already. Nothing about them changes."),
        "person_twice": _("%(name)s stands in row %(row)s too, and is added once."),
        "hat_there": _("%(name)s: this is known already."),
        "listing_there": _("“%(title)s” by %(name)s is on the board already."),
        "listing_twice": _("“%(title)s” by %(name)s stands in row %(row)s too."),
        "row_twice": _("Row %(row)s says the same under the same number."),
        # Mistakes.
        "name_missing": _("There is no name in this row."),
        "name_of_commons": _("%(name)s is the community itself, and no member."),
        "number_of_another": _("The number %(number)s belongs to %(name)s here."),
        "name_of_several": _(
            "Several members are called %(name)s. Their number or e-mail address would tell them "
            "apart."
        ),
        "not_welcomed": _("%(name)s asked to join and has not been welcomed yet."),
        "brought_otherwise": _("%(name)s brought along %(minutes)s before, and this is different."),
        "nobody_here": _("Nobody here is called %(name)s. Bring in the people first."),
        "nobody_gave": _("It does not say who gave the time."),
        "nobody_received": _("It does not say who received the time."),
        "same_person": _("%(name)s would give time to themselves."),
        "id_twice": _("Row %(row)s says something else under the same number, %(id)s."),
        "here_otherwise": _(
            "This entry is here already, and says something else: other people, another day or "
            "other minutes."
        ),
        "neither_offer_nor_request": _(
            "“%(text)s” does not tell whether this is an offer or a request."
        ),
        "title_missing": _("There is no title in this row."),
        "other_kind": _(
            "%(name)s is an organisation where a person should stand, or the other way round."
        ),
        "ends_before": _("It ends on %(day)s, before it begins."),
        "floor": _(
            "With these hours somebody would be below %(floor)s, the lowest balance that your "
            "agreement allows."
        ),
        "not_a_day": _("“%(text)s” is not a day that we can read."),
        "day_ahead": _("%(text)s is still to come."),
        "not_minutes": _("“%(text)s” is not an amount of time that we can read."),
        "below_zero": _("“%(text)s” is below zero. Exchange who gave and who received."),
        "no_time": _("It does not say how much time, or less than a minute."),
        "too_much": _("%(text)s is more than one entry can hold."),
        "too_long": _("“%(text)s…” is too long. It can hold %(limit)s characters."),
        "not_text": _("There are signs in this row that cannot be kept."),
        # Remarks.
        "address_left_out": _("“%(text)s” is not an e-mail address, and is left out."),
        "address_shared": _(
            "The e-mail address belongs to %(name)s, so there is no sign-in with it."
        ),
        "same_name": _("Somebody else here is called %(name)s too."),
        "no_organisation": _("There is no organisation called %(name)s here; that is left out."),
        "has_left": _("%(name)s has left, and stays a former member."),
        "no_manager": _("Nobody here is called %(name)s, so they do not keep the account."),
        "kind_unknown": _("“%(text)s” is no kind of help we know, so it counts as help."),
        "adds_former": _("%(name)s is not here, and is added as a former member."),
        "category_new": _(
            "The category “%(name)s” is kept with these hours, and not offered for new ones."
        ),
        "no_category": _(
            "There is no category “%(name)s” here, so it goes without. Add the category first if "
            "you want to keep it."
        ),
        "is_over": _("It ended on %(day)s, so it is not shown."),
    }


def _person(facts: Facts, language: str, _: Gettext) -> str:
    shown = _readable(facts, language)
    said = _("%(name)s becomes a member.") % shown
    more = [
        (_("E-mail: %(email)s.") % shown) if shown.get("email") else "",
        (_("From %(organisation)s.") % shown) if shown.get("organisation") else "",
        (_("Brings along %(balance)s.") % shown) if shown.get("balance") else "",
    ]
    return " ".join([said, *filter(None, more)])


def _house(facts: Facts, language: str, _: Gettext) -> str:
    shown = _readable(facts, language)
    said = _("%(name)s becomes a member, as an organisation.") % shown
    more = [
        (_("Sector: %(sector)s.") % shown) if shown.get("sector") else "",
        (_("Their account is kept by %(managers)s.") % shown) if shown.get("managers") else "",
        (_("Brings along %(balance)s.") % shown) if shown.get("balance") else "",
    ]
    return " ".join([said, *filter(None, more)])


def _balance(facts: Facts, language: str, _: Gettext) -> str:
    return _("%(name)s is here already, and brings along %(balance)s.") % _readable(facts, language)


def _hat(facts: Facts, language: str, _: Gettext) -> str:
    shown = _readable(facts, language)
    if not shown["organisation"]:
        said = _("%(name)s is here as a neighbour.")
    elif shown["role"]:
        said = _("%(name)s belongs to %(organisation)s: %(role)s.")
    else:
        said = _("%(name)s belongs to %(organisation)s.")
    when = [
        (_("Since %(since)s.") % shown) if shown["since"] else "",
        (_("Until %(until)s.") % shown) if shown["until"] else "",
    ]
    return " ".join([said % shown, *filter(None, when)])


def _listing(facts: Facts, _language: str, _: Gettext) -> str:
    if facts["kind"] == "offer":
        return _("%(name)s offers: %(title)s") % facts
    return _("%(name)s asks for: %(title)s") % facts


def _hours(facts: Facts, language: str, _: Gettext) -> str:
    shown = _readable(facts, language)
    said = _("%(giver)s gave %(receiver)s %(minutes)s on %(day)s.") % shown
    return _with_words(said, facts)


def _gift(facts: Facts, language: str, _: Gettext) -> str:
    shown = _readable(facts, language)
    said = _("A gift of %(minutes)s from %(giver)s to %(receiver)s on %(day)s.") % shown
    return _with_words(said, facts)


def _there(facts: Facts, language: str, _: Gettext) -> str:
    shown = _readable(facts, language)
    return _("Here already: %(giver)s, %(receiver)s, %(minutes)s, %(day)s.") % shown


def _with_words(said: str, facts: Facts) -> str:
    words = [facts["category"], facts["note"]]
    return " · ".join([said, *(" ".join(word.split()) for word in words if word)])


_SHAPED: Mapping[str, Callable[[Facts, str, Gettext], str]] = {
    "person_new": _person,
    "house_new": _house,
    "balance_new": _balance,
    "hat_new": _hat,
    "listing_new": _listing,
    "hours_new": _hours,
    "gift_new": _gift,
    "hours_there": _there,
}
"""Sentences whose parts depend on what is known."""
