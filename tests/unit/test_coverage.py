"""When an order was last seen, from the ledger: the segments against looking at every window."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from xiaoe.coverage import Look, Segment, last_look, segments

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
