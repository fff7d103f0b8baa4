"""verify, export, import-archive: proving the books, taking them out, and bringing them back."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import click

from timebank import anchors, books, communities, migrate
from timebank import export as exports
from timebank.anchors import Anchor, NotAnAnchor
from timebank.archive import reading, writing
from timebank.books import Report
from timebank.cli._common import opened, progress, run, settings_from_environment
from timebank.communities import Community
from timebank.config import Settings
from timebank.db import EVERYWHERE
from timebank.export import Format
from timebank.moment import Moment


@click.command()
@click.option("--community", "slug", help="Only this one; otherwise all.")
@click.option(
    "--anchor",
    "noted",
    multiple=True,
    metavar="SEQ:HASH",
    callback=lambda _context, _option, texts: _anchors(texts),
    help="A number and a hash noted elsewhere, at least 16 digits of it; may be repeated.",
)
def verify(slug: str | None, noted: tuple[Anchor, ...]) -> None:
    """Prove the books: re-add every balance, re-hash every transfer, compare with the entries.

    People may go on working meanwhile. The result is kept and shown on the page "our books".
    Exit code 1 means that something does not add up; then keep the data as it is, and look.

    Each of us can note how the last line ends, SEQ:HASH, from the monthly mail or a printed
    statement. Held against such an anchor, the books also show whether their end was cut off, or
    everything written anew. An anchor belongs to one community.

    \b
    Examples:
      timebank verify
      timebank verify --community riverside
      timebank verify --community riverside --anchor "1234:ab12 cd34 ef56 7890 abcd"
    """
    if noted and slug is None:
        raise click.UsageError("An anchor belongs to one community: name it with --community.")
    settings = settings_from_environment()
    gc.set_threshold(100_000)  # rows by the million, and none of them refers to another
    reports = run(verify_all(settings, slug, noted))
    if not reports:
        click.echo("There is no community yet, so there are no books to verify.")
    for community, report in reports:
        click.echo(told(community, report))
    if not all(report.sound for _, report in reports):
        raise click.exceptions.Exit(1)


def _anchors(texts: Iterable[str]) -> tuple[Anchor, ...]:
    try:
        return tuple(anchors.parse(text) for text in texts)
    except NotAnAnchor as error:
        raise click.BadParameter(str(error)) from None


async def verify_all(
    settings: Settings, slug: str | None = None, noted: Iterable[Anchor] = ()
) -> list[tuple[Community, Report]]:
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
                    anchors=[(anchor.seq, anchor.hash) for anchor in noted],
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
            f"ends at {Anchor(report.seq, report.hash)}"
        )
    findings = "\n".join(f"  {finding}" for finding in report.findings)
    return f"{community.slug}: NOT SOUND. {counted}; {report.found} findings:\n{findings}"


ARCHIVE = "archive"


async def write_archive(settings: Settings, slug: str, out: Path) -> None:
    """Write a community's archive to `out`, readable by its owner only; whole, or not at all."""
    partial = out.with_name(out.name + ".partial")
    async with opened(settings) as db:
        async with db.read(EVERYWHERE) as conn:
            community = await communities.by_slug(conn, slug)
        try:
            partial.touch(mode=0o600)
            with partial.open("wb") as file:
                async with db.read(community.id) as conn:
                    async for piece in writing.pieces(
                        conn,
                        community.id,
                        schema_version=migrate.head(),
                        now=Moment.now(),
                    ):
                        file.write(piece)
            partial.replace(out)
        finally:
            partial.unlink(missing_ok=True)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def import_archive(file: Path) -> None:
    """Bring the archive FILE into this installation, which has to be empty.

    Run `timebank migrate` before. Everything is brought in and proved in one step: the books are
    added up and hashed again, and have to end as they did where the archive was written; else
    nothing is written. People then ask for a link by mail to sign in.

    \b
    Example:
      timebank migrate
      timebank import-archive riverside.zip
    """
    settings = settings_from_environment()

    async def bring() -> tuple[Community, Report]:
        async with opened(settings) as db:
            community = await reading.bring_in(
                db, file, schema_version=migrate.head(), progress=progress("Bringing in")
            )
            return community, await books.verify(db, community.id, now=Moment.now())

    community, report = run(bring())
    click.echo(told(community, report))
    click.echo(f"{community.name} is here. People sign in with a link sent to their address.")


@click.command()
@click.argument("slug")
@click.option(
    "--format",
    "form",
    type=click.Choice([*(str(form) for form in Format), ARCHIVE]),
    required=True,
    help="csv for spreadsheets; hledger or beancount to have the sums checked elsewhere; book to "
    "have everything checked, hashes included; archive for the whole community as one file.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="The file to write; otherwise it goes to the terminal.",
)
def export(slug: str, form: str, out: Path | None) -> None:
    """Write the whole journal of the community SLUG, in minutes; or, as an archive, everything.

    Names of members are in it: treat the file like the book itself. Only the format `book` has
    no names and no words: give it to whoever wants to prove the books without trusting us. An
    archive can be brought into an empty installation with `import-archive`.

    \b
    Examples:
      timebank export riverside --format csv --out riverside.csv
      timebank export riverside --format hledger | hledger -f - balance
      timebank export riverside --format beancount --out r.beancount && bean-check r.beancount
      timebank export riverside --format book | python3 verifier/verify_books.py
      timebank export riverside --format archive --out riverside.zip
    """
    settings = settings_from_environment()
    if form == ARCHIVE:
        if out is None:
            raise click.UsageError("An archive is no text: say with --out which file to write.")
        run(write_archive(settings, slug, out))
        return

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
