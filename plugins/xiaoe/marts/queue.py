"""`mart_queue`: what has to be worked out anew. The merge templates write it; this is for the other ways."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from xiaoe.clock import BEIJING
from xiaoe.mysql.session import Session

_DAYS = (
    "SELECT DISTINCT t.shop_id, t.kind, DATE(t.moment) FROM ("
    " SELECT o.shop_id, o.order_id, o.user_id, IF(k.number = 1, 'buyers', 'sales') AS kind,"
    " CASE k.number WHEN 1 THEN o.pay_time WHEN 2 THEN o.created_time ELSE o.refund_time END AS moment"
    " FROM orders AS o CROSS JOIN (SELECT 1 AS number UNION ALL SELECT 2 UNION ALL SELECT 3) AS k"
    ") AS t WHERE t.shop_id = %s AND t.moment IS NOT NULL"
)
_HELD = (
    "SELECT %s, 'buyers', day FROM (SELECT DISTINCT day FROM mart_products_daily WHERE shop_id = %s"
    " UNION SELECT DISTINCT first_day FROM buyer_firsts WHERE shop_id = %s) AS held",
    "SELECT DISTINCT %s, 'month', active_month FROM mart_cohorts WHERE shop_id = %s",
    "SELECT %s, 'covered', day FROM bi_sync_coverage WHERE shop_id = %s",
    "SELECT DISTINCT %s, 'week', pay_week FROM bi_refund_curve WHERE shop_id = %s",
    "SELECT DISTINCT %s, 'deadline', DATE(deadline_at) FROM benefit_decisions"
    " WHERE shop_id = %s AND deadline_at IS NOT NULL",
    "SELECT DISTINCT %s, 'deadline', deadline_day FROM bi_benefits_daily WHERE shop_id = %s",
    "SELECT DISTINCT %s, 'decided', DATE(decided_at + INTERVAL 8 HOUR) FROM benefit_decision_log WHERE shop_id = %s",
    "SELECT DISTINCT %s, 'decided', day FROM bi_benefit_changes_daily WHERE shop_id = %s",
)


def queue_orders(session: Session, shop_id: str, order_ids: Sequence[str]) -> None:
    """Have the days of these orders worked out anew; in the transaction that changes the orders."""
    places = ", ".join(["%s"] * len(order_ids))
    session.execute(
        f"INSERT INTO mart_queue (shop_id, kind, day) {_DAYS} AND t.order_id IN ({places})", (shop_id, *order_ids)
    )


def queue_users(session: Session, shop_id: str, user_ids: Sequence[str]) -> None:
    """Have the days of all orders of these users worked out anew."""
    places = ", ".join(["%s"] * len(user_ids))
    session.execute(
        f"INSERT INTO mart_queue (shop_id, kind, day) {_DAYS} AND t.user_id IN ({places})", (shop_id, *user_ids)
    )


def queue_window(session: Session, shop_id: str, begin: str, end: str) -> None:
    """Have the coverage of the days of a window worked out anew.

    Args:
        session: In the transaction that writes the window to the ledger.
        shop_id: The shop.
        begin: ISO, with an offset.
        end: The same; not included.
    """
    first, last = (datetime.fromisoformat(moment).astimezone(BEIJING).date() for moment in (begin, end))
    queue_days(session, shop_id, "covered", [first + timedelta(days=n) for n in range((last - first).days + 1)])


def queue_days(session: Session, shop_id: str, kind: str, days: Iterable[date]) -> None:
    """Have these days worked out anew."""
    session.insert_many(
        "INSERT INTO mart_queue (shop_id, kind, day) VALUES (%s, %s, %s)",
        [(shop_id, kind, day) for day in sorted(days)],
    )


def queue_everything(session: Session, shop_id: str) -> None:
    """Have everything of a shop worked out anew: what its tables hold, and what its marts do."""
    session.execute(f"INSERT INTO mart_queue (shop_id, kind, day) {_DAYS}", (shop_id,))
    for held in _HELD:
        session.execute(f"INSERT INTO mart_queue (shop_id, kind, day) {held}", (shop_id,) * held.count("%s"))
