"""The agreement in plain words: what holds now, what held before, and how a steward changes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from ledger import Minutes, Rounding
from timebank import agreements, policy, proposals
from timebank.agreements import Agreement, Approval, Joining, OtherSide, Silence, Terms
from timebank.errors import AgreementMoved, NotFound
from timebank.i18n import format_day, format_minutes
from timebank.moment import Moment
from timebank.proposals import Stance
from web import agreement_roles
from web.attempt import attempt
from web.forms import Form
from web.pages import gettext, here, language, ngettext, now, page, read, see_other
from web.stories import Gettext


@dataclass(frozen=True, slots=True)
class Clause:
    """One rule in words; `fields` are the terms it speaks of."""

    fields: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Change:
    """What one version changed: the words before and after."""

    before: str
    after: str


async def show(request: Request) -> Response:
    """The agreement as it holds now, and its versions with what each changed."""
    return await _agreement_page(request, None)


async def version(request: Request) -> Response:
    """The agreement as it was in one version."""
    return await _agreement_page(request, int(request.path_params["version"]))


async def edit(request: Request) -> Response:
    """Write the next version."""
    at = here(request)
    async with read(request) as conn:
        current = await agreements.current(conn, at.community.id)
    return _edit_page(request, Form.of(as_adopted(current)), current)


async def update(request: Request) -> Response:
    """Adopt the next version; refused where somebody adopted another one meanwhile."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    async with read(request) as conn:
        current = await agreements.current(conn, at.community.id)
    terms = terms_in(form, current.terms, now(request), _)
    reason = form.text("reason", limit=1000, lines=True)
    expected = form.number("version", 1, 2**31) or 0
    if expected != current.version:
        form.refused(AgreementMoved(current.version), _)
    if form.ok and not agreements.changes(current.terms, terms):
        form.mistake("", _("Nothing is different from the agreement you have."))

    async def adopt(conn: AsyncConnection) -> Agreement:
        return await agreements.adopt(
            conn,
            at.community.id,
            terms,
            reason=reason,
            expected_version=expected,
            by=at.me.id,
            now=now(request),
        )

    adopted = await attempt(request, form, adopt)
    if adopted is None:
        return _edit_page(request, form, current, status=422)
    said = _("Version %(number)d holds from now on.") % {"number": adopted.version}
    return see_other(request, "agreement:show", said=said)


async def _agreement_page(request: Request, number: int | None) -> Response:
    at = here(request)
    async with read(request) as conn:
        versions = await agreements.history(conn, at.community.id)
        came_from = await proposals.of_versions(conn, at.community.id)
        pending = await proposals.listed(conn, at.community.id, proposals.PENDING)
    versions = sorted(versions, key=lambda one: one.version)
    by_number = {one.version: one for one in versions}
    shown = versions[-1] if number is None else by_number.get(number)
    if shown is None:
        raise NotFound("agreement")
    say = Clauses(request)
    history = [
        (one, say.changes(before.terms, one.terms) if before else [])
        for before, one in zip([None, *versions], versions, strict=False)
    ]
    return page(
        request,
        "agreement/show.html",
        agreement=shown,
        is_current=shown is versions[-1],
        current=versions[-1],
        clauses=say.all(shown.terms),
        roles=[agreement_roles.said(role, gettext(request)) for role in shown.terms.roles],
        history=history[::-1],
        came_from=came_from,
        pending=pending,
        agrees=Stance.AGREE,
        may_adopt=policy.may_adopt(at.me),
        may_propose=policy.may_propose(at.me),
        review_due=_due(shown.terms.review_on, now(request).day_in(at.community.timezone)),
    )


def _edit_page(request: Request, form: Form, current: Agreement, *, status: int = 200) -> Response:
    _ = gettext(request)
    return page(
        request,
        "agreement/edit.html",
        status=status,
        form=form,
        current=current,
        **on_the_form(current.terms, _),
    )


def _due(review_on: date | None, today: date) -> bool:
    return review_on is not None and review_on <= today


class Clauses:
    """Says terms in the reader's words."""

    def __init__(self, request: Request) -> None:
        self._gettext = gettext(request)
        self._ngettext = ngettext(request)
        self._language = language(request)

    def all(self, terms: Terms) -> list[Clause]:
        """Every rule, in the order in which people meet them."""
        return [
            Clause(("joining",), self._joining(terms)),
            Clause(("step", "rounding"), self._step(terms)),
            Clause(("other_side", "dispute_days", "silence"), self._other_side(terms)),
            Clause(("approval", "approval_above"), self._approval(terms)),
            Clause(("sole_coordinator",), self._sole(terms)),
            Clause(("soft_floor",), self._soft_floor(terms)),
            Clause(("soft_ceiling",), self._soft_ceiling(terms)),
            Clause(("hard_floor",), self._hard_floor(terms)),
            Clause(("floor_growth", "lowest_floor"), self._floor_growth(terms)),
            Clause(("commons_floor",), self._commons(terms)),
            Clause(("retention_months",), self._retention(terms)),
            Clause(("credits_taking_part",), agreement_roles.taking_part(terms, self._gettext)),
            Clause(("closing_day",), self._closing(terms)),
            Clause(("review_on",), self._review(terms)),
        ]

    def changes(self, old: Terms, new: Terms) -> list[Change]:
        """What is different, as the words before and after."""
        changed = set(agreements.changes(old, new))
        pairs = [
            Change(before.words, after.words)
            for before, after in zip(self.all(old), self.all(new), strict=True)
            if changed.intersection(before.fields) and before.words != after.words
        ]
        if "purpose" in changed:
            pairs.insert(0, Change(old.purpose, new.purpose))
        pairs += [Change(*pair) for pair in agreement_roles.changes(old, new, self._gettext)]
        return pairs

    def _joining(self, terms: Terms) -> str:
        _ = self._gettext
        if terms.joining is Joining.APPLY:
            return _("Anyone may ask to join. A coordinator gets to know them and welcomes them.")
        return _("People join by invitation of somebody who is here already.")

    def _step(self, terms: Terms) -> str:
        _, ngettext = self._gettext, self._ngettext
        if terms.step == Minutes(1):
            return _("We write hours down to the minute.")
        step = ngettext("%(n)d minute", "%(n)d minutes", terms.step.count) % {"n": terms.step.count}
        return {
            Rounding.NEAREST: _("We write hours down in steps of %(step)s, to the nearest step."),
            Rounding.UP: _("We write hours down in steps of %(step)s, and round up."),
            Rounding.DOWN: _("We write hours down in steps of %(step)s, and round down."),
        }[terms.rounding] % {"step": step}

    def _other_side(self, terms: Terms) -> str:
        _, ngettext = self._gettext, self._ngettext
        days = ngettext("%(n)d day", "%(n)d days", terms.dispute_days) % {"n": terms.dispute_days}
        if terms.other_side is OtherSide.TOLD:
            text = _(
                "When somebody writes hours down, the other side is told, and has "
                "%(days)s to say if something is not right."
            )
        else:
            text = _(
                "When somebody writes hours down, the other side is asked to confirm them "
                "within %(days)s."
            )
        silence = (
            _("No answer means yes.")
            if terms.silence is Silence.AGREES
            else _("Without an answer the entry waits.")
        )
        return f"{text % {'days': days}} {silence}"

    def _approval(self, terms: Terms) -> str:
        _ = self._gettext
        above = format_minutes(terms.approval_above)
        return {
            Approval.ALL: _(
                "A coordinator looks at every entry and approves it before it counts. "
                "Nobody approves hours they gain themselves."
            ),
            Approval.ABOVE: _(
                "A coordinator approves entries of more than %(above)s, and everything "
                "the commons gives. Nobody approves hours they gain themselves."
            ),
            Approval.COMMONS: _(
                "A coordinator approves what the commons gives. All other entries count "
                "once both sides agree."
            ),
        }[terms.approval] % {"above": above}

    def _sole(self, terms: Terms) -> str:
        _ = self._gettext
        if terms.sole_coordinator:
            return _(
                "Where our only coordinator would gain hours, the other side's "
                "confirmation stands in for a second coordinator, and the entry says so."
            )
        return _("Where a coordinator would gain hours, another coordinator approves them.")

    def _soft_floor(self, terms: Terms) -> str:
        _ = self._gettext
        return _("Going below zero is ordinary. When a balance falls below %(floor)s, we talk.") % {
            "floor": format_minutes(terms.soft_floor)
        }

    def _hard_floor(self, terms: Terms) -> str:
        _ = self._gettext
        if terms.hard_floor is None:
            return _("There is no balance at which we stop somebody from receiving help.")
        return _(
            "Below %(floor)s nothing more is approved, unless a coordinator gives a "
            "reason that everyone concerned can read."
        ) % {"floor": format_minutes(terms.hard_floor)}

    def _soft_ceiling(self, terms: Terms) -> str:
        _ = self._gettext
        if terms.soft_ceiling is None:
            return _("There is no balance that is too high.")
        return _("When a balance goes above %(ceiling)s, we talk about what others could do.") % {
            "ceiling": format_minutes(terms.soft_ceiling)
        }

    def _floor_growth(self, terms: Terms) -> str:
        _ = self._gettext
        if not terms.floor_growth or terms.hard_floor is None:
            return _("What somebody has given changes nothing about their limits.")
        grows = _(
            "Whoever gives more may go further down: by %(percent)s%% of what they have given."
        ) % {"percent": terms.floor_growth}
        if terms.lowest_floor is None:
            return grows
        lowest = _("Nobody goes below %(lowest)s.") % {"lowest": format_minutes(terms.lowest_floor)}
        return f"{grows} {lowest}"

    def _commons(self, terms: Terms) -> str:
        _ = self._gettext
        if terms.commons_floor is None:
            return _(
                "The commons may give hours without a limit. Every member can read its statement."
            )
        if not terms.commons_floor:
            return _(
                "The commons gives only hours that were given to it. Every member can "
                "read its statement."
            )
        return _("The commons may go down to %(floor)s. Every member can read its statement.") % {
            "floor": format_minutes(terms.commons_floor)
        }

    def _retention(self, terms: Terms) -> str:
        _, ngettext = self._gettext, self._ngettext
        months = terms.retention_months
        if months is None:
            return _("We keep what we know about members until they ask us to forget them.")
        return ngettext(
            "When there is no sign of somebody for %(n)d month, we ask whether they stay. Without "
            "an answer within 60 days we forget their name and their words; the hours stay.",
            "When there is no sign of somebody for %(n)d months, we ask whether they stay. Without "
            "an answer within 60 days we forget their name and their words; the hours stay.",
            months,
        ) % {"n": months}

    def _closing(self, terms: Terms) -> str:
        _ = self._gettext
        if terms.closing_day is None:
            return _("Months stay open: hours count on their own day, whenever they are recorded.")
        return _(
            "On day %(day)d of each month a coordinator closes the month before. Its report stays "
            "as it is; hours that come later count in the month that is open."
        ) % {"day": terms.closing_day}

    def _review(self, terms: Terms) -> str:
        _ = self._gettext
        if terms.review_on is None:
            return _("We have not set a day to look at this agreement again.")
        return _("We look at this agreement again on %(day)s.") % {
            "day": format_day(terms.review_on, self._language)
        }


def on_the_form(terms: Terms, _: Gettext) -> dict[str, Any]:
    """What `agreement/edit.html`, and what extends it, asks for beside the fields."""
    return {
        "choices": _choices(_),
        "roles": agreement_roles.rows(terms, _),
        "kinds": agreement_roles.kinds(_),
    }


def _choices(_: Gettext) -> dict[str, list[tuple[str, str]]]:
    """What each rule can be, in words, for the form."""
    return {
        "joining": [
            (Joining.APPLY, _("Anyone may ask; a coordinator welcomes them")),
            (Joining.INVITATION, _("By invitation only")),
        ],
        "rounding": [
            (Rounding.NEAREST, _("To the nearest step")),
            (Rounding.UP, _("Up")),
            (Rounding.DOWN, _("Down")),
        ],
        "other_side": [
            (OtherSide.TOLD, _("They are told, and may say it is not right")),
            (OtherSide.CONFIRMS, _("They have to confirm")),
        ],
        "silence": [
            (Silence.AGREES, _("No answer means yes")),
            (Silence.WAITS, _("The entry waits until they answer")),
        ],
        "approval": [
            (Approval.ALL, _("Every entry")),
            (Approval.ABOVE, _("Long entries, and what the commons gives")),
            (Approval.COMMONS, _("Only what the commons gives")),
        ],
    }


def as_adopted(agreement: Agreement) -> dict[str, str]:
    """The fields of the form, filled in from the version that holds."""
    terms = agreement.terms
    floors = {
        name: "" if floor is None else str(abs(floor))
        for name, floor in (
            ("soft_floor", terms.soft_floor),
            ("hard_floor", terms.hard_floor),
            ("lowest_floor", terms.lowest_floor),
            ("soft_ceiling", terms.soft_ceiling),
            ("commons_floor", terms.commons_floor),
        )
    }
    flags = {"sole_coordinator": "1"} if terms.sole_coordinator else {}
    return {
        "version": str(agreement.version),
        "purpose": terms.purpose,
        "step": str(terms.step.count),
        "rounding": terms.rounding,
        "joining": terms.joining,
        "other_side": terms.other_side,
        "dispute_days": str(terms.dispute_days),
        "silence": terms.silence,
        "approval": terms.approval,
        "approval_above": str(terms.approval_above),
        "closing_day": "" if terms.closing_day is None else str(terms.closing_day),
        "floor_growth": str(terms.floor_growth),
        "retention_months": str(terms.retention_months or ""),
        "review_on": "" if terms.review_on is None else terms.review_on.isoformat(),
        **floors,
        **flags,
        **agreement_roles.fields(terms),
    }


def terms_in(form: Form, current: Terms, now: Moment, _: Gettext) -> Terms:
    """The terms and roles somebody wrote; where some are not right, `form` says so."""
    return agreement_roles.read(form, _terms(form, current, _) or current, now)


def _terms(form: Form, current: Terms, _: Gettext) -> Terms | None:
    """The terms but for the roles; None where something in them is not right.

    What the page does not ask for stays as it is.
    Floors are written without a sign ("10:00 below zero"), so that nobody has to type a minus.
    """
    step = form.number("step", 1, 60)
    rounding = form.choice("rounding", Rounding)
    joining = form.choice("joining", Joining)
    other_side = form.choice("other_side", OtherSide)
    days = form.number("dispute_days", 0, 90)
    silence = form.choice("silence", Silence)
    approval = form.choice("approval", Approval)
    soft = form.minutes("soft_floor")
    hard = form.minutes("hard_floor", required=False)
    growth = form.number("floor_growth", 0, 100, required=False) or 0
    lowest = form.minutes("lowest_floor", required=False)
    ceiling = form.minutes("soft_ceiling", required=False)
    commons = form.minutes("commons_floor", required=False)
    above = form.minutes("approval_above")
    purpose = form.text("purpose", required=False, limit=2000, lines=True)
    retention = form.number("retention_months", 6, 120, required=False)
    closing_day = form.number("closing_day", 1, 28, required=False)
    review_on = form.day("review_on", required=False)
    if hard is not None and soft is not None and hard < soft:
        form.mistake("hard_floor", _("This lies above the balance at which you talk."))
    if growth and hard is None:
        form.mistake("floor_growth", _("There is no lowest balance that this could change."))
    if lowest is not None and hard is not None and lowest < hard:
        form.mistake("lowest_floor", _("This lies above the lowest balance it begins with."))
    if (
        step is None
        or rounding is None
        or joining is None
        or other_side is None
        or days is None
        or silence is None
        or approval is None
        or soft is None
        or above is None
        or not form.ok
    ):
        return None
    return replace(
        current,
        purpose=purpose,
        step=Minutes(step),
        rounding=rounding,
        soft_floor=-soft,
        soft_ceiling=ceiling,
        hard_floor=None if hard is None else -hard,
        floor_growth=growth,
        lowest_floor=None if lowest is None else -lowest,
        commons_floor=None if commons is None else -commons,
        joining=joining,
        other_side=other_side,
        dispute_days=days,
        silence=silence,
        approval=approval,
        approval_above=above,
        sole_coordinator=form.flag("sole_coordinator"),
        retention_months=retention,
        closing_day=closing_day,
        review_on=review_on,
    )
