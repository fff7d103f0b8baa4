"""What roles are called: those every community begins with in the reader's language."""

from __future__ import annotations

from collections.abc import Callable

from timebank.roles import BuiltIn


def role_name(key: str, name: str, _: Callable[[str], str]) -> str:
    """A role as something people did: "tea and cake"; one with a name of its own goes by that."""
    if name or key not in list(BuiltIn):
        return name or key
    return {
        BuiltIn.TAKE_PART: _("taking part"),
        BuiltIn.INVITE: _("inviting"),
        BuiltIn.HOST: _("hosting"),
        BuiltIn.TEA: _("tea and cake"),
        BuiltIn.FACILITATE: _("facilitating"),
        BuiltIn.NOTES: _("taking notes"),
        BuiltIn.INTERPRET: _("interpreting"),
        BuiltIn.CHILDCARE: _("childcare"),
        BuiltIn.FOLLOW_UP: _("following up"),
    }[BuiltIn(key)]
