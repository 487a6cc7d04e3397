"""Entries of `mart_queue` that no merge writes: for users whose channel changed, and for a rebuild of all marts."""

from __future__ import annotations

from collections.abc import Sequence

from xiaoe.mysql.session import Session

_DAYS_OF_USERS = (
    "SELECT DISTINCT t.shop_id, t.kind, DATE(t.moment) FROM ("
    " SELECT o.shop_id, o.order_id, o.user_id, IF(k.number = 1, 'buyers', 'sales') AS kind,"
    " CASE k.number WHEN 1 THEN o.pay_time WHEN 2 THEN o.created_time ELSE o.refund_time END AS moment"
    " FROM orders AS o CROSS JOIN (SELECT 1 AS number UNION ALL SELECT 2 UNION ALL SELECT 3) AS k"
    ") AS t WHERE t.shop_id = %s AND t.moment IS NOT NULL AND t.user_id IN %s"
)
_EXISTING = (
    "SELECT DISTINCT %s, 'buyers', DATE(pay_time) FROM orders FORCE INDEX (idx_orders_paid)"
    " WHERE shop_id = %s AND pay_time IS NOT NULL",
    "SELECT DISTINCT %s, 'sales', DATE(created_time) FROM orders FORCE INDEX (idx_orders_created)"
    " WHERE shop_id = %s AND created_time IS NOT NULL",
    "SELECT DISTINCT %s, 'sales', DATE(refund_time) FROM orders FORCE INDEX (idx_orders_refunded)"
    " WHERE shop_id = %s AND refund_time IS NOT NULL",
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
    "SELECT %s, 'everyone', NULL",
)


def queue_users(session: Session, shop_id: str, user_ids: Sequence[str]) -> None:
    """Queue the days of all orders of these users."""
    session.execute(f"INSERT INTO mart_queue (shop_id, kind, day) {_DAYS_OF_USERS}", (shop_id, user_ids))


def queue_everything(session: Session, shop_id: str) -> None:
    """Queue everything of a shop: the days in its tables and those in its marts."""
    for existing in _EXISTING:
        session.execute(f"INSERT INTO mart_queue (shop_id, kind, day) {existing}", (shop_id,) * existing.count("%s"))
