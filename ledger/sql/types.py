"""Column types that mean the same on SQLite (STRICT tables) and PostgreSQL.

    type          in Python            PostgreSQL      SQLite
    Id            UUID                 uuid            BLOB, 16 bytes
    Instant       aware datetime, UTC  timestamptz     INTEGER, microseconds since 1970
    Day           date                 date            TEXT, ISO 8601
    MinutesType   Minutes              bigint          INTEGER
    Count         int                  bigint          INTEGER
    Flag          bool                 boolean         INTEGER, 0 or 1
    Hash          bytes                bytea           BLOB
    Words         str                  text            TEXT
    Json          what JSON can say    jsonb           TEXT

Each refuses values of another Python type, so that both databases refuse the same.
"""

# SQLAlchemy calls with a dialect, which half of the types have no use for.
# ruff: noqa: ARG002

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    Text,
    Uuid,
    false,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.operators import OperatorType, is_, is_not
from sqlalchemy.types import TypeDecorator, TypeEngine

from ledger.chain import microseconds
from ledger.minutes import Minutes

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _on_sqlite(dialect: Dialect) -> bool:
    return dialect.name == "sqlite"


def _expect(value: object, *kinds: type) -> None:
    """Refuse other types with `TypeError`; a bool is no int, a datetime is no date."""
    if not isinstance(value, kinds) or (type(value) is bool and bool not in kinds):
        names = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"expected {names}, not {type(value).__name__}")


class Id(TypeDecorator[UUID]):
    """A UUID."""

    impl = Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = LargeBinary(16) if _on_sqlite(dialect) else Uuid()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        _expect(value, UUID)
        return value.bytes if _on_sqlite(dialect) else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> UUID | None:
        if value is None:
            return None
        return UUID(bytes=value) if _on_sqlite(dialect) else value


class Instant(TypeDecorator[datetime]):
    """A moment, in UTC, to the microsecond. A datetime without a zone raises `ValueError`."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = Integer() if _on_sqlite(dialect) else DateTime(timezone=True)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        _expect(value, datetime)
        exact = microseconds(value)
        return exact if _on_sqlite(dialect) else value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if _on_sqlite(dialect):
            return _EPOCH + timedelta(microseconds=value)
        moment: datetime = value
        return moment.astimezone(UTC)


class Day(TypeDecorator[date]):
    """A calendar day."""

    impl = Date
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = Text() if _on_sqlite(dialect) else Date()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: date | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if isinstance(value, datetime):
            raise TypeError("expected date, not datetime")
        _expect(value, date)
        return value.isoformat() if _on_sqlite(dialect) else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> date | None:
        if value is None:
            return None
        return date.fromisoformat(value) if _on_sqlite(dialect) else value


class Count(TypeDecorator[int]):
    """A whole number."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = Integer() if _on_sqlite(dialect) else BigInteger()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        if value is not None:
            _expect(value, int)
        return value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> int | None:
        # PostgreSQL sums bigint to numeric, which arrives as Decimal.
        return None if value is None else int(value)


class MinutesType(TypeDecorator[Minutes]):
    """An amount of time. `sum` over such a column is `Minutes` again."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = Integer() if _on_sqlite(dialect) else BigInteger()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Minutes | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        _expect(value, Minutes)
        return value.count

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Minutes | None:
        return None if value is None else Minutes(int(value))


class _YesOrNo(TypeDecorator.Comparator[bool]):
    """Spells True and False out after IS, where PostgreSQL takes no parameter."""

    def operate(self, op: OperatorType, *other: Any, **kwargs: Any) -> ColumnElement[Any]:
        if op in (is_, is_not):
            other = tuple(_spelled(value) for value in other)
        return super().operate(op, *other, **kwargs)


def _spelled(value: Any) -> Any:
    return (true() if value else false()) if isinstance(value, bool) else value


class Flag(TypeDecorator[bool]):
    """Yes or no."""

    impl = Boolean
    cache_ok = True
    comparator_factory = _YesOrNo

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = Integer() if _on_sqlite(dialect) else Boolean()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        _expect(value, bool)
        return int(value) if _on_sqlite(dialect) else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> bool | None:
        return None if value is None else bool(value)


class Hash(TypeDecorator[bytes]):
    """Bytes: a hash, a salt, a commitment."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> Any:
        if value is not None:
            _expect(value, bytes)
        return value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> bytes | None:
        return None if value is None else bytes(value)


class Words(TypeDecorator[str]):
    """Text. NUL raises `ValueError`: PostgreSQL cannot keep it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        if value is not None:
            _expect(value, str)
            if "\0" in value:
                raise ValueError("text cannot hold a NUL")
        return value


class Json(TypeDecorator[Any]):
    """A JSON value. Python's None is SQL's NULL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = Text() if _on_sqlite(dialect) else JSONB(none_as_null=True)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> Any:
        if value is None or not _on_sqlite(dialect):
            return value
        return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any:
        return json.loads(value) if isinstance(value, str) and _on_sqlite(dialect) else value
