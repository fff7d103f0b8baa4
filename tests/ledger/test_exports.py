"""Programs that nobody here wrote read our journal and find the same balances."""

from __future__ import annotations

import csv
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from beancount import loader
from beancount.core import data, realization

from ledger import ZERO, Journal, Minutes
from ledger.export import Beancount, Hledger, lines
from tests.ledger.making import ANA, BEN, CAT, COMMONS, DAY, HERE, NOON, after, entry

NAMES = {ANA: "Members:m-0001", BEN: "Members:m-0002", CAT: "Members:Café Olé", COMMONS: "Commons"}

HOSTILE = [
    "Members:",
    ":",
    "",
    "Members:a;b",
    "Members:a  b = 5 MIN",
    "Members:(virtual)",
    "(virtual)",
    "[balanced]",
    "* starred",
    "! pending",
    "Members:a\n2026-01-01 open",
    'Members:"; include "/etc/passwd"',
    "Members:{5 USD}",
    "Members:a@b",
    "Members:#tag",
    "Members:ümlaut ß",
    "Members:名前",
    "Members:\u202eevil",
    "Members:a\0b",
    "include /etc/passwd",
    "Members:m-0001",
    "Members:M-0001",
    "members:m-0001",
    "-",
    "é",
    "1",
    "Members:" + "x" * 300,
]


def a_year() -> Journal:
    """Four accounts, many entries of one and of several transfers, and some undone."""
    book = Journal.open(HERE, NOON)
    for account in NAMES:
        book.open_account(account)
    accounts = list(NAMES)
    for n in range(1, 120):
        first, second = accounts[n % 4], accounts[(n * 7 + 1) % 4]
        third = accounts[(n + 2) % 4]
        if first == second:
            continue
        moves = [(first, second, 15 * (n % 9 + 1))]
        if third not in (first, second):
            moves.append((second, third, n))
        give = entry(n, *moves, day=DAY + timedelta(days=n))
        book.post([give], after(60 * n))
        if n % 10 == 0:
            book.post([give.reversal(entry(1000 + n).id, DAY, bytes(32))], after(60 * n + 1))
    return book


def hledger(text: str, *arguments: str) -> str:
    """What hledger says about a journal. It has to be installed: `apt-get install hledger`."""
    done = subprocess.run(
        ["hledger", "-f", "-", *arguments],
        input=text.encode(),
        capture_output=True,
        check=False,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def written(writer: Hledger | Beancount, book: Journal) -> str:
    return "\n".join(lines(writer, book.transfers, book.balances())) + "\n"


def test_hledger_finds_the_same_balances() -> None:
    book = a_year()
    text = written(Hledger(NAMES), book)
    report = hledger(text, "balance", "--empty", "--output-format", "csv")
    found = dict(list(csv.reader(report.splitlines()))[1:])
    expected = {
        NAMES[id]: f"{balance.count} MIN" if balance else "0"
        for id, balance in book.balances().items()
    }
    assert {name: found[name] for name in expected} == expected
    assert found["Total:" if "Total:" in found else "total"] == "0"


def test_hledger_finds_every_transfer_on_the_day_it_was_posted() -> None:
    book = a_year()
    report = hledger(written(Hledger(NAMES), book), "print", "--output-format", "csv", "code:.")
    rows = list(csv.DictReader(report.splitlines()))
    assert [(row["code"], row["date"]) for row in rows[::2]] == [
        (str(row.seq), str(row.posted_at.date())) for row in book.transfers
    ]


def test_hledger_refuses_a_journal_with_a_minute_changed() -> None:
    text = written(Hledger(NAMES), a_year())
    changed = text.replace("  15 MIN", "  16 MIN", 1).replace("  -15 MIN", "  -16 MIN", 1)
    assert changed != text
    with pytest.raises(AssertionError, match="balance assertion"):
        hledger(changed, "balance")


def test_beancount_finds_the_same_balances() -> None:
    book = a_year()
    entries, errors, _ = loader.load_string(written(Beancount(NAMES), book))
    assert errors == []
    real = realization.realize(entries)  # type: ignore[no-untyped-call]
    for id, name in {**NAMES, CAT: "Members:Café-Olé"}.items():
        path = "Assets:" + name.replace(":m-", ":M-")
        account = realization.get(real, path)  # type: ignore[no-untyped-call]
        position = account.balance.get_currency_units("MIN") if account is not None else None
        assert position is not None
        assert position.number == book.balances()[id].count


def test_bean_check_accepts_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "books.beancount"
    path.write_text(written(Beancount(NAMES), a_year()))
    bean_check(path)
    path.write_text(
        path.read_text().replace("balance Assets:Commons  ", "balance Assets:Commons  1")
    )
    with pytest.raises(AssertionError, match="Balance failed"):
        bean_check(path)


def bean_check(path: Path) -> None:
    """Run beancount's own checker."""
    command = [sys.executable, "-m", "beancount.scripts.check", "--no-cache", str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_hostile_names_stay_names() -> None:
    names = {UUID(int=n): name for n, name in enumerate(HOSTILE, start=1)}
    book = Journal.open(HERE, NOON)
    for account in names:
        book.open_account(account)
    for n, account in enumerate(names):
        if account != UUID(int=1):
            book.post([entry(n, (UUID(int=1), account, n + 1))], NOON)
    accounts = hledger(written(Hledger(names), book), "accounts", "--used").splitlines()
    assert len(accounts) == len(set(accounts)) == len(names)
    hledger(written(Hledger(names), book), "check", "accounts", "commodities")
    entries, errors, _ = loader.load_string(written(Beancount(names), book))
    assert errors == []
    assert len({item.account for item in entries if isinstance(item, data.Open)}) == len(names)
    assert sum(isinstance(item, data.Transaction) for item in entries) == len(book.transfers)


def test_an_empty_journal_can_be_read_too() -> None:
    book = Journal.open(HERE, NOON)
    for account in NAMES:
        book.open_account(account)
    assert "0" in hledger(written(Hledger(NAMES), book), "balance", "--empty")
    assert loader.load_string(written(Beancount(NAMES), book))[1] == []


def test_the_same_books_give_the_same_text() -> None:
    reordered = dict(reversed(NAMES.items()))
    for writer in (Hledger, Beancount):
        assert written(writer(NAMES), a_year()) == written(writer(reordered), a_year())


def test_an_account_without_a_name_cannot_be_left_out_silently() -> None:
    book = a_year()
    assert book.balances()[ANA] != ZERO
    with pytest.raises(KeyError):
        written(Hledger({ANA: "Ana"}), book)


def test_minutes_are_written_as_they_are() -> None:
    book = Journal.open(HERE, NOON)
    for account in NAMES:
        book.open_account(account)
    book.post([entry(1, (ANA, BEN, 90))], NOON)
    text = written(Hledger(NAMES), book)
    assert "    Members:m-0001  -90 MIN = -90 MIN" in text
    assert "    Members:m-0002  90 MIN = 90 MIN" in text
    assert book.balances()[BEN] == Minutes(90)
