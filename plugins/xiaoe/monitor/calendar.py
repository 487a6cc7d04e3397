"""Which days have been read, and how long ago: one cell per day of Beijing. No database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, timezone
from typing import NamedTuple

from xiaoe import settings
from xiaoe.clock import midnight
from xiaoe.coverage import Span, days, gaps, latest
from xiaoe.monitor.queries import EPOCH, Looks

DAY = timedelta(days=1)
GAPS = ("gap", "part")


class Cell(NamedTuple):
    """A day.

    Args:
        day: Of Beijing.
        state: `gap`: nothing read, `part`: not all of it, `rejected`: rows in it could not be typed, `today`: not over
            yet, else by age of the look: one of `ages`, or `old`.
        seen: When the part of it was read that was read longest ago, UTC; None where something was not read.
        until: Of today: up to when it has been read, Beijing time.
    """

    day: date
    state: str
    seen: datetime | None
    until: datetime | None = None


class Month(NamedTuple):
    """A row of the calendar: thirty-one places, None where there is no day."""

    label: str
    cells: list[Cell | None]


def ages() -> dict[str, timedelta]:
    """State → up to which age of the look; the rescans keep what they reach young."""
    return {"day": DAY, "rescan": settings.rescan_days(), "deep_rescan": settings.deep_rescan_days()}


def cells(looks: Looks, first: date, now: datetime) -> list[Cell]:
    """Every day from the first to today.

    Args:
        looks: Windows of the ledger, as `queries.looks` returns them.
        first: Where the history begins.
        now: The present, with Beijing's offset.
    """
    today, end = now.date(), now.date() + DAY
    on_top = [(midnight(EPOCH) + timedelta(seconds=edge), place) for edge, place in latest(looks)]
    missing = gaps(on_top, midnight(today), midnight(end))
    return [
        _cell(day, places, looks, now) if day < today else _today(day, places, missing, looks)
        for day, places in days(on_top, first, end).items()
    ]


def months(cells: Iterable[Cell]) -> list[Month]:
    """The latest month first."""
    rows: dict[str, list[Cell | None]] = {}
    for cell in cells:
        rows.setdefault(f"{cell.day:%Y-%m}", [None] * 31)[cell.day.day - 1] = cell
    return [Month(label, row) for label, row in sorted(rows.items(), reverse=True)]


def unread(cells: Iterable[Cell]) -> list[tuple[date, date]]:
    """First and last day of every run of days that were not read wholly."""
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
    seen = _seen_first(read)
    if any(look[3] for look in read):
        return Cell(day, "rejected", seen)
    age = now.astimezone(timezone.utc).replace(tzinfo=None) - seen
    return Cell(day, next((state for state, limit in ages().items() if age <= limit), "old"), seen)


def _today(day: date, places: list[int | None], missing: list[Span], looks: Looks) -> Cell:
    if missing and missing[0].begin == midnight(day):
        return Cell(day, "today", None)
    seen = _seen_first(looks[place] for place in places if place is not None)
    return Cell(day, "today", seen, missing[0].begin.replace(tzinfo=None) if missing else None)


def _seen_first(read: Iterable[tuple[int, ...]]) -> datetime:
    """When the one of some windows was read that was read longest ago, UTC."""
    return datetime.combine(EPOCH, time()) + timedelta(seconds=min(look[2] for look in read))
