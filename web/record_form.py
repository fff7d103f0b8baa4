"""The form on which people write hours down: from one favour to many givers and receivers.

Names are typed (the browser completes them from a list); the server looks each one up. Where a
name fits several people, or nobody, the row comes back with the people to choose from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import ZERO, Minutes
from timebank import directory
from timebank.communities import Community
from timebank.directory import Choice
from timebank.entry import Entry, Kind, NewEntry, Part, Share, Side
from timebank.members import Member
from timebank.text import fold
from web.forms import Form
from web.stories import Gettext

MOST_ROWS = 60
"""As many people on one side as a page can show; more than that is a gathering."""


class Stance(StrEnum):
    """Where the person who writes stands: on one of the sides, or between others."""

    GAVE = "gave"
    RECEIVED = "received"
    BETWEEN = "between"


class Gift(StrEnum):
    """Whether it is help, or hours themselves are given."""

    NONE = ""
    GRANT = "grant"
    DONATION = "donation"


@dataclass(frozen=True, slots=True)
class Row:
    """One person on one side: what was typed, and whom it may mean."""

    field: str
    text: str = ""
    minutes: str = ""
    chosen: UUID | None = None
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """The form as it stands: its shape, its rows, and the id the entry will have.

    `several` shows rows for both sides. Otherwise one side is fixed (`me`, somebody I record for,
    or the commons) and the other is one row.
    """

    id: UUID
    stance: Stance
    gift: Gift
    several: bool
    givers: tuple[Row, ...]
    receivers: tuple[Row, ...]

    @property
    def asks_giver(self) -> bool:
        """Whether the giver has to be named."""
        return self.several or (self.gift is Gift.NONE and self.stance is not Stance.GAVE)

    @property
    def asks_receiver(self) -> bool:
        """Whether the receiver has to be named."""
        if self.gift is not Gift.NONE:
            return self.gift is Gift.GRANT
        return self.several or self.stance is not Stance.RECEIVED

    def with_row(self, side: Side) -> Sheet:
        """The same sheet with one more empty row on one side."""
        rows = self.givers if side is Side.GAVE else self.receivers
        if len(rows) >= MOST_ROWS:
            return self
        more = (*rows, Row(f"{prefix(side)}-{len(rows)}"))
        givers = more if side is Side.GAVE else self.givers
        receivers = more if side is Side.RECEIVED else self.receivers
        return Sheet(self.id, self.stance, self.gift, self.several, givers, receivers)


def prefix(side: Side) -> str:
    """How the fields of a side begin."""
    return "giver" if side is Side.GAVE else "receiver"


def blank(id: UUID, stance: Stance, gift: Gift, *, several: bool = False, other: str = "") -> Sheet:
    """An empty sheet; `other` is a name to begin with."""
    gave = stance is Stance.GAVE
    return Sheet(
        id,
        stance,
        gift,
        several,
        (Row("giver-0", "" if gave else other),),
        (Row("receiver-0", other if gave else ""),),
    )


def spread(sheet: Sheet, own: str) -> Sheet:
    """The sheet opened for several people, with `own` name on the side where one stands."""
    givers, receivers = sheet.givers, sheet.receivers
    if sheet.stance is Stance.GAVE:
        givers = (Row("giver-0", own),)
        receivers = (*receivers, Row(f"receiver-{len(receivers)}"))
    elif sheet.stance is Stance.RECEIVED:
        receivers = (Row("receiver-0", own),)
        givers = (*givers, Row(f"giver-{len(givers)}"))
    return Sheet(sheet.id, sheet.stance, sheet.gift, True, givers, receivers)


def of_entry(entry: Entry, id: UUID | None = None) -> Sheet:
    """The sheet of an entry as it was written down, to be corrected; `id` if under another one."""
    gift = Gift(entry.kind.value) if entry.kind.is_gift else Gift.NONE
    alone = len(entry.givers) == 1 and len(entry.receivers) == 1

    def rows(side: Side, some: Iterable[Part]) -> tuple[Row, ...]:
        return tuple(
            Row(
                f"{prefix(side)}-{position}",
                part.name,
                "" if alone else str(part.minutes),
                part.account_id,
            )
            for position, part in enumerate(some)
        )

    several = gift is Gift.NONE and not alone
    givers, receivers = rows(Side.GAVE, entry.givers), rows(Side.RECEIVED, entry.receivers)
    return Sheet(id or entry.id, Stance.BETWEEN, gift, several, givers, receivers)


def from_form(form: Form, id: UUID) -> Sheet:
    """The sheet as it was sent; a shape nobody could have been given falls back to the plainest."""
    stance = form.choice("side", Stance, required=False) or Stance.BETWEEN
    gift = form.choice("gift", Gift, required=False) or Gift.NONE
    return Sheet(
        id,
        stance,
        gift,
        form.flag("several"),
        _sent_rows(form, Side.GAVE),
        _sent_rows(form, Side.RECEIVED),
    )


def _sent_rows(form: Form, side: Side) -> tuple[Row, ...]:
    rows: list[Row] = []
    for position in range(MOST_ROWS):
        field = f"{prefix(side)}-{position}"
        if not form.has(field):
            break
        rows.append(Row(field, form.raw(field), form.raw(f"{field}-minutes")))
    return tuple(rows) or (Row(f"{prefix(side)}-0"),)


async def look_up(
    conn: AsyncConnection,
    community: Community,
    sheet: Sheet,
    form: Form,
    _: Gettext,
    *,
    known: Mapping[str, UUID] | None = None,
) -> Sheet:
    """The sheet with every typed name resolved; what stays unclear is a mistake beside its row.

    Names in `known`, those of an entry that is corrected, mean whom they meant there.
    """
    givers, receivers = sheet.givers, sheet.receivers
    if sheet.asks_giver:
        givers = await _look_up_side(conn, community, givers, form, _, known or {})
    if sheet.asks_receiver:
        receivers = await _look_up_side(conn, community, receivers, form, _, known or {})
    return Sheet(sheet.id, sheet.stance, sheet.gift, sheet.several, givers, receivers)


async def _look_up_side(
    conn: AsyncConnection,
    community: Community,
    rows: Sequence[Row],
    form: Form,
    _: Gettext,
    known: Mapping[str, UUID],
) -> tuple[Row, ...]:
    found = []
    for position, row in enumerate(rows):
        name = form.text(row.field, required=position == 0)
        if name in known:
            row = Row(row.field, name, row.minutes, known[name])
        elif name:
            row = await _look_up_row(conn, community, row, name, form, _)
        found.append(row)
    return tuple(found)


def names_in(entry: Entry) -> dict[str, UUID]:
    """Whom the names of an entry mean, where a name means one of them only."""
    names = [part.name for part in entry.parts]
    return {part.name: part.account_id for part in entry.parts if names.count(part.name) == 1}


async def _look_up_row(
    conn: AsyncConnection, community: Community, row: Row, name: str, form: Form, _: Gettext
) -> Row:
    choices = tuple(await directory.resolve(conn, community.id, name))
    picked = form.id(f"{row.field}-is", required=False)
    for choice in choices:
        if choice.account_id == picked or (len(choices) == 1 and _surely(name, choice)):
            return Row(row.field, choice.label, row.minutes, choice.account_id)
    if not choices:
        form.mistake(
            row.field,
            _("Nobody here is called “%(name)s”. Begin with the first letters of the name.")
            % {"name": name},
        )
    elif len(choices) == 1:
        form.mistake(row.field, _("Did you mean this person? Choose the name if so."))
    else:
        form.mistake(row.field, _("This fits several people. Choose the one you mean."))
    return Row(row.field, name, row.minutes, None, choices)


def _surely(name: str, choice: Choice) -> bool:
    """Whether the only fit is the whole name or whole words of it, so that nobody has to ask."""
    typed = fold(name).split()
    words = fold(choice.label).split()
    return bool(typed) and all(word in words for word in typed)


def new_entry(
    sheet: Sheet, form: Form, me: Member, behalf: Member | None, community: Community
) -> NewEntry | None:
    """What the form says, as the domain takes it; None when something in it is not right."""
    own_minutes = sheet.several and _have_own(sheet.givers)
    by_receivers = _total_from_receivers(sheet)
    given = form.minutes("minutes", required=not (own_minutes or by_receivers))
    day = form.day("day")
    note = form.text("note", required=False, limit=1000, lines=True)
    category = form.id("category", required=False)
    kind = _kind(sheet, form)
    own = (behalf or me).account_id
    givers = _shares(sheet.givers, form, sheet.several) if sheet.asks_giver else (Share(own),)
    receivers = (
        _shares(sheet.receivers, form, sheet.several) if sheet.asks_receiver else (Share(own),)
    )
    if sheet.gift is Gift.GRANT:
        givers = (Share(community.commons_id),)
    elif sheet.gift is Gift.DONATION:
        receivers = (Share(community.commons_id),)
    if not form.ok or kind is None or day is None:
        return None
    if given is None and by_receivers:
        given = sum((share.minutes for share in receivers if share.minutes), ZERO)
    return NewEntry(
        kind, givers, receivers, given, day, note, category, behalf.id if behalf else None
    )


def _kind(sheet: Sheet, form: Form) -> Kind | None:
    if sheet.gift is not Gift.NONE:
        return Kind(sheet.gift.value)
    kind = form.choice("kind", Kind)
    return None if kind is None or kind.is_gift else kind


def _named(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.text.strip()]


def _have_own(rows: Sequence[Row]) -> bool:
    """Whether minutes of their own stand beside everybody named on this side."""
    return bool(_named(rows)) and all(row.minutes.strip() for row in _named(rows))


def _total_from_receivers(sheet: Sheet) -> bool:
    """One giver, and own minutes for each receiver: what was given is their sum."""
    return sheet.several and len(_named(sheet.givers)) == 1 and _have_own(sheet.receivers)


def _shares(rows: Sequence[Row], form: Form, several: bool) -> tuple[Share, ...]:
    shares = []
    for row in rows:
        own: Minutes | None = None
        if several and row.minutes.strip():
            own = form.minutes(f"{row.field}-minutes")
        if row.chosen is not None:
            shares.append(Share(row.chosen, own))
    return tuple(shares)
