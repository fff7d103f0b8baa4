"""The entries of a large town that are more than posted: their stories, and those that wait."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import false, insert, literal, select

from benchmarks.large_town.making import Making
from ledger import Minutes
from timebank import entries, entry_steps, recording
from timebank.entry import Entry, Kind, NewEntry, Share, State, StepKind
from timebank.periods import Month


async def tell(making: Making) -> None:
    """Who wrote down and who approved each entry there is."""
    table, steps = entries.entries, entries.steps
    for number, (kind, at) in enumerate(
        ((StepKind.RECORDED, table.c.recorded_at), (StepKind.APPROVED, table.c.posted_at)), 1
    ):
        facts = (literal(number), literal(kind.value), table.c.recorded_by, at, literal(""))
        told = select(table.c.community_id, table.c.id, *facts, false(), false())
        names = ("community_id", "entry_id", "number", "kind", "member_id", "at", "words")
        await making.conn.execute(
            insert(steps).from_select(
                (*names, "override", "stood_in"), told.where(table.c.community_id == making.id)
            )
        )


async def fill(making: Making) -> None:
    """What waits, and what is disputed."""
    await _waiting(making)
    await _contested(making)


async def _waiting(making: Making) -> None:
    """A hundred entries that wait or fewer, half of them of last month.

    Of five, one is disputed, one was asked about and answered, and one is written down twice.
    """
    last = Month.of(making.now.at.date()).previous.last
    for number in range(min(100, 20 + len(making.books.members) // 50)):
        giver, receiver = making.dice.sample(making.books.members[3:], 2)
        new = NewEntry(
            Kind.HELP,
            (Share(giver),),
            (Share(receiver),),
            Minutes(60),
            last if number % 2 else making.now.at.date(),
            "The garden",
        )
        entry = await recording.record(making.conn, making.id, new, by=giver, now=making.now)
        if number % 5 == 0:
            await _dispute(making, entry)
        elif number % 5 == 1:
            await _ask(making, entry)
        elif number % 5 == 2:
            await recording.record(making.conn, making.id, new, by=giver, now=making.later(1))


async def _dispute(making: Making, entry: Entry) -> None:
    await entry_steps.dispute(
        making.conn,
        making.id,
        entry.id,
        "It was an hour less.",
        by=entry.parts[1].account_id,
        now=making.later(1),
    )


async def _ask(making: Making, entry: Entry) -> None:
    step, giver = (making.conn, making.id, entry.id), entry.parts[0].account_id
    await entry_steps.return_with_question(
        *step, "Which garden?", by=making.coordinator, now=making.later(1)
    )
    await entry_steps.answer(*step, "That of the school.", by=giver, now=making.later(2))


async def _contested(making: Making) -> None:
    """Of the latest entries that count, some are disputed."""
    table = entries.entries
    rows = await making.conn.execute(
        select(table.c.id)
        .where(
            table.c.community_id == making.id,
            table.c.state == State.APPROVED.value,
            table.c.posted_at > making.now.at - timedelta(days=5),
        )
        .order_by(table.c.id.desc())
        .limit(60)
    )
    latest = await entries.load(making.conn, making.id, [row.id for row in rows])
    for entry in latest[::4]:
        if entry.parts[1].account_id != making.id and entry.reverses_id is None:
            await _dispute(making, entry)
