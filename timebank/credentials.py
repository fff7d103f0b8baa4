"""Passwords: how they are kept, checked, and which ones are refused.

Kept with argon2id at the OWASP minimum (19 MiB, two passes, one lane). Checking is slow on
purpose, so it runs in a thread, two at a time, and an unknown address costs the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from passlib.context import CryptContext
from zxcvbn import zxcvbn

from timebank.errors import WeakPassword

SHORTEST = 12
LONGEST = 256  # longer ones cost us time and their owner nothing

_context = CryptContext(
    schemes=["argon2"],
    argon2__type="ID",
    argon2__memory_cost=19_456,
    argon2__time_cost=2,
    argon2__parallelism=1,
)
_NOBODYS = _context.hash("nobody has this password")


async def hash_password(password: str) -> str:
    """The hash to keep. `refuse_weak` comes first."""
    kept: str = await _slowly(_context.hash, password)
    return kept


async def check(password: str, kept: str | None) -> tuple[bool, str | None]:
    """Whether the password is the one kept, and a newer hash of it if ours has become stronger.

    With nothing kept the answer is no, after as much work.
    """
    if len(password) > LONGEST:
        password = ""
    right, newer = await _slowly(_context.verify_and_update, password, kept or _NOBODYS)
    return (right, newer) if kept else (False, None)


def refuse_weak(password: str, *, about: Sequence[str] = ()) -> None:
    """Raise `WeakPassword` for one that is too short, too long or easily guessed.

    `about` holds words an acquaintance would try first: the name, the address, the community.
    There are no rules about capitals or digits.
    """
    if len(password) < SHORTEST:
        raise WeakPassword("too_short", SHORTEST)
    if len(password) > LONGEST:
        raise WeakPassword("too_long", LONGEST)
    # zxcvbn takes long over long passwords, and what follows only makes them stronger.
    if zxcvbn(password[:72], user_inputs=[word for word in about if word])["score"] < 2:
        raise WeakPassword("easy_to_guess")


async def _slowly(function: Callable[..., Any], *arguments: str) -> Any:
    async with _limiter():
        return await asyncio.to_thread(function, *arguments)


def _limiter() -> asyncio.Semaphore:
    """Two at a time in each event loop, so that a flood of sign-ins leaves a core for the rest."""
    loop = asyncio.get_running_loop()
    return _limits.setdefault(loop, asyncio.Semaphore(2))


_limits: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
