"""More that an agreement may say: ceilings, floors that grow, closing days, retention, roles."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ledger.sql.types import Count, Flag, Json, MinutesType

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every version so far said nothing about these."""
    for column in (
        sa.Column("soft_ceiling", MinutesType),
        sa.Column("floor_growth", Count, nullable=False, server_default="0"),
        sa.Column("lowest_floor", MinutesType),
        sa.Column("closing_day", Count),
        sa.Column("retention_months", Count),
        sa.Column("credits_taking_part", Flag, nullable=False, server_default="1"),
        sa.Column("roles", Json, nullable=False, server_default="[]"),
    ):
        op.add_column("agreement", column)


def downgrade() -> None:
    """What only these versions said is lost."""
    for name in (
        "roles",
        "credits_taking_part",
        "retention_months",
        "closing_day",
        "lowest_floor",
        "floor_growth",
        "soft_ceiling",
    ):
        op.drop_column("agreement", name)
