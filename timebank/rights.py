"""What the program may do with each of its tables, and how its role on PostgreSQL comes by it.

A table that is not named here is out of the program's reach on both databases. How the rights are
enforced is in `ledger.sql.rights`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from ledger.sql import rights
from ledger.sql.rights import ANY, Rights
from timebank.config import Settings

_KEPT = Rights()
_CHANGED = Rights(update=ANY)
_FORGOTTEN = Rights(update=ANY, delete=True)

RIGHTS: Mapping[str, Rights] = {
    **rights.LEDGER,
    "affiliation": _FORGOTTEN,
    "agreement": _KEPT,
    "alembic_version": Rights(insert=False),
    "apart": _FORGOTTEN,
    "attendance_step": Rights(update=frozenset({"words"})),
    "audit": _KEPT,
    "batch": Rights(update=frozenset({"label"})),  # erased with who wrote it
    "batch_entry": _KEPT,
    "buddy": _FORGOTTEN,
    "category": _CHANGED,
    "check_kind": _CHANGED,
    "closing": _KEPT,
    "community": _KEPT,
    "correction": _KEPT,
    "deed": Rights(update=frozenset({"undone_at"})),
    "deed_item": _KEPT,
    "door": _FORGOTTEN,
    "duty": _FORGOTTEN,
    "edge": _FORGOTTEN,
    "entry": _CHANGED,
    "entry_listing": _KEPT,
    "feed": _FORGOTTEN,
    "format": _CHANGED,
    "gathering": _CHANGED,
    "gathering_action": _FORGOTTEN,
    "gathering_host": _FORGOTTEN,
    "gathering_note": _FORGOTTEN,
    "gathering_role": _FORGOTTEN,
    "import": _FORGOTTEN,
    "import_columns": _CHANGED,
    "import_made": _KEPT,
    "import_row": _FORGOTTEN,
    "in_hand": _FORGOTTEN,
    "invited_organisation": _FORGOTTEN,
    "listing": _CHANGED,
    "listing_answer": _FORGOTTEN,
    "member": _CHANGED,
    "member_check": _FORGOTTEN,
    "member_note": _FORGOTTEN,
    "member_number": _FORGOTTEN,
    "month": _CHANGED,
    "month_step": Rights(update=frozenset({"words"})),
    "morning_mail": _FORGOTTEN,
    "oddity": _FORGOTTEN,
    "organisation": _CHANGED,
    "outbox": _FORGOTTEN,
    "part": _FORGOTTEN,
    "past_limit": _FORGOTTEN,
    "person": _FORGOTTEN,
    "proposal": _CHANGED,
    "proposal_step": Rights(update=frozenset({"words"})),
    "proposal_voice": _CHANGED,
    "put_aside": Rights(update=frozenset({"words", "ended_at"})),
    "reminder": _FORGOTTEN,
    "review": _KEPT,
    "seat": _FORGOTTEN,
    "sector": _CHANGED,
    "series": _CHANGED,
    "session": _FORGOTTEN,
    "settlement": Rights(update=frozenset({"reason"})),
    "settlement_line": _KEPT,
    "settlement_witness": _KEPT,
    "stay": _FORGOTTEN,
    "step": Rights(update=frozenset({"words"})),
    "story": _FORGOTTEN,
    "tally": _CHANGED,
    "throttle": _FORGOTTEN,
    "tick": _KEPT,
    "token": _FORGOTTEN,
    "verification": _KEPT,
    "welcome_step": _CHANGED,
    "welcome_tick": _FORGOTTEN,
    "whats_on": _CHANGED,
    "workshop": _KEPT,
}


def grant(settings: Settings) -> None:
    """Leave the program's role with these rights and no others, as the owner of the tables.

    The role is made if it is not there, with the password that TIMEBANK_DATABASE_URL gives it. May
    be done again at any time, also while the program runs. On SQLite, and where the owner and the
    program are one role, there is nothing to do.
    """
    program, owner = make_url(settings.url), make_url(settings.owners_url)
    if program.get_backend_name() == "postgresql" and program.username != owner.username:
        asyncio.run(_grant(settings.owners_url, program.username or "", program.password))


async def _grant(url: str, role: str, password: str | None) -> None:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as conn:
            named = await _role(conn, role, password)
            database = str(await conn.scalar(text("SELECT quote_ident(current_database())")))
            for statement in rights.grants(RIGHTS, role=named, database=database):
                await conn.exec_driver_sql(statement)
    finally:
        await engine.dispose()


async def _role(conn: AsyncConnection, role: str, password: str | None) -> str:
    """The role's name as it stands in statements; it is made if it is not there yet.

    A superuser also keeps its password in step with the settings.
    """
    known = await conn.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role})
    mighty = await conn.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
    if known is None or (mighty and password):
        verb = "CREATE ROLE %I LOGIN PASSWORD %L" if known is None else "ALTER ROLE %I PASSWORD %L"
        make = text("SELECT format(:verb ::text, :role ::text, :word ::text)")
        asked = {"verb": verb, "role": role, "word": password}
        await conn.exec_driver_sql(str(await conn.scalar(make, asked)))
    return str(await conn.scalar(text("SELECT quote_ident(:role)"), {"role": role}))
