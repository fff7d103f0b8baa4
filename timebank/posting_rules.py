"""The rules of the door: what is posted for a request, or why it is refused.

Nothing is read or written here. `policy.py` says who may; whether the balances allow it, the ledger
decides afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid5

from ledger import JournalEntry, PostedTransfer, commitment
from ledger.entry import mirrored
from timebank import entries, policy, settlement_posting, shapes
from timebank.acting import Actor
from timebank.entry import OPEN, Entry, Part, Side, State, StepKind
from timebank.errors import (
    BadInput,
    CannotUndo,
    Forbidden,
    NotConfirmed,
    NotFound,
    OwnGain,
    ReadOnlyMember,
    ReasonMissing,
    TimebankError,
    WrongState,
)
from timebank.members import Status
from timebank.posting_requests import (
    Approve,
    BringIn,
    Correct,
    Done,
    PostAgreed,
    Refused,
    Request,
    TakeBack,
    Undo,
    Verdict,
)
from timebank.posting_scene import Scene
from timebank.recording import Draft

_SALT = 32
_OF_FILES = (BringIn, TakeBack)


@dataclass(slots=True)
class Act:
    """One request that was let through: what to post, and what to write once it is posted."""

    request: Request
    entry: Entry
    posting: JournalEntry
    kind: StepKind
    by: Actor | None
    words: str
    draft: Draft | None = None  # what is written down in the place of what is undone
    stood_in: bool = False
    salt: bytes = b""
    rows: tuple[PostedTransfer, ...] = ()

    @property
    def override(self) -> bool:
        """Whether somebody let this one pass hard floors, for a reason.

        Hours from before are not held to them as a whole list: of no line of it is that to be said.
        """
        return self.posting.override and not isinstance(self.request, BringIn)

    @property
    def quiet(self) -> bool:
        """Whether the file as a whole is told and audited, and not this."""
        return isinstance(self.request, _OF_FILES)


def judge(scene: Scene, request: Request) -> Act | Verdict:
    """What to post for this request, or the answer to it."""
    try:
        entry = scene.entries.get(request.entry_id)
        if isinstance(request, BringIn):
            return _bringing_in(scene, request, entry)
        if entry is None:
            raise NotFound("entry")
        if isinstance(request, PostAgreed):
            return _agreed_act(scene, request, entry)
        if isinstance(request, TakeBack):
            return _taking_back(scene, request, entry)
        actor = _coordinator(scene, request, entry)
        if isinstance(request, Approve):
            return _approval(scene, request, entry, actor)
        return _undoing(scene, request, entry, actor)
    except TimebankError as error:
        return Refused(request.entry_id, error.with_traceback(None))


def reversal_id(entry_id: UUID) -> UUID:
    """The id of the entry that undoes this one: always the same, so that twice is once."""
    return uuid5(entry_id, "reversal")


def committed(salt: bytes, kind: str, category_id: UUID | None, note: str) -> bytes:
    """The commitment to an entry's words: what `books.verify` compares the words with."""
    category = str(category_id) if category_id else None
    return commitment(salt, {"kind": kind, "category": category, "note": note})


# ── What a coordinator or the agreement asks ─────────────────────────────────────────────────────


def _coordinator(scene: Scene, request: Approve | Undo | Correct, entry: Entry) -> Actor:
    """Who asks, as they are now: an active coordinator who may know of the entry."""
    actor = scene.actors.get(request.by)
    if actor is None or not policy.may_see_entry(actor.member, entry, actor.acts_for):
        raise NotFound("entry")
    if actor.member.status is not Status.ACTIVE:
        raise ReadOnlyMember
    if not policy.may_coordinate(actor.member):
        raise Forbidden("approve")
    words = request.words if isinstance(request, Approve) else request.reason
    if len(words) > entries.LONGEST_WORDS:
        raise BadInput("words", "too_long", entries.LONGEST_WORDS)
    return actor


def _approval(scene: Scene, request: Approve, entry: Entry, actor: Actor) -> Act | Verdict:
    """A coordinator approves: not for their own gain, and as the agreement asks."""
    gains = policy.gains(actor.member, entry, actor.manages)
    alone = gains and scene.nobody_else(entry)
    stood_in = alone and policy.may_stand_in(
        actor.member, entry, scene.terms, actor.manages, sole=alone
    )
    if gains and not stood_in:
        raise OwnGain("approve")
    if entry.state is State.APPROVED:
        return _replay(entry)
    settlement_posting.refuse_moved(entry, scene.settlements)
    if entry.state not in OPEN or entry.state is State.RETURNED:
        raise WrongState(entry.state, "approve")
    if not policy.agreed_enough(entry, scene.terms, silent=_silent(scene, entry)):
        raise NotConfirmed
    if (entry.state is State.DISPUTED or request.override) and not request.words.strip():
        raise ReasonMissing
    return Act(
        request,
        entry,
        _posting(scene, entry, override=request.override),
        StepKind.APPROVED,
        actor,
        request.words,
        stood_in=stood_in,
    )


def _agreed_act(scene: Scene, request: PostAgreed, entry: Entry) -> Act | Verdict:
    """The agreement itself lets it through."""
    if entry.state is State.APPROVED:
        return _replay(entry)
    if not policy.goes_by_itself(entry, scene.terms, silent=_silent(scene, entry)):
        raise WrongState(entry.state, "post")
    return Act(request, entry, _posting(scene, entry), StepKind.POSTED, None, "")


def _undoing(scene: Scene, request: Undo | Correct, entry: Entry, actor: Actor) -> Act | Verdict:
    """A coordinator moves the same minutes back, not for their own gain, for a reason."""
    if entry.reverses_id is not None:
        raise CannotUndo
    if policy.gains(actor.member, entry, actor.manages, reversal=True):
        raise OwnGain("undo")
    draft = _in_its_place(scene, request, entry)
    if entry.state is State.REVERSED:
        return _replay(entry)
    if entry.state is not State.APPROVED:
        raise CannotUndo
    settlement_posting.refuse_corrected(entry, scene.settlements)
    if not request.reason.strip():
        raise ReasonMissing
    return _reversal(scene, request, entry, actor, override=request.override, draft=draft)


def _reversal(
    scene: Scene,
    request: Undo | Correct | TakeBack,
    entry: Entry,
    actor: Actor,
    *,
    override: bool,
    draft: Draft | None = None,
) -> Act:
    salt = scene.now.random_bytes(_SALT)
    posting = JournalEntry(
        id=reversal_id(entry.id),
        transfers=mirrored(shapes.transfers(entry.parts, entry.kind)),
        occurred_on=scene.now.day_in(scene.place.timezone),
        commitment=committed(salt, entry.kind, entry.category_id, request.reason),
        reverses=entry.id,
        override=override,
    )
    return Act(request, entry, posting, StepKind.REVERSED, actor, request.reason, draft, salt=salt)


def _in_its_place(scene: Scene, request: Undo | Correct, entry: Entry) -> Draft | None:
    """What is written down in the place of an undone entry; None where it was, or nothing is."""
    if not isinstance(request, Correct):
        return None
    found = scene.corrections[entry.id]
    if isinstance(found, TimebankError):
        raise found
    if isinstance(found, Draft):
        if entry.state is State.REVERSED:  # undone by somebody else meanwhile
            raise WrongState(entry.state, "correct")
        return found
    if found.corrected_id != request.new_id:
        raise WrongState(entry.state, "correct")
    return None


# ── What comes from a file ───────────────────────────────────────────────────────────────────────


def _bringing_in(scene: Scene, request: BringIn, known: Entry | None) -> Act | Verdict:
    """A steward writes down what happened before, and posts it; what is there already stays."""
    actor = _steward(scene, request)
    entry = _from_file(scene, request)
    if known is not None:
        said = [(part.account_id, part.side, part.minutes) for part in known.parts]
        same = said == [(part.account_id, part.side, part.minutes) for part in entry.parts]
        if not same or known.occurred_on != entry.occurred_on or known.kind != entry.kind:
            raise WrongState(known.state, "bring in")
        return _replay(known)
    salt = scene.now.random_bytes(_SALT)
    posting = JournalEntry(
        id=entry.id,
        transfers=shapes.transfers(entry.parts, entry.kind),
        occurred_on=entry.occurred_on,
        commitment=committed(salt, entry.kind, entry.category_id, entry.note),
        override=request.override,
    )
    return Act(request, entry, posting, StepKind.BROUGHT_IN, actor, "", salt=salt)


def _from_file(scene: Scene, request: BringIn) -> Entry:
    """The entry as it will be; nobody reads the names, so they are not looked up."""
    sides = ((request.giver, Side.GAVE), (request.receiver, Side.RECEIVED))
    parts = tuple(
        Part(account, "", side, request.minutes, False, None, None, False)
        for account, side in sides
    )
    at, by = scene.now.at, request.by
    return Entry(
        scene.place.id,
        request.entry_id,
        request.kind,
        None,
        request.category_id,
        request.occurred_on,
        request.note,
        request.minutes,
        State.APPROVED,
        False,
        scene.agreement.version,
        by,
        "",
        None,
        None,
        at,
        at,
        at,
        None,
        None,
        parts,
    )


def _taking_back(scene: Scene, request: TakeBack, entry: Entry) -> Act | Verdict:
    """A steward undoes what a file brought in; what was undone before stays undone."""
    actor = _steward(scene, request)
    if entry.state is State.REVERSED:
        return _replay(entry)
    if entry.state is not State.APPROVED or entry.reverses_id is not None:
        raise CannotUndo
    if not request.reason.strip():
        raise ReasonMissing
    return _reversal(scene, request, entry, actor, override=True)


def _steward(scene: Scene, request: BringIn | TakeBack) -> Actor:
    """Who asks, as they are now: an active steward."""
    actor = scene.actors.get(request.by)
    if actor is None:
        raise NotFound("entry")
    if actor.member.status is not Status.ACTIVE:
        raise ReadOnlyMember
    if not policy.may_bring_in_hours(actor.member):
        raise Forbidden("bring in")
    return actor


# ── For all of them ──────────────────────────────────────────────────────────────────────────────


def _replay(entry: Entry) -> Done:
    return Done(entry.id, len(shapes.transfers(entry.parts, entry.kind)), replayed=True)


def _posting(scene: Scene, entry: Entry, *, override: bool = False) -> JournalEntry:
    words = committed(scene.words[entry.id].salt, entry.kind, entry.category_id, entry.note)
    return JournalEntry(
        id=entry.id,
        transfers=shapes.transfers(entry.parts, entry.kind),
        occurred_on=entry.occurred_on,
        commitment=words,
        override=override,
    )


def _silent(scene: Scene, entry: Entry) -> bool:
    """Whether the days to answer have passed since it was written down or last changed."""
    days = timedelta(days=scene.terms.dispute_days)
    return scene.now.at >= entry.touched_at + days
