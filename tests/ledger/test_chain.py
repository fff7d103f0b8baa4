"""The chain: what is hashed, that a second program agrees, and that words can be erased."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import Minutes, PostedTransfer, chain, commitment, proof
from tests.ledger.making import ANA, BEN, CAT, HERE, NOON, after, entry, journal

ids = st.uuids()
numbers = st.integers(-(2**63), 2**63 - 1)
hashes = st.binary(min_size=32, max_size=32)
moments = st.datetimes(timezones=st.just(UTC))
rows = st.builds(
    PostedTransfer,
    community_id=ids,
    seq=numbers,
    entry_id=ids,
    position=numbers,
    source_id=ids,
    destination_id=ids,
    minutes=numbers.map(Minutes),
    occurred_on=st.dates(),
    posted_at=moments,
    source_line=numbers,
    source_balance=numbers.map(Minutes),
    destination_line=numbers,
    destination_balance=numbers.map(Minutes),
    reverses_id=st.none() | ids,
    commitment=hashes,
    previous=hashes,
    hash=hashes,
)


class Second:
    """A second program, written from the description in `ledger/chain.py` alone."""

    def __init__(self, what: str) -> None:
        self.bytes = b""
        self.field(what.encode()).number(1)

    def field(self, value: bytes) -> Second:
        self.bytes += len(value).to_bytes(4, "big") + value
        return self

    def number(self, value: int) -> Second:
        return self.field(value.to_bytes(8, "big", signed=True))

    def id(self, value: UUID | None) -> Second:
        return self.field(bytes.fromhex(str(value).replace("-", "")) if value else b"")

    def hash(self) -> bytes:
        return hashlib.sha256(self.bytes).digest()


def second_digest(row: PostedTransfer) -> bytes:
    since_1970 = row.posted_at - datetime(1970, 1, 1, tzinfo=UTC)
    moment = (since_1970.days * 86_400 + since_1970.seconds) * 1_000_000 + since_1970.microseconds
    second = Second("timebank.ledger.transfer").id(row.community_id).number(row.seq)
    second.field(row.previous).id(row.entry_id).number(row.position)
    second.id(row.source_id).id(row.destination_id).number(row.minutes.count)
    second.field(str(row.occurred_on).encode()).number(moment)
    second.number(row.source_line).number(row.source_balance.count)
    second.number(row.destination_line).number(row.destination_balance.count)
    return second.id(row.reverses_id).field(row.commitment).hash()


@given(rows)
def test_a_second_program_computes_the_same_hash(row: PostedTransfer) -> None:
    assert chain.digest(row) == second_digest(row)


def test_the_encoding_never_changes() -> None:
    book = journal()
    book.post([entry(1, (ANA, BEN, 90))], NOON)
    assert chain.genesis(HERE) == Second("timebank.ledger.genesis").id(HERE).hash()
    assert book.head.hash.hex() == GOLDEN


GOLDEN = "43ac9865ae8c2ae9f09c3e4808bb6d10ae023a37e3627f3cade90d8b302daefb"

CHANGES: dict[str, Callable[[PostedTransfer], object]] = {
    "community_id": lambda row: BEN,
    "seq": lambda row: row.seq + 1,
    "entry_id": lambda row: BEN,
    "position": lambda row: row.position + 1,
    "source_id": lambda row: CAT,
    "destination_id": lambda row: CAT,
    "minutes": lambda row: row.minutes + Minutes(1),
    "occurred_on": lambda row: row.occurred_on + timedelta(days=1),
    "posted_at": lambda row: row.posted_at + timedelta(microseconds=1),
    "source_line": lambda row: row.source_line + 1,
    "source_balance": lambda row: row.source_balance + Minutes(1),
    "destination_line": lambda row: row.destination_line + 1,
    "destination_balance": lambda row: row.destination_balance + Minutes(1),
    "reverses_id": lambda row: BEN,
    "commitment": lambda row: bytes(32),
    "previous": lambda row: bytes(32),
}


def test_every_fact_of_a_transfer_is_hashed() -> None:
    book = journal()
    book.post([entry(1, (ANA, BEN, 90))], NOON)
    row = book.transfers[0]
    assert {field.name for field in fields(row)} == {*CHANGES, "hash"}
    for name, change in CHANGES.items():
        assert chain.digest(replace(row, **{name: change(row)})) != row.hash, name  # type: ignore[arg-type]


def test_each_transfer_carries_the_hash_of_the_one_before() -> None:
    book = journal()
    book.post([entry(1, (ANA, BEN, 90), (BEN, CAT, 5)), entry(2, (CAT, ANA, 5))], after(1))
    previous = chain.genesis(HERE)
    for row in book.transfers:
        assert row.previous == previous
        previous = row.hash
    assert book.head.hash == previous


@given(ids, ids)
def test_no_two_communities_begin_alike(one: UUID, other: UUID) -> None:
    assert (chain.genesis(one) == chain.genesis(other)) == (one == other)


def test_a_moment_is_hashed_in_utc_to_the_microsecond() -> None:
    assert chain.microseconds(datetime(1970, 1, 1, 0, 0, 1, 7, tzinfo=UTC)) == 1_000_007
    there = timezone(timedelta(hours=2))
    assert chain.microseconds(datetime(1970, 1, 1, 2, tzinfo=there)) == 0
    assert chain.microseconds(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1
    with pytest.raises(ValueError, match="time zone"):
        chain.microseconds(datetime(2026, 1, 1))  # noqa: DTZ001


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
words = st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), json_values, max_size=4)


@given(st.binary(min_size=16, max_size=40), words)
def test_a_second_program_computes_the_same_commitment(
    salt: bytes, words: dict[str, object]
) -> None:
    spelled = json.dumps(words, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    second = Second("timebank.ledger.commitment").field(salt).field(spelled.encode())
    assert commitment(salt, words) == second.hash()


def test_a_commitment_binds_words_and_says_nothing_without_the_salt() -> None:
    salt = bytes(range(16))
    assert commitment(salt, {"note": "soup", "kind": "help"}) == commitment(
        salt, {"kind": "help", "note": "soup"}
    )
    assert commitment(salt, {"note": "soup"}) != commitment(salt, {"note": "cake"})
    assert commitment(salt, "soup") != commitment(bytes(16), "soup")
    assert commitment(salt, "ab") != commitment(salt + b"a", "b")


@pytest.mark.parametrize("words", [{"a": 1.5}, {"a": b"x"}, {1: "a"}, {"a": {2: "b"}}, {"a": {3}}])
def test_only_words_with_one_spelling_can_be_committed_to(words: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        commitment(bytes(16), words)


def test_a_salt_is_long_enough_not_to_be_guessed() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        commitment(bytes(15), "soup")


@given(rows)
def test_proving_computes_the_same_hash_on_a_path_of_its_own(row: PostedTransfer) -> None:
    assert proof.digest(proof.row_of(row)) == chain.digest(row)


@given(rows, rows)
def test_proving_hashes_every_fact(one: PostedTransfer, other: PostedTransfer) -> None:
    for field in fields(one):
        changed = replace(one, **{field.name: getattr(other, field.name)})
        same = field.name == "hash" or changed == one
        assert (proof.digest(proof.row_of(changed)) == chain.digest(one)) is same
