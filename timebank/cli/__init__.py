"""The command line: `timebank`. One file for each group of commands.

    serving     serve, demo
    community   create-community, invite-steward
    books       verify, export, import-archive
    data        migrate, backup, restore
    checkup     doctor

Exit codes: 0 all is well; 1 something is wrong or was refused; 2 the command was misunderstood.
"""

from __future__ import annotations

import click

from timebank import __version__
from timebank.cli._common import Commands
from timebank.cli.books import export, import_archive, verify
from timebank.cli.checkup import doctor
from timebank.cli.community import create_community, invite_steward
from timebank.cli.data import backup, migrate, restore
from timebank.cli.serving import demo, serve

__all__ = ["main"]


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="timebank")
def main() -> None:
    """A time bank: hours given and received, and books that can be proved.

    To look around, with made-up neighbours and nothing to set up:

    \b
      timebank demo

    To begin with your own community:

    \b
      timebank migrate
      timebank create-community riverside --name "Riverside Time Bank"
      timebank invite-steward riverside
      timebank serve

    Settings come from environment variables that begin with TIMEBANK_; docs/configuration.md
    explains each. All data lives in the directory named by TIMEBANK_DATA.

    Exit codes: 0 all is well; 1 something is wrong or was refused; 2 the command was
    misunderstood.
    """


for _command in (
    serve,
    demo,
    create_community,
    invite_steward,
    verify,
    export,
    import_archive,
    backup,
    restore,
    migrate,
    doctor,
):
    main.add_command(_command)
