"""Minutes: what people may write, what they read, and that nothing is ever lost in between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import MAX, ZERO, Minutes, NotMinutes, NotMinutesReason, Rounding, round_to

counts = st.integers(min_value=-100_000, max_value=100_000)
readable = st.integers(min_value=0, max_value=MAX.count).map(Minutes)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1:30", 90),
        ("0:05", 5),
        ("0:00", 0),
        ("12:00", 720),
        ("1h 30m", 90),
        ("1h30", 90),
        ("1h30m", 90),
        ("1 h 30 min", 90),
        ("1h5", 65),
        ("1h", 60),
        ("1 H", 60),
        ("90m", 90),
        ("90 min", 90),
        ("90 MIN", 90),
        ("1.5 h", 90),
        ("1,5 h", 90),
        ("1.25h", 75),
        ("0,1 h", 6),
        ("0.05h", 3),
        ("  1:30\t", 90),
        ("90\u00a0min", 90),
        ("1\u202fh\u202f30\u2009m", 90),
        ("99999 min", 99_999),
        ("1666:39", 99_999),
    ],
)
def test_people_write_time_in_several_ways(text: str, count: int) -> None:
    assert Minutes.parse(text) == Minutes(count)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", NotMinutesReason.EMPTY),
        (" \u00a0 ", NotMinutesReason.EMPTY),
        ("2", NotMinutesReason.AMBIGUOUS),
        ("1.5", NotMinutesReason.AMBIGUOUS),
        ("1,5", NotMinutesReason.AMBIGUOUS),
        ("90", NotMinutesReason.AMBIGUOUS),
        ("-1:30", NotMinutesReason.SIGNED),
        ("+1h", NotMinutesReason.SIGNED),
        ("\u22121h", NotMinutesReason.SIGNED),
        ("1:75", NotMinutesReason.PAST_THE_HOUR),
        ("1:60", NotMinutesReason.PAST_THE_HOUR),
        ("1h 60m", NotMinutesReason.PAST_THE_HOUR),
        ("1.33 h", NotMinutesReason.NOT_WHOLE),
        ("0,01h", NotMinutesReason.NOT_WHOLE),
        ("100000 min", NotMinutesReason.TOO_MUCH),
        ("1666:40", NotMinutesReason.TOO_MUCH),
        ("9" * 31 + "h", NotMinutesReason.TOO_MUCH),
        ("9" * 5000 + "h", NotMinutesReason.NOT_UNDERSTOOD),
        ("1:5", NotMinutesReason.NOT_UNDERSTOOD),
        ("1:300", NotMinutesReason.NOT_UNDERSTOOD),
        ("1:30:00", NotMinutesReason.NOT_UNDERSTOOD),
        ("1.333 h", NotMinutesReason.NOT_UNDERSTOOD),
        (".5 h", NotMinutesReason.NOT_UNDERSTOOD),
        ("1.5 min", NotMinutesReason.NOT_UNDERSTOOD),
        ("1.5h 10m", NotMinutesReason.NOT_UNDERSTOOD),
        ("half an hour", NotMinutesReason.NOT_UNDERSTOOD),
        ("nan h", NotMinutesReason.NOT_UNDERSTOOD),
        ("1e3m", NotMinutesReason.NOT_UNDERSTOOD),
        ("1_0m", NotMinutesReason.NOT_UNDERSTOOD),
        ("٣ h", NotMinutesReason.NOT_UNDERSTOOD),
        ("１:30", NotMinutesReason.NOT_UNDERSTOOD),
        ("1:3\u0030\u0301", NotMinutesReason.NOT_UNDERSTOOD),
        ("1\n30", NotMinutesReason.NOT_UNDERSTOOD),
        ("1:30\0", NotMinutesReason.NOT_UNDERSTOOD),
        ("30 m 1 h", NotMinutesReason.NOT_UNDERSTOOD),
    ],
)
def test_anything_else_is_refused_with_a_reason(text: str, reason: NotMinutesReason) -> None:
    with pytest.raises(NotMinutes) as caught:
        Minutes.parse(text)
    assert caught.value.reason is reason
    assert caught.value.text == text


def test_every_reason_is_a_sentence_that_says_what_to_write() -> None:
    for reason in NotMinutesReason:
        sentence = str(NotMinutes("x" * 500, reason))
        assert sentence.endswith((".", "min."))
        assert len(sentence) < 200
    assert str(NotMinutes(" 2 ", NotMinutesReason.AMBIGUOUS)) == (
        "2 could be hours or minutes. Write 2 h or 2 min, or 1:30."
    )


@given(readable)
def test_what_we_print_can_be_read_back(minutes: Minutes) -> None:
    assert Minutes.parse(str(minutes)) == minutes
    assert Minutes.parse(f"{minutes.count}m") == minutes


@given(st.text(max_size=40))
def test_any_text_is_minutes_or_a_refusal(text: str) -> None:
    try:
        assert ZERO <= Minutes.parse(text) <= MAX
    except NotMinutes as refusal:
        assert refusal.text == text
        assert str(refusal)


@pytest.mark.parametrize(
    ("count", "text"), [(90, "1:30"), (-90, "-1:30"), (0, "0:00"), (-5, "-0:05"), (6000, "100:00")]
)
def test_minutes_are_shown_as_hours_and_minutes(count: int, text: str) -> None:
    assert str(Minutes(count)) == text


@given(counts, counts)
def test_minutes_add_up_like_whole_numbers(first: int, second: int) -> None:
    assert Minutes(first) + Minutes(second) == Minutes(first + second)
    assert Minutes(first) - Minutes(second) == Minutes(first - second)
    assert -Minutes(first) == Minutes(-first)
    assert abs(Minutes(first)) == Minutes(abs(first))
    assert (Minutes(first) < Minutes(second)) == (first < second)
    assert bool(Minutes(first)) == (first != 0)
    assert sum([Minutes(first), Minutes(second)], ZERO) == Minutes(first + second)
    assert eval(repr(Minutes(first))) == Minutes(first)  # noqa: S307


@pytest.mark.parametrize("count", [True, 1.0, "1", None])
def test_only_whole_numbers_are_minutes(count: object) -> None:
    with pytest.raises(TypeError):
        Minutes(count)  # type: ignore[arg-type]


@pytest.mark.parametrize("other", [1, 1.5, "1:30", None])
def test_minutes_do_not_mix_with_anything_else(other: object) -> None:
    with pytest.raises(TypeError):
        Minutes(1) + other  # type: ignore[operator]
    with pytest.raises(TypeError):
        Minutes(1) - other  # type: ignore[operator]
    with pytest.raises(TypeError):
        bool(Minutes(1) < other)  # type: ignore[operator]
    assert Minutes(1) != other


@pytest.mark.parametrize(
    ("minutes", "nearest", "up", "down"),
    [(0, 0, 0, 0), (7, 0, 15, 0), (8, 15, 15, 0), (15, 15, 15, 15), (52, 45, 60, 45)],
)
def test_minutes_are_rounded_to_a_step(minutes: int, nearest: int, up: int, down: int) -> None:
    step = Minutes(15)
    assert round_to(Minutes(minutes), step, Rounding.NEAREST) == Minutes(nearest)
    assert round_to(Minutes(minutes), step, Rounding.UP) == Minutes(up)
    assert round_to(Minutes(minutes), step, Rounding.DOWN) == Minutes(down)


@given(counts.map(Minutes), st.integers(1, 60).map(Minutes), st.sampled_from(Rounding))
def test_rounding_goes_to_a_neighbouring_step(
    minutes: Minutes, step: Minutes, rounding: Rounding
) -> None:
    rounded = round_to(minutes, step, rounding)
    assert rounded.count % step.count == 0
    assert abs(rounded - minutes) < step
    assert round_to(rounded, step, rounding) == rounded
    if rounding is Rounding.NEAREST:
        assert 2 * abs(rounded - minutes).count <= step.count


def test_a_step_is_at_least_a_minute() -> None:
    with pytest.raises(ValueError, match="at least one minute"):
        round_to(Minutes(5), ZERO, Rounding.UP)
