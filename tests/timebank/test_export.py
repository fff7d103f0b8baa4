"""Two accounting programs that nobody here wrote agree with our balances, to the minute."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from beancount import loader
from beancount.core.data import Transaction
from click.testing import CliRunner

from ledger.sql import read
from tests.timebank.demo_data import Demo
from timebank import communities
from timebank.cli import main
from timebank.cli._common import opened
from timebank.db import EVERYWHERE
from timebank.spreadsheet import safe_cell

BEAN_CHECK = str(Path(sys.executable).with_name("bean-check"))


def exported(demo: Demo, slug: str, form: str) -> str:
    """What `timebank export` writes."""
    done = CliRunner().invoke(
        main, ["export", slug, "--format", form], env=demo.environment, catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done.stdout


def balances(demo: Demo, slug: str) -> list[int]:
    """All balances that are not zero, in minutes, the least first."""

    async def ask() -> list[int]:
        async with opened(demo.settings) as db, db.read(EVERYWHERE) as conn:
            community = await communities.by_slug(conn, slug)
            found = [account async for account in read.all_accounts(conn, community.id)]
        return sorted(account.balance.count for account in found if account.balance)

    return asyncio.run(ask())


@pytest.mark.parametrize("slug", ["riverside", "barrio-del-puerto"])
def test_hledger_agrees_with_our_balances(demo_data: Demo, slug: str, tmp_path: Path) -> None:
    file = tmp_path / "journal"
    file.write_text(exported(demo_data, slug, "hledger"), encoding="utf-8")
    subprocess.run(["hledger", "-f", file, "check"], check=True, capture_output=True)
    done = subprocess.run(
        ["hledger", "-f", file, "balance", "--flat", "--no-total", "-O", "csv"],
        check=True,
        capture_output=True,
        text=True,
        env={"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )
    rows = list(csv.reader(io.StringIO(done.stdout)))[1:]
    theirs = sorted(int(amount.replace(",", "").removesuffix(" MIN")) for _, amount in rows)
    assert theirs == balances(demo_data, slug)
    assert len(theirs) > 5


@pytest.mark.parametrize("slug", ["riverside", "barrio-del-puerto"])
def test_beancount_agrees_with_our_balances(demo_data: Demo, slug: str, tmp_path: Path) -> None:
    file = tmp_path / "journal.beancount"
    file.write_text(exported(demo_data, slug, "beancount"), encoding="utf-8")
    done = subprocess.run([BEAN_CHECK, file], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    entries, errors, _ = loader.load_file(str(file))
    assert errors == []
    added: Counter[str] = Counter()
    for entry in entries:
        if isinstance(entry, Transaction):
            for posting in entry.postings:
                assert posting.units
                added[posting.account] += int(posting.units.number or 0)
    assert sorted(minutes for minutes in added.values() if minutes) == balances(demo_data, slug)


def test_a_changed_amount_is_found_by_both_programs(demo_data: Demo, tmp_path: Path) -> None:
    for form, program in (("hledger", "hledger"), ("beancount", BEAN_CHECK)):
        text = exported(demo_data, "riverside", form)
        changed = re.sub(r"(?m)  60 MIN", "  61 MIN", text, count=1)
        assert changed != text
        file = tmp_path / f"changed.{form}"
        file.write_text(changed, encoding="utf-8")
        name = str(file)
        command = [program, name] if form == "beancount" else [program, "-f", name, "check"]
        assert subprocess.run(command, check=False, capture_output=True).returncode != 0


def test_the_table_holds_every_transfer_and_the_balances_it_left(demo_data: Demo) -> None:
    rows = list(csv.DictReader(io.StringIO(exported(demo_data, "riverside", "csv"))))
    assert [int(row["number"]) for row in rows] == list(range(1, len(rows) + 1))
    left: dict[str, int] = {}
    for row in rows:
        left[row["from_account"]] = left.get(row["from_account"], 0) - int(row["minutes"])
        left[row["to_account"]] = left.get(row["to_account"], 0) + int(row["minutes"])
        assert left[row["from_account"]] == int(row["from_balance_minutes"])
        assert left[row["to_account"]] == int(row["to_balance_minutes"])
    assert sorted(m for m in left.values() if m) == balances(demo_data, "riverside")
    assert {"Bert Hughes", "Riverside Library", "Commons"} <= {row["to_name"] for row in rows}
    assert any(row["reverses"] for row in rows)
    assert all(row["note"] for row in rows if not row["reverses"])


@pytest.mark.parametrize("text", ["=1+1", "+44 7700", "-1", "@home", "\tx", "\rx"])
def test_no_text_becomes_a_formula(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


def test_ordinary_text_stays_as_it_is() -> None:
    assert safe_cell("Soup = bread + company") == "Soup = bread + company"


def test_a_file_is_written_whole_or_not_at_all(demo_data: Demo, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    done = CliRunner().invoke(
        main,
        ["export", "nowhere", "--format", "csv", "--out", str(out)],
        env=demo_data.environment,
    )
    assert done.exit_code == 1
    assert "no such community" in done.stderr
    assert not out.exists()
