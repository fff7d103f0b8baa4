"""verify, export: proving the books, and taking them out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

import click

from timebank import books, communities
from timebank import export as exports
from timebank.books import Report
from timebank.cli._common import opened, progress, run, settings_from_environment
from timebank.communities import Community
from timebank.config import Settings
from timebank.db import EVERYWHERE
from timebank.export import Format
from timebank.moment import Moment


@click.command()
@click.option("--community", "slug", help="Only this one; otherwise all.")
def verify(slug: str | None) -> None:
    """Prove the books: re-add every balance, re-hash every transfer, compare with the entries.

    People may go on working meanwhile. The result is kept and shown on the page "our books".
    Exit code 1 means that something does not add up; then keep the data as it is, and look.

    \b
    Examples:
      timebank verify
      timebank verify --community riverside
    """
    settings = settings_from_environment()
    reports = run(verify_all(settings, slug))
    if not reports:
        click.echo("There is no community yet, so there are no books to verify.")
    for community, report in reports:
        click.echo(told(community, report))
    if not all(report.sound for _, report in reports):
        raise click.exceptions.Exit(1)


async def verify_all(settings: Settings, slug: str | None = None) -> list[tuple[Community, Report]]:
    """Verify one community, or all of them, telling how far it is."""
    async with opened(settings) as db:
        async with db.read(EVERYWHERE) as conn:
            if slug is None:
                wanted = await communities.every(conn)
            else:
                wanted = [await communities.by_slug(conn, slug)]
        return [
            (
                community,
                await books.verify(
                    db,
                    community.id,
                    now=Moment.now(),
                    progress=progress(f"Verifying {community.slug}"),
                ),
            )
            for community in wanted
        ]


def told(community: Community, report: Report) -> str:
    """A report in a few lines: what was proved, or all that was found."""
    counted = (
        f"{report.transfers} transfers of {report.entries} entries, {report.accounts} accounts"
    )
    if report.sound:
        return (
            f"{community.slug}: sound. {counted}; all balances together are 0:00; "
            f"head {report.seq} {report.hash.hex()[:16]}."
        )
    findings = "\n".join(f"  {finding}" for finding in report.findings)
    return f"{community.slug}: NOT SOUND. {counted}; {report.found} findings:\n{findings}"


@click.command()
@click.argument("slug")
@click.option(
    "--format",
    "form",
    type=click.Choice([str(form) for form in Format]),
    required=True,
    help="csv for spreadsheets; hledger or beancount to have the sums checked elsewhere.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="The file to write; otherwise it goes to the terminal.",
)
def export(slug: str, form: str, out: Path | None) -> None:
    """Write the whole journal of the community SLUG, in minutes.

    Names of members are in it: treat the file like the book itself.

    \b
    Examples:
      timebank export riverside --format csv --out riverside.csv
      timebank export riverside --format hledger | hledger -f - balance
      timebank export riverside --format beancount --out r.beancount && bean-check r.beancount
    """
    settings = settings_from_environment()

    async def write_to(file: IO[str]) -> None:
        async with opened(settings) as db:
            async with db.read(EVERYWHERE) as conn:
                community = await communities.by_slug(conn, slug)
            async with db.look(community.id) as conn:
                async for line in exports.lines(conn, community, Format(form)):
                    file.write(line + "\n")

    if out is None:
        run(write_to(sys.stdout))
        return
    partial = out.with_name(out.name + ".partial")
    try:
        partial.touch(mode=0o600)
        with partial.open("w", encoding="utf-8") as file:
            run(write_to(file))
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
