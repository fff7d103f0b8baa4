"""Who may do what: pure predicates on values. Domain functions ask them, and pages do.

`acts_for` are the accounts somebody may act for besides their own: members who agreed to have them
as a buddy, and organisations they manage. Roles are judged as they are now, so whoever calls reads
the member afresh.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, timedelta
from uuid import UUID

from timebank import flow
from timebank.agreements import Approval, OtherSide, Silence, Terms
from timebank.entry import OPEN, Entry, Kind, Part, Side, State
from timebank.gathering import Gathering
from timebank.gatherings import Openness
from timebank.members import Member, MemberKind, Role, Status

Accounts = Collection[UUID]
NOBODY: frozenset[UUID] = frozenset()


# ── In general ───────────────────────────────────────────────────────────────────────────────────


def may_act(me: Member) -> bool:
    """Active members record, answer and decide; paused ones only look."""
    return me.status is Status.ACTIVE


def may_look(me: Member) -> bool:
    """Who has been welcomed and has not left sees the community's pages."""
    return me.status in (Status.ACTIVE, Status.PAUSED)


def may_coordinate(me: Member) -> bool:
    """Coordinators and stewards, while they are active."""
    return may_act(me) and me.role in (Role.COORDINATOR, Role.STEWARD)


def may_steward(me: Member) -> bool:
    """Stewards, while they are active."""
    return may_act(me) and me.role is Role.STEWARD


def may_adopt(me: Member) -> bool:
    """Who changes the agreement."""
    return may_steward(me)


def may_propose(me: Member) -> bool:
    """Who proposes to change the agreement, and joins in talking about it: active members."""
    return may_act(me)


def may_voice(me: Member, member: Member, acts_for: Accounts = NOBODY) -> bool:
    """Whose word somebody may give: their own, that of those they act for.

    What a person without a sign-in says, a coordinator may write down as well.
    """
    unreachable = member.person_id is None and member.kind is MemberKind.PERSON
    return may_act(me) and (
        member.id == me.id or member.id in acts_for or (unreachable and may_coordinate(me))
    )


def may_settle(me: Member) -> bool:
    """Who puts a proposal into force once everyone who was asked agrees, or declines it."""
    return may_steward(me)


def may_report(me: Member) -> bool:
    """Who makes reports of any period; those of closed months are read by all members."""
    return may_coordinate(me)


def may_close_month(me: Member) -> bool:
    """Who closes months."""
    return may_coordinate(me)


def may_reopen_month(me: Member) -> bool:
    """Who asks to open a closed month again; another one of them has to agree."""
    return may_steward(me)


def may_set_role(me: Member) -> bool:
    """Who makes others coordinators or stewards."""
    return may_steward(me)


def may_import(me: Member) -> bool:
    """Who brings in people, organisations and listings from a file, as they could by hand."""
    return may_coordinate(me)


def may_bring_in_hours(me: Member) -> bool:
    """Who brings in hours of the past, their own among them, and takes them back: stewards only."""
    return may_steward(me)


def may_take_everything_out(me: Member) -> bool:
    """Who takes the whole community out as one file."""
    return may_steward(me)


def may_read_audit(me: Member) -> bool:
    """Who reads all of the audit; everyone reads what concerns themselves."""
    return may_steward(me)


# ── Members ──────────────────────────────────────────────────────────────────────────────────────


def may_invite(me: Member) -> bool:
    """Every active member may invite somebody they know."""
    return may_act(me)


def may_welcome(me: Member) -> bool:
    """Who decides about people who asked to join."""
    return may_coordinate(me)


def may_add_member(me: Member) -> bool:
    """Who adds people and organisations by name."""
    return may_coordinate(me)


def may_see_profile(me: Member, member: Member) -> bool:
    """Members see each other; applicants and those who left are seen by coordinators only."""
    return (
        me.id == member.id
        or may_coordinate(me)
        or (may_look(me) and member.status in (Status.ACTIVE, Status.PAUSED))
    )


def may_edit_member(me: Member, member: Member, acts_for: Accounts = NOBODY) -> bool:
    """Oneself, those one acts for, or anyone for a coordinator."""
    return (
        may_coordinate(me)
        or (me.id == member.id and may_look(me))
        or (member.id in acts_for and may_act(me))
    )


def may_end_membership(me: Member, member: Member) -> bool:
    """Pausing, resuming and leaving: oneself, or a coordinator for somebody."""
    return may_edit_member(me, member)


def may_name_buddy(me: Member, member: Member) -> bool:
    """Whose consent may be written down: one's own, or with a coordinator as a witness."""
    return may_coordinate(me) or (me.id == member.id and may_act(me))


def may_end_buddy(me: Member, member: Member, buddy: UUID) -> bool:
    """The member, whoever helps, or a coordinator: it ends when one of them says so."""
    return me.id == buddy or may_name_buddy(me, member) or me.id == member.id


def sees_contact(me: Member, member: UUID, *, is_open: bool, kept_apart: bool) -> bool:
    """Who has it on the page at once: oneself, and every member where it is open to them."""
    return me.id == member or (is_open and may_look(me) and not kept_apart)


def may_look_up_contact(
    me: Member, member: UUID, acts_for: Accounts = NOBODY, *, kept_apart: bool
) -> bool:
    """Who may look it up all the same, and the audit says so: coordinators, who acts for them."""
    return not kept_apart and (may_coordinate(me) or (may_act(me) and member in acts_for))


def may_care(me: Member, member: Member, *, kept_apart: bool) -> bool:
    """Who notes and reads what is kept about a member besides their profile.

    A coordinator, but not of oneself, nor of somebody one is kept apart from.
    """
    return may_coordinate(me) and me.id != member.id and not kept_apart


def may_remove_note(me: Member, writer: UUID) -> bool:
    """A note goes away by whoever wrote it, or a steward."""
    return may_coordinate(me) and (me.id == writer or may_steward(me))


def may_keep_apart(me: Member, member: Member) -> bool:
    """Who asks that a member and somebody else are kept apart: the member, or a coordinator."""
    return may_coordinate(me) or (me.id == member.id and may_look(me))


def may_end_apart(me: Member, asked_by: UUID, pair: Accounts) -> bool:
    """Who says that it is over: who asked for it, or a coordinator who is not one of the two."""
    return may_look(me) and (me.id == asked_by or (may_coordinate(me) and me.id not in pair))


# ── Organisations, affiliations, listings, lists ─────────────────────────────────────────────────


def may_affiliate(
    me: Member, member: UUID, organisation: UUID | None, acts_for: Accounts = NOBODY
) -> bool:
    """Who says where somebody belongs, or does so no more.

    Themselves, their buddy, who keeps the organisation's account, or a coordinator.
    """
    ours = _mine(me, acts_for)
    return may_act(me) and (
        may_coordinate(me) or member in ours or (organisation is not None and organisation in ours)
    )


def may_confirm_affiliation(
    me: Member, organisation: UUID | None, acts_for: Accounts = NOBODY
) -> bool:
    """Who confirms it: who keeps the organisation's account, or a coordinator.

    That somebody is here as a neighbour needs nobody's word but their own.
    """
    return may_act(me) and (organisation is None or may_coordinate(me) or organisation in acts_for)


def may_remove_affiliation(me: Member, added_by: UUID, *, same_day: bool) -> bool:
    """A mistake is taken away by whoever made it, on the same day; later it can only end."""
    return may_act(me) and me.id == added_by and same_day


def may_list_for(me: Member, member: UUID, acts_for: Accounts = NOBODY) -> bool:
    """Who writes, changes and answers listings in a member's name."""
    return may_act(me) and (may_coordinate(me) or member in _mine(me, acts_for))


def may_read_answers(me: Member, member: UUID, acts_for: Accounts = NOBODY) -> bool:
    """Who reads what was answered to a member's listing."""
    return may_look(me) and (may_coordinate(me) or member in _mine(me, acts_for))


def may_keep_lists(me: Member) -> bool:
    """Who changes the categories, sectors and other lists of the community."""
    return may_coordinate(me)


# ── Statements ───────────────────────────────────────────────────────────────────────────────────


def may_see_statement(me: Member, account: UUID, acts_for: Accounts = NOBODY) -> bool:
    """One's own, those one keeps and the commons' (under the community's id); coordinators all."""
    return may_look(me) and (
        account in (me.account_id, me.community_id) or account in acts_for or may_coordinate(me)
    )


# ── Entries ──────────────────────────────────────────────────────────────────────────────────────


def may_record(me: Member, parts: Iterable[UUID], acts_for: Accounts = NOBODY) -> bool:
    """Those in an entry write it down, or who acts for one of them; coordinators for anyone."""
    return may_act(me) and (may_coordinate(me) or bool(_mine(me, acts_for) & set(parts)))


def may_give_from(me: Member, giver: UUID, acts_for: Accounts = NOBODY) -> bool:
    """Whose hours somebody may give: their own and those they keep; a coordinator the commons'."""
    return may_act(me) and (may_coordinate(me) or giver in _mine(me, acts_for))


def may_see_entry(me: Member, entry: Entry, acts_for: Accounts = NOBODY) -> bool:
    """Those concerned, its recorder, coordinators; what the commons took part in, all members."""
    if not may_look(me):
        return False
    if may_coordinate(me) or me.id in (entry.recorded_by, entry.on_behalf_of):
        return True
    accounts = {part.account_id for part in entry.parts}
    posted = entry.state in (State.APPROVED, State.REVERSED)
    return bool(_mine(me, acts_for) & accounts) or (posted and entry.community_id in accounts)


def may_change(me: Member, entry: Entry) -> bool:
    """Whoever wrote it down corrects it, as long as it waits; a settlement only by its list."""
    waits = entry.state in OPEN and entry.gathering_id is None
    return may_act(me) and me.id == entry.recorded_by and waits


def may_withdraw(me: Member, entry: Entry) -> bool:
    """Whoever wrote it down takes it back while it waits; so may a coordinator."""
    ours = me.id == entry.recorded_by or may_coordinate(me)
    return may_act(me) and ours and entry.state in OPEN


def answerable(me: Member, entry: Entry, acts_for: Accounts = NOBODY) -> tuple[Part, ...]:
    """The parts somebody may confirm: their own and those they act for.

    Not what they wrote down themselves, and never the side opposite to the one they stand on;
    except that whoever keeps an organisation's account agrees to what it sponsors, also where they
    were there: a coordinator looks at it as well.
    """
    if not may_act(me) or me.id == entry.recorded_by:
        return ()
    mine = [part for part in entry.parts if part.account_id in _mine(me, acts_for)]
    own_side = next((part.side for part in mine if part.account_id == me.account_id), None)
    return tuple(part for part in mine if own_side in (None, part.side) or part.must_agree)


def may_confirm(me: Member, entry: Entry, acts_for: Accounts = NOBODY) -> bool:
    """Whether a word of theirs is still missing."""
    return entry.state in (State.RECORDED, State.CONFIRMED, State.DISPUTED) and any(
        part.confirmed_at is None for part in answerable(me, entry, acts_for)
    )


def stands_in(me: Member, entry: Entry, acts_for: Accounts = NOBODY) -> bool:
    """Whether they, or somebody they act for, are in the entry."""
    return bool(_mine(me, acts_for) & {part.account_id for part in entry.parts})


def may_dispute(me: Member, entry: Entry, acts_for: Accounts = NOBODY) -> bool:
    """Anyone in it may say it is not right. Before approval its recorder takes it back instead.

    For how many days after approval, the agreement says; that is checked where the day is known.
    """
    if not may_act(me) or not stands_in(me, entry, acts_for) or entry.reverses_id is not None:
        return False
    if entry.state is State.APPROVED:
        return not entry.contested
    return entry.state in OPEN and me.id != entry.recorded_by


def may_answer(me: Member, entry: Entry, acts_for: Accounts = NOBODY) -> bool:
    """A question goes to whoever wrote the entry down; about a dispute, all concerned may speak."""
    if not may_act(me):
        return False
    writes = me.id == entry.recorded_by or may_coordinate(me)
    if entry.state is State.RETURNED:
        return writes
    disputed = entry.state is State.DISPUTED or entry.contested
    return disputed and (writes or stands_in(me, entry, acts_for))


def may_look_into(me: Member, entry: Entry, acts_for: Accounts = NOBODY) -> bool:
    """Which coordinator may look into a dispute: one who stands on neither side of it."""
    disputed = entry.state is State.DISPUTED or entry.contested
    return may_coordinate(me) and disputed and not stands_in(me, entry, acts_for)


def may_return(me: Member, entry: Entry) -> bool:
    """A coordinator asks before deciding."""
    return may_coordinate(me) and entry.state in OPEN and entry.state is not State.RETURNED


def may_decline(me: Member, entry: Entry) -> bool:
    """A coordinator declines what waits."""
    return may_coordinate(me) and entry.state in OPEN


def gains(me: Member, entry: Entry, manages: Accounts = NOBODY, *, reversal: bool = False) -> bool:
    """Whether somebody's account, or that of an organisation they manage, would go up."""
    gaining = flow.gainers(entry.kind, entry.parts, reversal=reversal != bool(entry.reverses_id))
    return bool(_mine(me, manages) & gaining)


def may_stand_in(
    me: Member, entry: Entry, terms: Terms, manages: Accounts = NOBODY, *, sole: bool
) -> bool:
    """Whether the other side's confirmation stands in for a second coordinator.

    The agreement has to allow it, `me` has to be the only one, and everyone whose balance goes
    down has to have confirmed, themselves and not through `me`. A settlement is vouched for by
    somebody else who was there; they are asked only where every coordinator gains from it.
    """
    if entry.gathering_id is not None:
        others = set(entry.witnessed_by) - {me.id, entry.recorded_by}
        return terms.sole_coordinator and bool(others)
    gaining = flow.gaining_side(entry.kind)
    giving_up = [part for part in entry.parts if part.side is not gaining]
    return (
        terms.sole_coordinator
        and sole
        and all(
            part.confirmed_at is not None
            and part.confirmed_by != me.id
            and part.account_id not in _mine(me, manages)
            for part in giving_up
        )
    )


def may_approve(
    me: Member,
    entry: Entry,
    manages: Accounts = NOBODY,
    *,
    terms: Terms | None = None,
    sole: bool = False,
) -> bool:
    """A coordinator approves what waits and does not gain from it, or gains and may stand in."""
    if not may_coordinate(me) or entry.state not in OPEN or entry.state is State.RETURNED:
        return False
    if not gains(me, entry, manages):
        return True
    return terms is not None and may_stand_in(me, entry, terms, manages, sole=sole)


def may_keep(me: Member, entry: Entry, manages: Accounts = NOBODY) -> bool:
    """A coordinator settles a dispute about a posted entry, not about one they gained from."""
    return may_coordinate(me) and entry.contested and not gains(me, entry, manages)


def may_undo(me: Member, entry: Entry, manages: Accounts = NOBODY) -> bool:
    """A coordinator undoes what is posted and no reversal, if they do not gain from undoing it."""
    return (
        may_coordinate(me)
        and entry.state is State.APPROVED
        and entry.reverses_id is None
        and not gains(me, entry, manages, reversal=True)
    )


def may_correct(me: Member, entry: Entry, manages: Accounts = NOBODY) -> bool:
    """A coordinator puts another entry in the place of one that they may undo, or decline."""
    return may_undo(me, entry, manages) or may_decline(me, entry)


def steps_open_to(
    me: Member,
    entry: Entry,
    terms: Terms,
    *,
    acts_for: Accounts = NOBODY,
    manages: Accounts = NOBODY,
    sole: bool = False,
    today: date | None = None,
) -> frozenset[str]:
    """The steps somebody may take now, for a page to show: confirm, dispute, answer and so on.

    `today` (UTC) hides the dispute of an entry posted too long ago, and tells when nobody's answer
    is waited for any more.
    """
    answered_by = entry.touched_at + timedelta(days=terms.dispute_days)
    silent = today is not None and today > answered_by.date()
    late = today is not None and entry.posted_at is not None and today > dispute_ends(entry, terms)
    found = {
        "confirm": may_confirm(me, entry, acts_for),
        "dispute": may_dispute(me, entry, acts_for) and not late,
        "answer": may_answer(me, entry, acts_for),
        "change": may_change(me, entry),
        "withdraw": may_withdraw(me, entry),
        "return": may_return(me, entry),
        "approve": may_approve(me, entry, manages, terms=terms, sole=sole)
        and agreed_enough(entry, terms, silent=silent),
        "decline": may_decline(me, entry),
        "take": may_look_into(me, entry, acts_for),
        "keep": may_keep(me, entry, manages),
        "correct": may_correct(me, entry, manages),
        "undo": may_undo(me, entry, manages),
    }
    return frozenset(step for step, open_ in found.items() if open_)


# ── Gatherings ───────────────────────────────────────────────────────────────────────────────────


def may_plan(me: Member) -> bool:
    """Every active member may bring people together."""
    return may_act(me)


def may_organise(me: Member, gathering: Gathering, manages: Accounts = NOBODY) -> bool:
    """Who made it or agreed to lead it, account managers of its hosts, and coordinators.

    Offering to host is not enough: an organiser has to agree, else everyone could take over.
    """
    hosting = {me.id} if gathering.host_ids & set(manages) else set()
    return may_keep_list(me, gathering.organisers | hosting)


def may_see_gathering(me: Member, gathering: Gathering, acts_for: Accounts = NOBODY) -> bool:
    """All members; one by invitation is for those invited, those they act for, and organisers."""
    asked = {seat.member_id for seat in gathering.seats} | {one.id for one in gathering.invited}
    theirs = asked | gathering.organisers | gathering.host_ids
    return may_know_of(me, gathering.openness, belongs=bool(_mine(me, acts_for) & theirs))


def may_invite_to(me: Member, gathering: Gathering, acts_for: Accounts = NOBODY) -> bool:
    """Every active member who sees it brings others; to one by invitation, organisers do."""
    if gathering.openness is Openness.INVITED:
        return may_organise(me, gathering, acts_for)
    return may_act(me) and may_see_gathering(me, gathering, acts_for)


def may_answer_for(
    me: Member, member: Member, gathering: Gathering, acts_for: Accounts = NOBODY
) -> bool:
    """Oneself, whom one acts for, anyone for a coordinator; organisers for who has no sign-in."""
    if not may_act(me) or not may_see_gathering(me, gathering, acts_for):
        return False
    if me.id == member.id or member.id in acts_for or may_coordinate(me):
        return True
    return member.person_id is None and may_organise(me, gathering, acts_for)


def may_edit_formats(me: Member) -> bool:
    """Who says how the community's kinds of gatherings go."""
    return may_coordinate(me)


def may_open_calendar(me: Member) -> bool:
    """Who decides whether everybody can see what is on."""
    return may_coordinate(me)


# ── What the agreement asks ──────────────────────────────────────────────────────────────────────


def agreed_enough(entry: Entry, terms: Terms, *, silent: bool = False) -> bool:
    """Whether the other side has said what the agreement asks of it.

    `silent`: the days to answer have passed. Who cannot be asked is not waited for. What an
    organisation sponsors, somebody who keeps its account agrees to, whatever the agreement says.
    """
    if any(part.must_agree and part.confirmed_at is None for part in entry.parts):
        return False
    if terms.other_side is OtherSide.TOLD or entry.state is State.DISPUTED:
        return True
    waiting = any(part.awaited for part in entry.parts)
    return not waiting or (silent and terms.silence is Silence.AGREES)


def needs_coordinator(entry: Entry, terms: Terms) -> bool:
    """Whether a coordinator approves this entry, as agreed; the hours of a gathering, always."""
    if entry.gathering_id is not None:
        return True
    if terms.approval is Approval.ALL or entry.state is State.DISPUTED:
        return True
    if commons_gives(entry.kind, entry.parts, entry.community_id):
        return True
    return terms.approval is Approval.ABOVE and entry.minutes > terms.approval_above


def commons_gives(kind: Kind, parts: Iterable[flow.Standing], commons: UUID) -> bool:
    """Whether hours of the commons are given."""
    return commons in flow.gainers(kind, parts, reversal=True)


def goes_by_itself(entry: Entry, terms: Terms, *, silent: bool) -> bool:
    """Whether an entry is posted without a coordinator: everyone in it agreed, aloud or silently.

    Somebody who was never asked has not agreed; then a coordinator looks at it.
    """
    if needs_coordinator(entry, terms) or entry.state not in (State.RECORDED, State.CONFIRMED):
        return False
    quiet = silent and terms.silence is Silence.AGREES
    return all(
        part.confirmed_at is not None
        or part.account_id == entry.community_id
        or (part.awaited and quiet)
        for part in entry.parts
    )


# ── Gatherings ───────────────────────────────────────────────────────────────────────────────────


def may_know_of(me: Member, openness: Openness, *, belongs: bool) -> bool:
    """Members know of what is open to members; of the rest who belongs to it, and coordinators.

    `belongs`: they, or somebody they act for, were asked, host it or look after it.
    """
    return may_look(me) and (openness is not Openness.INVITED or belongs or may_coordinate(me))


def may_keep_list(me: Member, organisers: Accounts) -> bool:
    """Who takes attendance and sends the hours to approval: who looks after it, coordinators."""
    return may_act(me) and (me.id in organisers or may_coordinate(me))


def may_read_settlement(
    me: Member, accounts: Accounts, acts_for: Accounts = NOBODY, *, organisers: Accounts
) -> bool:
    """Who sees how the hours move: who stands in it, who looks after it, coordinators."""
    return may_look(me) and (
        me.id in organisers or may_coordinate(me) or bool(_mine(me, acts_for) & set(accounts))
    )


def may_vouch(me: Member, entry: Entry, terms: Terms, *, was_there: bool, all_gain: bool) -> bool:
    """Whether somebody says that a settlement is right, where no coordinator can approve it.

    `all_gain`: every coordinator gains from it. They were there, and did not send it themselves.
    """
    return (
        may_act(me)
        and entry.gathering_id is not None
        and entry.state in OPEN
        and entry.state is not State.RETURNED
        and terms.sole_coordinator
        and was_there
        and all_gain
        and me.id not in (entry.recorded_by, *entry.witnessed_by)
    )


def may_read_notes(me: Member, *, organisers: Accounts, was_there: bool) -> bool:
    """Notes and actions are shared with those who were there, and with who looks after it."""
    return may_look(me) and (was_there or me.id in organisers or may_coordinate(me))


def may_tell_story(me: Member, teller: UUID | None, acts_for: Accounts = NOBODY) -> bool:
    """One's own, that of somebody one acts for, and a coordinator for whoever told them."""
    return may_act(me) and (may_coordinate(me) or teller in _mine(me, acts_for))


# ── What both share ──────────────────────────────────────────────────────────────────────────────


def dispute_ends(entry: Entry, terms: Terms) -> date:
    """The last day (UTC) on which the other side may speak: counted from posting, or recording."""
    begun = entry.posted_at or entry.recorded_at
    return (begun + timedelta(days=terms.dispute_days)).date()


def other_sides(parts: Iterable[flow.Standing], own: Accounts) -> set[Side]:
    """The sides on which none of these accounts stands."""
    sides = {part.side for part in parts if part.account_id in own}
    return set(Side) - sides


def _mine(me: Member, others: Accounts) -> set[UUID]:
    return {me.account_id, *others}
