"""What the maintenance may remove without anybody noticing; no database."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from xiaoe.clock import BEIJING
from xiaoe.coverage import Look, segments, still_needed

ZERO = datetime(2026, 1, 1, tzinfo=BEIJING)
HOURS = range(-1, 26)


def at(hours: float) -> datetime:
    return ZERO + timedelta(hours=hours)


def look(begin: int, length: int, observed: int) -> Look:
    return Look(at(begin), at(begin + length), at(observed))


looks = st.lists(st.builds(look, st.integers(0, 20), st.integers(0, 8), st.integers(0, 6)), max_size=14)


@given(looks, st.sets(st.integers(0, 13)))
def test_without_the_lines_that_go_every_moment_was_last_seen_as_before(
    all_of_them: list[Look], young: set[int]
) -> None:
    """Those that are needed stay, and whichever others are young."""
    needed = still_needed(all_of_them)
    left = [one for place, one in enumerate(all_of_them) if place in needed or place in young]
    assert segments(left) == segments(all_of_them)


@given(looks)
def test_of_the_lines_that_stay_none_could_go(all_of_them: list[Look]) -> None:
    for place in still_needed(all_of_them):
        others = [one for number, one in enumerate(all_of_them) if number != place]
        if all_of_them[place] not in others and all(
            one.observed_at != all_of_them[place].observed_at for one in others
        ):
            assert segments(others) != segments(all_of_them)


@given(looks, st.integers(-1, 7), st.integers(0, 20), st.integers(1, 8))
def test_a_late_merge_learns_the_same_from_fewer_lines(
    all_of_them: list[Look], read_at: int, begin: int, length: int
) -> None:
    """It asks for lines over its window that were observed after its pages, and takes the latest over each row."""
    needed = still_needed(all_of_them)
    left = [one for place, one in enumerate(all_of_them) if place in needed]

    def later(known: list[Look]) -> list[Look]:
        window = (at(begin), at(begin + length))
        return [one for one in known if one.observed_at > at(read_at) and one.begin < window[1] and one.end > window[0]]

    def seen(known: list[Look], moment: datetime) -> datetime | None:
        return max((one.observed_at for one in later(known) if one.begin <= moment < one.end), default=None)

    assert all(seen(left, at(hour)) == seen(all_of_them, at(hour)) for hour in range(begin, begin + length))
    real = [one for one in all_of_them if one.begin < one.end]
    assert bool(later(left)) == bool(later(real)), "a whole list that is late marks nobody absent"
