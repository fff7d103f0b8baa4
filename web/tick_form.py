"""What a sent list says: which rows were changed, and who carried which role.

A row counts only if it was sent at all, with what it showed when the page was read (`was-…`): what
somebody else ticked meanwhile is not taken back by saving a page from before.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from ledger import ZERO, Minutes
from timebank.attendance import Roll, Row
from timebank.carrying import Carries
from timebank.rooms import Room
from timebank.ticks import How, NewTick
from web.forms import Form

_LAST = 10**14  # milliseconds; the year 5138


def changes(roll: Roll, form: Form, how: How) -> list[NewTick]:
    """The rows that say something else than they showed when the page was read."""
    came = set(form.ids("came")) if form.has("came") else set()
    sheet_id = form.id("sheet", required=False)
    found = []
    for row in roll.rows:
        if not form.has(f"was-{row.seat_id}"):
            continue
        was = _count(form.raw(f"was-{row.seat_id}"))
        present = _present(roll.room, row, form, was, ticked=row.seat_id in came)
        if present == was:
            continue
        said = "" if present is None else str(present.count)
        id = form.id(f"tick-{row.seat_id}", required=False)
        if id is None:
            id = uuid5(sheet_id or row.seat_id, f"{row.seat_id}:{said}")
        made = form.number(f"made-{row.seat_id}", 0, _LAST, required=False)
        found.append(NewTick(id, row.seat_id, present, _moment(made), how))
    return found


def _moment(made: int | None) -> datetime | None:
    """When a script says a tick was made: milliseconds since 1970, by our clock."""
    return None if made is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=made)


def _present(
    room: Room, row: Row, form: Form, was: Minutes | None, *, ticked: bool
) -> Minutes | None:
    """How long the row says somebody was there. Who was not ticked before and is not, is as was."""
    field = f"minutes-{row.seat_id}"
    typed = form.minutes(field, required=False)
    if ticked:
        return typed if typed is not None else room.lasts
    if typed is not None and typed != was:
        return typed  # written down, and the box forgotten
    return ZERO if was else was


def _count(text: str) -> Minutes | None:
    return Minutes(int(text)) if text.isascii() and text.isdigit() and len(text) < 6 else None


def carried(roll: Roll, form: Form) -> tuple[list[Carries], list[tuple[UUID, str]]]:
    """The roles of the form: those somebody carried, and those nobody did."""
    found: list[Carries] = []
    dropped: list[tuple[UUID, str]] = []
    for row in roll.rows:
        for duty in row.duties:
            field = f"{row.seat_id}-{duty.key}"
            if not form.has(f"role-{field}"):
                continue
            if not form.flag(f"did-{field}"):
                dropped.append((row.seat_id, duty.key))
                continue
            before = form.minutes(f"before-{field}", required=False)
            during = form.minutes(f"during-{field}", required=False)
            after = form.minutes(f"after-{field}", required=False)
            role = roll.room.role(duty.key)
            whole = row.present if role is not None and role.during else None
            found.append(
                Carries(
                    row.seat_id,
                    duty.key,
                    ZERO if before is None else before,
                    None if during in (None, whole) else during,
                    ZERO if after is None else after,
                )
            )
    return found, dropped


def newly_carried(form: Form) -> list[Carries]:
    """What somebody else did, with the minutes that were agreed for it."""
    if not form.raw("bearer"):
        return []
    seat_id, key = form.id("bearer"), form.text("carried", limit=60)
    return [Carries(seat_id, key)] if seat_id is not None and key else []
