"""The time bank: communities, people, entries, agreements, mail; no HTTP and no HTML.

It remembers and permits. What moves minutes is decided by `ledger`; what people see is made
by `web`.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
