"""When an order was last seen, from the ledger: segments, gaps and days against looking at every window."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from xiaoe.clock import midnight
from xiaoe.coverage import Look, Segment, Span, days, gaps, last_look, latest, seen_days, segments

DAY = datetime(2026, 11, 1)
MILLISECOND = timedelta(milliseconds=1)


def second(number: int) -> datetime:
    return DAY + timedelta(seconds=number)


def look(begin: int, end: int, seen: int) -> Look:
    return Look(second(begin), second(end), DAY + seen * MILLISECOND)


def seen_by(looks: list[Look], moment: datetime) -> datetime | None:
    """The plain way: ask every window."""
    return max((one.observed_at for one in looks if one.begin <= moment < one.end), default=None)


looks = st.lists(st.builds(look, st.integers(0, 12), st.integers(0, 12), st.integers(0, 6)), max_size=12)
"""Windows that meet, overlap, hold each other, are the same, are empty or turned round; many seen at once."""


@given(looks)
@example([look(0, 4, 1), look(4, 8, 1)])
@example([look(0, 8, 1), look(2, 4, 2)])
@example([look(0, 8, 2), look(2, 4, 1)])
@example([look(0, 4, 3), look(2, 8, 3), look(2, 8, 3)])
def test_every_second_was_seen_when_the_windows_say(windows: list[Look]) -> None:
    found = segments(windows)
    for number in range(-1, 14):
        assert last_look(found, second(number)) == seen_by(windows, second(number)), number


@given(looks)
def test_segments_are_in_order_and_as_few_as_can_be(windows: list[Look]) -> None:
    found = segments(windows)
    assert all(left.begin < right.begin for left, right in pairwise(found))
    assert all(left.observed_at != right.observed_at for left, right in pairwise(found))
    if found:
        assert found[0].observed_at is not None
        assert found[-1].observed_at is None


@given(looks, st.randoms())
def test_the_order_of_the_windows_does_not_matter(windows: list[Look], dice: object) -> None:
    shuffled = list(windows)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert segments(shuffled) == segments(windows) == segments(windows + windows)


def test_no_window_no_segment() -> None:
    assert segments([]) == segments([look(3, 3, 1), look(5, 4, 1)]) == []


def test_a_window_ends_before_its_end() -> None:
    assert segments([look(1, 2, 5)]) == [Segment(second(1), DAY + 5 * MILLISECOND), Segment(second(2), None)]


@given(looks)
def test_on_top_is_a_look_that_no_other_at_the_moment_is_later_than(windows: list[Look]) -> None:
    found = latest(windows)
    assert all(one[0] < other[0] for one, other in pairwise(found))
    for (begin, place), (end, _) in pairwise([(second(-1), None), *found, (second(14), None)]):
        for number in range(-1, 14):
            if begin <= second(number) < end:
                assert (windows[place].observed_at if place is not None else None) == seen_by(windows, second(number))
                assert place is None or windows[place].begin <= second(number) < windows[place].end


@given(looks)
def test_numbers_and_times_lie_over_each_other_alike(windows: list[Look]) -> None:
    """The monitoring page has a hundred thousand windows, as numbers, with more columns."""
    numbers = [(*(int((one - DAY) / MILLISECOND) for one in look), "more") for look in windows]
    found = latest(numbers)  # type: ignore[type-var]
    assert [(DAY + edge * MILLISECOND, place) for edge, place in found] == latest(windows)


@given(looks, st.integers(-2, 14), st.integers(-2, 14))
@example([], 0, 3)
@example([look(0, 3, 1), look(5, 8, 1)], 2, 6)
@example([look(5, 8, 1)], 0, 3)
@example([look(0, 3, 1)], 5, 8)
def test_gaps_are_what_no_window_holds(windows: list[Look], begin: int, end: int) -> None:
    for covered in (segments(windows), latest(windows)):
        found = gaps(covered, second(begin), second(end))  # type: ignore[arg-type, misc]
        missing = {number for number in range(begin, end) if seen_by(windows, second(number)) is None}
        inside = {number for number in range(-2, 14) for gap in found if gap.begin <= second(number) < gap.end}
        assert inside == missing
        assert all(gap.begin < gap.end for gap in found)
        assert all(one.end < other.begin for one, other in pairwise(found)), "in order, none touches the next"


def test_a_gap_ends_where_it_is_looked_for_or_where_a_window_begins() -> None:
    covered = segments([look(2, 4, 1), look(4, 5, 2)])
    assert gaps(covered, second(0), second(9)) == [Span(second(0), second(2)), Span(second(5), second(9))]
    assert gaps(covered, second(2), second(5)) == []


MAY = date(2026, 5, 1)
QUARTER = timedelta(hours=6)
quarters = st.lists(
    st.builds(
        lambda begin, width, seen: Look(
            midnight(MAY) + begin * QUARTER, midnight(MAY) + (begin + width) * QUARTER, midnight(MAY) + seen * QUARTER
        ),
        st.integers(-8, 24), st.integers(-1, 12), st.integers(1, 9),
    ),
    max_size=6,
)  # fmt: skip


@given(quarters, st.integers(-3, 5), st.integers(-3, 8))
def test_a_day_holds_what_its_moments_say(windows: list[Look], first: int, end: int) -> None:
    """Windows begin and end every six hours, so four moments of a day tell all."""
    covered = segments(windows)
    found = days(covered, MAY + timedelta(first), MAY + timedelta(end))
    assert list(found) == [MAY + timedelta(number) for number in range(first, end)]
    for day, values in found.items():
        moments = [seen_by(windows, midnight(day) + number * QUARTER) for number in range(4)]
        assert values == [one for number, one in enumerate(moments) if not number or one != moments[number - 1]]
    seen = seen_days(covered, MAY + timedelta(first), MAY + timedelta(end))
    assert seen == {day: None if None in values else min(values) for day, values in found.items()}  # type: ignore[type-var]


def test_a_day_is_one_of_beijing() -> None:
    one = Look(midnight(MAY), midnight(MAY + timedelta(1)), midnight(MAY + timedelta(2)))
    utc = Look(*(moment.astimezone(timezone.utc) for moment in one))
    assert seen_days(segments([utc]), MAY, MAY + timedelta(1)) == {MAY: one.observed_at}
