"""The roles of the agreement: how each is called, which minutes were agreed, what they count as."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ledger import ZERO, Minutes
from timebank.agreements import Terms
from timebank.entry import Kind
from timebank.moment import Moment
from timebank.roles import FIRST_ROLES, AgreedRole, BuiltIn, label
from web.forms import Form
from web.gathering_words import minutes_of
from web.stories import Gettext, kind_label

NEW = "new"
"""Where a role's key stands in the names of fields: the row for one that is added."""
_KINDS = (Kind.HOSPITALITY, Kind.FACILITATION, Kind.ACTIVITY, Kind.HELP, Kind.OTHER)


@dataclass(frozen=True, slots=True)
class Row:
    """One role on the form: its fields begin with `field`. Everyone takes part, so that stays."""

    field: str
    name: str
    summary: str
    own: bool  # the community added it, so that it may be called otherwise
    stays: bool


def said(role: AgreedRole, _: Gettext) -> str:
    """One role as a line: `Tea and cake: 0:45 before, 0:30 after (hospitality)`."""
    facts = {
        "role": label(role.key, role.name, _),
        "minutes": minutes_of(role, _),
        "kind": kind_label(role.kind, _),
    }
    return _("%(role)s: %(minutes)s (%(kind)s)") % facts


def taking_part(terms: Terms, _: Gettext) -> str:
    """Whether taking part counts, as a rule in words."""
    if terms.credits_taking_part:
        return _("At gatherings that are sponsored, roles count, and so does taking part.")
    return _("At gatherings that are sponsored, roles count, and taking part does not.")


def changes(old: Terms, new: Terms, _: Gettext) -> list[tuple[str, str]]:
    """Each role that is different, as the words before and after; "" where there is none."""
    before = {role.key: role for role in old.roles}
    after = {role.key: role for role in new.roles}
    return [
        (said(before[key], _) if key in before else "", said(after[key], _) if key in after else "")
        for key in dict.fromkeys([*before, *after])
        if before.get(key) != after.get(key)
    ]


def kinds(_: Gettext) -> list[tuple[str, str]]:
    """What a role's minutes may count as."""
    return [(kind.value, kind_label(kind, _)) for kind in _KINDS]


def rows(terms: Terms, _: Gettext) -> list[Row]:
    """The roles there are, and the usual ones that this community has given up."""
    return [
        Row(
            f"role-{role.key}",
            label(role.key, role.name, _),
            minutes_of(role, _),
            role.key not in list(BuiltIn),
            role.key == BuiltIn.TAKE_PART,
        )
        for role in _possible(terms)
    ]


def _possible(terms: Terms) -> list[AgreedRole]:
    there = {role.key for role in terms.roles}
    return [*terms.roles, *(role for role in FIRST_ROLES if role.key not in there)]


def fields(terms: Terms) -> dict[str, str]:
    """The roles as fields of the form."""
    there = {role.key for role in terms.roles}
    found: dict[str, str] = {"roles": "1"}
    if terms.credits_taking_part:
        found["credits_taking_part"] = "1"
    for role in _possible(terms):
        begin = f"role-{role.key}"
        found |= {
            f"{begin}-name": role.name,
            f"{begin}-before": _written(role.before),
            f"{begin}-after": _written(role.after),
            f"{begin}-kind": role.kind.value,
        }
        if role.during:
            found[f"{begin}-during"] = "1"
        if role.key in there:
            found[f"{begin}-have"] = "1"
    return found


def _written(amount: Minutes) -> str:
    return "" if amount == ZERO else str(amount)


def read(form: Form, terms: Terms, now: Moment) -> Terms:
    """The terms with the roles that were sent; as they are where the form has none of them."""
    if not form.has("roles"):
        return terms
    found = [
        _role(form, role)
        for role in _possible(terms)
        if role.key == BuiltIn.TAKE_PART or form.flag(f"role-{role.key}-have")
    ]
    if form.raw(f"role-{NEW}-name").strip():
        key = f"r{now.new_id().hex[-12:]}"
        found.append(replace(_role(form, AgreedRole(NEW, Kind.HOSPITALITY)), key=key))
    return replace(terms, roles=tuple(found), credits_taking_part=form.flag("credits_taking_part"))


def _role(form: Form, role: AgreedRole) -> AgreedRole:
    begin = f"role-{role.key}"
    own = role.key not in list(BuiltIn)
    return AgreedRole(
        role.key,
        form.choice(f"{begin}-kind", Kind) or role.kind,
        form.minutes(f"{begin}-before", required=False) or ZERO,
        form.flag(f"{begin}-during"),
        form.minutes(f"{begin}-after", required=False) or ZERO,
        form.text(f"{begin}-name", required=own, limit=60),
    )
