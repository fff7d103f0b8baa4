"""The inbox: everything that waits for a coordinator, what has waited longest first.

    sources ─► what waits (why, id, since) ─► one page ─► act on one or many ─► a deed ─► undone
                    put aside until a day ┘       └ in somebody's hand, seen by the others

A source (`source.py`) says what waits with one query and reads what a row shows; all of them stand
in `sources.py`. `listing.py` puts them together, `in_hand.py` and `aside.py` keep notes about
them, `deeds.py` and `undoing.py` what was just done, and `morning.py` mails the numbers.
"""

from timebank.inbox.in_hand import InHand
from timebank.inbox.listing import Inbox, Row, at_desk, count, counts, oldest, page, things
from timebank.inbox.source import Act, Desk, Source, Thing, Touch, Why
from timebank.inbox.sources import BY_WHY, SOURCES

__all__ = [
    "BY_WHY",
    "SOURCES",
    "Act",
    "Desk",
    "InHand",
    "Inbox",
    "Row",
    "Source",
    "Thing",
    "Touch",
    "Why",
    "at_desk",
    "count",
    "counts",
    "oldest",
    "page",
    "things",
]
