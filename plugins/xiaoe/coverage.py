"""When was an order made at a given moment last seen? From the ledger of windows; pure, no database."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple


class Look(NamedTuple):
    """A merged window of orders: all orders made in [begin, end) were seen at `observed_at` or later.

    Args:
        begin: When orders were made; all times with an offset, or none of them.
        end: The same; not included.
        observed_at: Of the window's earliest page.
    """

    begin: datetime
    end: datetime
    observed_at: datetime


class Segment(NamedTuple):
    """From `begin` to the next segment's begin, orders were last seen at `observed_at`; None: by no window."""

    begin: datetime
    observed_at: datetime | None


def segments(looks: Iterable[Look]) -> list[Segment]:
    """Cut overlapping windows into segments that do not overlap, each with the latest look at it.

    In order of time; neighbours differ; the last one is that behind all windows.
    """
    known = list(looks)
    found: list[Segment] = []
    for edge, place in _latest_at_each_edge(known):
        latest = None if place is None else known[place].observed_at
        if not found or found[-1].observed_at != latest:
            found.append(Segment(edge, latest))
    return found


def still_needed(looks: Sequence[Look]) -> set[int]:
    """Places of the looks that are the latest one at some moment; without the others, `segments` says the same."""
    return {place for _, place in _latest_at_each_edge(looks) if place is not None}


def _latest_at_each_edge(looks: Sequence[Look]) -> Iterator[tuple[datetime, int | None]]:
    """Each moment at which a window begins or ends, and the place of the latest look from there on."""
    real = [place for place, look in enumerate(looks) if look.begin < look.end]
    latest_first = sorted(real, key=lambda place: looks[place].observed_at)[::-1]
    begins = sorted(range(len(latest_first)), key=lambda number: looks[latest_first[number]].begin)
    edges = sorted({edge for place in real for edge in (looks[place].begin, looks[place].end)})
    open_looks: list[int] = []  # numbers in latest_first, so that the smallest is the latest
    position = 0
    for edge in edges:
        while position < len(begins) and looks[latest_first[begins[position]]].begin <= edge:
            heapq.heappush(open_looks, begins[position])
            position += 1
        while open_looks and looks[latest_first[open_looks[0]]].end <= edge:
            heapq.heappop(open_looks)
        yield edge, latest_first[open_looks[0]] if open_looks else None


def last_look(covered: Sequence[Segment], made: datetime) -> datetime | None:
    """When an order made at a moment was last seen by a window; None if by none."""
    place = bisect_right(covered, made, key=lambda segment: segment.begin)
    return covered[place - 1].observed_at if place else None


class Span(NamedTuple):
    """A span [begin, end) of creation times; covered by a window, or by none."""

    begin: datetime
    end: datetime


def joined(windows: Iterable[Span]) -> list[Span]:
    """The spans that windows cover together, none touching the next.

    Args:
        windows: By their begin, in order; they may overlap.
    """
    found: list[Span] = []
    for window in windows:
        if window.begin >= window.end:
            continue
        if found and window.begin <= found[-1].end:
            if window.end > found[-1].end:
                found[-1] = Span(found[-1].begin, window.end)
        else:
            found.append(window)
    return found


def gaps(covered: Iterable[Span], begin: datetime, end: datetime) -> list[Span]:
    """What is left of [begin, end) between spans that do not overlap, in order of time."""
    found, at = [], begin
    for span in covered:
        if at < min(span.begin, end):
            found.append(Span(at, min(span.begin, end)))
        at = max(at, span.end)
    return [*found, Span(at, end)] if at < end else found
