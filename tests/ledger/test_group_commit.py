"""Who waits at the same moment is committed together, and each gets the answer to their own ask."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from ledger.errors import Busy, Unknown
from ledger.group_commit import GroupCommit

HERE, THERE = UUID(int=1), UUID(int=2)


class Broke(ConnectionError):
    """The connection is gone."""


class Desk:
    """Commits asks when it is let to, doubles each as its answer, and remembers the groups."""

    def __init__(self) -> None:
        self.groups: list[tuple[UUID, list[int]]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.errors: list[Exception] = []
        self.poison: int | None = None

    async def commit(self, community: UUID, asks: Sequence[int]) -> list[int]:
        self.groups.append((community, list(asks)))
        await self.open.wait()
        if self.errors:
            raise self.errors.pop(0)
        if self.poison in asks:
            raise ValueError(self.poison)
        return [2 * ask for ask in asks]


@pytest.fixture
async def desk() -> Desk:
    return Desk()


def gather(desk: Desk, **limits: float) -> GroupCommit[int, int]:
    return GroupCommit(
        desk.commit,
        lost=lambda error: isinstance(error, Broke),
        **limits,  # type: ignore[arg-type]
    )


async def settled(work: Sequence[asyncio.Task[list[int]]]) -> list[object]:
    return list(await asyncio.gather(*work, return_exceptions=True))


def ask(group: GroupCommit[int, int], *asks: int, at: UUID = HERE) -> asyncio.Task[list[int]]:
    return asyncio.create_task(group.put(at, asks))


async def test_one_alone_is_committed_at_once(desk: Desk) -> None:
    assert await gather(desk).put(HERE, [21]) == [42]
    assert desk.groups == [(HERE, [21])]


async def test_whoever_came_meanwhile_is_committed_together(desk: Desk) -> None:
    group = gather(desk)
    desk.open.clear()
    first = ask(group, 0)
    await asyncio.sleep(0.01)
    others = [ask(group, n) for n in range(1, 33)]
    await asyncio.sleep(0.01)
    desk.open.set()
    assert await settled([first, *others]) == [[2 * n] for n in range(33)]
    assert [len(asks) for _, asks in desk.groups] == [1, 32]


async def test_each_gets_the_answers_to_their_own_asks_in_their_order(desk: Desk) -> None:
    group = gather(desk, most_together=3)
    answers = await settled([ask(group, 10 * n, 10 * n + 1) for n in range(10)])
    assert answers == [[20 * n, 20 * n + 2] for n in range(10)]
    assert max(len(asks) for _, asks in desk.groups) == 3


async def test_communities_do_not_wait_for_each_other(desk: Desk) -> None:
    group = gather(desk)
    desk.open.clear()
    here, there = ask(group, 1), ask(group, 2, at=THERE)
    await asyncio.sleep(0.01)
    assert desk.groups == [(HERE, [1]), (THERE, [2])]
    desk.open.set()
    assert await settled([here, there]) == [[2], [4]]


async def test_a_caller_that_goes_away_does_not_take_its_ask_along(desk: Desk) -> None:
    group = gather(desk)
    desk.open.clear()
    gone, stays = ask(group, 1), ask(group, 2)
    await asyncio.sleep(0.01)
    gone.cancel()
    later = ask(group, 3)
    await asyncio.sleep(0.01)
    later.cancel()
    desk.open.set()
    await group.drain()
    assert [asks for _, asks in desk.groups] == [[1, 2], [3]]
    assert await stays == [4]


async def test_a_full_line_says_busy_at_once_and_takes_nothing(desk: Desk) -> None:
    group = gather(desk, most_waiting=3)
    desk.open.clear()
    first = ask(group, 0)
    await asyncio.sleep(0.01)
    waiting = [ask(group, n) for n in (1, 2)]
    await asyncio.sleep(0.01)
    with pytest.raises(Busy):
        await group.put(HERE, [3, 4])
    assert await group.put(THERE, []) == []
    desk.open.set()
    assert await settled([first, *waiting]) == [[0], [2], [4]]
    assert [asks for _, asks in desk.groups] == [[0], [1, 2]]


async def test_after_a_lost_connection_the_same_group_is_committed_again(desk: Desk) -> None:
    desk.errors = [Broke(), Broke()]
    assert await gather(desk).put(HERE, [1, 2]) == [2, 4]
    assert [asks for _, asks in desk.groups] == [[1, 2]] * 3


async def test_only_the_one_at_fault_fails(desk: Desk) -> None:
    desk.poison = 2
    group = gather(desk)
    answers = await settled([ask(group, n) for n in (1, 2, 3)])
    assert answers[0] == [2]
    assert isinstance(answers[1], ValueError)
    assert answers[2] == [6]


async def test_after_some_patience_those_in_the_group_hear_unknown_and_those_behind_busy(
    desk: Desk,
) -> None:
    group = gather(desk, patience=0.05)
    desk.open.clear()
    inside = ask(group, 1)
    await asyncio.sleep(0.01)
    behind = ask(group, 2)
    answers = await settled([inside, behind])
    assert [type(answer) for answer in answers] == [Unknown, Busy]
    desk.open.set()
    await group.drain()
    assert [asks for _, asks in desk.groups] == [[1]], "the committer goes on with the first alone"
    assert await group.put(HERE, [5]) == [10]


async def test_nobody_perseveres_for_ever(desk: Desk) -> None:
    desk.errors = [Broke() for _ in range(1000)]
    with pytest.raises(Unknown):
        await gather(desk, perseverance=0.2).put(HERE, [1])
    assert len(desk.errors) > 900
    desk.errors = []
    assert await gather(desk).put(HERE, [1]) == [2]


async def test_a_commit_that_hangs_is_given_up(desk: Desk) -> None:
    desk.open.clear()
    group = GroupCommit(
        desk.commit, lost=lambda error: isinstance(error, TimeoutError), perseverance=0.1
    )
    with pytest.raises(Unknown):
        await group.put(HERE, [1])
