"""Affiliations: where somebody belongs, since when, and who has confirmed it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from timebank import acting, affiliations, members, organisations, policy
from timebank.affiliations import Hat
from timebank.errors import NotFound
from timebank.members import MemberKind
from timebank.moment import Moment
from web.attempt import attempt
from web.forms import Form
from web.pages import gettext, here, now, page, path_id, read, see_other, today


async def show(request: Request) -> Response:
    """Where somebody belongs, and belonged."""
    return await _hats_page(request, Form.blank())


async def create(request: Request) -> Response:
    """Say that they belong to an organisation, or are here as a neighbour."""
    at, _ = here(request), gettext(request)
    form = Form(await request.form())
    organisation = form.id("organisation", required=False)
    role = form.text("role", required=False, limit=100)
    since = form.day("since", required=False) or today(request)

    async def add(conn: AsyncConnection) -> UUID:
        return await affiliations.add(
            conn,
            at.community.id,
            _id(request),
            organisation=organisation,
            role=role,
            since=since,
            by=at.me.id,
            now=now(request),
        )

    await attempt(request, form, add)
    return await _after(request, form, _("Thank you. It stands there now."))


async def confirm(request: Request) -> Response:
    """It is so."""
    at = here(request)
    form = Form(await request.form())
    row = await _row(request)
    await attempt(
        request,
        form,
        lambda conn: affiliations.confirm(
            conn, at.community.id, row, by=at.me.id, now=now(request)
        ),
    )
    return await _after(request, form, gettext(request)("Confirmed. Thank you!"))


async def end(request: Request) -> Response:
    """It ended, or will end, with a day."""
    at = here(request)
    form = Form(await request.form())
    until = form.day("until", required=False) or today(request)
    row = await _row(request)
    await attempt(
        request,
        form,
        lambda conn: affiliations.end(
            conn, at.community.id, row, until=until, by=at.me.id, now=now(request)
        ),
    )
    return await _after(request, form, gettext(request)("Noted. What was stays readable."))


async def remove(request: Request) -> Response:
    """It was a mistake, made today."""
    at = here(request)
    form = Form(await request.form())
    row = await _row(request)
    await attempt(
        request,
        form,
        lambda conn: affiliations.remove(conn, at.community.id, row, by=at.me.id, now=now(request)),
    )
    return await _after(request, form, gettext(request)("Taken away."))


async def _row(request: Request) -> UUID:
    """The affiliation in the path, if it is one of the member in the path."""
    at, row = here(request), path_id(request.path_params["row"])
    async with read(request) as conn:
        hats = await affiliations.of(conn, at.community.id, _id(request))
    if row not in {hat.id for hat in hats}:
        raise NotFound("affiliation")
    return row


async def _after(request: Request, form: Form, said: str) -> Response:
    """Back to where one came from: the member's page of this, or the organisation's."""
    if not form.ok:
        return await _hats_page(request, form, status=422)
    house = form.id("house", required=False)
    if house is not None:
        return see_other(request, "organisations:show", id=house, said=said)
    return see_other(request, "affiliations:show", id=_id(request), said=said)


async def _hats_page(request: Request, form: Form, *, status: int = 200) -> Response:
    at, id, day = here(request), _id(request), today(request)
    async with read(request) as conn:
        member = await members.get(conn, at.community.id, id)
        if not policy.may_see_profile(at.me, member) or member.kind is not MemberKind.PERSON:
            raise NotFound("member")
        actor = await acting.one(conn, at.community.id, at.me.id)
        hats = await affiliations.of(conn, at.community.id, id)
        may_say = policy.may_affiliate(actor.member, id, None, actor.acts_for)
        houses = await organisations.page(conn, at.community.id) if may_say else []
    neighbour = gettext(request)("No organisation: here as a neighbour")

    def may(hat: Hat) -> dict[str, bool]:
        zone = at.community.timezone
        added_today = hat.added_at is not None and Moment(hat.added_at).day_in(zone) == day
        me, house, acts_for = actor.member, hat.organisation_id, actor.acts_for
        return {
            "confirm": not hat.confirmed and policy.may_confirm_affiliation(me, house, acts_for),
            "end": hat.until is None and policy.may_affiliate(me, id, house, acts_for),
            "remove": hat.added_by is not None
            and policy.may_remove_affiliation(me, hat.added_by, same_day=added_today),
        }

    return page(
        request,
        "affiliations/show.html",
        status=status,
        member=member,
        mine=id == at.me.id,
        now_hats=[hat for hat in hats if hat.until is None or hat.until >= day],
        old_hats=[hat for hat in hats if hat.until is not None and hat.until < day],
        may=may,
        may_say=may_say,
        houses=[("", neighbour), *((str(one.member.id), one.member.name) for one in houses)],
        today=day,
        form=form,
    )


def _id(request: Request) -> UUID:
    return path_id(request.path_params["id"])
