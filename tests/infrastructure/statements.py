"""Statements that are compiled once for a whole run.

Each test has engines of its own, and SQLAlchemy compiles every statement anew for each of them: a
fifth of a run. What it compiles depends on the kind of database and not on the engine, so all
engines of a kind can share it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import create_async_engine

from timebank import db


class Compiled(dict[Any, Any]):
    """SQLAlchemy's `compiled_cache`, in which a dialect stands for all of its kind."""

    def get(self, key: Any, default: Any = None) -> Any:
        """What was compiled for this statement, or nothing."""
        return super().get(_of_a_kind(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(_of_a_kind(key), compiled)


def _of_a_kind(key: Any) -> Any:
    dialect, *statement = key
    return (type(dialect), *statement)


def share() -> None:
    """From now on all engines of the program share what they compile."""
    sharing = partial(create_async_engine, execution_options={"compiled_cache": Compiled()})
    setattr(db, "create_async_engine", sharing)  # noqa: B010 - the program itself has no need of it
