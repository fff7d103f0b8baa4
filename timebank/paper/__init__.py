"""Paper: what is printed for people, as PDFs.

page         a page and its letters: columns, lines, what fits and what goes on overleaf
statements   monthly statements, read for many people at once and drawn in large print
handouts     the sign-in sheet, the member list and the notice-board
press        makes the statements of a whole community in a process of its own
"""
