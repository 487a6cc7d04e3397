"""Recomputes what `mart_queue` names, one range of days, month or week at a time (docs/decisions/0021).

A refresh reads the queue, then the orders, then deletes exactly the entries it read, by id: what is committed in
between stays queued and is computed again. It takes no merge lock, and READ COMMITTED locks nothing that is read. One
statement reads the orders of a range of days, so the marts of a day agree, and readers see a range change at once.
What needs nothing of each other is computed at the same time, on two connections: each range is a transaction anyway.
Days queued as `sales` only, whose orders changed in state or refund, leave everything about buyers as it is.

`buyer_firsts` is the day of each user's first paid order. A user whose first day moves queues the other day and, if
the month changes, each month and day on which they bought. It holds user ids, so it is not a `bi_` table, nor is
`mart_buyers`, the sums of each buyer: worked out from all orders of those who bought on days that changed, of those
whose older orders changed, or, after many days, of everybody (`everyone`). A user whose channel changed queues all days
of their orders. An account that was merged into another counts with it (people.py): "user" means the person, here and
in the templates.

The SQL uses CASE instead of ELT: MySQL 9.7 takes ELT(n, a, b) for NULL if any argument is, and turns a LEFT JOIN into
an inner one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

from xiaoe import settings
from xiaoe.clock import BEIJING
from xiaoe.marts.audience import queue_audience
from xiaoe.marts.board import forget_buyers, write_board
from xiaoe.marts.coverage import unknown_days, write_coverage
from xiaoe.marts.people import accounts, write_people
from xiaoe.marts.queue import queue_everything, queue_users
from xiaoe.marts.ranges import (
    BUYERS,
    COVERAGE,
    DAYS,
    MARTS,
    STAGES,
    WEEK,
    Entry,
    Mart,
    end_of,
    first_range,
    month_of,
    week_of,
)
from xiaoe.merge.outbox import queue_days
from xiaoe.mysql.session import Session, retry_conflicts
from xiaoe.mysql.templates import render, split_statements
from xiaoe.mysql.warehouse import Warehouse

MAX_AGE = timedelta(days=60)
"""How long after its payment an order stays on the refund curve; bi_week.sql has the same number."""
RULES = 3
"""Number of the definitions in include/sql/marts: raise it when a figure comes out otherwise than before."""
_BUYERS_OF_A_DAY = (
    "INSERT IGNORE INTO mart_due (user_id, person_id)"
    " SELECT DISTINCT COALESCE(a.user_id, o.user_id), COALESCE(a.person_id, o.user_id)"
    " FROM orders AS o FORCE INDEX (idx_orders_paid)"
    " LEFT JOIN mart_people AS m ON o.shop_id = m.shop_id AND o.user_id = m.user_id"
    " LEFT JOIN mart_people AS a ON m.shop_id = a.shop_id AND m.person_id = a.person_id"
    " WHERE o.shop_id = %s AND o.pay_time >= %s AND o.pay_time < %s AND o.user_id > ''"
)
"""With all accounts of whoever bought."""
_ENTRIES = 20_000
"""Queue entries read at once."""
_USERS = 2_000
_MAX_BUYER_DAYS = 31
"""After so many days, all buyers are worked out at once: from one reading of the orders, not one for each buyer."""


class Refresher:
    """Refreshes the marts of one shop.

    Args:
        warehouse: The warehouse.
        shop_id: The shop.
        now: Time of the run, with an offset.
    """

    def __init__(self, warehouse: Warehouse, shop_id: str, *, now: datetime) -> None:
        self._warehouse = warehouse
        self._shop_id = shop_id
        self._now = now
        self._today = now.astimezone(BEIJING).date()
        names: dict[str, Any] = {name: f"%({name})s" for name in ("shop", "first", "end", "today")}
        names["count_imported"] = settings.count_imported()
        self._rules = f"{RULES}, imported orders {'counted' if settings.count_imported() else 'left out'}"
        self._tables = split_statements(render("marts/bi_tables.sql"))
        self._sql = {
            mart.name: split_statements(render(f"marts/{mart.template}.sql", **names, buyers=True))
            for mart in MARTS
            if mart.template
        }
        self._sql["sales"] = split_statements(render("marts/bi_days.sql", **names))
        self._sql["everyone"] = split_statements(render("marts/bi_buyers.sql", **names, everyone=True))

    def refresh(self, *, rebuild: bool = False) -> Counter[str]:
        """Compute everything that is queued or has aged; return the numbers of days, months, ….

        Each range is one transaction: after an interruption the next run continues. One run per shop at a time.

        Args:
            rebuild: Compute everything, queued or not.
        """
        counts: Counter[str] = Counter()
        with (
            self._warehouse.session() as session,
            self._warehouse.session() as beside,
            session.lock("marts", self._shop_id),
            beside.lock("marts", self._shop_id, "beside"),  # each connection holds one: either may die alone
        ):
            for one in (session, beside):
                # Otherwise INSERT .. SELECT would lock the rows it reads, and merges would wait.
                one.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            self._transaction(session, lambda: self._queue_all_after_a_change_of_rules(session, rebuild=rebuild))
            self._transaction(session, lambda: write_people(session, self._shop_id))
            self._transaction(session, lambda: self._queue_aged(session))
            self._transaction(session, lambda: queue_audience(session, self._shop_id, self._today))
            while self._transaction(session, lambda: self._find_days_of_users(session)):
                pass
            for here, there in STAGES:
                # An error of one side is raised once the other side is done: what it has committed is of use.
                with ThreadPoolExecutor(1) as pool:
                    other = pool.submit(self._compute_all, beside, there)
                    counts += self._compute_all(session, here)
                    counts += other.result()
            self._transaction(session, lambda: write_board(session, self._shop_id, self._now))
        return Counter({mart.name: counts[mart.name] for mart in MARTS})

    def _compute_all(self, session: Session, marts: tuple[Mart, ...]) -> Counter[str]:
        """Compute all that is queued for these marts, one after the other; return the numbers of days, months, …."""
        counts: Counter[str] = Counter()
        for mart in marts:
            while days := self._transaction(session, lambda mart=mart: self._compute(session, mart)):  # type: ignore[misc]
                counts[mart.name] += days
        return counts

    @staticmethod
    def _transaction(session: Session, work: Callable[[], Any]) -> Any:
        """Run the work and commit; repeat after a conflict."""

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
        """Queue the order days of users whose channel changed; return the number of users."""
        found = session.query(
            "SELECT id, user_id FROM mart_queue WHERE shop_id = %s AND kind = 'user' LIMIT %s", (self._shop_id, _USERS)
        )
        if found:
            queue_users(session, self._shop_id, [user_id for _, user_id in found])
            self._done(session, [number for number, _ in found])
        return len(found)

    def _compute(self, session: Session, mart: Mart) -> int:
        """Compute the first queued range; return the number of days, months or weeks."""
        if mart in (DAYS, BUYERS):
            for statement in self._tables:
                session.execute(statement)
            session.commit()
        if mart is BUYERS:
            return self._compute_buyers(session)
        entries = first_range(self._queued(session, mart), mart.max_days)
        if not entries:
            return 0
        first, last = entries[0].day, entries[-1].day
        end = end_of(mart, last)
        values: Any = {"shop": self._shop_id, "first": first, "end": end, "today": self._today}
        has_buyers = any(one.kind != "sales" for one in entries)
        for statement in self._sql.get(mart.name if has_buyers else "sales", []):
            session.execute(statement, values)
        if mart is COVERAGE:
            write_coverage(session, self._shop_id, first, min(end, self._today))
        if mart is DAYS:
            if has_buyers:
                bought = {one.day for one in entries if one.kind == "buyers"}
                forget_buyers(session, self._shop_id, first, end)
                queue_days(session, self._shop_id, "month", {month_of(day) for day in bought})
                queue_days(session, self._shop_id, "buyer_day", bought)
            queue_days(session, self._shop_id, "week", {week_of(one.day) for one in entries})
        self._done(session, [one.number for one in entries])
        return (last - first).days + 1

    def _compute_buyers(self, session: Session) -> int:
        """Work out the buyers that are queued; return the number of entries."""
        entries = self._queued(session, BUYERS)
        if not entries:
            return 0
        values: Any = {"shop": self._shop_id}
        days = everyone_or_days(entries)
        if days is not None:
            users = {one.user_id for one in entries if one.user_id}
            session.insert_many(
                "INSERT IGNORE INTO mart_due (user_id, person_id) VALUES (%s, %s)",
                sorted(accounts(session, self._shop_id, users).items()) if users else [],
            )
            for day in days:
                session.execute(_BUYERS_OF_A_DAY, (self._shop_id, day, end_of(BUYERS, day)))
        for statement in self._sql["everyone" if days is None else BUYERS.name]:
            session.execute(statement, values)
        if days is None or self._customers_as_of(session) != self._today:
            queue_days(session, self._shop_id, "customers", {self._today})
        self._done(session, [one.number for one in entries])
        return len(entries)

    def _customers_as_of(self, session: Session) -> date | None:
        """The day on which customers were counted last; None: never."""
        [(as_of,)] = session.query("SELECT MAX(as_of) FROM bi_customers WHERE shop_id = %s", (self._shop_id,))
        return as_of

    @staticmethod
    def _done(session: Session, numbers: list[int]) -> None:
        session.execute("DELETE FROM mart_queue WHERE id IN %s", (numbers,))

    def _queued(self, session: Session, mart: Mart) -> list[Entry]:
        rows = session.query(
            "SELECT id, kind, day, user_id FROM mart_queue WHERE shop_id = %s AND kind IN %s ORDER BY day, id LIMIT %s",
            (self._shop_id, mart.kinds, _ENTRIES),
        )
        return [Entry(*row) for row in rows]

    def _queue_aged(self, session: Session) -> None:
        """Queue what the passing of a day changes: refund curves of young weeks, coverage of new days, segments."""
        queue_days(session, self._shop_id, "covered", unknown_days(session, self._shop_id, self._today))
        weeks = session.query(
            # All rows of a week have the same day: one of them is enough.
            "SELECT s.week, (SELECT c.as_of FROM bi_refund_curve AS c WHERE c.shop_id = %s AND c.pay_week = s.week"
            " LIMIT 1) FROM (SELECT DISTINCT day - INTERVAL WEEKDAY(day) DAY AS week FROM bi_sales_daily"
            " WHERE shop_id = %s AND orders_paid > 0 AND day < %s) AS s",
            (self._shop_id, self._shop_id, self._today),
        )
        done = {week for week, as_of in weeks if as_of and (as_of >= self._today or as_of > week + WEEK + MAX_AGE)}
        queue_days(session, self._shop_id, "week", {week for week, _ in weeks} - done)
        if self._customers_as_of(session) not in (None, self._today):
            queue_days(session, self._shop_id, "customers", {self._today})


def everyone_or_days(entries: list[Entry]) -> list[date] | None:
    """The days whose buyers are queued; None where all buyers of the shop are worked out."""
    days = {one.day for one in entries if one.kind == "buyer_day"}
    if len(days) > _MAX_BUYER_DAYS or any(one.kind == "everyone" for one in entries):
        return None
    return sorted(days)
