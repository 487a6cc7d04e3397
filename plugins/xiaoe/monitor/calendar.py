"""Which days have been read, and how long ago: one cell per Beijing day. No database.

A day is covered if no second of it is bare; grouping by day in SQL would hide a gap of an hour. A row that could not be
typed colours the whole window it came in, up to six days, because the ledger knows windows, not rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, timezone
from typing import NamedTuple

from xiaoe import settings
from xiaoe.clock import midnight
from xiaoe.coverage import Span, days, gaps, latest
from xiaoe.monitor.records import EPOCH, Looks

DAY = timedelta(days=1)
GAPS = ("gap", "part")


class Cell(NamedTuple):
    """A cell of the calendar: one day.

    Args:
        day: Beijing day.
        state: `gap`: not read, `part`: partly read, `rejected`: some rows could not be typed, `today`: not over yet,
            else by age of the observation: one of `ages`, or `old`.
        seen: The oldest observation of any moment of the day, naive UTC; None if some moment was not read.
        until: Of today: up to when it has been read, Beijing time.
    """

    day: date
    state: str
    seen: datetime | None
    until: datetime | None = None


class Month(NamedTuple):
    """A row of the calendar: 31 cells, None for days that do not exist."""

    label: str
    cells: list[Cell | None]


def ages() -> dict[str, timedelta]:
    """State → maximum age of the observation; days within a rescan's reach stay below its limit."""
    return {"day": DAY, "rescan": settings.rescan_days(), "deep_rescan": settings.deep_rescan_days()}


def cells(looks: Looks, first: date, now: datetime) -> list[Cell]:
    """Every day from the first to today.

    Args:
        looks: Windows of the ledger, as `queries.looks` returns them.
        first: First day of the history.
        now: The current time, with Beijing's offset.
    """
    today, end = now.date(), now.date() + DAY
    latest_looks = [(midnight(EPOCH) + timedelta(seconds=edge), place) for edge, place in latest(looks)]
    missing = gaps(latest_looks, midnight(today), midnight(end))
    return [
        _cell(day, places, looks, now) if day < today else _today(day, places, missing, looks)
        for day, places in days(latest_looks, first, end).items()
    ]


def months(cells: Iterable[Cell]) -> list[Month]:
    """The cells by month, latest month first."""
    rows: dict[str, list[Cell | None]] = {}
    for cell in cells:
        rows.setdefault(f"{cell.day:%Y-%m}", [None] * 31)[cell.day.day - 1] = cell
    return [Month(label, row) for label, row in sorted(rows.items(), reverse=True)]


def unread(cells: Iterable[Cell]) -> list[tuple[date, date]]:
    """First and last day of each run of consecutive days that were not fully read."""
    found: list[tuple[date, date]] = []
    for cell in cells:
        if cell.state in GAPS:
            if found and found[-1][1] == cell.day - DAY:
                found[-1] = (found[-1][0], cell.day)
            else:
                found.append((cell.day, cell.day))
    return found


def _cell(day: date, places: list[int | None], looks: Looks, now: datetime) -> Cell:
    read = [looks[place] for place in places if place is not None]
    if len(read) < len(places):
        return Cell(day, "part" if read else "gap", None)
    seen = _oldest_observation(read)
    if any(look[3] for look in read):
        return Cell(day, "rejected", seen)
    age = now.astimezone(timezone.utc).replace(tzinfo=None) - seen
    return Cell(day, next((state for state, limit in ages().items() if age <= limit), "old"), seen)


def _today(day: date, places: list[int | None], missing: list[Span], looks: Looks) -> Cell:
    if missing and missing[0].begin == midnight(day):
        return Cell(day, "today", None)
    seen = _oldest_observation(looks[place] for place in places if place is not None)
    return Cell(day, "today", seen, missing[0].begin.replace(tzinfo=None) if missing else None)


def _oldest_observation(read: Iterable[tuple[int, ...]]) -> datetime:
    """The oldest observation of some windows, naive UTC."""
    return datetime.combine(EPOCH, time()) + timedelta(seconds=min(look[2] for look in read))
