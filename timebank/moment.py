"""Now, as an argument: the time and the randomness a decision may use."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time (aware, UTC) and a source of random bytes.

    Functions that write take one, so that tests and the demo can choose both.
    """

    at: datetime
    random_bytes: Callable[[int], bytes] = field(default=secrets.token_bytes, repr=False)

    @classmethod
    def now(cls) -> Moment:
        """The real clock and the system's randomness; for the outermost callers only."""
        return cls(datetime.now(UTC))

    def new_id(self) -> UUID:
        """A UUID version 7 (RFC 9562 §5.7): 48 bits of milliseconds, then randomness.

        Ids that grow with time keep index pages warm; see docs/decisions.
        """
        milliseconds = int(self.at.timestamp() * 1000)
        value = int.from_bytes(milliseconds.to_bytes(6, "big") + self.random_bytes(10), "big")
        value = value & ~(0xF << 76) | (0x7 << 76)
        value = value & ~(0x3 << 62) | (0x2 << 62)
        return UUID(int=value)

    def day_in(self, timezone: str) -> date:
        """The calendar day it is now in a community's time zone."""
        return self.at.astimezone(ZoneInfo(timezone)).date()
