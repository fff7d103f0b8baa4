"""docs/archive.md: its list of tables and columns is written by the program and never by hand.

`python -m timebank.archive.document` writes it anew; a test fails while it differs.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sqlalchemy import Column, Table

from timebank import migrate  # noqa: F401 - it knows all tables
from timebank.archive import schema

_DOCS = Path(__file__).parents[2] / "docs"
_BEGIN = "<!-- Written by python -m timebank.archive.document; changes here are lost. -->"
_END = "<!-- To here. -->"


def written(text: str, described: dict[str, str]) -> str:
    """The page with its list as the tables are now; `described` says what each table holds."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{_list(described)}\n{_END}{after}"


def descriptions(architecture: str) -> dict[str, str]:
    """What docs/architecture.md says that each table holds."""
    return dict(re.findall(r"^\| `([a-z_]+)` \| (.+) \|$", architecture, re.MULTILINE))


def _list(described: dict[str, str]) -> str:
    parts = [_table(table, described.get(table.name, "")) for table in schema.tables()]
    left = [f"- `{name}`: {why}" for name, why in schema.LEFT_OUT.items()]
    left += [f"- `{table}.{name}`: {why}" for (table, name), why in schema.LEFT_OUT_COLUMNS.items()]
    return "\n".join([*parts, "### Left out\n", *left, ""])


def _table(table: Table, what: str) -> str:
    rows = "\n".join(_row(column) for column in schema.columns(table))
    head = f"### {table.name}\n\n{what[:1].upper()}{what[1:]}.\n"
    return f"{head}\n| column | holds |\n| --- | --- |\n{rows}\n"


def _row(column: Column[object]) -> str:
    words = schema.kind(column)
    if column.nullable:
        words += ", or null"
    if column.primary_key:
        words += " (key)"
    others = sorted(
        {key.column.table.name for key in column.foreign_keys if column.name != "community_id"}
    )
    if others:
        words += f", of `{'`, `'.join(others)}`"
    return f"| `{column.name}` | {words} |"


def main() -> int:
    """Write the page anew."""
    page = _DOCS / "archive.md"
    described = descriptions((_DOCS / "architecture.md").read_text(encoding="utf-8"))
    page.write_text(written(page.read_text(encoding="utf-8"), described), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
