"""Entries of `mart_queue` that no merge writes: for users whose channel changed, and for a rebuild of all marts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from xiaoe.merge.outbox import queue_days
from xiaoe.mysql.session import Session

_DAY = timedelta(days=1)
_DAYS_OF_USERS = (
    "SELECT DISTINCT t.shop_id, t.kind, DATE(t.moment) FROM ("
    " SELECT o.shop_id, o.order_id, o.user_id, IF(k.number = 1, 'buyers', 'sales') AS kind,"
    " CASE k.number WHEN 1 THEN o.pay_time WHEN 2 THEN o.created_time ELSE o.refund_time END AS moment"
    " FROM orders AS o CROSS JOIN (SELECT 1 AS number UNION ALL SELECT 2 UNION ALL SELECT 3) AS k"
    ") AS t WHERE t.shop_id = %s AND t.moment IS NOT NULL AND t.user_id IN %s"
)
_EXISTING = (
    "SELECT %s, 'buyers', day FROM (SELECT DISTINCT day FROM bi_sales_daily WHERE shop_id = %s"
    " UNION SELECT DISTINCT first_day FROM buyer_firsts WHERE shop_id = %s) AS held",
    "SELECT DISTINCT %s, 'month', active_month FROM mart_cohorts WHERE shop_id = %s",
    "SELECT %s, 'covered', day FROM bi_sync_coverage WHERE shop_id = %s",
    "SELECT DISTINCT %s, 'week', pay_week FROM bi_refund_curve WHERE shop_id = %s",
    "SELECT DISTINCT %s, 'deadline', DATE(deadline_at) FROM benefit_decisions"
    " WHERE shop_id = %s AND deadline_at IS NOT NULL",
    "SELECT DISTINCT %s, 'deadline', deadline_day FROM bi_benefits_daily WHERE shop_id = %s",
    "SELECT DISTINCT %s, 'decided', DATE(decided_at + INTERVAL 8 HOUR) FROM benefit_decision_log WHERE shop_id = %s",
    "SELECT DISTINCT %s, 'decided', day FROM bi_benefit_changes_daily WHERE shop_id = %s",
    "SELECT DISTINCT %s, 'signup', DATE(registered_at) FROM users WHERE shop_id = %s AND registered_at IS NOT NULL",
    "SELECT DISTINCT %s, 'signup', day FROM bi_registrations WHERE shop_id = %s",
    "SELECT DISTINCT %s, 'live', DATE(start_at) FROM live_streams WHERE shop_id = %s AND start_at IS NOT NULL",
    "SELECT DISTINCT %s, 'live', start_day FROM mart_live_audience WHERE shop_id = %s",
    "SELECT DISTINCT %s, 'courses', as_of FROM mart_course_buyers WHERE shop_id = %s",
    "SELECT %s, 'everyone', NULL",
)


def queue_users(session: Session, shop_id: str, user_ids: Sequence[str]) -> None:
    """Queue the days of all orders of these users, and of the accounts that count with them."""
    merged = session.query(
        "SELECT user_id FROM mart_people WHERE shop_id = %s AND person_id IN %s", (shop_id, user_ids)
    )
    found = {*user_ids, *(account for (account,) in merged)}
    session.execute(f"INSERT INTO mart_queue (shop_id, kind, day) {_DAYS_OF_USERS}", (shop_id, sorted(found)))


def queue_everything(session: Session, shop_id: str) -> None:
    """Queue everything of a shop: the days in its tables and those in its marts.

    Of orders, those of all shops: a day on which this shop sold nothing costs less than to look for it.
    """
    for kind, column in (("buyers", "pay_time"), ("sales", "created_time"), ("sales", "refund_time")):
        queue_days(session, shop_id, kind, _days(session, column))
    for existing in _EXISTING:
        session.execute(f"INSERT INTO mart_queue (shop_id, kind, day) {existing}", (shop_id,) * existing.count("%s"))


def _days(session: Session, column: str) -> Iterator[date]:
    """The days on which orders have this time, by one look into its key for each: not by reading every entry."""
    start: date | None = date.min
    while start:
        [(moment,)] = session.query(f"SELECT MIN({column}) FROM orders WHERE {column} >= %s", (start,))  # noqa: S608
        if moment is None:
            return
        yield moment.date()
        start = moment.date() + _DAY if moment.date() < date.max else None
