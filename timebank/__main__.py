"""`python -m timebank` is the `timebank` command."""

from __future__ import annotations

from timebank.cli import main

main(prog_name="timebank")
