"""The table of routes: readable, complete, and each path in the file that its first part names."""

from __future__ import annotations

from collections import Counter

import pytest

from web.access import Policy, policy_of
from web.routes import TABLE, path_for, routes

FILES = {
    "": "home",
    "favicon.ico": "files",
    "static": "files",
    "sign-out": "sign_in",
}


def test_every_route_declares_its_policy() -> None:
    assert [route for route in routes() if policy_of(route) is None] == []


def test_names_and_addresses_are_unique() -> None:
    assert [name for name, times in Counter(row[3] for row in TABLE).items() if times > 1] == []
    addresses = Counter((row[0], row[1]) for row in TABLE)
    assert [address for address, times in addresses.items() if times > 1] == []


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]} {row[1]}")
def test_the_first_part_of_a_path_is_the_file_of_its_function(
    row: tuple[str, str, Policy, str, object],
) -> None:
    _method, path, policy, name, handler = row
    parts = path.split("/")
    first = parts[3] if path.startswith("/c/{slug}/") else parts[1]
    file = FILES.get(first, first.replace("-", "_"))
    assert getattr(handler, "__module__", "") == f"web.{file}"
    assert name.partition(":")[0] == file
    if path.startswith("/c/{slug}/") and file != "join":
        assert policy in (Policy.MEMBER, Policy.ACTIVE, Policy.COORDINATOR, Policy.STEWARD)


def test_what_changes_something_is_a_post_and_what_shows_is_a_get() -> None:
    assert {row[0] for row in TABLE} == {"GET", "POST"}


def test_paths_are_filled_in_and_escaped() -> None:
    assert path_for("home:show", {"slug": "mill-road"}) == "/c/mill-road/"
    assert path_for("sign_in:new", {"slug": "mill-road"}) == "/sign-in"
    assert path_for("agreement:version", {"slug": "a", "version": "3"}) == "/c/a/agreement/3"
    assert path_for("mail:show", {"name": "../x?y"}) == "/mail/..%2Fx%3Fy"
    with pytest.raises(KeyError):
        path_for("home:show", {})
    with pytest.raises(KeyError):
        path_for("nowhere:show", {})
