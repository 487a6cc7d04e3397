"""Works out anew what `mart_queue` names, a range of days, a month or a week at a time (docs/decisions/0021).

Entries of the queue are taken out by their number: what was committed after a transaction read the queue stays in it,
so nothing is worked out too seldom, and nobody waits for anybody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from xiaoe import settings
from xiaoe.clock import BEIJING
from xiaoe.marts.coverage import unknown_days, write_coverage
from xiaoe.marts.queue import queue_everything, queue_users
from xiaoe.merge.outbox import queue_days
from xiaoe.mysql.session import Session, retry_conflicts
from xiaoe.mysql.templates import render, split_statements
from xiaoe.mysql.warehouse import Warehouse

DAY = timedelta(days=1)
LONGEST_AGE = timedelta(days=60)
"""How long after its payment an order stays on the curve; bi_week.sql has it, too."""
WEEK = timedelta(days=7)
RULES = 1
"""Number of the definitions in include/sql/marts: raise it when a figure comes out otherwise than before."""
_ENTRIES = 20_000
"""Of the queue, looked at in one go."""
_USERS = 2_000


@dataclass(frozen=True)
class Part:
    """One kind of work.

    Args:
        name: For the log.
        kinds: Of `mart_queue`.
        template: In include/sql/marts; None: `write_coverage`.
        longest: Days that are worked out in one transaction; days between two that are queued are worked out, too.
    """

    name: str
    kinds: tuple[str, ...]
    template: str | None
    longest: int = 1


DAYS = Part("days", ("sales", "buyers"), "bi_days", longest=7)
COVERAGE = Part("coverage", ("covered",), None, longest=31)
PARTS = (
    DAYS,
    Part("months", ("month",), "bi_month"),
    Part("deadlines", ("deadline",), "bi_deadlines", longest=31),
    Part("decided", ("decided",), "bi_decided", longest=31),
    Part("weeks", ("week",), "bi_week"),
    COVERAGE,
)
"""In this order: days queue months and weeks."""


@dataclass(frozen=True)
class Entry:
    """A line of `mart_queue`."""

    number: int
    kind: str
    day: date


class Refresher:
    """Brings the marts of one shop up to date.

    Args:
        warehouse: Where.
        shop_id: The shop.
        now: With an offset; the moment of the run.
    """

    def __init__(self, warehouse: Warehouse, shop_id: str, *, now: datetime) -> None:
        self._warehouse = warehouse
        self._shop_id = shop_id
        self._today = now.astimezone(BEIJING).date()
        names: dict[str, Any] = {name: f"%({name})s" for name in ("shop", "first", "end", "today")}
        names["count_imported"] = settings.count_imported()
        self._rules = f"{RULES}, imported orders {'counted' if settings.count_imported() else 'left out'}"
        self._tables = split_statements(render("marts/bi_tables.sql"))
        self._sql = {
            part.name: split_statements(render(f"marts/{part.template}.sql", **names)) if part.template else []
            for part in PARTS
        }

    def refresh(self, *, rebuild: bool = False) -> Counter[str]:
        """Work out everything that is queued, and what grows older by itself; return how many days, months, ….

        Every range is a transaction of its own: broken off, the next run goes on. One run per shop at a time.

        Args:
            rebuild: Everything there is, queued or not.
        """
        counts: Counter[str] = Counter({part.name: 0 for part in PARTS})
        with self._warehouse.session() as session, session.lock("marts", self._shop_id):
            # What INSERT .. SELECT reads would be locked otherwise, and the merges would wait.
            session.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            self._transaction(session, lambda: self._queue_all_after_a_change_of_rules(session, rebuild=rebuild))
            self._transaction(session, lambda: self._queue_what_time_brings(session))
            while self._transaction(session, lambda: self._find_days_of_users(session)):
                pass
            for part in PARTS:
                while days := self._transaction(session, lambda part=part: self._work(session, part)):  # type: ignore[misc]
                    counts[part.name] += days
        return counts

    @staticmethod
    def _transaction(session: Session, work: Callable[[], Any]) -> Any:
        """Do it and commit; again after a conflict."""

        def once() -> Any:
            try:
                result = work()
                session.commit()
            except Exception:
                session.rollback()
                raise
            return result

        return retry_conflicts(once)

    def _queue_all_after_a_change_of_rules(self, session: Session, *, rebuild: bool) -> None:
        """Queue everything where that is wanted, or where figures were worked out by other rules than these."""
        held = session.query("SELECT rules FROM mart_rules WHERE shop_id = %s", (self._shop_id,))
        if rebuild or held != [(self._rules,)]:
            queue_everything(session, self._shop_id)
            session.execute("REPLACE INTO mart_rules (shop_id, rules) VALUES (%s, %s)", (self._shop_id, self._rules))

    def _find_days_of_users(self, session: Session) -> int:
        """Queue the days on which users bought whose channel changed; how many users that were."""
        found = session.query(
            "SELECT id, user_id FROM mart_queue WHERE shop_id = %s AND kind = 'user' LIMIT %s", (self._shop_id, _USERS)
        )
        if found:
            queue_users(session, self._shop_id, [user_id for _, user_id in found])
            self._done(session, [number for number, _ in found])
        return len(found)

    def _work(self, session: Session, part: Part) -> int:
        """Work out the first range that is queued; how many days, months or weeks that were."""
        if part is DAYS:
            for statement in self._tables:
                session.execute(statement)
            session.commit()
        entries = first_range(self._queued(session, part), part.longest)
        if not entries:
            return 0
        first, last = entries[0].day, entries[-1].day
        end = {"months": next_month, "weeks": lambda day: day + WEEK}.get(part.name, lambda day: day + DAY)(last)
        values: Any = {"shop": self._shop_id, "first": first, "end": end, "today": self._today}
        for statement in self._sql[part.name]:
            session.execute(statement, values)
        if part is COVERAGE:
            write_coverage(session, self._shop_id, first, min(end, self._today))
        if part is DAYS:
            queue_days(session, self._shop_id, "month", {month_of(one.day) for one in entries if one.kind == "buyers"})
            queue_days(session, self._shop_id, "week", {week_of(one.day) for one in entries})
        self._done(session, [one.number for one in entries])
        return (last - first).days + 1

    @staticmethod
    def _done(session: Session, numbers: list[int]) -> None:
        session.execute("DELETE FROM mart_queue WHERE id IN %s", (numbers,))

    def _queued(self, session: Session, part: Part) -> list[Entry]:
        rows = session.query(
            "SELECT id, kind, day FROM mart_queue WHERE shop_id = %s AND kind IN %s ORDER BY day, id LIMIT %s",
            (self._shop_id, part.kinds, _ENTRIES),
        )
        return [Entry(*row) for row in rows]

    def _queue_what_time_brings(self, session: Session) -> None:
        """Each day that passes makes a young week's curve longer, and is a day that a window has to cover."""
        queue_days(session, self._shop_id, "covered", unknown_days(session, self._shop_id, self._today))
        held = session.query(
            "SELECT s.week, c.as_of FROM (SELECT DISTINCT day - INTERVAL WEEKDAY(day) DAY AS week FROM bi_sales_daily"
            " WHERE shop_id = %s AND orders_paid > 0 AND day < %s) AS s LEFT JOIN (SELECT pay_week, MIN(as_of) AS as_of"
            " FROM bi_refund_curve WHERE shop_id = %s GROUP BY pay_week) AS c ON s.week = c.pay_week",
            (self._shop_id, self._today, self._shop_id),
        )
        grown = {week for week, as_of in held if as_of and (as_of >= self._today or as_of > week + WEEK + LONGEST_AGE)}
        queue_days(session, self._shop_id, "week", {week for week, _ in held} - grown)


def first_range(entries: list[Entry], longest: int) -> list[Entry]:
    """The entries of the first `longest` days, in order of days."""
    found: list[Entry] = []
    for entry in entries:
        if found and (entry.day - found[0].day).days >= longest:
            break
        found.append(entry)
    return found


def month_of(day: date) -> date:
    """First day of the month."""
    return day.replace(day=1)


def next_month(first: date) -> date:
    """First day of the month behind the one that begins on `first`."""
    return month_of(first + timedelta(days=31))


def week_of(day: date) -> date:
    """Monday of the week."""
    return day - timedelta(days=day.weekday())
