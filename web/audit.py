"""The audit: who did what to whom, when, under which agreement."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from timebank import audit, lists, policy
from timebank.audit import Act
from timebank.i18n import format_month
from timebank.members import Role
from timebank.periods import Month
from web import downloads
from web.members import role_label
from web.pages import gettext, here, language, look, page, path_id, read
from web.stories import Gettext

PAGE = 50


async def show(request: Request) -> Response:
    """Stewards read all of it, members their own matters."""
    at, _ = here(request), gettext(request)
    if format := downloads.wanted(request):
        async with look(request) as conn:
            listed = await lists.acts(conn, at.community.id, by=at.me.id)
            return await downloads.send(request, listed, format)
    before = request.query_params.get("before")
    async with read(request) as conn:
        acts = await audit.page(
            conn,
            at.community.id,
            by=at.me.id,
            before=path_id(before) if before else None,
            limit=PAGE,
        )
    return page(
        request,
        "audit/show.html",
        acts=acts,
        sees_all=policy.may_read_audit(at.me),
        coordinates=policy.may_coordinate(at.me),
        older=acts[-1].id if len(acts) == PAGE else None,
        told=lambda act: tell(act, _, language(request)),
    )


def tell(act: Act, _: Gettext, spoken: str) -> str:
    """One act in a sentence; one that is new here is named as it is."""
    facts = {
        "actor": act.actor or _("Whoever runs this installation"),
        "subject": act.subject or _("somebody who has left"),
        "action": act.action,
        "version": act.facts.get("version") or act.agreement_version,
        "role": _role(act, _),
        "month": _month(act, spoken),
        "list": _listed(act, _),
    }
    return (sentences(_).get(act.action) or "%(actor)s: %(action)s") % facts


def _role(act: Act, _: Gettext) -> str:
    role = act.facts.get("to")
    return role_label(Role(role), _) if role in list(Role) else ""


def _month(act: Act, spoken: str) -> str:
    month = act.facts.get("month")
    return format_month(Month.parse(month).first, spoken) if month else ""


def _listed(act: Act, _: Gettext) -> str:
    """What somebody took along; a list that is new here is named as it is."""
    name = str(act.facts.get("list", ""))
    known = {
        "accounts": _("all accounts"),
        "board": _("the notice-board"),
        "audit": _("who did what"),
        "inbox": _("what waits for coordinators"),
        "invitations": _("invitations"),
        "files": _("files that were brought in"),
        "members": _("the members"),
        "proposals": _("proposals"),
        "sheet": _("the entries of a sheet"),
        "sheets": _("sheets that were typed in"),
        "statement": _("somebody’s statement"),
        "statements": _("statements to print"),
    }
    return known.get(name, name)


def sentences(_: Gettext) -> dict[str, str]:
    """Every kind of act we know, as a sentence."""
    return {
        "agreement.adopted": _("%(actor)s adopted version %(version)s of the agreement"),
        "batch.made": _("%(actor)s typed in a sheet"),
        "batch.undone": _("%(actor)s undid a sheet, or a file"),
        "buddy.added": _("%(actor)s noted who may write hours down for %(subject)s"),
        "buddy.ended": _("%(actor)s ended that somebody writes hours down for %(subject)s"),
        "community.created": _("This time bank began"),
        "entry.recorded": _("%(actor)s wrote down an entry"),
        "entry.changed": _("%(actor)s corrected an entry"),
        "entry.confirmed": _("%(actor)s confirmed an entry"),
        "entry.disputed": _("%(actor)s said that an entry is not right"),
        "entry.undo_asked": _("%(actor)s asked for an entry to be undone"),
        "entry.taken": _("%(actor)s began to look into an entry"),
        "entry.unasked": _("%(actor)s took a question back"),
        "inbox.put_aside": _("%(actor)s put something aside"),
        "entry.answered": _("%(actor)s answered about an entry"),
        "entry.returned": _("%(actor)s sent an entry back with a question"),
        "entry.withdrawn": _("%(actor)s took an entry back"),
        "entry.approved": _("%(actor)s approved an entry"),
        "entry.posted": _("An entry counted without a coordinator, as the agreement says"),
        "entry.declined": _("%(actor)s declined an entry"),
        "entry.kept": _("%(actor)s looked into an entry, and it stays"),
        "entry.reversed": _("%(actor)s undid an entry"),
        "archive.taken": _("%(actor)s took the whole community out as one file"),
        "import.done": _("%(actor)s brought in a file"),
        "import.undone": _("%(actor)s undid what a file had brought in"),
        "journal.taken": _("%(actor)s took the journal out as a file"),
        "invitation.accepted": _("%(actor)s accepted an invitation"),
        "invitation.made": _("%(actor)s invited somebody"),
        "invitation.steward": _("%(actor)s invited a steward"),
        "invitation.withdrawn": _("%(actor)s withdrew an invitation"),
        "month.asked": _("%(actor)s asked to open %(month)s again"),
        "month.closed": _("%(actor)s closed %(month)s"),
        "month.kept": _("%(actor)s said that %(month)s stays closed"),
        "month.reopened": _("%(actor)s agreed to open %(month)s again"),
        "proposal.comment": _("%(actor)s commented on a proposal"),
        "proposal.declined": _("%(actor)s declined a proposal"),
        "proposal.expired": _("A proposal to change the agreement ran out"),
        "proposal.in_force": _("A proposal to change the agreement came into force"),
        "proposal.moved": _("A proposal to change the agreement has to be looked at again"),
        "proposal.proposed": _("%(actor)s proposed to change the agreement"),
        "proposal.revised": _("%(actor)s changed a proposal"),
        "proposal.settled": _("%(actor)s settled a proposal"),
        "proposal.voice": _("%(actor)s said what they think of a proposal"),
        "proposal.withdrawn": _("%(actor)s took a proposal back"),
        "member.added": _("%(actor)s added %(subject)s as a member"),
        "member.applied": _("%(subject)s asked to join"),
        "member.erased": _("%(actor)s closed an account for good"),
        "member.edited": _("%(actor)s changed the page of %(subject)s"),
        "member.left": _("%(actor)s ended the membership of %(subject)s"),
        "member.paused": _("%(actor)s paused the membership of %(subject)s"),
        "member.refused": _("%(actor)s did not take in %(subject)s"),
        "member.resumed": _("%(actor)s resumed the membership of %(subject)s"),
        "member.role": _("%(actor)s gave %(subject)s the role of %(role)s"),
        "list.taken": _("%(actor)s took a list along as a file: %(list)s"),
        "member.welcomed": _("%(actor)s welcomed %(subject)s"),
    }
