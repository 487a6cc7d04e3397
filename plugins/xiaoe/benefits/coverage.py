"""When was an order made at a given moment last seen? From the ledger of windows; pure, no database."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple


class Look(NamedTuple):
    """A merged window of orders: all orders made in [begin, end) were seen at `observed_at` or later.

    Args:
        begin: Beijing, naive, as the ledger holds it.
        end: The same; not included.
        observed_at: UTC, naive.
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
    begins = sorted(look for look in looks if look.begin < look.end)
    edges = sorted({edge for look in begins for edge in (look.begin, look.end)})
    found: list[Segment] = []
    open_looks: list[tuple[float, int]] = []  # latest first
    position = 0
    for edge in edges:
        while position < len(begins) and begins[position].begin <= edge:
            heapq.heappush(open_looks, (-begins[position].observed_at.timestamp(), position))
            position += 1
        while open_looks and begins[open_looks[0][1]].end <= edge:
            heapq.heappop(open_looks)
        latest = begins[open_looks[0][1]].observed_at if open_looks else None
        if not found or found[-1].observed_at != latest:
            found.append(Segment(edge, latest))
    return found
