"""A version of the agreement is adopted by a steward, with a reason, and never edited."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from ledger import Minutes
from ledger.minutes import Rounding
from ledger.sql import read
from tests.timebank.factories import a_community, a_member, at
from timebank import agreements, members
from timebank.agreements import Agreement, Approval, Joining, OtherSide, Silence, Terms
from timebank.db import EVERYWHERE, Database
from timebank.entry import Kind
from timebank.errors import AgreementMoved, BadInput, Forbidden, NotFound, ReasonMissing
from timebank.members import Member, MemberKind, Role, Status
from timebank.roles import AgreedRole

OTHER_TERMS = Terms(
    purpose="So that nobody has to ask twice.",
    step=Minutes(30),
    rounding=Rounding.UP,
    soft_floor=Minutes(-300),
    hard_floor=Minutes(-1200),
    commons_floor=Minutes(-6000),
    joining=Joining.INVITATION,
    other_side=OtherSide.CONFIRMS,
    dispute_days=14,
    silence=Silence.WAITS,
    approval=Approval.ABOVE,
    approval_above=Minutes(120),
    sole_coordinator=True,
    review_on=date(2027, 5, 4),
    soft_ceiling=Minutes(3000),
    floor_growth=50,
    lowest_floor=Minutes(-3000),
    closing_day=7,
    retention_months=24,
    credits_taking_part=False,
    roles=(
        AgreedRole("tea", Kind.HOSPITALITY, Minutes(30)),
        AgreedRole("r-1", Kind.HELP, name="Sing"),
    ),
)


async def _begun(db: Database, role: Role = Role.STEWARD) -> Member:
    async with db.write(EVERYWHERE) as conn:
        community = await a_community(conn)
        return await a_member(conn, community.id, "Sam Steward", role=role)


async def _adopt(
    db: Database,
    by: Member,
    terms: Terms,
    *,
    reason: str = "We talked about it.",
    expected: int = 1,
    community: UUID | None = None,
) -> Agreement:
    async with db.write(EVERYWHERE) as conn:
        return await agreements.adopt(
            conn,
            community or by.community_id,
            terms,
            reason=reason,
            expected_version=expected,
            by=by.id,
            now=at(hours=1),
        )


async def test_the_first_agreement_is_the_one_most_communities_begin_with() -> None:
    terms = Terms()
    assert (terms.step, terms.rounding) == (Minutes(15), Rounding.NEAREST)
    assert (terms.soft_floor, terms.hard_floor) == (Minutes(-600), None)
    assert (terms.other_side, terms.dispute_days) == (OtherSide.TOLD, 7)
    assert terms.approval is Approval.ALL


async def test_every_term_comes_back_as_it_was_adopted(db: Database) -> None:
    steward = await _begun(db)
    adopted = await _adopt(db, steward, OTHER_TERMS)
    assert adopted.terms == OTHER_TERMS
    assert (adopted.version, adopted.adopted_by_name) == (2, "Sam Steward")
    assert adopted.reason == "We talked about it."
    async with db.read(EVERYWHERE) as conn:
        assert await agreements.current(conn, steward.community_id) == adopted
        history = await agreements.history(conn, steward.community_id)
        assert [one.version for one in history] == [2, 1]
        first = await agreements.version(conn, steward.community_id, 1)
        assert first.terms == Terms()
        with pytest.raises(NotFound):
            await agreements.version(conn, steward.community_id, 3)


def test_changes_names_each_term_that_differs() -> None:
    assert agreements.changes(Terms(), Terms()) == []
    assert agreements.changes(Terms(), replace(Terms(), dispute_days=8)) == ["dispute_days"]
    assert agreements.changes(Terms(), OTHER_TERMS) == [field.name for field in fields(Terms)]


@pytest.mark.parametrize("role", [Role.MEMBER, Role.COORDINATOR])
async def test_only_a_steward_changes_the_agreement(db: Database, role: Role) -> None:
    member = await _begun(db, role)
    with pytest.raises(Forbidden):
        await _adopt(db, member, OTHER_TERMS)


async def test_a_paused_steward_changes_nothing(db: Database) -> None:
    async with db.write(EVERYWHERE) as conn:
        community = await a_community(conn)
        steward = await a_member(conn, community.id, role=Role.STEWARD, status=Status.PAUSED)
    with pytest.raises(Forbidden):
        await _adopt(db, steward, OTHER_TERMS)


async def test_a_steward_of_one_community_is_nobody_in_another(db: Database) -> None:
    steward = await _begun(db)
    async with db.write(EVERYWHERE) as conn:
        other = await a_community(conn, "elsewhere")
    with pytest.raises(NotFound):
        await _adopt(db, steward, OTHER_TERMS, community=other.id)


async def test_a_change_needs_a_reason_and_something_that_changes(db: Database) -> None:
    steward = await _begun(db)
    with pytest.raises(ReasonMissing):
        await _adopt(db, steward, OTHER_TERMS, reason="")
    with pytest.raises(BadInput, match="nothing changed"):
        await _adopt(db, steward, Terms())
    async with db.read(EVERYWHERE) as conn:
        assert len(await agreements.history(conn, steward.community_id)) == 1


async def test_a_change_to_a_version_that_is_no_longer_in_force_is_refused(db: Database) -> None:
    steward = await _begun(db)
    await _adopt(db, steward, OTHER_TERMS)
    with pytest.raises(AgreementMoved) as moved:
        await _adopt(db, steward, replace(OTHER_TERMS, dispute_days=3), expected=1)
    assert moved.value.version == 2


async def test_of_ten_stewards_at_once_one_adopts(db: Database) -> None:
    steward = await _begun(db)
    outcomes = await asyncio.gather(
        *(_adopt(db, steward, replace(Terms(), dispute_days=days)) for days in range(10, 20)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Agreement) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, AgreementMoved) for outcome in outcomes) == 9


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"step": Minutes(0)}, "step"),
        ({"step": Minutes(61)}, "step"),
        ({"soft_floor": Minutes(1)}, "soft_floor"),
        ({"hard_floor": Minutes(-599)}, "hard_floor"),
        ({"commons_floor": Minutes(1)}, "commons_floor"),
        ({"dispute_days": -1}, "dispute_days"),
        ({"dispute_days": 91}, "dispute_days"),
        ({"approval_above": Minutes(-1)}, "approval_above"),
    ],
)
async def test_terms_nobody_can_follow_are_refused(
    db: Database, change: dict[str, Any], field: str
) -> None:
    steward = await _begun(db)
    with pytest.raises(BadInput) as refused:
        await _adopt(db, steward, replace(Terms(), **change))
    assert refused.value.field == field


async def test_a_hard_floor_is_set_on_members_and_the_budget_on_the_commons(db: Database) -> None:
    steward = await _begun(db)
    async with db.write(EVERYWHERE) as conn:
        library = await a_member(
            conn, steward.community_id, "Library", kind=MemberKind.ORGANISATION
        )
    await _adopt(db, steward, OTHER_TERMS)
    async with db.write(EVERYWHERE) as conn:
        newcomer = await members.add(
            conn, steward.community_id, name="New", by=steward.id, now=at(hours=2)
        )
        accounts = await read.accounts(conn, steward.community_id)
    floors = {id: account.floor for id, account in accounts.items()}
    assert floors == {
        steward.community_id: Minutes(-6000),
        steward.id: Minutes(-1200),
        library.id: Minutes(-1200),
        newcomer.id: Minutes(-1200),
    }
    await _adopt(db, steward, replace(OTHER_TERMS, hard_floor=None), expected=2)
    async with db.read(EVERYWHERE) as conn:
        accounts = await read.accounts(conn, steward.community_id)
    assert accounts[library.id].floor is None
    assert accounts[steward.community_id].floor == Minutes(-6000)
