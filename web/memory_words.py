"""The memory of a gathering in sentences: who was in the room, as far as it names nobody."""

from __future__ import annotations

from dataclasses import dataclass

from timebank.hiding import Groups
from timebank.memory import ELSEWHERE, NEIGHBOURS, Memory
from web.stories import Words


@dataclass(frozen=True, slots=True)
class Remembered:
    """What may be said. `sectors` and `areas` are phrases such as `9 from health`."""

    lead: str
    sectors: tuple[str, ...]
    areas: tuple[str, ...]
    faces: str
    interval: str


def remembered(found: Memory | None, words: Words) -> Remembered | None:
    """The memory in the reader's words; None as long as there is none."""
    if found is None:
        return None
    _, ngettext = words.gettext, words.ngettext
    if found.people is None:
        lead = _("A small circle: of fewer than five we say no more.")
    else:
        lead = ngettext("%(n)d person was there.", "%(n)d people were there.", found.people)
        lead = lead % {"n": found.people}
    return Remembered(
        lead,
        _phrases(found.by_sector, words, sectors=True),
        _phrases(found.by_area, words, sectors=False),
        _faces(found, words),
        _interval(found, words),
    )


def _phrases(groups: Groups[str] | None, words: Words, *, sectors: bool) -> tuple[str, ...]:
    """Each group with its number; the small ones together come last, if there is any other."""
    if groups is None or not groups.named:
        return ()
    _ = words.gettext
    usual = {
        NEIGHBOURS: _("neighbours"),
        ELSEWHERE: _("from elsewhere") if sectors else _("no area named"),
    }
    found = [f"{usual.get(name, name)} {count}" for name, count in groups.named]
    if groups.others:
        found.append(_("others %(n)d") % {"n": groups.others})
    return tuple(found)


def _faces(found: Memory, words: Words) -> str:
    _ = words.gettext
    if found.again is None or found.new is None:
        return ""
    facts = {"again": found.again, "new": found.new}
    if not found.new:
        return _("Everybody had been here before.")
    if not found.again:
        return _("Everybody was new, or visiting.")
    return _("%(again)d had been here before; %(new)d were new, or visiting.") % facts


def _interval(found: Memory, words: Words) -> str:
    """How many there were so far, and how long after the one before this was."""
    _, ngettext = words.gettext, words.ngettext
    if found.since_last is None:
        return ""
    days = found.since_last.days
    if days >= 14 and days % 7 == 0:
        after = ngettext("%(n)d week", "%(n)d weeks", days // 7) % {"n": days // 7}
    else:
        after = ngettext("%(n)d day", "%(n)d days", days) % {"n": days}
    facts = {"number": found.number, "after": after}
    return _("Number %(number)d of its kind, %(after)s after the one before.") % facts
