"""The whole community as one file, and back into an empty installation with identical books.

    tables/<table>.jsonl   every row of every table, exactly: what is brought back (schema, writing)
    lists/<list>.csv       the same for people and spreadsheets, as `timebank.imports` reads it
    manifest.json          what this is, how many rows, the hash of each file and of the journal

docs/archive.md describes it, column by column; `python -m timebank.archive.document` writes that.
"""

from __future__ import annotations
