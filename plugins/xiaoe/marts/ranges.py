"""What is computed together and in which order: the marts, and the ranges of queued days. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

DAY = timedelta(days=1)
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Mart:
    """Marts that are computed together.

    Args:
        name: Name in the log.
        kinds: Values of `mart_queue.kind`.
        template: Template in include/sql/marts; None: `write_coverage`.
        max_days: Days computed in one transaction, including days that lie between two queued ones.
    """

    name: str
    kinds: tuple[str, ...]
    template: str | None
    max_days: int = 1


DAYS = Mart("days", ("sales", "buyers"), "bi_days", max_days=7)
MONTHS = Mart("months", ("month",), "bi_month")
DEADLINES = Mart("deadlines", ("deadline",), "bi_deadlines", max_days=31)
DECIDED = Mart("decided", ("decided",), "bi_decided", max_days=31)
WEEKS = Mart("weeks", ("week",), "bi_week")
COVERAGE = Mart("coverage", ("covered",), None, max_days=31)
BUYERS = Mart("buyers", ("buyer", "buyer_day", "everyone"), "bi_buyers")
SIGNUPS = Mart("signups", ("signup",), "bi_signups", max_days=7)
CUSTOMERS = Mart("customers", ("customers",), "bi_customers")
LIVES = Mart("lives", ("live",), "bi_lives", max_days=7)
COURSES = Mart("courses", ("courses",), "bi_courses")
STAGES = (
    ((DAYS,), (DEADLINES, DECIDED, COVERAGE, LIVES)),
    ((MONTHS, SIGNUPS), (WEEKS, BUYERS, CUSTOMERS, COURSES)),
)
"""One stage after the other, its two sides at the same time, each side in its order.

Days queue months, weeks, buyers and signups; buyers queue customers, once a day; courses read buyers.
"""
MARTS = tuple(mart for stage in STAGES for side in stage for mart in side)


@dataclass(frozen=True)
class Entry:
    """An entry of `mart_queue`; the kinds `buyer` and `everyone` have no day."""

    number: int
    kind: str
    day: date
    user_id: str | None = None


def first_range(entries: list[Entry], max_days: int) -> list[Entry]:
    """The entries of the first range of at most `max_days` days; `entries` are in order of days.

    Days of which only the sales changed are a range without those whose buyers changed: that takes less.
    """
    by_buyers = {one.day for one in entries if one.kind == "buyers"}
    found: list[Entry] = []
    for entry in entries:
        first = found[0].day if found else entry.day
        if (entry.day - first).days >= max_days or (entry.day in by_buyers) != (first in by_buyers):
            break
        found.append(entry)
    return found


def end_of(mart: Mart, last: date) -> date:
    """The day behind a range that ends with this day, month or week; the calendar's last one if there is none behind.

    A day of the year 9999 in the queue comes from "never" as other programs write it, and must not stop the others.
    """
    try:
        return {"months": next_month, "weeks": lambda day: day + WEEK}.get(mart.name, lambda day: day + DAY)(last)
    except OverflowError:
        return date.max


def month_of(day: date) -> date:
    """First day of the month."""
    return day.replace(day=1)


def next_month(first: date) -> date:
    """First day of the month after the one that begins on `first`."""
    return month_of(first + timedelta(days=31))


def week_of(day: date) -> date:
    """Monday of the week."""
    return day - timedelta(days=day.weekday())
