"""Paper: what is printed for people, as PDFs.

page         a page and its letters: columns, lines, what fits and what goes on overleaf
statement    what stands on one member's statement of a month, and how it is drawn
statements   reads them, for many people at once
handouts     the sign-in sheet, the member list and the notice-board
press        makes the statements of a whole community, with the help of a second process
drawing      that process
"""
