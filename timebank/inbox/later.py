"""A moment so much later than another, worked out by the database: each has its own arithmetic."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, Interval, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

from ledger.sql.types import Instant


class _Later(FunctionElement[Any]):
    type = Instant()
    inherit_cache = True


def later(moment: ColumnElement[Any], by: timedelta) -> ColumnElement[Any]:
    """`moment`, a column of `Instant`, moved on by a length of time."""
    microseconds = by // timedelta(microseconds=1)
    return _Later(moment, literal(microseconds, Integer()), literal(by, Interval()))


@compiles(_Later, "sqlite")
def _on_sqlite(element: _Later, compiler: Any, **more: Any) -> str:
    moment, microseconds, _ = element.clauses
    return f"({compiler.process(moment, **more)} + {compiler.process(microseconds, **more)})"


@compiles(_Later, "postgresql")
def _on_postgresql(element: _Later, compiler: Any, **more: Any) -> str:
    moment, _, interval = element.clauses
    return f"({compiler.process(moment, **more)} + {compiler.process(interval, **more)})"
