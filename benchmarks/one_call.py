"""The peer we wrote ourselves: a ledger in one SQL function, called once for each transfer.

What an engineer would write by hand in PostgreSQL, and write well: three narrow tables with foreign
keys and whole numbers, a transfer and its two entry rows with running balances, row locks in the
order of ids, everything in one round trip and one prepared statement, one connection a caller. It
keeps no chain, no line refuses to be changed, and what waits is not grouped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import make_url

from benchmarks.callers import Ask, Taken, closed_loop
from ledger import JournalEntry
from tests.infrastructure.postgres import Server

_SCHEMA = """
CREATE TABLE account (
    id uuid PRIMARY KEY,
    balance bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0,
    floor bigint
) WITH (fillfactor = 50);

CREATE TABLE transfer (
    id uuid PRIMARY KEY,
    source_id uuid NOT NULL REFERENCES account,
    destination_id uuid NOT NULL REFERENCES account,
    minutes bigint NOT NULL CHECK (minutes > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (source_id <> destination_id)
);

CREATE TABLE entry (
    account_id uuid NOT NULL REFERENCES account,
    version bigint NOT NULL,
    transfer_id uuid NOT NULL REFERENCES transfer,
    minutes bigint NOT NULL,
    balance bigint NOT NULL,
    PRIMARY KEY (account_id, version)
);
CREATE INDEX ON entry (transfer_id);

CREATE FUNCTION post(key uuid, source uuid, destination uuid, amount bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    giving account;
    taking account;
BEGIN
    PERFORM FROM account WHERE id IN (source, destination) ORDER BY id FOR NO KEY UPDATE;
    UPDATE account SET balance = balance - amount, version = version + 1
        WHERE id = source RETURNING * INTO STRICT giving;
    UPDATE account SET balance = balance + amount, version = version + 1
        WHERE id = destination RETURNING * INTO STRICT taking;
    IF giving.balance < giving.floor THEN
        RAISE EXCEPTION 'floor reached';
    END IF;
    INSERT INTO transfer (id, source_id, destination_id, minutes)
        VALUES (key, source, destination, amount);
    INSERT INTO entry (account_id, version, transfer_id, minutes, balance)
        VALUES (source, giving.version, key, -amount, giving.balance),
            (destination, taking.version, key, amount, taking.balance);
    RETURN giving.balance;
END $$;
"""

_SOUND = """
SELECT (SELECT coalesce(sum(balance), 0) FROM account) = 0
    AND (SELECT count(*) FROM transfer) = $1
    AND (SELECT count(*) FROM entry) = 2 * $1
    AND NOT EXISTS (
        SELECT FROM account LEFT JOIN (
            SELECT account_id, sum(minutes) AS balance, count(*) AS version
            FROM entry GROUP BY account_id
        ) AS added ON added.account_id = account.id
        WHERE account.balance <> coalesce(added.balance, 0)
            OR account.version <> coalesce(added.version, 0)
    )
"""


class OneCall:
    """The peer's database, with its connections and what it acknowledged. `close()` at the end."""

    def __init__(self, connections: list[Any], statements: list[Any]) -> None:
        self._connections = connections
        self._statements = statements
        self.acknowledged = 0

    @classmethod
    async def open(cls, server: Server, accounts: Sequence[UUID], callers: int) -> OneCall:
        """Make the tables and accounts, and open a connection for each caller."""
        plain = make_url(await server.create_database("one_call")).set(drivername="postgresql")
        url = plain.render_as_string(hide_password=False)
        connections = [await asyncpg.connect(url) for _ in range(callers)]
        await connections[0].execute(_SCHEMA)
        await connections[0].executemany(
            "INSERT INTO account (id) VALUES ($1)", [(id,) for id in accounts]
        )
        prepared = [await one.prepare("SELECT post($1, $2, $3, $4)") for one in connections]
        return cls(connections, prepared)

    async def posted(self, callers: int, entries: Sequence[JournalEntry], seconds: float) -> Taken:
        """So many callers post transfers, each on a connection of its own."""
        asks = [_through(statement) for statement in self._statements[:callers]]
        taken = await closed_loop(asks, entries, seconds)
        self.acknowledged += len(taken.waits)
        return taken

    async def sound(self) -> bool:
        """Whether its books add up and hold exactly what was acknowledged."""
        return bool(await self._connections[0].fetchval(_SOUND, self.acknowledged))

    async def close(self) -> None:
        """Close its connections."""
        for connection in self._connections:
            await connection.close()


def _through(statement: Any) -> Ask[JournalEntry]:
    async def ask(entry: JournalEntry) -> None:
        (transfer,) = entry.transfers
        await statement.fetchval(
            entry.id, transfer.source, transfer.destination, transfer.minutes.count
        )

    return ask
