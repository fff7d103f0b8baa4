"""The edge of the network: from where nobody comes yet, and how many of us know somebody there.

Who knows whom is never kept and never shown. At night it is counted, for each sector, organisation
and area, how many members had an exchange or a gathering in common with somebody from there in the
past year; only these counts are kept, and small ones are shown as "some".
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKeyConstraint, Table

from ledger.sql import metadata
from ledger.sql.types import Count, Id, Instant, Words

edges = Table(
    "edge",
    metadata,
    Column("community_id", Id, primary_key=True),
    Column("kind", Words, primary_key=True),  # sector, organisation or area
    Column("place", Words, primary_key=True),  # the id, or the area's name
    Column("members", Count, nullable=False),  # how many know somebody there
    Column("counted_at", Instant, nullable=False),
    ForeignKeyConstraint(["community_id"], ["community.id"]),
    sqlite_strict=True,
)
