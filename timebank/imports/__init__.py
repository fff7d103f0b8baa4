"""Bringing in files: who is here, what they offer, and the hours of the past.

    uploaded ─► read ─► columns matched ─► checked ─► brought in ─► undone
                child    matching.py        checking    running      undoing

A file is read by a process of its own that can reach nothing (`child`), its rows are kept aside
(`files`), and each kind of thing has one file that says what a row would do, and does it: `people`,
`houses`, `hats`, `board`, `hours`. What is checked is what is done: both ask the same planner.
Nothing is imported here, because the child starts from here.
"""

from __future__ import annotations
