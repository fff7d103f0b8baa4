"""A field in which somebody's name is typed, and whom it means."""

from __future__ import annotations

from starlette.requests import Request

from timebank import directory
from timebank.directory import Choice
from timebank.text import fold
from web.forms import Form
from web.pages import gettext, here, read


async def the_one(request: Request, form: Form, field: str) -> Choice | None:
    """Whom a typed name means. Where it means nobody, or several, the form says so."""
    _ = gettext(request)
    name = form.text(field, limit=200)
    if not name:
        return None
    found = await means(request, name)
    if len(found) == 1:
        return found[0]
    facts = {"name": name, "names": ", ".join(choice.label for choice in found)}
    if not found:
        form.mistake(
            field,
            _("Nobody here is called “%(name)s”. Begin with the first letters of the name.")
            % facts,
        )
    else:
        form.mistake(field, _("This fits several people: %(names)s. Write the whole name.") % facts)
    return None


async def means(request: Request, name: str) -> list[Choice]:
    """Whom a name can mean: one, where it is written out or only one has such words in theirs."""
    async with read(request) as conn:
        found = await directory.resolve(conn, here(request).community.id, name)
    if len(found) == 1:
        typed, words = fold(name).split(), fold(found[0].label).split()
        return found if all(any(word.startswith(one) for word in words) for one in typed) else []
    return found
