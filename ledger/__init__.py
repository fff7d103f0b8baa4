"""A double-entry ledger of minutes: it decides, and keeps the books.

    Journal ── Head                       where it ends
       └─ JournalEntry                    posted all or none, under its own id
             └─ Transfer ── source, destination, minutes (> 0)
                   └─ PostedTransfer      with number, balances left behind, hash
    Account ── balance, number of lines, floor
       └─ Statement ── Line               one account's side of a transfer

Two nouns and one invariant: accounts, transfers, and that every transfer takes from one what it
gives to the other. So all balances of a community sum to zero, always.

This package is standard library only: values in, values out, no clock and no database. What
stores it lives in `ledger.sql`.
"""

from __future__ import annotations

from ledger.account import Account, AccountKind
from ledger.chain import commitment
from ledger.entry import JournalEntry
from ledger.errors import LedgerError, NotMinutes, NotMinutesReason, Refusal
from ledger.journal import Decision, Head, Journal, Posted, Refused, State, Verdict, decide
from ledger.minutes import MAX, ZERO, Minutes, Rounding, round_to
from ledger.split import split
from ledger.statement import Line, Statement
from ledger.transfer import PostedTransfer, Transfer

__all__ = [
    "MAX",
    "ZERO",
    "Account",
    "AccountKind",
    "Decision",
    "Head",
    "Journal",
    "JournalEntry",
    "LedgerError",
    "Line",
    "Minutes",
    "NotMinutes",
    "NotMinutesReason",
    "Posted",
    "PostedTransfer",
    "Refusal",
    "Refused",
    "Rounding",
    "State",
    "Statement",
    "Transfer",
    "Verdict",
    "commitment",
    "decide",
    "round_to",
    "split",
]
