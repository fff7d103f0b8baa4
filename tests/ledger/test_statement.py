"""Statements: what an account did in a period, and that it always adds up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger import ZERO, Journal, Line, Minutes, Statement
from ledger.errors import BrokenBooks, UnknownAccount
from tests.ledger.making import ANA, BEN, CAT, NOON, after, entry, journal


def a_week() -> Journal:
    book = journal()
    for hour, moves in enumerate([(ANA, BEN, 60), (CAT, ANA, 30), (BEN, CAT, 10), (ANA, CAT, 5)]):
        book.post([entry(hour, moves)], after(hour))
    return book


def test_a_statement_shows_each_line_with_the_balance_it_left() -> None:
    statement = a_week().statement(ANA)
    assert [(line.number, str(line.minutes), str(line.balance)) for line in statement.lines] == [
        (1, "-1:00", "-1:00"),
        (2, "0:30", "-0:30"),
        (3, "-0:05", "-0:35"),
    ]
    assert [line.other_id for line in statement.lines] == [BEN, CAT, CAT]
    assert statement.opening == ZERO
    assert statement.closing == Minutes(-35)
    assert statement.came_in == Minutes(30)
    assert statement.went_out == Minutes(65)


def test_a_period_begins_with_what_was_there_before() -> None:
    statement = a_week().statement(ANA, after(1), after(3))
    assert [line.number for line in statement.lines] == [2]
    assert statement.opening == Minutes(-60)
    assert statement.closing == Minutes(-30)


def test_a_period_includes_its_start_and_not_its_end() -> None:
    book = a_week()
    assert [line.number for line in book.statement(ANA, after(0), after(1)).lines] == [1]
    assert [line.number for line in book.statement(ANA, after(1), after(1)).lines] == []


def test_a_period_without_lines_closes_as_it_opens() -> None:
    statement = a_week().statement(ANA, after(9), after(10))
    assert statement == Statement(ANA, Minutes(-35), (), Minutes(-35))


def test_two_periods_meet() -> None:
    book = a_week()
    for hour in range(6):
        first, second = book.statement(CAT, None, after(hour)), book.statement(CAT, after(hour))
        assert first.closing == second.opening
        assert first.lines + second.lines == book.statement(CAT).lines


def test_an_account_that_is_not_there_has_no_statement() -> None:
    with pytest.raises(UnknownAccount):
        journal().statement(entry(1).id)


def test_a_statement_that_does_not_add_up_cannot_be_made() -> None:
    good = a_week().statement(ANA)
    with pytest.raises(BrokenBooks, match="closing"):
        replace(good, closing=ZERO)
    with pytest.raises(BrokenBooks, match="line 1"):
        replace(good, opening=Minutes(1))
    with pytest.raises(BrokenBooks, match="line 3"):
        replace(good, lines=(good.lines[0], good.lines[2], good.lines[1]))


def test_a_line_belongs_to_one_of_two_accounts() -> None:
    row = a_week().transfers[0]
    assert Line.of(row, ANA).minutes == -Line.of(row, BEN).minutes
    with pytest.raises(ValueError, match="no part"):
        Line.of(row, CAT)


def test_the_day_of_the_help_does_not_move_a_line() -> None:
    book = journal()
    late = entry(1, (ANA, BEN, 5), day=NOON.date().replace(year=2025))
    book.post([late], NOON)
    assert [line.occurred_on.year for line in book.statement(ANA, NOON).lines] == [2025]
