"""Bugs to plant, each with the test that has to turn red: the proof that the tests can fail.

    python -m tests.ledger.planted_bugs [word …]

copies the program and its tests, plants one bug at a time, runs that test and says whether it saw
the bug. Words choose among the bugs. Exits 1 when a bug lived.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Bug:
    """In `file`, `old` becomes `new`, and `test` has to see it."""

    name: str
    file: str
    old: str
    new: str
    test: str


def _bugs(test: str, *table: tuple[str, str, str, str]) -> Iterator[Bug]:
    for name, file, old, new in table:
        yield Bug(name, file, old, new, f"tests/ledger/{test}.py")


BUGS = (
    *_bugs(
        "test_zero_sum",
        (
            "the floor is compared with the balance before the transfer",
            "ledger/journal.py",
            "after.balance < source.floor and",
            "source.balance < source.floor and",
        ),
        (
            "the destination loses what the source loses",
            "ledger/journal.py",
            "destination.moved(transfer.minutes)",
            "destination.moved(-transfer.minutes)",
        ),
        (
            "a second reversal in the same batch is not noticed",
            "ledger/journal.py",
            "            self.reversed_by[entry.reverses] = entry.id\n",
            "            pass\n",
        ),
        (
            "a refused entry leaves its first transfers in the running balances",
            "ledger/journal.py",
            "trial[source.id] = after",
            "trial[source.id] = self.moved[source.id] = after",
        ),
        (
            "a repeated id is posted again",
            "ledger/journal.py",
            "earlier = self.posted.get(entry.id)",
            "earlier = self.posted.get(entry.id) if entry.reverses else None",
        ),
        (
            "other words under the same id are taken for a replay",
            "ledger/journal.py",
            "        and entry.commitment == first.commitment\n",
            "",
        ),
        (
            "an override does not pass the floor",
            "ledger/journal.py",
            " and not entry.override:",
            ":",
        ),
        (
            "a clock that runs backwards takes the journal along",
            "ledger/journal.py",
            "max(at.astimezone(UTC), state.head.posted_at)",
            "at.astimezone(UTC)",
        ),
        (
            "a reversal may move its transfers back in any order",
            "ledger/journal.py",
            "entry.transfers != mirrored(row.transfer for row in original)",
            "set(entry.transfers) != set(mirrored(row.transfer for row in original))",
        ),
        (
            "the numbers of an entry's transfers leave a gap",
            "ledger/journal.py",
            "                self.head.seq + 1,\n",
            "                self.head.seq + position,\n",
        ),
        (
            "a closed account may still receive",
            "ledger/journal.py",
            "        for account in (source, destination):\n            if account.closed:",
            "        for account in (source,):\n            if account.closed:",
        ),
        (
            "an account that receives does not count the line",
            "ledger/account.py",
            "self.lines + 1",
            "self.lines + (minutes.count < 0)",
        ),
        (
            "one minute too many may be moved",
            "ledger/journal.py",
            "transfer.minutes > MAX",
            "transfer.minutes.count > MAX.count + 1",
        ),
    ),
    *_bugs(
        "test_store_agrees",
        (
            "what is to be reversed is not loaded",
            "ledger/sql/store.py",
            "ids = {entry.id for entry in entries} | reversed_ids",
            "ids = {entry.id for entry in entries}",
        ),
        (
            "earlier reversals are not loaded",
            "ledger/sql/store.py",
            "        if row.reverses_id in reversed_ids:",
            "        if row.reverses_id in reversed_ids and row.position > 1:",
        ),
        (
            "on SQLite, an account of another community is found",
            "ledger/sql/_sqlite.py",
            "    WHERE community_id = ? AND id IN",
            "    WHERE ? IS NOT NULL AND id IN",
        ),
        (
            "on SQLite, an entry of another community is found",
            "ledger/sql/_sqlite.py",
            "    WHERE community_id = ? AND entry_id IN",
            "    WHERE ? IS NOT NULL AND entry_id IN",
        ),
        (
            "on PostgreSQL, a closed account is loaded as open",
            "ledger/sql/_postgres.py",
            "SELECT id, balance, lines, floor, closed_at IS NOT NULL FROM account",
            "SELECT id, balance, lines, floor, false FROM account",
        ),
        (
            "on PostgreSQL, balances are settled at what they were",
            "ledger/sql/_postgres.py",
            "SET balance = moved.balance,",
            "SET balance = moved.balance_before,",
        ),
        (
            "setting floors leaves the last account out",
            "ledger/sql/store.py",
            "    wanted = sorted(set(ids))\n",
            "    wanted = sorted(set(ids))[: max(1, len(set(ids)) - 1)]\n",
        ),
        (
            "pages repeat the line they begin before",
            "ledger/sql/read.py",
            "AND destination_line > $3 AND destination_line < $4",
            "AND destination_line > $3 AND destination_line <= $4",
        ),
        (
            "a period begins after its first moment",
            "ledger/sql/read.py",
            'before, opening = await _stood(conn, community, account, start, "<")',
            'before, opening = await _stood(conn, community, account, start, "<=")',
        ),
        (
            "a balance as of a moment misses that moment",
            "ledger/sql/read.py",
            'await _stood(conn, community, account, moment, "<="))[1]',
            'await _stood(conn, community, account, moment, "<"))[1]',
        ),
        (
            "the journal is read back from one row too far",
            "ledger/sql/read.py",
            "        after_seq += chunk\n",
            "        after_seq += chunk + 1\n",
        ),
        (
            "on SQLite, microseconds are lost",
            "ledger/sql/_sqlite.py",
            "        microseconds(row.posted_at),",
            "        microseconds(row.posted_at) // 10**6 * 10**6,",
        ),
    ),
    *_bugs(
        "test_concurrency",
        (
            "on PostgreSQL, the head is not locked",
            "ledger/sql/store.py",
            "        .with_for_update(key_share=True)\n",
            "",
        ),
        (
            "on PostgreSQL, accounts are locked against being referred to",
            "ledger/sql/_postgres.py",
            '_AND_LOCK = _ACCOUNTS + "FOR NO KEY UPDATE"',
            '_AND_LOCK = _ACCOUNTS + "FOR UPDATE"',
        ),
        (
            "on SQLite, posting takes more statements for more entries",
            "ledger/sql/_sqlite.py",
            "        (_APPEND, rows),\n",
            "        *((_APPEND, [row]) for row in rows),\n",
        ),
        (
            "verifying does not hold on to one picture",
            "ledger/sql/read.py",
            'if conn.dialect.name == "postgresql":',
            'if conn.dialect.name == "never":',
        ),
    ),
    *_bugs(
        "test_append_only",
        (
            "on SQLite, nothing guards against REPLACE",
            "ledger/sql/guards.py",
            '        statements.append(_trigger(dialect, table, "unreplaced", "INSERT", taken))\n',
            "        assert taken\n",
        ),
        (
            "on SQLite, the source's line number is not guarded",
            "ledger/sql/guards.py",
            '    ("community_id", "source_id", "source_line"),\n',
            "",
        ),
        (
            "the head may go back",
            "ledger/sql/guards.py",
            '"NEW.seq < OLD.seq OR NEW.posted_at',
            '"NEW.posted_at',
        ),
        (
            "a balance may move without a line",
            "ledger/sql/guards.py",
            "(NEW.lines = OLD.lines AND NEW.balance <> OLD.balance)",
            "(NEW.lines = OLD.lines AND NEW.balance < OLD.balance)",
        ),
        (
            "on PostgreSQL, a table may be emptied",
            "ledger/sql/guards.py",
            "{table}_untruncated BEFORE TRUNCATE ON",
            "{table}_untruncated AFTER INSERT ON",
        ),
    ),
    *_bugs(
        "test_tamper",
        (
            "verifying does not re-add balances",
            "ledger/proof.py",
            "        if account.balance.count != balance:",
            "        if False:",
        ),
        (
            "verifying does not re-hash",
            "ledger/proof.py",
            "        elif hash != digest(row):",
            "        elif len(hash) != 32:",
        ),
        (
            "verifying takes any text for a day",
            "ledger/proof.py",
            '.isoformat().encode("ascii") == text',
            " is not None",
        ),
        (
            "verifying does not look at the length of ids",
            "ledger/proof.py",
            "len(row.entry_id) == len(row.source_id)",
            "len(row.destination_id)",
        ),
        (
            "verifying stops at the first gap",
            "ledger/sql/raw.py",
            "        if following is None:",
            "        if following is None or following > after + CHUNK:",
        ),
        (
            "verifying ignores anchors beyond the end",
            "ledger/proof.py",
            "        for seq in sorted(self._anchors):",
            "        for seq in ():",
        ),
        (
            "verifying does not look for missing numbers",
            "ledger/proof.py",
            "        if seq != self.seq + 1:",
            "        if seq < self.seq:",
        ),
    ),
    *_bugs(
        "test_chain",
        (
            "a balance is not hashed",
            "ledger/chain.py",
            "        *(8, source_balance.count),\n",
            "        *(8, destination_balance.count),\n",
        ),
        (
            "fields carry no length",
            "ledger/chain.py",
            "    return _LENGTH(len(value)) + value",
            "    return value",
        ),
    ),
)


_NO_SHRINKING = """
from hypothesis import Phase, settings
settings.register_profile("planted", phases=[Phase.generate])
settings.load_profile("planted")
"""  # A failing example is enough; nobody reads the smallest one.


def main(words: list[str]) -> int:
    """Plant the chosen bugs, one at a time; how many lived."""
    lived = 0
    for bug in BUGS:
        if words and not any(word in f"{bug.name} {bug.test}" for word in words):
            continue
        seen = plant(bug)
        lived += not seen
        print(f"{'seen ' if seen else 'LIVED'}  {bug.test}: {bug.name}", flush=True)
    return lived


def plant(bug: Bug) -> bool:
    """Whether the bug's test turns red in a copy of the program that has the bug."""
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("ledger", "migrations", "tests", "timebank", "web"):
            if (ROOT / part).exists():
                shutil.copytree(
                    ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__")
                )
        shutil.copy(ROOT / "pyproject.toml", folder)
        path = folder / bug.file
        text = path.read_text()
        assert text.count(bug.old) == 1, bug
        path.write_text(text.replace(bug.old, bug.new))
        (folder / "no_shrinking.py").write_text(_NO_SHRINKING)
        options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no_shrinking"]
        command = [sys.executable, "-m", "pytest", *options, bug.test]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return done.returncode == 1


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
