"""Signing in: the right person gets in, a guesser waits, and nobody learns who is a member."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import delete, event, select

from tests.timebank.factories import a_person, at
from timebank import credentials, sessions, signing_in
from timebank.db import EVERYWHERE, Database
from timebank.errors import BadInput, LinkSpent, TooManyTries, WeakPassword, WrongSignIn
from timebank.moment import Moment
from timebank.outbox import outbox
from timebank.people import people, throttles
from timebank.people import sessions as session_table

PASSWORD = "our kettle sings at four"
HOME = "192.0.2.7"
STRANGER = "198.51.100.9"


@pytest.fixture
async def ana(db: Database) -> str:
    """Somebody who signs in with this address and `PASSWORD`."""
    kept = await credentials.hash_password(PASSWORD)
    async with db.write(EVERYWHERE) as conn:
        await a_person(conn, "ana@example.org", password_hash=kept)
    return "ana@example.org"


async def _sign_in(
    db: Database, email: str, password: str, *, network: str = HOME, now: Moment | None = None
) -> str:
    _, token = await signing_in.sign_in(
        db, email, password, network=network, device="a phone", now=now or at()
    )
    return token


async def _ask_link(
    db: Database, email: str, network: str = HOME, now: Moment | None = None
) -> None:
    await signing_in.ask_link(db, email, network=network, now=now or at())


async def _ask_reset(
    db: Database, email: str, network: str = HOME, now: Moment | None = None
) -> None:
    await signing_in.ask_reset(db, email, network=network, now=now or at())


async def _mails(db: Database) -> list[Any]:
    async with db.read(EVERYWHERE) as conn:
        return list((await conn.execute(select(outbox).order_by(outbox.c.created_at))).all())


async def _link(db: Database) -> str:
    """The secret in the newest mail."""
    return str((await _mails(db))[-1].path).rpartition("/")[2]


async def _signed_in(db: Database, token: str) -> bool:
    async with db.read(EVERYWHERE) as conn:
        return await sessions.find(conn, token, now=at()) is not None


async def test_the_right_password_begins_a_session(db: Database, ana: str) -> None:
    assert await _signed_in(db, await _sign_in(db, ana, PASSWORD))


@pytest.mark.parametrize("typed", ["ANA@example.org", " ana@example.org ", "Ana@EXAMPLE.org"])
async def test_an_address_is_known_however_it_is_typed(db: Database, ana: str, typed: str) -> None:
    assert await _sign_in(db, typed.strip(), PASSWORD)
    assert ana == typed.strip().lower()


async def test_each_sign_in_begins_another_session(db: Database, ana: str) -> None:
    first, second = await _sign_in(db, ana, PASSWORD), await _sign_in(db, ana, PASSWORD)
    assert first != second
    assert await _signed_in(db, first)


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ana@example.org", "another kettle sings"),
        ("ana@example.org", ""),
        ("ana@example.org", PASSWORD + " "),
        ("ana@example.org", "x" * 100_000),
        ("nobody@example.org", PASSWORD),
        ("not an address", PASSWORD),
        ("ana@example.org\r\nBcc: eve@example.org", PASSWORD),
        ("", ""),
    ],
)
async def test_everything_else_is_refused_alike(
    db: Database, ana: str, email: str, password: str
) -> None:
    with pytest.raises(WrongSignIn) as refused:
        await _sign_in(db, email, password)
    assert ana not in str(refused.value)
    async with db.read(EVERYWHERE) as conn:
        assert (await conn.execute(select(session_table))).all() == []


async def test_who_has_no_password_signs_in_with_none(db: Database) -> None:
    async with db.write(EVERYWHERE) as conn:
        await a_person(conn, "bo@example.org")
    for password in ("", "nobody has this password", PASSWORD):
        with pytest.raises(WrongSignIn):
            await _sign_in(db, "bo@example.org", password)


async def test_an_unknown_address_costs_the_same_work(
    db: Database, ana: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes: list[str] = []
    real = credentials._context.verify_and_update  # noqa: SLF001

    def counting(password: str, kept: str) -> tuple[bool, str | None]:
        hashes.append(kept)
        return real(password, kept)  # type: ignore[no-any-return]

    monkeypatch.setattr(credentials._context, "verify_and_update", counting)  # noqa: SLF001
    for email in (ana, "nobody@example.org", "no address"):
        with pytest.raises(WrongSignIn):
            await _sign_in(db, email, "another kettle sings")
    assert len(hashes) == 3
    assert len({kept.rsplit("$", 2)[0] for kept in hashes}) == 1  # all but salt and digest


async def _statements(db: Database, work: Callable[[], Awaitable[None]]) -> int:
    count = 0

    def counted(*_: object) -> None:
        nonlocal count
        count += 1

    for engine in db.engines:
        event.listen(engine.sync_engine, "before_cursor_execute", counted)
    try:
        await work()
    finally:
        for engine in db.engines:
            event.remove(engine.sync_engine, "before_cursor_execute", counted)
    return count


@pytest.mark.parametrize("ask", [_ask_link, _ask_reset])
async def test_asking_for_a_link_answers_the_same_for_everyone(
    db: Database, ana: str, ask: Callable[..., Awaitable[None]]
) -> None:
    known = await _statements(db, lambda: ask(db, ana))
    unknown = await _statements(db, lambda: ask(db, "nobody@example.org"))
    assert known == unknown
    assert [mail.to_address for mail in await _mails(db)] == [ana]


async def test_a_link_signs_in_once_for_half_an_hour(db: Database, ana: str) -> None:
    await _ask_link(db, ana)
    token = await _link(db)
    with pytest.raises(LinkSpent):
        await signing_in.use_link(db, token, device="", now=at(minutes=30))
    person, session = await signing_in.use_link(db, token, device="", now=at(minutes=29))
    assert person.email == ana
    assert await _signed_in(db, session)
    with pytest.raises(LinkSpent):
        await signing_in.use_link(db, token, device="", now=at(minutes=29))


async def test_of_twenty_uses_of_a_link_at_once_one_signs_in(db: Database, ana: str) -> None:
    await _ask_link(db, ana)
    token = await _link(db)
    outcomes = await asyncio.gather(
        *(signing_in.use_link(db, token, device="", now=at()) for _ in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, LinkSpent) for outcome in outcomes) == 19
    async with db.read(EVERYWHERE) as conn:
        assert len((await conn.execute(select(session_table))).all()) == 1


async def test_only_the_newest_link_works(db: Database, ana: str) -> None:
    await _ask_link(db, ana)
    older = await _link(db)
    await _ask_link(db, ana, now=at(minutes=1))
    newer = await _link(db)
    with pytest.raises(LinkSpent):
        await signing_in.use_link(db, older, device="", now=at(minutes=2))
    await signing_in.use_link(db, newer, device="", now=at(minutes=2))


async def test_a_link_for_one_thing_does_not_do_the_other(db: Database, ana: str) -> None:
    await _ask_link(db, ana)
    with pytest.raises(LinkSpent):
        await signing_in.reset_password(db, await _link(db), "a new kettle at noon", now=at())
    await _ask_reset(db, ana)
    with pytest.raises(LinkSpent):
        await signing_in.use_link(db, await _link(db), device="", now=at())


async def test_a_new_password_ends_all_sessions_and_tells_its_owner(db: Database, ana: str) -> None:
    session = await _sign_in(db, ana, PASSWORD)
    await _ask_link(db, ana)
    stale = await _link(db)
    await _ask_reset(db, ana, now=at(minutes=1))
    token = await _link(db)
    await signing_in.reset_password(db, token, "a new kettle at noon", now=at(minutes=2))
    assert not await _signed_in(db, session)
    with pytest.raises(WrongSignIn):
        await _sign_in(db, ana, PASSWORD)
    await _sign_in(db, ana, "a new kettle at noon")
    for spent in (token, stale):
        with pytest.raises(LinkSpent):
            await signing_in.use_link(db, spent, device="", now=at(minutes=3))
    mails = await _mails(db)
    assert {mail.to_address for mail in mails} == {ana}
    assert len(mails) == 3


async def test_resetting_signs_nobody_in(db: Database, ana: str) -> None:
    await _ask_reset(db, ana)
    await signing_in.reset_password(db, await _link(db), "a new kettle at noon", now=at())
    async with db.read(EVERYWHERE) as conn:
        assert (await conn.execute(select(session_table))).all() == []


async def test_a_weak_password_leaves_the_link_usable(db: Database, ana: str) -> None:
    await _ask_reset(db, ana)
    token = await _link(db)
    with pytest.raises(WeakPassword):
        await signing_in.reset_password(db, token, "password1234", now=at())
    await signing_in.reset_password(db, token, "a new kettle at noon", now=at())


async def test_changing_a_password_asks_for_the_old_one(db: Database, ana: str) -> None:
    session = await _sign_in(db, ana, PASSWORD)
    async with db.read(EVERYWHERE) as conn:
        found = await sessions.find(conn, session, now=at())
    assert found is not None

    async def change(old: str, new: str) -> None:
        await signing_in.change_password(db, found[0].id, old, new, network=HOME, now=at())

    with pytest.raises(WrongSignIn):
        await change("another kettle sings", "a new kettle at noon")
    with pytest.raises(WeakPassword):
        await change(PASSWORD, "ana@example.org")
    assert await _signed_in(db, session)
    await change(PASSWORD, "a new kettle at noon")
    assert not await _signed_in(db, session)
    await _sign_in(db, ana, "a new kettle at noon")


async def test_after_five_wrong_tries_one_waits_ever_longer(db: Database, ana: str) -> None:
    seconds, waits = 0.0, []
    for _ in range(12):
        now = at(seconds=seconds)
        try:
            await _sign_in(db, ana, "another kettle sings", now=now)
        except WrongSignIn:
            waits.append(0.0)
        except TooManyTries as refused:
            waits.append((refused.until - now.at).total_seconds())
            seconds += waits[-1]
    longer = [wait for wait in waits if wait]
    assert waits[:5] == [0.0] * 5
    assert longer
    assert longer == sorted(longer)
    assert longer[-1] > longer[0]


async def test_a_guesser_does_not_lock_the_owner_out(db: Database, ana: str) -> None:
    for number in range(200):
        with pytest.raises((WrongSignIn, TooManyTries)):
            await _sign_in(
                db, ana, "another kettle sings", network=STRANGER, now=at(seconds=number)
            )
    with pytest.raises(TooManyTries):
        await _sign_in(db, ana, PASSWORD, network=STRANGER, now=at(seconds=200))
    assert await _sign_in(db, ana, PASSWORD, network=HOME, now=at(seconds=200))
    await _ask_link(db, ana, HOME, now=at(seconds=200))
    await signing_in.use_link(db, await _link(db), device="", now=at(seconds=201))


async def test_a_network_that_tries_many_addresses_waits(db: Database) -> None:
    async with db.write(EVERYWHERE) as conn:
        await conn.execute(delete(people))
    with pytest.raises(TooManyTries):
        for number in range(60):
            try:
                await _sign_in(db, f"{number}@example.org", PASSWORD, network=STRANGER)
            except WrongSignIn:
                continue


async def test_guesses_made_at_once_are_counted_like_guesses_one_by_one(
    db: Database, ana: str
) -> None:
    outcomes = await asyncio.gather(
        *(_sign_in(db, ana, f"kettle number {number}") for number in range(40)),
        return_exceptions=True,
    )
    checked = sum(isinstance(outcome, WrongSignIn) for outcome in outcomes)
    assert checked <= 6, "more guesses were checked than are free"


async def test_the_right_password_forgives_the_wrong_ones(db: Database, ana: str) -> None:
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(WrongSignIn):
                await _sign_in(db, ana, "another kettle sings")
        await _sign_in(db, ana, PASSWORD)


async def test_no_address_stands_in_the_table_of_tries(db: Database, ana: str) -> None:
    with pytest.raises(WrongSignIn):
        await _sign_in(db, ana, "another kettle sings", network=STRANGER)
    async with db.read(EVERYWHERE) as conn:
        rows = (await conn.execute(select(throttles.c.key))).scalars().all()
    assert rows
    assert all(re.fullmatch(r"[0-9a-f]{64}", key) for key in rows)


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ana",
        "ana@",
        "@example.org",
        "ana@example.org, eve@example.org",
        "ana@example.org\nBcc: eve@example.org",
        "ana@example.org\r",
        "Ana <ana@example.org>",
        "a" * 250 + "@example.org",
        "ana\x00@example.org",
    ],
)
async def test_what_is_no_address_is_written_to_nowhere(db: Database, email: str) -> None:
    with pytest.raises(BadInput):
        await _ask_link(db, email)
    assert await _mails(db) == []


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "too_short"),
        ("short", "too_short"),
        ("elevenchars", "too_short"),
        ("x" * 257, "too_long"),
        ("password1234", "easy_to_guess"),
        ("123456789012", "easy_to_guess"),
        ("aaaaaaaaaaaa", "easy_to_guess"),
        ("qwertyuiop12", "easy_to_guess"),
    ],
)
def test_weak_passwords_are_refused_with_the_reason(password: str, reason: str) -> None:
    with pytest.raises(WeakPassword) as refused:
        credentials.refuse_weak(password)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "ñandúes cruzan despacio",
        "x7$kW!p9Qz&2",
        "四つの時にやかんが歌うよ今日も明日も",
        "y " * 128,
    ],
)
def test_long_ones_are_taken_in_any_script_and_with_spaces(password: str) -> None:
    if len(set(password)) > 2:
        credentials.refuse_weak(password)
    else:
        with pytest.raises(WeakPassword):
            credentials.refuse_weak(password)


async def test_passwords_are_kept_with_argon2id_at_nineteen_mebibytes_or_more() -> None:
    kept = await credentials.hash_password(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await credentials.check(PASSWORD, kept) == (True, None)
    assert await credentials.hash_password(PASSWORD) != kept
