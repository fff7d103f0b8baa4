"""Hours in the inbox: to approve, looking odd, answered, or not agreed."""

from __future__ import annotations

from timebank.entry import StepKind
from timebank.errors import OwnGain, ReasonMissing
from timebank.inbox import Row, Why
from timebank.inbox.of_entries import WaitingEntry
from timebank.odd import Oddity, Reason
from web.inbox_rows.telling import Line, Telling, shortened
from web.messages import sentence
from web.stories import kind_label


def entry(row: Row, telling: Telling) -> Line:
    """Hours that wait: to approve, looking odd, answered, or not agreed."""
    waiting = row.thing
    assert isinstance(waiting, WaitingEntry)
    _, tell, entry = telling.gettext, telling.teller, waiting.entry
    commons = entry.community_id
    facts = [telling.day(entry.occurred_on)]
    if entry.note or entry.category:
        facts.append(shortened(entry.note or entry.category or ""))
    facts.append(f"{tell.written_by(entry)}, {telling.ago(entry.recorded_at)}")
    facts += [
        _("%(name)s has no sign-in") % {"name": part.name}
        for part in entry.parts
        if not part.reachable and part.account_id != commons
    ]
    if waiting.last.kind is not StepKind.RECORDED and row.why is not Why.DISPUTE:
        facts.append(f"{tell.step(waiting.last, entry)}, {telling.ago(waiting.last.at)}")
    tag, tone = _tag(row, waiting, telling)
    why = [odd(reason, telling) for reason in waiting.odd] + _standing(row, waiting, telling)
    return Line(
        title=tell.headline(entry),
        path=telling.entry(entry.id),
        facts=tuple(facts),
        why=tuple(why),
        said=_said(row, waiting),
        tag=tag,
        tone=tone,
        minutes=entry.minutes,
        may_approve=waiting.may_approve,
    )


def odd(reason: Reason, telling: Telling) -> str:
    """What looks odd, in a sentence."""
    _ = telling.gettext
    facts = {
        "name": reason.name,
        "usual": telling.minutes(reason.usual) if reason.usual is not None else "",
    }
    if reason.what is Oddity.TWICE:
        if reason.other_waits:
            return _("The same people, day and hours were written down twice; both wait.")
        return _("The same people, day and hours were written down before, and approved.")
    return {
        Oddity.MUCH: _(
            "Far more than usual for %(name)s: half of the time it is %(usual)s or less."
        ),
        Oddity.LONG: _("More than twelve hours of %(name)s on one day."),
        Oddity.LATE: _("The day was long past when it was written down."),
    }[reason.what] % facts


def why_left_out(row: Row, telling: Telling) -> str:
    """Why a thing that was ticked is not approved with the others."""
    _ = telling.gettext
    if not isinstance(row.thing, WaitingEntry):
        return _("There are no hours to approve in this.")
    if row.why is Why.DISPUTE and not isinstance(row.thing.why_not, OwnGain):
        return _("Open it and read what was said before you decide.")
    return " ".join(_refused(row.thing, telling))


def _tag(row: Row, waiting: WaitingEntry, telling: Telling) -> tuple[str, str]:
    """What stands beside the title, and its tone."""
    _ = telling.gettext
    if row.why is Why.DISPUTE:
        undone = waiting.entry.contested
        return (_("not agreed, after approval") if undone else _("not agreed")), "plum"
    if row.why is Why.ODD:
        return _("looks odd"), "plum"
    if row.why is Why.ANSWER:
        return _("answered"), "tea"
    kind = waiting.entry.kind
    tone = {"help": "", "other": "", "hospitality": "tea", "activity": "tea"}.get(kind, "plum")
    return kind_label(kind, _), tone


def _standing(row: Row, waiting: WaitingEntry, telling: Telling) -> list[str]:
    """What stands in the way of approving it with others, and who looks into it."""
    _ = telling.gettext
    if row.why is Why.DISPUTE:
        step = telling.teller.step(waiting.last, waiting.entry)
        last = f"{step}, {telling.ago(waiting.last.at)}."
        if waiting.looked_into is None:
            return [last, _("Nobody looks into it yet.")]
        if waiting.looked_into.member_id == telling.teller.reader:
            return [last, _("You look into it.")]
        return [last, _("%(name)s looks into it.") % {"name": waiting.looked_into.name}]
    if row.why is Why.ANSWER and waiting.asked is not None:
        asked = _("The question was: %(words)s") % {"words": shortened(waiting.asked.words)}
        return [asked, *_refused(waiting, telling)]
    return _refused(waiting, telling)


def _refused(waiting: WaitingEntry, telling: Telling) -> list[str]:
    error = waiting.why_not
    if error is None:
        return []
    if isinstance(error, ReasonMissing):
        return [telling.gettext("Open it and read what was said before you decide.")]
    return [sentence(error, telling.gettext)]


def _said(row: Row, waiting: WaitingEntry) -> str:
    if row.why in (Why.DISPUTE, Why.ANSWER):
        return shortened(waiting.last.words)
    return ""
