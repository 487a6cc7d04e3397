"""When was what was made at a given moment last seen? One algebra over the ledger of windows; pure, no database.

`latest` lays the windows over each other; everything else here is read from its result: moments in order of time,
each with what holds from there up to the next moment.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple, TypeVar

from xiaoe.clock import BEIJING, midnight

Moment = TypeVar("Moment", datetime, int)
Value = TypeVar("Value")
_DAY = timedelta(days=1)


class Look(NamedTuple):
    """A merged window of orders: all orders made in [begin, end) were seen at `observed_at` or later.

    Args:
        begin: When orders were made; all times with an offset, or none of them.
        end: The same; not included. A window that ends before it begins holds nothing.
        observed_at: Of the window's earliest page.
    """

    begin: datetime
    end: datetime
    observed_at: datetime


class Segment(NamedTuple):
    """From `begin` to the next segment's begin, orders were last seen at `observed_at`; None: by no window."""

    begin: datetime
    observed_at: datetime | None


class Span(NamedTuple):
    """A span [begin, end) of creation times."""

    begin: datetime
    end: datetime


def latest(looks: Sequence[tuple[Moment, ...]]) -> list[tuple[Moment, int | None]]:
    """Lay overlapping windows over each other, the latest look on top: O(n log n).

    Args:
        looks: `Look`s, or tuples that begin as one does; a hundred thousand are faster to compare as numbers.

    Returns:
        Moments in order of time, each with the place in `looks` of the look on top from there on; None: none. The
        last one is the end of all windows.
    """
    real = [place for place, look in enumerate(looks) if look[0] < look[1]]
    latest_first = sorted(real, key=[look[2] for look in looks].__getitem__, reverse=True)
    begins, ends = ([looks[place][edge] for place in latest_first] for edge in (0, 1))
    on_top: dict[Moment, int | None] = {}
    open_ranks: list[int] = []  # a heap of places in latest_first: the smallest is the latest look

    def close(until: Moment) -> None:
        """Drop what has ended by then from the top."""
        while open_ranks and ends[open_ranks[0]] <= until:
            edge = ends[heapq.heappop(open_ranks)]
            while open_ranks and ends[open_ranks[0]] <= edge:
                heapq.heappop(open_ranks)
            on_top[edge] = latest_first[open_ranks[0]] if open_ranks else None

    for rank in sorted(range(len(begins)), key=begins.__getitem__):
        close(begins[rank])
        heapq.heappush(open_ranks, rank)
        if open_ranks[0] == rank:
            on_top[begins[rank]] = latest_first[rank]
    if ends:
        close(max(ends))
    return list(on_top.items())


def segments(looks: Iterable[Look]) -> list[Segment]:
    """Cut overlapping windows into segments that do not overlap, each with the latest look at it.

    In order of time; neighbours differ; the last one is that behind all windows.
    """
    known = list(looks)
    found: list[Segment] = []
    for begin, place in latest(known):
        seen = None if place is None else known[place].observed_at
        if not found or found[-1].observed_at != seen:
            found.append(Segment(begin, seen))
    return found


def still_needed(looks: Sequence[Look]) -> set[int]:
    """Places of the looks that are the latest one at some moment; without the others, `segments` says the same."""
    return {place for _, place in latest(looks) if place is not None}


def last_look(covered: Sequence[Segment], made: datetime) -> datetime | None:
    """When an order made at a moment was last seen by a window; None if by none."""
    place = bisect_right(covered, made, key=itemgetter(0))
    return covered[place - 1].observed_at if place else None


def gaps(covered: Sequence[tuple[datetime, Value | None]], begin: datetime, end: datetime) -> list[Span]:
    """The spans of [begin, end) that no window covers, in order of time; none touches the next.

    Args:
        covered: As `segments` or `latest` returns them.
        begin: Where to look.
        end: The same; not included.
    """
    return [Span(since, until) for since, until, value in _between(covered, begin, end) if value is None]


def days(covered: Sequence[tuple[datetime, Value | None]], first: date, end: date) -> dict[date, list[Value | None]]:
    """Each day of Beijing → what holds on it from midnight to midnight, in order of time; None: no window.

    Args:
        covered: As `segments` or `latest` returns them; with an offset.
        first: A day.
        end: The day after the last.
    """
    found: dict[date, list[Value | None]] = {}
    for begin, until, value in _between(covered, midnight(first), midnight(end)):
        day = begin.astimezone(BEIJING).date()
        while midnight(day) < until:
            found.setdefault(day, []).append(value)
            day += _DAY
    return found


def seen_days(covered: Sequence[Segment], first: date, end: date) -> dict[date, datetime | None]:
    """Days of Beijing, as for `days` → when all of the day was last seen; None: not all of it was, ever."""
    return {day: None if None in seen else min(filter(None, seen)) for day, seen in days(covered, first, end).items()}


def _between(
    covered: Sequence[tuple[datetime, Value | None]], begin: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime, Value | None]]:
    """What holds in [begin, end), cut at both: since when, until when, what."""
    for (since, value), (until, _) in pairwise([(begin, None), *covered, (end, None)]):
        since, until = max(since, begin), min(until, end)
        if since < until:
            yield since, until, value
