"""Thirty-two callers at one community's books, and every answer held against the model.

    callers (one process, or three on PostgreSQL) ──► operations with times ──► checker ──► wrong?

They post, alone and together, on one busy account and near the floor; the same entry again and
under its id another; they undo what others undo at the same moment, go away before the answer,
change floors, close accounts, and read. How interesting it was is measured too: a history in which
hardly anybody met anybody proves nothing.
"""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid5

from ledger import AccountKind, JournalEntry, Minutes, Transfer
from ledger.errors import Busy, Unknown
from ledger.sql import Ledger, read, store
from ledger.sql.verify import verify
from tests.conftest import OWNER, PROGRAM, settings_for
from tests.faults.checker import Change, History, Left, Look, Operation, Post, check, spread
from tests.faults.plan import Fault, Outcome
from tests.infrastructure import postgres
from tests.infrastructure.postgres import Server
from tests.ledger.making import DAY, NOON
from timebank import migrate
from timebank.config import Settings
from timebank.db import Database

ROOT = Path(__file__).parents[2]
CALLERS = 32
_OPERATIONS = 5000  # in one history

COMMUNITY = UUID(int=0xC0)
COMMONS = UUID(int=0xD0)
MEMBERS = tuple(UUID(int=number) for number in range(0xE0, 0xEA))
TIGHT = MEMBERS[:2]  # they have next to nothing to give
AWAY = MEMBERS[2:4]  # their accounts are closed now and then
NOBODY = UUID(int=0xFF)
FLOORS = {
    COMMONS: None,
    **{member: Minutes(0 if member in TIGHT else -120) for member in MEMBERS},
}

_ROUND = 100_000_000  # nanoseconds in which all callers meet over the same entry
_CALM = 4  # every so many rounds a calm one, in which only a few ask: nobody is to be met
_FEW = 11  # one caller in so many
_QUIET = 24  # what each of these few asks before the others come
_JUMP = 3600  # seconds by which a caller's clock may be wrong

# At least so much of all operations, or the history was too dull to count.
INTERESTING: Mapping[str, float] = {
    "posted": 0.3,
    "repeated": 0.05,
    "raced": 0.08,
    "gone": 0.01,
    "looked": 0.04,
    "changed: floor": 0.005,
    "changed: close": 0.002,
    "refused: FloorReached": 0.03,
    "refused: AccountClosed": 0.01,
    "refused: KeyReused": 0.01,
    "refused: AlreadyReversed": 0.005,
    "refused: NotPosted": 0.001,
    "refused: ReversalDiffers": 0.001,
    "refused: UnknownAccount": 0.001,
}


@dataclass
class Caller:
    """One of those who ask: takes its chances, and notes what it was told and when."""

    number: int
    seed: int
    db: Database
    ledger: Ledger
    start: int  # of the history, by the clock that all processes share
    recent: list[JournalEntry]  # what callers of this process handed in lately
    told: list[Operation]
    chances: Random = field(init=False)

    def __post_init__(self) -> None:
        self.chances = Random(f"{self.seed} {self.number}")

    async def begin(self) -> None:
        """Before the crowd comes: what a quiet evening brings, one of these after another."""
        for _ in range(_QUIET):
            await self.chances.choice(CALM_DEEDS)(self)

    async def live(self, operations: int) -> None:
        """Ask so many times, one after another."""
        deeds, weights = zip(*DEEDS.items(), strict=True)
        for deed in self.chances.choices(deeds, weights, k=operations):
            if self.round() % _CALM == 0 and self.number % _FEW == 0:
                deed = self.chances.choice(CALM_DEEDS)
            while self.round() % _CALM == 0 and self.number % _FEW:  # noqa: ASYNC110 - for a time
                await asyncio.sleep(_ROUND / 1e10)
            await deed(self)

    # ── What is asked ──

    async def give(self) -> None:
        """One transfer between two members."""
        await self.post(self.entry(self.chances.sample(MEMBERS, 2)))

    async def give_many(self) -> None:
        """Several transfers in one entry."""
        count = self.chances.randrange(2, 6)
        await self.post(self.entry(*(self.chances.sample(MEMBERS, 2) for _ in range(count))))

    async def share(self) -> None:
        """The commons gives or takes: everybody's account."""
        ends = [COMMONS, self.chances.choice(MEMBERS)]
        self.chances.shuffle(ends)
        await self.post(self.entry(ends))

    async def spend(self) -> None:
        """From those who have next to nothing; sometimes something comes in."""
        poor, other = self.chances.choice(TIGHT), self.chances.choice(MEMBERS[4:])
        ends = [poor, other] if self.chances.random() < 0.6 else [other, poor]
        override = self.chances.random() < 0.05
        await self.post(self.entry(ends, override=override))

    async def meet(self) -> None:
        """All callers hand in the same entry, and some of them another one under its id."""
        await self.post(self.shared(self.round(), other=self.chances.random() < 0.2))

    async def hurry(self) -> None:
        """The same entry three times at once: a double click and a retry."""
        entry = self.entry(self.chances.sample(MEMBERS, 2))
        await asyncio.gather(*(self.post(entry) for _ in range(3)))

    async def repeat(self) -> None:
        """Again what somebody handed in before, word for word or not."""
        if not self.recent:
            return
        old = self.chances.choice(self.recent)
        if self.chances.random() < 0.3:
            old = self.named(old.id, old.transfers, words=b"other words")
        await self.post(old)

    async def undo(self) -> None:
        """Undo what all others undo, or what somebody handed in before; not always exactly."""
        together = self.chances.random() < 0.6 or not self.recent
        old = self.shared(self.round() - 1) if together else self.chances.choice(self.recent)
        back = old.reversal(self.new_id(), DAY, bytes(32), override=True)
        if self.chances.random() < 0.3:
            back = self.named(back.id, back.transfers[:0:-1] or old.transfers, old.id)
        await self.post(back)

    async def leave(self) -> None:
        """Ask, and be gone before or while it is answered."""
        entry = self.entry(self.chances.sample(MEMBERS, 2))
        asking = asyncio.create_task(self.post(entry))
        await asyncio.sleep(self.chances.choice((0, 0, 0.001, 0.01)))
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    async def hand_in_sheet(self) -> None:
        """A batch in a transaction of its own, in which some may be refused."""
        sheet = [self.entry(self.chances.sample(MEMBERS, 2)) for _ in range(4)]
        sheet += [self.chances.choice(sheet), self.shared(self.round())]
        at, began = self.now(), time.monotonic_ns()
        async with self.db.write(COMMUNITY) as conn:
            answer = tuple(await store.post(conn, COMMUNITY, sheet, at))
        self.note(Post, began, tuple(sheet), at, answer)

    async def ask_amiss(self) -> None:
        """What can never be posted."""
        one, other = self.chances.sample(MEMBERS, 2)
        entry = self.chances.choice(
            (
                self.entry([one, NOBODY]),
                self.entry([one, one]),
                self.entry(),
                self.named(self.new_id(), (Transfer(one, other, Minutes(0)),)),
                self.named(self.new_id(), (Transfer(one, other, Minutes(1)),), self.new_id()),
            )
        )
        await self.post(entry)

    async def change(self) -> None:
        """Another floor, an account closed or reopened; and at once something from that account."""
        what = self.chances.choice(("floor", "floor", "close", "reopen", "reopen"))
        account = self.chances.choice(MEMBERS[4:] if what == "floor" else AWAY)
        floor = None
        began = time.monotonic_ns()
        async with self.db.write(COMMUNITY) as conn:
            if what == "floor":
                stands = await read.balance(conn, COMMUNITY, account)
                floor = stands - Minutes(self.chances.choice((0, 10, 200, 400)))
                await store.set_floor(conn, COMMUNITY, [account], floor)
            elif what == "close":
                await store.close_account(conn, COMMUNITY, account, self.now())
            else:
                await store.reopen_account(conn, COMMUNITY, account)
            held, head = time.monotonic_ns(), await read.head(conn, COMMUNITY)
        self.note(Change, began, account, what, floor, head.seq, held)
        await self.post(self.entry([account, self.chances.choice(TIGHT)]))

    async def look(self) -> None:
        """Some balances, a page and a past balance, in one picture."""
        some = self.chances.sample((COMMONS, *MEMBERS), 3)
        moment, began = self.now(), time.monotonic_ns()
        async with self.db.read(COMMUNITY) as conn:
            head = await read.head(conn, COMMUNITY)
            accounts = tuple((await read.accounts(conn, COMMUNITY, some)).values())
            before = self.chances.choice((None, 20))
            lines = await read.page(conn, COMMUNITY, some[0], before_line=before, limit=7)
            stood = await read.balance_at(conn, COMMUNITY, some[1], moment)
        page, past = (some[0], before, 7, tuple(lines)), (some[1], moment, stood)
        self.note(Look, began, head, accounts, page, past)

    # ── How ──

    async def post(self, entry: JournalEntry) -> None:
        """Hand an entry in and note what came of it."""
        at, began = self.now(), time.monotonic_ns()
        answer: Any = Left.GONE
        try:
            answer = (await self.ledger.post(COMMUNITY, entry, at),)
        except Unknown:
            answer = Left.UNKNOWN
        except Busy:
            answer = Left.BUSY
        finally:
            self.note(Post, began, (entry,), at, answer)
        self.recent.append(entry)
        del self.recent[:-40]

    def note(self, kind: Callable[..., Operation], began: int, *facts: Any) -> None:
        self.told.append(kind(self.number, began, time.monotonic_ns(), *facts))

    def now(self) -> datetime:
        """The caller's clock, which is often wrong."""
        passed = timedelta(microseconds=(time.monotonic_ns() - self.start) // 1000)
        wrong = self.chances.choice((0, 0, 0, self.chances.uniform(-_JUMP, _JUMP) / 3600))
        return NOON + timedelta(hours=2) + passed + timedelta(seconds=wrong)

    def round(self) -> int:
        """Which entry all callers of all processes meet over just now."""
        return (time.monotonic_ns() - self.start) // _ROUND

    def shared(self, number: int, *, other: bool = False) -> JournalEntry:
        """The entry of a round: the same for all, but for those who say something else."""
        chances = Random(number)
        (source, to), minutes = chances.sample(MEMBERS[4:], 2), chances.randrange(1, 20)
        id = uuid5(COMMUNITY, f"{self.seed} {number}")
        words = b"other" if other else b"the same"
        return self.named(id, (Transfer(source, to, Minutes(minutes)),), words=words, override=True)

    def entry(self, *ends: Sequence[UUID], override: bool = False) -> JournalEntry:
        transfers = (
            Transfer(source, to, Minutes(self.chances.randrange(1, 30))) for source, to in ends
        )
        return self.named(self.new_id(), tuple(transfers), override=override)

    def named(
        self,
        id: UUID,
        transfers: tuple[Transfer, ...],
        reverses: UUID | None = None,
        *,
        words: bytes = b"",
        override: bool = False,
    ) -> JournalEntry:
        return JournalEntry(id, transfers, DAY, words.ljust(32), reverses, override)

    def new_id(self) -> UUID:
        return UUID(int=self.chances.getrandbits(128))


DEEDS: Mapping[Callable[[Caller], Awaitable[None]], int] = {
    Caller.give: 20,
    Caller.give_many: 7,
    Caller.share: 12,
    Caller.spend: 12,
    Caller.meet: 12,
    Caller.hurry: 3,
    Caller.repeat: 5,
    Caller.undo: 12,
    Caller.leave: 4,
    Caller.hand_in_sheet: 3,
    Caller.ask_amiss: 3,
    Caller.change: 4,
    Caller.look: 10,
}

CALM_DEEDS = (Caller.give, Caller.share, Caller.spend, Caller.change)


async def call(settings: Settings, seed: int, numbers: range, each: int, start: int) -> list[Any]:
    """The callers with these numbers, all at once, from one process; what they were told."""
    db = Database(settings)
    await db.start()
    try:
        ledger = Ledger(db.posting)
        recent: list[JournalEntry] = []
        told: list[Operation] = []
        callers = [Caller(n, seed, db, ledger, start, recent, told) for n in numbers]
        await asyncio.gather(*(one.begin() for one in callers if one.number % _FEW == 0))
        await asyncio.gather(*(caller.live(each) for caller in callers))
        await ledger.drain()
        return told
    finally:
        await db.stop()


async def begin(settings: Settings) -> None:
    """Open the community's journal and everybody's account."""
    db = Database(settings)
    try:
        async with db.write(COMMUNITY) as conn:
            await store.open_journal(conn, COMMUNITY, NOON)
            for account, floor in FLOORS.items():
                kind = AccountKind.COMMONS if account == COMMONS else AccountKind.MEMBER
                await store.open_account(conn, COMMUNITY, account, kind, NOON, floor)
    finally:
        await db.stop()


async def end(settings: Settings, told: Sequence[Operation]) -> tuple[History, list[str]]:
    """The whole history, and what an independent proof finds wrong with the books."""
    db = Database(settings)
    try:
        async with db.read(COMMUNITY) as conn:
            rows = [row async for row in read.transfers(conn, COMMUNITY)]
            accounts = await read.accounts(conn, COMMUNITY)
            head = await read.head(conn, COMMUNITY)
        async with db.read(COMMUNITY) as conn:
            report = await verify(conn, COMMUNITY)
    finally:
        await db.stop()
    history = History(COMMUNITY, NOON, FLOORS, told, rows, accounts, head)
    return history, [str(finding) for finding in report.findings]


def trial(seed: int, folder: Path, *, on_postgres: bool) -> Outcome:
    """One history; on PostgreSQL two, from one process and from three."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    with ExitStack() as stack:
        server = stack.enter_context(postgres.serving()) if on_postgres else None
        for processes in (1, 3) if server else (1,):
            place = folder / str(processes)
            place.mkdir(mode=0o700)
            settings = Settings(data=place, database_url="")
            if server is not None:
                name = f"histories_{seed % 10**9}_{processes}"
                settings = stack.enter_context(on(server, name, place))
            some, faults = one_history(settings, seed, processes, _OPERATIONS // CALLERS)
            counts += some
            wrong += [f"{processes} process(es), seed {seed}: {fault}" for fault in faults]
    return Outcome(counts, tuple(wrong))


@contextmanager
def on(server: Server, name: str, data: Path) -> Iterator[Settings]:
    """A database on a server, on which the program is neither owner nor superuser."""
    asyncio.run(server.create_roles(OWNER, PROGRAM))
    asyncio.run(server.create_database(name, owner=OWNER))
    try:
        yield settings_for(server, name, data)
    finally:
        asyncio.run(server.drop_database(name))


def one_history(
    settings: Settings, seed: int, processes: int, each: int
) -> tuple[Counter[str], list[str]]:
    """Let them all ask, check every answer, and see whether it was worth it."""
    settings.data.mkdir(mode=0o700, exist_ok=True)
    migrate.upgrade(settings)
    asyncio.run(begin(settings))
    start = time.monotonic_ns()
    if processes == 1:
        told = asyncio.run(call(settings, seed, range(CALLERS), each, start))
    else:
        told = _from_processes(settings, seed, processes, each)
    seconds = (time.monotonic_ns() - start) / 1e9
    history, findings = asyncio.run(end(settings, told))
    counts = spread(told)
    wrong = [*check(history), *findings]
    for kind, share in INTERESTING.items():
        if counts[kind] < share * counts["operations"]:
            wrong.append(f"a dull history: {counts[kind]} of {counts['operations']} {kind}")
    counts["milliseconds"] = round(seconds * 1000)
    return counts, wrong


def _from_processes(settings: Settings, seed: int, processes: int, each: int) -> list[Operation]:
    """The callers spread over several processes, which begin together."""
    started = []
    edges = [CALLERS * number // processes for number in range(processes + 1)]
    for first, last in pairwise(edges):
        file = settings.data / f"told-{first}"
        words = (str(settings.data), settings.url, seed, first, last, each, file)
        command = [sys.executable, "-m", __name__, *map(str, words)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        started.append((process, file))
    try:
        for process, _ in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", "a process of callers did not start"
        start = time.monotonic_ns()
        for process, _ in started:
            assert process.stdin is not None
            process.stdin.write(f"{start}\n")
            process.stdin.flush()
        for process, _ in started:
            assert process.wait(300) == 0, "a process of callers failed"
        return [one for _, file in started for one in pickle.loads(file.read_bytes())]  # noqa: S301
    finally:
        for process, _ in started:
            process.kill()
            process.communicate()


def main(words: Sequence[str]) -> None:
    """One process of callers: ready, waits for the start, and leaves what it was told."""
    data, url, seed, first, last, each, file = words
    settings = Settings(data=Path(data), database_url=url)
    print("ready", flush=True)
    start = int(sys.stdin.readline())
    numbers = range(int(first), int(last))
    told = asyncio.run(call(settings, int(seed), numbers, int(each), start))
    Path(file).write_bytes(pickle.dumps(told))


_ON_SQLITE, _ON_POSTGRES = (partial(trial, on_postgres=which) for which in (False, True))

FAULTS = (
    Fault("histories-sqlite", "operations", 20_000, 1_000_000, _ON_SQLITE, parts=4),
    Fault("histories-postgres", "operations", 20_000, 1_000_000, _ON_POSTGRES, parts=2),
)

if __name__ == "__main__":
    main(sys.argv[1:])
