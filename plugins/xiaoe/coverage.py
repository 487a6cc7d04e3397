"""When was an order made at a given moment last seen? From the ledger of windows; pure, no database."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Sequence
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
    latest_first = sorted((look for look in looks if look.begin < look.end), key=lambda look: look.observed_at)[::-1]
    begins = sorted(range(len(latest_first)), key=lambda number: latest_first[number].begin)
    edges = sorted({edge for look in latest_first for edge in (look.begin, look.end)})
    found: list[Segment] = []
    open_looks: list[int] = []  # places in latest_first, so that the smallest is the latest
    position = 0
    for edge in edges:
        while position < len(begins) and latest_first[begins[position]].begin <= edge:
            heapq.heappush(open_looks, begins[position])
            position += 1
        while open_looks and latest_first[open_looks[0]].end <= edge:
            heapq.heappop(open_looks)
        latest = latest_first[open_looks[0]].observed_at if open_looks else None
        if not found or found[-1].observed_at != latest:
            found.append(Segment(edge, latest))
    return found


def last_look(covered: Sequence[Segment], made: datetime) -> datetime | None:
    """When an order made at a moment was last seen by a window; None if by none."""
    place = bisect_right(covered, made, key=lambda segment: segment.begin)
    return covered[place - 1].observed_at if place else None
