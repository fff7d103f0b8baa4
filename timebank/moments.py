"""Reckoning with moments inside of a query, in the words of either database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Interval, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from ledger.sql.types import Instant


class _Earlier(FunctionElement[Any]):
    """A moment, less a span of time."""

    type = Instant()
    inherit_cache = True


def earlier(moment: ColumnElement[Any], span: timedelta) -> ColumnElement[Any]:
    """The moment that lies so much before the one in a column of `Instant`."""
    microseconds = span // timedelta(microseconds=1)
    return _Earlier(moment, type_coerce(microseconds, BigInteger), type_coerce(span, Interval))


@compiles(_Earlier, "sqlite")
def _on_sqlite(element: _Earlier, compiler: SQLCompiler, **more: Any) -> str:
    moment, microseconds, _ = element.clauses
    return f"({compiler.process(moment, **more)} - {compiler.process(microseconds, **more)})"


@compiles(_Earlier, "postgresql")
def _on_postgresql(element: _Earlier, compiler: SQLCompiler, **more: Any) -> str:
    moment, _, span = element.clauses
    return f"({compiler.process(moment, **more)} - {compiler.process(span, **more)})"
