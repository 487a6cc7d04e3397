"""What is reported on, a day, a week from Monday or a month of Beijing, and what it is compared with. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
USUAL_WEEKS = 4
"""The same weekday of so many weeks before is what is usual for a day."""


class Period(NamedTuple):
    """Days that are reported on together.

    Args:
        kind: `day`, `week` or `month`, as `report_sends.period` stores it.
        first: Its first day.
        end: The day after its last.
    """

    kind: str
    first: date
    end: date

    @property
    def days(self) -> list[date]:
        """Each of its days."""
        return [self.first + _DAY * number for number in range((self.end - self.first).days)]


def due_after(day: date) -> list[Period]:
    """What is over when this day is over: the day, after a Sunday its week, after the last of a month its month."""
    found = [Period("day", day, day + _DAY)]
    if day.weekday() == 6:
        found.append(Period("week", day - 6 * _DAY, day + _DAY))
    if (day + _DAY).day == 1:
        found.append(Period("month", day.replace(day=1), day + _DAY))
    return found


def bases(period: Period) -> dict[str, Period]:
    """Name → what the period is compared with: the one before, its like in the week before, its like a year before.

    29 February has 28 February as the same day of the year before. A week has the one 52 weeks before, so weekdays
    agree.
    """
    kind, first, _ = period
    if kind == "day":
        found = {"前日": first - _DAY, "上周同日": first - _WEEK, "去年同日": _year_before(first)}
        return {name: Period(kind, one, one + _DAY) for name, one in found.items()}
    if kind == "week":
        found = {"上周": first - _WEEK, "去年同周": first - 52 * _WEEK}
        return {name: Period(kind, one, one + _WEEK) for name, one in found.items()}
    before = (first - _DAY).replace(day=1)
    return {"上月": Period(kind, before, first), "去年同月": year_before(period)}


def usual_days(day: date) -> list[date]:
    """The days that tell what is usual for a day."""
    return [day - _WEEK * weeks for weeks in range(1, USUAL_WEEKS + 1)]


def month_so_far(day: date) -> tuple[Period, Period]:
    """The month up to and with this day, and as many days of the month before, or all it has."""
    first, end = day.replace(day=1), day + _DAY
    before = (first - _DAY).replace(day=1)
    return Period("month", first, end), Period("month", before, min(before + (end - first), first))


def year_before(period: Period) -> Period:
    """The same dates of the year before; 28 February for 29 February."""
    return Period(period.kind, _year_before(period.first), _year_before(period.end - _DAY) + _DAY)


def _year_before(day: date) -> date:
    try:
        return day.replace(year=day.year - 1)
    except ValueError:  # 29 February
        return day.replace(year=day.year - 1, day=28)
