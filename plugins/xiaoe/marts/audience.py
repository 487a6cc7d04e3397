"""Which figures of viewers and learners are worked out again: nobody queues them with a merge."""

from __future__ import annotations

from datetime import date, timedelta

from xiaoe.merge.outbox import queue_days
from xiaoe.mysql.session import Session

BUYING = timedelta(days=8)
"""So long after a stream its buyers change: seven days, and the day on which they end."""


def queue_audience(session: Session, shop_id: str, today: date) -> None:
    """Queue the days of streams whose viewers changed, or may still become buyers; once a day the courses.

    Args:
        session: In the transaction of a refresh.
        shop_id: The shop.
        today: Of Beijing.
    """
    streams = session.query(
        "SELECT DISTINCT DATE(l.start_at) FROM parent_readings AS r"
        " INNER JOIN live_streams AS l ON r.shop_id = l.shop_id AND r.parent_id = l.live_id"
        " LEFT JOIN mart_live_audience AS a"
        " ON a.start_day = DATE(l.start_at) AND a.shop_id = l.shop_id AND a.live_id = l.live_id"
        " WHERE r.shop_id = %s AND r.resource = 'live_viewers' AND l.start_at IS NOT NULL AND l.absent_since IS NULL"
        " AND ((a.live_id IS NULL AND r.listed > 0) OR r.same_since > a.seen_at"
        " OR (l.start_at >= %s AND a.as_of < %s))",
        (shop_id, today - BUYING, today),
    )
    queue_days(session, shop_id, "live", {day for (day,) in streams})
    if _courses_are_due(session, shop_id, today):
        queue_days(session, shop_id, "courses", {today})


def _courses_are_due(session: Session, shop_id: str, today: date) -> bool:
    """Whether learners are known and were not counted today."""
    [(known, as_of)] = session.query(
        "SELECT EXISTS(SELECT 1 FROM learning_progress WHERE shop_id = %s),"
        " (SELECT MAX(as_of) FROM mart_course_buyers WHERE shop_id = %s)",
        (shop_id, shop_id),
    )
    return (bool(known) and as_of != today) or (as_of is not None and not known)
