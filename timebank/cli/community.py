"""create-community, invite-steward: the two steps before people take over."""

from __future__ import annotations

import click

from timebank import communities, invitations
from timebank.cli._common import opened, run, settings_from_environment
from timebank.db import EVERYWHERE
from timebank.moment import Moment


@click.command("create-community")
@click.argument("slug")
@click.option("--name", required=True, help="What people call it.")
@click.option(
    "--language", default="en", show_default=True, help="en or es: of mails and categories."
)
@click.option("--timezone", default="UTC", show_default=True, help="Where its days begin and end.")
def create_community(slug: str, name: str, language: str, timezone: str) -> None:
    """Create a community: its book, its commons, and a first agreement.

    SLUG is its short name in addresses: small letters, digits and dashes.

    \b
    Example:
      timebank create-community riverside --name "Riverside Time Bank" \\
          --language en --timezone Europe/London

    Then invite its first steward with `timebank invite-steward`.
    """
    settings = settings_from_environment()

    async def work() -> None:
        async with opened(settings) as db, db.write(EVERYWHERE) as conn:
            await communities.create(
                conn,
                slug=slug,
                name=name,
                language=language,
                timezone=timezone,
                now=Moment.now(),
            )

    run(work())
    click.echo(f"{name} is at {settings.base_url}/c/{slug}/")
    click.echo(f"Next: timebank invite-steward {slug}")


@click.command("invite-steward")
@click.argument("slug")
def invite_steward(slug: str) -> None:
    """Print a link with which one person becomes steward of the community SLUG.

    The link works once. Whoever opens it chooses a name, an address and a password; there is no
    default one. Hand it over in private.

    \b
    Example:
      timebank invite-steward riverside
    """
    settings = settings_from_environment()

    async def work() -> str:
        async with opened(settings) as db, db.write(EVERYWHERE) as conn:
            community = await communities.by_slug(conn, slug)
            return await invitations.invite_steward(
                conn, community.id, now=Moment.now(), base_url=settings.base_url
            )

    click.echo(run(work()))
