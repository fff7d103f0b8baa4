"""Limits in words: which hold for somebody, how they are worked out, and what is past one."""

from __future__ import annotations

from ledger import Minutes
from timebank.agreements import Terms
from timebank.i18n import format_minutes
from timebank.limits import Beyond, Foreseen, Limits
from web.stories import Gettext


def all_of(limits: Limits, terms: Terms, _: Gettext) -> list[str]:
    """Every limit that holds for an account now, each in a sentence or two."""
    said = [
        _("When a balance falls below %(floor)s, we talk.") % {"floor": _shown(limits.soft_floor)}
    ]
    if limits.soft_ceiling is not None:
        said.append(
            _("When a balance goes above %(ceiling)s, we talk about what others could do.")
            % {"ceiling": _shown(limits.soft_ceiling)}
        )
    if limits.hard_floor is None:
        said.append(_("There is no balance at which we stop somebody from receiving help."))
        return said
    lowest = _("Below %(floor)s nothing more is approved without a reason that all can read.")
    said.append(lowest % {"floor": _shown(limits.hard_floor)})
    if terms.floor_growth and terms.hard_floor is not None:
        said.append(_growth(limits, terms, terms.hard_floor, _))
    return said


def _growth(limits: Limits, terms: Terms, begins: Minutes, _: Gettext) -> str:
    facts = {
        "begins": _shown(begins),
        "percent": terms.floor_growth,
        "given": _shown(limits.given),
        "floor": _shown(limits.hard_floor or begins),
        "lowest": "" if terms.lowest_floor is None else _shown(terms.lowest_floor),
    }
    grown = _(
        "It follows what was given: it begins at %(begins)s and goes down by %(percent)s%% of the "
        "%(given)s given so far, which makes %(floor)s."
    )
    if terms.lowest_floor is None:
        return grown % facts
    return f"{grown % facts} {_('It never goes below %(lowest)s.') % facts}"


def past(limits: Limits, _: Gettext) -> str:
    """What somebody reads who is past a soft limit themselves; "" where they are not."""
    if limits.beyond is Beyond.BELOW:
        return _(
            "You are below %(floor)s. Nothing is wrong with that; it is a point at which we like "
            "to talk, so somebody may ring you."
        ) % {"floor": _shown(limits.soft_floor)}
    if limits.beyond is Beyond.ABOVE and limits.soft_ceiling is not None:
        return _(
            "You have more than %(ceiling)s to spend. What could others do for you? Somebody may "
            "ring you about it."
        ) % {"ceiling": _shown(limits.soft_ceiling)}
    return ""


def foreseen(one: Foreseen, name: str, terms: Terms, _: Gettext) -> str:
    """Where somebody would stand after an entry; `name` is "" for the reader."""
    facts = {"name": name, "after": _shown(one.after), "floor": _shown(terms.soft_floor)}
    if one.beyond is Beyond.BELOW:
        if not name:
            return (
                _("You would be at %(after)s after this. Below %(floor)s we like to talk.") % facts
            )
        return (
            _("%(name)s would be at %(after)s after this. Below %(floor)s we talk: worth a call.")
            % facts
        )
    if not name:
        return _("You would have %(after)s after this. What could others do for you?") % facts
    return _("%(name)s would have %(after)s after this: worth a call about spending some.") % facts


def _shown(minutes: Minutes) -> str:
    return format_minutes(minutes)
