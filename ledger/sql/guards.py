"""What the databases themselves refuse, by triggers: rows that were kept once are kept for good.

A mistake in the program, or a statement smuggled into it, then meets the database. Correctness
never depends on these triggers, and whoever owns the database can remove them: against that, there
is the hash chain. A refusal is an `IntegrityError` on both databases.

SQLite's `REPLACE` deletes rows without firing delete triggers unless `recursive_triggers` is on,
so there a guard before each insert refuses whatever would take the place of another row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Key = Sequence[str]

JOURNAL_KEYS: Sequence[Key] = (("community_id",),)
ACCOUNT_KEYS: Sequence[Key] = (("community_id", "id"),)
TRANSFER_KEYS: Sequence[Key] = (
    ("community_id", "entry_id", "position"),
    ("community_id", "seq"),
    ("community_id", "source_id", "source_line"),
    ("community_id", "destination_id", "destination_line"),
)

# Spelled like the partial unique index, or SQLite would not use it and read the whole journal.
_REVERSED_BEFORE = (
    "NEW.position = 1 AND NEW.reverses_id IS NOT NULL AND EXISTS (SELECT 1 FROM transfer WHERE "
    "community_id = NEW.community_id AND reverses_id = NEW.reverses_id AND position = 1)"
)
_HEAD_ONLY_FORWARD = (
    "NEW.seq < OLD.seq OR NEW.posted_at < OLD.posted_at OR NEW.community_id <> OLD.community_id "
    "OR (NEW.seq = OLD.seq AND NEW.hash <> OLD.hash)"
)
_BALANCE_ONLY_WITH_A_LINE = (
    "NEW.lines < OLD.lines OR (NEW.lines = OLD.lines AND NEW.balance <> OLD.balance) "
    "OR NEW.community_id <> OLD.community_id OR NEW.id <> OLD.id OR NEW.kind <> OLD.kind "
    "OR NEW.opened_at <> OLD.opened_at"
)


def append_only(
    table: str, unique_keys: Sequence[Key], *, dialect: str, frozen: Sequence[str] | None = None
) -> list[str]:
    """The statements that make a table append-only, for `dialect` "sqlite" or "postgresql".

    UPDATE, DELETE, TRUNCATE and replacing are refused. `unique_keys` are the columns of every
    unique key, the primary one included. With `frozen`, only changes of these columns are refused
    and the others may be updated (words that can be erased). On PostgreSQL they need the function
    that `install` makes. Dropping the table drops them.
    """
    columns = f" OF {', '.join(frozen)}" if frozen is not None else ""
    updates = _trigger(dialect, table, "kept", f"UPDATE{columns}")
    return [updates, *undeletable(table, unique_keys, dialect=dialect)]


def only_erased(table: str, column: str, *, dialect: str) -> str:
    """The statement that lets a text of a table be emptied, and refuses any other change of it."""
    return _trigger(dialect, table, "erased", f"UPDATE OF {column}", f"NEW.{column} <> ''")


def undeletable(table: str, unique_keys: Sequence[Key], *, dialect: str) -> list[str]:
    """The statements that refuse DELETE, TRUNCATE and replacing, but not UPDATE."""
    statements = [_trigger(dialect, table, "undeleted", "DELETE")]
    if dialect == "postgresql":
        statements.append(
            f"CREATE TRIGGER {table}_untruncated BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    else:
        taken = " OR ".join(
            f"EXISTS (SELECT 1 FROM {table} WHERE {_same(key)})"  # noqa: S608 - our own names
            for key in unique_keys
        )
        statements.append(_trigger(dialect, table, "unreplaced", "INSERT", taken))
    return statements


def install(dialect: str) -> list[str]:
    """The statements that guard the ledger's own tables, in order."""
    return list(_install(dialect))


def uninstall(dialect: str) -> list[str]:
    """The statements that remove what `install` made and dropping the tables does not."""
    return ["DROP FUNCTION refuse_change()"] if dialect == "postgresql" else []


def _install(dialect: str) -> Iterator[str]:
    if dialect == "postgresql":
        yield (
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION '% is kept as it was written: % refused', TG_TABLE_NAME, TG_OP "
            "USING ERRCODE = 'integrity_constraint_violation'; END $$"
        )
    yield from append_only("transfer", TRANSFER_KEYS, dialect=dialect)
    if dialect == "sqlite":
        yield _trigger(dialect, "transfer", "reversed_once", "INSERT", _REVERSED_BEFORE)
    yield from undeletable("journal", JOURNAL_KEYS, dialect=dialect)
    yield _trigger(dialect, "journal", "forward", "UPDATE", _HEAD_ONLY_FORWARD)
    yield from undeletable("account", ACCOUNT_KEYS, dialect=dialect)
    yield _trigger(dialect, "account", "moved", "UPDATE", _BALANCE_ONLY_WITH_A_LINE)


def _trigger(dialect: str, table: str, name: str, event: str, when: str = "") -> str:
    condition = f" WHEN ({when})" if when else ""
    head = f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} FOR EACH ROW{condition}"
    if dialect == "postgresql":
        return f"{head} EXECUTE FUNCTION refuse_change()"
    refusal = f"{table} is kept as it was written: {event.split()[0]} refused"
    return f"{head} BEGIN SELECT RAISE(ABORT, '{refusal}'); END"


def _same(key: Key) -> str:
    return " AND ".join(f"{column} = NEW.{column}" for column in key)
