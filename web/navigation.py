"""The menu: every page one can begin at, in four groups, for the member who asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from timebank import policy
from timebank.members import Member
from web.stories import Gettext


class Item(NamedTuple):
    """A page of the menu: its path, its words, and whether one is on it or below it."""

    path: str
    words: str
    current: bool


class Group(NamedTuple):
    """Pages that belong together, under a heading; the first group has none."""

    heading: str
    items: list[Item]


def menu(me: Member, here: str, path_of: Callable[[str], str], _: Gettext) -> list[Group]:
    """The menu of a member; `here` is the path they are on, `path_of` finds that of a route."""
    home = path_of("home:show")
    groups = []
    for heading, pages in _pages(me, _):
        items = []
        for name, words, shown in pages:
            path = path_of(name) if shown else home
            if shown:
                below = path != home and here.startswith(path)
                items.append(Item(path, words, here == path or below))
        if items:
            groups.append(Group(heading, items))
    return groups


Pages = list[tuple[str, str, bool]]
"""Name of a route, words, and whether this member is shown it."""


def _pages(me: Member, _: Gettext) -> list[tuple[str, Pages]]:
    coordinates = policy.may_coordinate(me)
    return [
        (
            "",
            [
                ("home:show", _("Home"), True),
                ("entries:index", _("My entries"), True),
                ("statement:show", _("My statement"), True),
            ],
        ),
        (
            _("Together"),
            [
                ("gatherings:index", _("Gatherings"), True),
                ("calendar:show", _("Calendar"), True),
                ("members:index", _("Members"), True),
                ("organisations:index", _("Organisations"), True),
                ("listings:index", _("Offers and requests"), True),
                ("invitations:index", _("Invite somebody"), policy.may_invite(me)),
            ],
        ),
        (
            _("For coordinators"),
            [
                ("inbox:index", _("Inbox"), coordinates),
                ("paper:index", _("On paper"), coordinates),
                ("care:index", _("Looking after people"), coordinates),
                ("lists:index", _("Our lists"), coordinates),
                ("attendance:index", _("Lists and hours"), coordinates),
                ("imports:index", _("Bring in a file"), policy.may_import(me)),
                ("reports:show", _("Reports"), coordinates),
            ],
        ),
        (
            _("How we do it"),
            [
                ("commons:show", _("The commons"), True),
                ("agreement:show", _("Our agreement"), True),
                ("proposals:index", _("Proposals"), True),
                ("months:index", _("Our months"), True),
                ("books:show", _("Our books"), True),
                ("audit:show", _("Who did what"), True),
                ("exports:index", _("Take everything along"), policy.may_take_everything_out(me)),
                ("my_data:show", _("My data"), True),
            ],
        ),
    ]
