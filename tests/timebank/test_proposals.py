"""Changing the agreement together: everyone who was asked agrees, and it holds from the agreed day.

Seen to turn red: a proposal in force with a word missing; one that overwrites what changed
meanwhile; one that comes into force twice, or before its day; a member who speaks for another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from ledger import Minutes
from ledger.minutes import Rounding
from tests.timebank.factories import a_community, a_member, at
from tests.timebank.scenes import MillRoad, mill_road
from tests.timebank.test_agreements import OTHER_TERMS
from timebank import agreements, members, my_data, patches, proposal_dates, proposals, proposing
from timebank.agreements import Agreement, Terms
from timebank.db import EVERYWHERE, Database
from timebank.errors import (
    AgreementMoved,
    BadInput,
    Forbidden,
    NotFound,
    NotTakingPart,
    NotYours,
    ReadOnlyMember,
    ReasonMissing,
    VoicesMissing,
    WrongState,
)
from timebank.members import Member, Role, Status
from timebank.moment import Moment
from timebank.outbox import outbox
from timebank.proposals import Proposal, Stance, State, StepKind
from timebank.proposing import NewProposal

TODAY = date(2026, 5, 4)
LATER = date(2026, 6, 1)


@pytest.fixture
async def road(db: Database) -> MillRoad:
    return await mill_road(db)


async def current(road: MillRoad) -> Agreement:
    async with road.db.read(road.id) as conn:
        return await agreements.current(conn, road.id)


def new(terms: Terms, *asked: Member, **more: Any) -> NewProposal:
    """A proposal to have these terms, which these members have to agree to."""
    facts: dict[str, Any] = {
        "reason": "So that we can go on.",
        "open_until": TODAY + timedelta(days=14),
        "effective_on": None,
        "expected_version": 1,
    }
    return NewProposal(terms=terms, asked=tuple(one.id for one in asked), **facts | more)


SLOWER = replace(Terms(), dispute_days=14)


async def propose(
    road: MillRoad, what: NewProposal, by: Member | None = None, now: Moment | None = None
) -> Proposal:
    """Ana proposes it, unless somebody else is named."""
    async with road.db.write(road.id) as conn:
        return await proposing.propose(conn, road.id, what, by=(by or road.ana).id, now=now or at())


async def say(
    road: MillRoad,
    proposal: Proposal,
    member: Member,
    stance: Stance = Stance.AGREE,
    words: str = "",
    by: Member | None = None,
) -> None:
    """Somebody says what they think, themselves unless somebody else is named."""
    async with road.db.write(road.id) as conn:
        await proposing.say(
            conn,
            road.id,
            proposal.id,
            stance,
            words,
            member=member.id,
            by=(by or member).id,
            now=at(hours=1),
        )


async def act(
    road: MillRoad,
    verb: Callable[..., Any],
    proposal: Proposal,
    by: Member,
    *words: Any,
    **more: Any,
) -> Any:
    """Take a step: `act(road, proposing.settle, proposal, stella)`."""
    async with road.db.write(road.id) as conn:
        return await verb(
            conn, road.id, proposal.id, *words, by=by.id, **{"now": at(hours=2)} | more
        )


async def again(road: MillRoad, proposal: Proposal) -> Proposal:
    """The proposal as it stands now."""
    async with road.db.read(road.id) as conn:
        return await proposals.get(conn, road.id, proposal.id)


async def waiting(road: MillRoad) -> list[UUID]:
    async with road.db.read(road.id) as conn:
        terms = (await agreements.current(conn, road.id)).terms
        return [
            row.id for row in await conn.execute(proposals.waits(road.id, terms=terms, now=at()))
        ]


# ── Patches ──────────────────────────────────────────────────────────────────────────────────────

some_terms = st.builds(
    lambda names: replace(Terms(), **{name: getattr(OTHER_TERMS, name) for name in names}),
    st.sets(st.sampled_from(agreements.changes(Terms(), OTHER_TERMS))),
)


@given(some_terms, some_terms)
def test_a_patch_brings_one_agreement_to_the_other_and_fits_where_nothing_overlaps(
    old: Terms, proposed: Terms
) -> None:
    patch = patches.patch(old, proposed)
    assert patches.patched(old, patch) == proposed
    assert set(patch) == set(agreements.changes(old, proposed))
    moved = replace(old, dispute_days=33, rounding=Rounding.DOWN)
    if not patches.overlap(patch, old, moved):
        both = patches.patched(moved, patch)
        assert (both.dispute_days, both.rounding) == (33, Rounding.DOWN)
        assert agreements.changes(both, moved) == agreements.changes(proposed, old)


def test_a_term_that_is_no_more_is_left_out() -> None:
    assert patches.patched(Terms(), {"demurrage": 3, "dispute_days": 4}).dispute_days == 4


# ── From a proposal to a version ─────────────────────────────────────────────────────────────────


async def test_once_all_who_were_asked_agree_a_steward_puts_it_into_force(road: MillRoad) -> None:
    made = await propose(road, new(SLOWER, road.library, road.dora))
    asked = {"bert@example.org", "dora@example.org", "stella@example.org"}
    assert set(await road.told()) == asked
    assert [voice.name for voice in made.missing] == ["The Library", "Dora Winter"]
    assert await waiting(road) == []
    await say(road, made, road.library, by=road.bert)
    await say(road, made, road.dora, Stance.CONCERN, "Two weeks are long.")
    with pytest.raises(VoicesMissing) as missing:
        await act(road, proposing.settle, made, road.stella)
    assert missing.value.names == ("Dora Winter",)
    await say(road, made, road.dora, Stance.ASIDE)
    assert await waiting(road) == [made.id]
    done = await act(road, proposing.settle, made, road.stella)
    assert (done.state, done.version) == (State.IN_FORCE, 2)
    agreement = await current(road)
    assert (agreement.version, agreement.terms) == (2, SLOWER)
    assert (agreement.adopted_by, agreement.reason) == (road.stella.id, "So that we can go on.")
    async with road.db.read(road.id) as conn:
        came_from = await proposals.of_versions(conn, road.id)
    agreed = came_from[2].said(Stance.AGREE)
    assert [(voice.name, voice.said_by_name) for voice in agreed] == [
        ("The Library", "Bert Okoro"),
        ("Ana Lima", None),
    ]
    assert await waiting(road) == []


async def test_only_a_steward_settles_and_only_what_is_open(road: MillRoad) -> None:
    made = await propose(road, new(SLOWER))
    for by in (road.ana, road.carla):
        with pytest.raises(Forbidden):
            await act(road, proposing.settle, made, by)
    await act(road, proposing.settle, made, road.stella)
    for verb, by, words in (
        (proposing.settle, road.stella, ()),
        (proposing.decline, road.stella, ("No",)),
        (proposing.withdraw, road.ana, ()),
    ):
        with pytest.raises(WrongState):
            await act(road, verb, made, by, *words)
    with pytest.raises(WrongState):
        await say(road, made, road.bert)


async def test_on_its_day_it_holds_by_the_communitys_calendar_and_once(road: MillRoad) -> None:
    made = await propose(road, new(SLOWER, effective_on=LATER))
    settled = await act(road, proposing.settle, made, road.stella)
    assert (settled.state, settled.version) == (State.SETTLED, None)
    assert (await current(road)).version == 1
    the_evening_before = at(days=27, hours=10)  # 23:00 in London, on the last of May
    assert await proposal_dates.keep(road.db, now=the_evening_before) == 0
    midnight = at(days=27, hours=11)
    done = await asyncio.gather(*(proposal_dates.keep(road.db, now=midnight) for _ in range(3)))
    assert sum(done) == 1
    agreement = await current(road)
    assert (agreement.version, agreement.terms, agreement.adopted_by) == (2, SLOWER, road.stella.id)
    assert (await again(road, made)).state is State.IN_FORCE
    async with road.db.read(road.id) as conn:
        story = await proposals.story(conn, road.id, made.id)
    assert [(step.kind, step.name) for step in story[1:]] == [
        (StepKind.SETTLED, "Stella Novak"),
        (StepKind.IN_FORCE, None),
    ]


async def test_who_takes_back_their_word_before_the_day_stops_it(road: MillRoad) -> None:
    made = await propose(road, new(SLOWER, road.dora, effective_on=LATER))
    await say(road, made, road.dora)
    await act(road, proposing.settle, made, road.stella)
    await say(road, made, road.dora, Stance.CONCERN, "I have thought about it.")
    assert await proposal_dates.keep(road.db, now=at(days=28)) == 1
    found = await again(road, made)
    assert (found.state, found.open_until) == (State.OPEN, date(2026, 6, 15))
    assert (await current(road)).version == 1
    assert await waiting(road) == []


async def test_two_proposals_at_once_both_hold_where_they_change_other_things(
    road: MillRoad,
) -> None:
    first = await propose(road, new(SLOWER))
    second = await propose(road, new(replace(Terms(), step=Minutes(30))), road.bert)
    outcomes = await asyncio.gather(
        act(road, proposing.settle, first, road.stella),
        act(road, proposing.settle, second, road.stella),
    )
    assert {one.state for one in outcomes} == {State.IN_FORCE}
    agreement = await current(road)
    assert (agreement.version, agreement.terms) == (3, replace(SLOWER, step=Minutes(30)))


async def test_where_they_change_the_same_the_second_has_to_be_looked_at_again(
    road: MillRoad,
) -> None:
    first = await propose(road, new(SLOWER))
    second = await propose(road, new(replace(Terms(), dispute_days=3), effective_on=LATER))
    third = await propose(road, new(replace(Terms(), dispute_days=5)))
    await act(road, proposing.settle, second, road.stella)
    await act(road, proposing.settle, first, road.stella)
    with pytest.raises(AgreementMoved) as moved:
        await act(road, proposing.settle, third, road.stella)
    assert moved.value.version == 2
    assert await proposal_dates.keep(road.db, now=at(days=28)) == 2
    states = [(await again(road, one)).state for one in (second, third)]
    assert states == [State.OPEN, State.EXPIRED]  # to be looked at again, and nobody did
    assert (await current(road)).terms == SLOWER


async def test_what_is_no_sense_any_more_after_another_version_is_refused(road: MillRoad) -> None:
    lower = await propose(road, new(replace(Terms(), hard_floor=Minutes(-700))))
    await propose(road, new(SLOWER))
    await road.agree(soft_floor=Minutes(-900))
    with pytest.raises(BadInput):
        await act(road, proposing.settle, lower, road.stella)
    assert (await current(road)).version == 2


# ── Making one ───────────────────────────────────────────────────────────────────────────────────


async def test_what_makes_no_proposal_is_refused(road: MillRoad) -> None:
    async with road.db.write(road.id) as conn:
        paused = await a_member(conn, road.id, "Pia", email="pia@e.org", status=Status.PAUSED)
    refusals: list[tuple[type[Exception], NewProposal, Member]] = [
        (ReadOnlyMember, new(SLOWER), paused),
        (BadInput, new(Terms()), road.ana),
        (BadInput, new(replace(Terms(), step=Minutes(0))), road.ana),
        (BadInput, new(SLOWER, open_until=TODAY), road.ana),
        (BadInput, new(SLOWER, open_until=TODAY + timedelta(days=366)), road.ana),
        (BadInput, new(SLOWER, effective_on=TODAY - timedelta(days=1)), road.ana),
        (ReasonMissing, new(SLOWER, reason=" "), road.ana),
        (AgreementMoved, new(SLOWER, expected_version=2), road.ana),
        (NotYours, new(SLOWER, on_behalf_of=road.library.id), road.ana),
        (NotTakingPart, new(SLOWER, paused), road.ana),
    ]
    for error, what, by in refusals:
        with pytest.raises(error):
            await propose(road, what, by)
    async with road.db.read(road.id) as conn:
        assert await proposals.listed(conn, road.id, tuple(State)) == []
    assert await road.told() == []


async def test_an_organisation_proposes_through_who_keeps_its_account(road: MillRoad) -> None:
    made = await propose(road, new(SLOWER, road.ana, on_behalf_of=road.library.id), road.bert)
    assert (made.on_behalf_of_name, made.proposed_by_name) == ("The Library", "Bert Okoro")
    assert {voice.name for voice in made.said(Stance.AGREE)} == {"The Library", "Bert Okoro"}


async def test_the_same_sheet_sent_twice_is_one_proposal(road: MillRoad) -> None:
    id = at().new_id()

    async def send() -> Proposal:
        async with road.db.write(road.id) as conn:
            return await proposing.propose(
                conn, road.id, new(SLOWER), by=road.ana.id, now=at(), proposal_id=id
            )

    found = await asyncio.gather(*(send() for _ in range(4)))
    assert {one.id for one in found} == {id}
    async with road.db.read(road.id) as conn:
        assert len(await proposals.listed(conn, road.id, tuple(State))) == 1


async def test_a_proposal_that_is_changed_asks_everybody_again(road: MillRoad) -> None:
    made = await propose(road, new(SLOWER, road.dora))
    await say(road, made, road.dora, words="Fine by me")
    changed = new(replace(Terms(), dispute_days=10), road.carla)
    with pytest.raises(Forbidden):
        await act(road, proposing.revise, made, road.dora, changed)
    await act(road, proposing.revise, made, road.ana, changed)
    found = await again(road, made)
    assert found.changes == {"dispute_days": 10}
    assert [(one.name, one.asked, one.stance, one.words) for one in found.voices] == [
        ("Carla Rossi", True, None, ""),
        ("Ana Lima", False, Stance.AGREE, ""),
        ("Dora Winter", False, None, ""),
    ]


# ── Saying something ─────────────────────────────────────────────────────────────────────────────


async def test_who_may_give_whose_word(road: MillRoad) -> None:
    made = await propose(road, new(SLOWER, road.ines, road.library))
    await say(road, made, road.ines, by=road.ana)  # her buddy
    await say(road, made, road.ines, Stance.ASIDE, by=road.carla)  # she has no e-mail
    await say(road, made, road.library, by=road.bert)
    for member, by in ((road.bert, road.ana), (road.bert, road.carla), (road.library, road.carla)):
        with pytest.raises(Forbidden):
            await say(road, made, member, by=by)
    with pytest.raises(ReasonMissing):
        await say(road, made, road.bert, Stance.CONCERN)
    assert {(one.name, one.stance) for one in (await again(road, made)).voices} == {
        ("Inés García", Stance.ASIDE),
        ("The Library", Stance.AGREE),
        ("Ana Lima", Stance.AGREE),
    }


async def test_a_concern_is_told_to_who_proposed_it(road: MillRoad) -> None:
    made = await propose(road, new(SLOWER))
    told = len(await road.told())
    await say(road, made, road.bert, Stance.CONCERN, "Too long for me.")
    async with road.db.read(road.id) as conn:
        rows = await conn.execute(select(outbox.c.to_address, outbox.c.body).order_by(outbox.c.id))
        mail = rows.all()[told]
    assert mail.to_address == "ana@example.org"
    assert "Too long for me." in mail.body


async def test_who_was_asked_sees_that_their_word_is_waited_for(road: MillRoad) -> None:
    made = await propose(road, new(SLOWER, road.library, road.dora))
    async with road.db.read(road.id) as conn:
        asked = {
            one.name: await proposals.asked_of(conn, road.id, one.id)
            for one in (road.ana, road.bert, road.dora)
        }
    assert asked == {"Ana Lima": [], "Bert Okoro": [made.id], "Dora Winter": [made.id]}


async def test_comments_stand_in_the_story_and_need_words(road: MillRoad) -> None:
    made = await propose(road, new(SLOWER))
    await act(road, proposing.comment, made, road.bert, "Good that somebody says it.")
    with pytest.raises(ReasonMissing):
        await act(road, proposing.comment, made, road.bert, " ")
    async with road.db.read(road.id) as conn:
        story = await proposals.story(conn, road.id, made.id)
    assert [(step.kind, step.name, step.words) for step in story] == [
        (StepKind.PROPOSED, "Ana Lima", "So that we can go on."),
        (StepKind.COMMENT, "Bert Okoro", "Good that somebody says it."),
    ]


# ── Letting go ───────────────────────────────────────────────────────────────────────────────────


async def test_it_is_taken_back_by_who_made_it_and_declined_by_a_steward(road: MillRoad) -> None:
    first, second = await propose(road, new(SLOWER)), await propose(road, new(SLOWER))
    with pytest.raises(Forbidden):
        await act(road, proposing.withdraw, first, road.stella)
    await act(road, proposing.withdraw, first, road.ana)
    await act(road, proposing.withdraw, first, road.ana)
    with pytest.raises(ReasonMissing):
        await act(road, proposing.decline, second, road.stella, " ")
    await act(road, proposing.decline, second, road.stella, "We talked about it in March.")
    states = [(await again(road, one)).state for one in (first, second)]
    assert states == [State.WITHDRAWN, State.DECLINED]


async def test_it_runs_out_unless_everyone_agreed_in_time(road: MillRoad) -> None:
    lacking = await propose(road, new(SLOWER, road.dora))
    agreed = await propose(road, new(SLOWER, road.carla))
    await say(road, agreed, road.carla)
    assert await proposal_dates.keep(road.db, now=at(days=14)) == 0
    assert await proposal_dates.keep(road.db, now=at(days=15)) == 1
    assert (await again(road, lacking)).state is State.EXPIRED
    assert (await again(road, agreed)).state is State.OPEN
    assert await waiting(road) == [agreed.id]


async def test_the_day_to_look_at_it_again_is_told_once_until_there_is_a_new_version(
    road: MillRoad,
) -> None:
    await road.agree(review_on=LATER)
    assert await proposal_dates.keep(road.db, now=at(days=27)) == 0
    assert await proposal_dates.keep(road.db, now=at(days=28)) == 1
    assert await proposal_dates.keep(road.db, now=at(days=29)) == 0
    assert await road.told() == ["stella@example.org"]

    async def due() -> int:
        async with road.db.read(road.id) as conn:
            terms = (await agreements.current(conn, road.id)).terms
            query = proposals.reviews_waiting(road.id, terms=terms, now=at())
            return len((await conn.execute(query)).all())

    assert await due() == 1
    await road.agree(review_on=date(2027, 6, 1))
    assert await due() == 0


# ── Other communities, and people who leave ──────────────────────────────────────────────────────


async def test_a_proposal_of_another_community_is_not_there(road: MillRoad) -> None:
    made = await propose(road, new(SLOWER))
    async with road.db.write(EVERYWHERE) as conn:
        other = await a_community(conn, "elsewhere")
        stranger = await a_member(conn, other.id, "Olga", role=Role.STEWARD)
    async with road.db.write(other.id) as conn:
        with pytest.raises(NotFound):
            await proposing.settle(conn, other.id, made.id, by=stranger.id, now=at())


async def test_who_leaves_takes_their_words_along_and_what_holds_goes_on_holding(
    road: MillRoad,
) -> None:
    proposed = new(replace(SLOWER, purpose="canary purpose"), reason="canary reason")
    made = await propose(road, replace(proposed, effective_on=LATER), road.bert)
    await say(road, made, road.bert, Stance.AGREE, "canary voice")
    await act(road, proposing.comment, made, road.bert, "canary comment")
    await act(road, proposing.settle, made, road.stella)
    async with road.db.write(EVERYWHERE) as conn:
        await members.set_role(
            conn, road.id, road.bert.id, Role.MEMBER, by=road.stella.id, now=at()
        )
        packed = await my_data.archive(conn, road.id, road.bert.id, now=at())
        await my_data.close(conn, road.id, road.bert.id, by=road.bert.id, now=at(days=1))
    assert packed
    async with road.db.read(EVERYWHERE) as conn:
        for table in (proposals.proposals, proposals.voices, proposals.steps):
            rows = repr((await conn.execute(select(table))).all())
            assert "canary" not in rows, table.name
    assert await proposal_dates.keep(road.db, now=at(days=28)) == 1
    agreement = await current(road)
    assert agreement.terms.dispute_days == 14
    assert agreement.reason == "Whoever proposed this has left, and their words with them."
