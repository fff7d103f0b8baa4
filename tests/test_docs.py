"""The docs and the program say the same: nothing is missing there, nothing made up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ledger.sql import metadata
from timebank import migrate
from timebank.cli import main
from timebank.config import Settings
from timebank.imports import child
from timebank.imports.fields import FIELDS
from web import imports
from web.routes import TABLE

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for folder in (ROOT, ROOT / "docs", ROOT / "docs" / "decisions", ROOT / "benchmarks")
    for path in folder.glob("*.md")
)

assert migrate, "imported, so that every table is in the metadata"


def text(page: str) -> str:
    """A page of the docs."""
    return (ROOT / page).read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """What stands below a heading, up to the next of its kind."""
    _, _, below = text(page).partition(f"\n## {heading}\n")
    assert below, f"{page} has no section {heading!r}"
    return below.partition("\n## ")[0]


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of a section's tables, without headings."""
    found = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section(page, heading).splitlines()
        if line.startswith("| `")
    ]
    assert found
    return found


def settings_of_the_program() -> set[str]:
    """The variables that `Settings` says it reads."""
    source = (ROOT / "timebank" / "config.py").read_text(encoding="utf-8")
    return set(re.findall(r'"""(TIMEBANK_[A-Z_]+):', source))


def test_every_setting_has_a_heading_of_its_own_and_none_is_made_up() -> None:
    named = set(re.findall(r"(?m)^## (TIMEBANK_\w+)$", text("docs/configuration.md")))
    assert named == settings_of_the_program()
    assert len(named) == len(Settings.__dataclass_fields__)


def test_no_setting_is_mentioned_that_does_not_exist() -> None:
    compose = set(re.findall(r"\$\{(TIMEBANK_[A-Z_]+)", text("docker-compose.yml")))
    known = settings_of_the_program() | compose | {"TIMEBANK_TEST_PG"}
    for page in PAGES:
        named = set(re.findall(r"TIMEBANK_[A-Z]+(?:_[A-Z]+)*", page.read_text(encoding="utf-8")))
        assert named <= known, page.name


def test_every_table_has_its_line_and_none_is_made_up() -> None:
    named = [row[0].strip("`") for row in rows("docs/architecture.md", "Tables")]
    assert sorted(named) == sorted(metadata.tables)


def test_every_route_has_its_line_with_who_may_ask() -> None:
    documented = {row[0].strip("`"): row[1] for row in rows("docs/architecture.md", "Addresses")}
    in_the_program = {
        f"{method} {re.sub(r':[a-z]+}', '}', path)}": str(policy).replace("_", " ")
        for method, path, policy, _, _ in TABLE
    }
    assert documented == in_the_program


def test_every_field_of_a_file_has_its_line_and_none_is_made_up() -> None:
    fields = section("docs/importing.md", "What a row can say")
    for what, known in FIELDS.items():
        _, _, below = fields.partition(f"\n### {what.value}\n")
        named = re.findall(r"(?m)^\| `([a-z_]+)` \|", below.partition("\n### ")[0])
        assert named == [field.key for field in known], what


def test_the_limits_of_a_file_are_those_of_the_program() -> None:
    refused = section("docs/importing.md", "What is refused")
    megabyte = 1024 * 1024
    for words in (
        f"| upload | {imports.MOST // megabyte} MB |",
        f"| rows | {child.MOST_ROWS:,} |",
        f"| columns | {child.MOST_COLUMNS} |",
        f"| one cell | {child.LONGEST_CELL:,} characters; a row {child.LONGEST_ROW:,} |",
        f"{child.MOST_UNPACKED // megabyte} MB, in at most {child.MOST_PARTS:,} parts",
        f"{child.MEMORY / 1024 / megabyte:g} GB, and {child.SECONDS} seconds",
    ):
        assert words in refused


def test_every_command_has_its_line_and_none_is_made_up() -> None:
    named = [
        row[0].strip("`").removeprefix("timebank ")
        for row in rows("docs/running.md", "The commands")
    ]
    assert sorted(named) == sorted(main.commands)


def commands_in_the_docs() -> Iterator[tuple[str, list[str]]]:
    """Each `timebank …` that stands in some code, with the page it is on."""
    for page in PAGES:
        code = re.findall(r"(?s)```.*?```|`[^`\n]+`", page.read_text(encoding="utf-8"))
        for found in re.findall(r"(?:^|[\s/`])timebank ([a-z-]+(?: [^\n`|&]*)?)", "\n".join(code)):
            yield page.name, found.replace("\\", " ").split()


def test_no_command_or_option_is_mentioned_that_does_not_exist() -> None:
    seen = set()
    for page, words in commands_in_the_docs():
        if words[0].startswith("-"):
            continue
        command = main.commands.get(words[0])
        assert command, f"{page}: timebank {words[0]}"
        seen.add(words[0])
        known = {
            name
            for option in command.params
            if isinstance(option, click.Option)
            for name in option.opts
        } | {"--help"}
        used = {word for word in words if word.startswith("--")}
        assert used <= known, f"{page}: timebank {' '.join(words)}"
    assert seen == set(main.commands)


def test_every_option_is_documented_in_help_and_every_verb_of_dev_in_some_page() -> None:
    script = text("dev")
    verbs = set(re.findall(r"(?m)^    ([a-z]+)\) ", script)) - {"lock", "timebank"}
    everything = " ".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert verbs
    for verb in verbs:
        assert f"./dev {verb}" in everything, verb
    for verb in re.findall(r"\./dev ([a-z]+)", everything):
        assert f"    {verb})" in script, verb


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_named_in_the_docs_is_there(page: Path) -> None:
    named = re.findall(
        r"`((?:ledger|timebank|web|docs|tests|migrations|verifier)/[\w/.*-]+)`", page.read_text()
    )
    for path in named:
        assert list(ROOT.glob(path.rstrip("/"))), path


def test_decisions_are_numbered_without_gaps_listed_and_complete() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    assert [path.name[:4] for path in decisions] == [
        f"{number:04}" for number in range(1, len(decisions) + 1)
    ]
    index = text("docs/decisions/README.md")
    for path in decisions:
        headings = re.findall(r"(?m)^## (\w+)$", path.read_text(encoding="utf-8"))
        assert headings == ["Status", "Context", "Decision", "Consequences"], path.name
        assert f"({path.name})" in index


def test_the_readme_shows_what_it_is_and_the_two_commands_first() -> None:
    first_screen = "\n".join(text("README.md").splitlines()[:12])
    assert "docs/screenshot.png" in first_screen
    assert first_screen.index("./dev demo") < first_screen.index("./dev test")


def test_no_money_words_in_what_members_read() -> None:
    words = r"\b(pay|pays|paid|payment|price|wallet|debt|owe|owes|credit limit|fee)\b"
    assert not re.findall(words, text("docs/using.md"), re.IGNORECASE)
