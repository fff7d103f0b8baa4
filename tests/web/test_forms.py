"""Forms: what people type becomes values, and every mistake a sentence beside its field."""

from __future__ import annotations

import io
from datetime import date
from uuid import UUID

import pytest
from starlette.datastructures import FormData, QueryParams, UploadFile

from ledger import Minutes
from ledger.errors import Busy, NotPositive
from timebank.entry import Kind
from timebank.errors import DayAhead
from web.forms import Form

ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def sent(**fields: str) -> Form:
    return Form(FormData(fields))


def test_text_is_stripped_and_composed() -> None:
    form = sent(name="  Ame\u0301lie  Lima ")
    assert form.text("name") == "Amélie Lima" or form.text("name") == "Amélie  Lima"
    assert form.ok


@pytest.mark.parametrize(
    "typed",
    ["a\x00b", "a\x07b", "a\u202eb", "a\u2066b", "a\ud800b", "two\nlines", "x" * 201],
)
def test_text_that_cannot_be_kept_is_a_mistake_and_comes_to_nothing(typed: str) -> None:
    form = sent(name=typed)
    assert form.text("name") == ""
    assert list(form.mistakes) == ["name"]


def test_line_breaks_stay_where_lines_are_asked_for() -> None:
    assert sent(note="one\r\ntwo").text("note", lines=True) == "one\ntwo"


def test_what_is_required_and_empty_is_a_mistake() -> None:
    form = sent(name="   ")
    form.text("name")
    form.minutes("minutes")
    form.day("day")
    form.choice("kind", Kind)
    form.id("entry")
    form.number("step", 1, 60)
    assert list(form.mistakes) == ["name", "minutes", "day", "kind", "entry", "step"]
    assert set(form.mistakes.values()) == {"Please fill this in."}


def test_what_may_be_empty_is_nothing_and_no_mistake() -> None:
    form = Form.blank()
    assert form.text("name", required=False) == ""
    assert form.minutes("minutes", required=False) is None
    assert form.day("day", required=False) is None
    assert form.choice("kind", Kind, required=False) is None
    assert form.id("entry", required=False) is None
    assert form.number("step", 1, 60, required=False) is None
    assert form.ids("entry") == []
    assert not form.flag("sure")
    assert form.ok


def test_good_values_are_read() -> None:
    form = sent(minutes="1:30", day="2026-05-04", kind="help", entry=ID, step=" 15 ", sure="1")
    assert form.minutes("minutes") == Minutes(90)
    assert form.day("day") == date(2026, 5, 4)
    assert form.choice("kind", Kind) is Kind.HELP
    assert form.id("entry") == UUID(ID)
    assert form.number("step", 1, 60) == 15
    assert form.flag("sure")
    assert form.ok


@pytest.mark.parametrize(
    "typed", ["90", "1:75", "-1:30", "1.33 h", "NaN", "1e3 h", "١:٣٠", "１:30", "99999999h", "x"]
)
def test_minutes_nobody_can_mean_are_a_mistake_that_says_why(typed: str) -> None:
    form = sent(minutes=typed)
    assert form.minutes("minutes") is None
    assert form.mistakes["minutes"]


@pytest.mark.parametrize(
    "typed",
    ["4.5.2026", "2026-02-30", "0000-01-01", "20260504", "2026-W19-1", "٢٠٢٦-٠٥-٠٤", "1899-12-31"],
)
def test_a_day_that_is_none_is_a_mistake(typed: str) -> None:
    form = sent(day=typed)
    assert form.day("day") is None
    assert "not a day" in form.mistakes["day"]


@pytest.mark.parametrize(
    "typed", ["1.5", "1e3", "0x10", "١٢", "１２", "1_0", "+5", "²", "true", "9" * 5000, "--1"]
)
def test_a_number_that_is_none_is_a_mistake(typed: str) -> None:
    form = sent(step=typed)
    assert form.number("step", 1, 60) is None
    assert "whole number" in form.mistakes["step"]


def test_a_number_outside_its_bounds_says_which_bound() -> None:
    low, high = sent(step="0"), sent(step="61")
    assert low.number("step", 1, 60) is None
    assert high.number("step", 1, 60) is None
    assert low.mistakes["step"] == "This has to be at least 1."
    assert high.mistakes["step"] == "This can be at most 60."


@pytest.mark.parametrize("typed", ["hElp", "grants", "0", "None", "help\x00"])
def test_a_choice_that_was_not_offered_is_a_mistake(typed: str) -> None:
    form = sent(kind=typed)
    assert form.choice("kind", Kind) is None
    assert not form.ok


@pytest.mark.parametrize(
    "typed", ["1", "0", "-1", ID.upper(), ID + "0", f"{{{ID}}}", ID.replace("-", ""), "../x"]
)
def test_an_id_is_written_in_one_way_only(typed: str) -> None:
    form = sent(entry=typed)
    assert form.id("entry") is None
    assert not form.ok


def test_ids_come_each_once_and_in_order() -> None:
    other = ID.replace("0189", "0188")
    form = Form(FormData([("entry", ID), ("entry", other), ("entry", ID)]))
    assert form.ids("entry") == [UUID(ID), UUID(other)]
    assert form.ok
    wrong = Form(FormData([("entry", ID), ("entry", "x")]))
    assert wrong.ids("entry") == [UUID(ID)]
    assert not wrong.ok


def test_a_field_sent_twice_is_refused() -> None:
    form = Form(FormData([("minutes", "1:00"), ("minutes", "2:00")]))
    assert form.minutes("minutes") is None
    assert form.mistakes["minutes"] == "This was sent twice. Please fill it in once."
    query = Form(QueryParams("q=a&q=b"))
    assert query.text("q", required=False) == ""
    assert not query.ok


def test_a_file_is_no_text() -> None:
    form = Form(FormData([("name", UploadFile(io.BytesIO(b"x"), filename="x"))]))
    assert form.text("name") == ""
    assert form.raw("name") == ""
    assert not form.ok


def test_a_password_is_taken_as_it_was_typed() -> None:
    assert sent(password="  Ame\u0301lie ").secret("password") == "  Ame\u0301lie "
    for typed in ("", "x" * 257, "a\x00b", "a\ud800"):
        form = sent(password=typed)
        assert form.secret("password") == ""
        assert not form.ok


def test_what_was_typed_is_there_to_be_shown_again() -> None:
    form = sent(minutes="soon")
    form.minutes("minutes")
    assert form.raw("minutes") == "soon"
    assert form.has("minutes")
    assert not form.has("day")


def test_a_refusal_stands_beside_its_field_if_the_form_has_it() -> None:
    form = sent(day="2026-05-04", minutes="1:00")
    form.refused(DayAhead(date(2026, 5, 4)), str)
    form.refused(NotPositive(Minutes(0)), str)
    form.refused(Busy(), str)
    assert list(form.mistakes) == ["day", "minutes", ""]
    without = sent(minutes="1:00")
    without.refused(DayAhead(date(2026, 5, 4)), str)
    assert list(without.mistakes) == [""]


def test_the_first_mistake_of_a_field_stands() -> None:
    form = sent(name="")
    form.text("name")
    form.mistake("name", "Something else.")
    assert form.mistakes == {"name": "Please fill this in."}


def test_mistakes_are_said_in_the_readers_language() -> None:
    form = sent(name="")
    form.text("name")
    form.speak(str.upper)
    assert form.mistakes == {"name": "PLEASE FILL THIS IN."}
