"""Moments worked out by the database, each of which has its own arithmetic."""

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


class _Beginning(FunctionElement[Any]):
    type = Instant()
    inherit_cache = True


def beginning(day: ColumnElement[Any]) -> ColumnElement[Any]:
    """The moment at which `day`, a column of `Day`, begins in UTC."""
    return _Beginning(day)


@compiles(_Later, "sqlite")
def _on_sqlite(element: _Later, compiler: Any, **more: Any) -> str:
    moment, microseconds, _ = element.clauses
    return f"({compiler.process(moment, **more)} + {compiler.process(microseconds, **more)})"


@compiles(_Later, "postgresql")
def _on_postgresql(element: _Later, compiler: Any, **more: Any) -> str:
    moment, _, interval = element.clauses
    return f"({compiler.process(moment, **more)} + {compiler.process(interval, **more)})"


@compiles(_Beginning, "sqlite")
def _beginning_on_sqlite(element: _Beginning, compiler: Any, **more: Any) -> str:
    (day,) = element.clauses
    return f"(CAST(strftime('%s', {compiler.process(day, **more)}) AS INTEGER) * 1000000)"


@compiles(_Beginning, "postgresql")
def _beginning_on_postgresql(element: _Beginning, compiler: Any, **more: Any) -> str:
    (day,) = element.clauses
    return f"(CAST({compiler.process(day, **more)} AS timestamp) AT TIME ZONE 'UTC')"
