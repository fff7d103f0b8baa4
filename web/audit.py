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
        "everybodys-entries": _("everybody’s entries"),
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
        "affiliation.added": _("%(actor)s wrote down where %(subject)s belongs"),
        "affiliation.confirmed": _("%(actor)s confirmed where %(subject)s belongs"),
        "affiliation.ended": _("%(actor)s noted that %(subject)s no longer belongs somewhere"),
        "affiliation.removed": _("%(actor)s took away a mistake about where %(subject)s belongs"),
        "apart.begun": _("%(actor)s had two members kept apart"),
        "apart.ended": _("%(actor)s ended that two members are kept apart"),
        "buddy.added": _("%(actor)s noted who may write hours down for %(subject)s"),
        "buddy.ended": _("%(actor)s ended that somebody writes hours down for %(subject)s"),
        "buddy.contact_agreed": _("%(actor)s lets members see how to reach %(subject)s"),
        "buddy.contact_refused": _("%(actor)s no longer lets members see how to reach %(subject)s"),
        "care.checked": _("%(actor)s wrote down a check of %(subject)s"),
        "care.noted": _("%(actor)s wrote a note about %(subject)s"),
        "care.note_removed": _("%(actor)s removed a note about %(subject)s"),
        "care.welcomed": _("%(actor)s ticked off how %(subject)s was welcomed"),
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
        "gathering.action": _("%(actor)s wrote down what somebody took on at a gathering"),
        "gathering.action_done": _("%(actor)s ticked off what somebody took on at a gathering"),
        "gathering.door": _("%(actor)s made a code for the door of a gathering"),
        "gathering.list_closed": _("%(actor)s closed the list of a gathering"),
        "gathering.list_opened": _("%(actor)s opened the list of a gathering again"),
        "gathering.note": _("%(actor)s wrote a note about a gathering"),
        "gathering.recognised": _("%(actor)s said who a name on a list is"),
        "gathering.roles": _("%(actor)s wrote down who did what at a gathering"),
        "gathering.settled": _("%(actor)s settled a gathering without moving hours"),
        "gathering.struck": _("%(actor)s took a name off a list"),
        "calendar.closed": _("%(actor)s shows what is on to members only"),
        "calendar.opened": _("%(actor)s shows public gatherings to everybody"),
        "feed.ended": _("%(actor)s ended the secret address of their calendar"),
        "feed.renewed": _("%(actor)s made a secret address for their calendar"),
        "format.added": _("%(actor)s added a format for gatherings"),
        "format.back": _("%(actor)s took a format for gatherings out again"),
        "format.changed": _("%(actor)s changed a format for gatherings"),
        "format.retired": _("%(actor)s put a format for gatherings away"),
        "gathering.answered": _("%(actor)s answered whether somebody comes to a gathering"),
        "gathering.asked": _("%(actor)s asked somebody to do something at a gathering"),
        "gathering.called_off": _("%(actor)s called off a gathering"),
        "gathering.cards": _("%(actor)s made cards for a gathering"),
        "gathering.changed": _("%(actor)s changed a gathering"),
        "gathering.declined": _("%(actor)s said no at a gathering"),
        "gathering.guest": _("%(actor)s put a guest on the list of a gathering"),
        "gathering.guest_answered": _("A guest answered whether they come to a gathering"),
        "gathering.guest_off": _("%(actor)s took a guest off the list of a gathering"),
        "gathering.invited": _("%(actor)s invited people to a gathering"),
        "gathering.offered": _("%(actor)s offered to do something at a gathering"),
        "gathering.planned": _("%(actor)s planned a gathering"),
        "gathering.released": _("%(actor)s freed a role at a gathering"),
        "gathering.taken_up": _("%(actor)s took up an offer to lead a gathering"),
        "archive.taken": _("%(actor)s took the whole community out as one file"),
        "import.done": _("%(actor)s brought in a file"),
        "import.undone": _("%(actor)s undid what a file had brought in"),
        "journal.taken": _("%(actor)s took the journal out as a file"),
        "invitation.accepted": _("%(actor)s accepted an invitation"),
        "invitation.made": _("%(actor)s invited somebody"),
        "invitation.steward": _("%(actor)s invited a steward"),
        "invitation.withdrawn": _("%(actor)s withdrew an invitation"),
        "list.added": _("%(actor)s put something on a list of ours"),
        "list.moved": _("%(actor)s moved something on a list of ours"),
        "list.renamed": _("%(actor)s renamed something on a list of ours"),
        "list.restored": _("%(actor)s brought something back to a list of ours"),
        "list.retired": _("%(actor)s retired something from a list of ours"),
        "listing.answered": _("%(actor)s answered an offer or a request"),
        "listing.answer_withdrawn": _("%(actor)s took an answer back"),
        "listing.changed": _("%(actor)s changed an offer or a request"),
        "listing.closed": _("%(actor)s took an offer or a request off the board"),
        "listing.renewed": _("%(actor)s kept an offer or a request for longer"),
        "listing.written": _("%(actor)s wrote an offer or a request"),
        "look.care": _("%(actor)s looked at the notes and checks of %(subject)s"),
        "look.contact": _("%(actor)s looked up how to reach %(subject)s"),
        "look.list": _("%(actor)s took a list with personal data away"),
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
        "member.folded": _("%(actor)s put several applications of one person together"),
        "member.left": _("%(actor)s ended the membership of %(subject)s"),
        "member.paused": _("%(actor)s paused the membership of %(subject)s"),
        "member.refused": _("%(actor)s did not take in %(subject)s"),
        "member.resumed": _("%(actor)s resumed the membership of %(subject)s"),
        "member.role": _("%(actor)s gave %(subject)s the role of %(role)s"),
        "list.taken": _("%(actor)s took a list along as a file: %(list)s"),
        "member.welcomed": _("%(actor)s welcomed %(subject)s"),
        "stay.asked": _("%(subject)s was asked whether to stay"),
        "stay.found": _("There has been no sign of %(subject)s for a long time"),
        "stay.goes": _("%(actor)s noted that %(subject)s would rather be forgotten"),
        "stay.stays": _("%(actor)s noted that %(subject)s stays"),
        "settlement.sent": _("%(actor)s sent the hours of a gathering to approval"),
        "settlement.vouched": _("%(actor)s was there and said that the hours are right"),
        "story.forbidden": _("%(actor)s took back what may be done with their words"),
        "story.told": _(
            "%(actor)s wrote down words after a gathering, and what may be done with them"
        ),
        "series.begun": _("%(actor)s planned a series of gatherings"),
        "series.changed": _("%(actor)s changed a series of gatherings"),
        "series.ended": _("%(actor)s ended a series of gatherings"),
    }
