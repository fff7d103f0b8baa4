"""Rows of the inbox, told to one coordinator: what it is, since when, why it is here, who was last.

Each file tells the rows of the sources in the file of the same name in `timebank/inbox/`.
`tellers.py` has the table from kind to function, and `telling.py` what all of them share.
"""
