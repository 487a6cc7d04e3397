"""Which days have been read, and how long ago: one cell per Beijing day. Pure: no database.

A day is covered if no second of it is bare; grouping by day in SQL would hide a gap of an hour. A row that could not be
typed colours the whole window it came in, up to six days, because the ledger knows windows, not rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, timezone
from typing import NamedTuple

import numpy as np

from xiaoe.monitor.queries import Looks

DAY = timedelta(days=1)
AGES = ((DAY, "d1"), (timedelta(days=15), "d15"), (timedelta(days=90), "d90"))
"""Maximum age of the observation → state; older ones are `old`."""
GAPS = ("gap", "part")
_YEAR_ZERO = 365
"""MySQL's day number of the day before Python's day 1."""


class Cell(NamedTuple):
    """A cell of the calendar: one day.

    Args:
        day: Beijing day.
        state: `gap`: not read, `part`: partly read, `rejected`: some rows could not be typed, `today`: not over yet,
            else by age of the observation: `d1`, `d15`, `d90`, `old`.
        seen: The oldest observation of any moment of the day, UTC; None if some moment was not read.
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


def cells(looks: Looks, first: date, now: datetime) -> list[Cell]:
    """Every day from the first to today.

    Args:
        looks: Windows of the ledger, as `queries.looks` returns them.
        first: First day of the history.
        now: The current time, with Beijing's offset.
    """
    days = [first + number * DAY for number in range((now.date() - first).days + 1)]
    midnights = np.array([_seconds(datetime.combine(day, time())) for day in (*days, now.date() + DAY)])
    looks = looks[np.argsort(looks[:, 2], kind="stable")]
    edges, latest = _paint(looks, midnights)
    places = np.searchsorted(edges, midnights)
    found = []
    for day, begin, end in zip(days, places, places[1:], strict=False):
        if day == now.date():
            found.append(_today(day, edges[begin:end], latest[begin:end], looks))
        else:
            found.append(_cell(day, latest[begin:end], looks, _seconds(now.astimezone(timezone.utc))))
    return found


def months(days: Iterable[Cell]) -> list[Month]:
    """The cells by month, latest month first."""
    rows: dict[str, list[Cell | None]] = {}
    for cell in days:
        rows.setdefault(f"{cell.day:%Y-%m}", [None] * 31)[cell.day.day - 1] = cell
    return [Month(label, row) for label, row in sorted(rows.items(), reverse=True)]


def gap_ranges(days: Iterable[Cell]) -> list[tuple[date, date]]:
    """First and last day of each run of consecutive days that were not fully read."""
    found: list[tuple[date, date]] = []
    for cell in days:
        if cell.state in GAPS:
            if found and found[-1][1] == cell.day - DAY:
                found[-1] = (found[-1][0], cell.day)
            else:
                found.append((cell.day, cell.day))
    return found


def _paint(looks: Looks, midnights: Looks) -> tuple[Looks, Looks]:
    """Lay the windows over each other, the latest observation on top.

    Returns:
        The starts of segments in order, every midnight among them; for each segment its row in `looks`, or -1.
    """
    edges = np.unique(np.concatenate([looks[:, 0], looks[:, 1], midnights]))
    latest = np.full(len(edges), -1, dtype=np.int64)
    begins, ends = np.searchsorted(edges, looks[:, 0]), np.searchsorted(edges, looks[:, 1])
    for row, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
        latest[begin:end] = row
    return edges, latest


def _cell(day: date, shown: Looks, looks: Looks, now: int) -> Cell:
    read = shown >= 0
    if not read.all():
        return Cell(day, "part" if read.any() else "gap", None)
    oldest = int(looks[shown, 2].min())
    if looks[shown, 3].any():
        return Cell(day, "rejected", _moment(oldest))
    age = timedelta(seconds=now - oldest)
    return Cell(day, next((state for limit, state in AGES if age <= limit), "old"), _moment(oldest))


def _today(day: date, edges: Looks, shown: Looks, looks: Looks) -> Cell:
    [missing] = np.nonzero(shown < 0)
    if len(missing) and missing[0] == 0:
        return Cell(day, "today", None)
    oldest = _moment(int(looks[shown[shown >= 0], 2].min()))
    return Cell(day, "today", oldest, _moment(int(edges[missing[0]])) if len(missing) else None)


def _seconds(moment: datetime) -> int:
    """As `TO_SECONDS` counts them."""
    return (moment.toordinal() + _YEAR_ZERO) * 86_400 + moment.hour * 3600 + moment.minute * 60 + moment.second


def _moment(seconds: int) -> datetime:
    days, rest = divmod(seconds, 86_400)
    return datetime.fromordinal(days - _YEAR_ZERO) + timedelta(seconds=rest)
